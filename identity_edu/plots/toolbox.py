"""Figures of the appendix on linear algebra."""

from identity_edu.plots.style import COLOURS, MARKERS, new_figure


def polar_steps(stages):
    """Draw a closed curve, with two arrows, after each factor of a map.

    Parameters
    ----------
    stages : dict of str to (array of shape (n, 2), array of shape (2, 2))
        Title of the panel; points of the curve, and the tips of two arrows that start
        at the origin, one a row.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, axes = new_figure(len(stages), height=2.9, sharex=True, sharey=True)
    for ax, (title, (curve, tips)) in zip(axes, stages.items(), strict=True):
        ax.plot(*curve.T, color=COLOURS["grey"])
        for tip, colour in zip(tips, (COLOURS["blue"], COLOURS["orange"]), strict=True):
            arrow = {"arrowstyle": "-|>", "color": colour, "lw": 2.0}
            ax.annotate("", tip, (0.0, 0.0), arrowprops=arrow)
        ax.set_title(title)
        ax.set_xlabel("first coordinate")
        ax.set_aspect("equal")
    axes[0].set_ylabel("second coordinate")
    return fig


def digits_kept(n_layers, errors):
    """Draw relative errors against the number of layers, in both logarithms.

    Parameters
    ----------
    n_layers : array, shape (m,)
    errors : dict of str to array, shape (m,)
        Label of each way to compute, and its relative errors.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, ax = new_figure()
    for (label, values), colour, marker in zip(
        errors.items(), COLOURS.values(), MARKERS, strict=False
    ):
        ax.loglog(n_layers, values, marker=marker, color=colour, label=label)
    ax.set_xlabel(r"number of layers $\ell$")
    ax.set_ylabel("relative error of the product")
    ax.legend()
    return fig
