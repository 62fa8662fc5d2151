"""Give back what grading found: the course's table, and a page to each student."""

import hashlib
import json
from pathlib import Path

from identity_edu import __version__
from identity_edu.grading.batch import Graded, results_of
from identity_edu.grading.feedback import given_by_persons, write_feedback
from identity_edu.grading.records import write_csv
from identity_edu.train.files import write_json


def hand_back(
    root: Path, graded: Graded, table: Path, *, has_pages: bool = True
) -> list[str]:
    """Write the table, and the pages that are not there or have changed.

    Parameters
    ----------
    root : Path
        Course folder.
    graded : Graded
    table : Path
        CSV file.
    has_pages : bool
        Whether to write pages, into ``return/``.

    Returns
    -------
    list of str
        Students whose page was written.
    """
    write_csv(table, graded.records, graded.results)
    if not has_pages:
        return []
    written = root / ".grading" / "pages" / f"{graded.assignment}.json"
    before, now = _read(written), _keys(root, graded)
    folder, name = root / "return", f"{graded.assignment}.html"
    students = [
        student
        for student, key in now.items()
        if before.get(student) != key or not (folder / student / name).is_file()
    ]
    write_feedback(root, results_of(root, graded, students))
    written.parent.mkdir(parents=True, exist_ok=True)
    write_json(written, {**before, **now})
    return students


def _keys(root, graded):
    """Sum up what each page shows: the result, and what persons gave."""
    given = given_by_persons(root, graded.assignment)
    notebook = root / "exercises" / graded.assignment / f"{graded.assignment}.ipynb"
    released = hashlib.sha256(notebook.read_bytes()).hexdigest()
    keys = {}
    for student, result in graded.results.items():
        tests = [(t.grade_id, t.points, t.reason) for t in result.tests]
        hashes = (released, result.submission_sha256, result.tests_sha256)
        shown = (__version__, hashes, tests, given.get(student))
        keys[student] = hashlib.sha256(repr(shown).encode()).hexdigest()
    return keys


def _read(path):
    try:
        keys = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return keys if isinstance(keys, dict) else {}
