"""Figures about a net on a GPU, for chapter 12."""

import numpy as np
from matplotlib.ticker import PercentFormatter

from identity_edu.plots.style import COLOURS, MARKERS, new_figure

DASHES = ("-", "--", ":", "-.")


def layers_under_the_roof(rates, layers, programs, measured=None):
    """Draw what a chip can reach at each intensity, and where layers and programs lie.

    Parameters
    ----------
    rates : pair of float
        The chip's operations and bytes per second, in units of a million millions.
    layers : dict of str to array, shape (m,)
        Operations per byte of groups of layers: drawn on the roof.
    programs : dict of str to float
        Operations per byte that programs ask for: drawn as lines under the roof.
    measured : dict of str to pair of array, optional
        Operations per byte, and operations per second in the unit of `rates`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    peak, bandwidth = rates
    fig, ax = new_figure(height=3.9)
    x = np.array([0.25, peak / bandwidth, 3000])
    ax.loglog(x, np.minimum(peak, bandwidth * x), color=COLOURS["black"])
    ax.axvline(peak / bandwidth, color=COLOURS["grey"], ls=":", lw=1)
    ax.annotate("ridge", (peak / bandwidth, 0.7), fontsize=9, rotation=90, ha="right")
    for label, place in programs.items():
        ax.vlines(place, 0.5, min(peak, bandwidth * place), ls="--", lw=1.2)
        ax.annotate(label, (place, 0.7), fontsize=9, rotation=90, ha="right")
    colours = list(COLOURS.values())[1:]
    for (label, places), marker, colour in zip(
        layers.items(), MARKERS, colours, strict=False
    ):
        reached = np.minimum(peak, bandwidth * np.asarray(places))
        style = {"marker": marker, "color": colour, "label": label}
        ax.scatter(places, reached, s=45, zorder=3, **style)
    for label, (places, reached) in (measured or {}).items():
        ax.scatter(places, reached, marker="*", s=70, color=COLOURS["sky"], label=label)
    ax.set(
        xlim=x[[0, -1]],
        ylim=(0.5, 2 * peak),
        xlabel="operations for each byte",
        ylabel="million million operations / s",
    )
    ax.legend(loc="upper left", fontsize=9)
    return fig


def changed_entries(changed, borders):
    """Draw which share of a state's entries each block changes, once it is stored.

    Parameters
    ----------
    changed : dict of str to array, shape (n_blocks,) or less
        Fractions in [0, 1], from the first block on.
    borders : sequence of int
        Blocks that change the shape, counted from 1: dotted lines.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, ax = new_figure(height=3.2)
    for (label, shares), marker, colour in zip(
        changed.items(), MARKERS, COLOURS.values(), strict=False
    ):
        blocks = np.arange(1, len(shares) + 1)
        ax.plot(blocks, shares, marker=marker, color=colour, label=label, lw=1.2)
    for border in borders:
        ax.axvline(border, color=COLOURS["grey"], ls=":", lw=1)
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.set(xlabel="block", ylabel="entries that it changes", ylim=(-0.03, 1.05))
    fig.legend(*ax.get_legend_handles_labels(), ncols=2, loc="outside upper center")
    return fig


def learning_in_bf16(steps, losses, rates, distances):
    """Draw how nets learn in 16 bits, and how far their weights get.

    Parameters
    ----------
    steps : array, shape (t,)
    losses : dict of str to array, shape (s, t)
        Loss in nats of each seed; a thick line for their mean.
    rates : array, shape (r,)
    distances : dict of str to array, shape (r, s)
        Distance from the start, relative to its length, of each rate and seed.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, (left, right) = new_figure(2, height=3.4)
    styles = dict(
        zip(losses, zip(COLOURS.values(), DASHES, strict=False), strict=False)
    )
    for label, runs in losses.items():
        colour, dash = styles[label]
        left.plot(steps, np.transpose(runs), color=colour, lw=0.5, alpha=0.4)
        left.plot(steps, np.mean(runs, axis=0), dash, color=colour, label=label)
    left.set(xlabel="step", ylabel="loss in nats", ylim=(0, None))
    for (label, runs), marker in zip(distances.items(), MARKERS, strict=False):
        colour, dash = styles[label]
        style = {"marker": marker, "color": colour}
        right.plot(rates, np.mean(runs, axis=1), dash, **style)
        right.scatter(np.repeat(rates, len(runs[0])), runs, s=6, color=colour)
    right.set(xscale="log", yscale="log", xlabel="rate")
    right.set_ylabel("distance from the start")
    fig.legend(*left.get_legend_handles_labels(), ncols=3, loc="outside upper center")
    return fig
