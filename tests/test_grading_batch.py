"""A batch of submissions: each one recorded once, none lost, whatever happens."""

import csv
import fcntl
import io
import json
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import courses
import pytest
from courses import NAME, FakeGrader, copy_course, give_by_hand, grades, hand_in, use
from typer.testing import CliRunner

from identity_edu import cli
from identity_edu.cli.counts import Lines, counting
from identity_edu.grading.batch import Tally, grade_assignment, results_of
from identity_edu.grading.course import GradingError
from identity_edu.grading.exam import read_exam
from identity_edu.grading.gradebook import open_gradebook
from identity_edu.grading.handback import hand_back
from identity_edu.grading.isolation.task import IsolationError
from identity_edu.grading.marking import Options, _graded
from identity_edu.grading.pool import AHEAD, in_parallel
from identity_edu.grading.register import Register
from identity_edu.grading.store import DamagedResultError, read_result, read_summary
from identity_edu.grading.submissions import Submission


@pytest.fixture
def course(tmp_path):
    return copy_course(tmp_path)


@pytest.fixture
def fake(monkeypatch):
    return use(FakeGrader(), monkeypatch)


def totals(graded):
    return {record.student: record.total for record in graded.records}


def test_every_submission_is_graded_and_recorded_once(course, fake):
    for student, text in {"ada": "1 2 -", "ben": "0 2 0", "cleo": "0 0 0"}.items():
        hand_in(course, student, text)
    graded = grade_assignment(course, NAME)
    assert graded.is_complete
    assert totals(graded) == {"ada": 3.0, "ben": 2.0, "cleo": 0.0}
    assert sorted(fake.students) == sorted(graded.changed) == ["ada", "ben", "cleo"]
    rows = grades(course)
    assert rows["ada", "one-hidden"] == (2.0, None, False)
    assert rows["ada", "two-why"] == (None, None, True)
    assert rows["ben", "two-why"] == (0.0, None, False)
    assert len(rows) == 9


def test_a_repeated_run_does_nothing_unless_forced(course, fake):
    hand_in(course, "ada", "1 2 -")
    first = grade_assignment(course, NAME)
    again = grade_assignment(course, NAME)
    assert fake.students == ["ada"]
    assert again.changed == []
    assert totals(again) == totals(first)
    forced = grade_assignment(course, NAME, options=Options(is_forced=True))
    assert fake.students == ["ada", "ada"]
    assert forced.changed == ["ada"]


def test_a_newer_version_counts_and_the_older_result_is_kept(course, fake):
    hand_in(course, "ada", "0 1 -")
    grade_assignment(course, NAME)
    hand_in(course, "ada", "1 2 -")
    assert totals(grade_assignment(course, NAME)) == {"ada": 3.0}
    hand_in(course, "ada", "0 1 -")  # the first version again: no need to run it
    assert totals(grade_assignment(course, NAME)) == {"ada": 1.0}
    assert len(fake.students) == 2
    assert len(list((course / ".grading/results" / NAME / "ada").iterdir())) == 2


def test_only_the_students_asked_for_are_graded(course, fake):
    for student in ("ada", "ben"):
        hand_in(course, student, "1 2 -")
    graded = grade_assignment(course, NAME, students=["ben"])
    assert fake.students == graded.changed == ["ben"]
    with pytest.raises(GradingError, match="nothing was handed in by zoe"):
        grade_assignment(course, NAME, students=["zoe"])


def test_a_failure_of_the_grader_is_tried_twice_and_never_recorded(course, fake):
    hand_in(course, "ada", "1 2 -")
    hand_in(course, "ben", "! 0 0 0")
    graded = grade_assignment(course, NAME)
    assert not graded.is_complete
    assert fake.students.count("ben") == 2
    assert [(r.student, r.reason) for r in graded.failed] == [
        ("ben", "the examiner ended")
    ]
    assert totals(graded) == {"ada": 3.0}
    hand_in(course, "ben", "0 0 0")
    assert grade_assignment(course, NAME).is_complete


def test_an_error_of_the_grader_is_a_failure_of_one_submission(course, monkeypatch):
    class Raises(FakeGrader):
        def __call__(self, task):
            if task.student == "ben":
                raise ConnectionError("the worker\nis gone")
            return super().__call__(task)

    use(Raises(), monkeypatch)
    for student in ("ada", "ben", "cleo"):
        hand_in(course, student, "1 2 -")
    graded = grade_assignment(course, NAME)
    assert [r.reason for r in graded.failed] == ["ConnectionError the worker is gone"]
    assert set(totals(graded)) == {"ada", "cleo"}


def test_what_a_student_has_a_part_in_reaches_no_terminal_as_it_is(course, monkeypatch):
    class Raises(FakeGrader):
        def __call__(self, task):
            raise ConnectionError("gone\n\x1b]0;title\x07 \u202e")

    use(Raises(), monkeypatch)
    hand_in(course, "ada", "1 2 -")
    (failed,) = grade_assignment(course, NAME).failed
    assert failed.reason == "ConnectionError gone ]0;title"


def test_nothing_begins_once_grading_is_being_stopped(course):
    stopping, called = threading.Event(), []
    stopping.set()
    one = Submission("ada", hand_in(course, "ada", "1 2 -"))
    result = _graded(read_exam(course, NAME), one, called.append, stopping)
    assert (result.verdict, called) == ("failed", [])


def test_a_file_that_the_grader_may_not_read_costs_nobody_points(
    course, fake, monkeypatch
):
    def refuse(self):
        raise PermissionError(13, "Permission denied")

    hand_in(course, "ada", "1 2 -")
    monkeypatch.setattr(Submission, "read", refuse)
    monkeypatch.setattr(Submission, "sha256", refuse)
    graded = grade_assignment(course, NAME)
    assert "Permission denied" in graded.failed[0].reason
    assert graded.records == []


def test_without_isolation_nothing_is_graded(course, fake, monkeypatch):
    hand_in(course, "ada", "1 2 -")
    where = "identity_edu.grading.marking.isolation_problem"
    monkeypatch.setattr(where, lambda level: f"{level} is not installed: install it.")
    with pytest.raises(IsolationError, match="bubblewrap is not installed"):
        grade_assignment(course, NAME)
    assert fake.students == []
    done = CliRunner().invoke(cli.app, ["grade", NAME, "--course", str(course)])
    assert done.exit_code == 1
    assert done.stderr.splitlines()[1:] == ["bubblewrap is not installed: install it."]


def test_other_tests_leave_the_mark_and_are_reported(course, fake):
    hand_in(course, "ada", "1 2 -")
    grade_assignment(course, NAME)
    released = course / "exercises" / NAME / f"{NAME}.ipynb"
    released.write_text(released.read_text("utf-8") + "\n", "utf-8")
    graded = grade_assignment(course, NAME)
    assert graded.outdated == ["ada"]
    assert fake.students == ["ada"]
    hand_in(course, "ada", "0 0 0")
    assert grade_assignment(course, NAME).outdated == []


def test_a_secret_of_each_students_own_is_another_test(course, fake, monkeypatch):
    monkeypatch.setenv("IDENTITY_EDU_SECRET", "a course")
    for student in ("ada", "ben"):
        hand_in(course, student, "1 2 -")
    shared = grade_assignment(course, NAME).results
    assert shared["ada"].tests_sha256 == shared["ben"].tests_sha256
    options = Options(is_per_student=True, is_forced=True)
    own = grade_assignment(course, NAME, options=options).results
    assert len({own["ada"].tests_sha256, own["ben"].tests_sha256}) == 2
    monkeypatch.delenv("IDENTITY_EDU_SECRET")
    with pytest.raises(GradingError, match="require a secret"):
        grade_assignment(course, NAME, options=options)


def test_what_was_graded_and_not_recorded_is_recorded_first(course, fake, monkeypatch):
    for i in range(5):
        hand_in(course, f"s{i}", "1 2 -")

    def lost(self):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Register, "commit", lost)
        with pytest.raises(KeyboardInterrupt):
            grade_assignment(course, NAME)
    n_graded = len(fake.students)
    assert grades(course) == {}
    assert n_graded >= 1
    graded = grade_assignment(course, NAME)
    assert totals(graded) == {f"s{i}": 3.0 for i in range(5)}
    assert len(fake.students) == 5


def test_a_gradebook_that_was_lost_is_filled_from_the_results(course, fake):
    for student in ("ada", "ben"):
        hand_in(course, student, "1 2 -")
    before = totals(grade_assignment(course, NAME))
    copy_course(course)
    assert totals(grade_assignment(course, NAME)) == before
    assert len(fake.students) == 2


@pytest.mark.parametrize("damage", ["cut", "emptied", "other schema", "another's"])
def test_a_damaged_result_file_is_reported_and_made_anew(course, fake, damage):
    hand_in(course, "ada", "1 2 -")
    grade_assignment(course, NAME)
    (path,) = (course / ".grading/results" / NAME / "ada").iterdir()
    whole = path.read_text()
    changes = {
        "cut": whole[: len(whole) - 30],
        "emptied": "",
        "other schema": whole.replace('"schema": 1', '"schema": 99'),
        "another's": whole.replace('"student": "ada"', '"student": "ben"'),
    }
    path.write_text(changes[damage])
    with pytest.raises(DamagedResultError):
        read_summary(path.parents[1], "ada", path.stem)
    graded = grade_assignment(course, NAME)
    assert len(fake.students) == 2
    assert "It counts as absent." in graded.notes[0]
    assert path.read_text() == whole


def test_a_damaged_notebook_in_a_result_file_is_named_in_one_line(course, fake):
    hand_in(course, "ada", "1 2 -")
    grade_assignment(course, NAME)
    (path,) = (course / ".grading/results" / NAME / "ada").iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-100] + b"?" * 50 + whole[-50:])
    done = run(course)
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1].endswith("Remove it, and grade again.")
    path.unlink()
    assert run(course).exit_code == 0
    assert path.read_bytes() == whole


def test_a_mark_outlives_its_result_file_and_other_tests(course, fake):
    hand_in(course, "ada", "0 2 -")
    grade_assignment(course, NAME)
    shutil.rmtree(course / ".grading" / "results")
    solution = course / "solutions" / NAME / f"{NAME}.ipynb"
    solution.write_text(solution.read_text("utf-8") + "\n", "utf-8")
    fake.extra = 1.0
    graded = grade_assignment(course, NAME)
    assert totals(graded) == {"ada": 2.0}
    assert (graded.outdated, graded.changed) == (["ada"], [])
    forced = grade_assignment(course, NAME, options=Options(is_forced=True))
    assert totals(forced) == {"ada": 3.0}


def test_no_transaction_is_open_while_students_code_runs(course, fake):
    with open_gradebook(course) as gradebook:
        assert Register(gradebook, course, NAME).recorded() == {}
        assert not gradebook.db().in_transaction()


def test_a_result_file_is_json_and_gives_back_what_was_written(course, fake):
    hand_in(course, "ada", "1 2 -")
    result = grade_assignment(course, NAME).results["ada"]
    (path,) = (course / ".grading/results" / NAME / "ada").iterdir()
    whole = read_result(path.parents[1], "ada", path.stem)
    assert json.loads(path.read_text())["notebook"] == whole.notebook
    assert whole.tests == result.tests
    assert whole.notebook["nbformat"] == 4
    assert read_result(path.parents[1], "ada", "0" * 64) is None


def test_points_given_by_hand_survive_and_ask_for_a_second_look(course, fake):
    hand_in(course, "ada", "1 2 -")
    hand_in(course, "ben", "1 2 -")
    grade_assignment(course, NAME)
    give_by_hand(course, "ada", "two-why", 1.5)
    give_by_hand(course, "ada", "one-check", 0.5)
    give_by_hand(course, "ben", "two-why", 2.0)
    hand_in(course, "ada", "0 2 -")
    graded = grade_assignment(course, NAME, options=Options(is_forced=True))
    rows = grades(course)
    assert rows["ada", "two-why"] == (None, 1.5, True)
    assert rows["ada", "one-check"] == (0.0, 0.5, True)
    assert rows["ben", "two-why"] == (None, 2.0, False)  # nothing new to look at
    assert totals(graded) == {"ada": 4.0, "ben": 5.0}


def test_the_time_and_the_penalty_of_the_course_are_recorded(course, fake):
    with (course / "nbgrader_config.py").open("a") as config:
        config.write('c.LateSubmissionPlugin.penalty_method = "zero"\n')
    due = datetime(2026, 1, 1)
    with open_gradebook(course) as gradebook:
        gradebook.update_or_create_assignment(NAME, duedate=due)
    for student, late in {"ada": -1, "ben": 1}.items():
        path = hand_in(course, student, "1 2 -").with_name("timestamp.txt")
        path.write_text(f"{due + timedelta(hours=late)} UTC")
    assert totals(grade_assignment(course, NAME)) == {"ada": 3.0, "ben": 0.0}
    with open_gradebook(course) as gradebook:
        assert gradebook.find_submission(NAME, "ben").total_seconds_late == 3600
    path.write_text(f"{due} UTC")  # the clock was wrong: no need to run it again
    assert totals(grade_assignment(course, NAME)) == {"ada": 3.0, "ben": 3.0}
    assert len(fake.students) == 2


def test_what_the_folder_says_is_part_of_the_result(course, fake):
    submitted = course / ".grading" / "submitted"
    hand_in(course, "ada", "1 2 -", name="mine")
    (submitted / "eve.ipynb").symlink_to("/etc/hostname")
    (submitted / "a;b").mkdir()
    graded = grade_assignment(course, NAME)
    ada, eve = graded.results["ada"], graded.results["eve"]
    assert (ada.verdict, ada.reason) == (
        "repaired",
        f"mine.ipynb was taken for {NAME}.ipynb",
    )
    assert eve.verdict == "unreadable"
    assert eve.reason == "eve.ipynb is a link; a file is required"
    assert {test.reason for test in eve.tests} == {eve.reason}
    (whole,) = results_of(course, graded, ["eve"])
    assert eve.reason in whole.notebook["cells"][0]["source"]
    assert not graded.is_complete
    assert "cannot be a student's name" in graded.notes[0]
    assert grade_assignment(course, NAME).changed == []


def test_what_was_never_released_is_refused(course, fake):
    with pytest.raises(GradingError, match=r"99_unknown.* is required, and missing"):
        grade_assignment(course, "99_unknown")
    hand_in(course, "ada", "1 2 -")
    with open_gradebook(course) as gradebook:
        gradebook.remove_assignment(NAME)
    with pytest.raises(GradingError, match=r"not in the gradebook\. Release it first"):
        grade_assignment(course, NAME)


def test_a_gradebook_of_another_release_is_refused(course, fake):
    hand_in(course, "ada", "1 2 -")
    with open_gradebook(course) as gradebook:
        gradebook.add_grade_cell("new", NAME, NAME, max_score=1, cell_type="code")
    with pytest.raises(GradingError, match=r"other graded cells than 00_small \(new\)"):
        grade_assignment(course, NAME)


def test_two_cannot_grade_into_one_course_at_once(course, fake):
    hand_in(course, "ada", "1 2 -")
    with (course / ".grading" / "grading.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(GradingError, match="another process is grading"):
            grade_assignment(course, NAME)
    assert grade_assignment(course, NAME).is_complete


def test_only_a_few_submissions_are_in_memory():
    taken, most, lock = [], [], threading.Lock()

    def items():
        for i in range(50):
            with lock:
                taken.append(i)
            yield i

    n_done = 0
    for done in in_parallel(lambda item: item, items(), 3):
        most.append(len(taken) - n_done)
        n_done += len(done)
    assert sorted(taken) == list(range(50))
    assert n_done == 50
    assert max(most) <= 2 * AHEAD * 3


def test_an_interruption_stops_the_threads_and_starts_nothing_new():
    stopped, begun = threading.Event(), []

    def work(item):
        begun.append(item)
        return stopped.wait(60) if item else None

    batches = in_parallel(work, range(100), 2, stopped.set)
    next(batches)
    batches.close()
    assert stopped.is_set()
    assert len(begun) <= 1 + 2 * AHEAD


def test_pages_are_written_when_what_they_show_has_changed(course, fake):
    for student in ("ada", "ben"):
        hand_in(course, student, "1 2 -")
    table = course / ".grading" / f"{NAME}.csv"

    def written():
        return hand_back(course, grade_assignment(course, NAME), table)

    assert written() == ["ada", "ben"]
    assert written() == []
    give_by_hand(course, "ben", "two-why", 2.0)
    assert written() == ["ben"]
    (course / "return" / "ada" / f"{NAME}.html").unlink()
    assert written() == ["ada"]
    hand_in(course, "ada", "0 2 -")
    assert written() == ["ada"]


def run(course, *arguments):
    command = ["grade", NAME, "--course", str(course), *arguments]
    return CliRunner().invoke(cli.app, command)


def test_the_command_grades_counts_and_writes_a_table(course, fake):
    hand_in(course, "ada", "1 2 -")
    hand_in(course, "ben", "0 2 0")
    done = run(course, "--workers", "1")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("isolation: bubblewrap\nsecret: ")
    assert "2 handed in, 0 recorded before, 2 to grade" in done.stderr
    assert "graded 2" in done.stderr.splitlines()[-1]
    with (course / ".grading" / f"{NAME}.csv").open(encoding="utf-8") as file:
        ada, ben = csv.DictReader(file)
    assert (ada["total"], ada["max"], ada["awaiting"]) == ("3.0", "5.0", "2.0")
    assert (ada["one-hidden"], ada["two-why"], ben["two-why"]) == ("2.0", "", "0.0")
    assert (ben["verdict"], ben["remark"]) == ("graded", "one-check: told")
    assert (course / "return" / "ada" / f"{NAME}.html").is_file()


def test_the_command_fails_when_something_is_not_recorded(course, fake):
    hand_in(course, "ada", "1 2 -")
    hand_in(course, "ben", "! 0 0 0")
    done = run(course, "--no-feedback", "--csv", str(course / "here.csv"))
    assert done.exit_code == 1
    assert "ben is not graded: the examiner ended" in done.stderr
    assert (course / "here.csv").is_file()
    assert not (course / "return").exists()


def test_a_table_holds_no_formula_that_a_student_wrote(course, monkeypatch):
    class Hostile(FakeGrader):
        def _result(self, task, verdict, reason, tests):
            made = super()._result(task, "unreadable", "=HYPERLINK(1)", tests)
            return made

    use(Hostile(), monkeypatch)
    hand_in(course, "ada", "1 2 -")
    assert run(course, "--no-feedback").exit_code == 0
    with (course / ".grading" / f"{NAME}.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["remark"] == "'=HYPERLINK(1)"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--students", "zoe"], "nothing was handed in by zoe."),
        (["nowhere"], "a folder of submissions is required; nowhere is none."),
        (["--scheduler", "nonsense://x"], "no Dask scheduler at nonsense://x"),
    ],
)
def test_an_error_of_the_command_is_one_line(course, fake, arguments, told):
    pytest.importorskip("distributed", reason="Dask is not installed")
    hand_in(course, "ada", "1 2 -")
    done = run(course, *arguments)
    assert done.exit_code == 1
    assert told in done.stderr.splitlines()[-1]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_a_bar_with_rate_time_left_and_verdicts(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    tally = Tally(n_handed_in=9, n_before=5, n_to_grade=4)
    with counting() as show:
        show(tally)
        tally.n_done, tally.verdicts = 4, Counter(graded=3, unreadable=1)
        show(tally)
    text = sys.stderr.getvalue()
    assert "9 handed in, 5 recorded before, 4 to grade" in text
    assert "4/4" in text
    assert "00:00 left, graded 3, unreadable 1" in text


def test_without_a_terminal_lines_tell_rate_and_time_left(capsys):
    now = iter([0.0, 2.0, 6.0, 8.0])
    lines, tally = Lines(clock=lambda: next(now)), Tally(n_handed_in=8, n_to_grade=8)
    lines(tally)
    for n_done in (1, 3, 8):
        tally.n_done, tally.verdicts = n_done, Counter(graded=n_done)
        lines(tally)
    assert capsys.readouterr().err.splitlines()[1:] == [
        "3/8, 0.5 a second, 0:00:10 left: graded 3",
        "8/8, 1.0 a second, 0:00:00 left: graded 8",
    ]


# Killed at any moment

GRADER = """
import sys
sys.path[:0] = [sys.argv[1]]
import courses
from identity_edu.grading import marking
from identity_edu.grading.isolation import grade_one
grade_one.grade_submission = fake = courses.FakeGrader()
fake.seconds = 0.02
marking.isolation_problem = lambda level: ""
from identity_edu.cli import app
app(["grade", courses.NAME, "--course", sys.argv[2], "--no-feedback", "--workers", "3"])
"""


def start(course):
    tests = str(Path(courses.__file__).parent)
    command = [sys.executable, "-c", GRADER, tests, str(course)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)


def await_results(course, n_results, process):
    results = course / ".grading" / "results" / NAME
    end = time.monotonic() + 120
    while len(list(results.glob("*/*.json"))) < n_results and time.monotonic() < end:
        if process.poll() is not None:
            break
        time.sleep(0.01)


@pytest.mark.slow
def test_killed_at_random_moments_each_submission_is_recorded_exactly_once(course):
    n_students, moments = 150, random.Random(7)
    for i in range(n_students):
        hand_in(course, f"s{i:03}", f"1 {i % 3} - # {i}")
    for n_kills in range(5):
        process = start(course)
        await_results(course, 25 * n_kills + moments.randrange(5, 25), process)
        time.sleep(0.1 * moments.random())
        process.kill()
        process.communicate()
    process = start(course)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    rows = grades(course)
    assert len(rows) == 3 * n_students
    assert all(rows[f"s{i:03}", "one-hidden"][0] == i % 3 for i in range(n_students))
    results = (course / ".grading" / "results" / NAME).glob("*/*.json")
    assert len(list(results)) == n_students
    parts = list(course.glob(".grading/**/*.part"))
    assert len(parts) <= 10  # what was being written when it was killed


@pytest.mark.slow
@pytest.mark.parametrize("word", [signal.SIGINT, signal.SIGTERM])
def test_a_word_to_stop_keeps_what_was_graded_and_says_how_to_go_on(course, word):
    for i in range(150):
        hand_in(course, f"s{i:03}", f"1 2 - # {i}")
    process = start(course)
    await_results(course, 10, process)
    process.send_signal(word)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == (
        "Stopped; what was graded is kept. The same command goes on."
    )
    n_kept = len(list((course / ".grading/results" / NAME).glob("*/*.json")))
    assert 10 <= n_kept < 150
    process = start(course)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0
    assert len(grades(course)) == 450
