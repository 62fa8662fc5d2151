"""CUDA kernels for what a training step does beside convolutions: their launches.

The source is ``step.cu`` beside this file. Arrays are device arrays; activations are
bf16 (`identity_edu.launch.BF16`) or float32, and the kernels follow them.
"""

import math
from pathlib import Path

import numpy as np

from identity_edu.launch import BF16, NULL, Kernel, Launch

SOURCE = Path(__file__).parent / "step.cu"
THREADS, WARP = 256, 32
SQUARE_BLOCKS = 64  # partial sums of a sum of squares
TYPES = {
    np.dtype(np.uint8): "unsigned char",
    np.dtype(np.float32): "float",
    BF16: "bf16",
}


def draw_batch(examples, plan, step, x, drawn, *, pad):
    """Launch the drawing of a batch.

    Parameters
    ----------
    examples : identity_edu.allconv.device_data.DeviceExamples
    plan : device array of int32, shape (steps, n, 4)
        For each image of each step: its number, the rows and columns of padding that
        are cut off above and left, and 1 if it is mirrored.
    step : device array of int32, shape (1,)
        Which row of the plan.
    x : device array, shape (n, height, width, at least channels)
    drawn : device array of int32, shape (n,)
        Gets the labels.
    pad : int >= 0
        Pixels of zeros around an image.

    Returns
    -------
    Launch
    """
    n, height, width, stored = x.shape
    types = f"{TYPES[examples.images.dtype]}, {TYPES[x.dtype]}"
    arrays = (examples.images, examples.labels, plan, step)
    moments = (examples.mean, examples.deviation, np.float32(examples.levels))
    numbers = (n, height, width, examples.images.shape[-1], stored, pad)
    return Launch(
        Kernel(SOURCE, f"draw_batch<{types}>"),
        _blocks(n * height * width),
        THREADS,
        (*arrays, *moments, x, drawn, *map(np.int32, numbers)),
        bytes=x.nbytes + n * math.prod(examples.images.shape[1:]),
    )


def shortcut(h, y, *, stride):
    """Launch the skip of a block that changes shape.

    Parameters
    ----------
    h : device array, shape (n, height, width, c_in)
    y : device array, shape of the block's output
    stride : int >= 1

    Returns
    -------
    Launch
    """
    return _shortcut("forward", (h, y), h.shape, y, stride)


def shortcut_backward(grad_y, grad_h, *, stride):
    """Launch the gradient along the skip of a block that changes shape.

    Parameters
    ----------
    grad_y : device array, shape of the block's output
    grad_h : device array, shape (n, height, width, c_in)
    stride : int >= 1

    Returns
    -------
    Launch
    """
    return _shortcut("backward", (grad_y, grad_h), grad_h.shape, grad_y, stride)


def classify(h, readout, scores, training=None):
    """Launch the end of the net and, in training, the start of its gradient.

    Parameters
    ----------
    h : device array, shape (n, height, width, c)
    readout : device array of float32, shape (n_classes, c)
    scores : device array of float32, shape (n, n_classes)
    training : tuple of device array, optional
        ``(labels, grad_scores, losses, right, grad_h)``; all but the labels are
        written.

    Returns
    -------
    Launch
    """
    n, height, width, c = h.shape
    labels, grad_scores, losses, right, grad_h = training or (NULL,) * 5
    arrays = (h, readout, labels, scores, grad_scores, losses, right, grad_h)
    n_classes = readout.shape[0]
    return Launch(
        Kernel(SOURCE, f"classify<{TYPES[h.dtype]}>"),
        (n, 1, 1),
        THREADS,
        (*arrays, *map(np.int32, (n, height * width, c, n_classes))),
        shared_bytes=4 * (c + n_classes),
        bytes=h.nbytes * (1 if training is None else 2),
    )


def end_step(losses, right, history, step):
    """Launch the line of a step, and the move to the next.

    Parameters
    ----------
    losses, right : device array of float32 and int32, shape (n,)
    history : tuple of device array of float32 and int32, shape (steps,)
        Mean loss and number of right answers by step.
    step : device array of int32, shape (1,)

    Returns
    -------
    Launch
    """
    args = (losses, right, *history, step, np.int32(losses.size))
    return Launch(Kernel(SOURCE, "end_step"), (1, 1, 1), WARP, args)


def sum_squares(x, parts, *, y=None):
    """Launch the sum of squares of x, or of x - y.

    Parameters
    ----------
    x : device array
    parts : device array of float32, shape (SQUARE_BLOCKS,)
        Whose sum is the result.
    y : device array, shape of `x`, optional

    Returns
    -------
    Launch
    """
    return Launch(
        Kernel(SOURCE, f"sum_squares<{TYPES[x.dtype]}>"),
        (SQUARE_BLOCKS, 1, 1),
        THREADS,
        (x, NULL if y is None else y, parts, np.int32(x.size)),
        shared_bytes=4 * THREADS // WARP,
        bytes=x.nbytes if y is None else 2 * x.nbytes,
    )


def _shortcut(way, arrays, shape, y, stride):
    target = arrays[1]
    return Launch(
        Kernel(SOURCE, f"shortcut_{way}<{TYPES[y.dtype]}>"),
        _blocks(target.size),
        THREADS,
        (*arrays, *map(np.int32, (*shape, y.shape[3], stride))),
        bytes=sum(array.nbytes for array in arrays),
    )


def _blocks(n_threads):
    return (-(-n_threads // THREADS), 1, 1)
