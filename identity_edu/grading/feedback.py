"""Write what goes back to students: their notebook with scores and diagnoses.

The stock pages of nbgrader print the hidden tests, in the cells and again in the
tracebacks, and load scripts from the network. nbgrader_config.py plugs `HideTests`
and `OfflineHTML` into nbgrader, so that its own commands are as discreet as ours.
"""

import html
import re
from collections.abc import Iterable
from pathlib import Path

from docutils.utils.math.latex2mathml import tex2mathml
from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbgrader.converters import GenerateFeedback
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade, is_solution

from identity_edu.grading.course import GradingError, convert
from identity_edu.grading.executor import Verdict

NOT_GRADED = (
    "Your file could not be graded, and counts 0 points: {}. Open it in Jupyter, run "
    "all cells, save, and hand it in again."
)
NO_PAGE = "Your file was graded, but cannot be shown here: ask for your scores."
HIDDEN = "BEGIN HIDDEN TESTS"
FOLDERS = re.compile(  # all of a path but its last part; fractions such as a/b stay
    r"""(?<![\w/.])(?:/[^\s/'":<>]+)+(?=/\w)|\b[A-Za-z]:(?:\\[^\s\\'":<>]+)+(?=\\\w)"""
)
NETWORK_SCRIPT = re.compile(r'<script[^>]*\bsrc="https?:[^"]*"[^>]*>\s*</script>')


class HideTests(NbGraderPreprocessor):
    """Reduce errors to their message, hidden cells to their assertion's, hide paths."""

    def preprocess_cell(self, cell, resources, cell_index):
        """Rewrite the outputs of one cell.

        Parameters
        ----------
        cell : NotebookNode
            Changed in place; the hidden region itself goes later.
        resources : dict
            Of nbconvert, passed on.
        cell_index : int
            Not used.

        Returns
        -------
        cell, resources
            As nbconvert wants them.
        """
        if cell.cell_type == "code":
            is_hidden = is_grade(cell) and not is_solution(cell)
            is_hidden = is_hidden and HIDDEN in cell.source
            shown = (_discreet(output, is_hidden) for output in cell.outputs)
            cell.outputs = [output for output in shown if output is not None]
        return cell, resources


class MathMLRenderer(IPythonRenderer):
    """Markdown with its mathematics as MathML, which browsers show by themselves."""

    def inline_math(self, body):
        """Return a formula within a line.

        Parameters
        ----------
        body : str
            LaTeX, without the dollars.

        Returns
        -------
        str
            MathML, or the LaTeX itself where docutils does not know a command.
        """
        return self._mathml(body, is_block=False)

    def block_math(self, body):
        """Return a formula on lines of its own.

        Parameters
        ----------
        body : str
            LaTeX, without the dollars.

        Returns
        -------
        str
            As `inline_math`.
        """
        return self._mathml(body, is_block=True)

    def _mathml(self, body, is_block):
        try:
            return tex2mathml(body.strip(), as_block=is_block)
        except Exception:  # students write formulas too, and any may be broken
            return f'<code class="latex">{html.escape(body)}</code>'


class OfflineHTML(HTMLExporter):
    """An HTML page that asks nothing of the network."""

    @pass_context
    def markdown2html(self, context, source):
        """Turn a text cell into HTML.

        Parameters
        ----------
        context : jinja2.runtime.Context
            Of the page's template.
        source : str
            Markdown.

        Returns
        -------
        str
            HTML and MathML.
        """
        attachments = context.get("cell", {}).get("attachments", {})
        renderer = MathMLRenderer(escape=False, attachments=attachments)
        return MarkdownWithMath(renderer=renderer).render(source)

    def from_notebook_node(self, nb, resources=None, **kw):
        """Export, then drop the scripts that would be fetched.

        Parameters
        ----------
        nb : NotebookNode
            The notebook.
        resources : dict, optional
            Of nbconvert.
        **kw
            Passed on.

        Returns
        -------
        page, resources
            The page as text.
        """
        page, resources = super().from_notebook_node(nb, resources, **kw)
        return NETWORK_SCRIPT.sub("", page), resources


def write_feedback(root: Path, assignment: str, verdicts: Iterable[Verdict]) -> Path:
    """Write one HTML page a student into ``return/<student>/<assignment>.html``.

    Parameters
    ----------
    root : Path
        Course folder with autograded submissions.
    assignment : str
        ``NN_slug``.
    verdicts : iterable of Verdict
        From the executor; who was not graded gets a page with the reason.

    Returns
    -------
    Path
        The folder ``return``.
    """
    for verdict in verdicts:
        page = root / "return" / verdict.student / f"{assignment}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(_page(root, verdict), encoding="utf-8")
    return root / "return"


def _page(root, verdict):
    if not verdict.is_graded:
        return _plain_page(verdict, NOT_GRADED.format(html.escape(verdict.reason)))
    name = verdict.assignment
    try:
        convert(GenerateFeedback, root, name, verdict.student)
    except GradingError:  # of one page: the others are still written
        return _plain_page(verdict, NO_PAGE)
    made = Path(verdict.student, name, f"{name}.html")
    return (root / ".grading" / "feedback" / made).read_text(encoding="utf-8")


def _discreet(output, is_hidden):
    """Cut an output down to what its reader may see; None drops it."""
    if output.output_type == "error":
        text = _message(output.ename, output.evalue, is_hidden)
        output.evalue, output.traceback = text, [text]
        return output
    if is_hidden:  # what is printed here could carry the hidden problem
        return None
    if output.output_type == "stream":
        output.text = FOLDERS.sub("...", output.text)
    return output


def _message(name, text, is_hidden):
    if name == "AssertionError":
        return FOLDERS.sub("...", text) or "This check failed."
    if is_hidden:
        return f"{name} was raised here."
    return f"{name}: {FOLDERS.sub('...', text)}"


def _plain_page(verdict, text):
    name = html.escape(verdict.assignment)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8">'
        f"<title>{name}</title></head>\n<body>\n<h1>{name}</h1>\n"
        f"<p>{text}</p>\n</body>\n</html>\n"
    )
