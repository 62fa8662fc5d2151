"""The check of the kernel that adds up a gradient's parts and takes the step."""

from dataclasses import dataclass

import numpy as np

from identity_edu.bf16 import to_bf16_bits
from identity_edu.conv.cuda import FOLDER
from identity_edu.launch import BF16, NULL, Kernel, Launch
from kernels.numbers import FLOAT, TYPES, assert_stored, numbers, unwritten

THREADS, WARP = 256, 32
MOMENTUM, DECAY = 0.9, 0.01
RATES, STEP = np.array([7, 0.1, 9], np.float32), 1


@dataclass(frozen=True)
class Descent:
    """So many parameters, whose gradient comes in parts."""

    size: int
    n_parts: int
    out: np.dtype = BF16  # float: nothing is stored beside the parameters
    is_measured: bool = True

    def __str__(self):
        """Name the case."""
        words = "measured" if self.is_measured else "alone"
        return f"{self.size}x{self.n_parts}-{TYPES[self.out]}-{words}"


def check_descend(device, case):
    """Take a step; return parameters, velocities, squares and what is stored."""
    rng = np.random.default_rng([case.size, case.n_parts])
    parts = numbers(rng, (case.n_parts, case.size), FLOAT)
    p, v = (numbers(rng, case.size, FLOAT) for _ in range(2))
    n_blocks = -(-case.size // THREADS)
    there = {"p": device.upload(p), "v": device.upload(v)}
    if case.out == BF16:
        there["stored"] = unwritten(device, (case.size,), BF16)
    if case.is_measured:
        there["squares"] = unwritten(device, (n_blocks,), FLOAT)
    args = (
        *(device.upload(parts), np.int32(case.n_parts), np.int32(case.size)),
        *(there["p"], there["v"], there.get("stored", NULL)),
        *(device.upload(RATES), device.upload(np.array([STEP], np.int32))),
        *(np.float32(MOMENTUM), np.float32(DECAY), there.get("squares", NULL)),
    )
    kernel = Kernel(FOLDER / "descend.cu", f"descend<{TYPES[case.out]}>")
    device.run([Launch(kernel, (n_blocks, 1, 1), THREADS, args, 4 * THREADS // WARP)])

    found = {name: device.download(array) for name, array in there.items()}
    g = parts.sum(0, dtype=np.float64)
    velocity = MOMENTUM * v.astype(np.float64) + g + DECAY * p
    assert_stored(found["v"], velocity, rtol=1e-6)
    assert_stored(found["p"], p - float(RATES[STEP]) * velocity, rtol=1e-6)
    if case.out == BF16:
        np.testing.assert_array_equal(found["stored"], to_bf16_bits(found["p"]))
    if case.is_measured:
        blocks = np.split(g**2, range(THREADS, case.size, THREADS))
        sums = np.array([block.sum() for block in blocks])
        assert_stored(found["squares"], sums, rtol=1e-6)
    return np.concatenate([array.astype(np.float64) for array in found.values()])
