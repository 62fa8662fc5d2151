"""CuPy as far as a program can tell without a GPU: `cupy`, a strict stand-in.

Its arrays hold NumPy's, on a pretended device, and behave as those of CuPy 14.2 do
towards everything else: nothing converts them to NumPy unasked, no operation mixes
them with NumPy arrays, every result stays an array (a sum is one of no dimensions),
an index gives a view. It has only names and keywords that CuPy has, by the tables
below, and of those the ones that the package uses; `test_stand_in_cupy.py` compares
them with CuPy where that is installed. In some functions CuPy lets a NumPy array slip
through, to NumPy's method of the same name; all of them refuse it here.

Where CuPy's *values* differ, the stand-in gives NumPy's, and only a GPU tells:

- An index array's entries that lie outside wrap around; NumPy raises IndexError.
- Where an index array names a place twice, any of the values may end up there.
- `linalg` says nothing of singular matrices or of no convergence unless
  ``cupyx.errstate(linalg="raise")`` holds; NumPy raises LinAlgError.
- Signs of singular vectors, bases of repeated ones, and last digits: another order of
  summation, Jacobi rotations for stacks of matrices up to 32 x 32, and, for products of
  float32 matrices, fewer digits if ``CUPY_TF32=1``.
- ``linalg.lstsq`` and ``pinv`` go by their own singular values, a few units in the
  last place from NumPy's: at a cut that is met exactly they may keep another rank.
- Memory that `empty` gives; random streams (the package draws on the host).
- ``a[:] = numpy_array`` is taken if ``CUPY_EXPERIMENTAL_SLICE_COPY=1``.
"""

import types
from operator import attrgetter

import numpy as np
from cupy_names import (
    COMPARISONS,
    CONSTANTS,
    CREATORS,
    FUNCTIONS,
    IN_HOST_MEMORY,
    METHODS,
    TO_HOST,
    UFUNCS,
    VIEWS,
    signature,
)
from numpy.lib.mixins import NDArrayOperatorsMixin

SCALARS = (bool, int, float, complex, np.bool_, np.number)


class ndarray(NDArrayOperatorsMixin):  # noqa: N801 - CuPy's name
    """A NumPy array that pretends to be in a GPU's memory."""

    __module__ = "cupy"
    __slots__ = ("_host",)
    __array_priority__ = 100
    device = "stand-in"

    def __init__(self, shape, dtype=float, *, order="C"):
        self._host = np.empty(shape, dtype, order)

    def get(self, stream=None, order="C", out=None, blocking=True):
        return np.array(self._host, order=order)

    def fill(self, value):
        self[...] = value

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    def __array_ufunc__(self, ufunc, method, *inputs, out=(None,), **kwargs):
        function, name = getattr(cupy, ufunc.__name__, None), ufunc.__name__
        if function is None or method != "__call__":
            return NotImplemented
        if not all(isinstance(x, (ndarray, np.ndarray, *SCALARS)) for x in inputs):
            return NotImplemented
        if name in COMPARISONS:
            is_number = [isinstance(x, np.ndarray) and x.ndim == 0 for x in inputs]
            pairs = zip(inputs, is_number, strict=True)
            inputs = [x.item() if is_one else x for x, is_one in pairs]
        return function(*inputs, out=out[0], **kwargs)

    def __array_function__(self, func, types, args, kwargs):
        module = cupy
        for part in func.__module__.split(".")[1:]:
            module = getattr(module, part, None)
        function = getattr(module, func.__name__, None)
        if function is None or not set(types) <= {ndarray, np.ndarray}:
            return NotImplemented
        return function(*args, **kwargs)

    def __imatmul__(self, other):
        return self @ other  # CuPy has none: `a @= b` makes a new array

    def __len__(self):
        return len(self._host)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key):
        keys, _ = _indices(key)
        if not any(k is Ellipsis for k in keys):
            keys = (*keys, ...)  # a single entry is a view as well
        return _on_device(self._host[keys])

    def __setitem__(self, key, value):
        keys, has_arrays = _indices(key)
        if has_arrays:
            value = asarray(value, self.dtype)  # CuPy uploads here, and here alone
        elif isinstance(value, np.ndarray) and value.ndim:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        elif not isinstance(value, (ndarray, np.ndarray, *SCALARS)):
            raise TypeError(f"Unsupported type {type(value)}")
        with np.errstate(all="ignore"):
            self._host[keys] = value._host if isinstance(value, ndarray) else value

    def __bool__(self):
        return bool(self._host)

    def __int__(self):
        return int(self._host)

    def __float__(self):
        return float(self._host)

    def __repr__(self):
        return repr(self._host)

    def __format__(self, spec):
        return format(self._host, spec)

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self.copy()


def asarray(a, dtype=None, order=None, *, copy=None, blocking=False):
    if isinstance(a, ndarray):
        return a.astype(a.dtype if dtype is None else dtype, copy=bool(copy))
    hosts = _hosts(a) if isinstance(a, (list, tuple)) and _all_on_device(a) else a
    host = np.array(hosts, dtype)
    if host.dtype.kind not in "biufc":
        raise ValueError(f"Unsupported dtype {host.dtype}")
    return _on_device(host)


def allclose(a, b, rtol=1e-5, atol=1e-8, equal_nan=False):
    near = np.allclose(asarray(a)._host, asarray(b)._host, rtol, atol, equal_nan)
    return _on_device(near)


def _all_on_device(values):
    """Tell whether nested lists hold device arrays and nothing else."""
    if isinstance(values, (list, tuple)):
        return len(values) > 0 and all(map(_all_on_device, values))
    return isinstance(values, ndarray)


def _indices(key):
    """Return an index for NumPy, and whether it holds arrays; those are uploaded."""
    keys, has_arrays = list(key if isinstance(key, tuple) else (key,)), False
    for i, k in enumerate(keys):
        if isinstance(k, (ndarray, np.ndarray, list, bool)):
            is_empty_list = isinstance(k, list) and not k
            keys[i] = asarray(k, int if is_empty_list else None)._host
            has_arrays = True
    return tuple(keys), has_arrays


def _hosts(value):
    """Take device arrays apart, in lists too; refuse NumPy's."""
    if isinstance(value, ndarray):
        return value._host
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    if isinstance(value, (list, tuple)):
        return type(value)(map(_hosts, value))
    return value


def _on_device(value, sources=()):
    """Put NumPy's result on the device; an array that went in comes out as itself."""
    for source in sources:
        if isinstance(source, ndarray) and source._host is value:
            return source
    if isinstance(value, (tuple, list)):  # CuPy's tuples have no names
        return (tuple if isinstance(value, tuple) else list)(map(_on_device, value))
    if isinstance(value, (np.ndarray, np.generic, bool)):
        result = ndarray.__new__(ndarray)
        result._host = np.asarray(value)
        return result
    return value


def _run(function, args, kwargs):
    """Call NumPy on what the arrays hold; a device warns of nothing."""
    with np.errstate(all="ignore"):
        found = function(*_hosts(args), **{k: _hosts(v) for k, v in kwargs.items()})
    return _on_device(found, (*args, *kwargs.values()))


def _function(name, text, *, needs_arrays):
    """Make CuPy's function out of NumPy's of the same name."""
    numpys, parameters = _numpys(name), signature(text)

    def call(*args, **kwargs):
        first, *rest = parameters.bind_partial(*args, **kwargs).args
        if name == "einsum":
            first = rest
        if needs_arrays and not _all_on_device(first):
            raise TypeError(f"cupy.{name} needs device arrays; got {type(first)}.")
        return _run(numpys, args, kwargs)

    return call


def _ufunc(name):
    """Make CuPy's function of entries, which takes device arrays and numbers alone."""
    numpys = _numpys(name)

    def call(*args, out=None, dtype=None, casting=None):
        for x in args:
            if not isinstance(x, (ndarray, *SCALARS)):
                raise TypeError(f"Unsupported type {type(x)}")
        given = {"out": out, "dtype": dtype, "casting": casting}
        return _run(numpys, args, {k: v for k, v in given.items() if v is not None})

    return call


def _method(name, text, *, to_host=False):
    """Make a method of device arrays out of NumPy's."""
    numpys, parameters = getattr(np.ndarray, name), signature(text)

    def call(self, *args, **kwargs):
        parameters.bind_partial(*args, **kwargs)
        if to_host:
            return numpys(self._host, *args, **kwargs)
        return _run(numpys, (self, *args), kwargs)

    return call


def _view(name):
    """Make an attribute that is an array."""
    return property(lambda self: _on_device(getattr(self._host, name)))


def _numpys(name):
    """Return what NumPy has by a name such as ``linalg.svd``."""
    found = np
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _matrix_power(M, n):
    if not isinstance(n, int):  # a NumPy integer is none
        raise TypeError("exponent must be an integer")
    return _run(np.linalg.matrix_power, (M, n), {})


def _driver():
    """Return ``cupy.cuda``, as far as asking for a GPU goes."""
    runtime = types.SimpleNamespace(
        CUDARuntimeError=RuntimeError,
        getDeviceCount=lambda: 1,
        getDeviceProperties=lambda device: {"name": b"a stand-in"},
    )
    return types.SimpleNamespace(is_available=lambda: True, runtime=runtime)


def _module():
    """Put the module together from the tables."""
    module = types.ModuleType("cupy", "A stand-in for CuPy.")
    module.linalg, module.fft = types.ModuleType("linalg"), types.ModuleType("fft")
    members = {name: getattr(np, name) for name in CONSTANTS}
    members |= {name: _ufunc(name) for name in UFUNCS}
    for table, needs_arrays in ((CREATORS, False), (FUNCTIONS, True)):
        for name, text in table.items():
            members[name] = _function(name, text, needs_arrays=needs_arrays)
    members |= {f.__name__: f for f in (allclose, asarray, ndarray)}
    members |= {"linalg.matrix_power": _matrix_power, "cuda": _driver()}
    for name, member in members.items():
        where, _, last = name.rpartition(".")
        setattr(getattr(module, where) if where else module, last, member)
    module.__version__ = "14.2.0"
    return module


for _name, _text in METHODS.items():
    setattr(ndarray, _name, _method(_name, _text))
for _name, _text in TO_HOST.items():
    setattr(ndarray, _name, _method(_name, _text, to_host=True))
for _name in IN_HOST_MEMORY:
    setattr(ndarray, _name, property(attrgetter(f"_host.{_name}")))
for _name in VIEWS:
    setattr(ndarray, _name, _view(_name))
cupy = _module()
