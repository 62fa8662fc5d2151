r"""The all-convolutional residual net: 3 x 3 convolutions, ReLU, and nothing to tune.

Images of shape (n, h, w, c) pass a first convolution, the stem, and then residual
blocks :math:`h \mapsto Ph + C_2\,\mathrm{relu}(C_1 h)`: no batch normalisation, no
dropout, no thresholds, and no ReLU after the sum. Where a stage starts, :math:`C_1` may
skip pixels; the shortcut P then averages them, and appends zero channels. At the end
each channel is averaged over the image, and a random matrix that is never trained turns
the averages into scores. Chapter 11 trains it.

Symbols: `W1`, `W2` are the kernels of :math:`C_1, C_2`, (3, 3, c_in, c_out).
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from identity_edu import ops
from identity_edu.allconv.architecture import KERNEL, Architecture
from identity_edu.allconv.shortcut import shortcut, shortcut_backward
from identity_edu.backend import as_floating
from identity_edu.conv import conv2d, conv2d_backward
from identity_edu.nets import Block, Layer, Net

INITS = ("near_identity", "usual")


@dataclass(frozen=True)
class AllConvNet(Net):
    """A `Net` that remembers the table it was made from.

    Attributes
    ----------
    architecture : Architecture
    readout : array, shape (n_classes, c)
        The projection at the end, which no step changes.
    """

    architecture: Architecture
    readout: np.ndarray


def init_net(rng, architecture, *, init="near_identity", dtype=np.float32):
    r"""Draw an all-convolutional residual net.

    Parameters
    ----------
    rng : numpy.random.Generator
    architecture : Architecture
    init : {"near_identity", "usual"}
        Standard deviation of the kernels of residual blocks. ``"near_identity"``:
        :math:`1/(k^2 c)` with kernel size k and c output channels, so that every block
        starts close to its shortcut. ``"usual"``: :math:`1/(k\sqrt{c})`. The stem has
        the second one always.
    dtype : {numpy.float32, numpy.float64}

    Returns
    -------
    AllConvNet
        The random read-out is not among its parameters.

    Raises
    ------
    ValueError
        If `init` is unknown.

    References
    ----------
    Hardt & Ma (2017), section 4. The scale of the fixed projection is not stated there:
    ours is one over the square root of the channels.
    """
    if init not in INITS:
        raise ValueError(f"init must be one of {', '.join(INITS)}; got {init!r}.")
    stem, *rows = architecture.convolutions()
    params = {}
    for row in (stem, *rows):
        near = init == "near_identity" and row is not stem
        std = 1 / (KERNEL**2 * row.c_out) if near else 1 / (KERNEL * row.c_out**0.5)
        draw = rng.standard_normal((KERNEL, KERNEL, row.c_in, row.c_out))
        params[row.name] = (std * draw).astype(dtype)
    channels = architecture.stages[-1].channels
    readout = rng.standard_normal((architecture.n_classes, channels)) / channels**0.5
    readout = readout.astype(dtype)
    blocks = [Block((_convolution(stem),), skip=None)]
    pairs = zip(rows[::2], rows[1::2], strict=True)
    blocks += [residual_block(first, second) for first, second in pairs]
    blocks.append(readout_block(readout))
    return AllConvNet(tuple(blocks), params, architecture, readout)


def readout_block(readout):
    """Describe the end of the net: average every channel, then project, untrained.

    Parameters
    ----------
    readout : array, shape (n_classes, c)

    Returns
    -------
    Block
    """
    average = Layer(global_average, global_average_backward)
    project = Layer(partial(ops.dense, W=readout), partial(_project_backward, readout))
    return Block((average, project), skip=None)


def global_average(x):
    """Average every channel over its image.

    Parameters
    ----------
    x : array, shape (n, h, w, c)

    Returns
    -------
    array, shape (n, c)
    """
    _, (x,) = as_floating(x)
    return x.mean(axis=(1, 2))


def global_average_backward(grad_y, x):
    """Carry a gradient back through `global_average`: every pixel has the same share.

    Parameters
    ----------
    grad_y : array, shape (n, c)
    x : array, shape (n, h, w, c)

    Returns
    -------
    array, shape of `x`
        Read only: all pixels share one number in memory.
    """
    xp, (grad_y,) = as_floating(grad_y)
    share = grad_y[:, None, None, :] / (x.shape[1] * x.shape[2])
    return xp.broadcast_to(share, x.shape)


def residual_block(first, second):
    r"""Describe the block :math:`h \mapsto Ph + C_2\,\mathrm{relu}(C_1 h)`.

    Parameters
    ----------
    first, second : Convolution
        Rows of the table; the second has stride 1.

    Returns
    -------
    Block
        Its skip is the identity where the block keeps the shape, else `shortcut`.
    """
    branch = (
        _convolution(first),
        Layer(ops.relu, ops.relu_backward),
        _convolution(second),
    )
    if first.stride == 1 and first.c_in == first.c_out:
        return Block(branch)
    fit = Layer(
        partial(shortcut, stride=first.stride, channels=first.c_out),
        partial(shortcut_backward, stride=first.stride),
    )
    return Block(branch, skip=(fit,))


def _convolution(row):
    return Layer(
        partial(conv2d, stride=row.stride),
        partial(conv2d_backward, stride=row.stride),
        (row.name,),
    )


def _project_backward(readout, grad_y, _x):
    return grad_y @ readout
