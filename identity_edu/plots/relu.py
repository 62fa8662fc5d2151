"""Figures about residual ReLU nets and the digits, for chapter 07."""

import matplotlib.pyplot as plt
import numpy as np

from identity_edu.plots.style import COLOURS, MARKERS, new_figure

DASHES = ("-", "-.", ":")


def accuracy_by_depth(depths, by_depth, rates, by_rate, chance):
    """Draw training accuracies against the depth and against the learning rate.

    Parameters
    ----------
    depths : array, shape (m,)
    by_depth : dict of str to array, shape (3, m)
        Label of each kind of net; lowest, median and highest accuracy in [0, 1].
    rates : array, shape (k,)
    by_rate : dict of str to array, shape (3, k)
        The same at one depth, with the same labels.
    chance : float
        Accuracy of a guess, drawn dashed.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, (left, right) = new_figure(2, sharey=True)
    for ax, x, curves in ((left, depths, by_depth), (right, rates, by_rate)):
        for (label, values), colour, marker in zip(
            curves.items(), COLOURS.values(), MARKERS, strict=False
        ):
            low, middle, high = 100 * np.asarray(values)
            ax.semilogx(x, middle, marker=marker, color=colour, label=label)
            ax.fill_between(x, low, high, color=colour, alpha=0.2, lw=0)
        ax.axhline(100 * chance, ls="--", color=COLOURS["grey"], label="guessing")
    left.set_xticks(depths, [str(depth) for depth in depths], minor=False)
    left.set_xticks([], minor=True)
    left.set(xlabel="number of blocks", ylabel="training accuracy in %", ylim=(0, 102))
    right.set_xlabel("learning rate")
    fig.legend(*left.get_legend_handles_labels(), ncols=3, loc="outside upper center")
    return fig


def digit_gallery(images, titles, wrong):
    """Draw digits side by side, each under its title; those marked wrong stand out.

    Parameters
    ----------
    images : array, shape (m, 64)
        Grey values from 0 (paper) to 1 (ink).
    titles : sequence of str
    wrong : bool array, shape (m,)

    Returns
    -------
    matplotlib.figure.Figure
    """
    n_columns = (len(images) + 1) // 2
    fig, axes = plt.subplots(2, n_columns, figsize=(7.0, 2.6), squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, image, title, is_wrong in zip(
        axes.flat, images, titles, wrong, strict=False
    ):
        ax.imshow(np.reshape(image, (8, 8)), cmap="gray_r", vmin=0, vmax=1)
        colour = COLOURS["orange"] if is_wrong else COLOURS["black"]
        weight = "bold" if is_wrong else "normal"
        ax.set_title(title, color=colour, fontweight=weight, fontsize=9)
    return fig


def states_as_images(rows):
    """Draw vectors of 64 entries as pictures, one labelled row for each stage.

    Parameters
    ----------
    rows : dict of str to array, shape (m, 64)
        Every picture is scaled from its own smallest to its own largest entry.

    Returns
    -------
    matplotlib.figure.Figure
    """
    shape = len(rows), len(next(iter(rows.values())))
    size = 7.0, 0.8 * len(rows)
    fig, axes = plt.subplots(*shape, figsize=size, squeeze=False)
    for line, (label, images) in zip(axes, rows.items(), strict=True):
        for ax, image in zip(line, images, strict=True):
            ax.imshow(np.reshape(image, (8, 8)), cmap="gray_r")
            ax.set_axis_off()
        line[0].text(
            -0.2,
            0.5,
            label,
            transform=line[0].transAxes,
            ha="right",
            va="center",
            fontsize=9,
        )
    return fig


def cosine_gaps(gaps, theory):
    """Draw how far pairs are from parallel, against the number of blocks passed.

    Parameters
    ----------
    gaps : dict of str to array, shape (m, l + 1)
        Label of each kind of net; 1 minus the mean cosine, for m nets.
    theory : array, shape (l + 1,)
        What the first kind is expected to do, drawn dashed.

    Returns
    -------
    matplotlib.figure.Figure
        A band from the lowest to the highest net, and their median.
    """
    fig, ax = new_figure(height=3.2)
    blocks = np.arange(len(theory))
    for (label, values), colour, dash in zip(
        gaps.items(), COLOURS.values(), DASHES, strict=False
    ):
        low, middle, high = np.percentile(values, [0, 50, 100], axis=0)
        ax.semilogy(blocks, middle, color=colour, ls=dash, label=label)
        ax.fill_between(blocks, low, high, color=colour, alpha=0.2, lw=0)
    ax.semilogy(blocks, theory, "--", color=COLOURS["black"], label="theory, plain")
    ax.set_xlabel("blocks passed")
    ax.set_ylabel("1 − mean cosine of two digits")
    ax.legend()
    return fig
