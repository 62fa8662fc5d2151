"""The course's secret is read from outside the course, and draws the same problems."""

import hashlib
import json
import re

import pytest

from identity_edu import checks
from identity_edu.grading.course import CONFIG, GradingError
from identity_edu.grading.isolation.grade_one import grade_submission
from identity_edu.grading.isolation.sandbox import isolation_problem
from identity_edu.grading.isolation.task import Task
from identity_edu.grading.secret import course_secret, fingerprint, student_secret


@pytest.fixture
def variables(monkeypatch):
    """Take away any course secret of the machine, and set it anew."""
    monkeypatch.delenv(checks.SECRET_VARIABLE, raising=False)
    monkeypatch.delenv(checks.SECRET_FILE_VARIABLE, raising=False)
    return monkeypatch


@pytest.fixture
def secret_file(variables, tmp_path):
    """Name a file, not yet there, as that of the secret."""
    variables.setenv(checks.SECRET_FILE_VARIABLE, str(tmp_path / "secret"))
    return tmp_path / "secret"


def test_a_course_without_a_secret_has_an_empty_one(variables):
    assert course_secret() == ""
    variables.setenv(checks.SECRET_FILE_VARIABLE, "")
    assert course_secret() == ""


def test_a_variable_counts_before_a_file(variables, secret_file):
    secret_file.write_text("in a file\n", encoding="utf-8-sig")
    assert course_secret() == "in a file"
    variables.setenv(checks.SECRET_VARIABLE, "in a variable")
    assert course_secret() == "in a variable"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read: No such file"),
        (b"", "is empty: it must hold the secret"),
        (b" \n", "is empty: it must hold the secret"),
        ("spring".encode("utf-16"), "cannot be read: it is no UTF-8 text"),
    ],
)
def test_a_file_without_a_secret_is_refused_in_one_line(secret_file, content, says):
    if content is not None:
        secret_file.write_bytes(content)
    with pytest.raises(GradingError, match=says) as caught:
        course_secret()
    assert str(secret_file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_or_an_impossible_name_is_refused_in_one_line(variables, tmp_path):
    variables.setenv(checks.SECRET_FILE_VARIABLE, str(tmp_path))
    with pytest.raises(GradingError, match="cannot be read"):
        course_secret()
    variables.setenv(checks.SECRET_FILE_VARIABLE, "x" * 5000)
    with pytest.raises(GradingError, match="cannot be read"):
        course_secret()


def test_a_secret_in_a_course_folder_is_refused_however_it_is_named(
    variables, tmp_path
):
    course = tmp_path / "course"
    inside = course / ".grading" / "secret"
    inside.parent.mkdir(parents=True)
    inside.write_text("spring")
    variables.setenv(checks.SECRET_FILE_VARIABLE, str(inside))
    assert course_secret() == "spring"
    (course / CONFIG).touch()
    with pytest.raises(GradingError, match="inside the course folder"):
        course_secret()
    link = tmp_path / "link"
    link.symlink_to(inside)
    variables.setenv(checks.SECRET_FILE_VARIABLE, str(link))
    with pytest.raises(GradingError, match="inside the course folder"):
        course_secret()


def test_a_students_secret_is_their_own_and_follows_from_the_courses():
    ada = student_secret("Jefe", "what do ya want for nothing?")
    # RFC 4231, test case 2
    assert ada.startswith("5bdcc146bf60754e6a042426089575c7")
    assert len(ada) == 64
    assert student_secret("Jefe", "ben") != ada
    assert student_secret("other", "what do ya want for nothing?") != ada


def test_students_of_a_course_without_a_secret_have_none_of_their_own():
    with pytest.raises(GradingError, match="require a secret: set IDENTITY_EDU_SECRET"):
        student_secret("", "ada")


def test_a_fingerprint_tells_secrets_apart_and_does_not_tell_them():
    assert fingerprint("") == "none"
    assert re.fullmatch("[0-9a-f]{8}", fingerprint("spring"))
    assert fingerprint("spring") != fingerprint("autumn")
    plain_hash = hashlib.sha256(b"spring").hexdigest()
    assert fingerprint("spring") not in plain_hash


def cell(name, source, **marks):
    mark = {"grade_id": name, "schema_version": 3, "task": False, **marks}
    return {
        "cell_type": "code",
        "id": name,
        "metadata": {"nbgrader": mark},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def drawn_points(secret):
    """Grade a submission whose points are what the hidden test draws."""
    answer = cell("x-answer", "x = 1", solution=True, grade=False, locked=False)
    hidden = "# Graded.\n### BEGIN HIDDEN TESTS\nfrom identity_edu import checks\n"
    hidden += "float(checks.exam_rng('x').uniform(0, 9))\n### END HIDDEN TESTS"
    marks = {"solution": False, "grade": True, "locked": True, "points": 9}
    document = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}}
    reference = document | {"cells": [answer, cell("x-hidden", hidden, **marks)]}
    released = document | {"cells": [answer, cell("x-hidden", "# Graded.", **marks)]}
    level = "rlimits" if isolation_problem("bubblewrap") else "bubblewrap"
    task = Task(
        "01_x",
        "ada",
        json.dumps(released).encode(),
        json.dumps(reference),
        json.dumps(released),
        secret=secret,
        isolation=level,
    )
    return grade_submission(task).tests[0].points


@pytest.mark.skipif(
    bool(isolation_problem("rlimits")), reason="this system confines no process"
)
def test_grading_again_with_the_same_secret_gives_the_same_points(secret_file):
    secret_file.write_text("of this machine")  # the task's counts, wherever it runs
    own = student_secret("spring", "ada")
    points = [drawn_points(secret) for secret in ("spring", "spring", "", own)]
    assert points[0] == points[1] > 0
    assert len(set(points)) == 3
