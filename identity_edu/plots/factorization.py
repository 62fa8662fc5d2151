"""Figures about near-identity layers, for chapter 05."""

import numpy as np

from identity_edu.plots.style import COLOURS, MARKERS, new_figure

MAX_DRAWN = 7  # letters in a panel; more would hide each other


def letter_through_layers(panels):
    """Draw a letter after each layer, one panel for each network.

    Parameters
    ----------
    panels : dict of str to array, shape (l + 1, m, 2)
        Title, and the m corners of the letter before and after each layer, in the
        order in which a pen meets them. The last corner's way is drawn as well.

    Returns
    -------
    matplotlib.figure.Figure
        With the unit circle dashed.
    """
    fig, axes = new_figure(len(panels), width=8.4, height=3.3, sharex=True, sharey=True)
    circle = np.exp(1j * np.linspace(0.0, 2 * np.pi, 200))
    for ax, (title, letters) in zip(np.atleast_1d(axes), panels.items(), strict=True):
        ax.plot(circle.real, circle.imag, "--", lw=1.0, color=COLOURS["grey"])
        shown = np.unique(np.linspace(0, len(letters) - 1, MAX_DRAWN).astype(int))
        for i in shown:
            is_end = i in (0, len(letters) - 1)
            colour = COLOURS["black"] if is_end else COLOURS["sky"]
            ax.plot(*letters[i].T, color=colour, lw=2.2 if is_end else 1.2)
        way = letters[:, -1]
        ax.plot(*way.T, marker=".", ms=4, lw=1.2, color=COLOURS["orange"])
        ax.plot(0, 0, marker="+", ms=8, color=COLOURS["black"])
        ax.set_title(title, fontsize=10)
        ax.set_xlabel("first coordinate")
        ax.set_aspect("equal")
        ax.grid(visible=False)
    np.atleast_1d(axes)[0].set_ylabel("second coordinate")
    return fig


def layer_norms(n_layers, measured, bound, least):
    """Draw the largest layer norm against the number of layers, in both logarithms.

    Parameters
    ----------
    n_layers : array, shape (m,)
    measured : dict of str to array, shape (m,)
        Label of the construction, and its largest layer norm.
    bound : array, shape (m,)
        The upper bound of the theorem, drawn dashed.
    least : array, shape (m,)
        What no factorization can beat, drawn dotted.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, ax = new_figure(height=3.8)
    bound_label = r"bound $(4\pi + 3\gamma)/\ell$"
    ax.loglog(n_layers, bound, "--", color=COLOURS["black"], label=bound_label)
    for (label, values), colour, marker in zip(
        measured.items(), COLOURS.values(), MARKERS, strict=False
    ):
        ax.loglog(n_layers, values, marker=marker, ms=4, color=colour, label=label)
    ax.loglog(
        n_layers, least, ":", color=COLOURS["black"], label="no layers can beat this"
    )
    ax.set_xlabel(r"number of layers $\ell$")
    ax.set_ylabel(r"largest layer norm $\max_i \|A_i\|_2$")
    ax.legend()
    return fig
