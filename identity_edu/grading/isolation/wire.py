"""Frames of plain data over a socket, between processes that do not trust each other.

A frame is a JSON text, in which every container carries a tag, and after it the bytes
of the arrays. Reading one builds exact built-in and NumPy types and nothing else;
sizes, depth and time are bounded before anything is allocated or waited for.
"""

import json
import math
import re
import struct
import time

import numpy as np

MAX_DEPTH = 32
MAX_TEXT = 4 << 20
MAX_DIMENSION = 1 << 31
HEAD = struct.Struct(">IQ")  # bytes of text, bytes of arrays
# The methods of the types themselves: a subclass may say anything about itself.
EXACT = ((int, int.__index__), (float, float.__float__), (str, str.__str__))
DTYPE = re.compile(r"\|b1|[<>|][iu][1248]|[<>]f[248]|[<>]c(8|16)")
MAX_DIMENSIONS = 32
MAX_PAIRS = 10_000  # of all dicts in a frame: keys can be made to collide


class PlainDataError(Exception):
    """A value that no frame carries; the message names it."""


class WireError(Exception):
    """The other side sent what is not a frame."""


class ClosedError(WireError):
    """The other side is gone."""


class Channel:
    """One end of a stream socket that carries frames.

    Parameters
    ----------
    socket : socket.socket
        A connected stream.
    max_data : int
        Bytes of arrays that an incoming frame may have.
    max_text : int
        Bytes of its text.
    """

    def __init__(self, socket, max_data, max_text=MAX_TEXT):
        self._socket, self._max_data, self._max_text = socket, max_data, max_text

    def send(self, value, seconds=None):
        """Send one value.

        Parameters
        ----------
        value : plain data
        seconds : float, optional
            How long the other side may take to read it; for ever by default.

        Raises
        ------
        PlainDataError
            If it is not plain; then nothing was sent.
        ClosedError, TimeoutError
        """
        frame = pack(value)
        try:
            self._socket.settimeout(seconds)
            self._socket.sendall(frame)
        except TimeoutError:
            raise
        except OSError as error:
            raise ClosedError(str(error)) from error

    def receive(self, seconds=None):
        """Receive one value.

        Parameters
        ----------
        seconds : float, optional
            How long to wait for the whole of it; for ever by default.

        Returns
        -------
        plain data

        Raises
        ------
        WireError
            If what came is not a frame within the bounds; ClosedError at the end.
        TimeoutError
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        n_text, n_data = HEAD.unpack(self._read(HEAD.size, deadline))
        if n_text > self._max_text or n_data > self._max_data:
            raise WireError(
                f"a frame of at most {self._max_text} bytes of text and "
                f"{self._max_data} of arrays is required; this one has {n_text} and "
                f"{n_data}."
            )
        text, data = self._read(n_text, deadline), self._read(n_data, deadline)
        return decode(bytes(text), data)

    def _read(self, n, deadline):
        content = bytearray(n)
        view, done = memoryview(content), 0
        try:
            while done < n:
                if deadline is not None:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        raise TimeoutError
                    self._socket.settimeout(left)
                else:
                    self._socket.settimeout(None)
                got = self._socket.recv_into(view[done:])
                if not got:
                    raise ClosedError("the other side closed the connection.")
                done += got
        except TimeoutError:
            raise
        except OSError as error:
            raise ClosedError(str(error)) from error
        return content


def pack(value):
    """Turn a value into the bytes of a frame.

    Parameters
    ----------
    value : plain data
        None, bool, int, float, complex, str, NumPy numbers, numeric arrays, and
        lists, tuples and dicts of them, at most `MAX_DEPTH` deep. Subclasses travel as
        what they derive from.

    Returns
    -------
    bytes

    Raises
    ------
    PlainDataError
        Naming the type that is not plain.
    """
    buffers = []
    try:
        text = json.dumps(_tagged(value, buffers, MAX_DEPTH)).encode("ascii")
        data = b"".join(buffers)
    except PlainDataError:
        raise
    except Exception as error:  # ints of too many digits, types that lie, huge views
        what = f"a value that cannot be sent ({type(error).__name__})"
        raise PlainDataError(what) from error
    return HEAD.pack(len(text), len(data)) + text + data


def decode(text, data):
    """Build the value that a frame holds.

    Parameters
    ----------
    text : bytes
        The tagged JSON.
    data : bytes-like
        The arrays, one after another.

    Returns
    -------
    plain data
        Of exact built-in and NumPy types; arrays own their memory and are writeable.

    Raises
    ------
    WireError
        If it is anything else.
    """
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WireError(f"not a text of ours: {type(error).__name__}") from error
    reader = _Reader(memoryview(data))
    value = reader.value(tree, MAX_DEPTH)
    if reader.offset != len(data):
        raise WireError("bytes are left over.")
    return value


def _tagged(value, buffers, depth):
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, np.generic) and not isinstance(value, str):
        return _array(np.asarray(value), "s", buffers)
    if isinstance(value, np.ndarray):
        return _array(np.asarray(value), "a", buffers)
    for exact, convert in EXACT:
        if isinstance(value, exact):
            return convert(value)
    if isinstance(value, complex):
        return ["c", value.real, value.imag]
    return _container(value, buffers, depth)


def _container(value, buffers, depth):
    if depth == 0:
        raise PlainDataError(f"data nested more than {MAX_DEPTH} deep")
    for tag, kind in (("l", list), ("t", tuple)):
        if isinstance(value, kind):
            items = [_tagged(x, buffers, depth - 1) for x in kind.__iter__(value)]
            return [tag, items]
    if isinstance(value, dict):
        pairs = [
            [_tagged(k, buffers, depth - 1), _tagged(v, buffers, depth - 1)]
            for k, v in dict.items(value)
        ]
        return ["d", pairs]
    raise PlainDataError(f"a value of type {type(value).__name__}")


def _array(array, tag, buffers):
    wide = {"f": np.float64, "c": np.complex128}.get(array.dtype.kind)
    if wide and array.dtype.itemsize > np.dtype(wide).itemsize:
        array = array.astype(wide)  # long doubles differ from machine to machine
    if not DTYPE.fullmatch(array.dtype.str):
        raise PlainDataError(f"an array of dtype {array.dtype}")
    order = "F" if array.flags.fnc else "C"  # Fortran's and not C's
    buffers.append(array.tobytes(order))
    return [tag, array.dtype.str, list(array.shape), order]


class _Reader:
    def __init__(self, data):
        self._data, self.offset, self._pairs_left = data, 0, MAX_PAIRS

    def value(self, tree, depth):
        if tree is None or type(tree) in (bool, int, float):
            return tree
        if type(tree) is str:
            # a lone surrogate cannot be written to any file
            return tree.encode("utf-8", "replace").decode()
        if type(tree) is not list or not tree or type(tree[0]) is not str:
            raise WireError("a value without its tag.")
        if depth == 0:
            raise WireError(f"data nested more than {MAX_DEPTH} deep.")
        return self._tagged(tree[0], tree[1:], depth - 1)

    def _tagged(self, tag, rest, depth):
        if tag in ("a", "s") and len(rest) == 3:
            return self._array(*rest, is_number=tag == "s")
        if tag == "c" and [type(x) for x in rest] == [float, float]:
            return complex(*rest)
        if len(rest) == 1 and type(rest[0]) is list:
            if tag in ("l", "t"):
                items = [self.value(x, depth) for x in rest[0]]
                return items if tag == "l" else tuple(items)
            if tag == "d":
                return self._dict(rest[0], depth)
        raise WireError("an unknown tag.")

    def _dict(self, pairs, depth):
        if not all(type(p) is list and len(p) == 2 for p in pairs):
            raise WireError("a dict without its pairs.")
        self._pairs_left -= len(pairs)
        if self._pairs_left < 0:
            raise WireError(f"more than {MAX_PAIRS} pairs in dicts.")
        try:
            return {self.value(k, depth): self.value(v, depth) for k, v in pairs}
        except TypeError as error:
            raise WireError("a key that cannot be one.") from error

    def _array(self, dtype, shape, order, *, is_number):
        is_known = type(dtype) is str and DTYPE.fullmatch(dtype)
        if not is_known or order not in ("C", "F") or type(shape) is not list:
            raise WireError("an array without dtype, shape and order.")
        if len(shape) > MAX_DIMENSIONS or not all(
            type(n) is int and 0 <= n < MAX_DIMENSION for n in shape
        ):
            raise WireError("an array of impossible shape.")
        try:
            kind = np.dtype(dtype)
            n_bytes = math.prod(shape) * kind.itemsize
            if n_bytes > len(self._data) - self.offset:
                raise WireError("an array of more bytes than came.")
            part = self._data[self.offset : self.offset + n_bytes]
            flat = np.frombuffer(part, kind) if n_bytes else np.empty(0, kind)
            if kind.kind == "b":  # bytes other than 0 and 1 make truths that disagree
                flat = flat.view(np.uint8) != 0
            array = flat.reshape(shape, order=order).copy(order=order)
        except (TypeError, ValueError) as error:
            raise WireError(f"not an array: {error}") from error
        self.offset += n_bytes
        if not is_number:
            return array
        if array.shape:
            raise WireError("a number with a shape.")
        return array[()]
