"""A course of one small assignment, and a grader that needs no isolation."""

import atexit
import functools
import json
import shutil
import tempfile
import time
from pathlib import Path

import small

from identity_edu.grading.course import CONFIG
from identity_edu.grading.gradebook import open_gradebook
from identity_edu.grading.isolation.task import Result, TestResult

ROOT = Path(__file__).resolve().parents[1]
NAME = "00_small"
PAIRS = [
    small.text("title", "# A small assignment"),
    small.answer("one-answer", "a = 1"),
    small.visible("one-check", "assert a == 1", points=1),
    small.hidden("one-hidden", "assert a == 1", points=2),
    small.words("two-why", points=2),
]
MOST = {"one-check": 1.0, "one-hidden": 2.0, "two-why": 2.0}


def copy_course(root):
    """Make a course folder with its gradebook, as releasing the assignment would."""
    return shutil.copytree(_released(), root, dirs_exist_ok=True)


@functools.cache
def _released():
    """Make the folder that is copied: a new gradebook takes nbgrader seconds."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    root = Path(folder.name).resolve()
    reference, released = zip(*PAIRS, strict=True)
    for folder, cells in (("solutions", reference), ("exercises", released)):
        path = root / folder / NAME / f"{NAME}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(small.notebook(cells)), "utf-8")
    (root / CONFIG).write_bytes((ROOT / CONFIG).read_bytes())
    with open_gradebook(root) as gradebook:
        gradebook.add_assignment(NAME)
        gradebook.add_notebook(NAME, NAME)
        for name, points in MOST.items():
            kind = "markdown" if name == "two-why" else "code"
            shape = {"max_score": points, "cell_type": kind}
            gradebook.add_grade_cell(name, NAME, NAME, **shape)
        for name in ("one-answer", "two-why"):
            gradebook.add_solution_cell(name, NAME, NAME)
    return root


def hand_in(root, student, text, name=NAME):
    """Hand in a text under a student's name."""
    path = root / ".grading" / "submitted" / student / NAME / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def points_of(text):
    """Read what a text asks for, as ``"1 2 -"``: points, and what awaits a person."""
    words = text.split("#")[0].split()
    return [None if word == "-" else float(word) for word in words]


class FakeGrader:
    """Gives the points that a submission asks for; what begins with ! fails.

    `extra` is added to the points of the first question, as other tests would.
    """

    def __init__(self):
        self.students, self.extra, self.seconds = [], 0.0, 0.0

    def __call__(self, task):
        time.sleep(self.seconds)
        self.students.append(task.student)
        text = task.submission.decode()
        if text.startswith("!"):
            return self._result(task, "failed", "the examiner ended", ())
        verdict, reason, points = "graded", "", points_of(text)
        if task.note:
            verdict, reason = "repaired", task.note
        if not text:
            reason = task.problem or "the file is empty"
            verdict, points = "unreadable", [0.0, 0.0, 0.0]
        points[0] += self.extra
        told = reason if verdict == "unreadable" else "told"
        tests = [
            TestResult(name, value, MOST[name], "" if value is None else told)
            for name, value in zip(MOST, points, strict=True)
        ]
        return self._result(task, verdict, reason, tuple(tests))

    def _result(self, task, verdict, reason, tests):
        cells = json.loads(task.released)["cells"]
        told = {"cell_type": "markdown", "id": "told", "metadata": {}}
        cells.insert(0, told | {"source": f"Not graded: {reason}."})
        return Result(
            assignment=task.assignment,
            student=task.student,
            verdict=verdict,
            reason=reason,
            repairs=(),
            tests=tests,
            notebook=small.notebook(cells),
            isolation=task.isolation,
            seconds=0.0,
            submission_sha256=task.submission_sha256,
            tests_sha256=task.tests_sha256,
        )


def use(fake, monkeypatch):
    """Put a fake in the place of the grader and of the isolation that it needs."""
    module = "identity_edu.grading."
    monkeypatch.setattr(f"{module}isolation.grade_one.grade_submission", fake)
    monkeypatch.setattr(f"{module}marking.isolation_problem", lambda level: "")
    return fake


def grades(root):
    """Return the gradebook's rows: auto score, manual score, whether it awaits."""
    with open_gradebook(root) as gradebook:
        found = {}
        for submission in gradebook.assignment_submissions(NAME):
            for grade in submission.notebooks[0].grades:
                row = (grade.auto_score, grade.manual_score, grade.needs_manual_grade)
                found[submission.student.id, grade.name] = row
        return found


def give_by_hand(root, student, question, points):
    """Give points by hand, as the formgrader does."""
    with open_gradebook(root) as gradebook:
        grade = gradebook.find_grade(question, NAME, NAME, student)
        grade.manual_score, grade.needs_manual_grade = points, False
        gradebook.db.commit()
