"""The pages on grading name what exists, and their commands lead to grades."""

import csv
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from attacks import FAMILIES, attack
from book_pages import BOOK, ROOT, code_cells
from typer.testing import CliRunner

from identity_edu import checks
from identity_edu.cli import app
from identity_edu.grading.isolation import cell, task, wire
from identity_edu.grading.isolation.sandbox import isolation_problem

TEACHING, GRADED = BOOK / "teaching_with_this_book.md", BOOK / "how_you_are_graded.md"
PAGE, STUDENTS = (path.read_text(encoding="utf-8") for path in (TEACHING, GRADED))
FENCE = re.compile(r"^```(sh|python)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BLOCKS = FENCE.findall(PAGE)
ASSIGNMENT = "03_risk_and_gradient"
BY_HAND = (
    "bwrap",
    "make grade-demo",
    ". .venv/bin/activate",
    "git archive",
    "jupyter lab",
    "nbgrader autograde",  # tests/test_grading_plugin.py
    "export IDENTITY_EDU_GRADEBOOK",  # tests/test_grading_postgres.py
    "dask",  # tests/test_grading_cluster.py
)


def commands():
    """Return the shell blocks that go from the secret to new grades, in order."""
    shell = [source for language, source in BLOCKS if language == "sh"]
    return [source for source in shell if not source.startswith(BY_HAND)]


def python_blocks():
    return [source for language, source in BLOCKS if language == "python"]


def options_of(command):
    """Return the options that a command takes."""
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    return set(re.findall(r"--[a-z][a-z-]*", shown.output)) - {"--help"}


def test_every_make_target_exists():
    named = set(re.findall(r"^`?make ([a-z-]+)|`make ([a-z-]+)", PAGE, re.MULTILINE))
    named = {name for pair in named for name in pair if name}
    targets = set(
        re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    )
    assert {"test", "exercises", "grade-demo"} <= named
    assert named <= targets


def test_cleaning_up_takes_no_marks():
    command = ["make", "--dry-run", "clean"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "_build" in done.stdout
    assert ".grading" not in done.stdout


def test_every_module_that_is_run_exists():
    modules = re.findall(r"-m (identity_edu[\w.]*)", PAGE)
    assert modules
    assert all(importlib.util.find_spec(module) for module in modules)


def test_variables_have_the_names_that_are_read():
    config = (ROOT / "nbgrader_config.py").read_text("utf-8")
    named = set(re.findall(r"\bIDENTITY_EDU_\w+", PAGE))
    read = set(re.findall(r"\bIDENTITY_EDU_\w+", config))
    assert named == {checks.SECRET_VARIABLE, checks.SECRET_FILE_VARIABLE} | read


def test_the_page_explains_every_option_of_grade():
    table = set(re.findall(r"^\| `(--[a-z-]+)", PAGE, re.MULTILINE))
    opposites = {"--feedback", "--no-per-student"}
    assert table | opposites == options_of("grade")


@pytest.mark.parametrize("command", ["release", "grade", "regrade"])
def test_no_page_names_an_option_that_a_command_lacks(command):
    lines = re.findall(rf"identity-edu {command}[^`\n]*", PAGE + STUDENTS)
    assert lines
    named = set(re.findall(r" (--[a-z-]+)", " ".join(lines)))
    assert named <= options_of(command)


def test_every_verdict_and_every_limit_is_explained():
    verdicts = re.findall(r"^\| ([a-z]+) \| [^|]+ \| [^|]+ \|$", PAGE, re.MULTILINE)
    assert task.VERDICTS == tuple(v for v in verdicts if v in task.VERDICTS)
    section = PAGE[PAGE.index("(sec-limits)=") : PAGE.index("(sec-not-isolated)=")]
    shown = set(re.findall(r"`teaching-(\w+)", section))
    assert shown == {field.name for field in fields(task.Limits)}


def test_every_family_of_attacks_is_named():
    files = {Path(family.__file__).name for family in FAMILIES}
    assert files <= set(re.findall(r"^\| `(\w+\.py)` \|", PAGE, re.MULTILINE))


def test_the_example_of_an_attack_is_one():
    example = next(b for b in python_blocks() if b.startswith("Attack("))
    found = eval(example, vars(attack))
    assert json.loads(found.submission())["nbformat"] == 4
    assert set(found.loses) == set(attack.MEAN)


def test_what_the_page_says_to_fit_through_the_slot_does():
    rows = re.findall(r"^\| (`.*`) \| (yes|no)\b", STUDENTS, re.MULTILINE)
    assert len(rows) == 7
    for examples, answer in rows:
        for example in re.findall(r"`([^`]+)`", examples):
            value = eval(example, {"np": np})
            if answer == "yes":
                assert wire.pack(value)
                continue
            with pytest.raises(wire.PlainDataError):
                wire.pack(value)


def test_the_cells_for_students_show_the_mistake_and_its_cure():
    printed, namespace = [], {}
    for _, source in code_cells(GRADED)[:2]:
        shown = cell.Shown(1000, 0)
        _, error = cell.run(source, namespace, shown, seconds=20)
        assert error is None
        printed += [text for _, text in shown.outputs]
    assert "changes its argument number 1 in place" in printed[0]
    assert printed[1] == "[[-1. -2.]\n [ 1.  2.]]\n"


@pytest.mark.parametrize("page", [TEACHING, GRADED], ids=lambda path: path.stem)
def test_cells_are_short(page):
    cells = [source.splitlines() for _, source in code_cells(page)]
    assert len(cells) <= 8
    assert all(len(lines) <= 15 for lines in cells)
    assert all(len(line) <= 72 for lines in cells for line in lines)


def test_every_week_has_its_chapter_and_its_assignment():
    rows = re.findall(
        r"^\| \d+ \| \{doc\}`(\d\d)_\w+`.*\| (\d\d) \|", PAGE, re.MULTILINE
    )
    assert all(chapter == assignment for chapter, assignment in rows)
    folders = (ROOT / "solutions").iterdir()
    assert [chapter for chapter, _ in rows] == sorted(f.name[:2] for f in folders)


@pytest.fixture
def course(tmp_path):
    """Make a course to which three students have handed something in."""
    course, notebook = tmp_path / "course", f"{ASSIGNMENT}.ipynb"
    source = Path("solutions", ASSIGNMENT)
    shutil.copytree(ROOT / source, course / source)
    for name in ("nbgrader_config.py", "requirements.txt"):
        shutil.copy(ROOT / name, course)
    handed_in = course / "handed_in"
    handed_in.mkdir()
    shutil.copy(course / source / notebook, handed_in / "ada.ipynb")
    shutil.copy(ROOT / "exercises" / ASSIGNMENT / notebook, handed_in / "ben.ipynb")
    (handed_in / "cleo.ipynb").write_text("not a notebook")
    return course


@pytest.mark.slow
@pytest.mark.skipif(
    bool(isolation_problem("bubblewrap")), reason="bubblewrap is not installed"
)
def test_the_commands_of_the_page_lead_from_release_to_grades(course, tmp_path):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    program = next(b for b in python_blocks() if "grade_assignment" in b)
    (course / "scores.py").write_text(f"{program}\nprint(scores)\n")
    lines = "\n".join([*commands(), "python scores.py"])
    env = os.environ | {"PATH": path, "HOME": str(tmp_path)}
    bash = ["bash", "-euo", "pipefail", "-c", lines]
    done = subprocess.run(bash, cwd=course, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    assert (tmp_path / "course_secret").read_text().strip()
    with (course / ".grading" / f"{ASSIGNMENT}.csv").open(encoding="utf-8") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    ada = rows["ada"]
    assert float(ada["total"]) == float(ada["max"]) - float(ada["awaiting"]) > 0
    assert float(rows["ben"]["total"]) == float(rows["cleo"]["total"]) == 0
    assert rows["cleo"]["verdict"] == "unreadable"
    assert all((course / "return" / s / f"{ASSIGNMENT}.html").is_file() for s in rows)
    totals = {student: float(row["total"]) for student, row in rows.items()}
    assert done.stdout.splitlines()[-1] == str(totals)
    exercise = Path("exercises", ASSIGNMENT, f"{ASSIGNMENT}.ipynb")
    assert (course / exercise).read_bytes() == (ROOT / exercise).read_bytes()
    assert (course / "dist" / f"{ASSIGNMENT}.zip").is_file()
