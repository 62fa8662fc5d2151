"""Checks of the steps on the way to the forward kernel, which chapter 12 climbs."""

import math

import numpy as np

from identity_edu.conv.cuda import launches
from identity_edu.conv.direct import conv2d
from identity_edu.launch import BF16, Kernel, Launch
from kernels.convolution import Operands
from kernels.numbers import assert_stored, unwritten


def check_naive(device, case):
    """Run the step with a thread for each number; return what it stored."""
    threads = 256
    grid = (-(-math.prod(case.shape.output) // threads), 1, 1)
    return _check(device, case, "naive_forward", (grid, threads, 0))


def check_tensor(device, case):
    """Run the step that feeds tensor cores by hand; return what it stored."""
    n_pixels, c_out = math.prod(case.shape.output[:3]), case.shape.c_out
    tile_m, tile_n = launches.tile_sizes(c_out)
    grid = (-(-n_pixels // tile_m), -(-c_out // tile_n), 1)
    shared_bytes = BF16.itemsize * launches.TILE_K * (tile_m + tile_n)
    size = grid, launches.THREADS, shared_bytes
    return _check(device, case, f"tensor_forward<{tile_n}>", size)


def _check(device, case, name, size):
    operands, shape = Operands(device, case), case.shape
    y = unwritten(device, shape.output, BF16)
    sizes = (shape.n, shape.height, shape.width, shape.c_in, shape.c_out)
    args = operands.there["x"], operands.there["W"], y, *map(np.int32, sizes)
    kernel = Kernel(launches.FOLDER / "ladder.cu", name)
    grid, threads, shared_bytes = size
    operands.run(Launch(kernel, grid, threads, args, shared_bytes))
    stored = device.download(y)
    assert_stored(stored, conv2d(operands["x"], operands["W"]))
    return stored
