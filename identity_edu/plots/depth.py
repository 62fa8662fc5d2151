"""Figures about what deep chains of blocks do to signals and gradients: chapter 01."""

import numpy as np

from identity_edu.plots.style import COLOURS, MARKERS, new_figure

DASHES = ("-", "--", ":")


def lengths_by_depth(signals, gradients, shrinking=None):
    """Draw the length of signals and of gradients at every block, one line a net.

    Parameters
    ----------
    signals, gradients : dict of str to array, shape (nets, l + 1)
        Label of a kind of net; lengths at the input of each block and at the output.
    shrinking : float, optional
        Factor per block of a dashed guide, on both sides.

    Returns
    -------
    matplotlib.figure.Figure
        The vertical axis stops at 1e-6: what falls further leaves the picture.
    """
    fig, axes = new_figure(2, height=3.6, sharey=True)
    for ax, lengths in zip(axes, (signals, gradients), strict=True):
        _draw_bundles(ax, lengths)
        ax.set_ylim(1e-6, 1e2)
    if shrinking is not None:
        depth = np.arange(np.shape(next(iter(signals.values())))[1])
        guide = {"ls": "--", "lw": 1, "color": COLOURS["black"]}
        name = f"times {shrinking:g} in every block"
        axes[0].semilogy(depth, shrinking**depth, label=name, **guide)
        axes[1].semilogy(depth, shrinking ** depth[::-1], **guide)
    axes[0].set(xlabel="blocks passed", ylabel="length, 1 at the start")
    axes[1].set_xlabel("blocks below (travels to the left)")
    axes[0].set_title("signal, on its way there")
    axes[1].set_title("gradient, on its way back")
    handles, labels = axes[0].get_legend_handles_labels()
    legend = fig.legend(handles, labels, ncols=2, loc="outside upper center")
    for line in legend.get_lines():
        line.set(linewidth=1.8, alpha=1)
    return fig


def _draw_bundles(ax, lengths):
    """Draw thin lines, one bundle a kind of net, the first kind on top."""
    colours = list(COLOURS.values())
    for number, (label, nets) in enumerate(lengths.items()):
        look = {"color": colours[number], "lw": 0.9, "alpha": 0.7, "zorder": 3 - number}
        first, *_ = ax.semilogy(np.transpose(nets), **look)
        first.set_label(label)


def difference_by_depth(degrees, angles, shares):
    """Draw how far apart two inputs stay, and what is left of opposite demands.

    Parameters
    ----------
    degrees : sequence of float
        Starting angles, one for each pair of inputs; at most three.
    angles : dict of str to array, shape (pairs, l + 1)
        Label of a kind of net; angle in degrees before each block and at the output.
    shares : dict of str to array, shape (pairs, l)
        For the same nets: share of each block's gradient that does not cancel.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, axes = new_figure(2, height=3.8)
    for ax, values in zip(axes, (angles, shares), strict=True):
        for (label, pairs), colour in zip(
            values.items(), COLOURS.values(), strict=False
        ):
            for degree, dash, line in zip(degrees, DASHES, pairs, strict=False):
                name = f"{label}, {degree}° apart"
                first = 1 if ax is axes[1] else 0
                depth = first + np.arange(len(line))
                ax.plot(depth, line, dash, color=colour, lw=1.5, label=name)
    axes[0].set(xlabel="blocks passed", ylabel="angle between the signals (degrees)")
    axes[0].set_yticks(range(0, 181, 30))
    axes[1].set(xlabel="block", ylabel="share of the gradient that is left")
    axes[1].set_ylim(0, 1)
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, ncols=2, loc="outside upper center")
    return fig


def length_factors(factors):
    """Draw by what factor blocks change a gradient's length, against their delta.

    Parameters
    ----------
    factors : dict of str to tuple of array
        Label of a kind of block; each block's delta, and its factor.

    Returns
    -------
    matplotlib.figure.Figure
        With the lines ``1 - delta`` and ``1 + delta``, dashed.
    """
    fig, ax = new_figure(height=3.6)
    for (label, (delta, factor)), colour, marker in zip(
        factors.items(), COLOURS.values(), MARKERS, strict=False
    ):
        ax.plot(delta, factor, marker, color=colour, ms=3, alpha=0.6, label=label)
    ends = np.array([0.0, 1.0])
    for sign in (1, -1):
        name = r"$1 \pm \delta$" if sign > 0 else None
        ax.plot(ends, 1 + sign * ends, "--", color=COLOURS["black"], label=name)
    ax.set_xlabel(r"$\delta = \|V\|_2\,\|U\|_2$")
    ax.set_ylabel("factor on the gradient's length")
    ax.legend(loc="upper left")
    return fig
