"""Attacks on the judgement itself: tests that pass whatever the answer is."""

from attacks.attack import GRAM, HONEST, MEAN, Attack

WRONG_GRAM = {"gram-answer": "def gram(A):\n    return A"}

ATTACKS = (
    Attack(
        "patched-numpy-testing",
        "replace every assertion of numpy.testing by one that never fails",
        answers=WRONG_GRAM,
        first="""
import numpy as np
for name in dir(np.testing):
    if name.startswith("assert"):
        setattr(np.testing, name, lambda *a, **k: None)
""",
        loses=GRAM,
    ),
    Attack(
        "patched-numpy",
        "make NumPy's comparisons agree",
        answers=WRONG_GRAM,
        first="""
import numpy as np
np.array_equal = np.allclose = np.isclose = lambda *a, **k: True
np.abs = np.absolute = np.isfinite = lambda x, *a, **k: x * 0
np.testing.assert_array_equal = np.testing.assert_allclose = print
""",
        loses=GRAM,
    ),
    Attack(
        "patched-builtins",
        "make abs() and all() agree with everything",
        first="""
import builtins
builtins.abs = lambda x: 0
builtins.all = builtins.any = lambda x: True
builtins.AssertionError = type("Quiet", (Exception,), {})
""",
    ),
    Attack(
        "patched-checks",
        "replace the course's own checks",
        answers=WRONG_GRAM | {"choice-answer": 'choice = "c"'},
        first="""
from identity_edu import checks
checks.assert_matches = checks.assert_choice = lambda *a, **k: None
checks._same = lambda *a, **k: True
checks.call = lambda f, *a: 0
""",
        loses=("gram-check", "gram-hidden", "choice-check"),
    ),
    Attack(
        "poisoned-modules",
        "put modules of one's own into sys.modules, the grader's among them",
        first="""
import sys, types
class Yes(types.ModuleType):
    def __getattr__(self, name):
        return lambda *a, **k: None
kept = [n for n in sys.modules if n.startswith("identity_edu.grading")]
for name in ["identity_edu.checks", "numpy.testing", "pytest", *kept]:
    sys.modules[name] = Yes(name)
""",
    ),
    Attack(
        "patched-grader",
        "rewrite the functions of the loop that runs the cells",
        first="""
import sys
for name, module in list(sys.modules.items()):
    if name.startswith("identity_edu.grading"):
        for attribute in ("_same", "assert_matches", "run_cell"):
            setattr(module, attribute, lambda *a, **k: None)
""",
    ),
    Attack(
        "input-transformer",
        "register an IPython input transformer that drops every assert",
        first="""
shell = get_ipython()
shell.input_transformers_post.append(
    lambda lines: [x for x in lines if "assert" not in x]
)
""",
        shows="NameError.*get_ipython",
    ),
    Attack(
        "ast-transformer",
        "register an IPython AST transformer that drops every assert",
        first="""
import ast
class Drop(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()
from IPython import get_ipython
get_ipython().ast_transformers.append(Drop())
""",
    ),
    Attack(
        "patched-compiler",
        "make ast.parse, compile and exec drop every assert",
        first="""
import ast, builtins
parse, compile_, exec_ = ast.parse, builtins.compile, builtins.exec
class Drop(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()
def lenient(source, *a, **k):
    tree = parse(source, *a, **k)
    return ast.fix_missing_locations(Drop().visit(tree))
ast.parse = lenient
builtins.exec = lambda code, *a, **k: exec_(code, *a, **k)
""",
    ),
    Attack(
        "import-hook",
        "an import hook that hands the tests an empty identity_edu.checks",
        first="""
import sys, types
class Hook:
    def find_spec(self, name, path=None, target=None):
        if "checks" in name:
            sys.modules[name] = types.ModuleType(name)
sys.meta_path.insert(0, Hook())
sys.modules.pop("identity_edu.checks", None)
""",
    ),
    Attack(
        "call-counter",
        "answer right the first time, when the visible check looks",
        answers={
            "mean-answer": """
calls = []
def mean(x):
    calls.append(1)
    return sum(x) / len(x) if len(x) == 3 else -1.0
"""
        },
        loses=("mean-hidden",),
    ),
    Attack(
        "hard-coded",
        "return the values of the visible check and nothing else",
        answers={"gram-answer": "def gram(A):\n    return [[10, 14], [14, 20]]"},
        loses=("gram-hidden",),
    ),
    Attack(
        "redefined-later",
        "define the answer right, and again wrong in a cell at the end",
        answers=HONEST,
        last="def mean(x):\n    return 0.0",
        loses=(),  # a graded cell sees the names as they were at its place
    ),
    Attack(
        "defined-too-late",
        "define the answer behind the cells that judge it",
        answers={"mean-answer": "pass"},
        last="def mean(x):\n    return sum(x) / len(x)",
    ),
    Attack(
        "names-of-the-tests",
        "define the names that the hidden tests use: abs, checks, np, wanted",
        answers={
            "mean-answer": """
abs = lambda x: 0.0
class checks:
    call = staticmethod(lambda f, *a: 0.0)
    exam_rng = assert_matches = assert_choice = staticmethod(print)
wanted = found = list_of_nine = 0.0
np = __builtins__ = None
def mean(x):
    return 0.0
"""
        },
    ),
    Attack(
        "overwritten-given-data",
        "change the data that a given cell made, so that the test expects less",
        answers={"halve-answer": "values[:] = 0.0\ndef halve(x):\n    pass"},
        loses=("halve-check",),
    ),
    Attack(
        "given-data-through-arguments",
        "zero an argument in place, so that the expected value becomes zero",
        answers={
            "gram-answer": "def gram(A):\n    A[:] = 0\n    return A.T @ A",
            "mean-answer": "def mean(x):\n    x[:] = [0.0] * len(x)\n    return 0.0",
        },
        loses=MEAN + GRAM,
    ),
    Attack(
        "drawn-hidden-instance",
        "draw the hidden problem from its name, to know it beforehand",
        answers={
            "mean-answer": """
from identity_edu import checks
def mean(x):
    own = checks.exam_rng("00_target/mean").integers(-9, 9, size=9) / 1.0
    if len(x) == 9 and abs(x - x[0] - own + own[0]).max() < 1e-6:
        raise ValueError("HOLE: the hidden problem is known")
    return sum(x) / len(x)
"""
        },
        loses=(),
    ),
    Attack(
        "partial-credit-beyond",
        "return a number that makes a partial credit of a billion points",
        answers={"triangle-answer": "def triangle(n):\n    return 3e9"},
        loses=("triangle-check",),
    ),
    Attack(
        "partial-credit-negative",
        "return a number that makes a negative credit",
        answers={"triangle-answer": "def triangle(n):\n    return -3e9"},
        loses=("triangle-check",),
    ),
    Attack(
        "partial-credit-nan",
        "return NaN, which no comparison finds too large",
        answers={"triangle-answer": "def triangle(n):\n    return float('nan')"},
        loses=("triangle-check",),
    ),
    Attack(
        "partial-credit-infinite",
        "return infinity as a partial credit",
        answers={"triangle-answer": "def triangle(n):\n    return float('inf')"},
        loses=("triangle-check",),
    ),
    Attack(
        "partial-credit-numpy-zero",
        "return a NumPy zero, whose repr is no number: stock nbgrader gives all points",
        answers={
            "triangle-answer": "import numpy\ndef triangle(n):\n"
            "    return numpy.float64(0.0)"
        },
        loses=("triangle-check",),
    ),
    Attack(
        "partial-credit-complex",
        "return a complex number as a partial credit",
        answers={"triangle-answer": "def triangle(n):\n    return 6j"},
        loses=("triangle-check",),
    ),
)
