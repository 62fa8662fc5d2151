"""What may stand on a page that goes back to a student.

The stock pages of nbgrader print the hidden tests, in the cells and again in the
tracebacks, render the HTML that students wrote, and load scripts from the network.
nbgrader_config.py plugs `HideTests` and `OfflineHTML` into nbgrader, so that its own
commands are as discreet as ours.
"""

import base64
import html
import re

import mistune
from docutils.utils.math.latex2mathml import tex2mathml
from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import MarkdownWithMath
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade, is_solution

from identity_edu.grading.isolation.notebook import PNG
from identity_edu.grading.isolation.verdict import FOLDERS

HIDDEN = "BEGIN HIDDEN TESTS"
CONTROLS = re.compile(  # escapes of terminals; controls, half characters, direction
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]"
)
NETWORK_SCRIPT = re.compile(r'<script[^>]*\bsrc="https?:[^"]*"[^>]*>\s*</script>')
LONGEST_FORMULA = 2_000  # characters; the formulas of the course have 300 at most
LONGEST_TEXT = 10_000  # characters of markdown: hostile ones take quadratic time


def printable(text: str) -> str:
    """Take out of a text what controls its reader.

    Parameters
    ----------
    text : str
        Anybody's.

    Returns
    -------
    str
        Without characters that control a terminal, break the encoding or turn the
        reading direction.
    """
    return CONTROLS.sub("", text)


def plain(text: str) -> str:
    """Take out of a message what a student has no use for as well.

    Parameters
    ----------
    text : str
        Printed by a program.

    Returns
    -------
    str
        As `printable`, and without the folders of this machine.
    """
    return FOLDERS.sub("...", printable(text))


def png(data: object) -> str:
    """Return a figure as base64 if it is one.

    Parameters
    ----------
    data : object
        What a notebook gives as ``image/png``.

    Returns
    -------
    str
        Base64 of a PNG file without line breaks; empty if `data` is anything else.
    """
    try:
        decoded = base64.b64decode("".join(data), validate=False)
    except (TypeError, ValueError):
        return ""
    return base64.b64encode(decoded).decode() if decoded.startswith(PNG) else ""


class MathMLRenderer(mistune.HTMLRenderer):
    """Markdown with MathML, which browsers show by themselves, and nobody's HTML."""

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

    def latex_environment(self, name, body):
        """Return a formula between ``begin`` and ``end``.

        Parameters
        ----------
        name : str
            Of the environment.
        body : str
            LaTeX within it.

        Returns
        -------
        str
            As `inline_math`.
        """
        text = rf"\begin{{{name}}}{body}\end{{{name}}}"
        return self._mathml(text, is_block=True)

    def image(self, text, url, title=None):
        """Return the description of a picture: the page asks nothing of the network.

        Parameters
        ----------
        text : str
            The description, as HTML.
        url, title : str
            Not used.

        Returns
        -------
        str
            HTML.
        """
        return f"[picture: {text}]"

    def _mathml(self, body, is_block):
        try:
            if len(body) > LONGEST_FORMULA:
                raise ValueError
            mathml = tex2mathml(body.strip(), as_block=is_block)
        except Exception:  # students write formulas too, and any may be broken
            return f'<code class="latex">{html.escape(body)}</code>'
        return re.sub(r"\n\s*", "", mathml)  # its indentation is most of its size


def markdown_to_html(source: str) -> str:
    """Turn markdown into HTML that holds no script, whoever wrote it.

    Parameters
    ----------
    source : str
        Markdown; what is longer than a long answer stays as it was typed.

    Returns
    -------
    str
        HTML and MathML.
    """
    source = printable(source)
    if len(source) > LONGEST_TEXT:
        return f"<pre>{html.escape(source[:LONGEST_TEXT])} ...</pre>"
    try:
        return MarkdownWithMath(renderer=MathMLRenderer(escape=True)).render(source)
    except Exception:  # such as RecursionError: then as it was typed
        return f"<pre>{html.escape(source)}</pre>"


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


class OfflineHTML(HTMLExporter):
    """An HTML page that asks nothing of the network."""

    @pass_context
    def markdown2html(self, context, source):
        """Turn a text cell into HTML.

        Parameters
        ----------
        context : jinja2.runtime.Context
            Of the page's template, not used.
        source : str
            Markdown.

        Returns
        -------
        str
            HTML and MathML.
        """
        return markdown_to_html(source)

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


def _discreet(output, is_hidden):
    """Cut an output down to what its reader may see; None drops it."""
    if output.output_type == "error":
        text = _message(output.ename, output.evalue, is_hidden)
        output.evalue, output.traceback = text, [text]
        return output
    if is_hidden:  # what is printed here could carry the hidden problem
        return None
    if output.output_type == "stream":
        output.text = plain(output.text)
    elif "data" in output:
        output.data = _harmless(output.data)
        return output if output.data else None
    return output


def _harmless(data):
    """Keep the text and the figure of an output, and nothing that a browser runs."""
    kept = {}
    if "text/plain" in data:
        kept["text/plain"] = plain("".join(data["text/plain"]))
    if figure := png(data.get("image/png")):
        kept["image/png"] = figure
    return kept


def _message(name, text, is_hidden):
    if name == "AssertionError":
        return plain(text) or "This check failed."
    if is_hidden:
        return f"{name} was raised here."
    return f"{name}: {plain(text)}"
