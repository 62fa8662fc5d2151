"""Grading from end to end on made-up students, and what their pages may show."""

import csv
import html
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest
from nbconvert.filters.markdown_mistune import MarkdownWithMath
from nbgrader.converters import GenerateAssignment
from nbgrader.preprocessors import ClearHiddenTests

from identity_edu.grading import demo as demo_module
from identity_edu.grading.cells import Cell, read_cells, split_at_markers
from identity_edu.grading.course import CONFIG, GradingError, assignment_names, convert
from identity_edu.grading.demo import (
    BROKEN,
    REFERENCE,
    TEST_DELETED,
    UNTOUCHED,
    run_demo,
    surprises,
    table,
)
from identity_edu.grading.executor import autograde_assignment
from identity_edu.grading.feedback import HideTests, MathMLRenderer, write_feedback
from identity_edu.grading.records import read_records
from identity_edu.grading.release import drift, release
from identity_edu.grading.runner import CellTimeoutError, fork, run_cell, run_cells

ROOT = Path(__file__).resolve().parents[1]
NAMES = assignment_names(ROOT)

pytestmark = pytest.mark.skipif(not NAMES, reason="solutions/ holds no assignment")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Run the demonstration once; the tests below read what it left behind."""
    course = tmp_path_factory.mktemp("course")
    return run_demo(ROOT, NAMES[0], course, n_wrong=2)


@pytest.fixture
def course(tmp_path):
    """Make a course folder with the first assignment, not yet released."""
    source = ROOT / "solutions" / NAMES[0] / f"{NAMES[0]}.ipynb"
    target = tmp_path / "solutions" / NAMES[0] / source.name
    target.parent.mkdir(parents=True)
    target.write_bytes(source.read_bytes())
    (tmp_path / CONFIG).write_bytes((ROOT / CONFIG).read_bytes())
    return tmp_path


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
        demo_module.Record(name, r.scores, r.max_scores)
        for name, r in zip(names, swapped, strict=True)
    ]
    wrong = demo_module.Demo(finished.course, NAMES[0], swapped, [], {})
    assert len(surprises(wrong)) == 4


def test_a_broken_notebook_is_recorded_with_a_reason_and_the_batch_goes_on(finished):
    by_student = {verdict.student: verdict for verdict in finished.verdicts}
    assert not by_student[BROKEN].is_graded
    assert "not valid JSON" in by_student[BROKEN].reason
    names = [verdict.student for verdict in finished.verdicts]
    assert names == sorted(names)
    later = names[names.index(BROKEN) + 1 :]
    assert later
    assert all(by_student[name].is_graded for name in later)
    page = finished.course / "return" / BROKEN / f"{NAMES[0]}.html"
    assert "not valid JSON" in page.read_text("utf-8")


def test_a_deleted_test_cell_is_named(finished):
    assert "-check is missing" in finished.remarks[TEST_DELETED]


def test_the_table_and_the_csv_hold_every_student(finished):
    csv_file = finished.course / ".grading" / f"{finished.assignment}.csv"
    with csv_file.open(encoding="utf-8") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert set(rows) == {record.student for record in finished.records}
    for record in finished.records:
        assert float(rows[record.student]["total"]) == record.total
        assert record.student in table(finished)
    assert rows[UNTOUCHED]["remark"].endswith("replace this line with your answer")


def test_feedback_shows_neither_hidden_tests_nor_paths(finished):
    secret = hidden_lines(NAMES[0])
    graded = finished.course / ".grading" / "autograded" / UNTOUCHED / NAMES[0]
    notebook = (graded / f"{NAMES[0]}.ipynb").read_text("utf-8")
    executed = "\n".join("".join(c["source"]) for c in json.loads(notebook)["cells"])
    assert secret
    assert all(line in executed for line in secret)  # there to be hidden
    machine = [str(finished.course), str(ROOT), sys.prefix, tempfile.gettempdir()]
    for verdict in finished.verdicts:
        page = finished.course / "return" / verdict.student / f"{NAMES[0]}.html"
        markup = page.read_text("utf-8")
        text = visible_text(markup)
        assert not [line for line in secret if line in text], verdict.student
        assert not [path for path in machine if path in markup], verdict.student
        assert not re.search(r"""(src|href)\s*=\s*["']?https?:""", markup)
        assert "Traceback" not in text


@pytest.mark.parametrize("name", NAMES)
def test_every_formula_of_an_assignment_is_shown_on_the_page_without_a_network(name):
    render = MarkdownWithMath(renderer=MathMLRenderer(escape=False)).render
    cells = read_cells(ROOT / "solutions" / name / f"{name}.ipynb")
    pages = [render(cell.source) for cell in cells if cell.kind == "markdown"]
    assert sum(page.count("<math") for page in pages) >= 20
    assert not [page for page in pages if 'class="latex"' in page or "$" in page]


def test_a_broken_formula_is_shown_as_it_was_typed():
    render = MarkdownWithMath(renderer=MathMLRenderer(escape=False)).render
    page = render(r"Because $\nosuch{a < b}$ and $$x^$$ it holds.")
    assert r'<code class="latex">\nosuch{a &lt; b}</code>' in page


def test_feedback_tells_a_student_what_went_wrong(finished):
    silent = {REFERENCE, BROKEN, TEST_DELETED}
    told = {v.student for v in finished.verdicts} - silent
    assert len(told) == 3
    for student in told:
        message = finished.remarks[student].split(": ", 1)[1]
        message = message.removeprefix("NotImplementedError ")
        page = finished.course / "return" / student / f"{NAMES[0]}.html"
        text = " ".join(visible_text(page.read_text("utf-8")).split())
        assert message in text, student


@pytest.mark.parametrize(
    ("name", "message", "shown"),
    [
        ("AssertionError", "look at the sign", "look at the sign"),
        ("AssertionError", "", "This check failed."),
        ("ValueError", "canary 1.234", "ValueError was raised here."),
    ],
)
def test_a_hidden_cell_shows_only_the_message_of_its_assertion(name, message, shown):
    source = "# Graded.\n### BEGIN HIDDEN TESTS\ncanary = 1.234\n### END HIDDEN TESTS"
    trace = ["canary = 1.234", "/home/someone/course/x.py"]
    outputs = [
        nbformat.v4.new_output("stream", text="canary 1.234"),
        nbformat.v4.new_output("error", ename=name, evalue=message, traceback=trace),
    ]
    mark = {"grade": True, "solution": False, "grade_id": "x-hidden"}
    cell = nbformat.v4.new_code_cell(source, outputs=outputs)
    cell.metadata["nbgrader"] = mark
    notebook = nbformat.v4.new_notebook(cells=[cell])
    for step in (HideTests(), ClearHiddenTests()):
        notebook, _ = step.preprocess(notebook, {})
    assert notebook.cells[0].source == "# Graded."
    assert [output.traceback for output in notebook.cells[0].outputs] == [[shown]]
    assert "canary" not in json.dumps(notebook)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("import from /home/ann/lib/numpy/x.py failed", "import from .../x.py failed"),
        (r"read C:\Users\ann\data.csv", r"read ...\data.csv"),
        ("the ratio a/b/c is 1/2", "the ratio a/b/c is 1/2"),
        (r"$\alpha\beta\gamma$ is negative", r"$\alpha\beta\gamma$ is negative"),
    ],
)
def test_a_visible_error_keeps_its_message_without_folders(text, shown):
    error = nbformat.v4.new_output("error", ename="OSError", evalue=text, traceback=[])
    cell = nbformat.v4.new_code_cell("x = 1", outputs=[error])
    cell, _ = HideTests().preprocess_cell(cell, {}, 0)
    assert cell.outputs[0].traceback == [f"OSError: {shown}"]


def test_no_unreadable_submission_stops_the_batch(course):
    convert(GenerateAssignment, course, NAMES[0])
    odd = {
        "empty": ("", "not valid JSON"),
        "list": ("[]", "not a version 4 notebook"),
        "no-cells": ('{"nbformat": 4, "nbformat_minor": 5}', "without a list of cells"),
        "no-id": (
            '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{}]}',
            "not a valid notebook",
        ),
        "binary": (b"\xff\xfe\x00", "not valid JSON"),
    }
    for student, (content, _) in odd.items():
        folder = course / ".grading" / "submitted" / student / NAMES[0]
        folder.mkdir(parents=True)
        content = content if isinstance(content, bytes) else content.encode()
        (folder / f"{NAMES[0]}.ipynb").write_bytes(content)
    renamed = course / ".grading" / "submitted" / "renamed" / NAMES[0]
    renamed.mkdir(parents=True)
    (renamed / "mine.ipynb").write_text("{}")
    verdicts = {v.student: v for v in autograde_assignment(course, NAMES[0])}
    assert set(verdicts) == {*odd, "renamed"}
    for student, (_, reason) in odd.items():
        assert reason in verdicts[student].reason
    assert "is missing; found mine.ipynb" in verdicts["renamed"].reason
    records = read_records(course, NAMES[0])
    assert {(r.student, r.total, r.awaiting) for r in records} == {
        (student, 0.0, 0.0) for student in verdicts
    }
    write_feedback(course, NAMES[0], verdicts.values())
    assert len(list((course / "return").glob("*/*.html"))) == len(verdicts)


def test_grading_what_was_never_released_is_refused(finished):
    with pytest.raises(GradingError, match="99_unknown is not in the gradebook"):
        autograde_assignment(finished.course, "99_unknown")


def test_drift_names_the_files_that_were_edited_by_hand(course):
    release(course, NAMES[0])
    assert drift(course, NAMES[0]) == []
    exercise = course / "exercises" / NAMES[0]
    with (exercise / f"{NAMES[0]}.ipynb").open("a") as file:
        file.write("\n")
    (exercise / "extra.txt").write_text("left over")
    folder = f"exercises/{NAMES[0]}"
    expected = [f"{folder}/{NAMES[0]}.ipynb", f"{folder}/extra.txt"]
    assert drift(course, NAMES[0]) == expected


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
