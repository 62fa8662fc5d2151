"""Figures about convolutions as linear maps, for chapter 09."""

import numpy as np

from identity_edu.plots.style import COLOURS, new_figure


def shift_matrices(matrices):
    """Draw matrices of layers; equal entries have equal colours, zeros are white.

    Parameters
    ----------
    matrices : dict of str to array, shape (m, m)
        Title of each panel, and what takes a flat input to a flat output.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, axes = new_figure(len(matrices), height=2.8, sharey=True)
    top = max(np.max(M) for M in matrices.values())
    for ax, (title, M) in zip(np.atleast_1d(axes), matrices.items(), strict=True):
        shown = np.ma.masked_equal(M, 0)
        ax.imshow(shown, cmap="viridis", vmin=0, vmax=top)
        ax.grid(visible=False)
        ax.set_title(title, fontsize=10)
        ax.set_xlabel("input pixel (number)")
    np.atleast_1d(axes)[0].set_ylabel("output pixel (number)")
    return fig


def small_pictures(pictures):
    """Draw small pictures side by side, every pixel framed, large values dark.

    Parameters
    ----------
    pictures : dict of str to array, shape (h, w)
        Title of each picture; values from 0 to 1.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, axes = new_figure(len(pictures), height=2.6)
    for ax, (title, picture) in zip(np.atleast_1d(axes), pictures.items(), strict=True):
        ax.pcolormesh(picture, cmap="gray_r", vmin=0, vmax=1.2)
        height, width = np.shape(picture)
        ax.hlines(range(height + 1), 0, width, color=COLOURS["grey"], lw=0.6)
        ax.vlines(range(width + 1), 0, height, color=COLOURS["grey"], lw=0.6)
        ax.invert_yaxis()
        ax.set_aspect("equal")
        ax.set_axis_off()
        ax.set_title(title, fontsize=10)
    return fig


def first_wrong_layer(depths, not_compared):
    """Draw for every pixel after how many layers it differs from what it should be.

    Parameters
    ----------
    depths : int array, shape (h, w)
        0 where a pixel never differs; such a pixel is white.
    not_compared : bool array, shape (h, w)
        Pixels without a partner, drawn grey.

    Returns
    -------
    matplotlib.figure.Figure
        With the number of layers written into each pixel that differs.
    """
    fig, ax = new_figure(width=5.0, height=3.9)
    depths, not_compared = np.asarray(depths), np.asarray(not_compared)
    shown = np.ma.masked_where((depths == 0) | not_compared, depths)
    grey = np.ma.masked_where(~not_compared, np.ones(depths.shape))
    ax.imshow(grey, cmap="gray", vmin=0, vmax=1.3)
    ax.imshow(shown, cmap="viridis_r", vmin=0.5, vmax=depths.max() + 2.5)
    for i, j in zip(*np.nonzero(~np.ma.getmaskarray(shown)), strict=True):
        colour = "white" if depths[i, j] > depths.max() / 2 else "black"
        ax.text(j, i, depths[i, j], color=colour, ha="center", va="center", fontsize=8)
    ax.grid(visible=False)
    ax.set(xlabel="column (pixels)", ylabel="row (pixels)")
    return fig
