"""Write results into nbgrader's gradebook: each one once, by one process.

Beside nbgrader's tables stands one of ours, ``identity_edu_recorded``: for each
submission, which content was graded by which tests. It is written in the same
transaction as the points, so that after any interruption the two agree, and one query
says what has yet to be recorded.
"""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from nbgrader.api import (
    Comment,
    Grade,
    Gradebook,
    MissingEntry,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)
from sqlalchemy import (
    Column,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)

from identity_edu.grading.autograded import unanswered, write_autograded
from identity_edu.grading.course import GradingError, load_config
from identity_edu.grading.isolation.task import Result
from identity_edu.grading.late import set_penalty

NO_RESPONSE = "No response."  # nbgrader's word

RECORDED = Table(
    "identity_edu_recorded",
    MetaData(),
    Column("submission_id", String(32), primary_key=True),  # of submitted_assignment
    Column("submission_sha256", String(64), nullable=False),
    Column("tests_sha256", String(64), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("isolation", String(200), nullable=False),
    Column("seconds", Float, nullable=False),
    Column("version", String(32), nullable=False),
    Column("schema_version", Integer, nullable=False),
)


class Recorded(NamedTuple):
    """What the gradebook says of one submission: what was graded, and by what."""

    submission_sha256: str
    tests_sha256: str
    timestamp: datetime | None


class _Ids(NamedTuple):
    submission: str
    notebook: str


class Register:
    """The submissions of one assignment in a gradebook.

    Parameters
    ----------
    gradebook : Gradebook
        Of nbgrader; open, and written by nobody else in this process.
    root : Path
        Course folder; executed notebooks go to its ``.grading/autograded``.
    assignment : str
        ``NN_slug``.

    Raises
    ------
    GradingError
        If the assignment is not in the gradebook: it was never released there.
    """

    def __init__(self, gradebook: Gradebook, root: Path, assignment: str) -> None:
        self._db, self._root, self._assignment = gradebook.db, root, assignment
        try:
            notebook = gradebook.find_notebook(assignment, assignment)
        except MissingEntry:
            raise GradingError(
                f"{assignment} is not in the gradebook. Release it first: "
                f"identity-edu release {assignment}"
            ) from None
        self._config = load_config(root)
        self._notebook_id, self._assignment_id = notebook.id, notebook.assignment_id
        self._has_duedate = notebook.assignment.duedate is not None
        graded = [*notebook.grade_cells, *notebook.task_cells]
        answers = [*notebook.solution_cells, *notebook.task_cells]
        self._graded = {cell.name: cell.id for cell in graded}
        self._answers = {cell.name: cell.id for cell in answers}
        RECORDED.create(gradebook.engine, checkfirst=True)
        self._students = set(self._db.scalars(select(Student.id)))
        rows = self._db.execute(
            select(
                SubmittedAssignment.student_id,
                SubmittedAssignment.id,
                SubmittedNotebook.id,
            )
            .join(SubmittedNotebook)
            .where(SubmittedNotebook.notebook_id == self._notebook_id)
        )
        self._ids = {student: _Ids(*ids) for student, *ids in rows}

    def recorded(self) -> dict[str, Recorded]:
        """Tell what was recorded.

        Returns
        -------
        dict
            By student.
        """
        rows = self._db.execute(
            select(
                SubmittedAssignment.student_id,
                RECORDED.c.submission_sha256,
                RECORDED.c.tests_sha256,
                SubmittedAssignment.timestamp,
            )
            .join(RECORDED, RECORDED.c.submission_id == SubmittedAssignment.id)
            .where(SubmittedAssignment.assignment_id == self._assignment_id)
        ).all()
        self._db.commit()  # holds no lock while students' code runs
        return {student: Recorded(*row) for student, *row in rows}

    def record(self, result: Result, timestamp: datetime | None = None) -> bool:
        """Write a result; `commit` makes it last.

        Points that a person gave are never touched. As in nbgrader, such a cell asks
        for a second look, unless content and points are what they were.

        Parameters
        ----------
        result : Result
            With its notebook.
        timestamp : datetime, optional
            When it was handed in, UTC.

        Returns
        -------
        bool
            Whether anything was not yet so.

        Raises
        ------
        GradingError
            If it failed, or has other graded cells than the gradebook.
        """
        self._require_recordable(result)
        write_autograded(self._root, result, timestamp)
        ids = self._submission(result.student)
        before = self._row(ids)
        is_same = before is not None and (
            before.submission_sha256 == result.submission_sha256
        )
        changed = self._write_points(ids, result, is_same)
        changed |= self._write_comments(ids, result)
        changed |= self._write_row(ids, result, before)
        if timestamp is not None:
            query = update(SubmittedAssignment).values(timestamp=timestamp)
            different = SubmittedAssignment.timestamp.is_distinct_from(timestamp)
            mine = SubmittedAssignment.id == ids.submission
            changed |= self._db.execute(query.where(mine, different)).rowcount > 0
        if self._has_duedate:
            set_penalty(self._db, self._config, result.student, ids.notebook)
        return changed

    def commit(self) -> None:
        """Make all that was recorded since the last call last."""
        self._db.commit()

    def _require_recordable(self, result):
        if result.verdict == "failed":
            raise GradingError(f"{result.student} was not graded: {result.reason}")
        names = {test.grade_id for test in result.tests}
        if names != set(self._graded):
            odd = ", ".join(sorted(names ^ set(self._graded))[:3])
            raise GradingError(
                f"the gradebook has other graded cells than {self._assignment} "
                f"({odd}). Release it again: identity-edu release {self._assignment}"
            )

    def _submission(self, student):
        """Return the ids of a student's submission, made if it is the first."""
        if student in self._ids:
            return self._ids[student]
        if student not in self._students:
            self._db.execute(insert(Student), [{"id": student}])
            self._students.add(student)
        ids = _Ids(uuid4().hex, uuid4().hex)
        assignment = {"assignment_id": self._assignment_id}
        row = {"id": ids.submission, "student_id": student, **assignment}
        self._db.execute(insert(SubmittedAssignment), [row])
        inner = {"assignment_id": ids.submission, "notebook_id": self._notebook_id}
        self._db.execute(insert(SubmittedNotebook), [{"id": ids.notebook, **inner}])
        self._ids[student] = ids
        return ids

    def _row(self, ids):
        query = select(RECORDED).where(RECORDED.c.submission_id == ids.submission)
        return self._db.execute(query).one_or_none()

    def _write_points(self, ids, result, is_same):
        points = {self._graded[test.grade_id]: test.points for test in result.tests}
        columns = (Grade.cell_id, Grade.id, Grade.auto_score, Grade.manual_score)
        query = select(*columns, Grade.needs_manual_grade)
        rows = self._db.execute(query.where(Grade.notebook_id == ids.notebook))
        before = {row.cell_id: row for row in rows}
        new, changed = [], []
        for cell, value in points.items():
            row = before.get(cell)
            entry = {"auto_score": value, "needs_manual_grade": value is None}
            if row is None:
                new.append({**entry, "cell_id": cell, "notebook_id": ids.notebook})
                continue
            if row.manual_score is not None:
                is_kept = is_same and row.auto_score == value
                entry["needs_manual_grade"] = row.needs_manual_grade or not is_kept
            if (row.auto_score, row.needs_manual_grade) != tuple(entry.values()):
                changed.append({**entry, "id": row.id})
        return self._write_rows(Grade, new, changed)

    def _write_comments(self, ids, result):
        """Say where nothing was answered, as nbgrader does."""
        query = select(Comment.cell_id, Comment.id, Comment.auto_comment)
        rows = self._db.execute(query.where(Comment.notebook_id == ids.notebook))
        before, silent = {row.cell_id: row for row in rows}, unanswered(result)
        new, changed = [], []
        for name, cell in self._answers.items():
            entry = {"auto_comment": NO_RESPONSE if name in silent else None}
            row = before.get(cell)
            if row is None:
                new.append({**entry, "cell_id": cell, "notebook_id": ids.notebook})
            elif row.auto_comment != entry["auto_comment"]:
                changed.append({**entry, "id": row.id})
        return self._write_rows(Comment, new, changed)

    def _write_rows(self, table, new, changed):
        if new:
            self._db.execute(insert(table), new)
        if changed:
            self._db.execute(update(table), changed)
        return bool(new or changed)

    def _write_row(self, ids, result, before):
        row = {
            "submission_id": ids.submission,
            "submission_sha256": result.submission_sha256,
            "tests_sha256": result.tests_sha256,
            "verdict": result.verdict,
            "isolation": result.isolation,
            "seconds": result.seconds,
            "version": result.version,
            "schema_version": result.schema,
        }
        if before is not None and before._asdict() == row:
            return False
        mine = RECORDED.c.submission_id == ids.submission
        self._db.execute(delete(RECORDED).where(mine))
        self._db.execute(insert(RECORDED).values(row))
        return True
