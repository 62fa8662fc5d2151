"""The CUDA kernels compute what the definitions say, at every edge, in every order."""

import numpy as np
import pytest
from emulator import EmulatedDevice
from kernels.cases import CALLS, EDGY, KERNELS
from kernels.convolution import Case, Operands
from kernels.devices import make_device, needs_compiler, on_each_device
from kernels.numbers import FLOAT, exact, nearest_bf16, steps_off

from identity_edu.bf16 import from_bf16_bits
from identity_edu.conv.direct import conv2d
from identity_edu.launch import BF16

WAYS = [
    {"order": "backward"},
    {"order": "shuffled", "copies": "early"},
    {"copies": "early"},
]
TILED = ("conv3x3_forward", "conv3x3_input_gradient", "conv3x3_weight_gradient")


@on_each_device
def device(request):
    return make_device(request.param)


def some(cases):
    """Return a few cases, the last one among them."""
    return [*cases[3 :: max(1, len(cases) // 5)], cases[-1]]


@pytest.mark.parametrize(("name", "case"), CALLS, ids=str)
def test_a_kernel_agrees_with_the_definition(device, name, case):
    KERNELS[name].check(device, case)


@needs_compiler
@pytest.mark.parametrize("knobs", WAYS, ids=lambda knobs: "-".join(knobs.values()))
@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_gives_the_same_bits_in_every_order(name, knobs):
    kernel = KERNELS[name]
    for case in some(kernel.cases):
        expected = kernel.check(EmulatedDevice(), case)
        got = kernel.check(EmulatedDevice(**knobs), case)
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", ["conv3x3_forward", "conv3x3_input_gradient"])
def test_what_is_fused_is_rounded_once(device, name):
    # The float32 output of the same kernel, rounded, has the same bits.
    for shape in EDGY:
        for words in ("", "added"):
            stored, full = (
                KERNELS[name].check(device, Case(shape, out=out, epilogue=words))
                for out in (BF16, FLOAT)
            )
            np.testing.assert_array_equal(stored, nearest_bf16(exact(full)))


def test_hardly_a_number_is_the_neighbour_of_the_nearest(device):
    kernel, off = KERNELS["conv3x3_forward"], []
    for case in kernel.cases:
        if case.out == BF16 and not case.epilogue:
            operands = Operands(device, case)
            x, W = operands["x"], operands["W"]
            expected = conv2d(x, W, stride=case.shape.stride)
            off.append(steps_off(kernel.check(device, case), expected).ravel())
    off = np.concatenate(off)
    # An error of 1e-7 in a sum meets the middle between two numbers of bf16, 4e-3
    # apart, once in thousands.
    assert len(off) > 1e5
    assert np.mean(off) < 1e-3


@needs_compiler
@pytest.mark.parametrize("name", TILED)
def test_no_load_of_the_tiles_waits_for_a_bank(name):
    device, kernel = EmulatedDevice(), KERNELS[name]
    for case in kernel.cases[::5]:
        kernel.check(device, case)
        (counts,) = device.counts
        assert counts.multiply_adds > 0
        assert counts.load_wavefronts == 4 * counts.loads
        assert counts.copy_wavefronts * 8 == counts.copies


@needs_compiler
def test_without_turns_loads_wait_for_banks():
    # A row of A has 64 bytes, so four of eight rows share banks; one of B has 128 or
    # 256, and all eight do. There are as many loads of A as of B.
    device, kernel = EmulatedDevice(), KERNELS["tensor_forward"]
    for case in kernel.cases[::3]:
        kernel.check(device, case)
        (counts,) = device.counts
        assert counts.load_wavefronts == 4 * counts.loads * (4 + 8) / 2


def test_rounding_to_bf16_at_once_is_to_the_nearest():
    rng = np.random.default_rng(0)
    x = np.concatenate(
        [rng.standard_normal(10**4) * 10.0 ** rng.integers(-5, 5, 10**4)]
    )
    bits = nearest_bf16(x).astype(int)
    here = abs(from_bf16_bits(bits.astype(np.uint16)).astype(float) - x)
    for other in (bits - 1, bits + 1):
        there = abs(from_bf16_bits(other.astype(np.uint16)).astype(float) - x)
        assert (here <= there).all()
