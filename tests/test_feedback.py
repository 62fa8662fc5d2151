"""What goes back to a student explains every point, and shows nothing else."""

import base64
import csv
import html
import html.parser
import io
import json
import re

import nbformat
import pytest
from book_pages import ROOT
from nbgrader.preprocessors import ClearHiddenTests

from identity_edu.grading.cells import read_cells
from identity_edu.grading.course import CONFIG, assignment_names
from identity_edu.grading.discreet import (
    LONGEST_TEXT,
    HideTests,
    OfflineHTML,
    markdown_to_html,
    png,
)
from identity_edu.grading.feedback import cell_text, table, write_feedback
from identity_edu.grading.gradebook import open_gradebook
from identity_edu.grading.isolation.task import Result, TestResult
from identity_edu.grading.page import MOST_COLOURED, Mark, page

NAMES = assignment_names(ROOT)
NAME = "01_x"
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAA"
    "AABJRU5ErkJggg=="
)
HIDDEN = "# Graded.\n### BEGIN HIDDEN TESTS\ncanary = 1.234\n### END HIDDEN TESTS"


# A small assignment, and a student's work on it


def cell(name, source, kind="code", outputs=(), **marks):
    made = {"cell_type": kind, "id": name, "metadata": {}, "source": source}
    if marks:
        made["metadata"]["nbgrader"] = {"grade_id": name, **marks}
    if kind == "code":
        made |= {"execution_count": None, "outputs": list(outputs)}
    return made


def locked(name, source, kind="code", **marks):
    marks = {"grade": False, "solution": False, **marks}
    return cell(name, source, kind, locked=True, **marks)


def answer(name, source, kind="code", outputs=(), **marks):
    marks = {"grade": False, **marks}
    return cell(name, source, kind, outputs, solution=True, locked=False, **marks)


def notebook(*cells):
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells)}


def exercise(hidden="# Graded."):
    return [
        locked("title", "# One exercise", "markdown"),
        locked("x-goal", "## 1. The sign\n\nFind $x^2$.", "markdown"),
        locked("x-given", "y = 2"),
        answer("x-answer", "raise NotImplementedError()"),
        locked("x-check", "assert f(1) == 1, 'the sign'", grade=True, points=1),
        locked("x-hidden", hidden, grade=True, points=2),
        answer("x-why", "Write here.", "markdown", grade=True, points=2),
    ]


RELEASED = notebook(*exercise())
TESTS = (
    TestResult("x-check", 1.0, 1.0),
    TestResult("x-hidden", 0.0, 2.0, "right size, wrong sign.", "call time"),
    TestResult("x-why", None, 2.0),
)


def graded(cells=None, tests=TESTS, verdict="graded", reason="", **rest):
    cells = exercise(HIDDEN) if cells is None else cells
    return Result(
        NAME,
        rest.pop("student", "ada"),
        verdict,
        reason,
        rest.pop("repairs", ()),
        tests,
        notebook(*cells),
        "bubblewrap",
        1.0,
        "ab" * 32,
        "cd" * 32,
    )


def page_of(*added, **rest):
    """Lay out the page of a student who added some cells."""
    result = graded([*exercise(HIDDEN), *added], **rest)
    marks = [Mark(t.grade_id, t.points, t.max_points, t.reason) for t in result.tests]
    return page(result, RELEASED, marks)


def visible_text(markup):
    """Take the text that a browser shows, without the spans of the colouring."""
    markup = re.sub(r"<(style|script)\b.*?</\1>", "", markup, flags=re.DOTALL)
    markup = re.sub(r"</(td|th|b)>", " ", markup)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", markup)).split())


# Files


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """Make a course in whose gradebook a person has looked at ada's work."""
    root = tmp_path_factory.mktemp("course")
    (root / CONFIG).write_bytes((ROOT / CONFIG).read_bytes())
    folder = root / "exercises" / NAME
    folder.mkdir(parents=True)
    (folder / f"{NAME}.ipynb").write_text(json.dumps(RELEASED))
    with open_gradebook(root) as book:
        book.add_assignment(NAME)
        book.add_notebook(NAME, NAME)
        for test in TESTS:
            kind = "markdown" if test.points is None else "code"
            book.add_grade_cell(
                test.grade_id, NAME, NAME, max_score=test.max_points, cell_type=kind
            )
        for name in ("x-answer", "x-why"):
            book.add_solution_cell(name, NAME, NAME)
        for student in ("ada", "ben"):
            book.add_student(student)
            submission = book.add_submission(NAME, student).notebooks[0]
            for grade in submission.grades:
                grade.auto_score = 0.0
        mine = book.find_submission_notebook(NAME, NAME, "ada")
        grades = {grade.name: grade for grade in mine.grades}
        grades["x-why"].manual_score, grades["x-why"].extra_credit = 1.0, 0.5
        grades["x-hidden"].manual_score = 1.0
        comments = {comment.name: comment for comment in mine.comments}
        comments["x-why"].manual_comment = "=See <b>page 3</b>"
        comments["x-answer"].manual_comment = "Short and good."
        mine.late_submission_penalty = 0.25
        book.db.commit()
    return root


def test_a_page_and_a_table_hold_the_points_of_tests_and_of_persons(course):
    write_feedback(course, [graded(), graded(student="ben")])
    files = {
        p.relative_to(course / "return").as_posix()
        for p in course.rglob("01_x.*")
        if "return" in p.parts
    }
    assert files == {
        f"{s}/{NAME}.{kind}" for s in ("ada", "ben") for kind in ("html", "csv")
    }
    text = visible_text((course / "return" / "ada" / f"{NAME}.html").read_text("utf-8"))
    assert "ada: 3.25 of 5 points" in text
    assert "It came late: 0.25 points were taken off." in text
    assert "hidden problems 1 / 2 these points were given by a person. The" in text
    assert "why 1.5 / 2 =See <b>page 3</b>" in text
    assert "Comment Short and good." in text
    written = (course / "return" / "ada" / f"{NAME}.csv").read_text("utf-8")
    rows = list(csv.DictReader(io.StringIO(written)))
    assert [row["question"] for row in rows] == [
        "x-check",
        "x-hidden",
        "x-why",
        "x-answer",
        "late",
        "total",
    ]
    assert [row["points"] for row in rows] == ["1", "1", "1.5", "", "-0.25", "3.25"]
    assert rows[2]["comment"] == "'=See <b>page 3</b>"
    ben = visible_text((course / "return" / "ben" / f"{NAME}.html").read_text("utf-8"))
    assert "ben: 1 of 5 points, and 2 await a person" in ben
    assert "right size, wrong sign. (limit: call time)" in ben
    assert "person gave" not in ben


def test_nothing_is_written_where_the_grader_itself_failed(course):
    write_feedback(course, [graded(verdict="failed", student="cleo")])
    assert not (course / "return" / "cleo").exists()


def test_the_same_result_gives_the_same_bytes_and_no_other_file(course):
    result = graded(student="dan")
    folder = write_feedback(course, [result]) / "dan"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    write_feedback(course, [result])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert set(before) == {f"{NAME}.html", f"{NAME}.csv"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("\t+1", "'+1"),
        ("-1\n@x", "'-1 @x"),
        ("2, -1; x; =1", "2, -1; x;' =1"),
        ('x;"+1', "x;'\"+1"),
        ("\uff1d1", "'\uff1d1"),
        ("a\x1b[31mb\u202e /home/ann/lib/x.py", "ab .../x.py"),
    ],
)
def test_no_text_is_a_formula_or_a_second_line_in_a_table(text, shown):
    assert cell_text(text) == shown
    rows = list(
        csv.reader(io.StringIO(table([Mark("q", 0.0, 1.0, text)], {"c": text})))
    )
    assert rows[1][3] == rows[2][5] == shown


# What a page says


def test_a_page_begins_with_points_and_reasons_that_lead_to_the_cells():
    markup = page_of()
    assert "1. The sign 1 / 5" in visible_text(markup)
    assert "hidden problems 0 / 2 right size, wrong sign." in visible_text(markup)
    assert "A person reads this answer." in visible_text(markup)
    targets = re.findall(r'href="#([^"]*)"', markup)
    assert {"x-check", "x-hidden", "x-why", "points"} == set(targets)
    assert all(markup.count(f'id="{name}"') == 1 for name in set(targets))


@pytest.mark.parametrize(
    ("verdict", "reason", "says"),
    [
        ("unreadable", "the file is empty", "counts 0 points: the file is empty. Open"),
        ("limited", "call time; `a` is back", "A limit was reached: call time. What"),
        ("repaired", "`a` is back", "before it ran: • `a` is back"),
    ],
)
def test_a_page_says_what_happened_to_the_file(verdict, reason, says):
    repairs = () if verdict == "unreadable" else ("`a` is back",)
    markup = page_of(verdict=verdict, reason=reason, repairs=repairs)
    assert says in visible_text(markup)
    assert visible_text(markup).count("`a` is back") == len(repairs)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_without_figures_is_small_and_shows_every_formula(name):
    path = ROOT / "exercises" / name / f"{name}.ipynb"
    document = json.loads(path.read_text("utf-8"))
    marks = [Mark(c.id, 0.0, c.points, "x" * 100) for c in read_cells(path) if c.points]
    markup = page(graded(document["cells"], ()), document, marks)
    assert len(markup) < 75_000
    assert markup.count("<math") >= 20
    assert 'class="latex"' not in markup
    code = re.sub(r"<pre>.*?</pre>|<code>.*?</code>", "", markup, flags=re.DOTALL)
    assert "$" not in code


def test_a_broken_formula_is_shown_as_it_was_typed():
    shown = markdown_to_html(r"Because $\nosuch{a < b}$ and $$x^$$ it holds.")
    assert r'<code class="latex">\nosuch{a &lt; b}</code>' in shown


def test_code_is_coloured_and_reads_as_it_was_typed():
    source = 'def f(x):\n    """Say <b>."""\n    return "a" if x < 1 else 2  # why?'
    markup = page_of(cell("mine", source))
    assert '<span class="k">def</span>' in markup
    assert '<span class="c"># why?</span>' in markup
    assert html.unescape(re.sub("<[^>]*>", "", markup)).count(source) == 1


def test_code_that_takes_the_lexer_long_is_shown_without_colours():
    long = page_of(cell("mine", " \n" * 9_000 + "x = 12345"))
    assert "x = 12345" in long
    source = "x = 'a'\n" * 300
    many = page_of(*[cell(f"c{n}", f"{source}# {n}") for n in range(20)])
    assert many.count('<span class="c">') == MOST_COLOURED // len(f"{source}# 1")


# What a page does not say


def test_a_page_shows_neither_hidden_tests_nor_what_tests_printed():
    told = {"output_type": "stream", "name": "stdout", "text": "secret 1.234"}
    cells = exercise(HIDDEN)
    for one in cells:
        if one["id"] in ("x-check", "x-hidden"):
            one["outputs"] = [told]
    unknown = locked("y-hidden", HIDDEN.replace("BEGIN", "begin"), grade=True, points=1)
    marks = [Mark("x-hidden", 0.0, 2.0, "see /home/ann/course/x.py")]
    markup = page(graded([*cells, unknown]), RELEASED, marks)
    assert "1.234" not in markup
    assert "HIDDEN TESTS" not in markup.upper()
    assert "/home/ann" not in markup
    assert "see .../x.py" in markup


def test_a_page_shows_a_students_own_error_without_its_traceback():
    error = {"output_type": "error", "ename": "OSError", "evalue": "no /tmp/a/b.csv"}
    error["traceback"] = ["Traceback (most recent call last)", "File /tmp/a/x.py"]
    text = visible_text(page_of(cell("mine", "open('b.csv')", outputs=[error])))
    assert "OSError: no .../b.csv" in text
    assert "Traceback" not in text


ATTACKS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</pre></section></style><svg onload=alert(1)>",
    "[a](javascript:alert(1)) ![b](https://example.org/b.png) <https://a'onclick=b>",
    '[a](x "t\\" onmouseover=\\"y")',
    "```mermaid\n<script>alert(1)</script>\n```",
    r"$\text{<script>alert(1)</script>}$ $\href{javascript:alert(1)}{a}$ $<img src=x>$",
    "{{ 7 * 191 }} {% raw %} &lt;script&gt;",
    "| a |\n|---|\n| <iframe src=//example.org> |",
    "<!-- <style>body{display:none}</style>",
)


class Tags(html.parser.HTMLParser):
    """Collect elements and attributes of a page."""

    def __init__(self, markup):
        super().__init__()
        self.found, self.values = set(), []
        self.feed(markup)

    def handle_starttag(self, tag, attributes):
        self.found |= {(tag, name) for name, _ in attributes} | {(tag, "")}
        self.values += [value or "" for _, value in attributes]


HARMLESS = Tags(page_of(cell("a", "- [b](c)\n\n1. `d`\n\n|e|\n|-|\n|f|", "markdown")))


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_that_a_student_writes_becomes_a_part_of_the_page(attack):
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": attack},
        {"output_type": "error", "ename": attack, "evalue": attack, "traceback": []},
        {
            "output_type": "display_data",
            "data": {
                "text/plain": attack,
                "text/html": attack,
                "image/svg+xml": attack,
            },
        },
    ]
    cells = [cell("a", attack, outputs=outputs), cell("b", attack, "markdown")]
    cells += [cell("c", attack, "raw"), cell('"><script>', "x = 1")]
    tests = (TestResult("x-check", 0.0, 1.0, attack),)
    markup = page_of(*cells, tests=tests, student=attack, repairs=(attack,))
    tags = Tags(markup)
    plain = {("br", ""), ("pre", "class"), ("code", "class"), ("a", "title")}
    known = HARMLESS.found | plain | {("math", "xmlns"), ("mtext", "")}
    formula = {(tag, name) for tag, name in tags.found if re.fullmatch("m[a-z]+", tag)}
    assert not tags.found - known - formula
    assert not {(tag, name) for tag, name in formula if name.startswith(("on", "href"))}
    assert not [
        v for v in tags.values if re.match(r"\s*(javascript|vbscript|data:text)", v)
    ]
    assert "1337" not in markup
    assert not re.search(r"""\ssrc\s*=\s*["']?https?:""", markup)


def test_only_true_figures_are_shown():
    def figure(data):
        data = {"image/png": data, "text/plain": "<Figure>"}
        return {"output_type": "display_data", "data": data}

    assert png(PIXEL) == png([PIXEL[:40] + "\n", PIXEL[40:]]) == PIXEL
    fake = base64.b64encode(b"<svg onload=alert(1)>").decode()
    outputs = [figure(data) for data in (PIXEL, fake, '"><script>', 7, None)]
    markup = page_of(cell("mine", "plot()", outputs=outputs))
    assert re.findall(r'<img src="([^"]*)"', markup) == [
        f"data:image/png;base64,{PIXEL}"
    ]


def test_a_flood_makes_no_giant_page():
    text = {"output_type": "stream", "name": "stdout", "text": "y" * 10**6}
    cells = [cell(f"c{n}", "x = 1", outputs=[text]) for n in range(3)]
    cells += [cell("long", "z" * 10**6), cell("text", "# a\n" * 10**5, "markdown")]
    cells += [cell("deep", "> " * (LONGEST_TEXT // 2), "markdown")]
    cells += [cell(f"d{n}", "w" * 100, "markdown") for n in range(3000)]
    markup = page_of(*cells)
    assert len(markup) < 400_000
    assert "and 990,000 more characters" in markup
    assert "more cells are not shown" in markup


def test_what_no_file_can_hold_is_left_out(course):
    odd = "a\ud800b\x00c\x1b]0;title\x07d\x1b[2Je\u202ef"
    result = graded([cell("a", odd), cell("b", odd, "markdown")], student="eve")
    folder = write_feedback(course, [result]) / "eve"
    text = (folder / f"{NAME}.html").read_bytes().decode("utf-8")
    assert text.count("abcdef") == 2


# nbgrader's own pages


@pytest.mark.parametrize(
    ("name", "message", "shown"),
    [
        ("AssertionError", "look at the sign", "look at the sign"),
        ("AssertionError", "", "This check failed."),
        ("ValueError", "canary 1.234", "ValueError was raised here."),
    ],
)
def test_a_hidden_cell_shows_only_the_message_of_its_assertion(name, message, shown):
    trace = ["canary = 1.234", "/home/someone/course/x.py"]
    outputs = [
        nbformat.v4.new_output("stream", text="canary 1.234"),
        nbformat.v4.new_output("error", ename=name, evalue=message, traceback=trace),
    ]
    mark = {"grade": True, "solution": False, "grade_id": "x-hidden"}
    one = nbformat.v4.new_code_cell(HIDDEN, outputs=outputs)
    one.metadata["nbgrader"] = mark
    document = nbformat.v4.new_notebook(cells=[one])
    for step in (HideTests(), ClearHiddenTests()):
        document, _ = step.preprocess(document, {})
    assert document.cells[0].source == "# Graded."
    assert [output.traceback for output in document.cells[0].outputs] == [[shown]]
    assert "canary" not in json.dumps(document)


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
    one = nbformat.v4.new_code_cell("x = 1", outputs=[error])
    one, _ = HideTests().preprocess_cell(one, {}, 0)
    assert one.outputs[0].traceback == [f"OSError: {shown}"]


def test_nbgraders_pages_run_nothing_of_a_students_and_ask_for_nothing():
    outputs = [
        nbformat.v4.new_output("display_data", data={"text/html": ATTACKS[0]}),
        nbformat.v4.new_output("display_data", data={"image/png": PIXEL}),
    ]
    cells = [nbformat.v4.new_code_cell("x = 1", outputs=outputs)]
    cells += [nbformat.v4.new_markdown_cell(attack) for attack in ATTACKS]
    document, _ = HideTests().preprocess(nbformat.v4.new_notebook(cells=cells), {})
    markup, _ = OfflineHTML().from_notebook_node(document)
    body = markup[markup.index("<body") :]
    assert not re.search(
        r"<(script|iframe|svg)\b[^>]*>\s*alert|onerror=alert\(1\)>", body
    )
    assert "alert(1)" in html.unescape(body)  # as text
    assert "<img src=x" not in body
    assert 'href="javascript:' not in body
    assert PIXEL in body.replace("\n", "")
    assert not re.search(r"""<(script|link|img)[^>]*(src|href)=["']?https?:""", markup)
