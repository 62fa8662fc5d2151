"""Grade submissions into a folder of result files, many at once."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from identity_edu.grading.exam import Exam
from identity_edu.grading.isolation.sandbox import isolation_problem
from identity_edu.grading.isolation.task import IsolationError, Result, failure
from identity_edu.grading.pool import graders, in_parallel
from identity_edu.grading.store import write_result
from identity_edu.grading.submissions import Submission


@dataclass(frozen=True)
class Options:
    """How to grade.

    Parameters
    ----------
    workers : int or None
        Submissions at a time; None for one a core, or what the cluster has.
    scheduler : str or None
        Address of a Dask scheduler; None for this machine.
    isolation : str
        ``"bubblewrap"`` or ``"rlimits"``.
    is_per_student : bool
        Whether hidden problems follow from a secret of each student's own.
    is_forced : bool
        Whether to grade again what was graded.
    """

    workers: int | None = None
    scheduler: str | None = None
    isolation: str = "bubblewrap"
    is_per_student: bool = False
    is_forced: bool = False


DEFAULTS = Options()
TRIES = 2  # where the grader itself failed


def mark_all(
    exam: Exam, folder: Path, submissions: Iterable[Submission], options: Options
) -> Iterator[list[tuple[Submission, Result]]]:
    """Grade submissions and write a result file for each.

    Parameters
    ----------
    exam : Exam
    folder : Path
        For result files.
    submissions : iterable of Submission
        Read one by one.
    options : Options

    Yields
    ------
    list of (Submission, Result)
        As they become ready. Where the grader itself failed, twice, the verdict is
        ``"failed"`` and no file was written.

    Raises
    ------
    IsolationError
        If the isolation that was asked for is not to be had.
    """
    is_local = options.scheduler is None
    if problem := isolation_problem(options.isolation) if is_local else "":
        raise IsolationError(problem)
    stopping = threading.Event()
    with graders(options.workers, options.scheduler) as pool:

        def work(submission):
            result = _graded(exam, submission, pool.grade, stopping)
            if result.verdict != "failed":
                write_result(folder, result)
            return submission, result

        def stop():
            stopping.set()
            pool.stop()

        batches = in_parallel(work, submissions, pool.n_workers, stop)
        with closing(batches):
            yield from batches


def _graded(exam, submission, grade, stopping):
    """Grade one submission, once more if the grader failed."""
    task = exam.task(submission.student)
    try:
        said = {"problem": submission.problem, "note": submission.note}
        task = exam.task(submission.student, submission.read(), **said)
        result = failure(task, "stopped")
        for _ in range(TRIES):
            if result.verdict == "failed" and not stopping.is_set():
                result = grade(task)
    except IsolationError:
        raise
    except Exception as error:  # a disk, a cluster: the next one's turn comes
        return failure(task, f"{type(error).__name__} {error}")
    return result
