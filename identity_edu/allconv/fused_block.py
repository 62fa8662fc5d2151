r"""One residual block on position-first buffers, forward beside backward.

Forward: :math:`a = \mathrm{relu}(C_1 h)`, then :math:`Ph + C_2 a`. Backward, with the
gradient :math:`\delta` at the output: :math:`m = (C_2^\top \delta) \odot [a > 0]`, then
:math:`P^\top \delta + C_1^\top m`. What is not a convolution is an epilogue: it
happens to each chunk of a convolution's output while that is in the cache.
"""

from dataclasses import dataclass

import numpy as np

from identity_edu.allconv.architecture import Convolution
from identity_edu.conv import position_first
from identity_edu.conv.layout import PaddedImages


@dataclass(frozen=True)
class FusedBlock:
    """A block with the buffers that it reads and writes.

    Attributes
    ----------
    first, second : Convolution
    h, a, out : PaddedImages
        Input, inside of the branch, output.
    skip : bool
        False: the branch alone.
    """

    first: Convolution
    second: Convolution
    h: PaddedImages
    a: PaddedImages
    out: PaddedImages
    skip: bool = True

    def forward(self, params, team):
        """Fill `a` and `out` from `h`.

        Parameters
        ----------
        params : dict of str to array
        team : Team
        """

        def add_shortcut(pixels, region):
            _add_shortcut(pixels, region, self.h, stride)

        W1, W2 = params[self.first.name], params[self.second.name]
        stride = self.first.stride
        position_first.convolve(self.h, W1, self.a, team, stride=stride, epilogue=_relu)
        epilogue = add_shortcut if self.skip else None
        position_first.convolve(self.a, W2, self.out, team, epilogue=epilogue)

    def backward(self, params, grad, deltas, team):
        """Carry a gradient from the output to the kernels and to the input.

        Parameters
        ----------
        params, grad : dict of str to array
            Those of the two kernels are overwritten in `grad`.
        deltas : tuple of PaddedImages
            The gradient at `out`; scratch of the shape of `a`; and what becomes the
            gradient at `h`.
        team : Team
        """
        delta, middle, below = deltas

        def mask(pixels, region):
            pixels *= self.a.interior[region] > 0

        def add_shortcut(pixels, region):
            _add_shortcut_backward(pixels, region, delta, stride)

        W1, W2 = params[self.first.name], params[self.second.name]
        stride, epilogue = self.first.stride, add_shortcut if self.skip else None
        grad_W1, grad_W2 = grad[self.first.name], grad[self.second.name]
        position_first.weight_gradient(self.a, delta, grad_W2, team)
        position_first.input_gradient(delta, W2, middle, team, epilogue=mask)
        position_first.weight_gradient(self.h, middle, grad_W1, team, stride=stride)
        position_first.input_gradient(
            middle, W1, below, team, stride=stride, epilogue=epilogue
        )


@dataclass(frozen=True)
class FusedConvolution:
    """A block that is one convolution: the stem, or a transition.

    Attributes
    ----------
    row : Convolution
    h, out : PaddedImages
        Input and output.
    """

    row: Convolution
    h: PaddedImages
    out: PaddedImages
    a = None  # there is no inside

    def forward(self, params, team):
        """Fill `out` from `h`.

        Parameters
        ----------
        params : dict of str to array
        team : Team
        """
        W, stride = params[self.row.name], self.row.stride
        position_first.convolve(self.h, W, self.out, team, stride=stride)

    def backward(self, params, grad, deltas, team):
        """Carry a gradient from the output to the kernel and, if asked, to the input.

        Parameters
        ----------
        params, grad : dict of str to array
        deltas : tuple of PaddedImages
            The gradient at `out`; whatever stands second; and what becomes the gradient
            at `h`, or None where nobody needs it.
        team : Team
        """
        delta, _, below = deltas
        name, stride = self.row.name, self.row.stride
        position_first.weight_gradient(self.h, delta, grad[name], team, stride=stride)
        if below is not None:
            position_first.input_gradient(
                delta, params[name], below, team, stride=stride
            )


def _relu(pixels, _region):
    np.maximum(pixels, 0, out=pixels)


def _add_shortcut(pixels, region, h, stride):
    """Add the averages over squares of h's pixels, to the channels in the middle."""
    rows, _, images = region
    middle = _middle(pixels, h.channels)
    for a in range(stride):
        for b in range(stride):
            seen = slice(stride * rows.start + a, stride * rows.stop, stride)
            middle += h.interior[seen, b::stride, images] * (1 / stride**2)


def _add_shortcut_backward(pixels, region, delta, stride):
    """Add to each of a square's pixels its share of the gradient of their average."""
    rows, _, images = region
    seen = slice(rows.start // stride, -(-rows.stop // stride))
    share = _middle(delta.interior[seen, :, images], pixels.shape[3]) * (1 / stride**2)
    for a in range(stride):
        for b in range(stride):
            pixels[a::stride, b::stride] += share


def _middle(pixels, channels):
    first = (pixels.shape[3] - channels) // 2
    return pixels[..., first : first + channels]
