"""The executed notebook, where nbgrader's own pages and commands look for it."""

import json
from datetime import datetime
from pathlib import Path

import nbformat
from nbgrader.utils import compute_checksum

from identity_edu.grading.isolation.task import Result
from identity_edu.train.files import write_atomically


def write_autograded(root: Path, result: Result, timestamp: datetime | None) -> Path:
    """Write ``.grading/autograded/<student>/<assignment>/<assignment>.ipynb``.

    Parameters
    ----------
    root : Path
        Course folder.
    result : Result
        With its notebook.
    timestamp : datetime or None
        When it was handed in: the formgrader compares it with what was submitted.

    Returns
    -------
    Path
        The notebook, whole or as it was.
    """
    name = result.assignment
    folder = root / ".grading" / "autograded" / result.student / name
    folder.mkdir(parents=True, exist_ok=True)
    content, path = json.dumps(result.notebook).encode(), folder / f"{name}.ipynb"
    write_atomically(path, lambda file: file.write(content))
    if timestamp is None:
        (folder / "timestamp.txt").unlink(missing_ok=True)
    else:
        (folder / "timestamp.txt").write_text(f"{timestamp} UTC", encoding="utf-8")
    return path


def unanswered(result: Result) -> set[str]:
    """Name the cells to fill that are what they were when released.

    Parameters
    ----------
    result : Result
        With its notebook.

    Returns
    -------
    set of str
        By nbgrader's checksums.
    """
    names = set()
    for cell in result.notebook["cells"]:
        marks = cell["metadata"].get("nbgrader", {})
        is_answer = marks.get("solution") and "checksum" in marks
        if (
            is_answer
            and compute_checksum(nbformat.from_dict(cell)) == marks["checksum"]
        ):
            names.add(marks["grade_id"])
    return names
