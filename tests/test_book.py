"""The book as its sources state it, and as its built pages behave without a network."""

import ast
import re
import sys
from urllib.parse import unquote, urlsplit

import book_pages
import nbformat
import pytest
import yaml
from book_pages import BOOK, HTML, Tags, chapters, code_cells, rendered

LOADING = {
    "link": ("href",),
    "form": ("action",),
    **dict.fromkeys(["audio", "embed", "iframe", "input", "script"], ("src",)),
    **dict.fromkeys(["img", "source", "video"], ("src", "srcset", "poster")),
    "object": ("data",),
    "image": ("href", "xlink:href"),
    "use": ("href", "xlink:href"),
}
CSS_URL = re.compile(r"""(?:url\(|@import)\s*["']?([^"')\s;]+)""")
ELSEWHERE = re.compile(r"^\s*(?:https?:|wss?:|ftp:|//)", re.IGNORECASE)


def pages_of_toc():
    toc = yaml.safe_load((BOOK / "_toc.yml").read_text(encoding="utf-8"))
    listed = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    return {toc["root"], *listed}


@pytest.fixture(scope="module")
def pages():
    """Give the built pages by name."""
    if not (HTML / "index.html").exists():
        pytest.skip("the book is not built: make book")
    return {
        str(path.relative_to(HTML)): Tags(path.read_text(encoding="utf-8"))
        for path in sorted(HTML.rglob("*.html"))
        if "_static" not in path.parts
    }


@pytest.fixture
def browser(tmp_path, pages):
    """Give a function that opens a page in Chromium and returns its document."""
    if book_pages.BROWSER is None:
        pytest.skip("Chromium is not installed")
    return lambda page: rendered(page, tmp_path / "profile")


def test_table_of_contents_names_every_page_and_nothing_else():
    assert pages_of_toc() == {path.stem for path in BOOK.glob("*.md")}


def test_book_holds_text_notebooks_alone_so_no_output_is_stored():
    assert not [path.name for path in BOOK.glob("*.ipynb")]


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_chapter_keeps_to_the_template(path):
    cells = code_cells(path)
    figures = sum("figure" in meta.get("mystnb", {}) for meta, _ in cells)
    figures += path.read_text(encoding="utf-8").count("```{figure}")
    lengths = [len(source.splitlines()) for _, source in cells]
    assert 1 <= len(cells) <= 8, f"{len(cells)} code cells"
    assert max(lengths) <= 15, f"lines a cell: {lengths}"
    assert 1 <= figures <= 4, f"{figures} figures"


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_chapter_defines_no_function(path):
    defining = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    for _, source in code_cells(path):
        code = re.sub(r"^[%!].*$", "", source, flags=re.MULTILINE)
        found = [node for node in ast.walk(ast.parse(code)) if type(node) in defining]
        # A lambda handed to a function is an argument; a named one is a definition.
        assert not [n for n in found if not isinstance(n, ast.Lambda)], source
        assert not re.search(r"^\s*\w+\s*=\s*lambda\b", code, re.MULTILINE), source


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_chapter_imports_what_the_book_installs_and_nothing_else(path):
    allowed = {
        *sys.stdlib_module_names,
        "identity_edu",
        "matplotlib",
        "myst_nb",
        "numpy",
    }
    for _, source in code_cells(path):
        for node in ast.walk(ast.parse(re.sub(r"(?m)^[%!].*$", "", source))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [getattr(node, "module", None) or a.name for a in node.names]
                assert {name.split(".")[0] for name in names} <= allowed, source


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_every_figure_of_a_chapter_has_name_caption_and_alt_text(path):
    for meta, source in code_cells(path):
        shown = meta.get("mystnb", {})
        if "plt.show()" in source or "figure" in shown:
            assert shown.get("figure", {}).get("caption"), source
            assert shown["figure"].get("name"), source
            assert shown.get("image", {}).get("alt"), source


def test_no_page_loads_anything_over_the_network(pages):
    outside = []
    for name, page in pages.items():
        for tag, attributes in page.found:
            loaded = [attributes.get(key, "") for key in LOADING.get(tag, ())]
            loaded += CSS_URL.findall(attributes.get("style", ""))
            outside += [(name, tag, url) for url in loaded if ELSEWHERE.match(url)]
        named = [text for text in page.inline if re.search(r"(https?:)?//\w", text)]
        outside += [(name, "inline", text[:80]) for text in named]
    for sheet in HTML.rglob("*.css"):
        urls = CSS_URL.findall(sheet.read_text(encoding="utf-8"))
        outside += [(sheet.name, "css", url) for url in urls if ELSEWHERE.match(url)]
    assert not outside


def test_every_local_link_leads_to_a_file(pages):
    missing = []
    for name, page in pages.items():
        for tag, attributes in page.found:
            keys = (*LOADING.get(tag, ()), *(("href",) if tag == "a" else ()))
            for url in filter(None, (attributes.get(key) for key in keys)):
                parts = urlsplit(url)
                if parts.scheme or parts.netloc or not parts.path:
                    continue
                if not (HTML / name).parent.joinpath(unquote(parts.path)).exists():
                    missing.append((name, url))
    assert not missing


def test_every_image_has_alt_text_that_says_what_is_seen(pages):
    images = [(name, image) for name, p in pages.items() for image in p.all("img")]
    poor = [
        (name, image.get("src"))
        for name, image in images
        if len(image.get("alt", "").split()) < 3  # a bare file name is Sphinx's default
    ]
    assert images
    assert not poor


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_chapter_offers_a_clean_notebook(path, pages):
    links = [link.get("href") for link in pages[f"{path.stem}.html"].all("a")]
    assert f"_sources/{path.stem}.ipynb" in links
    notebook = nbformat.read(HTML / "_sources" / f"{path.stem}.ipynb", as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    text = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    assert [cell.source for cell in code] == [source for _, source in code_cells(path)]
    assert not any(cell.outputs for cell in code)
    assert not [source for source in text if re.search(r"\{[\w:.-]+\}`", source)]


@pytest.mark.slow
@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_downloaded_notebook_runs_in_an_empty_folder(path, pages, tmp_path):
    from nbclient import NotebookClient

    notebook = nbformat.read(HTML / "_sources" / f"{path.stem}.ipynb", as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=120, resources=resources).execute()


@pytest.mark.slow
@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_mathematics_is_typeset_offline(path, browser):
    document = browser(f"{path.stem}.html")
    formulas = Tags((HTML / f"{path.stem}.html").read_text(encoding="utf-8")).found
    formulas = [a for _, a in formulas if "math" in a.get("class", "").split()]
    assert formulas
    assert document.count("<mjx-container") >= len(formulas)
    assert "<mjx-merror" not in document
    assert not re.search(r"<mjx-\w+[^>]*color: red", document), "an undefined macro"


@pytest.mark.slow
def test_search_finds_a_page_offline(browser):
    document = browser("search.html?q=gradient")
    results = document[document.index('id="search-results"') :]
    assert re.search(r'<li[^>]*><a href="[\w/]+\.html', results)


@pytest.mark.slow
def test_search_finds_nothing_for_nonsense(browser):
    document = browser("search.html?q=zyxwvutsrq")
    results = document[document.index('id="search-results"') :]
    assert not re.search(r'<li[^>]*><a href="[\w/]+\.html', results)
