"""The three products of a convolution on `PaddedImages`, by the body that fits.

`winograd` where the stride is 1 and there are enough channels for its transforms to
pay, `gathered` everywhere else. Both write into buffers that the caller owns.
"""

from identity_edu.conv import gathered, winograd

# Below this many channels the transforms cost more than the products that they save.
MIN_CHANNELS = 8


def is_quick(W, stride):
    """Tell whether `winograd` is the body for a kernel.

    Parameters
    ----------
    W : array, shape (3, 3, c_in, c_out)
    stride : int >= 1

    Returns
    -------
    bool
    """
    return stride == 1 and min(W.shape[2:]) >= MIN_CHANNELS


def convolve(x, W, y, team, *, stride=1, epilogue=None):
    """Convolve padded images with a kernel.

    Parameters
    ----------
    x : PaddedImages
    W : array, shape (3, 3, c_in, c_out), float32
    y : PaddedImages
        Its interior is overwritten. Not `x`.
    team : Team
    stride : int >= 1
    epilogue : callable, optional
        ``epilogue(pixels, region)`` changes ``y.interior[region]`` in place as soon as
        it is there.
    """
    if is_quick(W, stride):
        U = winograd.transform_kernel(W, team)
        winograd.convolve(x, U, y, team, epilogue=epilogue)
    else:
        gathered.convolve(x, W, y, team, stride=stride, epilogue=epilogue)


def input_gradient(grad_y, W, grad_x, team, *, stride=1, epilogue=None):
    """Carry a gradient from the output of `convolve` to its input.

    Parameters
    ----------
    grad_y : PaddedImages
    W : array, shape (3, 3, c_in, c_out), float32
    grad_x : PaddedImages
        Its interior is overwritten. Not `grad_y`.
    team : Team
    stride : int >= 1
    epilogue : callable, optional
        As for `convolve`, on ``grad_x.interior[region]``.
    """
    if is_quick(W, stride):
        U = winograd.transform_kernel(W, team, transposed=True)
        winograd.convolve(grad_y, U, grad_x, team, epilogue=epilogue)
    else:
        gathered.input_gradient(
            grad_y, W, grad_x, team, stride=stride, epilogue=epilogue
        )


def weight_gradient(x, W, grad_y, team, *, stride=1):
    """Return the gradient of the kernel of `convolve`.

    Parameters
    ----------
    x : PaddedImages
    W : array, shape (3, 3, c_in, c_out)
        Only its shape matters.
    grad_y : PaddedImages
    team : Team
    stride : int >= 1

    Returns
    -------
    array, shape (3, 3, c_in, c_out)
    """
    if is_quick(W, stride):
        return winograd.weight_gradient(x, grad_y, team)
    return gathered.weight_gradient(x, grad_y, team, stride=stride)
