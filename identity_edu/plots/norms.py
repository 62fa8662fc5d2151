"""Figures about the norms of gradients on their way back, for chapter 13."""

import numpy as np

from identity_edu.plots.style import COLOURS, MARKERS, new_figure

RATIO = "gradient at the input / at the output"


def ratios_by_block(panels, skips):
    """Draw what each block does to the norm of a gradient, at several moments.

    Parameters
    ----------
    panels : dict of str to dict of str to array, shape (l,)
        Title, and by the kind of net the ratio of each block, the one nearest the
        input first.
    skips : array, shape (l,)
        What a block does whose branch is zero; drawn dashed in the first panel.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, axes = new_figure(len(panels), sharey=True, squeeze=False, height=3.2)
    numbers = np.arange(1, len(skips) + 1)
    for ax, (title, kinds) in zip(axes[0], panels.items(), strict=True):
        for i, (label, ratios) in enumerate(kinds.items()):
            colour = list(COLOURS.values())[i]
            ax.semilogy(numbers, ratios, MARKERS[i], color=colour, label=label)
            ax.semilogy(numbers, ratios, color=colour, lw=0.6)
        ax.set(xlabel="block, counted from the input", title=title)
    first = axes[0, 0]
    first.plot(
        numbers, skips, "--", color=COLOURS["black"], lw=1.0, label="skips alone"
    )
    ticks = [0.25, 0.5, 1.0, 2.0, 4.0]
    first.set(ylabel=RATIO)
    first.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    first.minorticks_off()
    handles, labels = first.get_legend_handles_labels()
    fig.legend(handles, labels, ncols=3, loc="outside upper center")
    return fig


def shared_stretch(n_layers, one, ends):
    """Draw what one layer of a linear net does to norms, and what all of them do.

    Parameters
    ----------
    n_layers : array, shape (m,)
    one : dict of str to array, shape (m,)
        Largest distance of a layer's ratio from 1; the bound under ``"bound"``.
    ends : dict of str to array, shape (m,) or (m, 2)
        Ratios from end to end, smallest and largest; bounds likewise. What is called
        ``"measured"`` is drawn solid, all else dashed.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, axes = new_figure(2, height=3.2)
    groups = (one, "largest |ratio - 1| of one layer"), (ends, "ratio, end to end")
    for ax, (values, label) in zip(axes, groups, strict=True):
        for i, (name, rows) in enumerate(values.items()):
            solid = name == "measured"
            style = {"marker": "o"} if solid else {"ls": "--", "lw": 1.2}
            for j, row in enumerate(np.atleast_2d(np.transpose(rows))):
                shown = None if j else name
                ax.plot(
                    n_layers,
                    row,
                    color=list(COLOURS.values())[i],
                    label=shown,
                    **style,
                )
        ax.set(xscale="log", yscale="log", xlabel="layers", ylabel=label)
    handles, labels = axes[1].get_legend_handles_labels()
    fig.legend(handles, labels, ncols=3, loc="outside upper center", fontsize=9)
    axes[0].legend(fontsize=9)
    return fig


def deviations_along_training(steps, panels):
    """Draw how far ratios are from 1 along training, by depth.

    Parameters
    ----------
    steps : array, shape (m,)
    panels : dict of str to dict of str to array, shape (n_seeds, m)
        By the kind of net, and by depth, the mean of |ratio - 1| over the blocks that
        keep the shape; NaN after a run has failed.

    Returns
    -------
    matplotlib.figure.Figure
    """
    steps = np.asarray(steps)
    fig, axes = new_figure(len(panels), sharey=True, squeeze=False, height=3.0)
    for ax, (title, depths) in zip(axes[0], panels.items(), strict=True):
        for i, (label, runs) in enumerate(depths.items()):
            colour, runs = list(COLOURS.values())[i], np.asarray(runs, dtype=float)
            for run in runs:
                ax.semilogy(steps, run, color=colour, lw=0.6, alpha=0.6)
            seen = np.isfinite(runs).any(axis=0)
            middle = np.nanmedian(runs[:, seen], axis=0)
            ax.semilogy(
                steps[seen], middle, color=colour, marker=MARKERS[i], label=label
            )
        ax.set(xlabel="step", title=title)
        ax.legend()
    axes[0, 0].set_ylabel("mean |ratio - 1| of a block")
    return fig


def room_of_blocks(numbers, delta, extremes, measured):
    """Draw the ratios that a block allows, those it could have, and those it has.

    Parameters
    ----------
    numbers : int array, shape (l,)
        Of the blocks.
    delta : array, shape (l,)
        Grey caps at 1 + delta, and at 1 - delta where that is positive.
    extremes : tuple of array, each of shape (l,)
        Smallest and largest ratio over all gradients, positive.
    measured : array, shape (l, 3)
        Smallest, middle and largest ratio of real gradients.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, ax = new_figure(height=3.6)
    numbers, delta = np.asarray(numbers), np.asarray(delta)
    grey, blue = COLOURS["grey"], COLOURS["blue"]
    bottom, top = min(0.05, 0.5 * min(extremes[0])), 1.2 * (1 + delta.max())
    cap = {"ls": "none", "marker": "_", "ms": 11, "mew": 2, "color": grey}
    ax.semilogy(numbers, 1 + delta, **cap, label="1 ± δ")
    has_floor = delta < 1
    ax.plot(numbers[has_floor], 1 - delta[has_floor], **cap)
    arrows = numbers[~has_floor], np.full((~has_floor).sum(), 1.25 * bottom)
    ax.plot(*arrows, "v", color=grey, label="δ ≥ 1: no floor")
    ax.vlines(numbers, *extremes, color=COLOURS["orange"], lw=4, label="any gradient")
    low, middle, high = np.transpose(measured)
    ax.vlines(numbers, low, high, color=blue, lw=1.6)
    ax.plot(numbers, middle, "o", color=blue, ms=4, label="gradients of the loss")
    ax.axhline(1.0, color=COLOURS["black"], lw=0.8)
    ax.set(xlabel="block, counted from the input", ylabel=RATIO, ylim=(bottom, top))
    ticks = [0.01, 0.1, 0.25, 0.5, 1, 2, 4, 10]
    ticks = [tick for tick in ticks if bottom <= tick <= top]
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    fig.legend(ncols=4, loc="outside upper center", fontsize=9)
    return fig
