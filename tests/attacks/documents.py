"""Attacks by the notebook file: copies, disguises, forged results, odd formats."""

import json

from attacks import target
from attacks.attack import GRAM, HONEST, MEAN, Attack

PASSES = "# Graded when you hand in."


def _set(name, **changes):
    """Return an edit that changes a cell's fields."""

    def edit(notebook):
        target.cell_of(notebook, name).update(changes)

    return edit


def _nbgrader(name, **changes):
    """Return an edit that changes what a cell says of itself to nbgrader."""

    def edit(notebook):
        target.cell_of(notebook, name)["metadata"]["nbgrader"].update(changes)

    return edit


def _locked_cell_of_a_thousand_points(notebook):
    cell = target.copy_of(notebook, "choice-check", source=PASSES, id="bonus")
    cell["metadata"]["nbgrader"].update(grade_id="bonus", points=1000)
    notebook["cells"].append(cell)


def _copied_test_that_passes(notebook):
    cell = target.copy_of(notebook, "mean-check", source=PASSES, id="again")
    notebook["cells"].append(cell)


def _deleted_tests(notebook):
    gone = (*MEAN, "choice-check")
    notebook["cells"] = [c for c in notebook["cells"] if c["id"] not in gone]


def _swapped_grade_ids(notebook):
    one = target.cell_of(notebook, "mean-check")["metadata"]["nbgrader"]
    other = target.cell_of(notebook, "triangle-check")["metadata"]["nbgrader"]
    one["grade_id"], other["grade_id"] = other["grade_id"], one["grade_id"]
    one["points"], other["points"] = other["points"], one["points"]


def _answer_named_as_a_test(notebook):
    cell = target.cell_of(notebook, "mean-answer")
    cell["metadata"]["nbgrader"].update(grade_id="mean-check", grade=True, points=9)


def _forged_outputs(notebook):
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            cell["execution_count"] = number
            data = {"text/plain": "3.0", "text/html": "<script>alert(1)</script>"}
            cell["outputs"] = [
                {
                    "output_type": "execute_result",
                    "execution_count": number,
                    "metadata": {},
                    "data": data,
                }
            ]
            cell["metadata"]["nbgrader_score"] = cell["metadata"]["score"] = 1000


def _forged_marks(notebook):
    notebook["metadata"]["nbgrader"] = {"score": 1000, "max_score": 1}
    for cell in notebook["cells"]:
        cell["metadata"].setdefault("nbgrader", {}).update(
            score=1000, manual_score=1000, auto_score=1000, needs_manual_grade=False
        )
    target.cell_of(notebook, "words")["metadata"]["nbgrader"]["grade"] = False


def _kernel(notebook):
    notebook["metadata"] = {
        "kernelspec": {
            "name": "bash",
            "display_name": "; rm -rf .",
            "language": "R",
            "argv": ["/bin/sh", "-c", "echo 1000"],
            "env": {"IDENTITY_EDU_SECRET": ""},
        },
        "language_info": {"name": "R", "file_extension": "/../../x"},
        "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {}}},
    }


def _hostile_ids(notebook):
    for number, cell in enumerate(notebook["cells"]):
        cell["id"] = "../" * 9 + f"etc/{number}" if number % 2 else 'x"><script>'


def _hostile_grade_id(notebook):
    cell = target.copy_of(notebook, "mean-check", source=PASSES, id="odd")
    cell["metadata"]["nbgrader"]["grade_id"] = "../../../.grading/gradebook.db"
    other = target.copy_of(notebook, "mean-check", source=PASSES, id="odder")
    other["metadata"]["nbgrader"]["grade_id"] = {"a": ["list"]}
    notebook["cells"] += [cell, other]


def _wrong_types(notebook):
    for cell in notebook["cells"]:
        cell["metadata"]["nbgrader"].update(
            points="many", schema_version=[], task={}, checksum=None
        )
    notebook["nbformat_minor"] = 2


def _answer_in_a_comment_cell(notebook):
    cell = target.cell_of(notebook, "mean-answer")
    cell.pop("outputs")
    cell.pop("execution_count")
    cell["cell_type"] = "raw"


def _copied_answer(notebook):
    cell = target.copy_of(notebook, "mean-answer", id="mean-answer-2")
    cell["source"] = "def mean(x):\n    return 0.0"
    notebook["cells"].append(cell)


def _deep(notebook):
    text = json.dumps(notebook)
    deep = "[" * 200_000 + "]" * 200_000
    return text.replace(
        '"metadata": {"kern', f'"metadata": {{"x": {deep}, "kern'
    ).encode()


def _not_a_number(notebook):
    notebook["metadata"]["x"] = [float("nan"), float("inf")]
    notebook["metadata"]["y"] = "\ud800"
    text = json.dumps(notebook)
    return text.replace('"nbformat": 4', '"nbformat": 9, "nbformat": 4').encode()


def _huge_number(notebook):
    text = json.dumps(notebook)
    return text.replace('"nbformat": 4', '"nbformat": ' + "9" * 50_000).encode()


ALL = tuple(target.POINTS)

ATTACKS = (
    Attack(
        "locked-cell-of-a-thousand-points",
        "add a cell that says it is a locked test of 1000 points",
        edit=_locked_cell_of_a_thousand_points,
    ),
    Attack(
        "changed-points",
        "write 1000 points and -5 points into the metadata of test cells",
        edit=_nbgrader("mean-check", points=1000),
        verdict="graded",
    ),
    Attack(
        "ungraded-test",
        "mark the failing test as not graded, and the answer as a test",
        edit=_nbgrader("mean-hidden", grade=False, locked=False, solution=True),
    ),
    Attack(
        "tampered-test",
        "empty the source of a test cell",
        edit=_set("mean-check", source=PASSES),
        verdict="repaired",
    ),
    Attack(
        "tampered-setup",
        "change the locked setup so that NumPy's tests do nothing",
        answers={"gram-answer": "def gram(A):\n    return A"},
        edit=_set("setup", source="import numpy as np\nnp.testing = checks = None"),
        loses=GRAM,
        verdict="repaired",
    ),
    Attack(
        "copied-test",
        "hand in a test cell twice: the second copy passes",
        edit=_copied_test_that_passes,
        verdict="repaired",
    ),
    Attack(
        "deleted-tests",
        "delete the tests that fail",
        answers={
            "mean-answer": "def mean(x):\n    return 0.0",
            "choice-answer": 'choice = "d"',
        },
        edit=_deleted_tests,
        loses=(*MEAN, "choice-check"),
        verdict="repaired",
    ),
    Attack(
        "swapped-grade-ids",
        "swap the grade_ids and points of a failing and a passing test",
        edit=_swapped_grade_ids,
        verdict="repaired",
    ),
    Attack(
        "answer-named-as-a-test",
        "give the answer cell the grade_id of its own test",
        edit=_answer_named_as_a_test,
        verdict="repaired",
    ),
    Attack(
        "copied-answer",
        "hand in an answer cell twice: the parts run in order, and the last counts",
        answers=HONEST,
        edit=_copied_answer,
        verdict="repaired",
    ),
    Attack(
        "answer-of-another-type",
        "turn an answer cell into a raw cell",
        answers=HONEST,
        edit=_answer_in_a_comment_cell,
        loses=(),
    ),
    Attack(
        "forged-outputs",
        "write outputs, scores and HTML of passed tests into the file",
        edit=_forged_outputs,
    ),
    Attack(
        "forged-marks",
        "write marks into the metadata, also of what a person marks",
        edit=_forged_marks,
    ),
    Attack(
        "foreign-kernel",
        "name a kernel that runs a shell, in another language",
        edit=_kernel,
    ),
    Attack(
        "hostile-cell-ids",
        "cell ids that are paths and markup, and not unique",
        edit=_hostile_ids,
    ),
    Attack(
        "hostile-grade-ids",
        "grade_ids that are paths, and that are no text at all",
        edit=_hostile_grade_id,
    ),
    Attack(
        "wrong-types",
        "metadata of the wrong types everywhere",
        edit=_wrong_types,
    ),
    Attack(
        "deep-metadata",
        "metadata nested 200,000 deep, to crash the reader",
        edit=_deep,
        loses=ALL,
        verdict="unreadable",
    ),
    Attack(
        "odd-json",
        "NaN, lone surrogates and a key twice, which JSON readers take differently",
        edit=_not_a_number,
    ),
    Attack(
        "huge-version",
        "a version number of 50,000 digits",
        edit=_huge_number,
        loses=ALL,
        verdict="unreadable",
    ),
    Attack(
        "not-a-notebook",
        "bytes that are a zip, by name a notebook",
        edit=lambda notebook: b"PK\x03\x04" + b"\0" * 1000,
        loses=ALL,
        verdict="unreadable",
    ),
    Attack(
        "nothing",
        "an empty file",
        edit=lambda notebook: b"",
        loses=ALL,
        verdict="unreadable",
    ),
    Attack(
        "cells-of-nothing",
        "a notebook whose cells are null, numbers and text",
        edit=lambda notebook: notebook | {"cells": [None, 7, "x", [], {}]},
        loses=ALL,
        verdict="repaired",
    ),
)
