"""Read scores from the gradebook, and export them."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

from identity_edu.grading.cells import exercise_and_role
from identity_edu.grading.executor import open_gradebook


@dataclass(frozen=True)
class Record:
    """Scores of one student in one assignment; points by exercise."""

    student: str
    scores: dict[str, float]
    max_scores: dict[str, float]
    awaiting: float = 0.0  # points that a person has yet to give or withhold

    @property
    def total(self) -> float:
        """Points so far."""
        return sum(self.scores.values())

    @property
    def max_total(self) -> float:
        """Points that can be had, those awaiting a person included."""
        return sum(self.max_scores.values())

    @property
    def fraction(self) -> float:
        """Share of the points that were decided, in [0, 1]; 0 if none was."""
        decided = self.max_total - self.awaiting
        return self.total / decided if decided else 0.0


def read_records(root: Path, assignment: str) -> list[Record]:
    """Read the scores of an assignment from the gradebook.

    Parameters
    ----------
    root : Path
        Course folder.
    assignment : str
        ``NN_slug``.

    Returns
    -------
    list of Record
        One a student, by name; exercises in the order of the notebook.
    """
    order = _exercises(root, assignment)
    with open_gradebook(root) as gradebook:
        submissions = gradebook.assignment_submissions(assignment)
        records = [_record(submission, order) for submission in submissions]
    return sorted(records, key=lambda record: record.student)


def first_message(root: Path, assignment: str, student: str) -> str:
    """Quote the first graded cell that failed, for the instructor.

    Parameters
    ----------
    root : Path
        Course folder.
    assignment, student : str
        Whose autograded notebook to read.

    Returns
    -------
    str
        ``cell-id: message`` on one line; empty when every graded cell passed.
    """
    folder = root / ".grading" / "autograded" / student / assignment
    document = json.loads((folder / f"{assignment}.ipynb").read_text("utf-8"))
    for cell in document["cells"]:
        mark = cell["metadata"].get("nbgrader", {})
        for output in cell.get("outputs", []) if mark.get("grade") else []:
            if text := _complaint(output):
                return f"{mark['grade_id']}: {text}"
    return ""


def write_csv(path: Path, records: list[Record], remarks: dict[str, str]) -> None:
    """Export the scores, a row a student.

    Parameters
    ----------
    path : Path
        File to write.
    records : list of Record
        Of one assignment.
    remarks : dict
        One line by student; who has none gets an empty field.
    """
    exercises = list(records[0].scores) if records else []
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["student", *exercises, "total", "max", "awaiting", "remark"])
        for r in records:
            ends = [r.total, r.max_total, r.awaiting, remarks.get(r.student, "")]
            rows.writerow([r.student, *r.scores.values(), *ends])


def _exercises(root, assignment):
    """List the exercises in the order of the notebook; the gradebook has none."""
    released = root / "exercises" / assignment / f"{assignment}.ipynb"
    cells = json.loads(released.read_text("utf-8"))["cells"]
    marks = [cell["metadata"].get("nbgrader", {}) for cell in cells]
    return list(
        dict.fromkeys(
            exercise_and_role(m["grade_id"])[0] for m in marks if m.get("grade")
        )
    )


def _complaint(output):
    """Say in one printable line why nbgrader gives no points for an output."""
    text = ""
    if output["output_type"] == "error":
        is_told = output["ename"] == "AssertionError" and output["evalue"]
        text = output["evalue"] if is_told else f"{output['ename']} {output['evalue']}"
    elif output.get("name") == "stderr":
        text = "printed to stderr: " + "".join(output["text"])
    # Students write these texts: no control sequence may reach a terminal.
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _record(submission, order):
    scores, max_scores = dict.fromkeys(order, 0.0), dict.fromkeys(order, 0.0)
    awaiting = 0.0
    for notebook in submission.notebooks:
        for grade in notebook.grades:
            exercise = exercise_and_role(grade.name)[0]
            scores[exercise] += grade.score or 0.0
            max_scores[exercise] += grade.max_score
            awaiting += grade.max_score if grade.needs_manual_grade else 0.0
    return Record(submission.student.id, scores, max_scores, awaiting)
