"""Grading from end to end on made-up students, and what their pages may show."""

import csv
import html
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from identity_edu.grading.cells import Cell, read_cells, split_at_markers
from identity_edu.grading.course import assignment_names
from identity_edu.grading.demo import (
    BROKEN,
    REFERENCE,
    TEST_DELETED,
    UNTOUCHED,
    Demo,
    run_demo,
    surprises,
    table,
)
from identity_edu.grading.isolation.cell import CellTimeoutError
from identity_edu.grading.isolation.task import VERDICTS
from identity_edu.grading.records import Record, remark
from identity_edu.grading.runner import fork, run_cell, run_cells

ROOT = Path(__file__).resolve().parents[1]
NAMES = assignment_names(ROOT)

pytestmark = pytest.mark.skipif(not NAMES, reason="solutions/ holds no assignment")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Run the demonstration once; the tests below read what it left behind."""
    course = tmp_path_factory.mktemp("course")
    return run_demo(ROOT, NAMES[0], course, n_wrong=2)


def hidden_lines(name):
    cells = read_cells(ROOT / "solutions" / name / f"{name}.ipynb")
    split = [split_at_markers(c.source) for c in cells if c.is_test]
    inside = {line for lines, _ in split for line in lines if len(line) >= 12}
    shown = "\n".join(x for c in cells for x in split_at_markers(c.source)[1])
    return {line for line in inside if line not in shown}


def visible_text(page):
    """Take the text that a browser shows, without the spans of the colouring."""
    page = re.sub(r"<(style|script)\b.*?</\1>", "", page, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]*>", "", page))


def test_the_demonstration_gives_the_marks_that_it_must(finished):
    assert surprises(finished) == []
    share = {record.student: record.fraction for record in finished.records}
    assert share.pop(REFERENCE) == share.pop(TEST_DELETED) == 1.0
    assert share.pop(UNTOUCHED) == share.pop(BROKEN) == 0.0
    assert len(share) == 2
    assert all(0.0 < value < 1.0 for value in share.values())


def test_the_demonstration_notices_a_wrong_mark(finished):
    marks = {record.student: record for record in finished.records}
    swapped = [marks[REFERENCE], marks[UNTOUCHED], marks[BROKEN]]
    names = [UNTOUCHED, REFERENCE, "a-wrong-answer"]
    swapped = [
        Record(name, r.scores, r.max_scores)
        for name, r in zip(names, swapped, strict=True)
    ]
    wrong = Demo(finished.course, NAMES[0], swapped, {})
    assert len(surprises(wrong)) == 6  # a wrong mark and no verdict, of each


def test_a_broken_notebook_is_recorded_with_a_reason_and_the_batch_goes_on(finished):
    result = finished.results[BROKEN]
    assert result.verdict == "unreadable"
    assert "not valid JSON" in result.reason
    assert {r.student for r in finished.records} == set(finished.results)
    page = finished.course / "return" / BROKEN / f"{NAMES[0]}.html"
    assert "not valid JSON" in page.read_text("utf-8")


def test_a_deleted_test_cell_is_named(finished):
    assert "-check` was missing" in remark(finished.results[TEST_DELETED])


def test_the_table_and_the_csv_hold_every_student(finished):
    csv_file = finished.course / ".grading" / f"{finished.assignment}.csv"
    with csv_file.open(encoding="utf-8") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert set(rows) == {record.student for record in finished.records}
    for record in finished.records:
        assert float(rows[record.student]["total"]) == record.total
        assert record.student in table(finished)
        assert rows[record.student]["verdict"] in VERDICTS
        questions = sum(float(rows[record.student][q] or 0) for q in record.questions)
        assert questions == record.total
    assert rows[UNTOUCHED]["remark"].endswith("replace this line with your answer")


def test_feedback_shows_neither_hidden_tests_nor_paths(finished):
    secret = hidden_lines(NAMES[0])
    graded = finished.course / ".grading" / "autograded" / UNTOUCHED / NAMES[0]
    notebook = (graded / f"{NAMES[0]}.ipynb").read_text("utf-8")
    executed = "\n".join("".join(c["source"]) for c in json.loads(notebook)["cells"])
    assert secret
    assert all(line in executed for line in secret)  # there to be hidden
    machine = [str(finished.course), str(ROOT), sys.prefix, tempfile.gettempdir()]
    for student in finished.results:
        page = finished.course / "return" / student / f"{NAMES[0]}.html"
        markup = page.read_text("utf-8")
        text = visible_text(markup)
        assert not [line for line in secret if line in text], student
        assert not [path for path in machine if path in markup], student
        assert not re.search(r"""(src|href)\s*=\s*["']?https?:""", markup)
        assert "Traceback" not in text


def test_feedback_tells_a_student_what_went_wrong(finished):
    silent = {REFERENCE, BROKEN, TEST_DELETED}
    told = set(finished.results) - silent
    assert len(told) == 3
    for student in told:
        message = remark(finished.results[student]).split(": ", 1)[1]
        message = message.removeprefix("NotImplementedError ")
        page = finished.course / "return" / student / f"{NAMES[0]}.html"
        text = " ".join(visible_text(page.read_text("utf-8")).split())
        assert message in text, student


def test_importing_the_package_leaves_nbgrader_alone():
    code = "import identity_edu, sys; sys.exit('nbgrader' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def code(source, cell_id="x"):
    return Cell(cell_id, "code", source, {})


def test_a_cell_that_never_ends_is_stopped_even_when_it_catches_everything():
    source = "while True:\n    try:\n        x = 1\n    except Exception:\n        pass"
    outcome = run_cell(code(source), {}, seconds=0.2)
    assert isinstance(outcome.error, CellTimeoutError)


@pytest.mark.parametrize(
    "source",
    ["import sys; sys.stderr.write('x')", "import warnings; warnings.warn('x')"],
)
def test_a_word_on_stderr_fails_a_cell_as_in_nbgrader(source, capsys):
    outcome = run_cell(code(source), {})
    assert outcome.error is None
    assert not outcome.passed
    assert capsys.readouterr().err == ""


def test_cells_share_names_and_go_on_after_an_error():
    cells = [code("%matplotlib inline\nx = 1", "a"), code("x / 0", "b")]
    outcomes = run_cells([*cells, code("assert x == 1", "c"), code("exit()", "d")])
    assert [cell_id for cell_id, o in outcomes.items() if o.passed] == ["a", "c"]
    assert isinstance(outcomes["b"].error, ZeroDivisionError)


def test_an_answer_tried_in_a_fork_cannot_change_the_original_data():
    namespace = {"data": [[1.0], {"a": 2.0}], "module": json}
    trial = fork(namespace)
    run_cell(code("data[0][0] = 9.0; data[1]['a'] = 9.0; new = 1"), trial)
    assert trial["data"] == [[9.0], {"a": 9.0}]
    assert namespace == {"data": [[1.0], {"a": 2.0}], "module": json}
