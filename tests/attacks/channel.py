"""Attacks on the socket between the student process and the examiner."""

from attacks import target
from attacks.attack import GRAM, HONEST, MEAN, Attack

# Finds the channel in the frames below, the socket, and the code of the loop.
FIND = r"""
import gc, json, os, struct, sys

def loop():
    frame, found = sys._getframe(), {}
    while frame is not None:
        for name in ("channel", "notebook"):
            if name in frame.f_locals:
                found.setdefault(name, frame.f_locals[name])
        found.setdefault(frame.f_code.co_name, frame)
        frame = frame.f_back
    return found

there = loop()
channel = there.get("channel")
wire = sys.modules.get("identity_edu.grading.isolation.wire")
student = [m for n, m in sys.modules.items() if n.endswith("isolation.student")]
student = student[0] if student else None
print("channel" if channel is not None else "no channel", wire is not None)

def raw(data):
    while data:
        data = data[os.write(3, data):]

def frame(text, data=b"", n_text=None, n_data=None):
    n_text = len(text) if n_text is None else n_text
    n_data = len(data) if n_data is None else n_data
    return struct.pack(">IQ", n_text, n_data) + text + data

def say(tree, data=b""):
    return frame(json.dumps(tree).encode(), data)
"""
RETURNED_3 = '["l", ["returned", 3.0, null, "", ""]]'
REFUSED = dict.fromkeys(MEAN, "reply")


def _many_cells(notebook):
    notebook["cells"] += [target.code("pass", f"n-{n}") for n in range(400)]


def on_the_wire(name, tries, body, **changes):
    """Make a submission whose first cell does something with the channel."""
    return Attack(name, tries, first=FIND + body, **({"shows": "channel"} | changes))


def as_reply(name, tries, body, **changes):
    """Make a submission whose mean() writes to the socket before it returns."""
    lines = ["if 'call' not in loop():", "    return 0.0", *body.split("\n")]
    source = FIND + "def mean(x):\n" + "\n".join(f"    {line}" for line in lines)
    given = {"answers": {"mean-answer": source}, "verdict": "limited"} | changes
    return Attack(name, tries, **given)


ATTACKS = (
    on_the_wire(
        "answers-in-advance",
        "send answers to calls before they are made",
        f"for _ in range(50):\n    raw(frame(b'''{RETURNED_3}'''))",
        answers=HONEST,
        loses=(*MEAN, *GRAM, "halve-check", "triangle-check", "choice-check"),
        verdict="limited",  # every later answer is one to another question
        shows="",
        slow=True,
    ),
    as_reply(
        "answer-twice",
        "answer a call, and then once more with another value",
        f"raw(frame(b'''{RETURNED_3}'''))\nreturn 3.0",
        loses=("mean-hidden",),
    ),
    as_reply(
        "no-frame",
        "answer with noise",
        "raw(bytes(range(256)) * 100)",
        hits=REFUSED,
    ),
    as_reply(
        "no-json",
        "answer with a frame that is no JSON, or JSON of no known tag",
        "raw(frame(b'[\"l\", [\"returned\"') if len(x) == 3 else say(['z', 1]))",
        hits=REFUSED,
    ),
    as_reply(
        "lying-header",
        "announce an exabyte of arrays, and four gigabytes of text",
        "raw(frame(b'1', b'', 2**32 - 1, 2**63))",
        hits=REFUSED,
    ),
    as_reply(
        "half-a-frame",
        "announce a frame and send half of it, then wait",
        "raw(frame(b'[' * 10, b'', 1000, 1000))\nimport time\ntime.sleep(1000)",
        limits={"call_seconds": 0.5},
        hits=dict.fromkeys(MEAN, "call time"),
        slow=True,
    ),
    as_reply(
        "drop-by-drop",
        "send a frame a byte at a time, so that each read is in time",
        "raw(struct.pack('>IQ', 100_000, 0))\nimport time\n"
        "while True:\n    raw(b' ')\n    time.sleep(0.1)",
        limits={"call_seconds": 0.5},
        hits=dict.fromkeys(MEAN, "call time"),
        slow=True,
    ),
    as_reply(
        "deep-frame",
        "a frame nested a million deep",
        "raw(frame(b'[\"l\", [' * 400_000))",
        hits=REFUSED,
    ),
    as_reply(
        "many-dimensions",
        "an array of 300,000 dimensions, whose size takes for ever to multiply",
        "raw(say(['l', ['returned', ['a', '<f8', [2**31 - 1] * 300_000, 'C'],"
        " None, '', '']]))",
        hits=REFUSED,
    ),
    as_reply(
        "colliding-keys",
        "a dict of 100,000 keys with the same hash, which takes for ever to build",
        "keys = [[k * (2**61 - 1), 0] for k in range(1, 120_000)]\n"
        "raw(say(['l', ['returned', ['d', keys], None, '', '']]))",
        hits=REFUSED,
    ),
    as_reply(
        "odd-arrays",
        "arrays of objects, text, negative size and overlapping bytes",
        "bad = ['|O', [2], 'C'] if len(x) == 3 else ['<f8', [-1], 'C']\n"
        "raw(say(['l', ['returned', ['a', *bad], None, '', '']]))",
        hits=REFUSED,
    ),
    as_reply(
        "odd-booleans",
        "an array of booleans that are neither true nor false",
        "raw(frame(json.dumps(['l', ['returned', ['s', '|b1', [], 'C'], None, '', '']])"
        ".encode(), b'\\x07'))\nos._exit(0)",
        verdict="limited",
    ),
    as_reply(
        "odd-numbers",
        "infinities, NaN and integers of 4,000 digits straight from the wire",
        'raw(frame(b\'["l", ["returned", \' + b\'9\' * 4000 + b\', null, "", ""]]\'))'
        "\nos._exit(0)",
        verdict="limited",
    ),
    as_reply(
        "odd-errors",
        "a forged error of 10,000 class names, one of them BaseException",
        "names = ['SystemExit', 'AssertionError', 'KeyboardInterrupt'] * 3000\n"
        "raw(say(['l', ['raised', ['l', names], 'all tests passed', '', '']]))"
        "\nos._exit(0)",
        verdict="limited",
    ),
    as_reply(
        "forged-arguments",
        "claim that the call changed its arguments to others of other types",
        "args = ['l', [['a', '<f8', [1], 'C'], 'more', ['d', []]]]\n"
        "raw(frame(json.dumps(['l', ['returned', 0.0, args, '', '']]).encode(), "
        "b'\\0' * 8))\nos._exit(0)",
        verdict="limited",
    ),
    on_the_wire(
        "forged-names",
        "tell the examiner of names that it did not ask for: abs, all, checks, np",
        """
def names(*a):
    names = ["abs", "all", "sum", "checks", "np", "wanted", "__builtins__", "mean"]
    return {name: ["function"] for name in names} | {"choice": ["value", "b"]}
student.Notebook.names = names
def call(*a, **k):
    return ["returned", 0.0, None, "", ""]
student.Notebook.call = call
""",
        answers={"choice-answer": 'choice = "b"'},
        loses=(*MEAN, *GRAM, "halve-check", "triangle-check"),
    ),
    on_the_wire(
        "forged-names-of-the-wrong-shape",
        "describe the names by lists of other lengths and kinds",
        """
def names(*a):
    return {"mean": "function", "gram": [], "choice": ["value"], 7: None}
student.Notebook.names = names
""",
        answers=HONEST,
        loses=(*MEAN, *GRAM, "halve-check", "triangle-check", "choice-check"),
    ),
    on_the_wire(
        "forged-names-that-have-no-truth",
        "describe the names by arrays and numbers, which cannot be compared",
        """
import numpy as np
def names(*a):
    return {"mean": np.zeros(3), "gram": 7, "choice": [np.zeros(3), 1], "halve": 1.5}
student.Notebook.names = names
""",
        answers=HONEST,
        loses=(*MEAN, *GRAM, "halve-check", "triangle-check", "choice-check"),
    ),
    *(
        on_the_wire(
            f"forged-end-of-a-cell-{number}",
            f"answer a cell by {reply}",
            f"import numpy as np\nstudent.Notebook.cell = lambda *a: {reply}",
            answers=HONEST,
            loses=(*MEAN, *GRAM, "halve-check", "triangle-check", "choice-check"),
            verdict="limited",
            slow=number != 4,
            shows="",
        )
        for number, reply in enumerate(
            (
                "7",
                "None",
                "{}",
                "'ran'",
                "['ran', [], np.zeros(3)]",
                "np.zeros(3)",
                "[]",
            )
        )
    ),
    on_the_wire(
        "forged-outputs-that-have-no-truth",
        "outputs whose kind is a list, an array or a dict",
        """
def cell(*a, kept=student.Notebook.cell):
    kept(*a)
    import numpy as np
    outputs = [[[], "x"], [{}, "x"], [np.zeros(3), "x"], np.zeros(3), ["figure"],
               ["figure", np.zeros((9, 9), np.uint8)], [None, None]]
    return ["ran", outputs, False]
student.Notebook.cell = cell
""",
        answers=HONEST,
        loses=(),
        shows="",
    ),
    on_the_wire(
        "forged-outputs-of-a-cell",
        "send outputs of unknown kinds, figures that are none, and too many",
        """
def cell(*a, kept=student.Notebook.cell):
    kept(*a)
    import numpy as np
    page = np.frombuffer(b"<script>alert(1)</script>", np.uint8)
    outputs = [["figure", page], ["figure", 7], ["html", "<b>"], [], 7, None,
               ["stdout", 7], ["error"], ["error", [], {}], ["result"],
               ["stdout", "x" * 300_000], ["figure", page.astype(float)]]
    return ["ran", outputs, ["no"]]
student.Notebook.cell = cell
""",
        answers=HONEST,
        loses=(),
        shows="",
        slow=True,
    ),
    on_the_wire(
        "closed-channel",
        "close the socket and every other open file",
        "os.closerange(0, 128)",
        answers=HONEST,
        loses=(),
        verdict="limited",
        shows="",
    ),
    on_the_wire(
        "replaced-channel",
        "put another file in the place of the socket",
        "os.dup2(os.open('/dev/zero', os.O_RDWR), 3)",
        answers=HONEST,
        loses=(),
        verdict="limited",
        shows="",
    ),
    on_the_wire(
        "shut-down-channel",
        "shut the socket down, and send open files over it",
        """
import socket
end = socket.socket(fileno=os.dup(3))
for n in range(20):
    end.sendmsg([b""], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, bytes(4))])
end.shutdown(socket.SHUT_RDWR)
""",
        answers=HONEST,
        loses=(),
        verdict="limited",
        shows="",
    ),
    on_the_wire(
        "stolen-requests",
        "read what the examiner sends next, and answer in the loop's place",
        """
import signal
signal.setitimer(signal.ITIMER_REAL, 0)
channel.send(["ran", [], False])
while True:
    request = channel.receive()
    if request[0] == "names":
        channel.send({"mean": ["function"]})
    elif request[0] == "call":
        channel.send(["returned", 3.0, None, "", ""])
    else:
        channel.send(["ran", [], False] if request[0] == "cell" else ["ready"])
""",
        answers=HONEST,
        # what a function that always returns 3.0 would get
        loses=("mean-hidden", *GRAM, "halve-check", "triangle-check", "choice-check"),
        shows="",
    ),
    on_the_wire(
        "patched-wire",
        "make json and the frames lie about what was returned",
        """
import json
def lie(value, *a, dumps=json.dumps, **k):
    return dumps(value, *a, **k).replace('"returned", 0.0', '"returned", 3.0')
json.dumps = lie
""",
        loses=("mean-hidden",),  # 3.0 is what the visible check wants
    ),
    on_the_wire(
        "patched-wire-by-name",
        "the same by a global name, which is gone when names are put back",
        """
import json
dumps = json.dumps
def lie(value, *a, **k):
    return dumps(value, *a, **k)
json.dumps = lie
""",
        verdict="limited",
    ),
    on_the_wire(
        "forged-figures-everywhere",
        "send a figure of 12 MB for each of 400 cells, more than fits in memory",
        """
def cell(*a, kept=student.Notebook.cell):
    kept(*a)
    import numpy as np
    picture = np.zeros(12 << 20, np.uint8)
    picture[:8] = list(b"\\x89PNG\\r\\n\\x1a\\n")
    return ["ran", [["figure", picture]], ""]
student.Notebook.cell = cell
""",
        answers=HONEST,
        edit=_many_cells,
        loses=(),
        limits={"total_seconds": 170.0},
        shows="",
        slow=True,
    ),
)
