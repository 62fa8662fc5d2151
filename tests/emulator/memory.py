"""Arrays of the emulated device, between pages that nobody may touch."""

import ctypes
import itertools
import mmap
from types import SimpleNamespace

import numpy as np

PAGE = mmap.PAGESIZE
CLOSED = 2**22  # bytes on either side of an allocation: addresses, not memory
ALIGNMENT = 16  # of the widest access
UNWRITTEN = 0xFF  # as bf16 and as float: not a number
GUARDS = 0x7FC0 + np.arange(64, dtype=np.uint16)  # other such numbers, as bf16


class Allocation:
    """Bytes that end, up to alignment, where a closed page begins.

    A thread that reads or writes beyond the page is stopped there. The few bytes around
    the array inside its own pages are looked at after each launch; they differ between
    neighbours, so that a copy of one array's surroundings to another's is seen.
    """

    _numbers = itertools.count()

    def __init__(self, n_bytes):
        self.n_bytes = n_bytes
        padded = -(-n_bytes // ALIGNMENT) * ALIGNMENT
        n_open = -(-max(padded, 1) // PAGE) * PAGE
        private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        region = np.frombuffer(mmap.mmap(-1, n_open + 2 * CLOSED, private), np.uint8)
        for start in (0, CLOSED + n_open):
            _close(region[start : start + CLOSED])
        pages = region[CLOSED : CLOSED + n_open]
        pages.view(np.uint16)[:] = GUARDS[next(self._numbers) % len(GUARDS)]
        first = n_open - padded
        self.bytes = pages[first : first + n_bytes]
        self.bytes[:] = UNWRITTEN
        self._before, self._after = pages[:first], pages[first + n_bytes :]
        self._as_before, self._as_after = self._before.copy(), self._after.copy()

    def fault(self):
        """Say what was written around the array, or return None."""
        before = np.flatnonzero(self._before != self._as_before)
        after = np.flatnonzero(self._after != self._as_after)
        if len(before):
            return f"{len(self._before) - before[-1]} bytes before the start of"
        return f"{after[0]} bytes after the end of" if len(after) else None


def _close(pages):
    """Let the system stop whoever reads or writes there."""
    libc = ctypes.CDLL(None, use_errno=True)
    place = ctypes.c_void_p(pages.ctypes.data), ctypes.c_size_t(pages.nbytes)
    nothing = 0  # PROT_NONE
    if libc.mprotect(*place, nothing):
        raise OSError(ctypes.get_errno(), "mprotect refuses to close pages")


class EmulatedArray:
    """An array on the emulated device, which NumPy cannot read by mistake.

    Parameters
    ----------
    host : numpy.ndarray
        The numbers, contiguous, in the memory of `allocation`.
    allocation : Allocation
    """

    __array_ufunc__ = None

    def __init__(self, host, allocation):
        if not host.flags.c_contiguous:
            raise ValueError("a part of an array on the device must be contiguous.")
        self._host, self.allocation = host, allocation
        self.shape, self.dtype = host.shape, host.dtype
        self.size, self.nbytes, self.ndim = host.size, host.nbytes, host.ndim
        self.data = SimpleNamespace(ptr=host.ctypes.data)

    def __array__(self, *args, **kwargs):
        """Refuse, as CuPy does."""
        raise TypeError("an array on the device is moved to NumPy by download().")

    def __len__(self):
        """Return the length of the first axis."""
        return len(self._host)

    def __getitem__(self, key):
        """Return a contiguous part, which shares memory."""
        return EmulatedArray(self._host[key], self.allocation)

    def reshape(self, *shape):
        """Return the same numbers in another shape, which share memory."""
        return EmulatedArray(self._host.reshape(*shape), self.allocation)

    def view(self, dtype):
        """Return the same bytes as numbers of another type."""
        return EmulatedArray(self._host.view(dtype), self.allocation)

    def ravel(self):
        """Return the same numbers along one axis, which share memory."""
        return self.reshape(-1)
