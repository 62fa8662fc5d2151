"""The Sphinx extensions of the book: plain notebooks, chapter numbers, the cache."""

import pytest
from chapter_numbers import chapter_number
from package_cache import sources_fingerprint
from plain_markdown import MarkupError, plain_markdown


class Page:
    """Answers that a built page would give."""

    def number(self, label):
        return {"steep": "3.1", "equation-eq-a": "3.2", "ex-a": "3.4"}.get(label, "")

    def role_text(self, role, target):
        return f"<{role} {target}>"

    def read(self, path):
        return "def first():\n    return 1\n\n\ndef second():\n    return 2\n"


def plain(text):
    return plain_markdown(text, Page())


def test_theorem_becomes_a_quote_with_its_number_and_its_equation():
    text = (
        "````{prf:theorem} Steep\n:label: steep\n\nIf {math}`a`:\n\n"
        "```{math}\n:label: eq-a\n\na = b\n```\n````"
    )
    assert plain(text) == (
        "> **Theorem 3.1 (Steep).**\n>\n> If <math a>:\n>\n> $$\n> a = b\n"
        "> \\tag{3.2}\n> $$"
    )


def test_solution_and_hint_are_folded():
    hint = plain("```{dropdown} Hint\nLook left.\n```")
    solution = plain("```{solution} ex-a\n:class: dropdown\n\nZero.\n```")
    assert hint.startswith("<details><summary>Hint</summary>")
    assert solution.startswith("<details><summary>Solution to Exercise 3.4</summary>")


def test_included_source_is_the_named_function_alone():
    text = "```{literalinclude} ../x.py\n:pyobject: second\n```"
    assert plain(text) == "```python\ndef second():\n    return 2\n```"


def test_ordinary_code_keeps_its_fences_and_labels_go():
    text = "(sec-a)=\n# Title\n\n```python\nx = 1\n```"
    assert plain(text) == "# Title\n\n```python\nx = 1\n```"


def test_display_equation_keeps_its_number():
    assert plain("$$\na\n$$ (eq-a)") == "$$\na\n\\tag{3.2}\n$$"


@pytest.mark.parametrize("text", ["```{tab-set}\nx\n```", "```{note}\nnever closed"])
def test_markup_without_a_plain_form_is_refused(text):
    with pytest.raises(MarkupError):
        plain(text)


def test_chapter_is_numbered_as_its_file():
    assert chapter_number("03_risk_and_gradient") == 3
    assert chapter_number("notation") is None


@pytest.mark.parametrize("path", ["identity_edu/linear.py", "book/results/a.json"])
def test_cache_expires_when_package_or_results_change(tmp_path, path):
    source = tmp_path / path
    source.parent.mkdir(parents=True)
    source.write_text("1")
    before = sources_fingerprint(tmp_path)
    assert sources_fingerprint(tmp_path) == before
    source.write_text("2")
    assert sources_fingerprint(tmp_path) != before
