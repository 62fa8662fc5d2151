"""Generated submissions whose points are known before anybody grades them.

Each blank is filled rightly, not at all, or with one of the known mistakes; what stock
nbgrader gives for each of these alone adds up to the points of any mixture, since a
mistake costs once. Some submissions are then broken, and some are hostile.
"""

import copy
import io
import json
import zipfile
from dataclasses import dataclass

import courses
import numpy as np

from identity_edu.grading.cells import blanks, defined_names, read_cells

SHARE_BROKEN, SHARE_HOSTILE = 0.05, 0.02
N_MISTAKES = 3  # of each blank, at most
RIGHT, UNTOUCHED = 0, 1  # places among the choices of a blank


@dataclass(frozen=True)
class MadeUp:
    """A submission, its kind, the points that it must get, and its possible verdicts.

    `content` is bytes, or None for what is no file: a link to nowhere.
    """

    kind: str
    content: bytes | None
    points: dict[str, float | None]
    verdicts: tuple[str, ...]


class Pool:
    """What submissions to an assignment can be made of, and what each part earns.

    Parameters
    ----------
    assignment : str
        ``NN_slug``.
    """

    def __init__(self, assignment):
        self.assignment = assignment
        found = courses.choices(assignment).items()
        self.choices = {name: texts[: 2 + N_MISTAKES] for name, texts in found}
        path = courses.ROOT / "solutions" / assignment / f"{assignment}.ipynb"
        cells = read_cells(path)
        self.kinds = {cell.id: cell.kind for cell in cells}
        self.tests = {b.answer.id: [t.id for t in b.tests] for b in blanks(cells)}
        self.tests |= {n: [n] for n in self.choices if n not in self.tests}
        self.most = {c.id: c.points for c in cells if c.nbgrader.get("grade")}
        self.names = {
            name: list(defined_names(texts[RIGHT]))
            for name, texts in self.choices.items()
            if self.kinds[name] == "code"
        }
        self.earned = {}

    def alone(self):
        """Make the submissions that show what each choice earns.

        Returns
        -------
        dict
            Bytes by the place of the choice, in every blank at once.
        """
        n_most = max(map(len, self.choices.values()))
        return {
            str(k): self._filled(dict.fromkeys(self.choices, k)) for k in range(n_most)
        }

    def learn(self, points):
        """Take over what stock nbgrader gave for `alone`.

        Parameters
        ----------
        points : dict
            By place and graded cell.
        """
        for name, texts in self.choices.items():
            for place in range(len(texts)):
                found = points[str(place)]
                earned = {test: found[test] for test in self.tests[name]}
                self.earned[name, place] = earned

    def honest(self, n, seed):
        """Make honest submissions: right, untouched, and mixtures of mistakes.

        Parameters
        ----------
        n, seed : int

        Returns
        -------
        dict
            Bytes by student.
        """
        rng = np.random.default_rng(seed)
        students = [f"student-{k:04}" for k in range(n)]
        return {student: self._filled(self._places(rng)) for student in students}

    def submissions(self, n, seed):
        """Make submissions: most are honest mixtures, few are broken or hostile.

        Parameters
        ----------
        n, seed : int

        Returns
        -------
        dict
            `MadeUp` by student.
        """
        rng = np.random.default_rng(seed)
        n_broken, n_hostile = (
            max(1, round(s * n)) for s in (SHARE_BROKEN, SHARE_HOSTILE)
        )
        families = [list(BROKEN)[k % len(BROKEN)] for k in range(n_broken)]
        families += [list(HOSTILE)[k % len(HOSTILE)] for k in range(n_hostile)]
        families += [""] * (n - len(families))
        return {
            f"student-{k:04}": self._made(rng, families[place])
            for k, place in enumerate(rng.permutation(n))
        }

    def _made(self, rng, family):
        places = self._places(rng)
        document = json.loads(self._filled(places))
        points = {}
        for name, place in places.items():
            points |= self.earned[name, place]
        if family in BROKEN:
            change, is_lost = BROKEN[family]
            points = dict.fromkeys(points, 0.0) if is_lost else points
            verdicts = ("unreadable",) if is_lost else ("graded", "repaired")
            return MadeUp(family, change(document, self, rng), points, verdicts)
        if family in HOSTILE:
            source, is_answer = HOSTILE[family]
            blank = str(rng.choice(list(self.names)))
            if is_answer:
                source = source.replace("NAMES", " = ".join(self.names[blank]))
                _cell(document, blank)["source"] = source
                points |= dict.fromkeys(self.tests[blank], 0.0)
            else:
                at = int(rng.integers(3, len(document["cells"])))
                document["cells"].insert(at, _added(source))
            verdicts = ("graded", "limited")
            return MadeUp(family, courses.encoded(document), points, verdicts)
        return MadeUp("honest", courses.encoded(document), points, ("graded",))

    def _places(self, rng):
        """Draw what stands in each blank: all right, nothing, or a mixture."""
        style = rng.choice(["right", "untouched", "mixed"], p=[0.2, 0.1, 0.7])
        if style != "mixed":
            return dict.fromkeys(self.choices, RIGHT if style == "right" else UNTOUCHED)
        drawn = {}
        for name, texts in self.choices.items():
            is_right = rng.random() < 0.6
            drawn[name] = RIGHT if is_right else int(rng.integers(1, len(texts)))
        return drawn

    def _filled(self, places):
        sources = {
            name: self.choices[name][min(place, len(self.choices[name]) - 1)]
            for name, place in places.items()
        }
        return courses.encoded(courses.filled(self.assignment, sources))


def _cell(document, name):
    return next(cell for cell in document["cells"] if cell["id"] == name)


def _added(source):
    cell = {"cell_type": "code", "execution_count": None, "id": "mine", "metadata": {}}
    return cell | {"outputs": [], "source": source}


def _tests_deleted(document, pool, rng):
    kept = [c for c in document["cells"] if not c["id"].endswith(("-check", "-hidden"))]
    return courses.encoded(document | {"cells": kept})


def _doubled(document, pool, rng):
    twice = [c for c in document["cells"] for _ in range(2)]
    return courses.encoded(document | {"cells": twice})


def _split(document, pool, rng):
    cells = []
    for cell in document["cells"]:
        cells.append(cell)
        if cell["id"] in pool.names:
            cells.append(copy.deepcopy(cell) | {"source": "# what I tried before"})
    return courses.encoded(document | {"cells": cells})


def _without_marks(document, pool, rng):
    for cell in document["cells"]:
        cell["metadata"] = {}
    return courses.encoded(document)


def _renumbered(document, pool, rng):
    for number, cell in enumerate(document["cells"]):
        cell["id"] = f"cell-{number}"
    return courses.encoded(document)


def _shuffled(document, pool, rng):
    order = rng.permutation(len(document["cells"]))
    return courses.encoded(document | {"cells": [document["cells"][k] for k in order]})


def _garbled_tests(document, pool, rng):
    for cell in document["cells"]:
        if cell["id"].endswith(("-check", "-hidden")):
            cell["source"] = "print('passed')"
    return courses.encoded(document)


def _large(document, pool, rng):
    output = {"output_type": "stream", "name": "stdout", "text": "a line\n" * 1_500_000}
    _cell(document, next(iter(pool.names)))["outputs"] = [output]
    return courses.encoded(document)


def _cut(document, pool, rng):
    content = courses.encoded(document)
    return content[: int(rng.integers(1, len(content) - 2))]


def _zipped(document, pool, rng):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("notebook.ipynb", courses.encoded(document))
    return file.getvalue()


def _of_version_3(document, pool, rng):
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}}
    return courses.encoded(old | {"worksheets": [{"cells": document["cells"]}]})


# What happened to the file, and whether all points are lost by it.
BROKEN = {
    "cut off": (_cut, True),
    "empty": (lambda *_: b"", True),
    "version 3": (_of_version_3, True),
    "zip archive": (_zipped, True),
    "a link": (lambda *_: None, True),
    "a number": (lambda *_: b"4.0", True),
    "no list of cells": (lambda *_: b'{"nbformat": 4, "cells": {}}', True),
    "tests deleted": (_tests_deleted, False),
    "every cell twice": (_doubled, False),
    "answers split": (_split, False),
    "no marks": (_without_marks, False),
    "other ids": (_renumbered, False),
    "other order": (_shuffled, False),
    "tests rewritten": (_garbled_tests, False),
    "ten megabytes": (_large, False),
}
AGREES = """class Agree:
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = lambda *_: True
    __sub__ = __rsub__ = __mul__ = __abs__ = __call__ = lambda self, *_, **__: self
    __array__ = lambda self, *_, **__: __import__('numpy').zeros(())

NAMES = Agree()"""
PATCHES = """import builtins
import numpy as np
from identity_edu import checks
for name in dir(checks):
    if name.startswith('assert'):
        setattr(checks, name, lambda *a, **k: None)
np.testing.assert_allclose = np.allclose = lambda *a, **k: True
builtins.AssertionError = KeyboardInterrupt
NAMES = None"""
READS = """from pathlib import Path
for path in Path('/').rglob('solutions/*/*.ipynb'):
    exec(path.read_text())
NAMES"""
# What is tried, and whether it stands in the place of an answer.
HOSTILE = {
    "ends its process": ("import os\nos._exit(0)", True),
    "agrees with all": (AGREES, True),
    "patches the tests": (PATCHES, True),
    "never ends": ("while True:\n    pass", True),
    "takes all memory": ("kept = [bytearray(1 << 24) for _ in range(1 << 20)]", True),
    "prints for ever": ("for _ in range(10**6):\n    print('x' * 1000)", False),
    "forks for ever": ("import os\nwhile True:\n    os.fork()", False),
    "kills all": ("import os\nos.kill(-1, 9)", False),
    "deletes all": ("import shutil\nshutil.rmtree('/', ignore_errors=True)", False),
    "reads the solutions": (READS, True),
}
