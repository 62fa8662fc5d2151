"""Every kernel with its check, and cases with every edge of a tile, a tap or a type."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from identity_edu.allconv import cuda as step_cuda
from identity_edu.conv.cuda import FOLDER, Shape
from identity_edu.launch import BF16
from kernels import ladder, step
from kernels.convolution import (
    Case,
    check_forward,
    check_input_gradient,
    check_weight_gradient,
)
from kernels.descent import Descent, check_descend
from kernels.numbers import FLOAT
from kernels.step import Count, Draw, End, Skip


@dataclass(frozen=True)
class Kernel:
    """One kernel: its source, what it must do, and on what."""

    source: Path
    check: Callable
    cases: list


# For the tensor cores: tiles are 256 pixels by 64 channels or 128 by 128, by 32 of k.
IMAGES = [  # n, height, width, c_in, c_out
    (1, 1, 1, 8, 8),
    (3, 1, 1, 16, 24),
    (1, 1, 9, 8, 64),
    (3, 7, 1, 40, 8),
    (1, 2, 2, 24, 136),  # every pixel is at two borders
    (2, 3, 3, 136, 16),
    (3, 5, 7, 24, 72),  # less than a tile of pixels; a chunk more than 64 channels
    (1, 9, 15, 64, 72),  # a tile of 128 pixels and 7 of the next
    (3, 7, 13, 16, 40),  # a tile of 256 pixels and 17 of the next
    (3, 7, 9, 72, 128),  # a tile and a half
    (3, 6, 10, 128, 16),  # with stride 2, 45 pixels of every parity
    (1, 16, 16, 16, 64),  # one tile exactly
    (2, 8, 8, 8, 136),  # one tile of pixels exactly, and 8 channels of the next
    (5, 15, 15, 8, 16),  # with stride 2, one parity has two tiles, another one
    (1, 3, 37, 40, 88),  # a row is longer than a step of k
]
TENSOR = [Shape(*sizes, stride=s) for sizes in IMAGES for s in (1, 2)]
EDGY = Shape(3, 5, 7, 24, 72), Shape(3, 5, 7, 72, 24, stride=2)

# For the plain kernels: tiles are 64 by 64 by 16, and nothing is a multiple of them.
PLAIN = [
    Shape(1, 1, 1, 1, 1, side=1),
    Shape(1, 1, 1, 3, 5, side=5, stride=3),
    Shape(3, 5, 7, 3, 10, side=3),
    Shape(3, 7, 5, 5, 67, side=3, stride=2),
    Shape(1, 6, 8, 17, 3, side=5, stride=2),
    Shape(2, 8, 7, 67, 9, side=1, stride=2),
    Shape(3, 10, 4, 9, 7, side=3, stride=3),
    Shape(1, 11, 13, 4, 65, side=1),
    Shape(1, 8, 8, 16, 64, side=3),  # whole tiles
    Shape(1, 9, 9, 2, 3, side=5, stride=3),
    Shape(3, 2, 3, 8, 16, side=1, stride=2),
]
FORWARD_WORDS = ["relu", "added", "added relu", "added in place"]
GRADIENT_WORDS = ["mask", "added", "added mask", "added in place"]


def _tensor(words):
    """Convolve every shape, and two with every epilogue, in both types of output."""
    cases = [Case(shape, out=out) for shape, out in product(TENSOR, (FLOAT, BF16))]
    return cases + [
        Case(shape, out=out, epilogue=epilogue)
        for shape, epilogue, out in product(EDGY, words, (FLOAT, BF16))
        if out == BF16 or "in place" not in epilogue
    ]


def _plain(words):
    cases = [Case(shape, t, t) for shape, t in product(PLAIN, (FLOAT, BF16))]
    return cases + [
        Case(PLAIN[3], t, t, word) for word, t in product(words, (FLOAT, BF16))
    ]


# As many blocks as launches want give such small shapes parts of one step each; few
# blocks give long walks over pixels, and a last part that is shorter than the others.
SPLITS = [
    *(Case(shape) for shape in TENSOR),
    *(Case(shape, blocks=1) for shape in TENSOR[10:]),
    Case(Shape(3, 13, 11, 8, 8), blocks=3),  # 14 steps: 5, 5 and 4
    Case(Shape(3, 13, 11, 8, 72), blocks=4),  # 4, 4, 4 and 2
    Case(Shape(5, 9, 9, 16, 8, stride=2), blocks=4),  # 125 pixels: 2 and 2, not whole
    Case(Shape(70, 1, 1, 8, 8), blocks=2),  # a step is 32 images
    Case(Shape(3, 2, 33, 8, 8), blocks=2),  # a step is a row, less a pixel
    Case(Shape(40, 1, 3, 16, 8, stride=2), blocks=1),
]
PLAIN_SPLITS = [
    *(Case(shape, FLOAT, blocks=1) for shape in PLAIN),
    *(Case(shape) for shape in PLAIN),
    Case(Shape(3, 7, 5, 5, 67), FLOAT, blocks=10),  # 7 steps: 2, 2, 2 and 1
    Case(Shape(3, 9, 7, 3, 3, stride=2), blocks=3),
]
LADDER = [
    Case(s, out=BF16) for s in TENSOR if s.stride == 1 and (s.c_in < 128 or s.n == 1)
]
DESCEND = [
    Descent(1, 1),
    Descent(255, 3),
    Descent(256, 2, FLOAT),
    Descent(600, 5),
    Descent(600, 1, FLOAT, is_measured=False),
]

DRAW = [
    Draw(3, (5, 7, 3), 2),
    Draw(5, (8, 6, 3), 4, BF16, stored=8),
    Draw(9, (7, 5, 3), 2),  # more pixels than a block has threads
    Draw(1, (1, 1, 1), 0),
    Draw(3, (7, 5, 2), 9),  # some shifts leave nothing of the image
    Draw(3, (4, 9, 1), 1, BF16, np.float32, stored=8),
    Draw(5, (9, 4, 3), 3, FLOAT, np.float32),
    Draw(7, (6, 6, 9), 0, BF16, stored=16),
]
SKIPS = [
    ((3, 5, 7), 4, 9, 2),  # five channels more: two before, three after
    ((3, 8, 6), 8, 16, 2),
    ((1, 1, 1), 3, 4, 2),
    ((3, 7, 4), 9, 4, 2),  # five channels fewer
    ((2, 8, 7), 5, 8, 3),  # squares of 9, 6 and 4 pixels
    ((3, 5, 5), 6, 11, 1),
    ((1, 2, 9), 7, 7, 2),
    ((1, 7, 5), 6, 3, 1),
]
SKIP = [Skip(*numbers, dtype) for numbers, dtype in product(SKIPS, (FLOAT, BF16))]
CLASSIFY = [
    End((3, 2, 2), 24, 10),
    End((3, 3, 5), 5, 2, BF16),
    End((1, 1, 1), 1, 3),
    End((5, 2, 1), 64, 100),
    End((2, 3, 3), 300, 300, BF16),  # more channels and classes than threads
    End((3, 2, 3), 40, 10, BF16, is_training=False),
]
END_STEP = [Count(n) for n in (1, 5, 31, 33, 128)]
SUM_SQUARES = [
    Count(n, dtype, is_difference)
    for n, dtype, is_difference in product(
        (1, 300, 20001), (FLOAT, BF16), (False, True)
    )
]

FORWARD, BACK, WEIGHTS, PLAIN_CU, LADDER_CU = (
    FOLDER / f"{name}.cu"
    for name in (
        *("conv3x3_forward", "conv3x3_input_gradient", "conv3x3_weight_gradient"),
        *("plain", "ladder"),
    )
)
KERNELS = {
    "conv3x3_forward": Kernel(FORWARD, check_forward, _tensor(FORWARD_WORDS)),
    "conv3x3_input_gradient": Kernel(
        BACK, check_input_gradient, _tensor(GRADIENT_WORDS)
    ),
    "conv3x3_weight_gradient": Kernel(WEIGHTS, check_weight_gradient, SPLITS),
    "plain_forward": Kernel(PLAIN_CU, check_forward, _plain(FORWARD_WORDS)),
    "plain_input_gradient": Kernel(
        PLAIN_CU, check_input_gradient, _plain(GRADIENT_WORDS)
    ),
    "plain_weight_gradient": Kernel(PLAIN_CU, check_weight_gradient, PLAIN_SPLITS),
    "naive_forward": Kernel(LADDER_CU, ladder.check_naive, LADDER),
    "tensor_forward": Kernel(LADDER_CU, ladder.check_tensor, LADDER),
    "descend": Kernel(FOLDER / "descend.cu", check_descend, DESCEND),
    "draw_batch": Kernel(step_cuda.SOURCE, step.check_draw, DRAW),
    "shortcut_forward": Kernel(step_cuda.SOURCE, step.check_shortcut, SKIP),
    "shortcut_backward": Kernel(step_cuda.SOURCE, step.check_shortcut_backward, SKIP),
    "classify": Kernel(step_cuda.SOURCE, step.check_classify, CLASSIFY),
    "end_step": Kernel(step_cuda.SOURCE, step.check_end_step, END_STEP),
    "sum_squares": Kernel(step_cuda.SOURCE, step.check_sum_squares, SUM_SQUARES),
}
CALLS = [(name, case) for name, kernel in KERNELS.items() for case in kernel.cases]
