"""Figures about training all-convolutional residual nets, for chapter 11."""

import numpy as np

from identity_edu.plots.style import COLOURS, MARKERS, new_figure


def signal_lengths(lengths, bounds, stage_starts):
    """Draw the length of a signal after each block, against a bound on its mean.

    Parameters
    ----------
    lengths, bounds : dict of str to array, shape (l + 1,)
        By the name of the start; relative to the length before the first block. The
        bounds are drawn dashed.
    stage_starts : sequence of int
        Blocks that shrink the image, marked.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, ax = new_figure(height=3.2)
    for i, (label, values) in enumerate(lengths.items()):
        colour = list(COLOURS.values())[i]
        ax.semilogy(values, color=colour, marker=MARKERS[i], label=label)
        ax.semilogy(bounds[label], "--", color=colour, lw=1.2)
    ax.plot([], [], "--", color=COLOURS["grey"], lw=1.2, label="bound of the theorem")
    for block in stage_starts:
        ax.axvline(block, color=COLOURS["grey"], lw=0.8, ls=":")
    ax.set(xlabel="blocks passed", ylabel="length, first block's input = 1")
    ax.legend()
    return fig


def loss_and_distances(losses, steps, distances):
    """Draw the loss of a training run, and how far its blocks are from the identity.

    Parameters
    ----------
    losses : array, shape (n_steps,)
    steps : array, shape (m,)
        When the distances were measured.
    distances : array, shape (m, l)
        One column for each block, the one nearest the input first.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, (left, right) = new_figure(2)
    left.plot(losses, color=COLOURS["blue"], lw=0.9)
    left.axhline(np.log(10), ls="--", color=COLOURS["grey"], label="guessing")
    left.set(xlabel="step", ylabel="loss on the batch (nats)", ylim=(0, None))
    left.legend()
    for i, column in enumerate(np.transpose(distances)):
        colour = list(COLOURS.values())[i % len(COLOURS)]
        right.semilogy(
            steps,
            column,
            color=colour,
            marker=MARKERS[i % len(MARKERS)],
            label=f"block {i + 1}",
        )
    right.set(xlabel="step", ylabel="distance from the identity")
    right.legend(ncols=2, fontsize=8)
    return fig


def losses_by_rate(n_blocks, rates, losses):
    """Draw the loss after a short training against the learning rate, by depth.

    Parameters
    ----------
    n_blocks : sequence of int
        One panel for each.
    rates : array, shape (k,)
    losses : dict of str to array, shape (m, k, n_seeds)
        By the name of the start; NaN for a run that failed, drawn as a cross at the
        top.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, axes = new_figure(len(n_blocks), sharey=True, squeeze=False, height=3.0)
    top = 2.6
    for j, (ax, depth) in enumerate(zip(axes[0], n_blocks, strict=True)):
        for i, (label, values) in enumerate(losses.items()):
            colour, marker = list(COLOURS.values())[i], MARKERS[i]
            runs = np.asarray(values[j], dtype=float)
            whole = np.isfinite(runs).all(axis=1)
            middle = np.where(whole, np.median(runs, axis=1), np.nan)
            ax.semilogx(rates, middle, color=colour, marker=marker, label=label)
            for k, row in enumerate(runs):
                good = row[np.isfinite(row)]
                ax.plot(np.full(len(good), rates[k]), good, ".", color=colour)
                if len(good) < len(row):
                    place = top + 0.22 * i
                    ax.plot(rates[k], place, "x", color=colour, ms=7, mew=2)
        ax.set(xlabel="learning rate", title=f"{depth} blocks")
    axes[0, 0].set(ylabel="loss of the last steps (nats)", ylim=(0, 3.1))
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, ncols=2, loc="outside upper center")
    return fig
