"""Figures about convolutions with fewer multiplications, for chapter 10."""

import numpy as np
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

from identity_edu.plots.style import COLOURS, MARKERS, new_figure


def convolution_rates(stages, rates):
    """Draw how fast layers are computed, relative to the cores' fastest products.

    Parameters
    ----------
    stages : sequence of str, length m
    rates : dict of str to array, shape (m,)
        By program: multiplications and additions of the definition a second, divided
        by the highest rate seen elsewhere, drawn dashed at 1.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, ax = new_figure(height=2.8)
    rows, height = np.arange(len(stages)), 0.8 / len(rates)
    for i, ((label, values), colour) in enumerate(
        zip(rates.items(), COLOURS.values(), strict=False)
    ):
        place = rows + (i - (len(rates) - 1) / 2) * height
        ax.barh(place, values, 0.9 * height, color=colour, label=label)
    ax.axvline(1, ls="--", color=COLOURS["black"], label="highest rate seen otherwise")
    ax.set_yticks(rows, stages)
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.set(
        xlabel="rate at which the definition is worked off",
        ylabel="layer",
    )
    fig.legend(*ax.get_legend_handles_labels(), ncols=3, loc="outside upper center")
    return fig


def point_choices(grid, growth, marked, measured, unit):
    """Draw which points amplify rounding, as predicted and as measured.

    Parameters
    ----------
    grid : pair of array, shapes (p,) and (q,)
        The smaller and the larger of two pairs of opposite points.
    growth : array, shape (q, p)
        Predicted factor; NaN is left white.
    marked : dict of str to pair of float
        Places to mark on the map.
    measured : dict of str to pair of array, shapes (c,) and (c, s)
        Label of each tile size; predicted factors, and relative errors by seed.
    unit : float
        Error of the definition: the dashed line is this times the prediction.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, (left, right) = new_figure(2, height=3.5)
    levels = [7.5, 8.5, 10, 12, 15, 20, 30, 50, 100]
    lines = left.contour(*grid, growth, levels=levels, cmap="viridis", linewidths=1.2)
    left.clabel(lines, fontsize=8, fmt="%g")
    for (label, place), marker, colour in zip(
        marked.items(), MARKERS, COLOURS.values(), strict=False
    ):
        left.plot(*place, marker, color=colour, ms=8, label=label)
    left.legend(loc="lower right", fontsize=8, frameon=True)
    left.set(xlabel="a of the points 0, ±a, ±b, ∞", ylabel="b")
    for (label, (predicted, errors)), marker, colour in zip(
        measured.items(), MARKERS, COLOURS.values(), strict=False
    ):
        middle, errors = np.median(errors, axis=1), np.asarray(errors)
        spread = middle - errors.min(axis=1), errors.max(axis=1) - middle
        style = {"fmt": marker, "color": colour, "label": label, "capsize": 2}
        right.errorbar(predicted, middle, spread, **style)
    ends = np.array(
        [1, 2 * max(np.max(predicted) for predicted, _ in measured.values())]
    )
    right.loglog(ends, unit * ends, ls="--", color=COLOURS["black"])
    right.legend()
    right.set(xlabel="predicted factor", ylabel="largest relative error")
    return fig


def transform_costs(stages, parts, channels, ratios):
    """Draw where a layer's time goes, and how its speed depends on the channels.

    Parameters
    ----------
    stages : sequence of str, length m
    parts : dict of str to array, shape (m,)
        Share of the time of each part, in [0, 1].
    channels : array, shape (c,)
    ratios : dict of str to array, shape (c,)
        Label of each rival; its time divided by ours.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, (left, right) = new_figure(2, height=3.4)
    rows, start = np.arange(len(stages)), np.zeros(len(stages))
    hatches = ("", "//", "..")
    for (label, share), colour, hatch in zip(
        parts.items(), COLOURS.values(), hatches, strict=False
    ):
        style = {"color": colour, "hatch": hatch, "edgecolor": "white", "label": label}
        left.barh(rows, 100 * np.asarray(share), left=start, height=0.6, **style)
        start = start + 100 * np.asarray(share)
    left.set_yticks(rows, stages)
    left.invert_yaxis()
    left.grid(visible=False, axis="y")
    left.set(xlabel="share of the time in %", ylabel="layer", xlim=(0, 100))
    left.legend(ncols=1, loc="lower center", bbox_to_anchor=(0.45, 1.0), fontsize=9)
    for (label, values), marker, colour in zip(
        ratios.items(), MARKERS, COLOURS.values(), strict=False
    ):
        right.loglog(channels, values, marker=marker, color=colour, label=label)
    right.axhline(1, ls="--", color=COLOURS["black"])
    right.set_xticks(channels, [str(c) for c in channels])
    right.set_xticks([], minor=True)
    right.yaxis.set_major_locator(LogLocator(2))
    right.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    right.yaxis.set_minor_locator(NullLocator())
    right.set(xlabel="channels", ylabel="time divided by ours")
    right.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=9)
    return fig
