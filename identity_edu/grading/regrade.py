"""Grade again what was graded, and show whose points would change before they do.

New results go to ``.grading/regrade/NN_slug``, where an interrupted run goes on. Points
that a person gave stay what they are, whatever the tests say now.
"""

import shutil
from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from nbgrader.api import Grade

from identity_edu.grading.batch import SUBMITTED, Tally, known_assignments
from identity_edu.grading.course import GradingError
from identity_edu.grading.exam import read_exam
from identity_edu.grading.feedback import cell_text, write_table
from identity_edu.grading.gradebook import one_writer, open_gradebook
from identity_edu.grading.isolation.task import Result
from identity_edu.grading.marking import DEFAULTS, Options, mark_all
from identity_edu.grading.records import grades_of
from identity_edu.grading.register import Register
from identity_edu.grading.store import (
    DamagedResultError,
    read_result,
    read_summary,
    results_folder,
    write_result,
)
from identity_edu.grading.submissions import find_submissions, only


@dataclass(frozen=True)
class Change:
    """Points of one question that are others now; None awaits a person.

    Parameters
    ----------
    student, question : str
    before, after : float or None
        From the tests.
    by_hand : float or None
        What a person gave, which stays.
    """

    student: str
    question: str
    before: float | None
    after: float | None
    by_hand: float | None = None

    @property
    def effect(self) -> float:
        """What it means for the student's total."""
        if self.by_hand is not None:
            return 0.0
        return (self.after or 0.0) - (self.before or 0.0)


@dataclass
class Regraded:
    """What grading again would change, or has changed.

    Parameters
    ----------
    assignment : str
    students : list of str
        Who was graded again.
    changes : list of Change
        By student, then in the order of the notebook.
    absent : list of str
        Who has a mark, and nothing in the folder: they keep it.
    newer : list of str
        Who handed in something else since: a matter of `grade_assignment`.
    failed : list of Result
        Where the grader itself failed.
    is_applied : bool
    """

    assignment: str
    students: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    newer: list[str] = field(default_factory=list)
    failed: list[Result] = field(default_factory=list)
    is_applied: bool = False

    def by_student(self) -> dict[str, list[Change]]:
        """Return the changes of each student who has any, the largest effect first."""
        found = {}
        for change in self.changes:
            found.setdefault(change.student, []).append(change)
        return dict(sorted(found.items(), key=lambda item: (-_size(item[1]), item[0])))


def regrade_assignment(  # noqa: PLR0913 - named options, all with defaults
    root: Path,
    assignment: str,
    folder: Path | None = None,
    *,
    students: Collection[str] | None = None,
    options: Options = DEFAULTS,
    is_applied: bool = False,
    report: Callable[[Tally], None] = lambda tally: None,
) -> Regraded:
    """Grade again, compare, and change the gradebook only if told.

    Parameters
    ----------
    root : Path
        Course folder.
    assignment : str
        ``NN_slug``.
    folder : Path, optional
        Where the submissions lie; by default ``.grading/submitted``.
    students : collection of str, optional
        Only these.
    options : Options
        Forced: what an earlier run left to be applied is graded again too.
    is_applied : bool
        Whether the new points replace the old ones.
    report : callable
        Called with the `Tally` as in `grade_assignment`.

    Returns
    -------
    Regraded

    Raises
    ------
    GradingError
        If nothing was graded yet, or as in `grade_assignment`.
    """
    exam = read_exam(
        root,
        assignment,
        isolation=options.isolation,
        is_per_student=options.is_per_student,
    )
    where = folder or root / SUBMITTED
    found = find_submissions(where, assignment, known_assignments(root)).submissions
    with one_writer(root), open_gradebook(root) as gradebook:
        again = _Again(root, exam, Register(gradebook, root, assignment))
        again.choose(found, students, options.is_forced)
        again.grade(options, report)
        columns = (Grade.auto_score, Grade.manual_score)
        again.compare(grades_of(gradebook, assignment, *columns))
        if is_applied:
            again.apply()
        return again.regraded


def write_changes(path: Path, regraded: Regraded) -> None:
    """Write the changes as CSV, a row a question.

    Parameters
    ----------
    path : Path
        File to write.
    regraded : Regraded
    """
    rows = [["student", "question", "before", "after", "by_hand", "effect"]]
    for c in regraded.changes:
        points = (c.before, c.after, c.by_hand, c.effect)
        rows.append([cell_text(c.student), c.question, *points])
    write_table(path, rows)


class _Again:
    """One run: choose, grade, compare, apply."""

    def __init__(self, root, exam, register):
        self._exam, self._register = exam, register
        self._results = results_folder(root, exam.assignment)
        self._side = root / ".grading" / "regrade" / exam.assignment
        self._chosen, self._to_grade = [], []
        self.regraded = Regraded(exam.assignment)

    def choose(self, found, students, is_forced):
        recorded = self._register.recorded()
        if not recorded:
            raise GradingError(f"nothing of {self._exam.assignment} was graded yet.")
        if students is None:
            absent = recorded.keys() - {s.student for s in found}
            self.regraded.absent = sorted(absent)
        for submission in only(found, students):
            if submission.student not in recorded:
                continue
            sha256 = submission.sha256()
            if sha256 != recorded[submission.student].submission_sha256:
                self.regraded.newer.append(submission.student)
                continue
            self._chosen.append((submission, sha256))
            if is_forced or not self._is_there(submission.student, sha256):
                self._to_grade.append(submission)

    def grade(self, options, report):
        tally = Tally(len(self._chosen), n_to_grade=len(self._to_grade))
        tally.n_before = tally.n_handed_in - tally.n_to_grade
        report(tally)
        if not self._to_grade:
            return
        with closing(mark_all(self._exam, self._side, self._to_grade, options)) as all_:
            for batch in all_:
                tally.n_done += len(batch)
                tally.verdicts.update(result.verdict for _, result in batch)
                report(tally)
                failed = [result for _, result in batch if result.verdict == "failed"]
                self.regraded.failed += failed
        lost = {result.student for result in self.regraded.failed}
        self._chosen = [(s, h) for s, h in self._chosen if s.student not in lost]

    def compare(self, grades):
        given = {(student, name): points for student, name, *points in grades}
        self.regraded.students = [s.student for s, _ in self._chosen]
        for submission, sha256 in self._chosen:
            student = submission.student
            for test in read_summary(self._side, student, sha256).tests:
                auto, by_hand = given.get((student, test.grade_id), (None, None))
                if auto != test.points:
                    change = Change(
                        student, test.grade_id, auto, test.points, by_hand=by_hand
                    )
                    self.regraded.changes.append(change)

    def apply(self):
        for submission, sha256 in self._chosen:
            result = read_result(self._side, submission.student, sha256)
            write_result(self._results, result)
            self._register.record(result, submission.timestamp)
        self._register.commit()
        self.regraded.is_applied = True
        shutil.rmtree(self._side, ignore_errors=True)

    def _is_there(self, student, sha256):
        """Tell whether an earlier run graded this by the tests of today."""
        try:
            result = read_summary(self._side, student, sha256)
        except DamagedResultError:
            return False
        tests = self._exam.task(student).tests_sha256
        return result is not None and result.tests_sha256 == tests


def _size(changes):
    return abs(sum(change.effect for change in changes))
