r"""The definition of a convolution layer and its derivatives, on any array library.

.. math::

    y_{p,q} = \sum_{a,b} x_{s p + a - r,\; s q + b - r}\, W_{a,b},
    \qquad k = 2r + 1, \quad x = 0 \text{ outside the image.}

Each pixel :math:`x_{p,q}` is a row of `c_in` channels and each tap :math:`W_{a,b}` is a
(c_in, c_out) matrix, so a convolution is k^2 dense layers on shifted images, added up.
Every faster body in this package is compared with these two functions. Chapter 09.

Symbols: `x` is (n, h, w, c_in), `W` (k, k, c_in, c_out) with odd k, `stride` s, and
`y` (n, ceil(h / s), ceil(w / s), c_out).
"""

from identity_edu.backend import as_floating


def conv2d(x, W, *, stride=1):
    """Convolve images with a kernel, from the definition.

    Parameters
    ----------
    x : array, shape (n, h, w, c_in)
    W : array, shape (k, k, c_in, c_out)
        k odd. Not flipped: machine learning's convolution is a correlation.
    stride : int >= 1

    Returns
    -------
    array, shape (n, ceil(h / stride), ceil(w / stride), c_out)

    Raises
    ------
    ValueError
        If the shapes do not fit together, k is even, or `stride` is less than 1.

    Notes
    -----
    2 k^2 c_in c_out flops for each output pixel.
    """
    check_shapes(x, W, stride)
    xp, (x, W) = as_floating(x, W)
    height, width = output_size(x, stride)
    x_padded = _pad(xp, x, len(W) // 2)
    y = xp.zeros((len(x), height, width, W.shape[3]), dtype=x.dtype)
    for a, b, seen in _taps(len(W), height, width, stride):
        y += x_padded[seen] @ W[a, b]
    return y


def conv2d_backward(grad_y, x, W, *, stride=1):
    """Carry a gradient back through `conv2d`, from the definition.

    Each tap is a dense layer, so its two gradients are those of `ops.dense`: through
    its matrix to the pixels that it saw, and summed over all pixels to the matrix.

    Parameters
    ----------
    grad_y : array, shape of the output
    x, W : array
        As they were given to `conv2d`.
    stride : int >= 1

    Returns
    -------
    tuple of array
        ``(grad_x, grad_W)``.

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """
    check_shapes(x, W, stride, grad_y)
    xp, (grad_y, x, W) = as_floating(grad_y, x, W)
    height, width = output_size(x, stride)
    x_padded, grad_W = _pad(xp, x, len(W) // 2), xp.zeros_like(W)
    pixels = (0, 1, 2)
    for a, b, seen in _taps(len(W), height, width, stride):
        grad_W[a, b] = xp.tensordot(x_padded[seen], grad_y, (pixels, pixels))
    return conv2d_input_gradient(grad_y, x, W, stride=stride), grad_W


def conv2d_input_gradient(grad_y, x, W, *, stride=1):
    """Carry a gradient back through `conv2d` to the images alone.

    In `x` a convolution is linear, and this is its transpose.

    Parameters
    ----------
    grad_y : array, shape of the output
    x : array, shape (n, h, w, c_in)
        Only its shape and dtype matter.
    W : array, shape (k, k, c_in, c_out)
    stride : int >= 1

    Returns
    -------
    array, shape of `x`

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """
    check_shapes(x, W, stride, grad_y)
    xp, (grad_y, x, W) = as_floating(grad_y, x, W)
    height, width = output_size(x, stride)
    grad_padded = _pad(xp, xp.zeros_like(x), len(W) // 2)
    for a, b, seen in _taps(len(W), height, width, stride):
        grad_padded[seen] += grad_y @ W[a, b].T
    return _crop(grad_padded, len(W) // 2)


def output_size(x, stride):
    """Return height and width of the output: one pixel for every `stride` pixels.

    Parameters
    ----------
    x : array, shape (n, h, w, c)
    stride : int >= 1

    Returns
    -------
    tuple of int
    """
    return -(-x.shape[1] // stride), -(-x.shape[2] // stride)


def check_shapes(x, W, stride, grad_y=None):
    """Refuse arrays that no convolution takes.

    Parameters
    ----------
    x, W : array
    stride : int
    grad_y : array, optional

    Raises
    ------
    ValueError
        If a shape is wrong; the message says which were needed.
    """
    fits = x.ndim == W.ndim == 4 and W.shape[0] == W.shape[1] and len(W) % 2
    if not fits or x.shape[3] != W.shape[2]:
        raise ValueError(
            "x and W must be (n, h, w, c_in) and (k, k, c_in, c_out), k odd; "
            f"got {x.shape} and {W.shape}."
        )
    if stride < 1:
        raise ValueError(f"stride must be at least 1; got {stride}.")
    if grad_y is not None:
        required = (len(x), *output_size(x, stride), W.shape[3])
        if grad_y.shape != required:
            raise ValueError(f"grad_y must be {required}; got {grad_y.shape}.")


def _taps(k, height, width, stride):
    """Yield (a, b, index): what tap (a, b) sees of the padded image."""
    for a in range(k):
        for b in range(k):
            rows = slice(a, a + stride * (height - 1) + 1, stride)
            columns = slice(b, b + stride * (width - 1) + 1, stride)
            yield a, b, (slice(None), rows, columns)


def _pad(xp, x, r):
    return xp.pad(x, ((0, 0), (r, r), (r, r), (0, 0)))


def _crop(x_padded, r):
    return x_padded[:, r : x_padded.shape[1] - r, r : x_padded.shape[2] - r]
