"""The emulated device: `identity_edu.device.CudaDevice`, on a processor."""

import ctypes
import time
import weakref
from dataclasses import dataclass

import numpy as np

from emulator.build import libraries
from emulator.memory import Allocation, EmulatedArray

ORDERS = ("forward", "backward", "shuffled")
COPIES = ("late", "early")
MOST_THREADS, MOST_SHARED_BYTES = 1024, 227 * 1024
MOST_BLOCKS = (2**31 - 1, 2**16 - 1, 2**16 - 1)
MESSAGE_BYTES = 1024


class KernelError(Exception):
    """A kernel did what no kernel may do; the message says which thread did what."""


@dataclass(frozen=True)
class Counts:
    """What one launch did.

    A wavefront is one answer of shared memory, 128 bytes at most; a warp's 16 bytes per
    lane take at least four.
    """

    multiply_adds: int  # by a warp: 16 x 8 x 16
    loads: int  # load_matrices, by a warp
    load_wavefronts: int
    copies: int  # copy_async, by a thread
    copy_wavefronts: int
    copied_bytes: int
    zero_bytes: int  # of copies from outside
    barriers: int  # by a block


class _Counts(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in Counts.__dataclass_fields__]


class _Array(ctypes.Structure):
    _fields_ = [("begin", ctypes.c_void_p), ("bytes", ctypes.c_ulonglong)]


class _Request(ctypes.Structure):
    _fields_ = [
        ("kernel", ctypes.c_char_p),
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint),
        ("shared_bytes", ctypes.c_uint),
        ("order", ctypes.c_int),
        ("copies_are_early", ctypes.c_int),
        ("seed", ctypes.c_ulonglong),
        ("arrays", ctypes.POINTER(_Array)),
        ("n_arrays", ctypes.c_uint),
        ("message", ctypes.c_char_p),
        ("message_bytes", ctypes.c_uint),
        ("counts", _Counts),
    ]


class EmulatedDevice:
    """Run launches on this machine's processor, strictly.

    Parameters
    ----------
    order : {"forward", "backward", "shuffled"}
        In which order blocks, warps and lanes run. The first two let each warp run as
        far as the barriers allow before the next one starts.
    seed : int
        Of the shuffle.
    copies : {"late", "early"}
        When `copy_async` lands: at the wait for it, until when nobody can read what was
        there before, or at once.
    memory_bytes : int
        How much may be allocated.

    Attributes
    ----------
    counts : list of Counts
        One for each launch of the latest run.
    """

    name = "emulated device"

    def __init__(self, order="forward", seed=0, copies="late", memory_bytes=2**34):
        if order not in ORDERS or copies not in COPIES:
            got = f"{order!r}, {copies!r}"
            raise ValueError(
                f"order is one of {ORDERS}, copies of {COPIES}; got {got}."
            )
        self.order, self.seed, self.copies = order, seed, copies
        self.counts = []
        self._free_bytes = memory_bytes

    def empty(self, shape, dtype):
        """Return an array of bytes that are no numbers."""
        dtype = np.dtype(dtype)
        n_bytes = int(np.prod(shape)) * dtype.itemsize
        if n_bytes > self._free_bytes:
            free = self._free_bytes
            raise MemoryError(f"{n_bytes} bytes asked for; the device has {free} left.")
        allocation = Allocation(n_bytes)
        self._free_bytes -= n_bytes
        weakref.finalize(allocation, self._release, n_bytes)
        return EmulatedArray(allocation.bytes.view(dtype).reshape(shape), allocation)

    def _release(self, n_bytes):
        self._free_bytes += n_bytes

    def zeros(self, shape, dtype):
        """Return an array of zeros."""
        array = self.empty(shape, dtype)
        array._host[...] = 0
        return array

    def upload(self, host, out=None):
        """Copy a NumPy array to the device, into `out` where that is given."""
        host = np.asarray(host)
        out = self.empty(host.shape, host.dtype) if out is None else out
        if (out.shape, out.dtype) != (host.shape, host.dtype):
            got = f"{host.shape} {host.dtype}"
            raise ValueError(f"out is {out.shape} {out.dtype}; got {got}.")
        out._host[...] = host
        return out

    def download(self, array):
        """Copy an array of the device to NumPy."""
        return array._host.copy()

    def free_bytes(self):
        """Return how many bytes can still be allocated."""
        return self._free_bytes

    def synchronize(self):
        """Return: nothing is ever under way."""

    def run(self, launches):
        """Run launches in their order."""
        launches = list(launches)
        loaded = _loaded(launches)
        self.counts = [self._launch(loaded[one.kernel], one) for one in launches]

    def capture(self, launches):
        """Return launches as a graph, which ``replay()`` runs."""
        launches = tuple(launches)
        _loaded(launches)
        return _Graph(self, launches)

    def milliseconds(self, start, n):
        """Time n repetitions, on this machine's clock."""
        times = [time.perf_counter()]
        for _ in range(n):
            start()
            times.append(time.perf_counter())
        return np.diff(times) * 1e3

    def _launch(self, library, launch):
        _check_size(launch)
        pointers, _slots = _arguments(_types(library), launch)
        arrays = [one for one in launch.args if isinstance(one, EmulatedArray)]
        ranges = [(one.data.ptr, one.nbytes) for one in arrays]
        message = ctypes.create_string_buffer(MESSAGE_BYTES)
        request = _Request(
            kernel=launch.kernel.name.encode(),
            grid=launch.grid,
            block=launch.block,
            shared_bytes=launch.shared_bytes,
            order=ORDERS.index(self.order),
            copies_are_early=self.copies == "early",
            seed=self.seed,
            arrays=(_Array * len(ranges))(*ranges),
            n_arrays=len(ranges),
            message=ctypes.cast(message, ctypes.c_char_p),
            message_bytes=MESSAGE_BYTES,
        )
        library.launch.restype = ctypes.c_bool
        if not library.launch(ctypes.byref(request), pointers):
            raise KernelError(message.value.decode())
        for i, array in enumerate(arrays):
            if fault := array.allocation.fault():
                name = launch.kernel.name
                raise KernelError(f"{name} wrote {fault} array argument {i}")
        return Counts(**{n: getattr(request.counts, n) for n, _ in _Counts._fields_})


class _Graph:
    def __init__(self, device, launches):
        self._device, self._launches = device, launches

    def replay(self):
        """Run the launches."""
        self._device.run(self._launches)


def _loaded(launches):
    """Return the library of each kernel."""
    kernels = list(dict.fromkeys(launch.kernel for launch in launches))
    return dict(zip(kernels, libraries(kernels), strict=True))


def _check_size(launch):
    """Raise KernelError where a GPU would not start the launch."""
    name, limits = launch.kernel.name, (*MOST_BLOCKS, MOST_THREADS)
    sizes = (*launch.grid, launch.block)
    if not all(0 < n <= most for n, most in zip(sizes, limits, strict=True)):
        text = f"at most {MOST_BLOCKS} blocks of {MOST_THREADS} threads"
        got = f"{launch.grid} of {launch.block}"
        raise KernelError(f"{name}: {text}; got {got}")
    if launch.shared_bytes > MOST_SHARED_BYTES:
        text = f"at most {MOST_SHARED_BYTES} bytes of shared memory"
        raise KernelError(f"{name}: {text}; got {launch.shared_bytes}")


def _types(library):
    """Return the types of a kernel's parameters."""
    text = ctypes.create_string_buffer(MESSAGE_BYTES)
    library.types(text)
    return text.value.decode().split()


def _arguments(types, launch):
    """Return pointers to the arguments, and what they point to.

    Raises TypeError where one is not of the type that the kernel declares: a GPU would
    read the wrong bytes.
    """
    given = [_type(argument) for argument in launch.args]
    if len(given) != len(types) or not all(map(_fits, types, given)):
        name = launch.kernel.name
        raise TypeError(f"{name} takes ({', '.join(types)}); got ({', '.join(given)}).")
    slots = [
        np.array(a.data.ptr if isinstance(a, EmulatedArray) else a) for a in launch.args
    ]
    pointers = (ctypes.c_void_p * len(slots))(*(slot.ctypes.data for slot in slots))
    return pointers, slots


def _type(argument):
    """Return the type as NumPy writes it, with a star before that of an array."""
    if isinstance(argument, EmulatedArray):
        return f"*{argument.dtype.str[1:]}"
    if isinstance(argument, np.generic):
        return argument.dtype.str[1:]
    return type(argument).__name__


def _fits(wanted, given):
    """Tell whether an argument may be passed: vectors point to anything, 0 to none."""
    is_pointer = wanted.startswith("*")
    return (
        wanted == given
        or (is_pointer and given == "u8")
        or (wanted.startswith("*V") and given.startswith("*"))
    )
