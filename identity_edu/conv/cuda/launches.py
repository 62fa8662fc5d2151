"""From the shape of a convolution to the launches of its three kernels.

Arrays of bf16 (`identity_edu.launch.BF16`) go to the tensor cores where the kernel is
3 x 3, the stride 1 or 2 and both numbers of channels are multiples of 8; everything
else to the plain kernels, which take any shape, in bf16 or float32.
"""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from identity_edu.launch import BF16, NULL, Kernel, Launch

FOLDER = Path(__file__).parent

# As in the sources: tiles.cuh and plain.cu.
TILE_K, STAGES, THREADS, WARP_TILE = 32, 4, 128, 64
CHUNK = 8
PLAIN_TILE, PLAIN_DEPTH, PLAIN_THREADS = 64, 16, 256
PLAIN_SHARED_BYTES = 4 * 2 * PLAIN_DEPTH * (PLAIN_TILE + 1)

# Blocks that a weight gradient is split into: two for each multiprocessor of the
# largest GPUs, and the same on all, so that sums have the same order everywhere.
WEIGHT_BLOCKS = 264


def uses_tensor_cores(shape, dtype):
    """Tell which kernels serve a convolution.

    Parameters
    ----------
    shape : Shape
    dtype : dtype
        Of images and kernel: `BF16` or float32.

    Returns
    -------
    bool
        False: the plain ones.
    """
    fits = shape.side == 3 and shape.stride in {1, 2}
    return dtype == BF16 and fits and shape.c_in % CHUNK == shape.c_out % CHUNK == 0


def forward(shape, x, W, y, *, added=None, relu=False):
    """Launch y = x * W, and what follows it.

    Parameters
    ----------
    shape : Shape
    x, W, y : device array
        Of the shape's shapes. All bf16 or all float32; `y` may be float32 for the
        tensor cores.
    added : device array, shape of `y`, optional
        Added to it, of the dtype of `x`.
    relu : bool
        Whether negative numbers of the sum become zero.

    Returns
    -------
    Launch

    Raises
    ------
    ValueError
        If an array has another shape or dtype than it must have.
    """
    read = {"W": (W, shape.kernel), "added": (added, shape.output)}
    _check(shape, x.dtype, {"x": (x, shape.input)} | read)
    _check_result(shape, x.dtype, {"y": (y, shape.output)})
    rows, columns = math.prod(shape.output[:3]), shape.c_out
    arrays = (x, W, y, _or_null(added), np.int32(relu))
    cost = {"flops": shape.flops, "bytes": _n_bytes(x, W, y, added)}
    if not uses_tensor_cores(shape, x.dtype):
        return _plain("forward", shape, x.dtype, (rows, columns), arrays, cost)
    name = f"conv3x3_forward<{tile_sizes(columns)[1]}, {_c_type(y.dtype)}>"
    return _tensor(name, shape, (rows, columns, 1), arrays, cost)


def input_gradient(shape, grad_y, W, grad_x, *, added=None, mask=None):
    """Launch the gradient with respect to the images, and what follows it.

    Parameters
    ----------
    shape : Shape
    grad_y, W, grad_x : device array
        Of the shapes of output, kernel and input. All bf16 or all float32; `grad_x`
        may be float32 for the tensor cores.
    added : device array, shape of `grad_x`, optional
        The gradient along a skip, of the dtype of `grad_y`.
    mask : device array, shape of `grad_x`, optional
        What a ReLU returned: where it is not positive, the gradient is zero. Applied
        before `added`.

    Returns
    -------
    Launch

    Raises
    ------
    ValueError
        If an array has another shape or dtype than it must have.
    """
    read = {"W": (W, shape.kernel), "added": (added, shape.input)}
    read |= {"grad_y": (grad_y, shape.output), "mask": (mask, shape.input)}
    _check(shape, grad_y.dtype, read)
    _check_result(shape, grad_y.dtype, {"grad_x": (grad_x, shape.input)})
    arrays = (grad_y, W, grad_x, _or_null(added), _or_null(mask))
    cost = {"flops": shape.flops, "bytes": _n_bytes(grad_y, W, grad_x, added, mask)}
    columns, stride = shape.c_in, shape.stride
    if not uses_tensor_cores(shape, grad_y.dtype):
        size = math.prod(shape.input[:3]), columns
        return _plain("input_gradient", shape, grad_y.dtype, size, arrays, cost)
    name = f"conv3x3_input_gradient<{tile_sizes(columns)[1]}, {_c_type(grad_x.dtype)}>"
    # Of each parity of row and column; the even ones are the most.
    rows = shape.n * -(-shape.height // stride) * -(-shape.width // stride)
    return _tensor(name, shape, (rows, columns, stride**2), arrays, cost)


def weight_gradient(shape, x, grad_y, parts):
    """Launch the gradient with respect to the kernel, in parts to be added up.

    Parameters
    ----------
    shape : Shape
    x, grad_y : device array
        Of the shapes of input and output, both bf16 or both float32.
    parts : device array of float32
        At least ``n_parts(shape, x.dtype)`` times the size of the kernel.

    Returns
    -------
    Launch

    Raises
    ------
    ValueError
        If an array has another shape or dtype than it must have.
    """
    _check(shape, x.dtype, {"x": (x, shape.input), "grad_y": (grad_y, shape.output)})
    n = n_parts(shape, x.dtype)
    size = math.prod(shape.kernel)
    if parts.size < n * size or parts.dtype != np.float32:
        raise ValueError(
            f"parts must be {n * size} numbers of float32; got {parts.size} of "
            f"{parts.dtype}."
        )
    moved = _n_bytes(x, grad_y) + parts.dtype.itemsize * size
    cost = {"flops": shape.flops, "bytes": moved}
    rows, steps = shape.side**2 * shape.c_in, _n_steps(shape, x.dtype)
    arrays, each = (x, grad_y, parts), -(-steps // n)
    if uses_tensor_cores(shape, x.dtype):
        name = f"conv3x3_weight_gradient<{tile_sizes(shape.c_out)[1]}>"
        made = _tensor(name, shape, (rows, shape.c_out, n), arrays, cost)
        return replace(made, args=(*made.args, np.int32(each)))
    made = _plain("weight_gradient", shape, x.dtype, (rows, shape.c_out), arrays, cost)
    return replace(
        made,
        grid=(*made.grid[:2], n),
        args=(*made.args, np.int32(each * PLAIN_DEPTH)),
    )


def n_parts(shape, dtype):
    """Return into how many parts a weight gradient is split.

    Parameters
    ----------
    shape : Shape
    dtype : dtype
        Of the images.

    Returns
    -------
    int
        At least 1. It depends on the shape alone, so that every GPU adds in one order.
    """
    steps, rows = _n_steps(shape, dtype), shape.side**2 * shape.c_in
    if uses_tensor_cores(shape, dtype):
        tile_m, tile_n = tile_sizes(shape.c_out)
        tiles = -(-rows // tile_m) * -(-shape.c_out // tile_n)
    else:
        tiles = -(-rows // PLAIN_TILE) * -(-shape.c_out // PLAIN_TILE)
    wanted = min(max(1, WEIGHT_BLOCKS // tiles), steps)
    return -(-steps // -(-steps // wanted))


def _n_steps(shape, dtype):
    """Return in how many steps a weight gradient goes over all pixels."""
    depth = TILE_K if uses_tensor_cores(shape, dtype) else PLAIN_DEPTH
    return -(-math.prod(shape.output[:3]) // depth)


def tile_sizes(columns):
    """Return the size of the tile that a block of the tensor cores' kernels makes.

    Parameters
    ----------
    columns : int >= 1
        Of the whole product.

    Returns
    -------
    tuple of int
        Rows and columns.
    """
    n_wide = 1 if columns <= WARP_TILE else 2
    return WARP_TILE * THREADS // 32 // n_wide, WARP_TILE * n_wide


def _tensor(name, shape, size, arrays, cost):
    """Launch a kernel of tiles; `size` is its rows, columns and layers of blocks."""
    rows, columns, layers = size
    (tile_m, tile_n), (*numbers, _, stride) = tile_sizes(columns), vars(shape).values()
    return Launch(
        Kernel(FOLDER / f"{name.partition('<')[0]}.cu", name),
        (-(-rows // tile_m), -(-columns // tile_n), layers),
        THREADS,
        (*arrays, *map(np.int32, (*numbers, stride))),
        STAGES * BF16.itemsize * TILE_K * (tile_m + tile_n),
        **cost,
    )


def _plain(which, shape, dtype, size, arrays, cost):
    """Launch a plain kernel; `size` is its rows and columns."""
    return Launch(
        Kernel(FOLDER / "plain.cu", f"plain_{which}<{_c_type(dtype)}>"),
        (-(-size[0] // PLAIN_TILE), -(-size[1] // PLAIN_TILE), 1),
        PLAIN_THREADS,
        (*arrays, *map(np.int32, vars(shape).values())),
        PLAIN_SHARED_BYTES,
        **cost,
    )


def _c_type(dtype):
    return "bf16" if dtype == BF16 else "float"


def _or_null(array):
    return NULL if array is None else array


def _n_bytes(*arrays):
    return sum(array.nbytes for array in arrays if array is not None)


def _check_result(shape, dtype, arrays):
    """Refuse a result of another shape or dtype; tensor cores may store float32."""
    ((_, (array, _)),) = arrays.items()
    is_wide = array.dtype == np.float32 and uses_tensor_cores(shape, dtype)
    _check(shape, np.dtype(np.float32) if is_wide else dtype, arrays)


def _check(shape, dtype, arrays):
    """Refuse other shapes or dtypes: a kernel would read past an end, or wrongly."""
    if dtype not in {BF16, np.dtype(np.float32)}:
        raise ValueError(f"bf16 (stored as uint16) or float32 is needed; got {dtype}.")
    for name, (array, required) in arrays.items():
        if array is None:
            continue
        if (tuple(array.shape), array.dtype) != (required, dtype):
            raise ValueError(
                f"{name} must be {required} of {dtype} for {shape}; "
                f"got {tuple(array.shape)} of {array.dtype}."
            )
