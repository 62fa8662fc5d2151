"""What can be known of the CUDA kernels without a GPU: counts, and how they compile.

The four steps of chapter 12 run on the tests' emulated device, which counts what every
thread does. NVRTC compiles every kernel of a training step, and says how many registers
a thread takes and whether any spill. Neither number is a time.

    python benchmarks/kernel_counts.py
"""

import math
import sys
from pathlib import Path

import numpy as np

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.insert(0, str(TESTS))

import gpu_programs
from emulator import EmulatedDevice, compiler, nvrtc
from gpu_setup import kernels_digest

from identity_edu import allconv
from identity_edu.allconv.device_step import DeviceStep, load_examples
from identity_edu.bf16 import to_bf16_bits
from identity_edu.conv import cuda as conv
from identity_edu.conv.cuda import launches
from identity_edu.experiments.results import sources_hash, write_result
from identity_edu.launch import BF16, PaperDevice, by_source, cuda_source

SEED, BATCH = 0, 4
SHAPE = conv.Shape(BATCH, 8, 8, 256, 256)
TARGETS = ("sm_80", "sm_90a")
COMMAND = "python benchmarks/kernel_counts.py"


def main():
    """Count, compile, print and write both results."""
    if compiler() is None or nvrtc.library() is None:
        print("not measured: a C++ compiler and NVRTC (the extra dev) are required.")
        return
    sources = sources_hash(__file__)
    options = {"command": COMMAND, "script": __file__, "sources": sources}
    rows = [counted(step, launch) for step, launch in enumerate(ladder(), start=1)]
    layer = {"batch": BATCH, "channels": SHAPE.c_in, "size": SHAPE.height}
    known = {"kernels_digest": kernels_digest()}
    values = known | layer | {"rows": rows}
    write_result("benchmark_gpu_counts", values, seeds=[SEED], **options)
    kernels = compiled()
    values = known | {"kernels": kernels}
    write_result("benchmark_gpu_compiled", values, seeds=[], **options)
    for row in rows + kernels:
        print(row)


def ladder():
    """List the four steps on one layer, their arrays on the emulated device.

    Returns
    -------
    list of tuple
        The device, the launch, and the tile that a block makes.
    """
    rng, device = np.random.default_rng(SEED), EmulatedDevice()
    x, W = (
        device.upload(to_bf16_bits(rng.standard_normal(shape).astype(np.float32)))
        for shape in (SHAPE.input, SHAPE.kernel)
    )
    y = device.empty(SHAPE.output, BF16)
    tile = conv.tile_sizes(SHAPE.c_out)
    tiles = (1, 1), (launches.PLAIN_TILE,) * 2, tile, tile
    made = [make(x, W, y, None)[0] for make in gpu_programs.ladder(SHAPE)]
    return [(device, *pair) for pair in zip(made, tiles, strict=True)]


def counted(step, made):
    """Run a step, and return what it did.

    Parameters
    ----------
    step : int
    made : tuple
        From `ladder`.

    Returns
    -------
    dict
        ``wavefronts`` of shared memory are those of matrix loads; None where a kernel
        loads single numbers, which the emulator does not see.
    """
    device, launch, tile = made
    device.run([launch])
    (counts,) = device.counts
    asked = bytes_asked(tile)
    if counts.copies and counts.copied_bytes != asked:
        raise RuntimeError(
            f"{launch.kernel.name} copies {counts.copied_bytes}, not {asked}"
        )
    return {
        "step": step,
        "kernel": launch.kernel.name,
        "bytes_asked": asked,
        "multiply_adds": counts.multiply_adds,
        "wavefronts": counts.load_wavefronts if counts.loads else None,
        "barriers": counts.barriers,
    }


def bytes_asked(tile):
    """Count what blocks read of x and W: each its rows and columns, once.

    Parameters
    ----------
    tile : tuple of int
        Rows and columns that a block makes, or a thread where it works alone.

    Returns
    -------
    int
        Bytes. Taps outside the image are not read.
    """
    rows, columns = math.prod(SHAPE.output[:3]), SHAPE.c_out
    axis = [
        sum(0 <= p + tap < size for p in range(size) for tap in (-1, 0, 1))
        for size in (SHAPE.height, SHAPE.width)
    ]
    seen = SHAPE.n * math.prod(axis) * SHAPE.c_in
    if tile == (1, 1):
        return 2 * seen * columns * BF16.itemsize
    of_x = seen * -(-columns // tile[1])
    of_w = SHAPE.n_weights * -(-rows // tile[0])
    return (of_x + of_w) * BF16.itemsize


def compiled():
    """Compile the ladder and every kernel of a step, for every target.

    Returns
    -------
    list of dict
    """
    paper = PaperDevice()
    net = allconv.init_net(np.random.default_rng(SEED), allconv.CIFAR10)
    images, labels = np.zeros((1, 32, 32, 3), np.uint8), np.zeros(1, int)
    examples = load_examples(paper, images, labels, (np.zeros(3), np.ones(3)))
    step = DeviceStep(paper, net, (examples,) * 2, batch_size=128, series=1)
    every = [launch for _, launch, _ in ladder()] + step.observed
    shared = {launch.kernel: launch.shared_bytes for launch in every}
    rows = []
    for path, kernels in by_source(every).items():
        names = [kernel.name for kernel in kernels]
        for target in TARGETS:
            made = nvrtc.compile_source(cuda_source(path), target, names)
            rows += [
                {
                    "kernel": kernel.name,
                    "target": target,
                    "registers": made.resources[kernel.name].registers,
                    "shared_bytes": shared[kernel],
                    "spill_bytes": made.resources[kernel.name].spilled_bytes,
                }
                for kernel in kernels
            ]
    return rows


if __name__ == "__main__":
    main()
