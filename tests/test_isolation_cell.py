"""One cell as Jupyter runs it, its points, its outputs, and the stand-ins for names."""

import base64
import io
import math
import signal
import struct
import sys
import threading
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity_edu.grading.isolation import cell, notebook, proxies, student, verdict
from identity_edu.grading.isolation.merge import MergedCell
from identity_edu.grading.isolation.session import StudentEndedError
from identity_edu.grading.isolation.source import UnavailableError

# The alarm may ring while a weak reference is dropped; then it rings once more.
rings = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
needs_timers = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="the platform has no interval timers"
)


@pytest.fixture(autouse=True)
def _restored():
    """Leave warnings, figures and names of this process as they were."""
    main = sys.modules["__main__"]
    with warnings.catch_warnings():
        warnings.showwarning = _print_warning  # pytest records them
        yield
    sys.modules["__main__"] = main
    plt.close("all")


def _print_warning(message, category, filename, lineno, file=None, line=None):
    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))


def run(source, namespace=None, seconds=20.0, most=(1000, 1 << 20)):
    """Run a cell: what it showed, its value, its error, its names."""
    namespace = {"__name__": "__main__"} if namespace is None else namespace
    shown = cell.Shown(*most)
    value, error = cell.run(source, namespace, shown, seconds, "<a-cell>")
    return shown.outputs, value, error


def shown_by(source, **options):
    outputs, _, error = run(source, **options)
    assert error is None, error
    return outputs


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("3", 3),
        ("x = 3\nx", 3),
        ("x = 3", None),
        ("3;", None),
        ("3; ", None),
        ("3 ; # quiet", None),
        ("3 # not quiet ;", 3),
        ("'quiet;'", "quiet;"),
        ("(3);", None),
        ("1; 2", 2),
        ("None", None),
        ("def f():\n    return 3", None),
        ("for k in range(3):\n    k", None),
        ("3\n\n# the end\n", 3),
        ("3\r\n4\r\n", 4),
        ("3\r4\r", 4),
        ("x = (1 +\n  2)\nx", 3),
        ("'''a\n;'''", "a\n;"),
        ("", None),
        ("# only a comment", None),
        ("\n\n", None),
        ("\x0c\n3", 3),
        ("größe = 3\ngröße", 3),
        ("if True:\n\tx = 3\nx", 3),
        ("%matplotlib inline\n3", 3),
        ("%matplotlib   inline  \n3", 3),
        ("\n  # pasted\n  x = 3\n  x", 3),
        ("    %matplotlib inline\n    3", 3),
        ("if True:\n    %matplotlib inline\n3", 3),
        ("%matplotlib inline", None),
        ("x = '''\n%matplotlib inline\n'''\nlen(x)", 20),
        ("a, b = 7, 4\na\\\n % b", 3),
    ],
)
def test_the_value_is_that_of_the_last_expression(source, value):
    outputs, found, error = run(source)
    assert error is None
    assert found == value
    assert outputs == ([] if value is None else [["result", repr(value)]])


@pytest.mark.parametrize(
    "line",
    [
        "%%time",
        "%time f()",
        "%timeit f()",
        "%load_ext autoreload",
        "%matplotlib notebook",
        "!pip install numpy",
        "?print",
        "print?",
        "np.linalg??",
        "files = !ls",
        "x = %time f()",
    ],
)
def test_a_command_of_jupyter_is_named(line):
    outputs, _, error = run(f"x = 1\n{line}\ny = 2")
    assert isinstance(error, UnavailableError)
    assert f"`{line}`" in outputs[-1][2]
    assert "\n" not in outputs[-1][2]


@pytest.mark.parametrize(
    "source",
    [
        "print('%d'\n      % 3",
        "# is it so?\nx = = 1",
        "'''Is it?\n%s\n'''\nx = = 1".replace("%s", "% s"),
        "x = (1\nif x != 2: pass",
    ],
)
def test_a_mistake_is_not_taken_for_a_command(source):
    assert isinstance(run(source)[2], SyntaxError)


def test_statements_before_an_error_have_run():
    names = {}
    outputs, value, error = run("x = 1\nprint(x)\n1 / 0\ny = 2", names)
    assert names["x"] == 1
    assert "y" not in names
    assert value is None
    assert isinstance(error, ZeroDivisionError)
    assert outputs == [["stdout", "1\n"], ["error", *_error_of("division by zero")]]


def _error_of(message, name="ZeroDivisionError"):
    return [name, message]


def test_imports_from_the_future_hold_for_later_cells():
    names = {}
    run("from __future__ import annotations", names)
    assert run("def f(x: Undefined) -> Unknown:\n    return x", names)[2] is None
    assert isinstance(run("def f(x: Undefined): pass", {})[2], NameError)


@pytest.mark.parametrize(
    "end", ["SystemExit()", "KeyboardInterrupt()", "GeneratorExit()"]
)
def test_no_exception_ends_more_than_its_cell(end):
    assert type(run(f"raise {end}")[2]).__name__ == end[:-2]


def test_an_error_that_cannot_be_shown_is_an_error():
    source = "class E(Exception):\n    def __str__(self): raise self\nraise E"
    assert run(source)[0] == [["error", "E", "(an error that cannot be shown)"]]


def test_what_is_printed_comes_out_in_order():
    source = (
        "import sys\nprint('a')\nprint('b', end='')\nprint('c', file=sys.stderr)\n"
        "display(1, 'x')\nprint('d')\n2"
    )
    assert shown_by(source) == [
        ["stdout", "a\nb"],
        ["stderr", "c\n"],
        ["result", "1\n"],
        ["result", "'x'\n"],
        ["stdout", "d\n"],
        ["result", "2"],
    ]


def test_streams_say_what_they_are():
    source = "import sys\n(sys.stdout.encoding, sys.stdout.writable())"
    assert run(source)[1] == ("utf-8", True)


def test_a_stream_that_was_kept_writes_to_the_cell_that_runs():
    names = {}
    run("import sys\nkept = sys.stderr", names)
    assert run("print('late', file=kept)", names)[0] == [["stderr", "late\n"]]


def test_output_is_cut_and_the_cut_is_said():
    shown = cell.Shown(10, 0)
    _, error = cell.run("print('x' * 8)\nprint('y' * 8)\nprint('z')", {}, shown, 9.0)
    assert error is None
    assert shown.is_cut
    assert shown.outputs == [["stdout", "x" * 8 + "\ny" + cell.CUT]]


def pixels(entry):
    """Read the size of a figure, and see that it is a picture."""
    kind, data = entry
    assert kind == "figure"
    assert plt.imread(io.BytesIO(data.tobytes())).ndim == 3
    return struct.unpack(">II", data[16:24].tobytes())


def test_figures_are_shown_at_the_end_and_by_show():
    source = (
        "import matplotlib.pyplot as plt\nplt.plot([1])\nplt.show()\nprint('between')\n"
        "plt.figure(figsize=(2, 1));"
    )
    first, between, last = shown_by(source)
    assert between == ["stdout", "between\n"]
    assert pixels(first) != pixels(last) == (2 * cell.DPI, cell.DPI)
    assert plt.get_fignums() == []


def test_figures_of_a_cell_that_failed_are_shown():
    outputs, _, error = run("import matplotlib.pyplot as p\np.figure()\n1 / 0")
    assert isinstance(error, ZeroDivisionError)
    assert [o[0] for o in outputs] == ["error", "figure"]


def test_figures_beyond_the_limit_are_dropped():
    source = "import matplotlib.pyplot as p\nfor _ in range(3): p.figure()"
    size = len(shown_by(source)[0][1])
    assert len(shown_by(source, most=(0, 2 * size))) == 2
    assert plt.get_fignums() == []


def test_a_figure_that_cannot_be_drawn_is_gone_in_the_next_cell():
    bad = "import matplotlib.pyplot as p\np.title(r'$\\frac$')\nx = 1"
    assert isinstance(run(bad)[2], ValueError)
    assert run("x = 2")[2] is None


def test_pyplot_is_as_it_was():
    before = plt.show, sys.stdout, sys.stderr
    run("1 / 0")
    assert (plt.show, sys.stdout, sys.stderr) == before


def stderr_of(source, names=None):
    texts = [text for kind, text, *_ in run(source, names)[0] if kind == "stderr"]
    return "".join(texts)


def test_warnings_reach_stderr_as_in_jupyter():
    cell.warn_as_jupyter()
    start = "import warnings\nwarnings.warn('oh', %s)"
    names = {"__name__": "__main__"}
    for kind in (
        "UserWarning",
        "RuntimeWarning",
        "FutureWarning",
        "DeprecationWarning",
    ):
        assert f"<a-cell>:2: {kind}: oh" in stderr_of(start % kind, names)
    for kind in ("PendingDeprecationWarning", "ImportWarning", "ResourceWarning"):
        assert stderr_of(start % kind, names) == ""
    elsewhere = {"__name__": "elsewhere"}
    assert stderr_of(start % "DeprecationWarning", elsewhere) == ""
    assert "divide by zero" in stderr_of("import numpy as np\nnp.log(np.zeros(1))")


@rings
@needs_timers
@pytest.mark.parametrize(
    "source",
    [
        "while True: pass",
        "import time\ntime.sleep(60)",
        "try:\n    while True: len('')\nexcept Exception: pass",
        "try:\n    while True: len('')\nexcept: pass\nwhile True: len('')",
        pytest.param(
            "import time\nfor _ in range(2):\n    try: time.sleep(60)\n"
            "    except: pass\ntime.sleep(60)",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_time_is_limited(source):
    outputs, _, error = run(source, seconds=0.1)
    assert cell.limit_hit(error) == "cell time"
    assert outputs[-1] == ["error", *_error_of(str(error), "CellTimeoutError")]
    assert "0.1 seconds" in str(error)
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_no_time_is_held_outside_the_main_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(run("3", seconds=0.01)[1]))
    thread.start()
    thread.join()
    assert found == [3]


@pytest.mark.parametrize(
    ("error", "limit"),
    [
        (MemoryError(), "memory"),
        (OSError(28, "full"), "disk"),
        (OSError(27, "too large"), "disk"),
        (OSError(2, "missing"), ""),
        (ValueError(), ""),
        (None, ""),
    ],
)
def test_limits_are_told_from_errors(error, limit):
    assert cell.limit_hit(error) == limit


# --- the loop inside, without a process of its own

LIMITS = {"cell_seconds": 20.0, "call_seconds": 0.2, "output_kb": 1, "figure_kb": 1000}


@pytest.fixture
def inside():
    return student.Notebook(LIMITS)


def call(inside, key, name, *args, give_back=False):
    return inside.call((key, name), list(args), {}, np.geterr(), give_back)


def test_a_function_sees_the_names_of_its_place(inside):
    inside.cell("one", "def h(x): return x\ndef f(): return h(1) + k\nk = 10", False)
    inside.cell("one-check", "", True)
    inside.cell(
        "two", "def h(x, y): return x\ndef g(): return h(2, 0) + k\nk = 20", False
    )
    inside.cell("two-check", "", True)
    inside.cell("three", "del f, g\nk = None", False)
    assert inside.names("one-check", ["f", "g"]) == {"f": ["function"]}
    assert call(inside, "one-check", "f")[:2] == ["returned", 11]
    assert call(inside, "two-check", "g")[:2] == ["returned", 22]
    assert call(inside, "two-check", "f")[0] == "raised"
    assert call(inside, "one-check", "f")[:2] == ["returned", 11]


def test_a_function_does_not_see_names_of_later_cells(inside):
    inside.cell("one", "def f(): return 'late' in globals()", False)
    inside.cell("one-check", "", True)
    inside.cell("two", "late = 1", False)
    inside.names("one-check", ["f"])
    assert call(inside, "one-check", "f")[1] is False


def test_a_function_may_keep_state_between_the_calls_of_a_cell(inside):
    source = "n = 0\ndef count():\n    global n\n    n += 1\n    return n"
    inside.cell("a", source, False)
    inside.cell("check", "", True)
    inside.names("check", ["count"])
    assert [call(inside, "check", "count")[1] for _ in range(3)] == [1, 2, 3]


def test_names_of_the_students_own_survive(inside):
    inside.cell("a", "def display(x): return x\n__name__", False)
    outputs = inside.cell("b", "display(3)", False)[1]
    assert outputs == [["result", "3"]]


def test_the_names_are_those_of_the_main_module(inside):
    source = (
        "import doctest, inspect, pickle\n"
        "class A: pass\n"
        "def f():\n    '''\n    >>> f()\n    1\n    '''\n    return 1\n"
        "pickle.loads(pickle.dumps(A()))\n"
        "print(doctest.testmod().attempted, inspect.getsource(f)[:8])"
    )
    assert inside.cell("a", source, False)[1] == [["stdout", "1 def f():\n"]]


def test_values_and_what_is_none_are_told_apart(inside):
    inside.cell("a", "x = 3\ny = {1}\nz = lambda: 1\nclass C: pass", False)
    inside.cell("check", "", True)
    found = inside.names("check", ["x", "y", "z", "C", "w"])
    assert found == {
        "x": ["value", 3],
        "y": ["unfit", "a value of type set"],
        "z": ["function"],
        "C": ["function"],
    }


def test_each_cell_counts_its_warnings_anew(inside):
    cell.warn_as_jupyter()
    source = "import warnings\ndef f(): warnings.warn('oh')\nf()"
    assert "oh" in inside.cell("a", source, False)[1][0][1]
    for key in ("one", "two"):
        inside.cell(key, "", True)
    for key in ("one", "two", "one"):
        inside.names(key, ["f"])
        assert "UserWarning: oh" in call(inside, key, "f")[-1]
        assert call(inside, key, "f")[-1] == ""


def defined(inside, source):
    inside.cell("a", source, False)
    inside.cell("check", "", True)
    inside.names("check", ["f"])


@pytest.mark.parametrize(
    ("source", "reply"),
    [
        ("def f(): return 1", ["returned", 1, None, "", ""]),
        ("def f(): print('p')", ["returned", None, None, "p\n", ""]),
        ("def f(): raise KeyError('k')", "KeyError"),
        ("class E(ValueError): pass\ndef f(): raise E('e')", "E"),
        ("import sys\ndef f(): sys.exit()", "SystemExit"),
        pytest.param(
            "def f():\n    while True: pass", ["overtime"], marks=needs_timers
        ),
        ("def f(x): return x", "TypeError"),
    ],
)
@rings
def test_a_call_is_answered(inside, source, reply):
    defined(inside, source)
    found = call(inside, "check", "f")
    if isinstance(reply, str):
        assert found[0] == "raised"
        assert found[1][0] == reply
        assert found[1][-1] == "object"
    else:
        assert found == reply


def test_arguments_come_back_only_where_they_were_changed(inside):
    defined(inside, "def f(x, y):\n    if y: x[0] = 5")
    assert call(inside, "check", "f", [1], 0, give_back=True)[2] is None
    assert call(inside, "check", "f", [1], 1, give_back=True)[2] == [[5], 1]
    assert call(inside, "check", "f", [1], 1)[2] is None


def test_a_call_is_under_the_treatment_of_errors_that_was_sent(inside):
    defined(inside, "import numpy as np\ndef f(): return np.float64(1) / 0")
    errors = dict.fromkeys(("divide", "over", "under", "invalid"), "raise")
    assert (
        inside.call(("check", "f"), [], {}, errors, False)[1][0] == "FloatingPointError"
    )
    errors["divide"] = "ignore"
    assert inside.call(("check", "f"), [], {}, errors, False)[1] == math.inf


class Silent:
    """A channel that keeps what was sent, and packs it as the real one does."""

    def __init__(self):
        self.sent = []

    def send(self, value):
        student.wire.pack(value)
        self.sent.append(value)


@pytest.mark.parametrize(
    "source", ["def f(x): return {1}", "def f(x): x.append({1})", "f = {1}.union"]
)
def test_what_is_not_plain_is_answered_with_what_it_is(inside, source):
    defined(inside, source)
    channel = Silent()
    request = ["call", ("check", "f"), [[1]], {}, np.geterr(), True]
    student._answer(channel, inside, *request)
    assert channel.sent == [["unfit", "a value of type set"]]


# --- points and reasons

MARKS = {"grade_id": "f-check", "points": 2}
VISIBLE, HIDDEN = "assert f()", f"{verdict.HIDDEN}\nassert f()"


def judged(source=VISIBLE, outputs=(), value=None, error=None):
    return verdict.judge(MARKS, source, (list(outputs), value, error))


@pytest.mark.parametrize(
    ("value", "points"),
    [
        (None, 2.0),
        (0, 0.0),
        (0.5, 0.5),
        (2, 2.0),
        (np.float64(1.5), 1.5),
        (np.int64(1), 1.0),
        (True, 2.0),
        (False, 2.0),
        ("1", 2.0),
        ([1], 2.0),
        (np.array([1.0]), 2.0),
        (3, 0.0),
        (-1, 0.0),
        (math.nan, 0.0),
        (math.inf, 0.0),
        (10**400, 0.0),
        (np.float64("nan"), 0.0),
        (np.complex128(1), 0.0),
    ],
)
def test_a_number_is_partial_credit(value, points):
    result = judged(value=value)
    assert result.points == points
    assert result.max_points == 2.0
    assert bool(result.reason) == (points < 2.0)


def test_stderr_costs_the_points_and_stdout_does_not():
    assert judged(outputs=[["stdout", "text"]]).points == 2.0
    result = judged(outputs=[["stdout", "text"], ["stderr", "x:1: UserWarning: oh\n"]])
    assert result.points == 0.0
    assert result.reason == "printed to stderr: x:1: UserWarning: oh"
    result = judged(HIDDEN, outputs=[["stderr", "x:1: UserWarning: of 4711\n"]])
    assert result.reason.startswith("UserWarning was printed")
    assert "4711" not in result.reason


ended = StudentEndedError("the code ended its process", "process ended")


@pytest.mark.parametrize(
    ("error", "visible", "hidden"),
    [
        (AssertionError("divide by n"), "divide by n", "divide by n"),
        (AssertionError(), "This check failed.", "This check failed."),
        (ValueError("4711"), "ValueError: 4711", "ValueError was raised here."),
        (
            proxies.marked(ValueError("4711"), "student"),
            "ValueError: 4711",
            "your code raised ValueError on a problem you have not seen.",
        ),
        (
            proxies.marked(AssertionError("4711"), "student"),
            "AssertionError: 4711",
            "your code raised AssertionError on a problem you have not seen.",
        ),
        (
            proxies.marked(NotImplementedError("4711"), "student"),
            "NotImplementedError: 4711",
            "the line that raises NotImplementedError is still there.",
        ),
        (proxies.marked(TypeError("`f` must"), "grader"), "`f` must", "`f` must"),
        (ended, ended.reason, ended.reason),
    ],
)
def test_the_reason_tells_no_more_than_it_may(error, visible, hidden):
    assert judged(error=error).reason == visible
    assert judged(HIDDEN, error=error).reason == hidden
    assert judged(error=error).points == 0.0


def test_the_limit_is_named():
    assert judged(error=ended).limit == "process ended"
    assert judged(error=proxies._error(["MemoryError"], "")).limit == "memory"
    assert judged(error=MemoryError()).limit == ""  # the test's own


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\n\tb\x1b[31mc\u202ed", "a b [31mc d"),
        ("/home/ada/course/secret.py:3", "....py:3".replace("....py", ".../secret.py")),
        (r"in C:\Users\ada\x.py", r"in ...\x.py"),
        ("a/b and 1/2", "a/b and 1/2"),
        ("x" * 100, "x" * 49 + "…"),
    ],
)
def test_a_reason_is_one_printable_line_without_folders(text, line):
    assert verdict.tidy(text, 50) == line


def test_a_long_text_is_cut_before_it_is_searched():
    assert len(verdict.tidy("-/" * 2_000_000, 600)) <= 600


# --- the executed notebook

PNG = np.frombuffer(
    notebook.PNG + struct.pack(">IIII", 0, 0, 9, 9) + bytes(9), np.uint8
)


def kept(shown, text, figures):
    return notebook.outputs_of(shown, notebook.Room(text, figures))


def test_outputs_become_those_of_a_notebook():
    shown = [
        ["stdout", "a"],
        ["stderr", "b"],
        ["result", "3"],
        ["figure", PNG],
        ["error", "E", "m"],
    ]
    made = kept(shown, 1000, 1000)
    assert [o["output_type"] for o in made] == [
        "stream",
        "stream",
        "execute_result",
        "display_data",
        "error",
    ]
    assert made[0]["name"], made[1]["name"] == ("stdout", "stderr")
    assert made[2]["data"] == {"text/plain": "3"}
    assert base64.b64decode(made[3]["data"]["image/png"]) == PNG.tobytes()
    assert made[4] == {
        "output_type": "error",
        "ename": "E",
        "evalue": "m",
        "traceback": ["E: m"],
    }


@pytest.mark.parametrize(
    "entry",
    [
        None,
        3,
        [],
        [[]],
        [None, "x"],
        [np.zeros(2), "x"],
        [["stdout"], "x"],
        ["stdout"],
        ["stdout", 3],
        ["stdout", "a", "b"],
        ["html", "<b>"],
        ["figure", "text"],
        ["figure", np.zeros(100, np.uint8)],
        ["figure", PNG.astype(float)],
        ["figure", PNG.reshape(1, -1)],
        ["figure", PNG[:20]],
        ["figure", np.concatenate([PNG, np.zeros(2000, np.uint8)])],
        ["error", "E"],
        {"stdout": "x"},
        ("stdout", "x"),
    ],
)
def test_what_is_no_output_is_left_out(entry):
    shown = [["stdout", "a"], entry, ["stdout", "b"]]
    texts = [o["text"] for o in kept(shown, 1000, 1000)]
    assert texts == ["a", "b"]


@pytest.mark.parametrize("shown", [None, 3, "text", {}, np.zeros(3), ("stdout", "x")])
def test_what_is_no_list_of_outputs_is_none(shown):
    assert kept(shown, 1000, 1000) == []


def test_the_bounds_of_outputs_are_held_whatever_was_sent():
    floods = [["stdout", "x" * 600]] * 3
    assert sum(len(o["text"]) for o in kept(floods, 1000, 0)) == 1000
    assert len(kept([["figure", PNG]] * 5, 0, 2 * len(PNG))) == 2
    assert len(kept([["stdout", "x"]] * 500, 1000, 0)) <= 50


def test_the_room_of_a_submission_is_shared_by_its_cells():
    room = notebook.Room(1000, 0)
    for k in range(3):
        made = notebook.outputs_of([["stdout", "x" * 400]], room)
        assert sum(len(o["text"]) for o in made) == [400, 400, 200][k]


def test_a_picture_of_a_million_pixels_a_side_is_none():
    bomb = PNG.copy()
    bomb[16:20] = 255
    assert kept([["figure", bomb]], 0, 1000) == []


def test_text_has_no_escapes():
    made = kept([["stdout", "a\x1b[2J\x07\u202e\n\tb"]], 1000, 0)
    assert made[0]["text"] == "a\ufffd[2J\ufffd\ufffd\n\tb"


def room():
    return notebook.Room(10**6, 0)


def test_markdown_of_a_student_has_no_html():
    made = notebook.cell_dict(
        MergedCell("why", "markdown", "a <b> <script>x", "text answer", {}), [], room()
    )
    assert made["source"] == "a < b> < script>x"
    theirs = MergedCell("a", "raw", "<i>", "added", {})
    assert notebook.cell_dict(theirs, [], room())["cell_type"] == "markdown"
    ours = MergedCell("t", "markdown", "<b>", "locked", {})
    assert notebook.cell_dict(ours, [], room())["source"] == "<b>"


def test_texts_are_cut_together_as_well():
    part, small = (
        MergedCell("a", "markdown", "*a" * 40, "added", {}),
        notebook.Room(99, 0),
    )
    shown = [notebook.cell_dict(part, [], small)["source"] for _ in range(3)]
    assert shown[0] == "*a" * 40
    assert shown[1].startswith("*a" * 9 + "*\n...")
    assert shown[2] == "\n... and 80 more characters"


@pytest.mark.parametrize("kind", ["code", "markdown"])
def test_a_giant_cell_is_cut_where_people_read_it(kind):
    part = MergedCell("a", kind, "x" * 20_000, "added", {})
    made = notebook.cell_dict(part, [], room())["source"]
    assert made == "x" * notebook.MAX_SHOWN + "\n... and 10,000 more characters"


def test_no_blank_line_has_spaces_which_would_take_a_lexer_minutes():
    code = "def f():\n" + " \n\t\n" * 10 + "    return 1 \r\n"
    part = MergedCell("a", "code", code, "answer", {})
    shown = "def f():\n" + "\n" * 20 + "    return 1\n"
    assert notebook.cell_dict(part, [], room())["source"] == shown
    released = MergedCell("a", "code", "a = 1 ", "answer", {}, is_unchanged=True)
    assert notebook.cell_dict(released, [], room())["source"] == "a = 1 "


def test_a_test_cell_is_the_references():
    part = MergedCell("t", "code", "# unseen", "test", MARKS, "assert f()")
    made = notebook.cell_dict(part, [], room())
    assert made["source"] == "assert f()"
    assert made["metadata"] == {"nbgrader": MARKS}


# --- the stand-ins


class Scripted:
    """A session that answers what it was told to."""

    def __init__(self, reply=None, names=None):
        self.reply, self.found, self.calls = reply, names or {}, []

    def names(self, key, names):
        return self.found

    def call(self, key, name, args, kwargs, *, give_back):
        self.calls.append((key, name, args, kwargs, give_back))
        return self.reply


def proxy(*reply):
    return proxies.RemoteFunction(Scripted(list(reply)), "f-check", "f")


def returned(value, changed=None):
    return "returned", value, changed, "", ""


def test_a_stand_in_asks_and_answers():
    session = Scripted(list(returned(3)))
    function = proxies.RemoteFunction(session, "f-check", "f")
    assert function(1, b=2) == 3
    assert session.calls == [("f-check", "f", [1], {"b": 2}, False)]
    assert function.__name__ == "f"
    assert repr(function) == "<function f>"
    assert callable(function)


def test_what_a_call_printed_is_printed_again(capsys):
    proxy("returned", None, None, "out", "complaint")()
    assert capsys.readouterr() == ("out", "complaint")
    with pytest.raises(ValueError, match="v"):
        proxy("raised", ["ValueError"], "v", "out", "complaint")()
    assert capsys.readouterr() == ("out", "complaint")


def test_changed_inputs_are_seen_where_asked_for():
    array, inside, table = np.zeros(2), [np.zeros(2)], {"a": 1}
    now = [np.ones(2), [5], {"b": 2}, 7]
    function = proxy(*returned(None, now))
    function(array, inside, table, 3)
    assert (array == 0).all()
    function.changing_inputs(array, inside, table, 3)
    assert (array == 1).all()
    assert inside == [5]
    assert table == {"b": 2}


def test_changed_inputs_inside_a_tuple_are_seen():
    array = np.zeros(2)
    proxy(*returned(None, [(np.ones(2), 3)])).changing_inputs((array, 3))
    assert (array == 1).all()


@pytest.mark.parametrize("changed", [None, 3, [], [1, 2], (1,), np.zeros(1), "x"])
def test_forged_changes_are_passed_over(changed):
    array = np.zeros(2)
    proxy(*returned(None, changed)).changing_inputs(array)
    assert (array == 0).all()


@pytest.mark.parametrize("now", [np.ones(3), np.ones((2, 1)), [1, 1], None, "x"])
def test_an_input_of_another_shape_stays_as_it_was(now):
    array = np.zeros(2)
    proxy(*returned(None, [now])).changing_inputs(array)
    assert (array == 0).all()


@pytest.mark.parametrize(
    ("names", "kind", "message"),
    [
        (["ValueError", "Exception"], ValueError, "m"),
        (["Own", "ValueError", "Exception"], ValueError, "m"),
        (["LinAlgError", "ValueError"], np.linalg.LinAlgError, "m"),
        (["AxisError", "ValueError", "IndexError"], ValueError, "m"),
        (["Own", "Exception", "BaseException"], Exception, "Own: m"),
        (["UnicodeDecodeError", "UnicodeError", "ValueError"], ValueError, "m"),
        (["ExceptionGroup", "BaseExceptionGroup", "Exception"], Exception, "m"),
        (["SystemExit", "BaseException"], RuntimeError, "SystemExit: m"),
        (["NotImplementedError", "RuntimeError"], NotImplementedError, "m"),
        (["OSError"], OSError, "m"),
        ([], RuntimeError, "an error: m"),
        (None, RuntimeError, "an error: m"),
        ([3, [], "KeyError"], KeyError, "m"),
    ],
)
def test_an_error_is_the_nearest_built_in_one(names, kind, message):
    with pytest.raises(kind, match=message) as error:
        proxy("raised", names, "m", "", "")()
    assert type(error.value) is kind
    assert error.value.origin == "student"


def test_no_error_of_a_student_is_taken_for_the_graders():
    for name in ("StudentEndedError", "CellTimeoutError", "IsolationError"):
        with pytest.raises(RuntimeError):
            proxy("raised", [name, "BaseException"], "m", "", "")()


def test_an_unfit_answer_says_what_it_was():
    with pytest.raises(TypeError, match=r"`f` must return .* it returned a value of"):
        proxy("unfit", "a value of type set")()


@pytest.mark.parametrize(
    "reply",
    [
        ("returned",),
        ("returned", 1, None, ""),
        ("raised", [], ""),
        ("unfit",),
        ("ready",),
        ("",),
        ("returned", 1, None, "", "", 2),
    ],
)
def test_what_is_no_answer_ends_the_test(reply):
    with pytest.raises(StudentEndedError) as error:
        proxy(*reply)()
    assert error.value.limit == "reply"


def test_names_are_bound_or_taken_out():
    found = {
        "f": ["function"],
        "x": ["value", 3],
        "u": ["unfit", "a value of type set"],
        "abs": ["value", "mine"],
    }
    names = {"f": "the reference's", "missing": "the reference's", "np": np}
    unfit = proxies.bind(
        Scripted(names=found), "f-check", names, ["f", "x", "u", "missing"]
    )
    assert isinstance(names.pop("f"), proxies.RemoteFunction)
    assert names == {"x": 3, "np": np}
    assert list(unfit) == ["u"]
    assert "`u` must be" in unfit["u"]
    assert "a value of type set" in unfit["u"]


@pytest.mark.parametrize(
    "told",
    [
        3,
        "function",
        [],
        [3],
        [[]],
        [np.zeros(2)],
        ["value"],
        ["value", 1, 2],
        ["other"],
        {"function": 1},
        np.zeros(3),
    ],
)
def test_a_forged_name_is_no_name(told):
    names = {"f": "the reference's"}
    assert proxies.bind(Scripted(names={"f": told}), "k", names, ["f"]) == {}
    assert names == {}


anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.sampled_from(["returned", "raised", "unfit", "value", "function", "stdout"]),
        st.just(np.zeros(2)),
    ),
    lambda inside: st.one_of(
        st.lists(inside, max_size=5),
        st.lists(inside, max_size=3).map(tuple),
        st.dictionaries(st.sampled_from(["f", "x"]), inside, max_size=2),
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(anything, max_size=4), st.sampled_from(["returned", "raised", "unfit"]))
def test_no_reply_harms_the_one_who_asks(rest, kind):
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
    try:
        proxy(kind, *rest).changing_inputs(np.zeros(2), [1])
    except (StudentEndedError, Exception) as error:
        speaker = getattr(error, "origin", getattr(error, "limit", ""))
    else:
        speaker = "student"
    finally:
        sys.stdout, sys.stderr = streams
    assert speaker in ("student", "grader", "reply")
    proxies.bind(Scripted(names={"f": [kind, *rest]}), "k", {}, ["f"])
    assert isinstance(kept([[kind, *rest], *rest], 100, 100), list)
