"""Submissions of every kind to one assignment, and nbgrader's ways to grade them."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import stock
from nbgrader.apps.api import NbGraderAPI
from nbgrader.converters import GenerateAssignment
from nbgrader.coursedir import CourseDirectory

from identity_edu.grading.course import CONFIG, convert, load_config, quiet
from identity_edu.grading.isolation.sandbox import isolation_problem

ROOT = Path(__file__).resolve().parents[1]
NAME = "05_near_identity_factors"
ANSWER = "left-answer"
SOLUTION = ROOT / "solutions" / NAME / f"{NAME}.ipynb"
EXERCISE = ROOT / "exercises" / NAME / f"{NAME}.ipynb"
CHEAT = """
import numpy as np
np.testing.assert_allclose = np.allclose = lambda *a, **k: True
"""
LEAVE = """
import os
os._exit(0)
"""

needs_bubblewrap = pytest.mark.skipif(
    bool(isolation_problem("bubblewrap")), reason="bubblewrap is not installed"
)


def document(path=SOLUTION):
    return json.loads(path.read_text("utf-8"))


def cell_of(notebook, cell_id):
    return next(cell for cell in notebook["cells"] if cell["id"] == cell_id)


def with_answer(source, path=SOLUTION):
    notebook = document(path)
    cell_of(notebook, ANSWER)["source"] = source
    return json.dumps(notebook)


def changed(change):
    notebook = document()
    change(notebook)
    return json.dumps(notebook)


def double_a_test(notebook):
    test = cell_of(notebook, "left-check")
    notebook["cells"] += [{**test, "id": "another"}, {**test, "id": "third"}]


def delete_a_test(notebook):
    notebook["cells"].remove(cell_of(notebook, "left-hidden"))


def empty_a_test(notebook):
    cell_of(notebook, "left-hidden")["source"] = "pass"


def make_old(notebook):
    notebook["nbformat"], notebook["nbformat_minor"] = 3, 0


SUBMISSIONS = {
    "reference": SOLUTION.read_bytes(),
    "untouched": EXERCISE.read_bytes(),
    "wrong": with_answer("def nearest_half(R):\n    return R"),
    "not-json": b"{",
    "empty": b"",
    "a-list": b"[]",
    "no-text": b"\xff\xfe\x00",
    "old": changed(make_old),
    "doubled": changed(double_a_test),
    "deleted": changed(delete_a_test),
    "tampered": changed(empty_a_test),
    "cheats": with_answer(CHEAT),
    "leaves": with_answer(LEAVE),
}
ODD = {"renamed", "a-folder", "a-link"}
ALL = {*SUBMISSIONS, *ODD}
FEW = {"wrong", "not-json", "doubled", "leaves", "renamed"}
TOTAL_OF_AUTOMATIC = 18.0  # two more are given by a person


def make_course(folder):
    """Make a course of one assignment, released into its gradebook."""
    source = folder / "solutions" / NAME
    source.mkdir(parents=True)
    shutil.copy(SOLUTION, source)
    shutil.copy(ROOT / CONFIG, folder)
    convert(GenerateAssignment, folder, NAME)
    return folder


def hand_in(course, students=ALL):
    """Hand in what these students have."""
    submitted = course / ".grading" / "submitted"
    texts = {s: text for s, text in SUBMISSIONS.items() if s in students}
    stock.hand_in(submitted, NAME, texts)
    for student in ODD & students:
        folder = submitted / student / NAME
        folder.mkdir(parents=True)
        if student == "renamed":
            shutil.copy(SOLUTION, folder / "mine.ipynb")
        elif student == "a-folder":
            (folder / SOLUTION.name).mkdir()
        else:
            (folder / SOLUTION.name).symlink_to(SOLUTION)
            (folder / "more.db").symlink_to(course / ".grading" / "gradebook.db")


def rows(course):
    return stock.rows(load_config(course).CourseDirectory.db_url, NAME)


def by_command(course):
    outcome = run_nbgrader(course, "autograde", NAME)
    assert outcome.returncode == 0, outcome.stderr
    assert "Isolation: bubblewrap" in outcome.stderr


def by_button(course):
    api = formgrader(course)
    students = api.get_submitted_students(NAME)
    for student in sorted(students):
        outcome = api.autograde(NAME, student)
        assert outcome["success"], outcome


def formgrader(course):
    with quiet():
        config = load_config(course)
        return NbGraderAPI(CourseDirectory(config=config), config=config)


def run_nbgrader(course, *arguments, **variables):
    return subprocess.run(
        [Path(sys.executable).with_name("nbgrader"), *arguments],
        cwd=course,
        env={**stock.environment(), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
