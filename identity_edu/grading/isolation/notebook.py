"""The executed notebook: cells and outputs as nbformat has them, and harmless.

It is read in a browser by the one who grades, so nothing that a student wrote gets in
but text, and figures that are pictures.
"""

import base64
import re
import struct
from dataclasses import dataclass

import numpy as np

MAX_OUTPUTS = 50
MAX_SHOWN = 10_000  # characters of a cell: hostile ones take a page quadratic time
MAX_SIDE = 4000  # pixels of a figure
PNG = b"\x89PNG\r\n\x1a\n"
STREAMS = {"stdout", "stderr"}
TAG = re.compile(r"<(?=[A-Za-z/!?])")  # where HTML would begin
LINK = re.compile(r"\](?=[(\[:])")  # and a link or a picture from elsewhere


@dataclass
class Room:
    """How many bytes of text and of figures still fit."""

    text: int
    figures: int


def outputs_of(shown, room):
    """Turn what a student process says that a cell showed into a notebook's outputs.

    Parameters
    ----------
    shown : object
        Anything; what is not of the form that `identity_edu.grading.isolation.cell`
        makes is left out.
    room : Room
        What is kept is taken from it.

    Returns
    -------
    list of dict
    """
    made = []
    for entry in (shown if type(shown) is list else [])[:MAX_OUTPUTS]:
        kind, *rest = entry if type(entry) is list and entry else [None]
        if type(kind) is not str:
            continue
        if kind == "figure" and len(rest) == 1 and _is_png(rest[0], room.figures):
            room.figures -= len(rest[0])
            made.append(_figure(rest[0]))
        elif all(type(text) is str for text in rest) and sum(map(len, rest)):
            texts = [_printable(text[: max(room.text, 0)]) for text in rest]
            room.text -= sum(map(len, texts))
            made += _text_output(kind, texts)
    return made


def cell_dict(cell, outputs, room):
    """Make a cell of a notebook.

    Parameters
    ----------
    cell : MergedCell
    outputs : list of dict
    room : Room
        For the texts that students wrote; what is kept is taken from it.

    Returns
    -------
    dict
        As nbformat 4.5 has it.
    """
    metadata = {"nbgrader": cell.marks} if cell.marks else {}
    kind, source = cell.kind, cell.source
    if cell.role == "test":
        source = cell.reference  # the gradebook's copy, as nbgrader has it
    elif cell.role != "locked" and kind != "code":
        kind, source = "markdown", _harmless(_cut(source, min(room.text, MAX_SHOWN)))
        room.text -= len(source)
    elif cell.role != "locked" and not cell.is_unchanged:
        # blank lines with spaces in them take a lexer minutes
        lines = (line.rstrip() for line in source.split("\n"))
        source = _cut("\n".join(lines), MAX_SHOWN)
    made = {"cell_type": kind, "id": _id(cell.key), "metadata": metadata}
    made["source"] = source
    if kind == "code":
        made |= {"execution_count": None, "outputs": outputs}
    return made


def notebook_dict(cells, metadata):
    """Make a notebook.

    Parameters
    ----------
    cells : list of dict
    metadata : dict

    Returns
    -------
    dict
        As nbformat 4.5 has it.
    """
    head = {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata}
    return {"cells": cells, **head}


def _text_output(kind, texts):
    if kind in STREAMS and len(texts) == 1:
        return [{"output_type": "stream", "name": kind, "text": texts[0]}]
    if kind == "result" and len(texts) == 1:
        return [
            {
                "output_type": "execute_result",
                "data": {"text/plain": texts[0]},
                "metadata": {},
                "execution_count": None,
            }
        ]
    if kind == "error" and len(texts) == 2:
        name, message = texts[0][:100], texts[1]
        trace = [f"{name}: {message}"]
        error = {"ename": name, "evalue": message, "traceback": trace}
        return [{"output_type": "error", **error}]
    return []


def _figure(data):
    picture = base64.b64encode(data.tobytes()).decode()
    content = {"image/png": picture}
    return {"output_type": "display_data", "data": content, "metadata": {}}


def _is_png(data, most):
    if type(data) is not np.ndarray or data.dtype != np.uint8 or data.ndim != 1:
        return False
    if not 24 <= len(data) <= most or data[:8].tobytes() != PNG:
        return False
    return max(struct.unpack(">II", data[16:24].tobytes())) <= MAX_SIDE


def _printable(text):
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)


def _cut(text, most):
    if len(text) <= most:
        return text
    most = max(most, 0)
    return f"{text[:most]}\n... and {len(text) - most:,} more characters"


def _harmless(text):
    """Keep a text from becoming HTML, links or pictures."""
    return LINK.sub("] ", TAG.sub("< ", text))


def _id(key):
    """Return an id that nbformat takes: 64 letters, digits, - and _."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", key)[:64] or "cell"
