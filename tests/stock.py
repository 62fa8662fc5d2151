"""Stock nbgrader as the oracle: a course that knows nothing of ours, and its rows."""

import os
import subprocess
import sys
from pathlib import Path

from nbgrader.api import Gradebook

from identity_edu.grading.course import quiet

CONFIG = """
from pathlib import Path
c = get_config()
root = Path(__file__).parent
c.CourseDirectory.course_id = "around-the-identity"
c.CourseDirectory.root = str(root)
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.CourseDirectory.db_url = f"sqlite:///{root}/gradebook.db"
c.ClearSolutions.code_stub = {
    "python": 'raise NotImplementedError("replace this line with your answer")'
}
c.ClearSolutions.text_stub = "Write your answer here."
c.OverwriteCells.add_missing_cells = True
c.Execute.timeout = 120
c.Execute.startup_timeout = 300
c.Execute.extra_arguments = ["--IPKernelApp.log_level=40"]
"""
# In a process of its own, where nbgrader's classes are as they come.
CONVERT = """
import sys
from pathlib import Path
from nbgrader.converters import Autograde, GenerateAssignment
from identity_edu.grading.course import convert
for converter in (GenerateAssignment, Autograde):
    convert(converter, Path.cwd(), sys.argv[1])
"""


def environment():
    """Give this one with its programs on the PATH: nbgrader starts `alembic`."""
    programs = str(Path(sys.executable).parent)
    path = os.pathsep.join([programs, os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path}


def hand_in(folder, name, submissions):
    """Write submissions, text or bytes by student, where nbgrader collects them."""
    for student, content in submissions.items():
        path = folder / student / name / f"{name}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def grade(course, solution, submissions):
    """Release and autograde in an empty folder; the gradebook's rows."""
    name = solution.stem
    source = course / "solutions" / name / solution.name
    source.parent.mkdir(parents=True)
    source.write_bytes(solution.read_bytes())
    (course / "nbgrader_config.py").write_text(CONFIG, "utf-8")
    hand_in(course / "submitted", name, submissions)
    outcome = subprocess.run(
        [sys.executable, "-c", CONVERT, name],
        cwd=course,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    return rows(f"sqlite:///{course}/gradebook.db", name)


def rows(url, name):
    """Read all that autograding writes about an assignment, by student."""
    with quiet(), Gradebook(url, "around-the-identity") as gradebook:
        return {
            submission.student.id: _rows(submission, notebook)
            for submission in gradebook.assignment_submissions(name)
            for notebook in submission.notebooks
        }


def points(rows):
    """Reduce rows to the points of the autograder, by student and cell."""
    return {
        student: {cell: grade["auto_score"] for cell, grade in row["grades"].items()}
        for student, row in rows.items()
    }


def _rows(submission, notebook):
    grade = ("auto_score", "manual_score", "extra_credit", "needs_manual_grade")
    comment = ("auto_comment", "manual_comment")
    return {
        "timestamp": submission.timestamp,
        "flagged": notebook.flagged,
        "late": notebook.late_submission_penalty,
        "grades": _fields(notebook.grades, grade),
        "comments": _fields(notebook.comments, comment),
    }


def _fields(entries, fields):
    return {e.name: {field: getattr(e, field) for field in fields} for e in entries}
