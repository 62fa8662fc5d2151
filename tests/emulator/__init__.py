"""Run CUDA kernels without a GPU: the same text, compiled by g++ for a processor.

`EmulatedDevice` has the methods of `identity_edu.device.CudaDevice`. The header
``primitives.cuh`` with its PTX is replaced by one that calls ``machine.cpp``, where the
threads of a block are fibers that run one at a time, and every rule of the model that a
GPU forgives by luck is held to.
"""

from emulator.build import CompileError, compiler
from emulator.device import Counts, EmulatedDevice, KernelError
from emulator.memory import EmulatedArray

__all__ = [
    "CompileError",
    "Counts",
    "EmulatedArray",
    "EmulatedDevice",
    "KernelError",
    "compiler",
]
