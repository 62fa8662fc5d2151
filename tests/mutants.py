"""Mutated notebooks: what a clumsy, unlucky or hostile student might hand in.

A mutant is a base notebook of `attacks.target` after a few operations on its cells,
its JSON, its sources or its bytes. Hypothesis draws them, and shrinks one that fails.
"""

import ast
import base64
import copy
import io
import json
import tokenize
from dataclasses import dataclass, field

from attacks import target
from hypothesis import strategies as st

STUBBED = {c["id"]: c["source"] for c in target.released()["cells"]}
# What each base lacks, so that no change that misses the answer can give points for it.
ABSENT = {
    "solved": (),
    "mixed": ("mean-check", "mean-hidden", "halve-check"),
    "untouched": tuple(name for name in target.POINTS if name != "words"),
}
BASES = {
    "solved": target.submitted({}, first="before = values.sum()", last="mean([1, 2])"),
    "mixed": target.submitted(
        {
            "mean-answer": STUBBED["mean-answer"],
            "halve-answer": "def halve(x):\n    return x",
            "triangle-answer": "def triangle(n):\n    return n",
        },
        last="print('done')",
    ),
    "untouched": target.released(),
}

HOSTILE = (
    "raise SystemExit(0)",
    "import os\nos._exit(0)",
    "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    "import os\nos.fork()",
    "while True:\n    pass",
    "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "9 ** 9 ** 9",
    "kept = [bytearray(1 << 20) for _ in range(1 << 20)]",
    "print('x' * 10**7)",
    "import sys\nsys.stdout.close()",
    "import sys\nsys.stdout = sys.stderr = None",
    "import sys\nsys.setrecursionlimit(10**9)\n\ndef down():\n    down()\n\ndown()",
    "import sys\nsys.modules.clear()",
    "globals().clear()",
    "__builtins__ = {}",
    "import builtins\nbuiltins.abs = lambda x: 0\nbuiltins.sum = builtins.len = max",
    "import numpy as np\nnp.testing.assert_array_equal = lambda *a, **k: None",
    "import numpy as np\nnp.seterr(all='raise')",
    "import threading\nthreading.Thread(target=print).start()",
    "import signal\nsignal.setitimer(signal.ITIMER_REAL, 0)",
    "import warnings\nwarnings.warn('look out')",
    "import gc\n[o.clear() for o in gc.get_objects() if type(o) is dict]",
    "class Agree:\n    __eq__ = __le__ = __ge__ = lambda *_: True\n"
    "    __sub__ = __mul__ = __rsub__ = __truediv__ = __abs__ = lambda s, *_: s\n"
    "    __call__ = lambda s, *_, **__: s\n\n"
    "mean = gram = halve = triangle = choice = Agree()",
    "class Text(str):\n    __eq__ = lambda *_: True\n    __hash__ = str.__hash__\n\n"
    "choice = Text('z')",
    "mean = gram = halve = triangle = choice = None",
    "mean = halve = lambda *_: float('nan')\ngram = lambda A: A.tolist",
    "triangle = lambda n: 10**400\nmean = lambda x: [x] * 10**6",
    "def halve(x):\n    raise type('KeyError', (BaseException,), {})('é\\ud800\\0')",
    "def mean(x):\n    mean(x)",
    "def mean(x):\n    x.append(1) or x.resize(0)",
    "%matplotlib notebook",
    "!ls /",
    "?mean",
    "return 1",
    "yield 1",
    "await mean",
    "(" * 10_000,
    "x = " + "-" * 50_000 + "1",
    "'" + "a" * 70_000 + "'",
    "print('\\x1b[2J\\x1b]0;title\\x07')\nraise Exception('\\x1b[31m<script>')",
    "\0",
    "# coding: utf-7\n+AGE-",
    "def f(:",
    "\ud800",
    "\ufeff1",
    "é = 'ﬁ'\nﬁ = 1",
    "",
)
NUMBERS = (0, -1, 1.5, 1e308, float("nan"), float("inf"), 2**63, 10**400)
TEXTS = ("", "mean-answer", "gram-hidden", "../../x", "\0", "\ud800", "a" * 70_000, "4")
TREES = ([], {}, [[]], [None], {"": None}, {"nbgrader": []}, {"cells": [{}]}, [""] * 9)
DEEP = json.loads("[" * 200 + "]" * 200)
ODD = (None, True, False, *NUMBERS, *TEXTS, *TREES, DEEP)

position = st.integers(0, 999)
anything = (  # copies: later operations may change them
    st.sampled_from(ODD).map(copy.deepcopy) | st.text(max_size=20) | st.integers()
)
name_of_a_cell = st.sampled_from([*STUBBED, "added-first", "", "no-such-cell"])


@dataclass(frozen=True)
class Mutant:
    """What is handed in, the base that it came from, and how."""

    base: str
    content: bytes = field(repr=False)
    trail: tuple[str, ...]

    def __repr__(self):
        """Show what to put among the regressions."""
        content = base64.b85encode(self.content)
        return f"Mutant({self.base!r}, {content!r}, {self.trail})"


def texts_of(content):
    """Collect the sources of all cells; None where there is no reading it."""
    try:
        cells = json.loads(content)["cells"]
        return {_text(cell["source"]) for cell in cells if "source" in cell}
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _text(source):
    return source if isinstance(source, str) else "".join(source)


BASE_TEXTS = {name: texts_of(json.dumps(base)) for name, base in BASES.items()}


# Operations on cells: change the document in place.


def _pick(draw, cells):
    return cells[draw(position) % len(cells)]


def delete(draw, document):
    del document["cells"][draw(position) % len(document["cells"])]


def duplicate(draw, document):
    cell = copy.deepcopy(_pick(draw, document["cells"]))
    document["cells"].insert(draw(position) % (len(document["cells"]) + 1), cell)


def move(draw, document):
    cells = document["cells"]
    cell = cells.pop(draw(position) % len(cells))
    cells.insert(draw(position) % (len(cells) + 1), cell)


def swap_sources(draw, document):
    one, other = (_pick(draw, document["cells"]) for _ in range(2))
    one["source"], other["source"] = other["source"], one["source"]


def split(draw, document):
    index = draw(position) % len(document["cells"])
    cell = document["cells"][index]
    lines = _text(cell["source"]).splitlines(keepends=True)
    cut = draw(position) % (len(lines) + 1)
    first, second = (cell | {"source": "".join(p)} for p in (lines[:cut], lines[cut:]))
    document["cells"][index : index + 1] = [first, copy.deepcopy(second)]


def join(draw, document):
    cells = document["cells"]
    index = draw(position) % len(cells)
    both = [_text(cell["source"]) for cell in cells[index : index + 2]]
    cells[index : index + 2] = [cells[index] | {"source": "\n".join(both)}]


def rename(draw, document):
    cell, new = _pick(draw, document["cells"]), draw(name_of_a_cell)
    where = draw(st.sampled_from(["id", "grade_id", "both", "neither"]))
    marks = cell.get("metadata", {}).get("nbgrader", {})
    if where in ("id", "both"):
        cell["id"] = new
    if where in ("grade_id", "both"):
        marks["grade_id"] = new
    if where == "neither":
        cell.pop("id", None)
        marks.pop("grade_id", None)


def remark(draw, document):
    cell = _pick(draw, document["cells"])
    marks = cell.setdefault("metadata", {}).setdefault("nbgrader", {})
    key = draw(st.sampled_from(["grade", "solution", "locked", "task", "points"]))
    marks[key] = draw(st.booleans() | anything)


def retype(draw, document):
    kinds = st.sampled_from(["code", "markdown", "raw", "heading", "", None])
    _pick(draw, document["cells"])["cell_type"] = draw(kinds)


def strip_marks(draw, document):
    for cell in document["cells"]:
        cell["metadata"] = {}


def as_lines(draw, document):
    cell = _pick(draw, document["cells"])
    cell["source"] = _text(cell["source"]).splitlines(keepends=True)


def other_format(draw, document):
    key = draw(st.sampled_from(["nbformat", "nbformat_minor", "metadata"]))
    document[key] = draw(anything)


def fill_outputs(draw, document):
    output = {"output_type": draw(st.sampled_from(["stream", "error", "display_data"]))}
    output[draw(st.sampled_from(["text", "data", "name"]))] = draw(anything)
    _pick(draw, document["cells"])["outputs"] = [output] * draw(st.integers(0, 50))


# Operations on the JSON: any node becomes an odd one, or another's copy, or goes.


def _nodes(tree):
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in list(items):
        yield tree, key
        if isinstance(value, dict | list):
            yield from _nodes(value)


def _node(draw, document):
    nodes = list(_nodes(document))
    return nodes[-1 - draw(position) * 7 % len(nodes)]  # small numbers spare the root


def replace_node(draw, document):
    tree, key = _node(draw, document)
    tree[key] = draw(anything)


def copy_node(draw, document):
    (tree, key), (other, name) = _node(draw, document), _node(draw, document)
    tree[key] = copy.deepcopy(other[name])


def remove_node(draw, document):
    tree, key = _node(draw, document)
    del tree[key]


# Damage that carries no answer away: all points must survive it.


def _is_answer(cell):
    return cell["metadata"].get("nbgrader", {}).get("solution", False)


def _is_ours(cell):
    return "nbgrader" in cell["metadata"] and not _is_answer(cell)


def delete_ours(draw, document):
    document["cells"].remove(_pick(draw, [*filter(_is_ours, document["cells"])]))


def duplicate_ours(draw, document):
    cell = copy.deepcopy(_pick(draw, [*filter(_is_ours, document["cells"])]))
    document["cells"].insert(draw(position) % (len(document["cells"]) + 1), cell)


def garble_ours(draw, document):
    cell = _pick(draw, [*filter(_is_ours, document["cells"])])
    cell["source"] = draw(st.sampled_from(HOSTILE) | st.text(max_size=20))


def lose_a_claim(draw, document):
    cell = _pick(draw, document["cells"])
    if draw(st.booleans()):
        cell.pop("id", None)
    elif "id" in cell:
        cell["metadata"]["nbgrader"] = draw(anything)


def lose_both_claims(draw, document):
    cells = [c for c in document["cells"] if c["cell_type"] == "code" and _is_answer(c)]
    cell = _pick(draw, cells)
    cell["id"], cell["metadata"] = "new", {}


# Operations on sources.


def _code(draw, document):
    cells = [c for c in document["cells"] if c.get("cell_type") == "code"]
    return _pick(draw, cells or document["cells"])


def insert_hostile(draw, document):
    cell, snippet = _code(draw, document), draw(st.sampled_from(HOSTILE))
    lines = _text(cell["source"]).split("\n")
    at = draw(position) % (len(lines) + 1)
    indent = "    " if draw(st.booleans()) else ""
    lines[at:at] = [indent + line for line in snippet.split("\n")]
    cell["source"] = "\n".join(lines)


def add_hostile(draw, document):
    cell = target.code(draw(st.sampled_from(HOSTILE)), draw(name_of_a_cell))
    document["cells"].insert(draw(position) % (len(document["cells"]) + 1), cell)


def change_tokens(draw, document):
    cell = _code(draw, document)
    try:
        reader = io.StringIO(_text(cell["source"])).readline
        words = [(t.type, t.string) for t in tokenize.generate_tokens(reader)]
    except (tokenize.TokenError, SyntaxError):
        return
    one, other = (draw(position) % len(words) for _ in range(2))
    how = draw(st.sampled_from(["swap", "drop", "repeat"]))
    if how == "swap":
        words[one], words[other] = words[other], words[one]
    elif how == "drop":
        del words[one]
    else:
        words.insert(other, words[one])
    cell["source"] = " ".join(word for _, word in words)


def graft(draw, document):
    """Put an expression of one answer in the place of one of another."""
    cell = _code(draw, document)
    try:
        tree = ast.parse(_text(cell["source"]))
        donor = ast.parse(_text(_code(draw, document)["source"]))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    expressions = [n for n in ast.walk(donor) if isinstance(n, ast.expr)]
    places = [
        (node, name)
        for node in ast.walk(tree)
        for name, value in ast.iter_fields(node)
        if isinstance(value, ast.expr)
    ]
    if expressions and places:
        node, name = places[draw(position) % len(places)]
        setattr(node, name, copy.deepcopy(_pick(draw, expressions)))
        cell["source"] = ast.unparse(tree)


# Operations on bytes.


def _place(draw, content):
    return (len(content) // 3 + draw(position) * 31) % len(content)


def flip(draw, content):
    at, bit = _place(draw, content), draw(st.integers(0, 7))
    return content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :]


def truncate(draw, content):
    return content[: _place(draw, content)]


def insert(draw, content):
    at = _place(draw, content)
    return content[:at] + draw(st.binary(max_size=8)) + content[at:]


def splice(draw, content):
    one, two, three = (_place(draw, content) for _ in range(3))
    return content[:one] + content[two : two + 200] + content[three:]


def encode(draw, content):
    return content.decode("utf-8", "replace").encode(
        draw(st.sampled_from(["utf-8-sig", "utf-16", "utf-32", "utf-7"]))
    )


ON_CELLS = (
    *(delete, duplicate, move, swap_sources, split, join, rename, remark, retype),
    *(strip_marks, as_lines, other_format, fill_outputs),
)
ON_JSON = (replace_node, copy_node, remove_node)
ON_SOURCES = (insert_hostile, add_hostile, change_tokens, graft)
ON_BYTES = (flip, truncate, insert, splice, encode)
HARMLESS = (
    *(delete_ours, duplicate_ours, garble_ours, lose_a_claim, lose_both_claims),
    *(move, as_lines, fill_outputs),
)


@st.composite
def damaged(draw):
    """Draw a solved notebook with damage that must not cost a point."""
    document = copy.deepcopy(BASES["solved"])
    operations = draw(st.lists(st.sampled_from(HARMLESS), min_size=1, max_size=6))
    for operation in operations:
        try:
            operation(draw, document)
        except (AttributeError, IndexError, KeyError, TypeError, ZeroDivisionError):
            break  # an earlier operation left nothing to work on
    trail = tuple(operation.__name__ for operation in operations)
    return Mutant("solved", json.dumps(document).encode(), trail)


@st.composite
def mutants(draw):
    """Draw a mutant."""
    base = draw(st.sampled_from(list(BASES)))
    document, trail = copy.deepcopy(BASES[base]), []
    on_document = st.sampled_from([ON_CELLS, ON_JSON, ON_SOURCES])
    for operations in draw(st.lists(on_document, min_size=1, max_size=4)):
        operation = draw(st.sampled_from(operations))
        trail.append(operation.__name__)
        try:
            operation(draw, document)
        except (AttributeError, IndexError, KeyError, TypeError, ZeroDivisionError):
            break  # an earlier operation left nothing to work on
    content = json.dumps(document).encode()
    if draw(st.integers(0, 7)) == 0:
        operation = draw(st.sampled_from(ON_BYTES))
        trail.append(operation.__name__)
        content = operation(draw, content)
    return Mutant(base, content, tuple(trail))
