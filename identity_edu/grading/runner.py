"""Run the cells of an assignment in this process, for the tests of the assignments.

A kernel takes a second to start, and those tests run hundreds of answers. Running the
cells in one namespace, in order, asks the same questions of the same code. This
isolates nothing: it is for answers that we wrote, not for submissions.
"""

import contextlib
import copy
import io
import os
import signal
import sys
import threading
import types
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from identity_edu.grading.cells import Blank, Cell, blanks


@dataclass(frozen=True)
class Outcome:
    """What running one cell came to; nbgrader fails a cell that writes to stderr."""

    error: BaseException | None = None
    stderr: str = ""

    @property
    def passed(self) -> bool:
        """Whether nbgrader would give the cell its points."""
        return self.error is None and not self.stderr


class CellTimeoutError(BaseException):
    """The cell ran out of time; no ``except Exception`` in a cell may catch it."""


def run_cell(cell: Cell, namespace: dict, seconds: float = 20.0) -> Outcome:
    """Run one code cell; nothing that it prints or draws comes out.

    Parameters
    ----------
    cell : Cell
        Markdown does nothing.
    namespace : dict
        Names that earlier cells left; changed by this one.
    seconds : float
        Time limit, held where the platform has interval timers (not Windows).

    Returns
    -------
    Outcome
        The error that ended it, if any, and what reached stderr.
    """
    if cell.kind != "code":
        return Outcome()
    error, stderr = None, io.StringIO()
    with _quiet(stderr) as caught, _time_limit(seconds):
        try:
            exec(compile(_without_magics(cell.source), cell.id, "exec"), namespace)
        except KeyboardInterrupt:
            raise
        except BaseException as raised:
            error = raised
    lines = [f"{w.category.__name__}: {w.message}\n" for w in caught]
    return Outcome(error, stderr.getvalue() + "".join(lines))


def run_cells(cells: Iterable[Cell], seconds: float = 20.0) -> dict[str, Outcome]:
    """Run a notebook from the top in a fresh namespace, going on after errors.

    Parameters
    ----------
    cells : iterable of Cell
        In order.
    seconds : float
        Time limit of each cell.

    Returns
    -------
    dict
        Outcome by cell id, in order, code cells only.
    """
    namespace = fresh_namespace()
    code = [cell for cell in cells if cell.kind == "code"]
    return {cell.id: run_cell(cell, namespace, seconds) for cell in code}


def at_each_blank(cells: Iterable[Cell]) -> Iterator[tuple[Blank, dict]]:
    """Run a solved notebook, stopping before each answer.

    Parameters
    ----------
    cells : iterable of Cell
        A whole notebook, in order, with its answers.

    Yields
    ------
    Blank
        The blank that comes next.
    dict
        The namespace at that point; `fork` it before trying an answer.
    """
    cells = list(cells)
    by_answer = {blank.answer.id: blank for blank in blanks(cells)}
    namespace = fresh_namespace()
    for cell in cells:
        if cell.id in by_answer:
            yield by_answer[cell.id], namespace
        run_cell(cell, namespace)


def fork(namespace: dict) -> dict:
    """Copy a namespace so that trying an answer cannot change the original's data.

    Parameters
    ----------
    namespace : dict
        Names of a running notebook.

    Returns
    -------
    dict
        Modules, functions and classes shared; everything else copied deeply.
    """
    shared = (types.ModuleType, types.FunctionType, type)
    return {
        name: value if isinstance(value, shared) else _copied(value)
        for name, value in namespace.items()
    }


def fresh_namespace() -> dict:
    """Make the namespace that a notebook starts with.

    Returns
    -------
    dict
        Just the name of the main module.
    """
    return {"__name__": "__main__"}


def _copied(value):
    try:
        return copy.deepcopy(value)
    except Exception:  # an open figure or a lock: no answer has a reason to touch it
        return value


def _without_magics(source):
    """Blank the lines that only IPython understands, keeping line numbers."""
    lines = source.splitlines()
    return "\n".join("" if x.startswith(("%", "!")) else x for x in lines)


@contextlib.contextmanager
def _quiet(stderr):
    """Capture prints and warnings, draw off screen, and close figures afterwards."""
    os.environ.setdefault("MPLBACKEND", "agg")  # read when a cell imports pyplot
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(stderr),
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        # plt.show() of the off-screen backend, not a word from the cell.
        warnings.filterwarnings("ignore", message=".*non-interactive")
        try:
            yield caught
        finally:
            if "matplotlib.pyplot" in sys.modules:
                sys.modules["matplotlib.pyplot"].close("all")


@contextlib.contextmanager
def _time_limit(seconds):
    in_main = threading.current_thread() is threading.main_thread()
    if not (hasattr(signal, "setitimer") and in_main):
        yield
        return

    def stop(signum, frame):
        raise CellTimeoutError(f"took more than {seconds:g} seconds")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
