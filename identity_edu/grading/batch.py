"""Grade the submissions of an assignment: nothing is lost, nothing counts twice.

A thread that has graded a submission writes its result file; the main thread alone
fills the gradebook from results. Killed at any moment and started again, the batch
first records what lies on the disk, then grades what is left::

    from pathlib import Path
    from identity_edu.grading.batch import grade_assignment

    graded = grade_assignment(Path("."), "05_near_identity_factors")
    scores = {record.student: record.total for record in graded.records}
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from identity_edu.grading.course import GradingError, assignment_names
from identity_edu.grading.exam import read_exam
from identity_edu.grading.gradebook import one_writer, open_gradebook
from identity_edu.grading.isolation.task import Result
from identity_edu.grading.marking import DEFAULTS, Options, mark_all
from identity_edu.grading.plan import Plan
from identity_edu.grading.records import Record, records_of
from identity_edu.grading.register import Register
from identity_edu.grading.store import (
    DamagedResultError,
    read_result,
    read_summaries,
    results_folder,
)
from identity_edu.grading.submissions import find_submissions, only

SUBMITTED = Path(".grading", "submitted")
AT_ONCE = 50  # results that are recorded in one transaction


@dataclass
class Tally:
    """How far a batch has come.

    Parameters
    ----------
    n_handed_in, n_before, n_from_disk, n_to_grade, n_done : int
        Submissions; those recorded before; those whose results were found on the disk
        and recorded now; those to grade; those that have been.
    verdicts : Counter
        Of what was graded now.
    """

    n_handed_in: int = 0
    n_before: int = 0
    n_from_disk: int = 0
    n_to_grade: int = 0
    n_done: int = 0
    verdicts: Counter = field(default_factory=Counter)


@dataclass(frozen=True)
class Graded:
    """What grading an assignment left behind.

    Parameters
    ----------
    assignment : str
    records : list of Record
        Scores of everybody in the gradebook.
    results : dict
        By student what is recorded, without notebooks.
    changed : list of str
        Students whose result was recorded now.
    failed : list of Result
        Not recorded: the grader itself failed, twice.
    outdated : list of str
        Students whose mark was made with other tests, and was left as it is.
    notes : list of str
        A line for each folder that is no student's and each result file that was
        damaged.
    is_complete : bool
        Whether all that was handed in is recorded.
    """

    assignment: str
    records: list[Record]
    results: dict[str, Result]
    changed: list[str]
    failed: list[Result]
    outdated: list[str]
    notes: list[str]
    is_complete: bool


def grade_assignment(
    root: Path,
    assignment: str,
    folder: Path | None = None,
    *,
    students: Collection[str] | None = None,
    options: Options = DEFAULTS,
    report: Callable[[Tally], None] = lambda tally: None,
) -> Graded:
    """Grade what was handed in and fill the gradebook; what is there is left alone.

    Parameters
    ----------
    root : Path
        Course folder, the assignment released with its gradebook.
    assignment : str
        ``NN_slug``.
    folder : Path, optional
        Where the submissions lie; by default ``.grading/submitted``.
    students : collection of str, optional
        Only these.
    options : Options
    report : callable
        Called with the `Tally` at the beginning and after each change; the same
        object each time.

    Returns
    -------
    Graded

    Raises
    ------
    GradingError
        If the assignment is not released, the folder or a student is not there, or
        another process is grading.
    identity_edu.grading.isolation.task.IsolationError
        If the isolation that was asked for is not to be had.
    """
    exam = read_exam(
        root,
        assignment,
        isolation=options.isolation,
        is_per_student=options.is_per_student,
    )
    folder = root / SUBMITTED if folder is None else folder
    found = find_submissions(folder, assignment, known_assignments(root))
    submissions = only(found.submissions, students)
    with one_writer(root), open_gradebook(root) as gradebook:
        register = Register(gradebook, root, assignment)
        batch = _Batch(exam, results_folder(root, assignment), register, report)
        batch.run(submissions, options)
        rows = register.recorded()
        recorded = {student: row.submission_sha256 for student, row in rows.items()}
        return Graded(
            assignment,
            records_of(gradebook, root, assignment),
            read_summaries(batch.folder, recorded),
            batch.changed,
            batch.failed,
            batch.plan.outdated,
            found.refused + found.passed_over + batch.plan.notes,
            not batch.failed and not found.refused,
        )


def results_of(
    root: Path, graded: Graded, students: Collection[str]
) -> Iterator[Result]:
    """Read results with their notebooks, one at a time.

    Parameters
    ----------
    root : Path
        Course folder.
    graded : Graded
    students : collection of str
        Whose results.

    Yields
    ------
    Result

    Raises
    ------
    GradingError
        If the notebook in a result file is damaged.
    """
    folder = results_folder(root, graded.assignment)
    for student in students:
        if student in graded.results:
            sha256 = graded.results[student].submission_sha256
            try:
                yield read_result(folder, student, sha256)
            except DamagedResultError as error:
                raise GradingError(f"{error} Remove it, and grade again.") from error


def known_assignments(root: Path) -> set[str]:
    """Name the assignments of the course, solved here or only released.

    Parameters
    ----------
    root : Path
        Course folder.

    Returns
    -------
    set of str
    """
    released = {path.parent.name for path in root.glob("exercises/*/*.ipynb")}
    return released | set(assignment_names(root))


class _Batch:
    """One run over the submissions of an assignment."""

    def __init__(self, exam, folder, register, report):
        self.exam, self.folder, self._register = exam, folder, register
        self._report, self._tally = report, Tally()
        self.plan, self.changed, self.failed = Plan(), [], []

    def run(self, submissions, options):
        tally, plan = self._tally, self.plan
        recorded = self._register.recorded()
        for submission in submissions:
            row = recorded.get(submission.student)
            plan.add(self.exam, self.folder, submission, row)
        if options.is_forced:
            plan.force()
        tally.n_handed_in, tally.n_before = len(submissions), len(plan.done)
        tally.n_to_grade = len(plan.to_grade)
        self._report(tally)
        waiting = iter(plan.on_disk)
        while some := list(islice(waiting, AT_ONCE)):
            tally.n_from_disk += self._record(self._stored(some))
            tally.n_to_grade = len(plan.to_grade)
            self._report(tally)
        if plan.to_grade:
            graded = mark_all(self.exam, self.folder, plan.to_grade, options)
            with closing(graded):
                for batch in graded:
                    tally.n_done += self._record(batch)
                    tally.verdicts.update(result.verdict for _, result in batch)
                    self._report(tally)

    def _stored(self, some):
        """Read results; what turns out to be damaged is graded after all."""
        for submission, sha256 in some:
            try:
                yield submission, read_result(self.folder, submission.student, sha256)
            except DamagedResultError as error:
                self.plan.notes.append(f"{error} It counts as absent.")
                self.plan.to_grade.append(submission)

    def _record(self, results):
        """Record results in one transaction, and count them."""
        n_results = 0
        for submission, result in results:
            n_results += 1
            if result.verdict == "failed":
                self.failed.append(result)
            else:
                self._register.record(result, submission.timestamp)
                self.changed.append(result.student)
        self._register.commit()
        return n_results
