r"""The all-convolutional residual net: 3 x 3 convolutions, ReLU, and nothing to tune.

Images of shape (n, h, w, c) pass a first convolution, the stem, and then residual
blocks :math:`h \mapsto Ph + C_2\,\mathrm{relu}(C_1 h)`: no batch normalisation, no
dropout, no thresholds, and no ReLU after the sum. Where a stage starts, :math:`C_1` may
skip pixels; the shortcut P then averages them, and appends zero channels. At the end
each channel is averaged over the image, and a random matrix that is never trained turns
the averages into scores. Chapter 11 trains it. To compare with, the same convolutions
without any skip; and stages that begin with a 1 x 1 convolution of its own, which
chapter 14 makes an isometry.

Symbols: `W1`, `W2` are the kernels of :math:`C_1, C_2`, (3, 3, c_in, c_out).
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from identity_edu import ops
from identity_edu.allconv.architecture import Architecture
from identity_edu.allconv.shortcut import shortcut, shortcut_backward
from identity_edu.backend import as_floating
from identity_edu.conv import conv2d, conv2d_backward, conv2d_input_gradient
from identity_edu.nets import Block, Layer, Net

INITS = ("near_identity", "usual", "he")


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
    init : {"near_identity", "usual", "he"}
        Standard deviation of the kernels of residual blocks. ``"near_identity"``:
        :math:`1/(k^2 c)` with kernel size k and c output channels, so that every block
        starts close to its shortcut. ``"usual"``: :math:`1/(k\sqrt{c})`. ``"he"``: the
        same, times :math:`\sqrt 2` behind the ReLU, and with the number of taps inside
        the image in place of :math:`k^2`, so that a convolution hands on the mean
        squared norm of a pixel where all pixels have the same. Behind others the middle
        of the image has more, and gains: up to a tenth for each convolution of a plain
        net on 8 x 8 pixels. The stem has the usual one always, and a transition
        :math:`1/\sqrt{c_{in}}`, which hands on the gradient's.
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
    ours is one over the square root of the channels. He et al. (2015) for ``"he"``.
    """
    if init not in INITS:
        raise ValueError(f"init must be one of {', '.join(INITS)}; got {init!r}.")
    params, blocks = {}, []
    for kind, rows in architecture.parts():
        for row in rows:
            draw = rng.standard_normal((row.kernel, row.kernel, row.c_in, row.c_out))
            std = _standard_deviation(kind, row, init, is_second=row is not rows[0])
            params[row.name] = (std * draw).astype(dtype)
        if kind == "residual":
            blocks.append(residual_block(*rows, skip=architecture.skip))
        else:
            blocks.append(Block((_convolution(rows[0]),), skip=None))
    channels = architecture.stages[-1].channels
    readout = rng.standard_normal((architecture.n_classes, channels)) / channels**0.5
    readout = readout.astype(dtype)
    blocks.append(readout_block(readout))
    return AllConvNet(tuple(blocks), params, architecture, readout)


def _standard_deviation(kind, row, init, *, is_second):
    if kind == "transition":
        return row.c_in**-0.5
    if kind == "residual" and init == "near_identity":
        return 1 / (row.kernel**2 * row.c_out)
    if kind == "residual" and init == "he":
        return ((2 if is_second else 1) / (row.n_taps * row.c_out)) ** 0.5
    return 1 / (row.kernel * row.c_out**0.5)


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


def residual_block(first, second, *, skip=True):
    r"""Describe the block :math:`h \mapsto Ph + C_2\,\mathrm{relu}(C_1 h)`.

    Parameters
    ----------
    first, second : Convolution
        Rows of the table; the second has stride 1.
    skip : bool
        False leaves :math:`Ph` out: the plain block to compare with.

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
    if not skip:
        return Block(branch, skip=None)
    if first.keeps_shape:
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
        partial(conv2d_input_gradient, stride=row.stride),
    )


def _project_backward(readout, grad_y, _x):
    return grad_y @ readout
