"""The page that goes back to a student: points and reasons, then the notebook.

Every text is escaped, locked cells are shown as they were released, test cells show
nothing that they printed: what a page may not show never gets near it.
"""

import html
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from itertools import groupby

from jinja2 import Environment
from markupsafe import Markup
from pygments.lexers import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, String

from identity_edu.grading.cells import exercise_and_role, first_heading
from identity_edu.grading.discreet import markdown_to_html, plain, png, printable
from identity_edu.grading.isolation.task import Result

LONGEST_CODE = 20_000  # characters of a cell; what comes after is not shown
LONGEST_COLOURED = 3_000  # hostile ones take the lexer quadratic time
MOST_COLOURED = 20_000  # characters of the student's own code, in one page
LONGEST_OUTPUT = 10_000
MOST_CELLS = 400
MOST_TEXT = 50_000  # characters of markdown of the student's own, in one page
MOST_FIGURES = 16 << 20  # characters of base64
LABELS = {
    "check": "visible check",
    "hidden": "hidden problems",
    "why-check": "why",
    "why": "why",
}
COLOURED = (
    (Comment, "c"),
    (Keyword, "k"),
    (String, "s"),
    (Number, "s"),
    (Name.Function, "d"),
    (Name.Class, "d"),
)
NEWS = {
    "repaired": "Your file was put right before it ran:",
    "limited": "A limit was reached: {}. What ran before and after keeps its points.",
    "late": "It came late: {} points were taken off.",
    "unreadable": "Your file could not be graded, and counts 0 points: {}. Open it in "
    "Jupyter, run all cells, save, and hand it in again.",
}
WAITS = "A person reads this answer."
LEXER = PythonLexer(stripnl=False, ensurenl=False)


@dataclass(frozen=True)
class Mark:
    """Points of one question, with what explains them; None awaits a person."""

    question: str
    points: float | None
    max_points: float
    reason: str = ""
    limit: str = ""
    comment: str = ""

    @property
    def state(self) -> str:
        """What a reader looks for: ``full``, ``lost`` or ``wait``."""
        if self.points is None:
            return "wait"
        return "full" if self.points >= self.max_points else "lost"

    @property
    def shown(self) -> str:
        """Points out of points."""
        points = "–" if self.points is None else f"{self.points:g}"
        return f"{points} / {self.max_points:g}"


def page(
    result: Result,
    released: dict,
    marks: Iterable[Mark],
    comments: dict[str, str] | None = None,
    penalty: float = 0.0,
) -> str:
    """Lay out the page of one student.

    Parameters
    ----------
    result : Result
        Its notebook may hold hidden tests: they are not read.
    released : dict
        The notebook that students got, as nbformat has it.
    marks : iterable of Mark
        One a graded cell, in the order of the notebook.
    comments : dict, optional
        What a person wrote on other cells, by id.
    penalty : float
        Points that handing in late costs.

    Returns
    -------
    str
        HTML that needs no other file and no network.
    """
    marks, released = list(marks), {c["id"]: c for c in released["cells"]}
    comments = comments or {}
    if result.verdict == "unreadable":  # said once, above the table
        marks = [replace(mark, reason="") for mark in marks]
    cells = result.notebook["cells"]
    layout = _Layout(released, {mark.question: mark for mark in marks}, comments)
    titles = {n: first_heading("".join(c["source"])) for n, c in released.items()}
    return _template().render(
        title=titles.get("title") or result.assignment,
        student=result.student,
        total=f"{total(marks, penalty):g}",
        max_total=f"{sum(m.max_points for m in marks):g}",
        awaiting=_awaiting(marks),
        news=_news(result, penalty),
        groups=[*_groups(marks, titles)],
        cells=[layout.cell(cell) for cell in cells[:MOST_CELLS]],
        left_out=max(0, len(cells) - MOST_CELLS),
        version=result.version,
        is_unreadable=result.verdict == "unreadable",
        sha256=result.submission_sha256,
    )


def total(marks: Iterable[Mark], penalty: float = 0.0) -> float:
    """Add up the points of a student.

    Parameters
    ----------
    marks : iterable of Mark
    penalty : float
        Points that handing in late costs.

    Returns
    -------
    float
        What awaits a person counts nothing yet.
    """
    return max(0.0, sum(mark.points or 0.0 for mark in marks) - penalty)


class _Layout:
    """Turn cells into what the template shows, within bounds for the whole page."""

    def __init__(self, released, marks, comments):
        self._released, self._marks, self._comments = released, marks, comments
        self._text_left, self._figures_left = MOST_TEXT, MOST_FIGURES
        self._colours_left = MOST_COLOURED

    def cell(self, cell):
        marks = cell["metadata"].get("nbgrader", {})
        name = marks.get("grade_id", cell["id"])
        is_test = marks.get("grade", False) and not marks.get("solution", False)
        is_locked = is_test or marks.get("locked", False)
        source = self._source(name, cell, is_locked)
        if is_test and all(line.startswith("#") for line in source.splitlines()):
            source = ""  # a hidden test: nothing is left of it
        known = name if name in self._released else ""
        mark = self._marks.get(known)
        return {
            "anchor": known,
            "told": mark and _row(mark),
            "fold": "the check" if is_test and source else "",
            "body": Markup(self._body(cell["cell_type"], source, is_locked)),
            "outputs": [] if is_test else self._outputs(cell.get("outputs", [])),
            "comment": printable(
                mark.comment if mark else self._comments.get(known, "")
            ),
        }

    def _source(self, name, cell, is_locked):
        """Take a locked cell as it was released: hidden tests are not in there."""
        if is_locked:
            cell = self._released.get(name, {"source": ""})
        return "".join(cell["source"])

    def _body(self, kind, source, is_locked):
        if kind == "code":
            code = self._code(printable(_cut(source, LONGEST_CODE)), is_locked)
            return f"<pre>{code}</pre>" if code.strip() else ""
        if is_locked:
            return _locked_markdown(source)
        self._text_left -= len(source)
        if kind == "markdown" and self._text_left >= 0:
            return markdown_to_html(source)
        return f"<pre>{html.escape(printable(_cut(source, LONGEST_OUTPUT)))}</pre>"

    def _code(self, source, is_locked):
        if not is_locked:
            self._colours_left -= len(source)
            if len(source) > LONGEST_COLOURED or self._colours_left < 0:
                return html.escape(source, quote=False)
        return _highlighted(source)

    def _outputs(self, outputs):
        left, shown = LONGEST_OUTPUT, []
        for output in outputs:
            data = output.get("data", {})
            if figure := png(data.get("image/png")):
                self._figures_left -= len(figure)
                is_shown = self._figures_left >= 0
                text = "" if is_shown else "[one figure too many]"
                shown.append({"figure": is_shown and figure, "text": text})
            elif left > 0 and (text := _text(output, data)):
                text, left = _cut(plain(text), left), left - len(text)
                is_error = output["output_type"] == "error"
                shown.append({"text": text, "is_error": is_error})
        return shown


def _text(output, data):
    if output["output_type"] == "error":
        return f"{output['ename']}: {output['evalue']}".removesuffix(": ")
    return "".join(output.get("text", data.get("text/plain", ""))).rstrip()


def _cut(text, most):
    if len(text) <= most:
        return text
    return f"{text[:most]}\n... and {len(text) - most:,} more characters"


def _news(result, penalty):
    """Say what happened to the file as a whole."""
    kind, lines = result.verdict, []
    if kind in ("unreadable", "limited"):
        parts = result.reason.split("; ")
        reason = "; ".join(part for part in parts if part not in result.repairs)
        lines.append(NEWS[kind].format(reason.rstrip(".")))
    if result.repairs and kind != "unreadable":
        lines.append("\n".join([NEWS["repaired"], *(f"• {r}" for r in result.repairs)]))
    if penalty:
        lines.append(NEWS["late"].format(f"{penalty:g}"))
    return [plain(line) for line in lines]


def _groups(marks, titles):
    """Yield the questions of each exercise, under its title."""
    for name, questions in groupby(marks, lambda m: exercise_and_role(m.question)[0]):
        found = list(questions)
        yield {
            "title": titles.get(f"{name}-goal") or name,
            "points": f"{total(found):g}",
            "max_points": f"{sum(m.max_points for m in found):g}",
            "rows": [_row(mark) for mark in found],
        }


def _row(mark):
    name = exercise_and_role(mark.question)[1]
    return {
        "anchor": mark.question,
        "label": LABELS.get(name, mark.question),
        "points": mark.shown,
        "state": mark.state,
        "reason": plain(mark.reason) or (WAITS if mark.points is None else ""),
        "limit": mark.limit,
        "comment": printable(mark.comment),
    }


def _awaiting(marks):
    awaiting = sum(mark.max_points for mark in marks if mark.points is None)
    return f"{awaiting:g}" if awaiting else ""


@lru_cache(maxsize=512)  # of the course's own texts, the same on every page
def _locked_markdown(source):
    return markdown_to_html(source)


@lru_cache(maxsize=256)
def _highlighted(source):
    """Return Python as HTML, with the few colours that help."""
    made = []
    tokens = ((_colour(kind), text) for kind, text in LEXER.get_tokens(source))
    for colour, run in groupby(tokens, lambda token: token[0]):
        text = html.escape("".join(text for _, text in run), quote=False)
        made.append(f'<span class="{colour}">{text}</span>' if colour else text)
    return "".join(made)


def _colour(kind):
    return next((name for parent, name in COLOURED if kind in parent), "")


@lru_cache(maxsize=1)
def _template():
    text = resources.files(__package__).joinpath("page.html").read_text("utf-8")
    return Environment(autoescape=True, keep_trailing_newline=True).from_string(text)
