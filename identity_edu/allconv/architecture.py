"""The table of an all-convolutional residual net, and the nets that the paper trained.

Symbols: k is the kernel size, 3 everywhere; c_in and c_out are channels.
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

KERNEL = 3


class Convolution(NamedTuple):
    """One row of the table.

    Attributes
    ----------
    name : str
        Of its kernel among the parameters.
    c_in, c_out, stride : int >= 1
    size : tuple of int
        Height and width of its input.
    """

    name: str
    c_in: int
    c_out: int
    stride: int
    size: tuple[int, int]


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
    """

    image: tuple[int, int, int]
    stages: tuple[Stage, ...]
    n_classes: int = 10
    stem: int = 16
    stem_stride: int = 1

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
            First the stem, then two for each residual block.
        """
        (*size, channels), table = self.image, []
        for name, c_out, stride in self._plan():
            table.append(Convolution(name, channels, c_out, stride, tuple(size)))
            size, channels = [-(-s // stride) for s in size], c_out
        return table

    def n_weights(self):
        """Count the weights of all convolutions, which is all that is trained.

        Returns
        -------
        int
        """
        return sum(KERNEL**2 * c.c_in * c.c_out for c in self.convolutions())

    def _plan(self):
        yield "stem.W", self.stem, self.stem_stride
        i = 0
        for stage in self.stages:
            for j in range(stage.n_blocks):
                yield f"blocks.{i}.W1", stage.channels, stage.stride if j == 0 else 1
                yield f"blocks.{i}.W2", stage.channels, 1
                i += 1


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
