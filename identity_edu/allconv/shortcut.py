r"""The skip of a block that changes shape: average over squares, append zero channels.

Nothing in it is learned. As a linear map it is as close to the identity as a map
between different spaces can be without choosing anything. Chapter 11.
"""

from identity_edu.backend import as_floating


def shortcut(x, *, stride, channels):
    """Shrink images by averaging, and append channels of zeros.

    Parameters
    ----------
    x : array, shape (n, h, w, c)
    stride : int >= 1
        Each output pixel is the mean over a square of this side, or over what the
        border leaves of it.
    channels : int >= 1
        Of the output. Half of the missing ones go before those of `x`, half after;
        where there are too many, they are cut off in the same way.

    Returns
    -------
    array, shape (n, ceil(h / stride), ceil(w / stride), channels)

    References
    ----------
    Hardt & Ma (2017), section 4: average pooling and zero padding.
    """
    xp, (x,) = as_floating(x)
    y = _square_sums(xp, x, stride) / _square_sizes(xp, x, stride)
    return _fit_channels(xp, y, channels)


def shortcut_backward(grad_y, x, *, stride):
    """Carry a gradient back through `shortcut`: equal shares, and no more channels.

    Parameters
    ----------
    grad_y : array, shape of the output
    x : array, shape (n, h, w, c)
    stride : int >= 1

    Returns
    -------
    array, shape of `x`
    """
    xp, (grad_y, x) = as_floating(grad_y, x)
    grad_y = _fit_channels(xp, grad_y, x.shape[3])
    share, grad_x = grad_y / _square_sizes(xp, x, stride), xp.empty_like(x)
    for part in _offsets(grad_x, stride):
        part[...] = share[:, : part.shape[1], : part.shape[2]]
    return grad_x


def _square_sums(xp, x, stride):
    """Add up the pixels of every square."""
    return sum(_grown(xp, part, x, stride) for part in _offsets(x, stride))


def _square_sizes(xp, x, stride):
    """Count the pixels of every square: the border leaves fewer to some."""
    return _square_sums(xp, xp.ones_like(x[:1, :, :, :1]), stride)


def _offsets(x, stride):
    """List the stride**2 images that hold one pixel of every square."""
    return [x[:, a::stride, b::stride] for a in range(stride) for b in range(stride)]


def _grown(xp, part, x, stride):
    """Append zeros to the rows and columns that the border cut off."""
    missing = [-(-x.shape[i] // stride) - part.shape[i] for i in (1, 2)]
    return xp.pad(part, ((0, 0), (0, missing[0]), (0, missing[1]), (0, 0)))


def _fit_channels(xp, x, channels):
    """Append or cut off channels, half on each side; its own adjoint."""
    missing = channels - x.shape[3]
    if missing <= 0:
        first = -missing // 2
        return x[..., first : first + channels]
    before = missing // 2
    return xp.pad(x, ((0, 0),) * 3 + ((before, missing - before),))
