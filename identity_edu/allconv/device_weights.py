"""A kernel of a net on a device, and the step of descent on it."""

from dataclasses import dataclass

import numpy as np

from identity_edu.conv import cuda as conv
from identity_edu.launch import NULL, Kernel, Launch

SOURCE = conv.FOLDER / "descend.cu"
THREADS, WARP = 256, 32


@dataclass(frozen=True)
class Weights:
    """One kernel of the net, with what a step changes.

    Attributes
    ----------
    name : str
        Among the parameters.
    shape : identity_edu.conv.cuda.Shape
        Of its convolution.
    master, velocity : device array of float32, shape ``shape.kernel``
    stored : device array
        What convolutions read: `master` rounded to bf16, or `master` itself.
    """

    name: str
    shape: conv.Shape
    master: object
    velocity: object
    stored: object


@dataclass(frozen=True)
class Descent:
    """What a step of descent reads beside gradients.

    Attributes
    ----------
    rates : device array of float32, shape (steps,)
    step : device array of int32, shape (1,)
        Which of the rates.
    momentum, weight_decay : float
    """

    rates: object
    step: object
    momentum: float
    weight_decay: float


def descend(w, parts, descent, squares=NULL):
    """Launch the end of a kernel's gradient, and the step that it is for.

    Parameters
    ----------
    w : Weights
    parts : tuple
        The device array that `identity_edu.conv.cuda.weight_gradient` fills, and the
        number of parts in it.
    descent : Descent
    squares : device array of float32, optional
        Gets the sum of squares of the gradient, in `n_square_blocks` parts.

    Returns
    -------
    identity_edu.launch.Launch
    """
    array, n_parts = parts
    is_float = w.stored is w.master
    stored = NULL if is_float else w.stored
    numbers = np.float32(descent.momentum), np.float32(descent.weight_decay)
    return Launch(
        Kernel(SOURCE, f"descend<{'float' if is_float else 'bf16'}>"),
        (n_square_blocks(w.shape), 1, 1),
        THREADS,
        (
            *(array, np.int32(n_parts), np.int32(w.shape.n_weights)),
            *(w.master, w.velocity, stored, descent.rates, descent.step),
            *(*numbers, squares),
        ),
        shared_bytes=4 * THREADS // WARP,
        bytes=4 * w.master.nbytes + n_parts * w.master.nbytes + w.stored.nbytes,
    )


def n_square_blocks(shape):
    """Return how many blocks a step on a kernel has.

    Parameters
    ----------
    shape : identity_edu.conv.cuda.Shape

    Returns
    -------
    int
    """
    return -(-shape.n_weights // THREADS)
