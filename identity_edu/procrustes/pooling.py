r"""Transitions without parameters: copies of the channels, and L2 pooling.

Copies double the width, and L2 pooling halves height and width. Both preserve the norm
of what they are given up to a known factor, whatever it is. Chapter 14.

Images `x` are (n, h, w, c).
"""

from functools import reduce

from identity_edu.backend import as_floating


def copy_channels(x, *, times=2):
    r"""Append copies of the channels.

    The map :math:`K = [I; \dots; I]` has :math:`K^\top K = (c_{out} / c_{in}) I`: it is
    a scaled isometry at exactly the scale of `transition_scale`, and a fixed point of
    the projection on them.

    Parameters
    ----------
    x : array, shape (n, h, w, c)
    times : int >= 1

    Returns
    -------
    array, shape (n, h, w, times * c)

    Raises
    ------
    ValueError
        If `x` is no batch of images, or `times` is less than 1.

    References
    ----------
    Zaeemzadeh et al. (2018), the first version, in its published code.
    """
    xp, (x,) = as_floating(x)
    _check_images(x, times=times)
    return xp.concatenate([x] * times, axis=-1)


def copy_channels_backward(grad_y, x, *, times=2):
    """Carry a gradient back through `copy_channels`: the sum over the copies.

    Parameters
    ----------
    grad_y : array, shape of the output
    x : array, shape (n, h, w, c)
    times : int >= 1

    Returns
    -------
    array, shape of `x`

    Raises
    ------
    ValueError
        If the shapes do not fit together, or `times` is less than 1.
    """
    _, (grad_y, x) = as_floating(grad_y, x)
    _check_images(x, times=times)
    _check_gradient(grad_y, (*x.shape[:3], times * x.shape[3]))
    return grad_y.reshape(*x.shape[:3], times, x.shape[3]).sum(axis=3)


def l2_pool(x, *, side=2):
    r"""Replace each square of pixels by its length, channel by channel.

    :math:`y = \sqrt{\sum_i x_i^2}`, so :math:`\|y\| = \|x\|` over the whole image.
    Backward, :math:`\partial y / \partial x_i = x_i / y` is a unit vector over the
    square: the norm of a gradient is preserved too, exactly, wherever y > 0.

    Parameters
    ----------
    x : array, shape (n, h, w, c)
    side : int >= 1
        Of a square. The border leaves fewer pixels to some.

    Returns
    -------
    array, shape (n, ceil(h / side), ceil(w / side), c)

    Raises
    ------
    ValueError
        If `x` is no batch of images, or `side` is less than 1.

    References
    ----------
    Zaeemzadeh et al. (2018), the first version, in its published code.
    """
    xp, (x,) = as_floating(x)
    return _lengths(xp, _squares(xp, x, side))


def l2_pool_backward(grad_y, x, *, side=2):
    """Carry a gradient back through `l2_pool`: shares in proportion to the pixels.

    At the kink, a square of zeros, the slope is taken to be 0.

    Parameters
    ----------
    grad_y : array, shape of the output
    x : array, shape (n, h, w, c)
    side : int >= 1

    Returns
    -------
    array, shape of `x`

    Raises
    ------
    ValueError
        If the shapes do not fit together, or `side` is less than 1.
    """
    xp, (grad_y, x) = as_floating(grad_y, x)
    squares = _squares(xp, x, side)
    y = _lengths(xp, squares)
    _check_gradient(grad_y, y.shape)
    unit = squares / xp.where(y > 0, y, 1)[:, :, None, :, None]
    grad = (grad_y[:, :, None, :, None] * unit).reshape(
        len(x), side * y.shape[1], side * y.shape[2], x.shape[3]
    )
    return xp.ascontiguousarray(grad[:, : x.shape[1], : x.shape[2]])


def _squares(xp, x, side):
    """Cut images into squares, (n, h', side, w', side, c); zeros fill up the border."""
    _check_images(x, side=side)
    n, h, w, c = x.shape
    x = xp.pad(x, ((0, 0), (0, -h % side), (0, -w % side), (0, 0)))
    return x.reshape(n, x.shape[1] // side, side, x.shape[2] // side, side, c)


def _lengths(xp, squares):
    """Take the length of every square; no square of a pixel overflows or vanishes."""
    side = range(squares.shape[2])
    return reduce(xp.hypot, [abs(squares[:, :, a, :, b]) for a in side for b in side])


def _check_images(x, **numbers):
    """Refuse what is no batch of images, and numbers below 1."""
    if x.ndim != 4:
        raise ValueError(f"x must be (n, h, w, c); got {x.shape}.")
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} must be at least 1; got {number}.")


def _check_gradient(grad_y, shape):
    """Refuse a gradient of another shape than the output."""
    if grad_y.shape != shape:
        raise ValueError(f"grad_y must be {shape}; got {grad_y.shape}.")
