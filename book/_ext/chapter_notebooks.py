"""Offer every chapter as a notebook that runs in an ordinary Jupyter.

The chapters are text; when Sphinx writes a page, this writes its notebook beside the
page's source and gives the theme's download button the file to point at.
"""

from pathlib import Path

import nbformat
from docutils import nodes
from myst_nb.core.read import is_myst_markdown_notebook, read_myst_markdown_notebook
from plain_markdown import MarkupError, plain_markdown
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)
HEADER = """*A chapter of {book}, as a notebook. Its cells need the package
`identity_edu`: in a copy of the course, `pip install --editable .` installs it.*

{macros}"""


class Page:
    """What one resolved page knows: its numbers, its references, its glued values."""

    def __init__(self, env, docname, doctree):
        self.folder = Path(env.doc2path(docname)).parent
        self.titles = {name: title.astext() for name, title in env.titles.items()}
        self.numbers = {
            label: ".".join(map(str, number))
            for kind in env.toc_fignumbers.get(docname, {}).values()
            for label, number in kind.items()
        }
        self.links = {
            (link.get("refid") or link.get("refuri", "").rpartition("#")[2]): link
            for link in doctree.findall(nodes.reference)
        }
        pasted = (
            node.astext()
            for node in doctree.findall(nodes.inline)
            if "pasted-text" in node["classes"]
        )
        self.pasted = iter(list(pasted))
        self.citations = _citation_texts(env)

    def number(self, label):
        """Return the number that the page shows for a label, or ''."""
        return self.numbers.get(nodes.make_id(label or ""), "")

    def read(self, path):
        """Return the text of a file named relative to the chapter."""
        return (self.folder / path).read_text(encoding="utf-8")

    def role_text(self, role, target):
        """Return the words that the page shows for a role."""
        if role == "math":
            return f"${target}$"
        if role == "glue:text":
            return next(self.pasted, target)  # Sphinx warns of a key that is missing
        if role == "doc" and target in self.titles:
            return f"*{self.titles[target]}*"
        if role.startswith("cite"):
            return self._citation(role, target)
        label = nodes.make_id(f"equation-{target}" if role == "eq" else target)
        if role in ("ref", "numref", "eq", "prf:ref") and label in self.links:
            return self.links[label].astext().strip()
        raise MarkupError(f"role {{{role}}}`{target}` has no plain form.")

    def _citation(self, role, target):
        keys = [key.strip() for key in target.split(",")]
        if unknown := set(keys) - set(self.citations):
            raise MarkupError(f"references.bib lacks {', '.join(sorted(unknown))}.")
        works = [self.citations[key] for key in keys]
        if role == "cite:t":
            return " and ".join(f"{names} ({year})" for names, year in works)
        return "(" + "; ".join(f"{names}, {year}" for names, year in works) + ")"


def _citation_texts(env):
    works = {}
    for key, entry in env.get_domain("cite").bibdata.data.entries.items():
        names = [" ".join(person.last_names) for person in entry.persons["author"]]
        names = names if len(names) < 3 else [f"{names[0]} et al."]
        works[key] = (" and ".join(names), entry.fields["year"])
    return works


def chapter_notebook(text, page, header):
    """Build the notebook of one chapter, without outputs and with fixed cell ids."""
    notebook = read_myst_markdown_notebook(text)
    cells = [nbformat.v4.new_markdown_cell(header)]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            figure = cell.metadata.pop("mystnb", {}).get("figure", {})
            cells.append(cell)
            if figure:
                caption = plain_markdown(figure["caption"].strip(), page)
                caption = f"*Figure {page.number(figure['name'])}.* {caption}"
                cells.append(nbformat.v4.new_markdown_cell(caption))
        else:
            source = plain_markdown(cell.source, page).strip()
            cells.append(nbformat.v4.new_markdown_cell(source))
    notebook.cells = [cell for cell in cells if cell.source]
    for index, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{index}"
    return notebook


def _macros(config):
    definitions = []
    for name, value in config.mathjax3_config["tex"]["macros"].items():
        body, arity = (value, 0) if isinstance(value, str) else value
        arguments = f"[{arity}]" if arity else ""
        definitions.append(rf"\newcommand{{\{name}}}{arguments}{{{body}}}")
    return "$" + "".join(definitions) + "$"


def offer_notebook(app, docname, template, context, doctree):
    """Write the page's notebook and name it to the theme's download button."""
    if doctree is None or app.builder.format != "html":
        return
    text = Path(app.env.doc2path(docname)).read_text(encoding="utf-8")
    if not is_myst_markdown_notebook(text):
        return
    header = HEADER.format(
        book=app.config.html_title,
        macros=_macros(app.config),
    )
    try:
        page = Page(app.env, docname, doctree)
        notebook = chapter_notebook(text, page, header)
    except MarkupError as error:
        LOGGER.warning("no notebook for %s: %s", docname, error)
        return
    target = Path(app.outdir, "_sources", f"{docname}.ipynb")
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)
    context["ipynb_source"] = f"{docname}.ipynb"


def setup(app):
    """Register with Sphinx, before the theme builds its buttons."""
    app.connect("html-page-context", offer_notebook, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
