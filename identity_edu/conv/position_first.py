"""The three products of a convolution on `PaddedImages`, by the body that fits.

`winograd` for 3 x 3 kernels at stride 1, whatever the number of channels: in this
layout its transforms cost less than gathering does. `gathered` at any other stride, and
for 1 x 1 kernels. Both write into buffers that the caller owns.
"""

from identity_edu.conv import gathered, winograd

KERNEL = 3  # side of the kernels that winograd's matrices are for


def convolve(x, W, y, team, *, stride=1, epilogue=None):
    """Convolve padded images with a kernel.

    Parameters
    ----------
    x : PaddedImages
    W : array, shape (k, k, c_in, c_out), float32, k 1 or 3
    y : PaddedImages
        Its interior is overwritten. Not `x`.
    team : Team
    stride : int >= 1
    epilogue : callable, optional
        ``epilogue(pixels, region)`` changes ``y.interior[region]`` in place as soon as
        it is there.
    """
    if _can_winograd(W, stride):
        U = winograd.transform_kernel(W, team)
        winograd.convolve(x, U, y, team, epilogue=epilogue)
    else:
        gathered.convolve(x, W, y, team, stride=stride, epilogue=epilogue)


def input_gradient(grad_y, W, grad_x, team, *, stride=1, epilogue=None):
    """Carry a gradient from the output of `convolve` to its input.

    Parameters
    ----------
    grad_y : PaddedImages
    W : array, shape (k, k, c_in, c_out), float32, k 1 or 3
    grad_x : PaddedImages
        Its interior is overwritten. Not `grad_y`.
    team : Team
    stride : int >= 1
    epilogue : callable, optional
        As for `convolve`, on ``grad_x.interior[region]``.
    """
    if _can_winograd(W, stride):
        U = winograd.transform_kernel(W, team, transposed=True)
        winograd.convolve(grad_y, U, grad_x, team, epilogue=epilogue)
    else:
        gathered.input_gradient(
            grad_y, W, grad_x, team, stride=stride, epilogue=epilogue
        )


def weight_gradient(x, grad_y, grad_W, team, *, stride=1):
    """Compute the gradient of the kernel of `convolve`.

    Parameters
    ----------
    x, grad_y : PaddedImages
    grad_W : array, shape (k, k, c_in, c_out), float32, k 1 or 3
        C-contiguous; overwritten.
    team : Team
    stride : int >= 1
    """
    if _can_winograd(grad_W, stride):
        winograd.weight_gradient(x, grad_y, grad_W, team)
    else:
        gathered.weight_gradient(x, grad_y, grad_W, team, stride=stride)


def _can_winograd(W, stride):
    return len(W) == KERNEL and stride == 1
