"""Checks of the kernels for convolutions, against the definition."""

from contextlib import nullcontext
from dataclasses import dataclass
from unittest import mock

import numpy as np

from identity_edu.conv import cuda
from identity_edu.conv.cuda import launches
from identity_edu.conv.direct import conv2d, conv2d_backward, conv2d_input_gradient
from identity_edu.launch import BF16
from kernels.numbers import (
    FLOAT,
    TYPES,
    assert_stored,
    exact,
    numbers,
    stored_as,
    unwritten,
)


@dataclass(frozen=True)
class Case:
    """One call: what is convolved, in which type, and what follows."""

    shape: cuda.Shape
    dtype: np.dtype = BF16
    out: np.dtype = FLOAT  # what the kernel stores
    epilogue: str = ""  # of added, relu, mask; "in place": to `added` itself
    blocks: int | None = None  # that a weight gradient is split into, unless as usual

    def __str__(self):
        """Name the case."""
        s = self.shape
        sizes = f"{s.n}x{s.height}x{s.width}x{s.c_in}to{s.c_out}"
        types = f"{TYPES[self.dtype]}-{TYPES[self.out]}"
        rest = f"{self.blocks or ''}{self.epilogue.replace(' ', '-')}"
        return f"{sizes}-{s.side}by{s.side}/{s.stride}-{types}-{rest}".rstrip("-")


class Operands:
    """The arrays of one case, on the host and on the device."""

    def __init__(self, device, case):
        rng = np.random.default_rng([*case.shape.input, *case.shape.output])
        self.device, self.case = device, case
        self.host = {
            name: numbers(rng, shape, case.dtype)
            for name, shape in {
                "x": case.shape.input,
                "W": case.shape.kernel,
                "grad_y": case.shape.output,
                "added to x": case.shape.input,
                "added to y": case.shape.output,
                "mask": case.shape.input,
            }.items()
        }
        for zero, share in ((0.0, 0.3), (-0.0, 0.1)):  # beside numbers of either sign
            bits = stored_as(np.array([zero], np.float32), case.dtype)
            self.host["mask"][rng.random(case.shape.input) < share] = bits
        self.there = {name: device.upload(host) for name, host in self.host.items()}

    def __getitem__(self, name):
        """Return what is stored under a name, as float64."""
        return exact(self.host[name])

    def output(self, name, shape):
        """Return where to write, and what to add on the way, if anything."""
        added = (
            self.there[f"added to {name}"] if "added" in self.case.epilogue else None
        )
        if "in place" in self.case.epilogue:
            copy = self.device.upload(self.host[f"added to {name}"])
            return copy, copy
        return unwritten(self.device, shape, self.case.out), added

    def run(self, launch):
        """Run a launch, and see that it leaves what it reads as it is."""
        self.device.run([launch])
        for name, array in self.there.items():
            np.testing.assert_array_equal(self.device.download(array), self.host[name])


def check_forward(device, case):
    """Run the forward kernel of a case; return what it stored."""
    operands, shape = Operands(device, case), case.shape
    y, added = operands.output("y", shape.output)
    is_relu = "relu" in case.epilogue
    arrays = operands.there["x"], operands.there["W"], y
    operands.run(launches.forward(shape, *arrays, added=added, relu=is_relu))
    expected = conv2d(operands["x"], operands["W"], stride=shape.stride)
    if added is not None:
        expected += operands["added to y"]
    stored = device.download(y)
    assert_stored(stored, np.maximum(expected, 0) if is_relu else expected)
    return stored


def check_input_gradient(device, case):
    """Run the kernel for the gradient at the images; return what it stored."""
    operands, shape = Operands(device, case), case.shape
    grad_x, added = operands.output("x", shape.input)
    mask = operands.there["mask"] if "mask" in case.epilogue else None
    arrays = operands.there["grad_y"], operands.there["W"], grad_x
    operands.run(launches.input_gradient(shape, *arrays, added=added, mask=mask))
    here = operands["grad_y"], operands["x"], operands["W"]
    expected = conv2d_input_gradient(*here, stride=shape.stride)
    if mask is not None:
        expected *= operands["mask"] > 0
    if added is not None:
        expected += operands["added to x"]
    stored = device.download(grad_x)
    assert_stored(stored, expected)
    return stored


def check_weight_gradient(device, case):
    """Run the kernel for the gradient at the kernel; return its parts."""
    operands, shape = Operands(device, case), case.shape
    x, grad_y = operands.there["x"], operands.there["grad_y"]
    with _split_into(case.blocks):
        size = (launches.n_parts(shape, case.dtype), *shape.kernel)
        parts = unwritten(device, size, FLOAT)
        operands.run(launches.weight_gradient(shape, x, grad_y, parts))
    here = operands["grad_y"], operands["x"], operands["W"]
    _, expected = conv2d_backward(*here, stride=shape.stride)
    stored = device.download(parts)
    assert_stored(stored.sum(0), expected)
    return stored


def _split_into(blocks):
    """Return a context in which weight gradients are split into so many blocks."""
    if blocks is None:
        return nullcontext()
    return mock.patch.object(launches, "WEIGHT_BLOCKS", blocks)
