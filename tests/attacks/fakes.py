"""Objects that agree with whatever they are compared with, and errors that lie."""

from attacks.attack import GRAM, HONEST, MEAN, Attack

AGREEABLE = """
class Agreeable:
    def _yes(self, *a, **k):
        return True
    __eq__ = __le__ = __ge__ = __lt__ = __gt__ = __bool__ = _yes
    def _self(self, *a, **k):
        return self
    __sub__ = __rsub__ = __add__ = __mul__ = __truediv__ = __abs__ = _self
    def __float__(self):
        return 0.0
    __hash__ = None
"""


def mean(source, **changes):
    return {"answers": {"mean-answer": source}} | changes


def gram(source, **changes):
    return {"answers": {"gram-answer": source}, "loses": GRAM} | changes


ATTACKS = (
    Attack(
        "agreeable-object",
        "return an object whose operators always agree",
        **mean(AGREEABLE + "def mean(x):\n    return Agreeable()"),
    ),
    Attack(
        "agreeable-float",
        "a subclass of float that equals everything",
        **mean("""
class Zero(float):
    def __eq__(self, other): return True
    def __sub__(self, other): return 0.0
    __rsub__ = __sub__
    def __le__(self, other): return True
    def __float__(self): return 4711.0
    def __reduce__(self): return (float, (3.0,))
    __hash__ = float.__hash__
def mean(x):
    return Zero(1.0)
"""),
    ),
    Attack(
        "lying-integer",
        "subclasses of int and bool-like objects that lie about their value",
        **mean("""
class One(int):
    def __eq__(self, other): return True
    def __index__(self): return 3
    def __int__(self): return 3
    def __repr__(self): return "3"
    def __str__(self): return "3"
    __hash__ = int.__hash__
def mean(x):
    return One(1)
"""),
    ),
    Attack(
        "lying-class",
        "an object that says it is a float, by __class__",
        **mean(
            AGREEABLE
            + """
class Liar(Agreeable):
    @property
    def __class__(self):
        return float
def mean(x):
    return Liar()
"""
        ),
    ),
    Attack(
        "lying-isinstance",
        "an object that says it is an ndarray, with methods of its own",
        **gram("""
import numpy as np
class Liar:
    shape, dtype, ndim, size = (2, 2), np.dtype(float), 2, 4
    flags = np.zeros(2).flags
    @property
    def __class__(self):
        return np.ndarray
    def tobytes(self, *a):
        return np.array([[10.0, 14.0], [14.0, 20.0]]).tobytes()
    def __eq__(self, other):
        return np.ones(np.shape(other), bool)
    __hash__ = None
def gram(A):
    return Liar()
"""),
    ),
    Attack(
        "array-subclass",
        "a subclass of ndarray whose ufuncs and functions agree",
        **gram("""
import numpy as np
class Yes(np.ndarray):
    def __array_ufunc__(self, *a, **k): return np.True_
    def __array_function__(self, *a, **k): return np.True_
    def __eq__(self, other): return np.True_
    def __array_finalize__(self, other): pass
    def tobytes(self, *a): return b"\\0" * 8
    @property
    def shape(self): return (2, 2)
    __hash__ = None
def gram(A):
    return np.zeros((2, 2)).view(Yes)
"""),
    ),
    Attack(
        "array-protocol",
        "an object whose __array__ returns another array each time",
        **gram("""
import numpy as np
class Chameleon:
    __array_priority__ = 1e9
    n = 0
    def __array__(self, dtype=None, copy=None):
        self.n += 1
        return np.array([[10.0, 14.0], [14.0, 20.0]]) if self.n % 2 else np.zeros(4)
    def __eq__(self, other): return True
    __hash__ = None
def gram(A):
    return Chameleon()
"""),
    ),
    Attack(
        "array-interface",
        "an object whose __array_interface__ points into other memory",
        **gram("""
class Window:
    __array_interface__ = {
        "shape": (2, 2), "typestr": "<f8", "data": (4096, False), "version": 3
    }
def gram(A):
    return Window()
"""),
        verdict="limited",  # it reads address 4096 when a cell looks at it
    ),
    Attack(
        "class-named-ndarray",
        "a class named ndarray of a module named numpy",
        **gram("""
class ndarray:
    __module__ = "numpy"
    def __eq__(self, other): return True
    __hash__ = None
def gram(A):
    return ndarray()
"""),
    ),
    Attack(
        "masked-array",
        "a masked array with everything masked, which equals any array",
        **gram("""
import numpy as np
def gram(A):
    return np.ma.masked_array(np.zeros((A.shape[1],) * 2), mask=True)
"""),
    ),
    Attack(
        "object-array",
        "an array of objects whose operators always agree",
        **gram(
            AGREEABLE
            + """
import numpy as np
def gram(A):
    result = np.empty((A.shape[1], A.shape[1]), object)
    result[:] = Agreeable()
    return result
"""
        ),
    ),
    Attack(
        "structured-array",
        "structured, void and text arrays",
        **gram("""
import numpy as np
def gram(A):
    return np.zeros((2, 2), [("a", "f8"), ("b", "O")])
"""),
    ),
    Attack(
        "generic-subclass",
        "a subclass of numpy.float64 that agrees",
        **mean("""
import numpy as np
class Yes(np.float64):
    def __eq__(self, other): return True
    def __sub__(self, other): return 0.0
    __rsub__ = __sub__
    __hash__ = np.float64.__hash__
def mean(x):
    return Yes(-1.0)
"""),
    ),
    Attack(
        "lying-list",
        "subclasses of list, tuple and dict that change from look to look",
        **gram("""
class Shifty(list):
    n = 0
    def __iter__(self):
        self.n += 1
        return iter([[10, 14], [14, 20]] if self.n > 1 else [])
    def __len__(self): return 2
    def __getitem__(self, i): return [[10, 14], [14, 20]][i]
    def __eq__(self, other): return True
    __hash__ = None
def gram(A):
    return Shifty([0])
"""),
    ),
    Attack(
        "lying-text",
        "a subclass of str that compares equal to the right letter",
        answers={
            "choice-answer": """
class Letter(str):
    def __eq__(self, other): return True
    def strip(self, *_): return self
    def lower(self): return self
    def __str__(self): return "b"
    __hash__ = str.__hash__
choice = Letter("c")
"""
        },
        loses=("choice-check",),
    ),
    Attack(
        "function-for-a-letter",
        "bind a function to the name of a letter",
        answers={"choice-answer": "def choice(*a, **k):\n    return 'b'"},
        loses=("choice-check",),
    ),
    Attack(
        "deleted-name",
        "delete the function after it is defined",
        answers={"mean-answer": "def mean(x):\n    return 3.0\ndel mean"},
    ),
    Attack(
        "every-kind-of-callable",
        "no attack: partials, ufuncs and objects with __call__ are functions too",
        answers={
            "mean-answer": "import numpy, functools\n"
            "mean = functools.partial(numpy.mean, axis=None)",
            "gram-answer": "class Gram:\n    def __call__(self, A):\n"
            "        return A.T @ A\ngram = Gram()",
            "triangle-answer": "triangle = lambda n: n * (n + 1) // 2",
        },
        loses=(),
    ),
    Attack(
        "nan-and-infinity",
        "NaN and infinity, which break comparisons",
        answers={
            "mean-answer": "def mean(x):\n    return float('nan')",
            "gram-answer": "def gram(A):\n    return A.T @ A * float('inf')",
        },
        loses=MEAN + GRAM,
    ),
    Attack(
        "huge-numbers",
        "integers of millions of digits, which take for ever to convert",
        **mean("def mean(x):\n    return 1 << 40_000_000"),
    ),
    Attack(
        "lone-surrogates",
        "text that no file can hold, as value, output and error",
        answers={
            "mean-answer": "def mean(x):\n    raise ValueError('\\ud800')",
            "choice-answer": "choice = '\\udcff\\x00b'",
        },
        first="print('\\ud83d', '\\x00')",
        loses=(*MEAN, "choice-check"),
    ),
    Attack(
        "not-plain",
        "generators, sets, bytes, cycles and objects as results",
        answers={
            "mean-answer": "def mean(x):\n    return (y for y in [3.0])",
            "gram-answer": "def gram(A):\n    a = []\n    a.append(a)\n    return a",
            "triangle-answer": "def triangle(n):\n    return {6}",
            "choice-answer": "choice = b'b'",
        },
        loses=(*MEAN, *GRAM, "triangle-check", "choice-check"),
    ),
    Attack(
        "billion-laughs",
        "a small list that is huge when written out",
        **mean("""
def mean(x):
    a = [0.0]
    for _ in range(30):
        a = [a] * 10
    return a
"""),
        limits={"call_seconds": 0.5, "cell_seconds": 0.5},
        hits={"mean-check": "call time", "mean-hidden": "call time"},
        verdict="limited",
        slow=True,
    ),
    Attack(
        "deep-nesting",
        "a list nested a hundred thousand deep",
        **mean("""
def mean(x):
    a = []
    for _ in range(100_000):
        a = [a]
    return a
"""),
    ),
    Attack(
        "giant-view",
        "an array of an exabyte that takes eight bytes, by strides of zero",
        **gram("""
import numpy as np
def gram(A):
    return np.broadcast_to(10.0, (2**20, 2**20, 2**17))
"""),
    ),
    Attack(
        "assertion-errors",
        "raise errors that look like the grader's own verdict",
        answers={
            "mean-answer": """
class LimitError(Exception): pass
class Passed(AssertionError): pass
def mean(x):
    raise Passed("all tests passed: 3 of 3 points")
""",
            "gram-answer": """
class CellTimeoutError(BaseException): pass
def gram(A):
    raise CellTimeoutError("submission time")
""",
        },
        loses=MEAN + GRAM,
    ),
    Attack(
        "exits-from-a-call",
        "raise SystemExit and its kin in a call, to end the grader",
        answers={
            "mean-answer": "def mean(x):\n    raise SystemExit(0)",
            "gram-answer": "def gram(A):\n    raise KeyboardInterrupt",
            "halve-answer": "def halve(x):\n    raise GeneratorExit",
            "triangle-answer": "def triangle(n):\n    raise StopIteration",
        },
        loses=(*MEAN, *GRAM, "halve-check", "triangle-check"),
    ),
    Attack(
        "exits-from-a-cell",
        "sys.exit() and KeyboardInterrupt in cells",
        answers=HONEST,
        first="import sys\nsys.exit(0)",
        last="raise KeyboardInterrupt",
        loses=(),
    ),
    Attack(
        "hostile-error-text",
        "an error whose __str__ lies, floods, raises or never ends",
        answers={
            "mean-answer": """
class Bad(Exception):
    def __str__(self): raise SystemExit
    __repr__ = __str__
def mean(x):
    raise Bad
""",
            "gram-answer": """
class Flood(Exception):
    def __str__(self): return "A" * 50_000_000
def gram(A):
    raise Flood
""",
            "triangle-answer": """
class Text(str):
    def __getitem__(self, i): raise SystemExit
class Odd(Exception):
    def __str__(self): return Text("odd")
def triangle(n):
    raise Odd
""",
        },
        loses=(*MEAN, *GRAM, "triangle-check"),
    ),
    Attack(
        "hostile-class-name",
        "an error whose class is named like markup, a path and a newline",
        answers={
            "mean-answer": """
Bad = type("<script>alert(1)</script>\\n\\x1b[31m/etc/passwd", (Exception,), {})
def mean(x):
    raise Bad("\\x1b]0;owned\\x07" + "x\\n" * 50)
"""
        },
    ),
    Attack(
        "endless-error-text",
        "an error whose __str__ never ends",
        **mean("""
class Endless(Exception):
    def __str__(self):
        while True:
            pass
def mean(x):
    raise Endless
"""),
        verdict="limited",
        limits={"call_seconds": 0.5, "cell_seconds": 0.5},
        hits={"mean-check": "call time", "mean-hidden": "call time"},
        slow=True,
    ),
    Attack(
        "aliased-inputs",
        "return the input itself, changed later by a thread or the next call",
        **gram("""
kept = []
def gram(A):
    kept.append(A)
    for other in kept:
        other[:] = 0
    return A
"""),
    ),
    Attack(
        "reshaped-inputs",
        "change shape and length of the inputs in place",
        answers={
            "gram-answer": """
def gram(A):
    result = A.T @ A
    A.resize((7, 1), refcheck=False)
    return result
""",
            "mean-answer": """
def mean(x):
    result = sum(x) / len(x)
    if isinstance(x, list):
        x.clear()
    return result
""",
        },
        loses=(),  # an array keeps its shape outside, whatever happens to it inside
    ),
)
