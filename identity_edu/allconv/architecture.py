"""The table of an all-convolutional residual net, and the nets that the paper trained.

Symbols: k is the kernel size, 3 but in a transition; c_in and c_out are channels.
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

KERNEL = 3
TRANSITIONS = ("shortcut", "convolution")


class Convolution(NamedTuple):
    """One row of the table.

    Attributes
    ----------
    name : str
        Of its kernel among the parameters.
    c_in, c_out, stride : int >= 1
    size : tuple of int
        Height and width of its input.
    kernel : int
        Side of its kernel.
    """

    name: str
    c_in: int
    c_out: int
    stride: int
    size: tuple[int, int]
    kernel: int = KERNEL

    @property
    def keeps_shape(self):
        """Whether the output has the shape of the input."""
        return self.stride == 1 and self.c_in == self.c_out

    @property
    def n_taps(self):
        """Taps that fall inside the image, as a mean over the output's pixels."""
        return math.prod(_mean_taps(s, self.stride, self.kernel) for s in self.size)


class Part(NamedTuple):
    """One block of the net, and its convolutions.

    Attributes
    ----------
    kind : {"stem", "transition", "residual"}
        A transition is one 1 x 1 convolution, without a skip and without a ReLU.
    convolutions : tuple of Convolution
        One; two in a residual block.
    """

    kind: str
    convolutions: tuple[Convolution, ...]


def _mean_taps(side, stride, kernel):
    """Count the taps inside the image along one axis, as a mean over the outputs."""
    r, outputs = kernel // 2, range(0, side, stride)
    inside = [min(p + r, side - 1) - max(p - r, 0) + 1 for p in outputs]
    return sum(inside) / len(inside)


@dataclass(frozen=True)
class Stage:
    """Residual blocks of one width.

    Attributes
    ----------
    n_blocks, channels : int >= 1
    stride : int >= 1
        Of the first convolution of the stage; every other convolution has stride 1.
    """

    n_blocks: int
    channels: int
    stride: int = 1


@dataclass(frozen=True)
class Architecture:
    """One table from which the whole net follows.

    Attributes
    ----------
    image : tuple of int
        Height, width and channels of an input.
    stem : int >= 1
        Channels of the first convolution.
    stem_stride : int >= 1
    stages : tuple of Stage
    n_classes : int >= 2
    skip : bool
        False leaves every skip out: the plain net of the same convolutions.
    transition : {"shortcut", "convolution"}
        How a stage begins that changes the shape. ``"shortcut"``: its first block does
        it, and its skip is `identity_edu.allconv.shortcut`. ``"convolution"``: a
        transition before that block does, and the skips of all blocks are identities.

    Raises
    ------
    ValueError
        If `transition` is unknown.
    """

    image: tuple[int, int, int]
    stages: tuple[Stage, ...]
    n_classes: int = 10
    stem: int = 16
    stem_stride: int = 1
    skip: bool = True
    transition: str = "shortcut"

    def __post_init__(self):
        """Refuse a transition that there is not."""
        if self.transition not in TRANSITIONS:
            raise ValueError(
                f"transition must be one of {', '.join(TRANSITIONS)}; "
                f"got {self.transition!r}."
            )

    def scaled(self, *, width=1.0, n_blocks=None):
        """Return a wider or narrower net, or one with other numbers of blocks.

        Parameters
        ----------
        width : float > 0, finite
            Factor of every number of channels, rounded, at least 1.
        n_blocks : int >= 1, optional
            Residual blocks of each stage.

        Returns
        -------
        Architecture

        Raises
        ------
        ValueError
            If `width` or `n_blocks` is out of range.
        """
        if not 0 < width < math.inf or (n_blocks is not None and n_blocks < 1):
            raise ValueError(
                "width must be positive and finite, n_blocks at least 1; "
                f"got {width} and {n_blocks}."
            )
        stages = tuple(
            Stage(n_blocks or s.n_blocks, max(1, round(width * s.channels)), s.stride)
            for s in self.stages
        )
        return replace(self, stem=max(1, round(width * self.stem)), stages=stages)

    def convolutions(self):
        """List the convolutions, the one nearest the input first.

        Returns
        -------
        list of Convolution
            First the stem, then two for each residual block, and one before those
            where a transition stands.
        """
        return [row for part in self.parts() for row in part.convolutions]

    def parts(self):
        """List the blocks before the read-out, the one nearest the input first.

        Returns
        -------
        list of Part
        """
        (*size, channels), parts = self.image, []
        for kind, plan in self._plan():
            rows = []
            for name, c_out, stride, kernel in plan:
                row = Convolution(name, channels, c_out, stride, tuple(size), kernel)
                rows.append(row)
                size, channels = [-(-s // stride) for s in size], c_out
            parts.append(Part(kind, tuple(rows)))
        return parts

    def n_weights(self):
        """Count the weights of all convolutions, which is all that is trained.

        Returns
        -------
        int
        """
        return sum(c.kernel**2 * c.c_in * c.c_out for c in self.convolutions())

    def _plan(self):
        """Yield the kind of each part, and name, c_out, stride, kernel of its rows."""
        yield "stem", [("stem.W", self.stem, self.stem_stride, KERNEL)]
        before, i, n_transitions = self.stem, 0, 0
        for stage in self.stages:
            c, stride = stage.channels, stage.stride
            if self.transition == "convolution" and (c != before or stride > 1):
                yield "transition", [(f"transitions.{n_transitions}.W", c, stride, 1)]
                n_transitions, stride = n_transitions + 1, 1
            for j in range(stage.n_blocks):
                first = (f"blocks.{i}.W1", c, stride if j == 0 else 1, KERNEL)
                yield "residual", [first, (f"blocks.{i}.W2", c, 1, KERNEL)]
                i += 1
            before = c


# Hardt & Ma (2017), table 1.
CIFAR10 = Architecture(
    image=(32, 32, 3), stages=(Stage(9, 64), Stage(9, 128, 2), Stage(9, 256, 2))
)
CIFAR100 = replace(CIFAR10, n_classes=100)
# Our reconstruction: the paper says "34 layers" after He et al. (2016) and 35.7 million
# parameters, and prints no table. These are that net's 3, 4, 6 and 3 blocks behind a
# 3 x 3 stem, 33 convolutions and the projection, with the first width chosen so that
# the count comes closest: 35,452,107 convolution weights.
IMAGENET = Architecture(
    image=(224, 224, 3),
    stages=(Stage(3, 83, 2), Stage(4, 166, 2), Stage(6, 332, 2), Stage(3, 664, 2)),
    n_classes=1000,
    stem=64,
    stem_stride=2,
)
DIGITS = Architecture(image=(8, 8, 1), stages=(Stage(3, 32), Stage(3, 64, 2)), stem=16)
