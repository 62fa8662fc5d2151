"""The instructor's page names what exists, and its commands lead to grades."""

import csv
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from book_pages import BOOK, ROOT

from identity_edu import checks

PAGE = (BOOK / "teaching_with_this_book.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(sh|python)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BLOCKS = FENCE.findall(PAGE)
ASSIGNMENT = "03_risk_and_gradient"
BY_HAND = ("make grade-demo", ". .venv/bin/activate", "git archive", "jupyter lab")


def commands():
    """Return the shell blocks that go from release to grades, in order."""
    shell = [source for language, source in BLOCKS if language == "sh"]
    return [source for source in shell if not source.startswith(BY_HAND)]


def test_every_make_target_exists():
    named = set(re.findall(r"\bmake ([a-z-]+)", re.sub(r"`make`", "", PAGE)))
    targets = set(
        re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    )
    assert {"book", "test", "exercises", "grade-demo"} <= named
    assert named <= targets


def test_every_module_that_is_run_exists():
    modules = re.findall(r"-m (identity_edu[\w.]*)", PAGE)
    assert modules
    assert all(importlib.util.find_spec(module) for module in modules)


def test_the_secret_has_the_names_that_the_checks_read():
    named = set(re.findall(r"\bIDENTITY_EDU_\w+", PAGE))
    assert named == {checks.SECRET_VARIABLE, checks.SECRET_FILE_VARIABLE}


def test_every_week_has_its_chapter_and_its_assignment():
    rows = re.findall(
        r"^\| \d+ \| \{doc\}`(\d\d)_\w+`.*\| (\d\d) \|", PAGE, re.MULTILINE
    )
    assert all(chapter == assignment for chapter, assignment in rows)
    folders = (ROOT / "solutions").iterdir()
    assert [chapter for chapter, _ in rows] == sorted(f.name[:2] for f in folders)


@pytest.mark.slow
def test_the_commands_of_the_page_lead_from_release_to_grades(tmp_path):
    course = tmp_path / "course"
    source = Path("solutions", ASSIGNMENT)
    shutil.copytree(ROOT / source, course / source)
    shutil.copy(ROOT / "nbgrader_config.py", course)
    notebook = f"{ASSIGNMENT}.ipynb"
    handed_in = course / "handed_in"
    handed_in.mkdir()
    shutil.copy(course / source / notebook, handed_in / "ada.ipynb")
    shutil.copy(ROOT / "exercises" / ASSIGNMENT / notebook, handed_in / "ben.ipynb")
    (handed_in / "cleo.ipynb").write_text("not a notebook")

    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    bash = ["bash", "-euo", "pipefail", "-c", "\n".join(commands())]
    env = os.environ | {"PATH": path, "HOME": str(tmp_path)}
    done = subprocess.run(bash, cwd=course, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    assert (tmp_path / "course_secret").read_text().strip()
    with (course / ".grading" / f"{ASSIGNMENT}.csv").open(encoding="utf-8") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    ada = rows["ada"]
    assert float(ada["total"]) == float(ada["max"]) - float(ada["awaiting"]) > 0
    assert float(rows["ben"]["total"]) == float(rows["cleo"]["total"]) == 0
    assert rows["cleo"]["remark"]
    assert all((course / "return" / s / f"{ASSIGNMENT}.html").is_file() for s in rows)
    released = course / "exercises" / ASSIGNMENT / notebook
    kept = ROOT / "exercises" / ASSIGNMENT / notebook
    assert released.read_bytes() == kept.read_bytes()
