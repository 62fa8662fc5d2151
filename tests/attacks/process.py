"""Ends, hangs and hijacks of the student process; correct parts keep their points."""

from attacks import target
from attacks.attack import GRAM, HONEST, MEAN, Attack, probe

AUTOMATIC = tuple(n for n, points in target.POINTS.items() if points is not None)
ENDED = {"mean-check": "process ended", "mean-hidden": "process ended"}


def dies(name, tries, action, **changes):
    """Make a submission whose mean() ends the process, and all else is right."""
    answers = {"mean-answer": f"import os, signal, sys\ndef mean(x):\n    {action}"}
    given = {"answers": answers, "verdict": "limited", "hits": ENDED} | changes
    return Attack(name, tries, **given)


def hangs(name, tries, action, **changes):
    """Make a submission whose mean() does not return in time."""
    hit = {"mean-check": "call time", "mean-hidden": "call time"}
    limits = {"call_seconds": 0.5, "cell_seconds": 0.5}
    given = {"limits": limits, "hits": hit, "slow": True} | changes
    return dies(name, tries, action, **given)


def refused(name, tries, action):
    """Make a submission whose mean() tries what the filter of system calls refuses."""
    changes = {"verdict": "graded", "hits": {}, "shows": "PermissionError"}
    return dies(name, tries, action, **changes)


ATTACKS = (
    dies("exit-in-a-call", "os._exit(0) in a call, as if all were well", "os._exit(0)"),
    dies("abort", "os.abort() in a call", "os.abort()"),
    refused("kill-itself", "SIGKILL to itself", "os.kill(os.getpid(), 9)"),
    dies(
        "segmentation-fault",
        "read address 0",
        "import ctypes; ctypes.string_at(0)",
    ),
    refused(
        "kill-everything", "SIGKILL to every process that it sees", "os.kill(-1, 9)"
    ),
    dies(
        "kill-the-holder",
        "SIGKILL to the neighbours in its own pid namespace, one by one",
        "[os.kill(n, 9) for n in range(9, 1, -1) if n != os.getpid()]",
        answers={
            "mean-answer": """
import os
def mean(x):
    for number in range(1, 99):
        if number != os.getpid():
            try:
                os.kill(number, 9)
            except OSError:
                pass
    os._exit(0)
"""
        },
    ),
    Attack(
        "exit-in-a-cell",
        "os._exit(0) in a cell; the cells after it run in a fresh process",
        answers=HONEST,
        first="import os\nos._exit(0)",
        loses=(),
        verdict="limited",
    ),
    Attack(
        "signal-to-all",
        "kill every process that it may, the holder of its namespaces among them",
        answers=HONEST,
        first="import os\nos.kill(-1, 9)",
        loses=(),
        shows="not permitted",
    ),
    Attack(
        "bomb-for-the-others",
        "let every later cell end the process, so that innocent ones are blamed",
        answers=HONEST,
        first="""
import os
from identity_edu.grading.isolation import cell
cell.run = lambda *arguments: os._exit(0)
""",
        loses=(),
        verdict="limited",
    ),
    Attack(
        "exit-in-two-cells",
        "os._exit(0) in the first and in the last cell, and in an answer",
        answers={"mean-answer": "import os\nos._exit(1)"},
        first="import os\nos._exit(0)",
        last="import os\nos._exit(0)",
        verdict="limited",
    ),
    Attack(
        "exit-when-seen",
        "a function that exits at every second call",
        answers={
            "mean-answer": """
import os
def mean(x):
    if len(x) == 9:
        os._exit(0)
    return sum(x) / len(x)
"""
        },
        loses=("mean-hidden",),
        verdict="limited",
        hits={"mean-hidden": "process ended"},
    ),
    hangs("endless-loop", "an endless loop in a call", "\n    while True: pass"),
    hangs(
        "sleep-in-every-call",
        "sleep in every call, to hold up the batch",
        "\n    import time\n    time.sleep(1000)",
    ),
    refused(
        "stopped",
        "SIGSTOP to itself: it would neither answer nor end",
        "os.kill(os.getpid(), signal.SIGSTOP)",
    ),
    hangs(
        "deaf-to-signals",
        "block and ignore every signal and cancel the timer, then hang",
        """
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))
    while True:
        try:
            10 ** 10 ** 7
        except BaseException:
            pass""",
    ),
    hangs(
        "swallowed-timeouts",
        "catch whatever the timer raises, again and again",
        """
    while True:
        try:
            while True: pass
        except BaseException:
            pass""",
    ),
    hangs(
        "endless-c-loop",
        "a regular expression that takes for ever inside C",
        "\n    import re\n    re.match('(a+)+$', 'a' * 60 + 'b')",
    ),
    Attack(
        "endless-cell",
        "an endless loop in a cell; the cells after it still count",
        answers=HONEST,
        first="while True:\n    pass",
        loses=(),
        verdict="limited",
        limits={"cell_seconds": 0.5},
        slow=True,
    ),
    Attack(
        "time-bomb",
        "behave for the checks and hang when the hidden tests come",
        answers={
            "mean-answer": """
import time
def mean(x):
    if len(x) > 3:
        time.sleep(1000)
    return sum(x) / len(x)
"""
        },
        loses=("mean-hidden",),
        verdict="limited",
        limits={"call_seconds": 0.5},
        hits={"mean-hidden": "call time"},
        slow=True,
    ),
    Attack(
        "total-time",
        "stay just below the limit of a call, in every call and cell",
        answers={
            "mean-answer": """
import time
time.sleep(1.2)
def mean(x):
    time.sleep(0.9)
    return sum(x) / len(x)
"""
        },
        loses=AUTOMATIC,
        verdict="limited",
        limits={"call_seconds": 1.0, "cell_seconds": 1.5, "total_seconds": 2.5},
        slow=True,
    ),
    probe(
        "fork-bomb",
        "fork until nothing is left",
        """
for number in range(64):
    attempt("fork", os.fork)
import platform
if platform.machine() == "x86_64":
    attempt("vfork", syscall, 58)
import subprocess, multiprocessing
attempt("shell", os.system, "echo HOLE") if os.system("true") == 0 else None
attempt("subprocess", subprocess.run, ["/bin/sh", "-c", "true"])
attempt("spawn", os.posix_spawn, "/bin/true", ["true"], {})
attempt("execve", os.execv, "/bin/sh", ["sh", "-c", "true"])
""",
    ),
    probe(
        "thread-bomb",
        "start threads until the machine has no numbers left for processes",
        """
import threading, time
threading.stack_size(65536)
n = 0
try:
    for n in range(1000):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
except BaseException as error:
    print("refused thread", n, type(error).__name__)
if n > 300:
    print("HOLE", n, "threads")
""",
    ),
    Attack(
        "outliving-thread",
        "a thread that goes on between calls and rewrites what it finds",
        first="""
import sys, threading, time
def work():
    while True:
        time.sleep(0.001)
        for name, module in list(sys.modules.items()):
            if name.startswith("identity_edu.checks"):
                module.assert_matches = lambda *a, **k: None
        globals()["choice"] = "b"
try:
    threading.Thread(target=work, daemon=True).start()
except RuntimeError:
    print("no thread")
""",
    ),
    Attack(
        "atexit-and-del",
        "hooks that run when the process ends or an object dies",
        first="""
import atexit, gc, os, signal, weakref
class Late:
    def __del__(self):
        print("late")
        os._exit(0) if globals().get("armed") else None
kept = Late()
atexit.register(lambda: print("attacker-was-here", file=open("late", "w")))
gc.callbacks.append(lambda phase, info: None)
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGALRM):
    signal.signal(number, lambda *a: None)
""",
    ),
    Attack(
        "trace-hooks",
        "sys.settrace, setprofile and audit hooks that rewrite returned values",
        first="""
import sys
def trace(frame, event, argument, kept=[]):
    if frame.f_code.co_name == "call" and "result" in frame.f_locals:
        frame.f_locals["result"] = -1.0
    return kept[0]
trace.__defaults__[0].append(trace)
sys.settrace(trace)
sys.setprofile(lambda *a: None)
sys.addaudithook(lambda *a: None)
""",
        answers=HONEST,
        loses=(*MEAN, *GRAM, "triangle-check"),
    ),
    Attack(
        "standard-streams",
        "replace, close and break stdout and stderr, and write around them",
        first="""
import os, sys
class Bad:
    def write(self, text): raise SystemExit
    def flush(self): raise SystemExit
    encoding = property(lambda self: 1 / 0)
os.write(1, b"attacker-was-here" * 1000)
os.write(2, b"attacker-was-here" * 1000)
sys.__stdout__.write("x" * 100_000)
sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = Bad()
sys.excepthook = sys.unraisablehook = sys.displayhook = None
os.close(1)
os.close(2)
""",
    ),
    Attack(
        "endless-recursion",
        "recursion without end, with the limit set to a billion",
        answers={
            "mean-answer": """
import sys
def mean(x):
    sys.setrecursionlimit(10**9)
    return mean(x)
"""
        },
        limits={"call_seconds": 0.5, "cell_seconds": 0.5, "memory_mb": 256},
        verdict="limited",
        slow=True,
    ),
    Attack(
        "interpreter-sabotage",
        "change the interpreter under the loop: limits, hooks, the collector",
        answers={"gram-answer": "def gram(A):\n    return A"},
        first="""
import builtins, gc, json, struct, sys, time
sys.setswitchinterval(1e-6)
gc.disable()
sys.set_int_max_str_digits(0)
json.encoder.c_make_encoder = None
time.monotonic = lambda: 0.0
sys.dont_write_bytecode = False
""",
        loses=GRAM,
    ),
)
