"""A device without memory: arrays that have a shape and a dtype, and nothing more.

On it the launches of a whole net of any size can be listed and counted.
"""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Outline:
    """What launches ask of an array."""

    shape: tuple
    dtype: np.dtype

    @property
    def size(self):
        """How many numbers it would hold."""
        return math.prod(self.shape)

    @property
    def nbytes(self):
        """How many bytes they would be."""
        return self.size * self.dtype.itemsize

    def __len__(self):
        """Return the length of the first axis."""
        return self.shape[0]


class Blueprint:
    """Has the methods of a device that lists are made with."""

    def empty(self, shape, dtype):
        """Return the outline of an array."""
        return Outline(tuple(shape), np.dtype(dtype))

    zeros = empty

    def upload(self, host):
        """Return the outline of a copy."""
        return self.empty(host.shape, host.dtype)


def outline(shape, dtype):
    """Return the outline of one array."""
    return Blueprint().empty(shape, dtype)
