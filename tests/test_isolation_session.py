"""A student process from outside: order, restarts, limits, and what crosses."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import small

from identity_edu.grading.isolation import grade_one
from identity_edu.grading.isolation.sandbox import isolation_problem
from identity_edu.grading.isolation.task import Limits, Result, Task

NO_BUBBLEWRAP = isolation_problem("bubblewrap")
NO_PROCESSES = isolation_problem("rlimits")
in_bubblewrap = pytest.mark.skipif(
    bool(NO_BUBBLEWRAP), reason="bubblewrap is not installed"
)
pytestmark = pytest.mark.skipif(bool(NO_PROCESSES), reason="grading needs fork")
F = small.answer("f-answer", "def f(x):\n    return x")
G = small.answer("g-answer", "def g(x):\n    return x")
QUICK = Limits(cell_seconds=0.4, call_seconds=0.3, total_seconds=20.0)
ECHO = "def f(x):\n    return x"


@pytest.fixture(params=[pytest.param("bubblewrap", marks=in_bubblewrap), "rlimits"])
def level(request):
    """Give both levels of isolation."""
    return request.param


@pytest.fixture
def best():
    """Give the best level that works here."""
    return "rlimits" if NO_BUBBLEWRAP else "bubblewrap"


def grade(level, pairs, answers=None, **changes):
    """Grade a submission, and insist that the grader itself did not fail."""
    result = grade_one.grade_submission(
        small.task(pairs, answers, isolation=level, **changes)
    )
    assert result.verdict != "failed", (result.reason, result.notebook)
    return result


def points(result):
    return [test.points for test in result.tests]


def reasons(result):
    return [test.reason for test in result.tests]


def outputs(result, name):
    """Return the texts that a cell of the executed notebook shows."""
    cell = next(c for c in result.notebook["cells"] if c["id"] == name)
    texts = []
    for output in cell["outputs"]:
        data = output.get("data", {})
        texts.append(output.get("text") or data.get("text/plain") or output["evalue"])
    return "".join(texts)


def checks(name, *sources):
    """Make graded cells of one answer."""
    return [small.visible(f"{name}-check-{k}", s) for k, s in enumerate(sources)]


def test_a_right_answer_gets_its_points(level):
    result = grade(
        level, [F, small.visible("f-check", "assert f(3) == 3")], {"f-answer": ECHO}
    )
    assert (result.verdict, result.reason, result.repairs) == ("graded", "", ())
    assert points(result) == [1.0]
    assert result.isolation.startswith(level)
    assert Result.from_plain(json.loads(json.dumps(result.to_plain()))) == result


def test_an_untouched_notebook_gets_nothing_and_says_why(level):
    pairs = [F, small.visible("f-check", "assert f(3) == 3"), small.words("why")]
    result = grade(level, pairs)
    assert points(result) == [0.0, 0.0]
    assert "`f-answer` stopped. NotImplementedError" in reasons(result)[0]


def test_what_a_call_gives_arrives_exactly(best):
    given = "import numpy as np\nx = np.asfortranarray(np.arange(6.0).reshape(2, 3))"
    test = (
        "y = f(x.astype('>i2'))\n"
        "assert type(y) is np.ndarray\n"
        "assert (y.dtype.str, y.shape, y.flags.f_contiguous) == ('>i2', (2, 3), True)\n"
        "assert f((1, [2.5, None], {'a': 1j})) == (1, [2.5, None], {'a': 1j})\n"
        "assert type(f(np.float32(1))) is np.float32\n"
        "assert np.signbit(f(-0.0))"
    )
    result = grade(
        best, [small.given("setup", given), F, *checks("f", test)], {"f-answer": ECHO}
    )
    assert reasons(result) == [""]


def test_later_cells_do_not_change_earlier_ones(best):
    pairs = [
        small.given("one", "scale = 1"),
        F,
        *checks("f", "assert f(3) == 4"),
        small.given("two", "scale = 100"),
        G,
        *checks("g", "assert g(3) == 106", "assert f(3) == 103"),
    ]
    answers = {
        "f-answer": "def helper(x):\n    return x\n"
        "def f(x):\n    return helper(x) + scale",
        "g-answer": "def helper(x, y):\n    return x * y\ndef g(x):\n"
        "    return helper(x, 2) + scale\ndef f(x):\n    return x + scale",
    }
    assert reasons(grade(best, pairs, answers)) == ["", "", ""]


def test_inputs_changed_in_place_are_seen_where_the_test_asks(best):
    test = (
        "import numpy as np\nfrom identity_edu import checks\n"
        "x = np.ones(2)\n%s\nassert (x == %s).all()"
    )
    plain, asked = test % ("f(x)", 1), test % ("f.changing_inputs(x)", 5)
    caught = test % ("checks.call(f, x)", 1)
    result = grade(
        best,
        [F, *checks("f", plain, asked, caught)],
        {"f-answer": "def f(x):\n    x[:] = 5"},
    )
    assert points(result) == [1.0, 1.0, 0.0]
    assert "changes its argument number 1 in place" in reasons(result)[2]


def test_the_tests_treatment_of_errors_reaches_the_student(best):
    test = "import numpy as np\nwith np.errstate(divide='%s'):\n    f(np.zeros(1))"
    answer = "import numpy as np\ndef f(x):\n    return np.log(x)"
    tests = checks("f", test % "ignore", test % "raise", test % "warn")
    result = grade(best, [F, *tests], {"f-answer": answer})
    assert points(result) == [1.0, 0.0, 0.0]
    assert reasons(result)[1].startswith("FloatingPointError: divide by zero")
    assert "RuntimeWarning: divide by zero" in reasons(result)[2]


def test_errors_arrive_as_built_in_ones(best):
    answer = (
        "class Own(KeyError): pass\n"
        "def f(x):\n    if x == 0: raise Own('k')\n    raise ArithmeticError('a')"
    )
    test = "try: f(%d)\nexcept %s as e: assert type(e) is %s\nelse: assert False"
    tests = [
        test % (0, "KeyError", "KeyError"),
        test % (1, "ArithmeticError", "ArithmeticError"),
    ]
    result = grade(best, [F, *checks("f", *tests, "f(0)")], {"f-answer": answer})
    assert points(result) == [1.0, 1.0, 0.0]
    assert reasons(result)[2].startswith("KeyError: ")


def test_stderr_of_a_call_fails_the_test_in_each_cell_anew(best):
    answer = (
        "import warnings\ndef f(x):\n    warnings.warn('careful')\n    return x\nf(1)"
    )
    tests = checks(
        "f", "f(1)", "f(1)", "import sys\nprint('x', file=sys.stderr)", "1 + 0"
    )
    result = grade(best, [F, *tests], {"f-answer": answer})
    assert points(result) == [0.0, 0.0, 0.0, 1.0]
    assert "UserWarning: careful" in reasons(result)[0]


def test_partial_credit_is_the_value_of_the_last_line(best):
    tests = [
        small.visible(f"t{k}", s, 4) for k, s in enumerate(["f(3)", "f(1.5)", "f(9)"])
    ]
    assert points(grade(best, [F, *tests], {"f-answer": ECHO})) == [3.0, 1.5, 0.0]


def test_what_a_visible_test_prints_is_shown(best):
    answer = "def f(x):\n    print('from f')\n    return x"
    result = grade(best, [F, *checks("f", "print('test', f(1))")], {"f-answer": answer})
    assert outputs(result, "f-check-0") == "from f\ntest 1\n"


def test_what_a_hidden_test_called_is_in_no_reason_and_no_other_cell(best):
    answer = (
        "seen = []\ndef f(x):\n    print(seen)\n    seen.append(x)\n"
        "    if x > 4000: raise ValueError(f'{x}')\n    return x"
    )
    pairs = [
        F,
        small.hidden("f-hidden", "f(4711)"),
        small.visible("f-check", "f(1)"),
        small.given("later", "f(2)"),
    ]
    result = grade(best, pairs, {"f-answer": answer})
    assert points(result) == [0.0, 1.0]
    assert "your code raised ValueError" in reasons(result)[0]
    kept = [c for c in result.notebook["cells"] if c["id"] != "f-hidden"]
    assert "4711" not in json.dumps([kept, result.reason, reasons(result)])


def test_a_hidden_test_may_use_what_an_earlier_one_defined(best):
    pairs = [
        F,
        small.visible("one", "x = 1"),
        small.hidden("h1", "def judge(x): assert f(x) == x == 1\njudge(x)"),
        small.visible("two", "x = 2\nassert 'judge' not in globals()"),
        small.hidden("h2", "assert x == 2\njudge(1)"),
    ]
    assert reasons(grade(best, pairs, {"f-answer": ECHO})) == [""] * 4


def test_figures_of_calls_do_not_pile_up_over_cells(best):
    answer = (
        "import matplotlib.pyplot as plt\ndef f(x):\n    plt.figure()\n    return x"
    )
    tests = checks("f", *["for k in range(15): f(k)"] * 2)
    assert reasons(grade(best, [F, *tests], {"f-answer": answer})) == ["", ""]


def test_a_name_that_is_missing_or_no_plain_data_says_so(best):
    pairs = [
        small.answer("a-answer", "a, b = 1, 2", ""),
        *checks("a", "assert a", "b + 1", "1"),
    ]
    result = grade(best, pairs, {"a-answer": "a = {1}\n1 / 0\nb = 2"})
    assert points(result) == [0.0, 0.0, 1.0]
    assert reasons(result)[0].startswith("`a` must be a function, a number")
    assert reasons(result)[1] == (
        "`b` is not defined: `a-answer` stopped. ZeroDivisionError: division by zero"
    )


def test_a_given_cell_may_call_what_the_student_wrote(best):
    pairs = [F, small.given("use", "y = f(3)"), *checks("f", "assert y == 3")]
    assert points(grade(best, pairs, {"f-answer": ECHO})) == [1.0]


def test_released_files_lie_in_the_working_directories_of_both(
    best, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    pairs = [
        small.given(
            "read", "text = open('data.txt').read()\nopen('made', 'w').close()"
        ),
        F,
        *checks("f", "assert f(1) == text == 'hello'"),
    ]
    answer = "def f(x):\n    return open('data.txt').read()"
    files = {"data.txt": b"hello"}
    assert reasons(grade(best, pairs, {"f-answer": answer}, files=files)) == [""]
    assert list(tmp_path.iterdir()) == []


def test_the_secret_reaches_the_tests_and_not_the_student(best):
    look = "import os, sys\nfrom identity_edu import checks\n"
    answer = look + (
        "mine = checks.exam_rng('p').integers(2**60)\n"
        "def f(x):\n    return [int(mine), str(dict(os.environ)) + str(sys.argv)]"
    )
    test = (
        "from identity_edu import checks\nmine, environment = f(0)\n"
        "assert 'canary' not in environment and 'SECRET' not in environment\n"
        "print(checks.exam_rng('p').integers(2**60))\n"
        "assert mine != checks.exam_rng('p').integers(2**60)"
    )

    def drawn(secret):
        result = grade(
            best, [F, *checks("f", test)], {"f-answer": answer}, secret=secret
        )
        assert reasons(result) == [""]
        return outputs(result, "f-check-0")

    first = drawn("canary-1")
    assert first == drawn("canary-1")
    assert first != drawn("canary-2")


def test_many_added_cells_are_no_reason_to_fail(best):
    task = small.task([F, *checks("f", "f(1)")], {"f-answer": ECHO}, isolation=best)
    document = json.loads(task.submission)
    more = small.cell("x", "print(1)", "free")
    document["cells"] += [more | {"id": f"x{k}"} for k in range(1500)]
    result = grade_one.grade_submission(
        replace(task, submission=json.dumps(document).encode())
    )
    assert (result.verdict, points(result)) == ("graded", [1.0])


@pytest.mark.parametrize("content", [b"", b"\xff", b"{}", b"PK\x03\x04"])
def test_what_is_no_notebook_gets_nothing_and_a_reason(content):
    task = small.task([F, *checks("f", "f(1)"), small.words("why")], submission=content)
    result = grade_one.grade_submission(task)
    assert result.verdict == "unreadable"
    assert points(result) == [0.0, 0.0]
    assert result.reason
    assert reasons(result) == [result.reason] * 2
    assert result.reason in result.notebook["cells"][0]["source"]


END = {
    "exit": "import os\nos._exit(0)",
    "abort": "import os\nos.abort()",
}


@pytest.mark.parametrize("where", ["start", "f-answer", "g-answer", "end"])
def test_a_cell_that_ends_the_process_costs_its_own_points_only(best, where):
    pairs = [F, *checks("f", "assert f(1) == 1"), G, *checks("g", "assert g(2) == 2")]
    released = [r for _, r in pairs]
    answers = {"f-answer": ECHO, "g-answer": ECHO.replace("f", "g", 2)}
    answers["g-answer"] = "def g(x):\n    return x"
    if where in answers:
        answers[where] += "\n" + END["exit"]
    cells = [c | {"source": answers.get(c["id"], c["source"])} for c in released]
    ending = small.cell("ending", END["exit"], "free")
    if where == "start":
        cells.insert(0, ending)
    if where == "end":
        cells.append(ending)
    result = grade(best, pairs, submission=cells)
    assert result.verdict == "limited"
    lost = {"f-answer": [0.0, 1.0], "g-answer": [1.0, 0.0]}.get(where, [1.0, 1.0])
    assert points(result) == lost
    assert "ended its process" in result.reason
    for test in result.tests:
        assert not test.points or test.reason == ""


@pytest.mark.parametrize("how", sorted(END))
def test_a_call_that_ends_the_process_costs_its_own_points_only(level, how):
    inside = "\n".join(f"    {line}" for line in END[how].split("\n"))
    pairs = [
        F,
        *checks("f", "f(1)", "assert f(2) == 2"),
        G,
        *checks("g", "assert g(1) == 1"),
    ]
    answers = {
        "f-answer": f"def f(x):\n    if x == 2: return x\n{inside}",
        "g-answer": "def g(x):\n    return x",
    }
    result = grade(level, pairs, answers)
    assert points(result) == [0.0, 1.0, 1.0]
    assert result.tests[0].limit == "process ended"
    assert "ended its process" in reasons(result)[0]


def test_what_outlasts_a_call_that_ended_the_process_is_run_again(best):
    pairs = [
        small.given("a", "x = [1]"),
        F,
        *checks("f", "f(0)", "assert f(1) == [1, 2]"),
    ]
    answer = "import os\nx.append(2)\ndef f(k):\n    return x if k else os._exit(1)"
    assert points(grade(best, pairs, {"f-answer": answer})) == [0.0, 1.0]


@pytest.mark.slow
def test_a_process_that_never_stops_ending_is_given_up(best):
    sources = ["f(1)"] * 35
    answer = "import os\ndef f(x):\n    os._exit(1)"
    result = grade(best, [F, *checks("f", *sources)], {"f-answer": answer})
    assert points(result) == [0.0] * 35
    assert "ended its process 30 times" in reasons(result)[-1]


@pytest.mark.parametrize(
    "loop",
    [
        "while True: pass",
        pytest.param(
            "while 1:\n        try:\n            len(str(x))\n        except: pass",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "import ctypes; ctypes.CDLL(None).pause()", marks=pytest.mark.slow
        ),
    ],
)
def test_time_of_a_call_is_limited(best, loop):
    pairs = [F, *checks("f", "f(1)", "assert f(2) == 2")]
    answer = f"def f(x):\n    if x == 2: return x\n    {loop}"
    result = grade(best, pairs, {"f-answer": answer}, limits=QUICK)
    assert points(result) == [0.0, 1.0]
    assert result.tests[0].limit == "call time"
    assert result.verdict == "limited"
    assert "0.3 seconds" in reasons(result)[0]


@pytest.mark.parametrize(
    "loop",
    [
        "while True: pass",
        pytest.param(
            "while True:\n    try:\n        len(str(1))\n    except: pass",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_time_of_a_cell_is_limited(best, loop):
    pairs = [F, *checks("f", "assert f(1) == 1"), G, *checks("g", "g(1)")]
    answers = {"f-answer": f"def f(x):\n    return x\n{loop}", "g-answer": "g = abs"}
    result = grade(best, pairs, answers, limits=QUICK)
    assert result.verdict == "limited"
    assert points(result)[1] == 1.0
    assert "`f-answer`" in result.reason


def test_time_of_a_submission_is_limited(best):
    limits = replace(QUICK, call_seconds=60.0, total_seconds=1.5)
    pairs = [F, *checks("f", "f(1)", "f(0)"), *checks("late", "1")]
    answer = "import time\ndef f(x):\n    time.sleep(60 * x)"
    result = grade(best, pairs, {"f-answer": answer}, limits=limits)
    assert points(result) == [0.0, 0.0, 0.0]
    assert {test.limit for test in result.tests} == {"submission time"}
    assert "the whole submission took more than 1.5 seconds" in reasons(result)[-1]


@pytest.mark.parametrize(
    ("answer", "limit"),
    [
        (
            "import numpy as np\ndef f(x):\n    return np.ones((1 << 32, 8)).sum()",
            "memory",
        ),
        ("import numpy as np\ndef f(x):\n    return np.zeros(9 << 20)", "reply"),
    ],
)
def test_memory_and_replies_are_limited(best, answer, limit):
    result = grade(best, [F, *checks("f", "f(1)")], {"f-answer": answer})
    assert points(result) == [0.0]
    assert result.tests[0].limit == limit
    assert result.verdict == "limited"


def test_the_output_of_a_cell_is_limited(best):
    answer = "print('x' * 10_000_000)\ndef f(x): return x"
    result = grade(best, [F, *checks("f", "f(1)")], {"f-answer": answer})
    assert points(result) == [1.0]
    assert result.verdict == "limited"
    assert len(json.dumps(result.to_plain())) < 300_000


def test_disk_is_limited(level):
    answer = (
        "try:\n    open('big', 'wb').write(bytes(40 << 20))\n"
        "except OSError as e: print(e.errno)\ndef f(x): return x"
    )
    result = grade(level, [F, *checks("f", "f(1)")], {"f-answer": answer})
    assert points(result) == [1.0]
    assert outputs(result, "f-answer") == "27\n"


def test_four_threads_grade_at_once(best):
    def one(k):
        pairs = [F, *checks("f", f"assert f({k}) == {k}", f"assert f(0) == {k % 2}")]
        answer = f"def f(x):\n    return x or {k % 2}"
        return points(grade(best, pairs, {"f-answer": answer}, secret=str(k)))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(one, range(12))) == [[1.0, 1.0]] * 12


def test_a_launcher_that_was_killed_is_replaced(best):
    pairs, answers = [F, *checks("f", "f(1)")], {"f-answer": ECHO}
    grade(best, pairs, answers)
    old = grade_one._current.get()
    os.kill(old._process.pid, signal.SIGKILL)
    old._process.wait()
    assert points(grade(best, pairs, answers)) == [1.0]
    assert grade_one._current.get() is not old


@pytest.mark.slow
def test_the_launcher_can_be_closed_and_starts_again(best):
    pairs, answers = [F, *checks("f", "f(1)")], {"f-answer": ECHO}
    grade(best, pairs, answers)
    process = grade_one._current.get()._process
    grade_one.close()
    assert process.returncode is not None
    grade_one.close()
    assert points(grade(best, pairs, answers)) == [1.0]


def test_a_level_that_does_not_exist_is_refused():
    assert "the isolation levels are bubblewrap and rlimits" in isolation_problem(
        "none"
    )


GRADER = """
import sys
sys.path.insert(0, sys.argv[1])
import small
from identity_edu.grading.isolation.grade_one import grade_submission
from identity_edu.grading.isolation.task import Limits
limits = Limits(cell_seconds=900, total_seconds=900)  # it does not end by itself
answer = "while True:\\n    try:\\n        len(str(1))\\n    except: pass"
pairs = [small.answer("f-answer", "f = 1"), small.visible("f-check", "f")]
task = small.task(pairs, {"f-answer": answer}, isolation=sys.argv[2], limits=limits)
grade_submission(task)
"""


def descendants(pid):
    """List the processes that descend from one, by /proc."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text()
                parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found, new = set(), {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return found


def is_there(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def await_that(condition, seconds=60.0):
    """Wait until something holds, for a while."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")
@pytest.mark.parametrize(
    "level",
    [
        pytest.param("bubblewrap", marks=in_bubblewrap),
        pytest.param("rlimits", marks=pytest.mark.slow),
    ],
)
def test_a_grader_that_is_killed_leaves_no_process_behind(level, tmp_path):
    line = [sys.executable, "-c", GRADER, str(Path(small.__file__).parent), level]
    grader = subprocess.Popen(line, env=os.environ | {"TMPDIR": str(tmp_path)})
    family = set()

    def is_running():
        family.update(descendants(grader.pid))
        return len(family) >= (5 if level == "bubblewrap" else 3)

    try:
        assert await_that(is_running)
        assert await_that(lambda: list(tmp_path.glob("examiner-*")))
        is_running()
    finally:
        grader.kill()
    grader.wait()
    assert await_that(lambda: not any(map(is_there, family)))


def test_a_task_survives_json():
    task = small.task([F, *checks("f", "f(1)")], files={"a": b"\x00\xff"}, limits=QUICK)
    again = Task.from_plain(json.loads(json.dumps(task.to_plain())))
    assert again == task
    assert (
        again.tests_sha256
        == task.tests_sha256
        != replace(task, secret="s").tests_sha256
    )
    assert replace(task, files={"a": b"1"}).tests_sha256 != task.tests_sha256
