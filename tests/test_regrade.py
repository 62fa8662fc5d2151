"""Grading again shows who would change by how much, and touches nothing before."""

import csv
import shutil

import pytest
from courses import NAME, FakeGrader, copy_course, give_by_hand, grades, hand_in, use
from typer.testing import CliRunner

from identity_edu import cli
from identity_edu.grading.batch import grade_assignment
from identity_edu.grading.course import GradingError
from identity_edu.grading.marking import Options
from identity_edu.grading.records import read_records
from identity_edu.grading.regrade import regrade_assignment


@pytest.fixture
def fake(monkeypatch):
    return use(FakeGrader(), monkeypatch)


@pytest.fixture
def course(tmp_path, fake):
    """Make a course with three marks, graded by tests that have changed since."""
    root = copy_course(tmp_path)
    for student in ("ada", "ben", "cleo"):
        hand_in(root, student, "0 2 -" if student == "cleo" else "0 1 -")
    grade_assignment(root, NAME)
    fake.extra = 0.5
    change_tests(root)
    fake.students.clear()
    return root


def change_tests(root):
    solution = root / "solutions" / NAME / f"{NAME}.ipynb"
    solution.write_text(solution.read_text("utf-8") + "\n", "utf-8")


def totals(root):
    return {record.student: record.total for record in read_records(root, NAME)}


def run(course, *arguments):
    command = ["regrade", NAME, "--course", str(course), *arguments]
    return CliRunner().invoke(cli.app, command)


def test_a_look_changes_nothing(course):
    before = grades(course)
    regraded = regrade_assignment(course, NAME)
    assert [(c.student, c.question, c.before, c.after) for c in regraded.changes] == [
        (student, "one-check", 0.0, 0.5) for student in ("ada", "ben", "cleo")
    ]
    assert [c.effect for c in regraded.changes] == [0.5, 0.5, 0.5]
    assert not regraded.is_applied
    assert grades(course) == before
    assert grade_assignment(course, NAME).outdated == ["ada", "ben", "cleo"]


def test_what_was_looked_at_is_applied_without_grading_a_third_time(course, fake):
    regrade_assignment(course, NAME)
    n_graded = len(fake.students)
    regraded = regrade_assignment(course, NAME, is_applied=True)
    assert len(fake.students) == n_graded == 3
    assert regraded.is_applied
    assert totals(course) == {"ada": 1.5, "ben": 1.5, "cleo": 2.5}
    again = grade_assignment(course, NAME)
    assert (again.outdated, again.changed) == ([], [])
    assert regrade_assignment(course, NAME).changes == []


def test_points_given_by_hand_are_never_touched(course):
    give_by_hand(course, "ada", "one-check", 1.0)
    give_by_hand(course, "ben", "two-why", 2.0)
    regraded = regrade_assignment(course, NAME, is_applied=True)
    (ada,) = (c for c in regraded.changes if c.student == "ada")
    assert (ada.by_hand, ada.effect) == (1.0, 0.0)
    rows = grades(course)
    assert rows["ada", "one-check"] == (0.5, 1.0, True)  # to be looked at again
    assert rows["ben", "two-why"] == (None, 2.0, False)
    assert totals(course) == {"ada": 2.0, "ben": 3.5, "cleo": 2.5}


def test_tests_that_change_once_more_are_run_once_more(course, fake):
    regrade_assignment(course, NAME)
    fake.extra = 1.0
    change_tests(course)
    assert {c.after for c in regrade_assignment(course, NAME).changes} == {1.0}
    fake.extra = 0.0
    options = Options(is_forced=True)
    assert regrade_assignment(course, NAME, options=options).changes == []


def test_only_some_students_can_be_regraded(course):
    regrade_assignment(course, NAME, students=["ben"], is_applied=True)
    assert totals(course) == {"ada": 1.0, "ben": 1.5, "cleo": 2.0}


def test_a_newer_version_is_left_to_grading(course):
    hand_in(course, "ada", "1 2 -")
    hand_in(course, "dan", "1 2 -")
    regraded = regrade_assignment(course, NAME, is_applied=True)
    assert regraded.newer == ["ada"]
    assert regraded.students == ["ben", "cleo"]
    assert totals(course)["ada"] == 1.0


def test_who_is_not_in_the_folder_keeps_the_mark_and_is_named(course):
    shutil.rmtree(course / ".grading" / "submitted" / "ada")
    done = run(course, "--apply")
    assert done.exit_code == 0
    assert "not in this folder, and left as marked: ada" in done.stderr
    assert totals(course) == {"ada": 1.0, "ben": 1.5, "cleo": 2.5}


def test_where_the_grader_fails_the_mark_stays(course, monkeypatch):
    class Fails(FakeGrader):
        extra = 0.5

        def __call__(self, task):
            if task.student == "ben":
                raise ConnectionError("gone")
            self.extra = 0.5
            return super().__call__(task)

    use(Fails(), monkeypatch)
    done = run(course, "--apply")
    assert done.exit_code == 1
    assert "ben is not graded: ConnectionError gone" in done.stderr
    assert totals(course) == {"ada": 1.5, "ben": 1.0, "cleo": 2.5}


def test_nothing_graded_is_nothing_to_regrade(tmp_path, fake):
    root = copy_course(tmp_path)
    hand_in(root, "ada", "0 1 -")
    with pytest.raises(GradingError, match="nothing of 00_small was graded yet"):
        regrade_assignment(root, NAME)


def test_the_command_shows_the_largest_change_first_and_writes_a_table(course):
    give_by_hand(course, "ada", "one-check", 1.0)
    done = run(course, "--diff")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[2:5] == [
        "ben: +0.5  one-check 0 -> 0.5",
        "cleo: +0.5  one-check 0 -> 0.5",
        "ada: +0  one-check 0 -> 0.5 (1 by hand stays)",
    ]
    assert lines[5].startswith("3 of 3 would change; ")
    with (course / ".grading" / f"{NAME}-regrade.csv").open(encoding="utf-8") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert (rows["ben"]["before"], rows["ben"]["after"]) == ("0.0", "0.5")
    assert (rows["ada"]["by_hand"], rows["ada"]["effect"]) == ("1.0", "0.0")
    done = run(course, "--apply")
    assert "3 of 3 changed" in done.stdout
    assert totals(course)["ben"] == 1.5
