"""Write what goes back to students: a page and a table for each of them.

Points are those of the tests, unless a person gave others in the gradebook.
"""

import csv
import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    SubmittedAssignment,
    SubmittedNotebook,
)
from sqlalchemy import or_

from identity_edu.grading.discreet import plain
from identity_edu.grading.gradebook import open_gradebook
from identity_edu.grading.isolation.task import Result
from identity_edu.grading.page import Mark, page, total
from identity_edu.train.files import write_atomically

FORMULA = re.compile(  # some spreadsheets begin a cell at ; and know wide signs
    r"(^|;)(?=[\s\"']*[=+\-@\uff1d\uff0b\uff0d\uff20])"
)
BY_HAND = "these points were given by a person."


@dataclass(frozen=True)
class Given:
    """What the gradebook knows besides the tests: points and comments by cell."""

    points: dict[str, float] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    penalty: float = 0.0


def write_feedback(root: Path, results: Iterable[Result]) -> Path:
    """Write ``return/<student>/<assignment>.html`` and ``.csv`` for each result.

    Parameters
    ----------
    root : Path
        Course folder, with the assignment in exercises/ and in the gradebook.
    results : iterable of Result
        One a student and assignment. Where the grader itself failed, nothing is
        written: there is nothing to say yet.

    Returns
    -------
    Path
        The folder ``return``.
    """
    released, persons = {}, {}
    for result in results:
        name = result.assignment
        if result.verdict == "failed":
            continue
        if name not in released:
            notebook = root / "exercises" / name / f"{name}.ipynb"
            released[name] = json.loads(notebook.read_text(encoding="utf-8"))
            persons[name] = given_by_persons(root, name)
        given = persons[name].get(result.student, Given())
        marks = _marks(result, given)
        rest = given.comments, given.penalty
        folder = root / "return" / result.student
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / f"{name}.html", page(result, released[name], marks, *rest))
        _write(folder / f"{name}.csv", table(marks, *rest))
    return root / "return"


def table(marks: Iterable[Mark], comments: dict[str, str], penalty: float = 0.0) -> str:
    """Lay out the points of one student as CSV.

    Parameters
    ----------
    marks : iterable of Mark
        One a question, in order.
    comments : dict
        What a person wrote on other cells, by id.
    penalty : float
        Points that handing in late costs.

    Returns
    -------
    str
        A row a question, then one a comment, the penalty if there is one, the total.
        Points that await a person are an empty field.
    """
    marks = list(marks)
    rows = [["question", "points", "max", "reason", "limit", "comment"]]
    for m in marks:
        points = "" if m.points is None else f"{m.points:g}"
        told = [cell_text(text) for text in (m.reason, m.limit, m.comment)]
        rows.append([m.question, points, f"{m.max_points:g}", *told])
    for name in sorted(comments.keys() - {m.question for m in marks}):
        rows.append([name, "", "", "", "", cell_text(comments[name])])
    if penalty:
        rows.append(["late", f"{-penalty:g}", "", "", "", ""])
    most = f"{sum(m.max_points for m in marks):g}"
    rows.append(["total", f"{total(marks, penalty):g}", most, "", "", ""])
    return _csv(rows)


def cell_text(text: str) -> str:
    """Make a text safe for a cell of a spreadsheet.

    Parameters
    ----------
    text : str
        Anybody's.

    Returns
    -------
    str
        One line, which no spreadsheet takes for a formula.
    """
    return FORMULA.sub(r"\1'", " ".join(plain(text).split()))


def write_table(path: Path, rows: Iterable[Iterable]) -> None:
    """Write rows as CSV.

    Parameters
    ----------
    path : Path
        File to write; its folder is made.
    rows : iterable of iterables
        Texts of anybody's have gone through `cell_text`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, _csv(rows))


def _marks(result, given):
    """Put the points that a person gave in the place of the test's."""
    marks = []
    for t in result.tests:
        comment = given.comments.get(t.grade_id, "")
        points = given.points.get(t.grade_id, t.points)
        reason = t.reason
        if points != t.points and reason:
            reason = f"{BY_HAND} The test said: {reason}"
        marks.append(Mark(t.grade_id, points, t.max_points, reason, t.limit, comment))
    return marks


def given_by_persons(root: Path, assignment: str) -> dict[str, Given]:
    """Read what persons gave.

    Parameters
    ----------
    root : Path
        Course folder.
    assignment : str
        ``NN_slug``.

    Returns
    -------
    dict
        By student; whom it does not concern is not in it.
    """
    found = {}
    with open_gradebook(root) as gradebook:

        def rows(*columns):
            query = gradebook.db.query(SubmittedAssignment.student_id, *columns)
            query = query.select_from(Assignment).filter(Assignment.name == assignment)
            return query.join(SubmittedAssignment).join(SubmittedNotebook)

        is_given = or_(Grade.manual_score.is_not(None), Grade.extra_credit.is_not(None))
        scores = rows(BaseCell.name, Grade.score).join(Grade).filter(is_given)
        told = rows(BaseCell.name, Comment.manual_comment).join(Comment)
        told = told.filter(Comment.manual_comment.is_not(None))
        penalty = SubmittedNotebook.late_submission_penalty
        for student, cell, score in scores.join(BaseCell):
            found.setdefault(student, Given()).points[cell] = score
        for student, cell, comment in told.join(BaseCell):
            found.setdefault(student, Given()).comments[cell] = comment
        for student, points in rows(penalty).filter(penalty > 0):
            given = found.get(student, Given())
            found[student] = replace(given, penalty=points)
    return found


def _csv(rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _write(path, text):
    data = text.encode("utf-8", "replace")
    write_atomically(path, lambda file: file.write(data))
