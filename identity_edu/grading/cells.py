"""Read an assignment's notebook as cells: which are answers, which judge them."""

import ast
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

MARKERS = re.compile(r"### (BEGIN|END) (SOLUTION|HIDDEN TESTS)")
ID = re.compile(
    r"([a-z0-9-]+?)-(goal|context|given|predict|answer|check|hidden|see|question"
    r"|why-answer|why-check|why|hint)(-\d+)?"
)


@dataclass(frozen=True)
class Cell:
    """One notebook cell; `points` is 0 where nothing is graded."""

    id: str
    kind: str  # "code" or "markdown"
    source: str
    nbgrader: dict
    points: float = 0.0

    @property
    def is_answer(self) -> bool:
        """Whether students write code here."""
        return self.kind == "code" and self.nbgrader.get("solution", False)

    @property
    def is_test(self) -> bool:
        """Whether the autograder reads points off this cell."""
        graded = self.nbgrader.get("grade", False)
        return self.kind == "code" and graded and not self.is_answer


@dataclass(frozen=True)
class Blank:
    """A cell that students fill, and the graded cells that judge it."""

    answer: Cell
    tests: tuple[Cell, ...]

    def answer_with(self, source: str) -> Cell:
        """Return the answer cell with another source."""
        return replace(self.answer, source=source.strip("\n"))


def read_cells(notebook: Path) -> list[Cell]:
    """Read the cells of a notebook, in order.

    Parameters
    ----------
    notebook : Path
        An ``.ipynb`` file.

    Returns
    -------
    list of Cell
        Every cell, markdown included.
    """
    document = json.loads(notebook.read_text(encoding="utf-8"))
    return [_cell(entry) for entry in document["cells"]]


def blanks(cells: Iterable[Cell]) -> list[Blank]:
    """Pair every answer cell with the graded cells up to the next answer.

    Parameters
    ----------
    cells : iterable of Cell
        A whole notebook, in order.

    Returns
    -------
    list of Blank
        In the order of the notebook.
    """
    found = []
    for cell in cells:
        if cell.is_answer:
            found.append((cell, []))
        elif cell.is_test and found:
            found[-1][1].append(cell)
    return [Blank(answer, tuple(tests)) for answer, tests in found]


def exercise_and_role(cell_id: str) -> tuple[str, str]:
    """Take the id of a cell apart.

    Parameters
    ----------
    cell_id : str
        Such as ``backward-why-check``.

    Returns
    -------
    exercise, role : str
        Such as ``backward`` and ``why-check``; for an id of another form, two
        empty strings.
    """
    match = ID.fullmatch(cell_id)
    return (match[1], match[2]) if match else ("", "")


def split_at_markers(source: str) -> tuple[list[str], list[str]]:
    """Tell the lines that students never see from those that they do.

    Parameters
    ----------
    source : str
        Source of a cell in solutions/.

    Returns
    -------
    inside, outside : list of str
        Stripped lines between solution or hidden-test markers, and all others.
    """
    inside, outside, is_inside = [], [], False
    for line in source.splitlines():
        if marker := MARKERS.search(line):
            is_inside = marker[1] == "BEGIN"
        else:
            (inside if is_inside else outside).append(line.strip())
    return inside, outside


def first_heading(source: str) -> str:
    """Find what a text cell is about.

    Parameters
    ----------
    source : str
        Markdown.

    Returns
    -------
    str
        Its first heading, without the marks; empty if it has none.
    """
    lines = source.splitlines()
    heading = next((line for line in lines if line.startswith("#")), "")
    return heading.lstrip("#").strip()


def replace_answers(cells: Iterable[Cell], sources: dict[str, str]) -> list[Cell]:
    """Put other sources into cells.

    Parameters
    ----------
    cells : iterable of Cell
        A whole notebook, in order.
    sources : dict
        New source for each cell id that changes.

    Returns
    -------
    list of Cell
        The notebook with these cells replaced.
    """
    return [replace(c, source=sources.get(c.id, c.source)) for c in cells]


def defined_names(source: str) -> dict[str, ast.stmt]:
    """Find the functions and variables that a cell binds at its top level.

    Parameters
    ----------
    source : str
        Python source.

    Returns
    -------
    dict
        The defining statement by name.
    """
    names = {}
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.FunctionDef):
            names[statement.name] = statement
        for node in ast.walk(statement) if isinstance(statement, ast.Assign) else ():
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names[node.id] = statement
    return names


def _cell(entry):
    nbgrader = entry["metadata"].get("nbgrader", {})
    source = entry["source"]
    source = source if isinstance(source, str) else "".join(source)
    points = float(nbgrader.get("points", 0.0))
    return Cell(entry["id"], entry["cell_type"], source, nbgrader, points)
