r"""What a convolution must compute and fetch, and how fast a chip can do that at best.

Exact arithmetic on rows of the table of a net (`identity_edu.allconv.Convolution`, or
anything with `c_in`, `c_out`, `stride`, `size` and `kernel`). A chip is two numbers,
operations and bytes per second; work of W operations and Q bytes takes at least

.. math:: \max(W / \text{operations per second},\; Q / \text{bytes per second}).

Which of the two is larger is decided by W / Q, the arithmetic intensity. Chapter 12.

Symbols: a matrix product has M rows, N columns and depth K, all of them integers.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

PASSES = ("forward", "input_gradient", "weight_gradient")
BF16, FLOAT32 = 2, 4  # bytes of a number


@dataclass(frozen=True)
class Chip:
    """The two numbers of a data sheet that bound every program.

    Attributes
    ----------
    name : str
    flops_per_second : float > 0
        Multiplications and additions, counted apart.
    bytes_per_second : float > 0
        To and from its memory.

    Raises
    ------
    ValueError
        If a rate is not positive and finite.
    """

    name: str
    flops_per_second: float
    bytes_per_second: float

    def __post_init__(self):
        """Refuse rates by which nothing can be divided."""
        for rate in (self.flops_per_second, self.bytes_per_second):
            if not 0 < rate < math.inf:
                raise ValueError(f"a rate must be positive and finite; got {rate}.")

    @property
    def ridge(self):
        """Intensity, in operations per byte, from which on arithmetic is the bound."""
        return self.flops_per_second / self.bytes_per_second


# As their maker's data sheets have them: bf16 on tensor cores, without sparsity.
H200 = Chip("H200", 989e12, 4.8e12)
A100 = Chip("A100 80 GB", 312e12, 2.039e12)


def least_seconds(flops, n_bytes, chip):
    """Return the time that no program with this work and traffic can undercut.

    Parameters
    ----------
    flops, n_bytes : float >= 0
    chip : Chip

    Returns
    -------
    float
        Seconds; both kinds of work are assumed to overlap completely.

    Raises
    ------
    ValueError
        If `flops` or `n_bytes` is negative.
    """
    if flops < 0 or n_bytes < 0:
        raise ValueError(
            f"flops and n_bytes must not be negative; got {flops} and {n_bytes}."
        )
    return max(flops / chip.flops_per_second, n_bytes / chip.bytes_per_second)


class Product(NamedTuple):
    """A matrix product: M rows times N columns, each a sum of K terms.

    Attributes
    ----------
    M, N, K : int >= 1
    """

    M: int
    N: int
    K: int

    @property
    def flops(self):
        """Multiplications and additions."""
        return 2 * self.M * self.N * self.K

    def tiled_bytes(self, tile_m, tile_n, itemsize=BF16):
        """Count the bytes of both factors that blocks ask for, one for each tile.

        Every block reads its rows of the left factor and its columns of the right one,
        once; a tile of one number is a program without tiles. Caches may answer: not
        all of it need come from memory.

        Parameters
        ----------
        tile_m, tile_n : int >= 1
        itemsize : int >= 1
            Bytes of a number.

        Returns
        -------
        int

        Raises
        ------
        ValueError
            If a tile has no rows or columns.
        """
        if tile_m < 1 or tile_n < 1:
            raise ValueError(
                f"a tile must have rows and columns; got {tile_m} x {tile_n}."
            )
        row_blocks, column_blocks = -(-self.M // tile_m), -(-self.N // tile_n)
        return itemsize * self.K * (self.M * column_blocks + self.N * row_blocks)


def work(row, batch):
    """Count the operations of one pass of a convolution; all three have as many.

    Parameters
    ----------
    row : Convolution
    batch : int >= 1
        Images.

    Returns
    -------
    int
        Multiplications and additions. Taps beyond the border count like all others,
        as a program multiplies by their zeros.
    """
    height, width = output_size(row)
    return Product(batch * height * width, row.c_out, row.kernel**2 * row.c_in).flops


def fewest_bytes(row, batch, itemsize=BF16):
    """Count the bytes that one pass must move, if each number moves once.

    Images, kernel, output: the forward pass reads the first two and writes the third;
    either gradient reads two of the three shapes and writes the one that is left.

    Parameters
    ----------
    row : Convolution
    batch : int >= 1
    itemsize : int >= 1
        Bytes of a number.

    Returns
    -------
    int
    """
    images = batch * row.c_in * math.prod(row.size)
    kernel = row.kernel**2 * row.c_in * row.c_out
    outputs = batch * row.c_out * math.prod(output_size(row))
    return itemsize * (images + kernel + outputs)


def intensity(row, batch, itemsize=BF16):
    """Return operations per byte of a pass that moves each number once.

    Parameters
    ----------
    row : Convolution
    batch : int >= 1
    itemsize : int >= 1

    Returns
    -------
    float
    """
    return work(row, batch) / fewest_bytes(row, batch, itemsize)


def products(row, batch, which):
    """List the matrix products that a pass of a convolution is.

    Parameters
    ----------
    row : Convolution
    batch : int >= 1
    which : {"forward", "input_gradient", "weight_gradient"}

    Returns
    -------
    list of Product
        One; for the gradient of the input at stride s, one for each class of pixels
        with the same remainders of row and column modulo s that a tap reaches.

    Raises
    ------
    ValueError
        If `which` is none of the three.
    """
    n_outputs = batch * math.prod(output_size(row))
    if which == "forward":
        return [Product(n_outputs, row.c_out, row.kernel**2 * row.c_in)]
    if which == "weight_gradient":
        return [Product(row.kernel**2 * row.c_in, row.c_out, n_outputs)]
    if which == "input_gradient":
        down, across = (_classes(side, row) for side in row.size)
        return [
            Product(batch * rows * columns, row.c_in, taps_p * taps_q * row.c_out)
            for rows, taps_p in down
            for columns, taps_q in across
        ]
    raise ValueError(f"which must be one of {', '.join(PASSES)}; got {which!r}.")


def elementwise_bytes(row, batch, *, is_fused, itemsize=BF16):
    """Count what a step moves for the elementwise work of one residual block.

    Four operations: the ReLU behind the first convolution, its mask on the way back,
    the addition of the skip, and that of the two gradients where the block begins, here
    counted with the shape of its end. Alone, a ReLU reads an array and writes one, and
    each of the others reads two and writes one. In the epilogue of a convolution the
    number is in a register already: a ReLU moves nothing, the others read one array.

    Parameters
    ----------
    row : Convolution
        The block's second.
    batch : int >= 1
    is_fused : bool
    itemsize : int >= 1

    Returns
    -------
    int
    """
    arrays = 3 if is_fused else 2 + 3 * 3
    return itemsize * arrays * batch * row.c_out * math.prod(output_size(row))


def output_size(row):
    """Return height and width of a convolution's output.

    Parameters
    ----------
    row : Convolution

    Returns
    -------
    tuple of int
    """
    return tuple(-(-side // row.stride) for side in row.size)


def _classes(side, row):
    """List, along one axis, how many pixels of each remainder meet how many taps."""
    centre, found = row.kernel // 2, []
    for remainder in range(min(row.stride, side)):
        first = (centre + remainder) % row.stride
        taps = -(-(row.kernel - first) // row.stride)
        if taps > 0:
            found.append((-(-(side - remainder) // row.stride), taps))
    return found
