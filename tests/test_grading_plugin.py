"""nbgrader's command, its formgrader and our own call grade alike, and isolated."""

import shutil
from pathlib import Path

import pytest
import stock
from handed_in import (
    ALL,
    FEW,
    NAME,
    SOLUTION,
    SUBMISSIONS,
    TOTAL_OF_AUTOMATIC,
    by_button,
    by_command,
    formgrader,
    hand_in,
    make_course,
    needs_bubblewrap,
    rows,
)
from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from sqlalchemy import text

from identity_edu.grading.batch import grade_assignment
from identity_edu.grading.course import CONFIG, load_config, quiet
from identity_edu.grading.gradebook import open_gradebook
from identity_edu.grading.isolation import sandbox


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    return make_course(tmp_path_factory.mktemp("released"))


@pytest.fixture
def course(released, tmp_path):
    return shutil.copytree(released, tmp_path / "course")


@pytest.fixture(scope="module")
def ours(released, tmp_path_factory):
    """Grade every submission by our own call; give the course."""
    course = tmp_path_factory.mktemp("ours") / "course"
    shutil.copytree(released, course)
    hand_in(course)
    assert grade_assignment(course, NAME).is_complete
    return course


@needs_bubblewrap
def test_the_submissions_are_worth_what_they_should_be(ours):
    points = stock.points(rows(ours))
    total = {student: sum(filter(None, p.values())) for student, p in points.items()}
    full = {"reference", "doubled", "deleted", "tampered", "renamed"}
    nothing = {"untouched", "not-json", "empty", "a-list", "no-text", "old"}
    assert {s for s, t in total.items() if t == TOTAL_OF_AUTOMATIC} == full
    assert {s for s, t in total.items() if t == 0.0} == {*nothing, "a-folder", "a-link"}
    for student in ("wrong", "cheats", "leaves"):  # the other blanks are right
        assert points[student]["left-hidden"] == points[student]["left-check"] == 0.0
        assert points[student]["pairs-hidden"] == 2.0


@needs_bubblewrap
@pytest.mark.parametrize(
    ("way", "students"),
    [
        (by_button, FEW),
        pytest.param(by_button, ALL, marks=pytest.mark.slow),
        pytest.param(by_command, ALL, marks=pytest.mark.slow),
    ],
)
def test_nbgrader_writes_what_our_own_call_writes(way, students, course, ours):
    hand_in(course, students)
    way(course)
    expected = {s: row for s, row in rows(ours).items() if s in students}
    assert rows(course) == expected
    graded = course / ".grading" / "autograded"
    names = {path.relative_to(graded) for path in graded.rglob("*") if path.is_file()}
    assert names == {Path(s, NAME, f"{NAME}.ipynb") for s in students}


@needs_bubblewrap
@pytest.mark.slow
def test_an_honest_submission_leaves_the_rows_that_stock_nbgrader_leaves(
    ours, tmp_path
):
    honest = {
        s: SUBMISSIONS[s] for s in ("reference", "untouched", "wrong", "tampered")
    }
    expected = stock.grade(tmp_path, SOLUTION, honest)
    assert {s: row for s, row in rows(ours).items() if s in honest} == expected


@needs_bubblewrap
def test_the_command_selects_students_as_nbgrader_does(course):
    hand_in(course)
    api = formgrader(course)
    api.coursedir.student_id_exclude = "not-json"
    assert api.autograde(NAME, "[en]*[ty]", force=False)["success"]
    assert set(rows(course)) == {"empty", "no-text"}
    outcome = api.autograde(NAME, "nobody")
    assert not outcome["success"]
    assert "nothing was handed in by a student called nobody" in outcome["log"]
    outcome = api.autograde(NAME, "old", create=False)
    assert "not in the gradebook: old" in outcome["log"]
    assert "old" not in rows(course)


@needs_bubblewrap
def test_without_bubblewrap_it_refuses_and_says_how_to_get_it(course, monkeypatch):
    hand_in(course)
    monkeypatch.setattr(sandbox, "command", lambda *_, **__: ["no-such-program"])
    outcome = formgrader(course).autograde(NAME, "reference")
    assert not outcome["success"]
    assert "apt install bubblewrap" in outcome["log"]
    assert "--Grader.isolation=rlimits" in outcome["log"]
    assert rows(course) == {}


@needs_bubblewrap
def test_settings_of_the_course_reach_the_grader(course):
    hand_in(course)
    with (course / CONFIG).open("a") as file:
        file.write('c.Grader.isolation = "rlimits"\nc.Grader.workers = 1\n')
    outcome = formgrader(course).autograde(NAME, "reference")
    assert outcome["success"]
    assert "Isolation: rlimits" in outcome["log"]
    assert list(recorded(course)) == [("reference", "rlimits")]
    assert sum(filter(None, stock.points(rows(course))["reference"].values())) == 18.0


def recorded(course):
    with open_gradebook(course) as gradebook:
        query = "SELECT student_id, isolation FROM identity_edu_recorded r"
        query += " JOIN submitted_assignment a ON a.id = r.submission_id"
        return [tuple(row) for row in gradebook.db.execute(text(query))]


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("Execute.enabled", False, "outputs that students saved are no answers"),
        ("CourseDirectory.db_url", "sqlite://", "db_url belongs in nbgrader_config.py"),
    ],
)
def test_an_option_that_would_make_grading_unsafe_is_refused(
    setting, value, says, course
):
    hand_in(course)
    section, name = setting.split(".")
    config = load_config(course)
    config[section][name] = value
    with quiet():
        api = NbGraderAPI(CourseDirectory(config=config), config=config)
        outcome = api.autograde(NAME, "reference")
    assert not outcome["success"]
    assert says in outcome["log"]
    assert rows(course) == {}
