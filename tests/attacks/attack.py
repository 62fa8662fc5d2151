"""What an attack is: a changed submission and the marks that it must get."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from attacks import target

WRONG_MEAN = "def mean(x):\n    return 0.0"
WRONG = {"mean-answer": WRONG_MEAN}
HONEST: dict[str, str] = {}
MEAN = ("mean-check", "mean-hidden")
GRAM = ("gram-check", "gram-hidden")


@dataclass(frozen=True)
class Attack:
    """A submission to the assignment of `target`; what is not named is honest.

    Parameters
    ----------
    name : str
        Lower case and hyphens, unique.
    tries : str
        One line: what the student is after.
    answers : dict
        Sources in place of the reference's, by the id of the answer cell.
    first, last : str
        Code cells that the student adds behind the setup, and at the end.
    edit : callable, optional
        Changes the finished notebook in place, or returns another, or bytes.
    loses : tuple of str
        The graded cells that get 0 points; all others get all of theirs.
    verdict : str
        That of the result.
    hits : dict
        Which limit must be named, by graded cell.
    limits : dict
        Limits that differ from those of the test.
    shows : str
        Regular expression that the outputs or reasons must match: it really ran.
    slow : bool
        Takes more than a second, and is left out of the default run.
    exact : bool
        Whether the points are these; else they are these or fewer.
    """

    name: str
    tries: str
    answers: dict[str, str] = field(default_factory=lambda: WRONG)
    first: str = ""
    last: str = ""
    edit: Callable[[dict], dict | bytes | None] | None = None
    loses: tuple[str, ...] = MEAN
    verdict: str = "graded"
    hits: dict[str, str] = field(default_factory=dict)
    limits: dict[str, float] = field(default_factory=dict)
    shows: str = ""
    slow: bool = False
    exact: bool = True

    def submission(self, **places: str) -> bytes:
        """Return what is handed in; ``{course}`` and the like become real paths."""
        notebook = target.submitted(self.answers, self.first, self.last)
        for cell in notebook["cells"]:
            for name, path in places.items():
                cell["source"] = cell["source"].replace(f"{{{name}}}", path)
        edited = self.edit(notebook) if self.edit else None
        edited = notebook if edited is None else edited
        return edited if isinstance(edited, bytes) else json.dumps(edited).encode()

    def points(self) -> dict[str, float | None]:
        """Return the points that each graded cell must get."""
        return {
            name: 0.0 if name in self.loses else points
            for name, points in target.POINTS.items()
        }


# A cell that tries what must be refused: it prints HOLE where it is not.
PROBE = r"""
import ctypes, errno, os

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def attempt(label, action, *arguments):
    try:
        value = action(*arguments)
    except BaseException as error:
        print("refused", label, type(error).__name__, getattr(error, "errno", ""))
    else:
        print("HOLE", label, repr(value)[:300])


def syscall(number, *arguments):
    result = libc.syscall(*map(ctypes.c_long, (number, *arguments)))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def address(text):
    buffer = ctypes.create_string_buffer(text)
    kept.append(buffer)
    return ctypes.addressof(buffer)


kept = []
"""


def probe(name: str, tries: str, body: str, **changes) -> Attack:
    """Make an honest submission whose first cell tries what must be refused."""
    changes = {"answers": HONEST, "loses": (), "shows": "refused"} | changes
    return Attack(name, tries, first=PROBE + body, **changes)
