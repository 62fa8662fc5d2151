r"""Convolution layers by hand: one definition, and one fast body that agrees with it.

`conv2d` and `conv2d_backward` take NHWC images and (k, k, c_in, c_out) kernels and
pick a body: ``"direct"``, the definition, on any array library and dtype (chapter 09),
or ``"winograd"``, for NumPy float32 and 3 x 3 kernels at stride 1 (chapter 10).
`spectrum` has the singular values of the map.
"""

import numpy as np

from identity_edu.conv import direct, position_first, winograd
from identity_edu.conv.cook_toom import winograd_matrices
from identity_edu.conv.direct import check_shapes
from identity_edu.conv.layout import PaddedImages
from identity_edu.conv.spectrum import (
    circular_norm,
    circular_singular_values,
    operator_matrix,
    operator_norm,
)
from identity_edu.conv.team import Team, available_cores

__all__ = [
    "BODIES",
    "choose_body",
    "circular_norm",
    "circular_singular_values",
    "conv2d",
    "conv2d_backward",
    "conv2d_input_gradient",
    "direct",
    "operator_matrix",
    "operator_norm",
    "winograd",
    "winograd_matrices",
]

BODIES = ("direct", "winograd")
# With fewer channels, bringing images into Winograd's layout and back costs more than
# the multiplications that it saves (`benchmarks/convolution.py`).
MIN_CHANNELS = 32
MIN_PIXELS = 100  # with fewer, in all images, its transforms of the kernel cost more


def choose_body(x, W, *, stride=1):
    """Name the body that `conv2d` picks.

    Parameters
    ----------
    x : array, shape (n, h, w, c_in)
    W : array, shape (k, k, c_in, c_out)
    stride : int >= 1

    Returns
    -------
    {"direct", "winograd"}
        ``"winograd"`` for NumPy arrays of float32, 3 x 3 kernels and stride 1, where
        there are enough channels and pixels for it to be faster.
    """
    n_pixels = x.shape[0] * x.shape[1] * x.shape[2]
    enough = min(W.shape[2:]) >= MIN_CHANNELS and n_pixels >= MIN_PIXELS
    return "winograd" if enough and _can_winograd(x, W, stride) else "direct"


def conv2d(x, W, *, stride=1, body=None):
    """Convolve images with a kernel.

    Parameters
    ----------
    x : array, shape (n, h, w, c_in)
    W : array, shape (k, k, c_in, c_out)
        k odd.
    stride : int >= 1
        The output has one pixel for every `stride` pixels, the first one at the first.
    body : {"direct", "winograd"}, optional
        Unless given, `choose_body` picks.

    Returns
    -------
    array, shape (n, ceil(h / stride), ceil(w / stride), c_out)

    Raises
    ------
    ValueError
        If the shapes do not fit together, or `body` is unknown or cannot serve these
        arrays.

    Notes
    -----
    Winograd's largest error, relative to the largest output, is about 2e-6 in float32
    for inputs of unit variance; the definition's about 2e-7.
    """
    check_shapes(x, W, stride)
    if _checked_body(body, x, W, stride) == "direct":
        return direct.conv2d(x, W, stride=stride)
    team = Team(min(len(x), available_cores()))
    x_padded = PaddedImages(*x.shape).load(x)
    y = PaddedImages(*x.shape[:3], W.shape[3])
    position_first.convolve(x_padded, W, y, team)
    return np.ascontiguousarray(y.images())


def conv2d_backward(grad_y, x, W, *, stride=1, body=None):
    """Carry a gradient back through `conv2d`.

    Parameters
    ----------
    grad_y : array, shape of the output
    x, W : array
        As they were given to `conv2d`.
    stride : int >= 1
    body : {"direct", "winograd"}, optional
        Unless given, `choose_body` picks.

    Returns
    -------
    tuple of array
        ``(grad_x, grad_W)``.

    Raises
    ------
    ValueError
        If the shapes do not fit together, or `body` is unknown or cannot serve these
        arrays.
    """
    check_shapes(x, W, stride, grad_y)
    if _backward_body(body, grad_y, x, W, stride) == "direct":
        return direct.conv2d_backward(grad_y, x, W, stride=stride)
    team = Team(min(len(x), available_cores()))
    x_padded = PaddedImages(*x.shape).load(x)
    grad_padded = PaddedImages(*grad_y.shape).load(grad_y)
    grad_W = np.empty_like(W, order="C")
    position_first.weight_gradient(x_padded, grad_padded, grad_W, team)
    return _input_gradient(grad_padded, x, W, team), grad_W


def conv2d_input_gradient(grad_y, x, W, *, stride=1, body=None):
    """Carry a gradient back through `conv2d` to the images alone: its transpose.

    Parameters
    ----------
    grad_y : array, shape of the output
    x : array, shape (n, h, w, c_in)
        Only its shape and dtype matter.
    W : array, shape (k, k, c_in, c_out)
    stride : int >= 1
    body : {"direct", "winograd"}, optional
        Unless given, `choose_body` picks.

    Returns
    -------
    array, shape of `x`

    Raises
    ------
    ValueError
        If the shapes do not fit together, or `body` is unknown or cannot serve these
        arrays.
    """
    check_shapes(x, W, stride, grad_y)
    if _backward_body(body, grad_y, x, W, stride) == "direct":
        return direct.conv2d_input_gradient(grad_y, x, W, stride=stride)
    team = Team(min(len(x), available_cores()))
    return _input_gradient(PaddedImages(*grad_y.shape).load(grad_y), x, W, team)


def _input_gradient(grad_padded, x, W, team):
    grad_x = PaddedImages(*x.shape)
    position_first.input_gradient(grad_padded, W, grad_x, team)
    return np.ascontiguousarray(grad_x.images())


def _can_winograd(x, W, stride):
    """Tell whether the fast body computes this convolution at all."""
    is_numpy = isinstance(x, np.ndarray) and isinstance(W, np.ndarray)
    is_float32 = is_numpy and x.dtype == W.dtype == np.float32
    return is_float32 and W.shape[:2] == (3, 3) and stride == 1 and x.size > 0


def _backward_body(body, grad_y, x, W, stride):
    """Name the body; only the definition takes a gradient of another dtype."""
    if body is None and grad_y.dtype != x.dtype:
        return "direct"
    return _checked_body(body, x, W, stride)


def _checked_body(body, x, W, stride):
    if body is None:
        return choose_body(x, W, stride=stride)
    if body not in BODIES:
        raise ValueError(f"body must be one of {', '.join(BODIES)}; got {body!r}.")
    if body == "winograd" and not _can_winograd(x, W, stride):
        raise ValueError(
            "the body winograd needs NumPy arrays of float32, 3 x 3 kernels and stride "
            f"1; got {x.dtype} and {W.dtype}, kernel {W.shape[:2]}, stride {stride}."
        )
    return body
