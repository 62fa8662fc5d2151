"""Run the cells of an assignment in this process, for the tests of the assignments.

A kernel takes a second to start, and those tests run hundreds of answers. Running the
cells in one namespace, in order, asks the same questions of the same code. This
isolates nothing: it is for answers that we wrote, not for submissions.
"""

import copy
import os
import types
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from identity_edu.grading.cells import Blank, Cell, blanks
from identity_edu.grading.isolation import cell as jupyter


@dataclass(frozen=True)
class Outcome:
    """What running one cell came to; nbgrader fails a cell that writes to stderr."""

    error: BaseException | None = None
    stderr: str = ""

    @property
    def passed(self) -> bool:
        """Whether nbgrader would give the cell its points."""
        return self.error is None and not self.stderr


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
    os.environ.setdefault("MPLBACKEND", "agg")  # read when a cell imports pyplot
    shown = jupyter.Shown(max_text=1 << 20, max_figures=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _, error = jupyter.run(cell.source, namespace, shown, seconds, cell.id)
    if isinstance(error, KeyboardInterrupt):
        raise error
    stderr = "".join(text for kind, text, *_ in shown.outputs if kind == "stderr")
    lines = [f"{w.category.__name__}: {w.message}\n" for w in caught]
    return Outcome(error, stderr + "".join(lines))


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
