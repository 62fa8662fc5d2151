"""Compile CUDA sources for GPUs, without one: NVRTC from its pip package, by ctypes."""

import ctypes
import functools
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

# As CuPy compiles: it flushes denormal numbers to zero.
OPTIONS = (
    "-std=c++17",
    "-ftz=true",
    "--device-as-default-execution-space",
    "--ptxas-options=-v",
)
ENTRY = re.compile(r"Compiling entry function '(\w+)'")
REGISTERS = re.compile(r"Used (\d+) registers")
SHARED = re.compile(r"(\d+) bytes smem")
SPILLS = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")


class NvrtcError(Exception):
    """NVRTC refused; the message is its log."""


@dataclass(frozen=True)
class Resources:
    """What one kernel takes of a multiprocessor."""

    registers: int  # of a thread
    shared_bytes: int  # of a block, besides what the launch adds
    spilled_bytes: int  # stored and loaded for want of registers, per thread


@dataclass(frozen=True)
class Compiled:
    """What NVRTC made of a source."""

    cubin: bytes
    log: str
    resources: dict  # Resources by name expression


@functools.cache
def library():
    """Return NVRTC as pip installed it, or None.

    Returns
    -------
    ctypes.CDLL or None
    """
    package = importlib.util.find_spec("nvidia")
    for folder in package.submodule_search_locations if package else ():
        for path in sorted(Path(folder).glob("*/lib/libnvrtc.so.*")):
            return ctypes.CDLL(str(path))
    return None


def compile_source(text, target, names=(), options=OPTIONS):
    """Compile a source.

    Parameters
    ----------
    text : str
        All of it: NVRTC reads no other file.
    target : str
        Such as ``"sm_90a"``.
    names : sequence of str
        The kernels, as C++ name expressions.
    options : sequence of str

    Returns
    -------
    Compiled

    Raises
    ------
    NvrtcError
        If the source does not compile.
    """
    nvrtc = library()
    program = ctypes.c_void_p()
    code, none = text.encode(), ctypes.c_void_p()
    _check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), code, none, 0, none, none))
    try:
        for name in names:
            _check(nvrtc.nvrtcAddNameExpression(program, name.encode()))
        words = [f"--gpu-architecture={target}".encode(), *map(str.encode, options)]
        array = (ctypes.c_char_p * len(words))(*words)
        failed = nvrtc.nvrtcCompileProgram(program, len(words), array)
        log = _bytes(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, program)
        log = log.rstrip(b"\0").decode()
        if failed:
            raise NvrtcError(log)
        cubin = _bytes(nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN, program)
        lowered = {name: _lowered(nvrtc, program, name) for name in names}
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return Compiled(cubin, log, _resources(log, lowered))


def _check(code):
    if code:
        library().nvrtcGetErrorString.restype = ctypes.c_char_p
        raise NvrtcError(library().nvrtcGetErrorString(code).decode())


def _bytes(get_size, get, program):
    size = ctypes.c_size_t()
    _check(get_size(program, ctypes.byref(size)))
    text = ctypes.create_string_buffer(size.value)
    _check(get(program, text))
    return text.raw


def _lowered(nvrtc, program, name):
    """Return a kernel's name in the object code."""
    lowered = ctypes.c_char_p()
    _check(nvrtc.nvrtcGetLoweredName(program, name.encode(), ctypes.byref(lowered)))
    return lowered.value.decode()


def _resources(log, lowered):
    """Read what the assembler says of each kernel."""
    parts = ENTRY.split(log)[1:]
    said = dict(zip(parts[::2], parts[1::2], strict=True))
    return {name: _of_kernel(said[entry]) for name, entry in lowered.items()}


def _of_kernel(text):
    shared = SHARED.search(text)
    return Resources(
        registers=int(REGISTERS.search(text)[1]),
        shared_bytes=int(shared[1]) if shared else 0,
        spilled_bytes=sum(map(int, SPILLS.search(text).groups())),
    )
