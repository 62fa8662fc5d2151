"""Courses full of submissions, for the benchmarks of grading, ours and nbgrader's own.

Each course is a folder of its own. Ours has the course's settings; the stock one has
nbgrader's preprocessors and settings as they come, but for the names of the folders
and the stub, which are those of ours.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from identity_edu.grading.release import release
from identity_edu.grading.wrong_answers import load_wrong_answers

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = Path(sys.executable).parent
STOCK_SETTINGS = """
from pathlib import Path
c = get_config()
root = Path(__file__).parent
c.CourseDirectory.course_id = "stock"
c.CourseDirectory.root = str(root)
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.CourseDirectory.submitted_directory = ".grading/submitted"
c.CourseDirectory.autograded_directory = ".grading/autograded"
c.CourseDirectory.feedback_directory = ".grading/feedback"
c.CourseDirectory.db_url = f"sqlite:///{root}/.grading/gradebook.db"
c.ClearSolutions.code_stub = {
    "python": 'raise NotImplementedError("replace this line with your answer")'
}
c.ClearSolutions.text_stub = "Write your answer here."
c.Execute.startup_timeout = 300  # for a loaded machine
"""
POINTS = """
select s.student_id, c.name, g.auto_score
from grade g
join submitted_notebook n on g.notebook_id = n.id
join submitted_assignment s on n.assignment_id = s.id
join base_cell c on g.cell_id = c.id
"""


def environment():
    """Return this environment with the programs on the path, and BLAS on one thread.

    Returns
    -------
    dict
    """
    path = os.pathsep.join([str(PROGRAMS), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, "OPENBLAS_NUM_THREADS": "1"}


def run(course, *command):
    """Run one of the environment's programs in a course.

    Parameters
    ----------
    course : Path
    *command : str
        Its name and arguments.

    Raises
    ------
    RuntimeError
        If it fails, with the end of what it said.
    """
    done = subprocess.run(
        [PROGRAMS / command[0], *command[1:]],
        cwd=course,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}")


def our_course(folder, assignment):
    """Make a course with one assignment, released with its gradebook.

    Parameters
    ----------
    folder : Path
        Made anew.
    assignment : str
        ``NN_slug``.

    Returns
    -------
    Path
        The folder.
    """
    _with_source(folder, assignment)
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    release(folder, assignment, gradebook=True)
    return folder


def stock_course(folder, assignment):
    """Make the same course for nbgrader as it comes.

    Parameters
    ----------
    folder : Path
        Made anew.
    assignment : str
        ``NN_slug``.

    Returns
    -------
    Path
        The folder.
    """
    _with_source(folder, assignment)
    (folder / "nbgrader_config.py").write_text(STOCK_SETTINGS, "utf-8")
    (folder / ".grading").mkdir()
    run(folder, "nbgrader", "generate_assignment", assignment)
    return folder


def hand_in(course, assignment, submissions):
    """Put submissions where a course collects them.

    Parameters
    ----------
    course : Path
    assignment : str
        ``NN_slug``.
    submissions : dict
        Bytes by student.
    """
    for student, content in submissions.items():
        path = place(course, assignment, student)
        path.parent.mkdir(parents=True)
        path.write_bytes(content)


def place(course, assignment, student):
    """Say where a submission lies.

    Parameters
    ----------
    course : Path
    assignment, student : str

    Returns
    -------
    Path
    """
    folder = course / ".grading" / "submitted" / student / assignment
    return folder / f"{assignment}.ipynb"


def points(course):
    """Read the autograder's points from a gradebook, past nbgrader and past us.

    Parameters
    ----------
    course : Path

    Returns
    -------
    dict
        By student and cell; None awaits a person.
    """
    found = {}
    with closing(sqlite3.connect(course / ".grading" / "gradebook.db")) as book:
        for student, cell, value in book.execute(POINTS):
            found.setdefault(student, {})[cell] = value
    return found


def n_rows(course):
    """Count the rows that grading writes into a gradebook.

    Parameters
    ----------
    course : Path

    Returns
    -------
    dict
        By table.
    """
    tables = ("student", "submitted_assignment", "submitted_notebook", "grade")
    with closing(sqlite3.connect(course / ".grading" / "gradebook.db")) as book:
        counts = [book.execute(f"select count(*) from {table}") for table in tables]
        return {t: c.fetchone()[0] for t, c in zip(tables, counts, strict=True)}


def choices(assignment):
    """List what can stand in each cell that students fill.

    Parameters
    ----------
    assignment : str
        ``NN_slug``.

    Returns
    -------
    dict
        Sources by cell: the right answer, then what was released, then wrong answers.
    """
    right, released = (_by_name(f, assignment) for f in ("solutions", "exercises"))
    wrong = load_wrong_answers(ROOT, assignment)
    return {
        name: [right[name], released[name], *(w.source for w in wrong.get(name, []))]
        for name, cell in _cells("exercises", assignment).items()
        if cell["metadata"].get("nbgrader", {}).get("solution")
    }


def filled(assignment, sources):
    """Fill a released notebook.

    Parameters
    ----------
    assignment : str
        ``NN_slug``.
    sources : dict
        By cell.

    Returns
    -------
    dict
    """
    document = _document("exercises", assignment)
    for cell in document["cells"]:
        cell["source"] = sources.get(cell["id"], cell["source"])
    return document


def encoded(document):
    """Turn a notebook into the bytes of its file.

    Parameters
    ----------
    document : dict

    Returns
    -------
    bytes
    """
    return json.dumps(document, indent=1).encode()


def _with_source(folder, assignment):
    shutil.copytree(ROOT / "solutions" / assignment, folder / "solutions" / assignment)


def _document(kind, assignment):
    path = ROOT / kind / assignment / f"{assignment}.ipynb"
    return json.loads(path.read_text("utf-8"))


def _cells(kind, assignment):
    return {cell["id"]: cell for cell in _document(kind, assignment)["cells"]}


def _by_name(kind, assignment):
    cells = _cells(kind, assignment)
    return {name: "".join(cell["source"]) for name, cell in cells.items()}
