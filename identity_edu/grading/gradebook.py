"""Open nbgrader's gradebook of a course: a SQLite file, or PostgreSQL by its URL."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nbgrader.api import Gradebook
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from identity_edu.grading.course import GradingError, load_config, quiet

try:
    import fcntl
except ImportError:  # Windows, where nothing is graded
    fcntl = None

WAIT_MS = 60_000  # for another program that writes to the same SQLite file


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

    Raises
    ------
    GradingError
        If the database cannot be opened, or fails while it is used.
    """
    course = load_config(root).CourseDirectory
    try:
        with quiet(), Gradebook(course.db_url, course.course_id) as gradebook:
            if gradebook.engine.dialect.name == "sqlite":
                gradebook.db.execute(text(f"PRAGMA busy_timeout = {WAIT_MS}"))
                gradebook.db.commit()
            yield gradebook
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).strip().splitlines()
        reason = cause[0] if cause else type(error).__name__
        raise GradingError(f"the gradebook cannot be used: {reason}") from error


@contextmanager
def one_writer(root: Path) -> Iterator[None]:
    """Keep every other process from grading into this course meanwhile.

    Parameters
    ----------
    root : Path
        Course folder.

    Yields
    ------
    None

    Raises
    ------
    GradingError
        If another process is grading; the lock goes with the process that holds it.
    """
    path = root / ".grading" / "grading.lock"
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise GradingError(
                    "another process is grading here: wait for it, or stop it."
                ) from None
        yield
