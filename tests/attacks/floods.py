"""Too much of everything: output, memory, disk, files, replies, cells."""

from attacks import target
from attacks.attack import HONEST, MEAN, Attack, probe


def _many_cells(notebook):
    notebook["cells"] += [target.code("pass", f"n-{n}") for n in range(1900)]


def _many_outputs(notebook):
    text = [{"output_type": "stream", "name": "stdout", "text": ["x" * 999] * 999}]
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = text * 2


def _long_markdown(notebook):
    notebook["cells"].append(target.markdown("[" * 100_000 + "*_`" * 50_000, "long"))


ATTACKS = (
    Attack(
        "output-flood",
        "print 100 MB, and warn a hundred thousand times",
        answers=HONEST,
        first="""
import warnings
for n in range(100):
    print("x" * 1_000_000)
for n in range(1000):
    warnings.warn(f"warning {n}")
""",
        loses=(),
        verdict="limited",
        shows="printed more",
    ),
    Attack(
        "output-flood-in-a-call",
        "print without end in a call",
        answers={
            "gram-answer": "def gram(A):\n    for _ in range(200):\n"
            "        print('y' * 1_000_000)\n    return A.T @ A"
        },
        loses=(),
        verdict="limited",
    ),
    Attack(
        "huge-repr",
        "end cells with values whose text is huge, or never ends",
        answers=HONEST,
        first="class Big:\n    def __repr__(self): return 'z' * 50_000_000\nBig()",
        last="list(range(3_000_000))",
        loses=(),
        verdict="limited",
        shows="printed more",
    ),
    Attack(
        "many-figures",
        "draw hundreds of figures, and one of a gigapixel",
        answers=HONEST,
        first="""
import matplotlib.pyplot as plt
plt.rcParams["figure.max_open_warning"] = 0
plt.figure(figsize=(4000, 4000))
plt.plot([1, 2])
""",
        loses=(),
        verdict="limited",
        slow=True,
    ),
    probe(
        "memory",
        "take all memory there is, in several ways",
        """
import mmap
attempt("bytes", bytearray, 60 << 30)
attempt("list", lambda: [0] * (60 << 27))
attempt("mmap", mmap.mmap, -1, 60 << 30)
import numpy as np
attempt("array", lambda: np.ones((1 << 17, 1 << 17)))
import resource
attempt("raise", resource.setrlimit, resource.RLIMIT_AS, (-1, -1))
""",
    ),
    Attack(
        "memory-in-a-call",
        "take memory bit by bit in a call until it fails, and keep it",
        answers={
            "mean-answer": """
kept = []
def mean(x):
    while True:
        kept.append(bytearray(64 << 20))
"""
        },
        limits={"memory_mb": 512},
        verdict="limited",
        hits=dict.fromkeys(MEAN, "memory"),
        shows="memory",
        slow=True,
    ),
    Attack(
        "no-memory-left",
        "leave no memory for the loop itself",
        answers=HONEST,
        first="""
kept, size = [], 64 << 20
while size > 16:
    try:
        kept.append(bytearray(size))
    except MemoryError:
        size //= 2
""",
        exact=False,  # which of the cells after it still run is left to chance
        loses=(),
        limits={"memory_mb": 512},
        verdict="limited",
        slow=True,
    ),
    probe(
        "disk-flood",
        "fill the disk: scratch, the shared memory, the devices, the root",
        """
def fill(path):
    with open(path, "wb") as file:
        for _ in range(300):
            file.write(bytes(1 << 20))
for path in ("big", "/big", "/dev/big", "/dev/shm/big", "/tmp/big", "/var/tmp/big"):
    attempt(path, fill, path)
def many():
    for n in range(200):
        with open(f"part{n}", "wb") as file:
            file.write(bytes(1 << 20))
attempt("many", many)
print(sum(os.path.getsize(name) for name in os.listdir()) >> 20, "MB")
""",
        slow=True,
    ),
    probe(
        "open-files",
        "open files and pipes until none are left",
        """
def open_all():
    for _ in range(5000):
        kept.append(os.open("/dev/null", os.O_RDONLY))
attempt("open", open_all)
def pipes():
    for _ in range(5000):
        kept.append(os.pipe())
attempt("pipe", pipes)
for number in kept:
    if isinstance(number, int):
        os.close(number)
import resource
attempt("raise", resource.setrlimit, resource.RLIMIT_NOFILE, (10**6, 10**6))
""",
    ),
    Attack(
        "giant-reply",
        "return arrays and texts of more than a reply may have",
        answers={
            "mean-answer": "import numpy as np\ndef mean(x):\n"
            "    return np.zeros(1 << 22) if len(x) == 3 else 'x' * 9_000_000"
        },
        hits=dict.fromkeys(MEAN, "reply"),
        verdict="limited",
        slow=True,
    ),
    Attack(
        "many-cells",
        "add nearly two thousand cells",
        answers=HONEST,
        edit=_many_cells,
        loses=(),
        slow=True,
    ),
    Attack(
        "too-many-cells",
        "hand in five thousand cells",
        edit=lambda notebook: notebook | {"cells": notebook["cells"] * 300},
        loses=tuple(target.POINTS),
        verdict="unreadable",
    ),
    Attack(
        "json-bomb",
        "a file of 60 MB that takes gigabytes to read",
        edit=lambda notebook: b'{"nbformat": 4, "cells": [' + b"[],{}," * 10_000_000,
        loses=tuple(target.POINTS),
        verdict="unreadable",
        slow=True,
    ),
    Attack(
        "outputs-in-the-file",
        "hand in a file whose outputs take 20 MB",
        edit=_many_outputs,
        slow=True,
    ),
    Attack(
        "markdown-that-never-ends",
        "markdown that makes a parser backtrack for ever",
        edit=_long_markdown,
    ),
    Attack(
        "giant-source",
        "an expression so deep or long that it crashes the compiler",
        answers={
            "mean-answer": "pass",
            "gram-answer": "gram = " + "(" * 5000 + ")" * 5000,
        },
        first="x = " + "-" * 200_000 + "1",
        loses=(*MEAN, "gram-check", "gram-hidden"),
        verdict="limited",
    ),
)
