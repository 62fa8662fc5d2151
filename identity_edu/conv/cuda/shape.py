"""What a convolution maps to what, as its kernels count it."""

import math
from dataclasses import dataclass

MOST_INDEX = 2**31 - 1  # kernels count in int


@dataclass(frozen=True)
class Shape:
    """What a convolution maps to what.

    Attributes
    ----------
    n, height, width : int >= 1
        Of the images that it takes.
    c_in, c_out : int >= 1
    side : int >= 1
        Of the kernel, odd.
    stride : int >= 1

    Raises
    ------
    ValueError
        If a number is out of range, or an array too large for the kernels' indices.
    """

    n: int
    height: int
    width: int
    c_in: int
    c_out: int
    side: int = 3
    stride: int = 1

    def __post_init__(self):
        """Refuse what the kernels cannot count."""
        numbers = vars(self)
        if min(numbers.values()) < 1 or self.side % 2 == 0:
            raise ValueError(
                f"all numbers must be at least 1, and side odd; got {numbers}."
            )
        largest = max(map(math.prod, (self.input, self.kernel, self.output)))
        if largest > MOST_INDEX:
            raise ValueError(
                f"an array may have at most {MOST_INDEX} numbers; got {largest}."
            )

    @property
    def input(self):
        """Shape of the images."""
        return self.n, self.height, self.width, self.c_in

    @property
    def kernel(self):
        """Shape of the kernel."""
        return self.side, self.side, self.c_in, self.c_out

    @property
    def output(self):
        """Shape of the result."""
        height, width = (-(-s // self.stride) for s in (self.height, self.width))
        return self.n, height, width, self.c_out

    @property
    def n_weights(self):
        """Numbers of the kernel."""
        return math.prod(self.kernel)

    @property
    def flops(self):
        """Operations of each of the three products, taps outside the image included."""
        return 2 * math.prod(self.output) * self.side**2 * self.c_in
