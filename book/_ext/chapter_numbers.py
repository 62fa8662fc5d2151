"""Number a chapter as its file says: ``03_risk_and_gradient`` is chapter 3.

Sphinx counts chapters from 1 in the order of the table of contents, so a book that is
published part by part would disagree with the names of its own files and exercises.
"""

import re

from docutils import nodes
from sphinx.environment.collectors.toctree import TocTreeCollector


def chapter_number(docname):
    """Return the number that a file's name starts with, or None."""
    match = re.match(r"(\d\d)_", docname)
    return int(match[1]) if match else None


def renumber(env, docname, number):
    """Replace the first part of every section number in one chapter."""
    sections = env.toc_secnumbers[docname]
    for anchor, old in sections.items():
        sections[anchor] = old and (number, *old[1:])
    for entry in [env.titles[docname], *env.tocs[docname].findall(nodes.reference)]:
        if entry.get("secnumber"):
            entry["secnumber"] = (number, *entry["secnumber"][1:])


def setup(app):
    """Step in between the numbering of sections and that of figures and theorems."""
    number_figures = TocTreeCollector.assign_figure_numbers

    def assign_figure_numbers(collector, env):
        for docname in env.toc_secnumbers:
            if (number := chapter_number(docname)) is not None:
                renumber(env, docname, number)
        return number_figures(collector, env)

    TocTreeCollector.assign_figure_numbers = assign_figure_numbers
    return {"parallel_read_safe": True, "parallel_write_safe": True}
