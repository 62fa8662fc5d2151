"""Many submissions at once: on the cores of this machine, or on a Dask cluster.

Either way a thread here waits for each submission that is being graded; what differs
is the function that it calls. No more than a few submissions are in memory.
"""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from identity_edu.grading.course import GradingError
from identity_edu.grading.isolation import grade_one
from identity_edu.grading.isolation.task import Result, Task

SECONDS_FOR_WORKERS = 30
AHEAD = 2  # submissions in hand for each worker: one runs, the next one is ready

Item, Done = TypeVar("Item"), TypeVar("Done")


@dataclass(frozen=True)
class Graders:
    """What grades a submission, how many at once, and how to end it all now."""

    grade: Callable[[Task], Result]
    n_workers: int
    stop: Callable[[], None]


@contextmanager
def graders(workers: int | None = None, scheduler: str | None = None):
    """Start what grades, to be used in a ``with`` statement.

    Parameters
    ----------
    workers : int, optional
        Submissions at a time; by default one a core, or a thread of the cluster.
    scheduler : str, optional
        Address of a Dask scheduler, ``tcp://...``; without it, this machine.

    Yields
    ------
    Graders

    Raises
    ------
    GradingError
        If Dask is not installed, or no worker can be reached.
    """
    if scheduler is None:
        grade = grade_one.grade_submission
        yield Graders(grade, workers or _cores(), grade_one.close)
        return
    with _connected(scheduler) as client:
        n_workers = workers or AHEAD * sum(client.nthreads().values())

        def grade(task):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a large submission is large
                future = client.submit(grade_plain, task.to_plain(), pure=False)
            return Result.from_plain(future.result())

        yield Graders(grade, n_workers, client.close)


def grade_plain(plain: dict) -> dict:
    """Grade one submission: the function that a cluster's worker calls.

    Parameters
    ----------
    plain : dict
        Of a `Task`.

    Returns
    -------
    dict
        Of a `Result`.
    """
    return grade_one.grade_submission(Task.from_plain(plain)).to_plain()


def in_parallel(
    work: Callable[[Item], Done],
    items: Iterable[Item],
    n_workers: int,
    stop: Callable[[], None] = lambda: None,
) -> Iterator[list[Done]]:
    """Call a function on many items in threads.

    Parameters
    ----------
    work : callable
        Called in a thread, once for each item.
    items : iterable
        Taken only as threads become free.
    n_workers : int
        Number of threads.
    stop : callable
        Called when what consumes this is interrupted: it makes all `work` return
        soon.

    Yields
    ------
    list
        What became ready since the last time, in the order in which it did.
    """
    items, pending = iter(items), set()
    pool = ThreadPoolExecutor(n_workers, thread_name_prefix="grade")
    is_complete = False
    try:
        pending = {pool.submit(work, x) for x in islice(items, AHEAD * n_workers)}
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            pending |= {pool.submit(work, x) for x in islice(items, len(done))}
            yield [future.result() for future in done]
        is_complete = True
    finally:
        if not is_complete:
            pool.shutdown(wait=False, cancel_futures=True)
            stop()
        pool.shutdown()


@contextmanager
def _connected(scheduler):
    try:
        from distributed import Client
    except ImportError:
        raise GradingError(
            "--scheduler needs Dask: python -m pip install 'identity_edu[cluster]'"
        ) from None
    try:
        client = Client(scheduler, timeout=SECONDS_FOR_WORKERS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise GradingError(f"no Dask scheduler at {scheduler}: {error}") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=SECONDS_FOR_WORKERS)
        except TimeoutError:
            raise GradingError(
                f"the scheduler has no worker; this starts one: dask worker {scheduler}"
            ) from None
        yield client


def _cores():
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
