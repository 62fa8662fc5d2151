"""The compiler for GPUs that needs no GPU, and the real primitives in its hands."""

from pathlib import Path

import pytest
from emulator import nvrtc

import identity_edu
from identity_edu.launch import cuda_source

EXAMPLES = Path(__file__).parent / "emulator" / "examples.cu"
PRIMITIVES = Path(identity_edu.__file__).parent / "conv" / "cuda" / "primitives.cuh"
KERNELS = ["round_to_bf16", "load<NO_FAULT>", "multiply", "reverse_all<NO_FAULT>"]
GREEDY = """
__global__ void f(float *x) {
  float all[40];
  for (int i = 0; i < 40; ++i) all[i] = x[i];
  for (int n = 0; n < 9; ++n)
    for (int i = 0; i < 40; ++i) all[i] += all[(7 * i + n) % 40] * all[n];
  for (int i = 0; i < 40; ++i) x[i] = all[i];
}
"""

pytestmark = pytest.mark.skipif(
    nvrtc.library() is None, reason="needs NVRTC: the package nvidia-cuda-nvrtc"
)


@pytest.mark.parametrize("target", ["sm_80", "sm_90a"])
def test_what_the_emulator_runs_is_made_of_real_instructions(target):
    text = cuda_source(EXAMPLES, {"primitives.cuh": PRIMITIVES.read_text("utf-8")})
    done = nvrtc.compile_source(text, target, [*KERNELS, "add_lanes"])
    assert done.cubin.startswith(b"\x7fELF")
    assert all(0 < r.registers <= 255 for r in done.resources.values())
    assert not any(r.spilled_bytes for r in done.resources.values())


def test_registers_that_do_not_suffice_are_seen():
    options = [*nvrtc.OPTIONS, "--maxrregcount=24"]
    resources = nvrtc.compile_source(GREEDY, "sm_80", ["f"], options).resources["f"]
    assert resources.registers <= 24
    assert resources.spilled_bytes > 0


def test_static_shared_memory_is_seen():
    text = """__global__ void f(float *x) {
      __shared__ float y[64];
      y[threadIdx.x] = x[threadIdx.x];
      __syncthreads();
      x[threadIdx.x] = y[63 - threadIdx.x];
    }"""
    resources = nvrtc.compile_source(text, "sm_90a", ["f"]).resources["f"]
    assert resources.shared_bytes == 256


def test_an_error_names_its_line():
    with pytest.raises(nvrtc.NvrtcError, match=r'\(2\): error: .*"y" is undefined'):
        nvrtc.compile_source("__global__ void f(int *x) {\n*x = y; }", "sm_80")
