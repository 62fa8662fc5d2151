"""Every CUDA kernel that can be launched compiles for two GPUs, and fits on them."""

import math
import re
from itertools import product

import numpy as np
import pytest
from emulator import nvrtc
from kernels.blueprint import outline
from kernels.cases import KERNELS, PLAIN
from kernels.nets import NETS, outlined

from identity_edu.conv import cuda
from identity_edu.conv.cuda import Shape, launches
from identity_edu.launch import BF16, Launch, cuda_source
from identity_edu.launch import Kernel as Named

TARGETS = ["sm_80", "sm_90a"]
FLOAT = np.dtype(np.float32)
SOURCES = sorted({kernel.source for kernel in KERNELS.values()})
NAME = re.compile(r"__global__ void\s+(?:__launch_bounds__\([^)]*\)\s+)?(\w+)\(")

# Of one multiprocessor.
REGISTERS = 2**16
SHARED_BYTES = {"sm_80": 164 * 1024, "sm_90a": 228 * 1024}
TAKEN_BYTES = 1024  # of shared memory, by each block

needs_nvrtc = pytest.mark.skipif(
    nvrtc.library() is None, reason="needs NVRTC: the package nvidia-cuda-nvrtc"
)


def convolutions(shape, dtype, out):
    """List the launches of the three kernels of a convolution."""
    sizes = (shape.input, shape.kernel, shape.output)
    x, W, y = (outline(size, dtype) for size in sizes)
    parts = outline((launches.n_parts(shape, dtype), *shape.kernel), FLOAT)
    return [
        cuda.forward(shape, x, W, outline(shape.output, out)),
        cuda.input_gradient(shape, y, W, outline(shape.input, out)),
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
        kernel = Named(ladder, f"tensor_forward<{tile_n}>")
        found.append(Launch(kernel, (1, 1, 1), launches.THREADS, (), shared_bytes))
    return [*found, Launch(Named(ladder, "naive_forward"), (1, 1, 1), 256, ())]


LAUNCHES = {launch.kernel: launch for launch in all_launches()}


@needs_nvrtc
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_source_compiles_and_its_kernels_fit(source, target):
    kernels = {k.name: launch for k, launch in LAUNCHES.items() if k.path == source}
    compiled = nvrtc.compile_source(cuda_source(source), target, list(kernels))
    assert compiled.cubin
    for name, launch in kernels.items():
        found = compiled.resources[name]
        assert found.spilled_bytes == 0, f"{name}: {found}"
        assert found.shared_bytes == 0, f"{name}: all of it is asked for by launches"
        # Two blocks at least: while one waits at a barrier, another works.
        assert 2 * launch.block * found.registers <= REGISTERS, f"{name}: {found}"
        taken = launch.shared_bytes + TAKEN_BYTES
        assert 2 * taken <= SHARED_BYTES[target], f"{name}: {launch.shared_bytes}"


def test_every_kernel_of_every_source_can_be_launched():
    sources = {source: source.read_text("utf-8") for source in SOURCES}
    folders = {source.parent for source in SOURCES}
    assert sorted(p for folder in folders for p in folder.glob("*.cu")) == SOURCES
    for source, text in sources.items():
        named = {k.name.partition("<")[0] for k in LAUNCHES if k.path == source}
        assert set(NAME.findall(text)) == named, source.name


def test_every_instantiation_is_known():
    wide, types = ("64", "128"), ("bf16", "float")
    arguments = {
        "conv3x3_forward": set(map(", ".join, product(wide, types))),
        "conv3x3_input_gradient": set(map(", ".join, product(wide, types))),
        "draw_batch": {f"{p}, {t}" for p in ("unsigned char", "float") for t in types},
        "conv3x3_weight_gradient": set(wide),
        "tensor_forward": set(wide),
        "naive_forward": {""},
        "end_step": {""},
    }
    found = {}
    for kernel in LAUNCHES:
        name, _, of = kernel.name.partition("<")
        found.setdefault(name, set()).add(of.removesuffix(">"))
    assert found == {name: arguments.get(name, set(types)) for name in KERNELS}


def test_tiles_are_as_large_in_the_launches_as_in_the_sources():
    text = cuda_source(cuda.FOLDER / "tiles.cuh")
    plain = cuda_source(cuda.FOLDER / "plain.cu")
    for constant, words, value in [
        ("TILE_K", text, launches.TILE_K),
        ("STAGES", text, launches.STAGES),
        ("THREADS", text, launches.THREADS),
        ("WARP_TILE", text, launches.WARP_TILE),
        ("CHUNK", text, launches.CHUNK),
        ("DEPTH", plain, launches.PLAIN_DEPTH),
        ("SIDE_THREADS", plain, math.isqrt(launches.PLAIN_THREADS)),
    ]:
        assert re.search(rf"\b{constant} = {value}\b", words), constant
