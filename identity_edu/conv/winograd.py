r"""3 x 3 convolutions with a quarter of the multiplications, in NumPy, float32.

On one axis :math:`y = A^\top[(Gg) \odot (B^\top d)]` takes 6 inputs to 4 outputs with 6
multiplications instead of 12 (`cook_toom`). On both axes a tile of 6 x 6 pixels d
becomes 4 x 4 outputs with 36 instead of 144:

.. math:: Y = A^\top \Big[\sum_{c} (G g_c G^\top) \odot (B^\top d_c B)\Big] A .

At each of the 36 places the sum over channels is a matrix product, for all tiles at
once. With :math:`U = G g G^\top` and :math:`V = B^\top d B` the three products are

====================  =======================================================
output                :math:`M = V U`, then :math:`A^\top M A`
gradient of input     the same with the taps rotated and the channels swapped
gradient of weights   :math:`\partial U = V^\top (A\, \partial Y A^\top)`, then
                      :math:`G^\top \partial U\, G`
====================  =======================================================

Work is cut into chunks of tile rows and images that stay in the cache. Chapter 10.

Symbols: `U`, `V`, `M` are (36, ., .), one matrix for each place of the tile.
"""

from dataclasses import dataclass

import numpy as np

from identity_edu.conv.cook_toom import winograd_matrices
from identity_edu.conv.layout import TILE, WINDOW

AT, G, BT = (matrix.astype(np.float32) for matrix in winograd_matrices())
A, GT = np.ascontiguousarray(AT.T), np.ascontiguousarray(G.T)
N_PLACES = WINDOW**2

# Tiles in a chunk, for which V and M stay close to the core, and which are enough rows
# for each product's U to be worth reading.
CHUNK_TILES = 128
RUN_IMAGES = 16  # in a chunk, where there are as many: the transforms like long rows
WEIGHT_PIECE = 8192  # numbers of a kernel's (c_in, c_out) that one task transforms


@dataclass(frozen=True)
class Chunk:
    """Tile rows [top, bottom) of images [first, last): what one task computes."""

    top: int
    bottom: int
    first: int
    last: int

    @property
    def region(self):
        """Index of the chunk in the interior of any `PaddedImages` of this size."""
        rows = slice(TILE * self.top, TILE * self.bottom)
        return rows, slice(None), slice(self.first, self.last)


def chunks(x, n_threads):
    """Cut a batch into chunks of at most about `CHUNK_TILES` tiles, images in order.

    Parameters
    ----------
    x : PaddedImages
    n_threads : int >= 1
        The images are shared out evenly first, where there are enough.

    Returns
    -------
    list of Chunk
    """
    share = -(-x.n // n_threads)
    n_images = min(share, RUN_IMAGES)
    n_rows = max(1, min(x.n_tile_rows, CHUNK_TILES // (n_images * x.n_tile_columns)))
    n_images = min(share, max(n_images, CHUNK_TILES // (n_rows * x.n_tile_columns)))
    n_images = -(-share // -(-share // n_images))  # equal pieces of the share
    return [
        Chunk(top, min(top + n_rows, x.n_tile_rows), first, min(first + n_images, x.n))
        for first in range(0, x.n, n_images)
        for top in range(0, x.n_tile_rows, n_rows)
    ]


def convolve(x, U, y, team, *, epilogue=None):
    """Convolve padded images with a transformed kernel.

    Parameters
    ----------
    x : PaddedImages
    U : array, shape (36, c_in, c_out)
        From `transform_kernel`.
    y : PaddedImages
        Its interior is overwritten. Not `x`.
    team : Team
    epilogue : callable, optional
        ``epilogue(pixels, region)`` changes ``y.interior[region]`` in place while it
        is still in the cache.
    """
    c_out = U.shape[2]

    def task(chunk, workspace):
        V = to_tiles(BT, x.windows, chunk, x.channels, workspace)
        M = workspace.array("M", (N_PLACES, V.shape[1], c_out))
        np.matmul(V, U, out=M)
        from_tiles(M, y.tiles, chunk, workspace)
        if epilogue is not None:
            epilogue(y.interior[chunk.region], chunk.region)

    team.run(task, chunks(x, team.n_threads))
    if y.height % TILE or y.width % TILE:
        y.clear_border()


def weight_gradient(x, grad_y, grad_W, team):
    """Compute the gradient of a kernel: what every pixel saw, times what it caused.

    Parameters
    ----------
    x, grad_y : PaddedImages
        The input, and the gradient with respect to the output.
    grad_W : array, shape (3, 3, c_in, c_out), float32
        C-contiguous; overwritten.
    team : Team
    """
    shape = (N_PLACES, x.channels, grad_y.channels)
    is_started = set()

    def task(chunk, workspace):
        V = to_tiles(BT, x.windows, chunk, x.channels, workspace)
        dM = to_tiles(A, grad_y.tiles, chunk, grad_y.channels, workspace, name="M")
        total = workspace.array("dU", shape)
        if workspace not in is_started:
            np.matmul(V.transpose(0, 2, 1), dM, out=total)
            is_started.add(workspace)
            return
        part = np.matmul(V.transpose(0, 2, 1), dM, out=workspace.array("part", shape))
        total += part

    team.run(task, chunks(x, team.n_threads))
    totals = [w.array("dU", shape) for w in team.workspaces if w in is_started]
    restore_kernel(totals, grad_W, team)


def to_tiles(matrix, windows, chunk, channels, workspace, *, name="V"):
    r"""Apply a matrix to both axes of every tile of a chunk: :math:`B^\top d B`.

    First across the pixels of each row, then across rows. Both are products of the
    small matrix with long runs of memory that BLAS reads where they lie.

    Parameters
    ----------
    matrix : array, shape (6, k)
        :math:`B^\top` with windows of 6 pixels, or A with tiles of 4.
    windows : view, shape (rows, column tiles, k, n c)
    chunk : Chunk
    channels : int
    workspace : Workspace
    name : str
        Of the array that is returned.

    Returns
    -------
    array, shape (36, tiles, channels)
    """
    m, k = matrix.shape
    n_rows, run = chunk.bottom - chunk.top, (chunk.last - chunk.first) * channels
    pixel_rows = slice(TILE * chunk.top, TILE * (chunk.bottom - 1) + k)
    run_slice = slice(chunk.first * channels, chunk.last * channels)
    seen = windows[pixel_rows, :, :, run_slice]
    n_pixel_rows, n_columns = seen.shape[:2]

    half = workspace.array("half", (m, n_pixel_rows, n_columns, run))
    np.matmul(matrix, seen, out=half.transpose(1, 2, 0, 3))
    place, row, _, item = half.strides
    # Groups of k rows that start TILE rows apart; six overlap.
    groups = np.ndarray(
        (m, n_rows, k, n_columns * run),
        half.dtype,
        buffer=half,
        strides=(place, TILE * row, row, item),
    )
    tiles = workspace.array(name, (m, m, n_rows, n_columns * run))
    np.matmul(matrix, groups, out=tiles.transpose(1, 2, 0, 3))
    return tiles.reshape(m * m, -1, channels)


def from_tiles(M, tiles, chunk, workspace):
    r"""Write :math:`A^\top M A` of every tile of a chunk to its pixels.

    Parameters
    ----------
    M : array, shape (36, tiles, channels)
    tiles : view, shape (rows, column tiles, 4, n c)
        Overwritten where the chunk lies.
    chunk : Chunk
    workspace : Workspace
    """
    channels = M.shape[2]
    n_rows, run = chunk.bottom - chunk.top, (chunk.last - chunk.first) * channels
    n_columns = tiles.shape[1]
    rows_first = M.reshape(WINDOW, WINDOW, n_rows, n_columns * run).transpose(
        1, 2, 0, 3
    )
    half = workspace.array("half", (WINDOW, n_rows, TILE, n_columns * run))
    np.matmul(AT, rows_first, out=half)
    half = half.reshape(WINDOW, n_rows * TILE, n_columns, run).transpose(1, 2, 0, 3)
    pixel_rows = slice(TILE * chunk.top, TILE * chunk.bottom)
    run_slice = slice(chunk.first * channels, chunk.last * channels)
    np.matmul(AT, half, out=tiles[pixel_rows, :, :, run_slice])


def transform_kernel(W, team, *, transposed=False):
    r"""Return :math:`U = G W G^\top`, in memory that the next call overwrites.

    Parameters
    ----------
    W : array, shape (3, 3, c_in, c_out), float32
    team : Team
    transposed : bool
        True rotates the taps by half a turn and swaps the channels: the kernel that
        carries gradients from outputs to inputs.

    Returns
    -------
    array, shape (36, c_in, c_out)
        Or (36, c_out, c_in).
    """
    if transposed:
        W = _rotated(W, team)
    c_in, c_out = W.shape[2:]
    U = team.shared.array("U", (WINDOW, WINDOW, c_in * c_out))
    _sandwich(G, [np.ascontiguousarray(W).reshape(3, 3, -1)], U, team)
    return U.reshape(N_PLACES, c_in, c_out)


def restore_kernel(totals, grad_W, team):
    r"""Write :math:`G^\top \big(\sum \partial U\big) G`.

    Parameters
    ----------
    totals : list of array, shape (36, c_in, c_out)
    grad_W : array, shape (3, 3, c_in, c_out), float32
        C-contiguous; overwritten.
    team : Team
    """
    flat = [total.reshape(WINDOW, WINDOW, -1) for total in totals]
    _sandwich(GT, flat, grad_W.reshape(3, 3, -1), team)


def _sandwich(matrix, kernels, out, team):
    """Write matrix @ K @ matrix.T for the sum K of kernels (k, k, N), in pieces."""
    m, k = matrix.shape
    size = kernels[0].shape[2]

    def task(start, workspace):
        piece = slice(start, min(start + WEIGHT_PIECE, size))
        K = kernels[0][:, :, piece]
        for other in kernels[1:]:
            total = workspace.array("K", K.shape)
            K = np.add(K, other[:, :, piece], out=total)
        half = workspace.array("half", (k, m, K.shape[2]))
        np.matmul(matrix, K, out=half)
        np.matmul(
            matrix, half.transpose(1, 0, 2), out=out[:, :, piece].transpose(1, 0, 2)
        )

    team.run(task, range(0, size, WEIGHT_PIECE))


def _rotated(W, team):
    """Return W turned by half a turn with its channels swapped, as a copy."""
    c_in, c_out = W.shape[2:]
    turned = team.shared.array("rotated", (3, 3, c_out, c_in))

    def task(tap, _):
        a, b = divmod(tap, 3)
        turned[a, b] = W[2 - a, 2 - b].T

    team.run(task, range(9))
    return turned
