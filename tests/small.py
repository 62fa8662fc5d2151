"""Assignments of a few cells, for tests of what grades them."""

import json

from identity_edu.grading.isolation.task import Task


def cell(name, source, role="answer", points=0):
    """Make a cell: an answer, a test with points, a given one, or text."""
    kind = "markdown" if role in ("text", "words") else "code"
    marks = {
        "grade": role in ("test", "words"),
        "grade_id": name,
        "locked": role not in ("answer", "words"),
        "schema_version": 3,
        "solution": role in ("answer", "words"),
        "task": False,
    }
    if marks["grade"]:
        marks |= {"points": points, "cell_type": kind}
    made = {"cell_type": kind, "id": name, "source": source}
    made["metadata"] = {"nbgrader": marks} if role != "free" else {}
    return made | ({"outputs": [], "execution_count": None} if kind == "code" else {})


def answer(name, solution, stub="raise NotImplementedError()"):
    """Make an answer cell: what the reference has, and what is released."""
    return cell(name, solution), cell(name, stub)


def visible(name, source, points=1):
    """Make a graded cell, released as it is."""
    made = cell(name, source, "test", points)
    return made, made


def hidden(name, source, points=1):
    """Make a graded cell of which students see a line."""
    marked = f"# unseen\n### BEGIN HIDDEN TESTS\n{source}\n### END HIDDEN TESTS"
    return cell(name, marked, "test", points), cell(name, "# unseen", "test", points)


def given(name, source):
    """Make a locked cell of code."""
    made = cell(name, source, "given")
    return made, made


def text(name, source="Read this."):
    """Make a locked cell of text."""
    made = cell(name, source, "text")
    return made, made


def words(name, released="Write here.", points=2):
    """Make a text that a person marks."""
    reference = cell(name, "Because.", "words", points)
    return reference, cell(name, released, "words", points)


def free(name, source="Your guess:"):
    """Make a cell of text that students may change."""
    made = cell(name, source, "free") | {"cell_type": "markdown"}
    return made, made


def notebook(cells):
    """Make a notebook of cells."""
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def task(pairs, answers=None, *, submission=None, **changes):
    """Make a task; an answer that is not given is left as released.

    Parameters
    ----------
    pairs : sequence of (cell of the reference, cell that is released)
    answers : dict, optional
        Source by id, of what the student changed.
    submission : list of cells, dict or bytes, optional
        What is handed in, instead.
    **changes
        Fields of the task.
    """
    reference, released = (notebook(cells) for cells in zip(*pairs, strict=True))
    if submission is None:
        answers = answers or {}
        submission = [
            c | {"source": answers.get(c["id"], c["source"])} for c in released["cells"]
        ]
    if isinstance(submission, list):
        submission = notebook(submission)
    if isinstance(submission, dict):
        submission = json.dumps(submission).encode()
    texts = json.dumps(reference), json.dumps(released)
    return Task("00_small", "ada", submission, *texts, **changes)
