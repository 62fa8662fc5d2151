"""Autograde the submitted folder of one assignment and fill the gradebook.

`autograde_assignment` is all that the rest of the package calls. It runs nbgrader as
it is: the tests run in the student's own kernel, as the instructor's user, so it is
for code that you trust. Another executor replaces this module by a function of the
same name that leaves the same three things behind: scores in the gradebook, an
executed notebook in .grading/autograded, and one `Verdict` a student.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde

from identity_edu.grading.course import GradingError, convert, load_config, quiet


@dataclass(frozen=True)
class Verdict:
    """How grading one submission went; `reason` is one line, empty when all is well."""

    student: str
    assignment: str
    is_graded: bool
    reason: str = ""


def autograde_assignment(
    root: Path,
    assignment: str,
    report: Callable[[Verdict], None] = lambda verdict: None,
) -> list[Verdict]:
    """Autograde every submission of an assignment; none can stop the batch.

    Parameters
    ----------
    root : Path
        Course folder, the assignment released with its gradebook, submissions in
        ``.grading/submitted/<student>/<assignment>/<assignment>.ipynb``.
    assignment : str
        ``NN_slug``.
    report : callable, optional
        Called with each `Verdict` as soon as it stands.

    Returns
    -------
    list of Verdict
        One a student, by name. Who could not be graded has 0 in the gradebook.

    Raises
    ------
    GradingError
        If the assignment is not in the gradebook: it was never released there.
    """
    with open_gradebook(root) as gradebook:
        try:
            gradebook.find_assignment(assignment)
        except MissingEntry:
            raise GradingError(f"{assignment} is not in the gradebook.") from None
    verdicts = []
    for student in submitters(root, assignment):
        verdicts.append(_autograde(root, assignment, student))
        report(verdicts[-1])
    return verdicts


@contextmanager
def open_gradebook(root: Path) -> Iterator[Gradebook]:
    """Open the gradebook of a course, to be used in a ``with`` statement.

    Parameters
    ----------
    root : Path
        Course folder.

    Yields
    ------
    Gradebook
        Of nbgrader.
    """
    course = load_config(root).CourseDirectory
    with quiet(), Gradebook(course.db_url, course.course_id) as gradebook:
        yield gradebook


def submitters(root: Path, assignment: str) -> list[str]:
    """Name the students who submitted something.

    Parameters
    ----------
    root : Path
        Course folder.
    assignment : str
        ``NN_slug``.

    Returns
    -------
    list of str
        Sorted.
    """
    submitted = root / ".grading" / "submitted"
    return sorted(path.parent.name for path in submitted.glob(f"*/{assignment}"))


def _autograde(root, assignment, student):
    notebook = Path(student, assignment, f"{assignment}.ipynb")
    reason, is_graded = "", False
    try:
        _require_notebook(root / ".grading" / "submitted" / notebook)
        reason = _tampering(root, assignment, notebook)
        convert(Autograde, root, assignment, student)
        is_graded = True
    except Exception as error:  # whatever a submission does, the next one's turn comes
        text = str(error) or type(error).__name__
        reason = "; ".join(filter(None, [reason, " ".join(text.split())]))
        _record_zero(root, assignment, student)
    return Verdict(student, assignment, is_graded, reason)


def _require_notebook(notebook):
    if not notebook.is_file():
        others = sorted(path.name for path in notebook.parent.glob("*.ipynb"))
        found = ", ".join(others) or "no notebook"
        raise GradingError(f"{notebook.name} is missing; found {found}")
    try:
        document = json.loads(notebook.read_bytes())
    except (ValueError, RecursionError) as error:
        raise GradingError(f"not valid JSON: {error}") from error
    if not isinstance(document, dict) or document.get("nbformat") != 4:
        raise GradingError("not a version 4 notebook")
    if not isinstance(document.get("cells"), list):
        raise GradingError("a notebook without a list of cells")
    try:
        with quiet():
            nbformat.validate(document)
    except nbformat.ValidationError as error:
        first = str(error).partition("\n")[0]
        raise GradingError(f"not a valid notebook: {first}") from error


def _tampering(root, assignment, notebook):
    """Say which cells that matter are missing or doubled; empty when none is."""
    expected = _marked_ids(root / "exercises" / assignment / notebook.name)
    found = Counter(_marked_ids(root / ".grading" / "submitted" / notebook))
    missing = [f"{name} is missing" for name in expected if not found[name]]
    doubled = [f"{name} is there {n} times" for name, n in found.items() if n > 1]
    return "; ".join(missing + doubled)


def _marked_ids(notebook):
    """List the ids of answers and tests; students can garble the marks of both."""
    cells = json.loads(notebook.read_bytes())["cells"]
    marks = [cell["metadata"].get("nbgrader") for cell in cells]
    marks = [mark for mark in marks if isinstance(mark, dict)]
    wanted = [mark for mark in marks if mark.get("grade") or mark.get("solution")]
    return [mark["grade_id"] for mark in wanted if "grade_id" in mark]


def _record_zero(root, assignment, student):
    """Give 0 to what cannot be graded, so that the gradebook has no gap."""
    with open_gradebook(root) as gradebook:
        gradebook.update_or_create_student(student)
        submission = gradebook.update_or_create_submission(assignment, student)
        for notebook in submission.notebooks:
            for grade in notebook.grades:
                grade.auto_score, grade.needs_manual_grade = 0.0, False
        gradebook.db.commit()
