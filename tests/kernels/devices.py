"""What the checks run on: the emulated device, and a GPU in runs with ``-m gpu``."""

import pytest
from emulator import EmulatedDevice, compiler

from identity_edu.backend import gpu_status
from identity_edu.device import CudaDevice

needs_compiler = pytest.mark.skipif(
    compiler() is None, reason="needs a C++ compiler: g++, on Linux"
)
on_each_device = pytest.fixture(
    params=[
        pytest.param("emulated", marks=needs_compiler),
        pytest.param("gpu", marks=pytest.mark.gpu),
    ]
)


def make_device(name):
    """Return a device, or skip the test where there is none."""
    if name == "emulated":
        return EmulatedDevice()
    if not (status := gpu_status()).startswith("ready"):
        pytest.skip(status)
    return CudaDevice()
