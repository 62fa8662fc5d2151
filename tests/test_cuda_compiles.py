"""Every CUDA kernel that can be launched compiles for two GPUs, and fits on them."""

import math
import re
from itertools import product

import numpy as np
import pytest
from emulator import nvrtc
from kernels.cases import KERNELS
from kernels.catalogue import all_launches

from identity_edu.conv import cuda
from identity_edu.conv.cuda import launches
from identity_edu.launch import cuda_source

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
