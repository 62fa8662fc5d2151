"""Other programs for what our kernels do: the ladder of chapter 12, and bare ends.

The ladder is four programs for one convolution, each with one more idea. The ends are
ReLU and skip as kernels of their own after the convolution, in place of its epilogue.
"""

import math
from pathlib import Path

import numpy as np
from gpu_timing import Turns

from identity_edu.conv import cuda as conv
from identity_edu.conv.cuda import launches as plans
from identity_edu.launch import BF16, NULL, Kernel, Launch

LADDER, NAIVE_THREADS = conv.FOLDER / "ladder.cu", 256
UNFUSED = Path(__file__).parent / "cuda" / "unfused.cu"
CLOSE = 1e-2  # relative L2, of results rounded to bf16


def ladder_rows(device, shape, effort):
    """Time the four programs of chapter 12, and see that they agree.

    Parameters
    ----------
    device : identity_edu.device.CudaDevice
    shape : identity_edu.conv.cuda.Shape
        3 x 3, of stride 1.
    effort : gpu_timing.Effort

    Returns
    -------
    list of dict
        ``"step"`` counts from 1.

    Raises
    ------
    RuntimeError
        If a program's result is not that of the last.
    """
    turns, rows, results = Turns(device, shape, effort), [], []
    cost = conv.forward(shape, *turns.sets[0][:3])
    for step, make in enumerate(ladder(shape), start=1):
        times, y = turns.time(make)
        rows.append(
            {
                "step": step,
                "kernel": make(*turns.sets[0])[0].kernel.name,
                "pass": "forward",
                "channels": shape.c_out,
                "side": shape.width,
                "batch": shape.n,
                "flops": cost.flops,
                "bytes": cost.bytes,
            }
            | times
        )
        results.append(y)
    for row, y in zip(rows, results, strict=True):
        _require_close(row["kernel"], y, results[-1])
    return rows


def epilogue_rows(device, shape, effort):
    """Time convolutions with their ends inside, and with the same ends after them.

    Parameters
    ----------
    device : identity_edu.device.CudaDevice
    shape : identity_edu.conv.cuda.Shape
    effort : gpu_timing.Effort

    Returns
    -------
    list of dict
        One for ReLU, one for the addition of a skip. ``"fused"``, ``"unfused"``: times.

    Raises
    ------
    RuntimeError
        If the two results differ by more than one rounding to bf16.
    """
    turns, rows = Turns(device, shape, effort), []
    for epilogue, (fused, unfused) in _ends(shape).items():
        times, y = turns.time(fused)
        more, other = turns.time(unfused)
        _require_close(f"unfused {epilogue}", other, y)
        rows.append(
            {
                "epilogue": epilogue,
                "channels": shape.c_out,
                "side": shape.width,
                "batch": shape.n,
                "fused": times,
                "unfused": more,
                "ratio": more["milliseconds"] / times["milliseconds"],
            }
        )
    return rows


def ladder(shape):
    """Return the four programs, as functions of x, W, y and what none of them adds.

    Parameters
    ----------
    shape : identity_edu.conv.cuda.Shape
        3 x 3, of stride 1.

    Returns
    -------
    tuple of callable
        Each returns a list of launches.
    """
    return (
        lambda x, W, y, _: [_naive_forward(shape, x, W, y)],
        lambda x, W, y, _: [_plain_forward(shape, x, W, y)],
        lambda x, W, y, _: [_tensor_forward(shape, x, W, y)],
        lambda x, W, y, _: [conv.forward(shape, x, W, y)],
    )


def _naive_forward(shape, *arrays):
    """Launch a thread for each number of y."""
    grid = (-(-math.prod(shape.output) // NAIVE_THREADS), 1, 1)
    numbers = map(np.int32, (*shape.input, shape.c_out))
    kernel = Kernel(LADDER, "naive_forward")
    return Launch(kernel, grid, NAIVE_THREADS, (*arrays, *numbers))


def _plain_forward(shape, *arrays):
    """Launch what the package has for shapes that tensor cores do not take."""
    return Launch(
        Kernel(conv.FOLDER / "plain.cu", "plain_forward<bf16>"),
        _tiles(shape, plans.PLAIN_TILE, plans.PLAIN_TILE),
        plans.PLAIN_THREADS,
        (*arrays, NULL, *map(np.int32, (0, *vars(shape).values()))),
        plans.PLAIN_SHARED_BYTES,
    )


def _tensor_forward(shape, *arrays):
    """Launch tensor cores that are fed by hand, one pair of tiles at a time."""
    tile_m, tile_n = conv.tile_sizes(shape.c_out)
    return Launch(
        Kernel(LADDER, f"tensor_forward<{tile_n}>"),
        _tiles(shape, tile_m, tile_n),
        plans.THREADS,
        (*arrays, *map(np.int32, (*shape.input, shape.c_out))),
        BF16.itemsize * plans.TILE_K * (tile_m + tile_n),
    )


def _tiles(shape, tile_m, tile_n):
    rows = math.prod(shape.output[:3])
    return (-(-rows // tile_m), -(-shape.c_out // tile_n), 1)


def _ends(shape):
    """Return each epilogue both ways, as functions of x, W, y and what is added."""
    return {
        "relu": (
            lambda x, W, y, _: [conv.forward(shape, x, W, y, relu=True)],
            lambda x, W, y, _: [conv.forward(shape, x, W, y), alone("relu", y)],
        ),
        "added": (
            lambda x, W, y, added: [conv.forward(shape, x, W, y, added=added)],
            lambda x, W, y, added: [
                conv.forward(shape, x, W, y),
                alone("add", y, added),
            ],
        ),
    }


def alone(name, y, *more):
    """Launch an elementwise operation as a kernel of its own.

    Parameters
    ----------
    name : {"relu", "add"}
    y : device array of bf16
        Overwritten; a multiple of 8 numbers.
    *more : device array
        What is added, of the shape of `y`.

    Returns
    -------
    Launch
    """
    n_chunks, threads = y.size // conv.CHUNK, 256
    return Launch(
        Kernel(UNFUSED, f"{name}_alone"),
        (-(-n_chunks // threads), 1, 1),
        threads,
        (y, *more, np.int32(n_chunks)),
        bytes=y.nbytes * (2 + len(more)),
    )


def _require_close(name, y, expected):
    error = np.linalg.norm(y - expected) / np.linalg.norm(expected)
    if not error < CLOSE:
        raise RuntimeError(f"{name} differs by {error:.1e} of the norm, not {CLOSE}.")
