"""Nothing that a student wrote runs in the browser of the one who grades."""

import html
import json
import re
from collections import Counter
from html.parser import HTMLParser

import handed_in
import pytest
import stock
from handed_in import NAME, SUBMISSIONS
from nbconvert.exporters import HTMLExporter
from nbgrader.server_extensions.formgrader.handlers import template_path
from traitlets.config import Config

from identity_edu.grading.batch import grade_assignment
from identity_edu.grading.cells import read_cells, split_at_markers
from identity_edu.grading.course import quiet

SCRIPTS = """
<script>alert(1)</script> <img src=x onerror=alert(1)> <svg/onload=alert(1)>
<a href="javascript:alert(1)">x</a> [x](javascript:alert(1)) <javascript:alert(1)>
![x](https://example.org/pixel.png) ![x](attachment:a.svg) [x][1] ![y][1] [1]

[1]: javascript:alert(1) "title"
[x]: <javascript:alert(1)>

# heading "><script>alert(1)</script>

```x" onmouseover="alert(1)
</code></pre><script>alert(1)</script>
```

```mermaid
graph TD; A --> B; click A href "javascript:alert(1)"; </pre><script>x</script>
```

$\\href{javascript:alert(1)}{x}$ $<script>alert(1)</script>$ `<script>`
$$</div><iframe src="javascript:alert(1)"></iframe>$$
<style>@import 'https://example.org/x.css'</style><meta http-equiv=refresh content=0>
"""
DANGEROUS = {"script", "style", "iframe", "object", "embed", "form", "base", "meta"}
DANGEROUS |= {"link", "svg", "img", "video", "audio", "input", "button", "textarea"}
ADDRESSES = {"href", "src", "srcset", "action", "formaction", "data", "poster"}


class Dangers(HTMLParser):
    """What a page makes a browser run or fetch."""

    def __init__(self, page):
        super().__init__()
        self.found = Counter()
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        if tag in DANGEROUS:
            self.found[tag] += 1
        for name, value in attributes:
            is_harmless = value.startswith("#" if tag != "a" else ("#", "https://"))
            if name.startswith("on") or (name in ADDRESSES and not is_harmless):
                self.found[tag, name, value] += 1


def hostile():
    """Write scripts wherever a notebook has room for a text."""
    notebook = handed_in.document()
    notebook["metadata"] |= {"title": SCRIPTS, "widgets": {"x": SCRIPTS}}
    notebook["metadata"]["language_info"] = {"name": SCRIPTS, "version": SCRIPTS}
    handed_in.cell_of(notebook, "fewest-why")["source"] = SCRIPTS
    for kind in ("markdown", "raw", "code"):
        cell = {"cell_type": kind, "id": f"new-{kind}", "source": SCRIPTS}
        cell["metadata"] = {"tags": [SCRIPTS], "nbgrader": {"grade_id": SCRIPTS}}
        if kind == "code":
            output = {"output_type": "display_data", "metadata": {}}
            output["data"] = {"text/html": SCRIPTS, "image/svg+xml": SCRIPTS}
            cell |= {"outputs": [output], "execution_count": 1}
        else:
            cell["attachments"] = {"a.svg": {"image/svg+xml": SCRIPTS}}
        notebook["cells"].append(cell)
    shows = f"print({SCRIPTS!r})\nraise ValueError({SCRIPTS!r})"
    handed_in.cell_of(notebook, "pairs-why-answer")["source"] = shows
    return json.dumps(notebook)


def formgrader_page(course, student):
    """Export an autograded notebook as the formgrader does."""
    config = Config()
    config.HTMLExporter.template_name = "formgrade"
    config.HTMLExporter.extra_template_basedirs = [template_path]
    names = ("assignment_id", "notebook_id", "submission_id", "last_name", "first_name")
    resources = {**dict.fromkeys(names, ""), "base_url": "", "student": student}
    resources |= {"index": 0, "total": 1, "notebook_path": ""}
    path = course / ".grading" / "autograded" / student / NAME / f"{NAME}.ipynb"
    with quiet():
        return HTMLExporter(config=config).from_filename(path, resources)[0]


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """Grade an honest and a hostile submission."""
    course = handed_in.make_course(tmp_path_factory.mktemp("course"))
    submissions = {"honest": SUBMISSIONS["reference"], "hostile": hostile()}
    stock.hand_in(course / ".grading" / "submitted", NAME, submissions)
    assert grade_assignment(course, NAME).is_complete
    return course


def test_scripts_are_noticed():
    assert len(Dangers(SCRIPTS).found) > 6


@handed_in.needs_bubblewrap
def test_the_formgrader_runs_and_fetches_nothing_that_a_student_wrote(course):
    honest, hostile = (formgrader_page(course, s) for s in ("honest", "hostile"))
    assert "alert(1)" in hostile  # shown, as text
    assert Dangers(hostile).found - Dangers(honest).found == Counter()


@handed_in.needs_bubblewrap
def test_nor_do_the_pages_of_its_feedback_button_or_show_a_hidden_test(course):
    api, pages = handed_in.formgrader(course), {}
    for student in ("honest", "hostile"):
        with quiet():
            assert api.generate_feedback(NAME, student)["success"]
        folder = course / ".grading" / "feedback" / student / NAME
        pages[student] = (folder / f"{NAME}.html").read_text("utf-8")
    assert "alert(1)" in pages["hostile"]
    dangers = {student: Dangers(page).found for student, page in pages.items()}
    assert dangers["hostile"] - dangers["honest"] == Counter()
    tests = [c for c in read_cells(handed_in.SOLUTION) if c.is_test]
    hidden = {line for c in tests for line in split_at_markers(c.source)[0]}
    hidden = {line.strip() for line in hidden if len(line.strip()) > 25}
    assert len(hidden) > 10
    assert not [x for x in hidden if x in visible(pages["honest"])]
    assert not [x for x in hidden if x in visible(pages["hostile"])]


def visible(page):
    """Take the text of a page, without the colouring of code."""
    return html.unescape(re.sub(r"<[^>]*>", "", page))
