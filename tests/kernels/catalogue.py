"""Launches of every kernel that a step, a benchmark or a chapter can name."""

from itertools import product

import numpy as np

from identity_edu.conv import cuda
from identity_edu.conv.cuda import Shape, launches
from identity_edu.launch import BF16, Kernel, Launch, PaperArray
from kernels.cases import PLAIN
from kernels.nets import NETS, outlined

FLOAT = np.dtype(np.float32)


def convolutions(shape, dtype, out):
    """List the launches of the three kernels of a convolution."""
    sizes = (shape.input, shape.kernel, shape.output)
    x, W, y = (PaperArray(size, dtype) for size in sizes)
    parts = PaperArray((launches.n_parts(shape, dtype), *shape.kernel), FLOAT)
    return [
        cuda.forward(shape, x, W, PaperArray(shape.output, out)),
        cuda.input_gradient(shape, y, W, PaperArray(shape.input, out)),
        cuda.weight_gradient(shape, x, y, parts),
    ]


def all_launches():
    """List launches of every kernel that a step, a benchmark or a chapter can name."""
    found = []
    for c, out in product((8, 64, 72, 256), (BF16, FLOAT)):
        found += convolutions(Shape(128, 32, 32, c, c), BF16, out)
    for shape, dtype in product(PLAIN, (BF16, FLOAT)):
        found += convolutions(shape, dtype, dtype)
    for table, dtype, levels in product(
        NETS.values(), (BF16, FLOAT), (np.uint8, FLOAT)
    ):
        step = outlined(table, 128, dtype, levels)
        found += [*step.launches, *step.observed]
    ladder = cuda.FOLDER / "ladder.cu"
    for tile_n in (64, 128):
        tile_m, _ = launches.tile_sizes(tile_n)
        shared_bytes = BF16.itemsize * launches.TILE_K * (tile_m + tile_n)
        kernel = Kernel(ladder, f"tensor_forward<{tile_n}>")
        found.append(Launch(kernel, (1, 1, 1), launches.THREADS, (), shared_bytes))
    return [*found, Launch(Kernel(ladder, "naive_forward"), (1, 1, 1), 256, ())]
