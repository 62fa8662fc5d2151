"""The miniature assignment that is attacked, and how it is handed in.

Five exercises: a function of a list, one of a matrix, one that works in place, one
with partial credit, a letter to choose, and a text that a person marks. The canaries
are strings that no student may ever see.
"""

import copy
import re

ASSIGNMENT = "00_target"
SECRET = "canary-secret-7f3a"
HIDDEN = "canary-hidden-91c2"
SOLUTION = "canary-solution-5d1e"
OTHER = "canary-other-c48b"
EXPECTED = "4711.0625"  # a hidden expected value
INPUT = "8088.53125"  # a number in a hidden problem
CANARIES = (SECRET, HIDDEN, SOLUTION, OTHER, EXPECTED, INPUT)

POINTS = {
    "mean-check": 1.0,
    "mean-hidden": 2.0,
    "gram-check": 1.0,
    "gram-hidden": 2.0,
    "halve-check": 1.0,
    "triangle-check": 2.0,
    "choice-check": 2.0,
    "words": None,  # marked by a person, out of 3
}
MAX_POINTS = POINTS | {"words": 3.0}

STUB = 'raise NotImplementedError("replace this line with your answer")'
WORDS = "Write your answer here."
BLANK = re.compile(r"( *)### BEGIN SOLUTION\n.*?### END SOLUTION", re.S)
UNSEEN = re.compile(r"\n### BEGIN HIDDEN TESTS\n.*?### END HIDDEN TESTS", re.S)

# id, role, points, source; the roles are given, answer, test, text and words.
SOURCES = [
    ("title", "text", 0, "# Target\n\nFour functions, a letter and a sentence."),
    (
        "setup",
        "given",
        0,
        "%matplotlib inline\n"
        "import numpy as np\n\n"
        "from identity_edu import checks\n\n"
        "values = np.array([2.0, 4.0])",
    ),
    (
        "mean-answer",
        "answer",
        0,
        'def mean(x):\n    """Return the mean of a list of numbers."""\n'
        f"    ### BEGIN SOLUTION\n    # {SOLUTION}\n"
        "    return sum(x) / len(x)\n    ### END SOLUTION",
    ),
    (
        "mean-check",
        "test",
        1,
        'assert mean([1.0, 2.0, 6.0]) == 3.0, "divide the sum by the number"',
    ),
    (
        "mean-hidden",
        "test",
        2,
        "# Graded when you hand in.\n### BEGIN HIDDEN TESTS\n"
        f"# {HIDDEN}\n"
        f"wanted = {EXPECTED}\n"
        "exam = checks.exam_rng('00_target/mean')\n"
        "list_of_nine = exam.integers(-9, 9, size=9) / 1.0\n"
        f"list_of_nine[0] = -{INPUT}\n"
        "list_of_nine[1] += 9 * wanted - list_of_nine.sum()\n"
        "found = checks.call(mean, list_of_nine)\n"
        "assert abs(found - wanted) <= 1e-9 * wanted, 'wrong for a longer list'\n"
        "### END HIDDEN TESTS",
    ),
    ("mean-see", "given", 0, "print(mean(values))"),
    (
        "gram-answer",
        "answer",
        0,
        "def gram(A):\n    ### BEGIN SOLUTION\n    return A.T @ A\n"
        "    ### END SOLUTION",
    ),
    (
        "gram-check",
        "test",
        1,
        "small = np.array([[1.0, 2.0], [3.0, 4.0]])\n"
        "np.testing.assert_array_equal(gram(small), [[10.0, 14.0], [14.0, 20.0]])",
    ),
    (
        "gram-hidden",
        "test",
        2,
        "# Graded when you hand in.\n### BEGIN HIDDEN TESTS\n"
        f"# {HIDDEN}\n"
        "A = checks.exam_rng('00_target/gram').normal(size=(4, 3))\n"
        "checks.assert_matches(checks.call(gram, A), A.T @ A, 'the Gram matrix')\n"
        "### END HIDDEN TESTS",
    ),
    (
        "halve-answer",
        "answer",
        0,
        "def halve(x):\n    ### BEGIN SOLUTION\n    x /= 2\n    ### END SOLUTION",
    ),
    (
        "halve-check",
        "test",
        1,
        "halved = values.copy()\n"
        "getattr(halve, 'changing_inputs', halve)(halved)\n"
        'assert halved.tolist() == [1.0, 2.0], "halve the array in place"',
    ),
    (
        "triangle-answer",
        "answer",
        0,
        "def triangle(n):\n    ### BEGIN SOLUTION\n    return n * (n + 1) // 2\n"
        "    ### END SOLUTION",
    ),
    ("triangle-check", "test", 2, "triangle(3) / 3  # points for a right share"),
    (
        "choice-answer",
        "answer",
        0,
        '### BEGIN SOLUTION\nchoice = "b"\n### END SOLUTION',
    ),
    (
        "choice-check",
        "test",
        2,
        "# Graded when you hand in.\n### BEGIN HIDDEN TESTS\n"
        f"# {HIDDEN}\n"
        "checks.assert_choice(choice, 'b', options='abcd', hint='think again')\n"
        "### END HIDDEN TESTS",
    ),
    ("words", "words", 3, "### BEGIN SOLUTION\nBecause.\n### END SOLUTION"),
]
KINDS = {"text": "markdown", "words": "markdown"}


def reference() -> dict:
    """Return the instructor's notebook, with solutions and hidden tests."""
    return _notebook(_cell(*entry) for entry in SOURCES)


def released() -> dict:
    """Return what students get: solutions stubbed, hidden tests cut out."""
    notebook = reference()
    for cell in notebook["cells"]:
        stub = WORDS if cell["cell_type"] == "markdown" else rf"\1{STUB}"
        cell["source"] = UNSEEN.sub("", BLANK.sub(stub, cell["source"]))
    return notebook


def submitted(answers: dict[str, str], first: str = "", last: str = "") -> dict:
    """Return an honest student's notebook, with other answers and added cells."""
    notebook, solved = released(), {c["id"]: c for c in reference()["cells"]}
    for cell in notebook["cells"]:
        if cell["metadata"]["nbgrader"]["solution"]:
            lines = solved[cell["id"]]["source"].splitlines()
            kept = [x for x in lines if "SOLUTION" not in x and SOLUTION not in x]
            cell["source"] = answers.get(cell["id"], "\n".join(kept))
    if first:
        notebook["cells"].insert(2, code(first, "added-first"))
    if last:
        notebook["cells"].append(code(last, "added-last"))
    return notebook


def code(source: str, name: str) -> dict:
    """Make a code cell as a student adds it."""
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": name,
        "metadata": {},
        "outputs": [],
        "source": source,
    }


def markdown(source: str, name: str) -> dict:
    """Make a markdown cell as a student adds it."""
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source}


def cell_of(notebook: dict, name: str) -> dict:
    """Find a cell by its id."""
    return next(c for c in notebook["cells"] if c["id"] == name)


def copy_of(notebook: dict, name: str, **changes) -> dict:
    """Copy a cell, id and grade_id included, with changes."""
    return copy.deepcopy(cell_of(notebook, name)) | changes


def _notebook(cells):
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": list(cells),
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _cell(name, role, points, source):
    nbgrader = {
        "grade": role in ("test", "words"),
        "grade_id": name,
        "locked": role not in ("answer", "words"),
        "schema_version": 3,
        "solution": role in ("answer", "words"),
        "task": False,
    }
    if nbgrader["grade"]:
        nbgrader["points"] = points
    is_text = role in KINDS
    cell = markdown(source, name) if is_text else code(source, name)
    return cell | {"metadata": {"nbgrader": nbgrader}}
