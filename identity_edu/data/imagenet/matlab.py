"""Read a struct array from a MATLAB 5 file: ImageNet numbers its classes in one.

A file is a row of elements: type, number of bytes, bytes. An array is an element made
of elements: its class, its shape, its name, then what it holds. A struct array holds
the names of its fields, then an array for each field of each struct.
"""

import struct
import zlib

import numpy as np

HEADER = 128  # bytes of text, version and byte order
MATRIX, COMPRESSED, UTF8 = 14, 15, 16
STRUCT, CHAR, NUMBERS = 2, 4, range(6, 16)
DTYPES = {
    **{1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8"},
    **{12: "i8", 13: "u8", UTF8: "u1", 17: "u2", 18: "u4"},
}


def read_structs(content, name):
    """Read one struct array.

    Parameters
    ----------
    content : bytes
        Of a file as MATLAB 5 to 7.2 writes it, compressed or not.
    name : str
        Of the variable.

    Returns
    -------
    list of dict
        One for each struct, by field: str for text, a flat array for numbers, None
        for anything else.

    Raises
    ------
    ValueError
        If it is no such file, is damaged, or has no such struct array.
    """
    order = {b"IM": "<", b"MI": ">"}.get(content[HEADER - 2 : HEADER])
    if order is None:
        raise ValueError("it must be a MATLAB 5 file, with IM or MI in its header")
    try:
        arrays = (_array(part, order) for _, part in _elements(content[HEADER:], order))
        found = [value for key, value in arrays if key == name]
    except (struct.error, zlib.error, LookupError, TypeError) as error:
        raise ValueError(f"it is damaged: {error}") from error
    if not (found and isinstance(found[0], list)):
        raise ValueError(f"it must have a struct array {name}")
    return found[0]


def _elements(data, order):
    """Yield type and bytes of one element after the other."""
    position = 0
    while position < len(data):
        kind, n_bytes = struct.unpack_from(f"{order}II", data, position)
        start = position + 8
        if kind >> 16:  # a small element: its bytes stand in place of their number
            kind, n_bytes, start = kind & 0xFFFF, kind >> 16, position + 4
        end = start + n_bytes
        if end > len(data):
            raise ValueError("it ends early")
        if kind == COMPRESSED:
            yield from _elements(zlib.decompress(data[start:end]), order)
            position = end
        else:
            yield kind, data[start:end]
            position = end + -end % 8  # padded, counted from the start of `data`


def _array(data, order):
    """Return name and value of an array."""
    if not data:
        return "", None
    (_, flags), _, (_, name), *rest = _elements(data, order)
    kind = struct.unpack_from(f"{order}I", flags)[0] & 0xFF
    value = None
    if kind == STRUCT:
        value = _structs(rest, order)
    elif kind == CHAR:
        value = _text(*rest[0], order) if rest else ""
    elif kind in NUMBERS:
        value = _numbers(*rest[0], order) if rest else np.empty(0)
    return name.decode("ascii"), value


def _structs(elements, order):
    (_, longest), (_, names), *values = elements
    width = struct.unpack(f"{order}i", longest)[0]
    fields = [
        names[i : i + width].rstrip(b"\0").decode("ascii")
        for i in range(0, len(names), width)
    ]
    values = [_array(data, order)[1] for _, data in values]
    return [
        dict(zip(fields, values[i : i + len(fields)], strict=True))
        for i in range(0, len(values), len(fields))
    ]


def _numbers(kind, data, order):
    return np.frombuffer(data, np.dtype(DTYPES[kind]).newbyteorder(order))


def _text(kind, data, order):
    if kind == UTF8:
        return data.decode("utf-8", "replace")
    return "".join(map(chr, _numbers(kind, data, order)))
