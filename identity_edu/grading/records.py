"""Read scores from the gradebook, and export them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from nbgrader.api import (
    Assignment,
    BaseCell,
    Grade,
    Gradebook,
    SubmittedAssignment,
    SubmittedNotebook,
)
from sqlalchemy import Row, select
from sqlalchemy.orm import InstrumentedAttribute

from identity_edu.grading.cells import exercise_and_role
from identity_edu.grading.feedback import cell_text, write_table
from identity_edu.grading.gradebook import open_gradebook
from identity_edu.grading.isolation.task import Result


@dataclass(frozen=True)
class Record:
    """Scores of one student in one assignment; points by exercise and by question.

    Parameters
    ----------
    student : str
    scores, max_scores : dict
        Points by exercise.
    awaiting : float
        Points that a person has yet to give or withhold.
    questions : dict
        Points by graded cell; None where nobody has decided.
    penalty : float
        Points that handing in late costs.
    """

    student: str
    scores: dict[str, float]
    max_scores: dict[str, float]
    awaiting: float = 0.0
    questions: dict[str, float | None] = field(default_factory=dict)
    penalty: float = 0.0

    @property
    def total(self) -> float:
        """Points so far."""
        return max(0.0, sum(self.scores.values()) - self.penalty)

    @property
    def max_total(self) -> float:
        """Points that can be had, those awaiting a person included."""
        return sum(self.max_scores.values())

    @property
    def fraction(self) -> float:
        """Share of the points that were decided, in [0, 1]; 0 if none was."""
        decided = self.max_total - self.awaiting
        return self.total / decided if decided else 0.0


def read_records(root: Path, assignment: str) -> list[Record]:
    """Read the scores of an assignment from the gradebook.

    Parameters
    ----------
    root : Path
        Course folder.
    assignment : str
        ``NN_slug``.

    Returns
    -------
    list of Record
        One a student, by name; exercises in the order of the notebook.
    """
    with open_gradebook(root) as gradebook:
        return records_of(gradebook, root, assignment)


def records_of(gradebook: Gradebook, root: Path, assignment: str) -> list[Record]:
    """Read the scores of an assignment from an open gradebook.

    Parameters
    ----------
    gradebook : Gradebook
        Of nbgrader.
    root : Path
        Course folder.
    assignment : str
        ``NN_slug``.

    Returns
    -------
    list of Record
        As `read_records`.
    """
    columns = (
        Grade.score,
        Grade.needs_manual_grade,
        Grade.auto_score,
        Grade.manual_score,
        SubmittedNotebook.late_submission_penalty,
    )
    most, by_student = _max_points(root, assignment), {}
    for student, *row in grades_of(gradebook, assignment, *columns):
        by_student.setdefault(student, []).append(row)
    return [
        _record(student, by_student[student], most) for student in sorted(by_student)
    ]


def grades_of(
    gradebook: Gradebook, assignment: str, *columns: InstrumentedAttribute
) -> Iterable[Row]:
    """Read what the gradebook says of each graded cell of each student.

    Parameters
    ----------
    gradebook : Gradebook
        Of nbgrader.
    assignment : str
        ``NN_slug``.
    *columns
        Of `Grade` or `SubmittedNotebook`.

    Returns
    -------
    iterable of rows
        Student and name of the cell, then the columns.
    """
    query = (
        select(SubmittedAssignment.student_id, BaseCell.name, *columns)
        .select_from(Grade)
        .join(BaseCell, BaseCell.id == Grade.cell_id)
        .join(SubmittedNotebook, SubmittedNotebook.id == Grade.notebook_id)
        .join(SubmittedAssignment)
        .join(Assignment)
        .where(Assignment.name == assignment)
    )
    return gradebook.db.execute(query)


def remark(result: Result) -> str:
    """Say what went wrong with one submission, for the instructor.

    Parameters
    ----------
    result : Result

    Returns
    -------
    str
        What was put right or could not be read, then the first test that failed;
        empty when all is well.
    """
    failed = next((t for t in result.tests if t.reason), None)
    is_told = result.verdict == "unreadable" or failed is None
    first = "" if is_told else f"{failed.grade_id}: {failed.reason}"
    return "; ".join(text for text in (result.reason, first) if text)


def write_csv(path: Path, records: list[Record], results: dict[str, Result]) -> None:
    """Export the scores, a row a student.

    Parameters
    ----------
    path : Path
        File to write: exercises, totals, verdict and remark, then each question.
    records : list of Record
        Of one assignment.
    results : dict
        By student; who has none gets empty fields.
    """
    exercises = list(records[0].scores) if records else []
    questions = list(records[0].questions) if records else []
    ends = ["total", "max", "awaiting", "penalty", "verdict", "remark"]
    rows = [["student", *exercises, *ends, *questions]]
    for r in records:
        result = results.get(r.student)
        told = ["", ""] if result is None else [result.verdict, remark(result)]
        totals = [r.total, r.max_total, r.awaiting, r.penalty, *map(cell_text, told)]
        asked = ["" if p is None else p for p in r.questions.values()]
        rows.append([cell_text(r.student), *r.scores.values(), *totals, *asked])
    write_table(path, rows)


def _max_points(root, assignment):
    """List the graded cells in the order of the notebook; the gradebook has none."""
    released = root / "exercises" / assignment / f"{assignment}.ipynb"
    cells = json.loads(released.read_text("utf-8"))["cells"]
    marks = [cell["metadata"].get("nbgrader", {}) for cell in cells]
    return {m["grade_id"]: float(m["points"]) for m in marks if m.get("grade")}


def _record(student, rows, most):
    exercises = dict.fromkeys(exercise_and_role(name)[0] for name in most)
    scores, max_scores = dict.fromkeys(exercises, 0.0), dict.fromkeys(exercises, 0.0)
    questions, awaiting, penalty = dict.fromkeys(most), 0.0, 0.0
    for name, points in most.items():
        max_scores[exercise_and_role(name)[0]] += points
    for name, score, is_awaiting, auto, manual, late in rows:
        if name not in most:  # of an earlier release
            continue
        scores[exercise_and_role(name)[0]] += score or 0.0
        is_decided = auto is not None or manual is not None
        questions[name] = score if is_decided else None
        awaiting += most[name] if is_awaiting else 0.0
        penalty = late or 0.0
    return Record(student, scores, max_scores, awaiting, questions, penalty)
