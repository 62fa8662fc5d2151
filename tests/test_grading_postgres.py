"""A gradebook in PostgreSQL holds what one in a file does, for every command."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import handed_in
import postgres
import pytest
import stock
from nbgrader.converters import GenerateFeedback
from sqlalchemy import create_engine, text

from identity_edu.grading.batch import grade_assignment
from identity_edu.grading.course import GradingError, convert
from identity_edu.grading.gradebook import open_gradebook
from identity_edu.grading.marking import Options
from identity_edu.grading.records import read_records

VARIABLE = "IDENTITY_EDU_GRADEBOOK"
NAME = handed_in.NAME
LONGEST = "n" * 127
NAMES = {"Zoë Ørsted", "o.neil+1@example.org", LONGEST}

pytestmark = [
    pytest.mark.slow,
    handed_in.needs_bubblewrap,
    pytest.mark.skipif(
        postgres.programs() is None, reason="PostgreSQL's server is not installed"
    ),
]


@pytest.fixture(scope="module")
def server():
    with postgres.server() as url:
        yield url


@pytest.fixture
def database(server, monkeypatch):
    """Make an empty database and have the course use it."""
    name = f"grades_{uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    monkeypatch.setenv(VARIABLE, server.replace("/postgres?", f"/{name}?"))
    monkeypatch.setenv("PATH", stock.environment()["PATH"])


@pytest.fixture
def course(database, tmp_path):
    course = handed_in.make_course(tmp_path / "course")
    handed_in.hand_in(course)
    assert not (course / ".grading" / "gradebook.db").exists()
    return course


def identity_edu(course, *arguments):
    outcome = subprocess.run(
        [sys.executable, "-m", "identity_edu", *arguments],
        cwd=course,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def test_every_command_writes_there_what_it_writes_to_a_file(
    course, tmp_path, monkeypatch
):
    identity_edu(course, "grade", NAME)
    with_postgres = handed_in.rows(course)
    with (course / ".grading" / f"{NAME}.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert {row["student"] for row in table} == set(with_postgres)
    assert len(list((course / "return").glob(f"*/{NAME}.html"))) == len(table)
    totals = {record.student: record.total for record in read_records(course, NAME)}
    convert(GenerateFeedback, course, NAME, "wrong")
    assert list((course / ".grading" / "feedback").glob("wrong/*/*.html"))
    monkeypatch.delenv(VARIABLE)
    other = handed_in.make_course(tmp_path / "other")
    handed_in.hand_in(other)
    assert grade_assignment(other, NAME).is_complete
    assert handed_in.rows(other) == with_postgres
    assert {r.student: r.total for r in read_records(other, NAME)} == totals


def test_nbgraders_command_and_button_write_there_too(course):
    handed_in.by_command(course)
    by_command = handed_in.rows(course)
    handed_in.by_button(course)
    assert handed_in.rows(course) == by_command
    graded = grade_assignment(course, NAME)
    assert graded.changed == []
    assert handed_in.rows(course) == by_command


def test_marks_of_a_person_stay_when_it_is_graded_again(course):
    options = Options(is_forced=True)
    graded = grade_assignment(course, NAME, students=["reference"], options=options)
    assert graded.records[0].awaiting == 2.0
    with open_gradebook(course) as gradebook:
        grade = gradebook.find_grade("fewest-why", NAME, NAME, "reference")
        grade.manual_score, grade.needs_manual_grade = 1.5, False
        gradebook.db.commit()
    graded = grade_assignment(course, NAME, students=["reference"], options=options)
    assert (graded.records[0].total, graded.records[0].awaiting) == (19.5, 0.0)


def test_names_of_all_kinds_fit_and_a_longer_one_costs_nobody_anything(course):
    submitted = course / ".grading" / "submitted"
    content = handed_in.SUBMISSIONS["reference"]
    stock.hand_in(submitted, NAME, dict.fromkeys([*NAMES, LONGEST + "nn"], content))
    graded = grade_assignment(course, NAME)
    assert not graded.is_complete
    assert [note for note in graded.notes if LONGEST in note]
    totals = {record.student: record.total for record in graded.records}
    assert {totals[name] for name in NAMES} == {handed_in.TOTAL_OF_AUTOMATIC}
    assert set(totals) == handed_in.ALL | NAMES


def test_texts_that_a_database_cannot_hold_reach_it_nowhere(course):
    bad = "a\0b\ud800c"
    answer = f"print({bad!r})\nraise AssertionError({bad!r})"
    notebook = handed_in.with_answer(answer)
    written = handed_in.document()
    handed_in.cell_of(written, "fewest-why")["source"] = bad
    submitted = course / ".grading" / "submitted"
    stock.hand_in(submitted, NAME, {"prints": notebook, "writes": json.dumps(written)})
    graded = grade_assignment(course, NAME, students=["prints", "writes"])
    assert graded.is_complete
    totals = {record.student: record.total for record in graded.records}
    assert totals == {"prints": 15.0, "writes": 18.0}


def test_a_server_that_is_not_there_is_named_in_one_line(course, monkeypatch):
    monkeypatch.setenv(VARIABLE, f"postgresql+psycopg:///x?host={Path('/nowhere')}")
    with pytest.raises(GradingError, match=r"the gradebook cannot be used: .*nowhere"):
        grade_assignment(course, NAME)
