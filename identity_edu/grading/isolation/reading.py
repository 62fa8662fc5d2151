"""Read the cells of a submission: a file that may be anything."""

import json

MAX_CELLS = 2000
MAX_SOURCE = 1 << 20


class UnreadableError(Exception):
    """The file is no notebook that could be graded; one line for the student."""


def read_submission(content, notebook_mb):
    """Read the cells of a file that may be anything.

    Parameters
    ----------
    content : bytes
    notebook_mb : int
        The most that it may have.

    Returns
    -------
    list of dict
        Cells with a type and a source.

    Raises
    ------
    UnreadableError
        Saying what is needed and what came.
    """
    _require_size(content, notebook_mb)
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError, MemoryError) as error:
        raise UnreadableError(f"not valid JSON ({_first_line(error)})") from error
    found = document.get("nbformat") if isinstance(document, dict) else None
    if found != 4:
        found = "no version" if found is None else f"version {found!r:.20}"
        raise UnreadableError(
            f"a notebook of version 4 is needed; this has {found}. Open it in Jupyter "
            "and save it"
        )
    cells = document.get("cells")
    if not isinstance(cells, list):
        raise UnreadableError("a notebook without a list of cells")
    if len(cells) > MAX_CELLS:
        raise UnreadableError(f"{len(cells)} cells; at most {MAX_CELLS} are read")
    cells = [c for c in cells if _is_cell(c)]
    if any(len(source_of(c)) > MAX_SOURCE for c in cells):
        raise UnreadableError(f"a cell of more than {MAX_SOURCE} characters")
    return cells


def key_of(cell):
    """Return the id by which a cell is known: nbgrader's, or the notebook's.

    Parameters
    ----------
    cell : dict

    Returns
    -------
    str
        Empty if it has neither.
    """
    marks = marks_of(cell)
    for value in (marks.get("grade_id"), cell.get("id")):
        if isinstance(value, str):
            return value
    return ""


def marks_of(cell):
    """Return nbgrader's marks of a cell.

    Parameters
    ----------
    cell : dict

    Returns
    -------
    dict
        Empty where there are none, or what is there is no dict.
    """
    metadata = cell.get("metadata")
    marks = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return marks if isinstance(marks, dict) else {}


def source_of(cell):
    """Return the source of a cell as one text.

    Parameters
    ----------
    cell : dict

    Returns
    -------
    str
    """
    source = cell["source"]
    source = source if isinstance(source, str) else "".join(source)
    # what cannot be encoded cannot be written to any file
    return source.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _require_size(content, notebook_mb):
    if not content.strip():
        raise UnreadableError("the file is empty")
    if content[:4] == b"PK\x03\x04":
        raise UnreadableError("it is a zip archive; hand in the notebook itself")
    if len(content) > notebook_mb << 20:
        size = len(content) >> 20
        raise UnreadableError(
            f"it has {size} MB; at most {notebook_mb} are read: clear its outputs"
        )


def _is_cell(entry):
    if not isinstance(entry, dict):
        return False
    source, kind = entry.get("source"), entry.get("cell_type")
    is_text = isinstance(source, str) or (
        isinstance(source, list) and all(isinstance(line, str) for line in source)
    )
    return is_text and kind in ("code", "markdown", "raw")


def _first_line(error):
    text = str(error) or type(error).__name__
    return "".join(c if c.isprintable() else " " for c in text)[:120]
