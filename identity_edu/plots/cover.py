"""The figure of the README and of the landing page.

``identity-edu experiment cover_figure`` measures, and then this draws it anew:
``python -c "from identity_edu.plots import cover; cover.draw()"``.
"""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from identity_edu.plots.style import COLOURS, new_figure, use_book_style

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "book" / "results" / "cover_figure.json"
PICTURE = ROOT / "book" / "_static" / "readme_figure.png"
LARGE_TEXT = {
    "font.size": 15,
    "axes.titlesize": 17,
    "lines.linewidth": 3.0,
    "lines.markersize": 8.0,
}


def cover_figure(depths, slopes, letters, largest_layer):
    """Draw slopes over depth, and a letter carried through near-identity layers.

    Parameters
    ----------
    depths : array, shape (m,)
        Numbers of layers.
    slopes : dict of str to array, shape (3, m)
        Label of the network; low, middle and high gradient norm of its first layer.
    letters : array, shape (l + 1, k, 2)
        Corners of an outline, before the first layer and after each.
    largest_layer : float
        Spectral norm of the largest of these layers' residual matrices.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with plt.rc_context(LARGE_TEXT):
        fig, (left, right) = new_figure(2, width=16 * 0.7, height=7 * 0.7)
        _draw_slopes(left, depths, slopes)
        _draw_letters(right, np.asarray(letters), largest_layer)
    return fig


def _draw_slopes(ax, depths, slopes):
    """Draw one curve a network, its spread shaded."""
    for (label, (low, middle, high)), colour, marker in zip(
        slopes.items(), (COLOURS["blue"], COLOURS["orange"]), "os", strict=True
    ):
        ax.fill_between(depths, low, high, color=colour, alpha=0.2, lw=0)
        ax.semilogy(depths, middle, marker=marker, color=colour, label=label)
    ax.set_title("The same random matrices, twice")
    ax.set_xlabel("number of layers")
    ax.set_ylabel("gradient norm of the first layer")
    ax.legend(loc="lower left")


def _draw_letters(ax, letters, largest_layer):
    """Draw outlines from faint to full, the first and the last one named."""
    last = len(letters) - 1
    for step, corners in enumerate(letters):
        is_end = step in (0, last)
        colour = COLOURS["grey" if step == 0 else "blue"]
        opacity = 0.95 if is_end else 0.15 + 0.4 * step / last
        ax.fill(*corners.T, facecolor=colour, alpha=opacity, edgecolor="white", lw=1)
    ax.plot(0, 0, marker="+", ms=14, mew=2.5, color=COLOURS["black"])
    points = {"textcoords": "offset points", "ha": "center"}
    for step, name in ((0, "in"), (last, "out")):
        below = letters[step, :, 0].mean(), letters[step, :, 1].min()
        ax.annotate(name, below, (0, -25), **points)
    norm = rf"every $\|A_i\|_2 \approx {largest_layer:.2f}$"
    ax.annotate(norm, (0, 0), (0, 28), **points)
    ax.set_title(f"One turn, shared by {last} residual layers")
    ax.set_aspect("equal", adjustable="datalim")
    ax.axis("off")


def draw(result=RESULT, picture=PICTURE):
    """Draw the figure from a results file and write it as a PNG file.

    Parameters
    ----------
    result, picture : Path
        Where to read and to write.
    """
    values = json.loads(Path(result).read_text(encoding="utf-8"))["values"]
    with plt.rc_context():
        use_book_style()
        slopes = {
            "layers $I + A_i$": values["residual"],
            "layers $A_i$": values["plain"],
        }
        drawn = values["letters"], values["largest_layer"]
        fig = cover_figure(values["depths"], slopes, *drawn)
        fig.savefig(picture)
        plt.close(fig)
