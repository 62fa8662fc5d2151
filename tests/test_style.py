"""The house style that no linter knows: module size, full docstrings, clean files."""

import ast
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "identity_edu"
LONGEST_MODULE = 300
MODULES = sorted(PACKAGE.rglob("*.py"))
CODE = sorted([*MODULES, *(ROOT / "benchmarks").glob("*.py")])
FOREIGN = ("book/_vendor/",)  # kept byte for byte as its authors wrote it
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b")
HOME_FOLDER = re.compile(
    r"(?:(?<![\w.])/(?:home|Users)/|[A-Z]:\\Users\\)(?!\.)\w[\w.-]*"
)
PRIVATE_INDEX = re.compile(r"--(?:extra-)?index" + r"-url|--find" + r"-links")


def named(path):
    return path.relative_to(ROOT).as_posix()


# Modules and docstrings


@pytest.mark.parametrize("path", CODE, ids=named)
def test_a_module_is_short_enough_to_read_at_once(path):
    n_lines = len(path.read_text("utf-8").splitlines())
    assert n_lines <= LONGEST_MODULE, f"{n_lines} lines: split it at a named step"


def public_definitions(body, prefix=""):
    """Return (name, node, whether it is a method) for all that readers may use."""
    found = []
    for node in body:
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if not (is_function or isinstance(node, ast.ClassDef)):
            continue
        if node.name.startswith("_"):
            continue
        found.append((prefix + node.name, node, bool(prefix)))
        if isinstance(node, ast.ClassDef):
            found += public_definitions(node.body, f"{node.name}.")
    return found


def parameters(node):
    """Return the names of a function's parameters, without self and cls."""
    a = node.args
    named = [*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg]
    return [p.arg for p in named if p is not None and p.arg not in ("self", "cls")]


def returns_a_value(node):
    """Tell whether a function, not one nested in it, returns or yields something."""
    inner = [
        n
        for child in ast.walk(node)
        if child is not node and isinstance(child, ast.FunctionDef | ast.Lambda)
        for n in ast.walk(child)
    ]
    values = [
        n
        for n in ast.walk(node)
        if isinstance(n, ast.Return | ast.Yield) and n.value is not None
    ]
    return any(n not in inner for n in values)


def command_names(tree):
    """Return the functions that typer turns into commands, with help of their own."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            calls = [d.func for d in node.decorator_list if isinstance(d, ast.Call)]
            if any(getattr(f, "attr", "") in ("command", "callback") for f in calls):
                names.add(node.name)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "typer.run":
            names.add(ast.unparse(node.args[0]))
    return names


def section(docstring, title):
    """Return the text under a NumPy section heading, or None."""
    match = re.search(rf"^{title}\n-+\n(.*?)(?=^\w+\n-+\n|\Z)", docstring, re.M | re.S)
    return match and match[1]


def section_faults(node, docstring):
    """Say which sections a function's docstring lacks."""
    given, listed = parameters(node), section(docstring, "Parameters")
    results = section(docstring, "Returns") or section(docstring, "Yields")
    faults = []
    if given and listed is None:
        faults.append("no Parameters section")
    missing = [p for p in given if listed and not re.search(rf"\b{p}\b", listed)]
    if missing:
        faults.append(f"Parameters lacks {', '.join(missing)}")
    if given and returns_a_value(node) and not results:
        faults.append("no Returns section")
    return faults


def docstring_faults(source):
    """Say which public definitions of a source lack what in their docstrings."""
    tree, faults = ast.parse(source), []
    commands = command_names(tree)
    for name, node, is_method in public_definitions(tree.body):
        docstring = ast.get_docstring(node)
        if not docstring:
            faults.append(f"{name}: no docstring")
            continue
        if not docstring.splitlines()[0].endswith("."):
            faults.append(f"{name}: the first line is no sentence")
        if not (is_method or isinstance(node, ast.ClassDef) or name in commands):
            faults += [f"{name}: {fault}" for fault in section_faults(node, docstring)]
    return faults


@pytest.mark.parametrize("path", CODE, ids=named)
def test_every_public_function_and_class_has_a_full_docstring(path):
    assert not docstring_faults(path.read_text("utf-8"))


@pytest.mark.parametrize("path", CODE, ids=named)
def test_every_module_says_what_it_shows(path):
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    assert docstring
    assert docstring.splitlines()[0].endswith((".", "?"))


FULL = '''
def f(x, *, y=1):
    """Add.

    Parameters
    ----------
    x, y : float

    Returns
    -------
    float
    """
    return x + y
'''
FAULTS = {
    "no docstring": FULL[:22] + "\n    return x\n",
    "first line is no sentence": FULL.replace("Add.", "Add"),
    "no Parameters section": FULL.replace("Parameters", "Arguments"),
    "Parameters lacks y": FULL.replace("x, y :", "x :"),
    "no Returns section": FULL.replace("Returns", "Gives"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_docstring_test_sees(fault):
    assert not docstring_faults(FULL)
    found = docstring_faults(FAULTS[fault])
    assert any(fault in text for text in found), found


# Files


@pytest.fixture(scope="module")
def texts():
    """Return every text of the project by name: what git tracks, or would."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    if not (ROOT / ".git").exists():
        pytest.skip("this copy of the sources has no git history")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = [n for n in listed.stdout.split("\0") if n and not n.startswith(FOREIGN)]
    return {n: text for n in names if (text := read_text(ROOT / n)) is not None}


def read_text(path):
    """Return a file's text; None for pictures, archives and files just removed."""
    try:
        return path.read_text("utf-8")
    except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
        return None


def lines_with(pattern, texts):
    """Return ``file:line: match`` for all that a pattern finds."""
    return [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]}"
        for name, text in texts.items()
        for match in re.finditer(pattern, text)
    ]


def machine_paths():
    """Return a pattern for where this checkout and its user's files happen to lie."""
    places = [str(p) for p in (ROOT, Path.home()) if len(p.parts) > 1]
    return rf"(?<![\w.])(?:{'|'.join(map(re.escape, places))})(?=[/\\])"


def test_the_project_has_texts(texts):
    assert {"README.md", "identity_edu/backend.py"} <= set(texts)


def test_no_file_names_a_place_on_somebodys_machine(texts):
    assert not lines_with(machine_paths(), texts)
    # Tests that private places stay private make up some of their own.
    others = {n: text for n, text in texts.items() if not n.startswith("tests/")}
    assert not lines_with(HOME_FOLDER, others)


def test_no_file_is_left_unfinished(texts):
    assert not lines_with(UNFINISHED, texts)


def test_no_file_sends_readers_to_another_package_index(texts):
    assert not lines_with(PRIVATE_INDEX, texts)


def test_no_text_ends_without_a_newline_or_mixes_line_ends(texts):
    assert not [n for n, t in texts.items() if t and not t.endswith("\n")]
    assert not [n for n, t in texts.items() if "\r" in t]


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (UNFINISHED, "x = 1  # TO" + "DO: more", True),
        (UNFINISHED, "a mastodon", False),
        (HOME_FOLDER, "see /home" + "/ada/notes", True),
        (HOME_FOLDER, "see /Users" + "/ada/notes", True),
        (HOME_FOLDER, "https://example.org/home" + "/page", False),
        (PRIVATE_INDEX, "pip install --index" + "-url=x", True),
        (machine_paths(), f"open {ROOT}/README.md", True),
        (machine_paths(), "open README.md", False),
    ],
)
def test_the_file_tests_see_what_they_look_for(pattern, text, found):
    assert bool(lines_with(pattern, {"file": text})) is found
