"""Figures about transitions that preserve norms, for chapter 14."""

import numpy as np

from identity_edu.plots.style import COLOURS, MARKERS, new_figure


def backward_lengths(squares, limits):
    """Draw how the squared length of gradients spreads behind a map.

    Parameters
    ----------
    squares : dict of str to array, shape (n,)
        By the name of the map; relative to the squared length before it.
    limits : tuple of float
        The least and the largest value that there can be, drawn dashed.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, ax = new_figure(height=3.2)
    bins = np.linspace(*limits, 61)
    styles = ("-", "--", "-.", "-")
    for i, (label, values) in enumerate(squares.items()):
        ax.hist(
            values,
            bins=bins,
            density=True,
            histtype="step",
            color=list(COLOURS.values())[i],
            ls=styles[i % len(styles)],
            lw=1.6,
            label=label,
        )
    for limit in limits:
        ax.axvline(limit, color=COLOURS["grey"], ls="--", lw=1.2)
    ax.axvline(1, color=COLOURS["grey"], ls=":", lw=1.2)
    ax.set(
        xlabel=r"squared length of $K^\top g$, that of $g$ being 1",
        ylabel="share of gradients per unit",
    )
    ax.legend(title="channels", loc="upper left", bbox_to_anchor=(0.1, 1))
    return fig


def singular_value_paths(paths, floor, watched):
    """Draw singular values on their way to 1, and what one can watch meanwhile.

    Parameters
    ----------
    paths : array, shape (n_steps + 1, m)
        One column for each singular value.
    floor : array, shape (k,)
        The smallest of them in the first steps, if it grew by a constant factor all
        the time; drawn dashed.
    watched : dict of str to array, shape (n_steps,)
        Numbers by which one might decide to stop.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, (left, right) = new_figure(2)
    steps = np.arange(len(paths))
    for i, column in enumerate(np.transpose(paths)):
        colour = list(COLOURS.values())[i % len(COLOURS)]
        left.semilogy(steps, column, color=colour, marker=MARKERS[i % len(MARKERS)])
    straight = np.arange(len(floor))
    left.semilogy(straight, floor, "--", color="black", zorder=3, label="× 1.5 a step")
    left.set(xlabel="steps done", ylabel="singular value", ylim=(None, 3))
    left.legend()
    for i, (label, values) in enumerate(watched.items()):
        colour = list(COLOURS.values())[i]
        marker = MARKERS[i]
        right.semilogy(
            np.arange(len(values)), values, color=colour, marker=marker, label=label
        )
    right.set(xlabel="steps done", ylabel="Frobenius norm", ylim=(1e-12, 30))
    right.legend(loc="lower left")
    return fig


def spread_by_round(spreads, limit):
    """Draw how far a convolution is from an isometry after each round.

    Parameters
    ----------
    spreads : dict of str to array, shape (n_rounds + 1,)
        By the name of the kernel, from before the first round on.
    limit : float
        Drawn dashed.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, ax = new_figure(height=3.0)
    for i, (label, values) in enumerate(spreads.items()):
        colour, marker = list(COLOURS.values())[i], MARKERS[i]
        ax.semilogy(values, color=colour, marker=marker, ms=3.5, label=label)
    ax.axhline(limit, color=COLOURS["grey"], ls="--", lw=1.2)
    ax.set(xlabel="rounds", ylabel="largest deviation from the mean")
    ax.legend(title="channels")
    return fig


def transition_ratios(every, ratios, limits):
    """Draw the gradient's norm ratio through every transition along training.

    Parameters
    ----------
    every : int >= 1
        Steps between two measurements, the first of them before any step.
    ratios : dict of str to array, shape (n_seeds, m, n_transitions)
        By the kind of net. The median over the seeds is a line, their range a band.
    limits : sequence of float
        One for each transition: the largest ratio that an isometry allows, dashed.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, axes = new_figure(len(limits), sharey=True, squeeze=False, height=3.2)
    for j, (ax, limit) in enumerate(zip(axes[0], limits, strict=True)):
        for i, (label, values) in enumerate(ratios.items()):
            runs, colour = np.asarray(values)[:, :, j], list(COLOURS.values())[i]
            steps = every * np.arange(runs.shape[1])
            ax.fill_between(steps, runs.min(0), runs.max(0), color=colour, alpha=0.2)
            middle = np.median(runs, axis=0)
            ax.plot(steps, middle, color=colour, marker=MARKERS[i], label=label)
        ax.axhline(limit, color=COLOURS["grey"], ls="--", lw=1.2)
        ax.axhline(1, color=COLOURS["grey"], ls=":", lw=1.2)
        ax.set(xlabel="step", title=f"transition {j + 1}")
    axes[0, 0].set(ylabel="length after over before", yscale="log")
    ticks = [0.25, 0.5, 1, 2, 4, 8]
    axes[0, 0].set_yticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    axes[0, 0].minorticks_off()
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, ncols=len(labels), loc="outside upper center")
    return fig
