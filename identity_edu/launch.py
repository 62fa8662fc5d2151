"""What a device is asked to do, as data: kernels, and launches of them.

A computation is a list of `Launch`, made once from shapes and arrays. A device runs the
list (`identity_edu.device`); the tests have one that does so on a processor. Nothing
here needs a GPU.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

INCLUDE = re.compile(r'#include "(.+)"')
NULL = np.uint64(0)  # an argument that is no array
BF16 = np.dtype(np.uint16)  # NumPy has no such type: its bits


@dataclass(frozen=True)
class Kernel:
    """One function of one CUDA source.

    Attributes
    ----------
    path : pathlib.Path
        Of the ``.cu`` file.
    name : str
        As C++ names it, with its template arguments.
    """

    path: Path
    name: str


@dataclass(frozen=True)
class Launch:
    """A kernel, with all that it needs to run.

    Attributes
    ----------
    kernel : Kernel
    grid : tuple of int
        Blocks along x, y and z.
    block : int
        Threads of a block.
    args : tuple
        Device arrays, whose addresses are passed, and NumPy scalars, by value.
    shared_bytes : int
        Shared memory of a block.
    flops : int
        Floating-point operations of what is computed, whatever the kernel does.
    bytes : int
        The least that must cross between chip and memory: every operand once.
    """

    kernel: Kernel
    grid: tuple[int, int, int]
    block: int
    args: tuple
    shared_bytes: int = 0
    flops: int = 0
    bytes: int = 0


def cuda_source(path, replace=None):
    """Return a CUDA source with its own headers in place of their names.

    One text is all that a compiler needs then, and all that CuPy's cache of compiled
    kernels knows: it does not look into headers.

    Parameters
    ----------
    path : pathlib.Path
    replace : dict of str to str, optional
        Other texts, by the file names of headers.

    Returns
    -------
    str
    """
    return _expanded(Path(path), {} if replace is None else replace, set())


def _expanded(path, replace, seen):
    lines = []
    for line in path.read_text("utf-8").splitlines():
        include = INCLUDE.fullmatch(line)
        if include is None:
            lines.append(line)
            continue
        header = path.parent / include[1]
        if header.name not in seen:
            seen.add(header.name)
            other = replace.get(header.name)
            lines.append(_expanded(header, replace, seen) if other is None else other)
    return "\n".join(lines) + "\n"


def by_source(launches):
    """Group what must be compiled.

    Parameters
    ----------
    launches : sequence of Launch

    Returns
    -------
    dict of pathlib.Path to list of Kernel
        In order of appearance, each kernel once.
    """
    groups = {}
    for kernel in dict.fromkeys(launch.kernel for launch in launches):
        groups.setdefault(kernel.path, []).append(kernel)
    return groups


@dataclass(frozen=True)
class PaperArray:
    """An array with a shape and a type, and no numbers.

    Attributes
    ----------
    shape : tuple of int
    dtype : dtype
    """

    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def size(self):
        """Number of entries."""
        return math.prod(self.shape)

    @property
    def nbytes(self):
        """Bytes that it would take."""
        return self.size * self.dtype.itemsize


class PaperDevice:
    """A device that runs nothing: what would run there can be listed and counted.

    Attributes
    ----------
    n_bytes : int
        Of all arrays that were asked for.
    """

    def __init__(self):
        self.n_bytes = 0

    def empty(self, shape, dtype):
        """Describe an array.

        Parameters
        ----------
        shape : tuple of int
        dtype : dtype

        Returns
        -------
        PaperArray
        """
        array = PaperArray(tuple(shape), np.dtype(dtype))
        self.n_bytes += array.nbytes
        return array

    zeros = empty

    def upload(self, host):
        """Describe the copy of an array.

        Parameters
        ----------
        host : numpy.ndarray

        Returns
        -------
        PaperArray
        """
        return self.empty(host.shape, host.dtype)
