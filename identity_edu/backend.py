"""The one place that knows arrays may live on a GPU.

Every other module asks `as_floating` for the namespace of its inputs (`numpy`, or
`cupy` when they are CuPy arrays) and then runs the same body on either.
"""

import functools
import sys

import numpy as np


def _is_cupy(array):
    """Tell whether `array` is a CuPy array, without importing CuPy."""
    return type(array).__module__.split(".", 1)[0] == "cupy"


def array_namespace(*arrays):
    """Return the array library that all `arrays` belong to.

    Parameters
    ----------
    *arrays : array or array-like
        Lists and numbers count as NumPy.

    Returns
    -------
    module
        `numpy`, or `cupy` if every array is a CuPy array.

    Raises
    ------
    TypeError
        If NumPy and CuPy arrays are mixed: moving data between devices is always
        an explicit step here (`to_device`, `to_numpy`).
    """
    on_gpu = [_is_cupy(a) for a in arrays]
    if any(on_gpu) and not all(on_gpu):
        kinds = ", ".join(type(a).__module__ + "." + type(a).__name__ for a in arrays)
        raise TypeError(
            f"all arrays must be on one device; got {kinds}. "
            "Move them first with to_device(...) or to_numpy(...)."
        )
    return sys.modules["cupy"] if on_gpu and on_gpu[0] else np


def as_floating(*arrays):
    """Return the common namespace and the arrays in one floating dtype.

    Integers and booleans become float64 (they would truncate a gradient); float32
    stays float32 when all floating inputs are float32.

    Parameters
    ----------
    *arrays : array or array-like of real numbers

    Returns
    -------
    tuple
        ``(xp, (array, ...))``: the namespace, and the converted arrays. An array
        that has the right dtype already is returned as it is, not copied.

    Raises
    ------
    TypeError
        If the devices are mixed, or an input is complex or not numeric.
    """
    xp = array_namespace(*arrays)
    arrays = tuple(xp.asarray(a) for a in arrays)
    for a in arrays:
        if a.dtype.kind not in "fiub":
            raise TypeError(f"real numbers are required; got an array of {a.dtype}.")
    dtypes = [a.dtype if a.dtype.kind == "f" else np.dtype(np.float64) for a in arrays]
    dtype = np.result_type(*dtypes)
    return xp, tuple(a.astype(dtype, copy=False) for a in arrays)


def to_numpy(array):
    """Return an array in host memory.

    Parameters
    ----------
    array : array or array-like

    Returns
    -------
    numpy.ndarray
        Not a copy if it is one already.
    """
    return array.get() if _is_cupy(array) else np.asarray(array)


def to_device(array, backend):
    """Move an array to a backend by name.

    Parameters
    ----------
    array : array
    backend : {"numpy", "cupy"}

    Returns
    -------
    array

    Raises
    ------
    ValueError
        If `backend` has another name.
    RuntimeError
        If ``"cupy"`` is asked for and no GPU can be used; the message says why.
    """
    if backend == "numpy":
        return to_numpy(array)
    if backend != "cupy":
        raise ValueError(f'backend must be "numpy" or "cupy"; got {backend!r}.')
    status = gpu_status()
    if not status.startswith("ready"):
        raise RuntimeError(f'backend "cupy" needs a usable GPU: {status}.')
    return sys.modules["cupy"].asarray(array)


def one_blas_thread():
    """Hold BLAS to one thread, in a ``with`` block, for code with threads of its own.

    Returns
    -------
    context manager
        The limit is the process's, not the calling thread's.
    """
    return _blas().limit(limits=1, user_api="blas")


@functools.cache
def _blas():
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def gpu_status():
    """Say in one line whether CuPy can use a GPU, and if not, why.

    Returns
    -------
    str
        Starts with ``"ready"`` if arrays can be moved to a GPU now. CuPy imports
        without a driver, so only a question to the driver settles it.
    """
    try:
        import cupy
    except ImportError:
        return "CuPy is not installed (optional: the extra cuda12 or cuda13 brings it)"
    try:
        count = cupy.cuda.runtime.getDeviceCount()
        if count < 1:
            return f"CuPy {cupy.__version__} found no GPU"
        name = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"CuPy {cupy.__version__} cannot use a GPU ({error})"
    return f"ready: {name}, CuPy {cupy.__version__}"
