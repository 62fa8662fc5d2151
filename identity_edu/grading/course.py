"""Open a course folder and run one of nbgrader's converters on it, quietly."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nbgrader.converters.base import BaseConverter
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

CONFIG = "nbgrader_config.py"


class GradingError(Exception):
    """A step of grading failed; the message is one line for a person."""


class _ErrorLines(logging.Handler):
    """Keep the last line of each error: of a traceback, the one that tells."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage().strip().splitlines()[-1])


def load_config(root: Path) -> Config:
    """Read the nbgrader settings of a course folder.

    Parameters
    ----------
    root : Path
        Folder that holds ``nbgrader_config.py``.

    Returns
    -------
    Config
        The settings, with absolute paths.

    Raises
    ------
    GradingError
        If the folder has no ``nbgrader_config.py``.
    """
    if not (root / CONFIG).is_file():
        raise GradingError(f"a course folder holds {CONFIG}; {root} has none.")
    return PyFileConfigLoader(CONFIG, path=str(root)).load_config()


def assignment_names(root: Path) -> list[str]:
    """Name the assignments whose solution notebooks the course holds.

    Parameters
    ----------
    root : Path
        Course folder.

    Returns
    -------
    list of str
        The ``NN_slug`` with ``solutions/NN_slug/NN_slug.ipynb``, sorted.
    """
    found = root.glob("solutions/*/*.ipynb")
    return sorted({path.stem for path in found if path.stem == path.parent.name})


def released_files(folder: Path) -> dict[str, bytes]:
    """Read what students get, not what running it has left there.

    Parameters
    ----------
    folder : Path
        ``exercises/NN_slug``.

    Returns
    -------
    dict
        Content by path in the folder.
    """
    paths = {path.relative_to(folder): path for path in sorted(folder.rglob("*"))}
    return {
        name.as_posix(): path.read_bytes()
        for name, path in paths.items()
        if path.is_file()
        and not any(part.startswith((".", "__pycache__")) for part in name.parts)
    }


def convert(
    converter: type[BaseConverter],
    root: Path,
    assignment: str,
    student: str = "*",
    overrides: dict | None = None,
) -> None:
    """Run an nbgrader converter on one assignment, overwriting what was there.

    Parameters
    ----------
    converter : class
        Such as ``nbgrader.converters.Autograde``.
    root : Path
        Course folder.
    assignment, student : str
        Their ids; ``"*"`` takes every student.
    overrides : dict, optional
        Settings that replace those of the course, ``{class: {trait: value}}``.

    Raises
    ------
    GradingError
        With the last line of the first error that nbgrader reported.

    Notes
    -----
    nbgrader changes the working directory meanwhile: one call at a time a process.
    """
    config = load_config(root)
    config.merge(Config(overrides or {}))
    course = CourseDirectory(config=config)
    course.assignment_id, course.student_id = assignment, student
    job = converter(coursedir=course, config=config)
    job.force = True
    errors = _ErrorLines()
    job.log.addHandler(errors)
    try:
        with quiet():
            job.start()
    except Exception as error:
        raise GradingError(_first_line(errors.lines, error)) from error
    finally:
        job.log.removeHandler(errors)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence warnings from inside nbgrader and SQLAlchemy: none is ours to act on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _first_line(lines, error):
    """Pick the error that names a cause: nbgrader wraps it in two that do not."""
    telling = [line for line in lines if not line.startswith("There was an error")]
    cause = telling[0] if telling else f"{type(error).__name__}: {error}"
    return f"nbgrader stopped with {cause}"
