"""One look for all figures: size, palette, grid, and a background of their own."""

import matplotlib.pyplot as plt

# Okabe & Ito (2008), without the yellow that vanishes on white.
COLOURS = {
    "blue": "#0072B2",
    "orange": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "grey": "#666666",
    "black": "#000000",
}
MARKERS = ("o", "s", "^", "D", "v", "P")


def use_book_style():
    """Set matplotlib up for the book: sizes in inches, white ground, quiet grid.

    The white ground is deliberate: a page in dark mode shows the figure as a card,
    and every colour keeps its contrast.
    """
    plt.rcParams.update(
        {
            "figure.figsize": (7.0, 3.6),
            "figure.dpi": 144,
            "figure.facecolor": "white",
            "savefig.facecolor": "white",
            "figure.constrained_layout.use": True,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": plt.cycler(color=list(COLOURS.values())),
            "grid.alpha": 0.3,
            "lines.linewidth": 1.8,
            "lines.markersize": 4.5,
            "font.size": 10,
            "legend.frameon": False,
        }
    )


def new_figure(n_panels=1, *, width=7.0, height=3.4, **options):
    """Return a figure and its axes, in the style of the book.

    Parameters
    ----------
    n_panels : int >= 1
        Panels side by side.
    width, height : float
        In inches.
    **options
        Passed to `matplotlib.pyplot.subplots`, such as ``sharey=True``.

    Returns
    -------
    tuple
        ``(fig, ax)`` for one panel, ``(fig, array of axes)`` for more.
    """
    return plt.subplots(1, n_panels, figsize=(width, height), **options)
