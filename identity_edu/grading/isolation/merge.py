"""Lay a submission over the released notebook: every cell where it belongs.

Locked cells are the course's own, whatever the file says; answers are the student's;
cells that the student added stay behind the cell that they followed. What was lost,
doubled or split is put right by the ids that every cell of ours carries, and each
repair is said.
"""

import json
from collections import Counter
from dataclasses import dataclass

from identity_edu.grading.cells import defined_names, exercise_and_role
from identity_edu.grading.isolation.reading import (
    UnreadableError,
    key_of,
    marks_of,
    read_submission,
    source_of,
)

ADDED = "added-"  # how the keys of cells begin that the student added


@dataclass(frozen=True)
class MergedCell:
    """One cell of the notebook that is run.

    Parameters
    ----------
    key : str
        Unique; the id of the released cell, if it is one.
    kind : str
        ``"code"``, ``"markdown"`` or ``"raw"``.
    source : str
        For the student process, or the text.
    role : str
        ``"locked"``, ``"test"``, ``"answer"``, ``"text answer"``, ``"free"`` or
        ``"added"``.
    marks : dict
        Of nbgrader; empty where there are none.
    reference : str
        What the examiner runs; empty where it runs nothing.
    is_unchanged : bool
        Whether an answer is just what was released, or empty.
    """

    key: str
    kind: str
    source: str
    role: str
    marks: dict
    reference: str = ""
    is_unchanged: bool = False


@dataclass(frozen=True)
class Merged:
    """The notebook to run, the answer that defines each name, and the repairs."""

    cells: tuple[MergedCell, ...]
    names: dict[str, str]
    repairs: tuple[str, ...]


def merge(task):
    """Lay a submission over the released notebook.

    Parameters
    ----------
    task : Task

    Returns
    -------
    Merged

    Raises
    ------
    UnreadableError
        If it is no notebook.
    """
    if task.problem:
        raise UnreadableError(task.problem)
    handed_in = read_submission(task.submission, task.limits.notebook_mb)
    released = json.loads(task.released)["cells"]
    reference = {key_of(c): source_of(c) for c in json.loads(task.reference)["cells"]}
    names = answer_names(released, reference)
    placed = _Placed({key_of(cell): cell for cell in released}, reference)
    for entry in handed_in:
        placed.add(entry)
    placed.adopt(names)
    if handed_in and not placed.is_of_this_assignment:
        raise UnreadableError(
            f"no cell of {task.assignment} is in it; is it the notebook of another "
            "exercise?"
        )
    cells = list(placed.added_after(None))
    for cell in released:
        cells += _cells_for(cell, placed, reference)
        cells += placed.added_after(key_of(cell))
    owners = {name: key for key, found in names.items() for name in found}
    repairs = [task.note] if task.note else []
    return Merged(tuple(cells), owners, (*repairs, *placed.repairs))


def blank(task):
    """Return the released notebook itself, for a submission that is none.

    Parameters
    ----------
    task : Task

    Returns
    -------
    Merged
    """
    released = json.loads(task.released)["cells"]
    placed = _Placed({key_of(cell): cell for cell in released}, {})
    for cell in released:
        placed.add(cell)
    cells = [c for cell in released for c in _cells_for(cell, placed, {})]
    return Merged(tuple(cells), {}, ())


def answer_names(released, reference):
    """Find the names that the reference's answer cells define.

    Parameters
    ----------
    released : list of dict
        Cells of exercises/.
    reference : dict
        Source by key, of solutions/.

    Returns
    -------
    dict
        List of names by key of the answer cell.
    """
    return {
        key_of(cell): list(defined_names(reference[key_of(cell)]))
        for cell in released
        if _role(cell) == "answer"
    }


class _Placed:
    """Where each cell that was handed in belongs."""

    def __init__(self, released, reference):
        self._released, self._reference, self._anchor = released, reference, None
        self._parts = {}  # key of an answer: [(is it the answer, cell), ...]
        self._seen, self._n_added = Counter(), 0
        self.repairs, self.has_strange_text = [], False

    def add(self, entry):
        key = next((k for k in _claims(entry) if k in self._released), None)
        if key is None:
            self._parts.setdefault(self._anchor, []).append((False, entry))
            return
        self._anchor = key
        self._seen[key] += 1
        cell = self._released[key]
        if _is_open(cell):
            self._parts.setdefault(key, []).append((True, entry))
            return
        originals = source_of(cell), self._reference.get(key, "")
        if source_of(entry).strip() not in [text.strip() for text in originals]:
            self.repairs.append(f"`{key}` was changed: the original was run")

    def adopt(self, names):
        """Find the answers that lost their id, and say what is missing or doubled."""
        for key, cell in self._released.items():
            if not marks_of(cell):
                continue
            if self._seen[key] > 1:
                self.repairs.append(f"`{key}` was there {self._seen[key]} times")
            if self._seen[key]:
                continue
            found = self._defining(names[key]) if key in names else []
            self._parts.setdefault(key, [])[:0] = [(True, entry) for entry in found]
            how = "a cell without its id was taken for it" if found else "put back"
            self.repairs.append(f"`{key}` was missing: {how}")

        parts = [part for some in self._parts.values() for part in some]
        self.has_strange_text = any(
            not is_answer and entry["cell_type"] != "code" for is_answer, entry in parts
        )

    @property
    def is_of_this_assignment(self):
        """Whether any answer or test was found; titles are called alike everywhere."""
        parts = [part for some in self._parts.values() for part in some]
        return any(is_answer for is_answer, _ in parts) or any(
            self._seen[key] and marks_of(cell).get("grade")
            for key, cell in self._released.items()
        )

    def answers(self, key):
        """Return the parts of an answer and what was added between and after them."""
        return self._parts.pop(key, [])

    def added_after(self, key):
        """Yield the cells that were added behind a locked cell."""
        for _, entry in self._parts.pop(key, []):
            yield self.added(entry)

    def added(self, entry):
        """Make a cell that the student added."""
        self._n_added += 1
        key = f"{ADDED}{self._n_added}"
        return MergedCell(key, entry["cell_type"], source_of(entry), "added", {})

    def _defining(self, names):
        """Take out the added cells that define one of some names."""
        taken = []
        for parts in self._parts.values():
            for part in list(parts):
                is_answer, entry = part
                is_code = not is_answer and entry["cell_type"] == "code"
                if is_code and set(names) & set(_defined(source_of(entry))):
                    parts.remove(part)
                    taken.append(entry)
        return taken


def _cells_for(cell, placed, reference):
    """Make the cells that stand in the place of one released cell."""
    key, role, marks = key_of(cell), _role(cell), marks_of(cell)
    released = source_of(cell)
    if not _is_open(cell):
        is_see = exercise_and_role(key)[1] == "see"
        runs = cell["cell_type"] == "code" and not is_see
        source = reference.get(key, "") if runs else ""
        return [MergedCell(key, cell["cell_type"], released, role, marks, source)]
    made, n_parts = [], 0
    for is_answer, entry in placed.answers(key):
        if not is_answer:
            made.append(placed.added(entry))
            continue
        n_parts += 1
        source = source_of(entry)
        texts = "", released.strip()
        part = key if n_parts == 1 else f"{key}-part-{n_parts}"
        made.append(
            MergedCell(
                part,
                cell["cell_type"],
                source,
                role,
                marks if n_parts == 1 else {},
                is_unchanged=source.strip() in texts,
            )
        )
    if not n_parts and role != "free":
        kind = cell["cell_type"]
        is_lost = placed.has_strange_text  # a person looks whether that is it
        empty = MergedCell(key, kind, "", role, marks, is_unchanged=not is_lost)
        made.insert(0, empty)
    return made


def _role(cell):
    marks = marks_of(cell)
    if marks.get("solution"):
        return "answer" if cell["cell_type"] == "code" else "text answer"
    if marks.get("grade"):
        return "test" if cell["cell_type"] == "code" else "locked"
    return "locked" if marks.get("locked") else "free"


def _is_open(cell):
    return _role(cell) in ("answer", "text answer", "free")


def _claims(entry):
    """Yield the ids that a cell claims to be, the strongest claim first."""
    for claim in (marks_of(entry).get("grade_id"), entry.get("id")):
        if isinstance(claim, str):
            yield claim


def _defined(source):
    try:
        return defined_names(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
