"""Result files: one a submission, whole or absent, from which all else can be filled.

``.grading/results/NN_slug/<student>/<sha256 of what was handed in>.json`` is one JSON
object on two lines: the result first, then the executed notebook, so that a look at
the points of a thousand submissions reads none of their notebooks.
"""

import json
from dataclasses import replace
from pathlib import Path

from identity_edu.grading.course import GradingError
from identity_edu.grading.isolation.task import Result
from identity_edu.train.files import write_atomically

START, MIDDLE, END = b'{"result": ', b',\n"notebook": ', b"}\n"


class DamagedResultError(GradingError):
    """A result file is torn, or not what its name says; one line for a person."""


def results_folder(root: Path, assignment: str) -> Path:
    """Say where the results of an assignment lie.

    Parameters
    ----------
    root : Path
        Course folder.
    assignment : str
        ``NN_slug``.

    Returns
    -------
    Path
        A folder for each student in it.
    """
    return root / ".grading" / "results" / assignment


def result_path(folder: Path, student: str, sha256: str) -> Path:
    """Say where the result of one submission lies.

    Parameters
    ----------
    folder : Path
        Of the assignment.
    student, sha256 : str
        Who handed in what.

    Returns
    -------
    Path
    """
    return folder / student / f"{sha256}.json"


def write_result(folder: Path, result: Result) -> Path:
    """Write a result; a reader finds it whole or not at all.

    Parameters
    ----------
    folder : Path
        Of the assignment.
    result : Result

    Returns
    -------
    Path
        The file.

    Raises
    ------
    identity_edu.train.files.RunError
        If the disk is full.
    """
    plain = result.to_plain()
    notebook = json.dumps(plain.pop("notebook")).encode()
    head = json.dumps({**plain, "notebook_bytes": len(notebook)}).encode()
    path = result_path(folder, result.student, result.submission_sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = (START, head, MIDDLE, notebook, END)
    write_atomically(path, lambda file: file.writelines(parts))
    return path


def read_summary(folder: Path, student: str, sha256: str) -> Result | None:
    """Read a result without its notebook.

    Parameters
    ----------
    folder : Path
        Of the assignment.
    student, sha256 : str
        Who handed in what.

    Returns
    -------
    Result or None
        `notebook` is empty; None where no such file is.

    Raises
    ------
    DamagedResultError
        If the file is torn, of another schema, or another submission's.
    """
    path = result_path(folder, student, sha256)
    try:
        with path.open("rb") as file:
            line = file.readline()
            size = file.seek(0, 2)
    except FileNotFoundError:
        return None
    try:
        plain = json.loads(line.removeprefix(START).removesuffix(MIDDLE[:2]))
        n_bytes = plain.pop("notebook_bytes")
        result = Result.from_plain({**plain, "notebook": {}})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedResultError(f"{path} is damaged: {_short(error)}") from error
    expected = len(line) - 2 + len(MIDDLE) + n_bytes + len(END)
    if size != expected:
        raise DamagedResultError(f"{path} has {size} bytes; {expected} are required.")
    if (result.student, result.submission_sha256) != (student, sha256):
        raise DamagedResultError(f"{path} is the result of another submission.")
    return result


def read_result(folder: Path, student: str, sha256: str) -> Result | None:
    """Read a result.

    Parameters
    ----------
    folder : Path
        Of the assignment.
    student, sha256 : str
        Who handed in what.

    Returns
    -------
    Result or None
        None where no such file is.

    Raises
    ------
    DamagedResultError
        As `read_summary`.
    """
    summary = read_summary(folder, student, sha256)
    if summary is None:
        return None
    path = result_path(folder, student, sha256)
    try:
        notebook = json.loads(path.read_bytes())["notebook"]
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedResultError(f"{path} is damaged: {_short(error)}") from error
    return replace(summary, notebook=notebook)


def read_summaries(folder: Path, recorded: dict[str, str]) -> dict[str, Result]:
    """Read many results without their notebooks.

    Parameters
    ----------
    folder : Path
        Of the assignment.
    recorded : dict
        Hash of what was handed in, by student.

    Returns
    -------
    dict
        By student; who has no whole result file is left out.
    """
    found = {}
    for student, sha256 in recorded.items():
        try:
            summary = read_summary(folder, student, sha256)
        except DamagedResultError:
            continue
        if summary is not None:
            found[student] = summary
    return found


def _short(error):
    return " ".join(f"{type(error).__name__} {error}".split())[:120]
