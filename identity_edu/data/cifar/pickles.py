"""The pickles of Python 2 that CIFAR's files are: read without trust, and written.

A pickle is a program, and may call any function that it can name. `load` lets it name
three, those that rebuild an array, and puts harmless stand-ins in their place: the
array's shape and bytes are noted, and NumPy builds it afterwards. `dump` writes the
same instructions in the same order as Python 2 did: with the official class names it
gives the official ``batches.meta``, to the byte.
"""

import pickle
import struct
from itertools import count

import numpy as np

LONGEST_RUN = 1000  # list items between two instructions to append them


class _Array:
    """What a pickle says of an array: its state is kept, and believed by nobody."""

    state = ()

    def __setstate__(self, state):
        self.state = state


class _Dtype:
    """What a pickle says of a dtype: its code, as in ``u1``."""

    def __init__(self, code=b"", *_):
        self.code = code

    def __setstate__(self, state):
        """Ignore byte order and alignment: one byte has neither."""


def _reconstruct(*_):
    return _Array()


STAND_INS = {
    "numpy.core.multiarray._reconstruct": _reconstruct,
    "numpy.ndarray": _Array,
    "numpy.dtype": _Dtype,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        asked = f"{module}.{name}"
        if asked not in STAND_INS:
            raise pickle.UnpicklingError(
                f"it asks for {asked}, and only arrays, numbers, strings, lists and "
                "dicts are read"
            )
        return STAND_INS[asked]


def load(path):
    """Read a dict of numbers, byte strings, lists and arrays of uint8.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict
        Keys as in the file, for files of Python 2 byte strings. Arrays are read-only.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is no such pickle: truncated, damaged, no dict, or one that names
        anything but an array. Nothing that it names is imported or called.
    """
    try:
        with open(path, "rb") as file:
            content = _Unpickler(file, encoding="bytes").load()
        return {key: _as_array(value) for key, value in content.items()}
    except OSError:
        raise
    except Exception as error:  # a damaged pickle may raise almost anything
        reason = str(error) or type(error).__name__
        raise ValueError(
            f"{path} must be a pickled dict of CIFAR's: {reason}."
        ) from error


def _as_array(value):
    if not isinstance(value, _Array):
        return value
    _, shape, dtype, is_fortran, raw = value.state
    if dtype.code not in (b"u1", b"|u1"):
        raise ValueError(f"its array must be of uint8; got {dtype.code!r}")
    return np.frombuffer(raw, np.uint8).reshape(shape, order="CF"[bool(is_fortran)])


def dump(content):
    """Pickle a dict as Python 2 did, with protocol 2.

    Parameters
    ----------
    content : dict
        Of byte strings, integers from 0 below 2**31, lists, dicts and arrays of uint8.

    Returns
    -------
    bytes

    Raises
    ------
    TypeError
        If it holds anything else.
    """
    return b"\x80\x02" + _instructions(content, count(1)) + b"."


def _instructions(value, memo):
    """Return the instructions that rebuild a value; `memo` numbers what was built."""
    if isinstance(value, bytes):
        return _string(value) + _remember(memo)
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, list):
        runs = [value[i : i + LONGEST_RUN] for i in range(0, len(value), LONGEST_RUN)]
        empty = b"]" + _remember(memo)
        return empty + b"".join(b"(" + _sequence(run, memo) + b"e" for run in runs)
    if isinstance(value, dict):
        items = [part for item in value.items() for part in item]
        return b"}" + _remember(memo) + b"(" + _sequence(items, memo) + b"u"
    if isinstance(value, np.ndarray) and value.dtype == np.uint8:
        return _array(value, memo)
    raise TypeError(f"CIFAR's files hold no {type(value).__name__}.")


def _sequence(values, memo):
    return b"".join([_instructions(value, memo) for value in values])


def _remember(memo):
    number = next(memo)
    return b"q" + bytes([number]) if number < 256 else b"r" + struct.pack("<I", number)


def _string(value):
    if len(value) < 256:
        return b"U" + bytes([len(value)]) + value
    return b"T" + struct.pack("<i", len(value)) + value


def _integer(value):
    if 0 <= value < 256:
        return b"K" + bytes([value])
    if 0 <= value < 65536:
        return b"M" + struct.pack("<H", value)
    return b"J" + struct.pack("<i", value)


def _array(array, memo):
    r"""Rebuild an empty array, then set its state: version, shape, dtype, order, bytes.

    ``c`` names a global, ``R`` calls it, ``b`` sets a state; ``\x85`` to ``\x87`` and
    ``(...t`` make tuples, ``N`` is None, ``\x89`` False, ``J`` an int of 4 bytes.
    """
    minus_one = _integer(-1)
    return b"".join(
        [
            b"cnumpy.core.multiarray\n_reconstruct\n" + _remember(memo),
            b"cnumpy\nndarray\n" + _remember(memo),
            b"K\x00\x85" + _string(b"b") + _remember(memo) + b"\x87R" + _remember(memo),
            b"(K\x01" + _sequence(array.shape, memo) + bytes([0x84 + array.ndim]),
            b"cnumpy\ndtype\n" + _remember(memo),
            _string(b"u1") + b"K\x00K\x01\x87R" + _remember(memo),
            b"(K\x03" + _string(b"|") + b"NNN" + minus_one + minus_one + b"K\x00tb",
            b"\x89" + _string(array.tobytes()) + b"tb",
        ]
    )
