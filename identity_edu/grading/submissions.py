"""Find what students handed in, and read it without following it anywhere.

Three ways to lay out a folder are understood: ``<student>/NN_slug/NN_slug.ipynb``
(nbgrader's), ``<student>/NN_slug.ipynb`` and ``<student>.ipynb``.
What is there but cannot be read (a link, a pipe, a folder, an archive, a giant, two
notebooks of other names) is a submission too: it scores 0 and says why.
"""

import hashlib
import os
import re
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from nbgrader.utils import parse_utc

from identity_edu.grading.course import GradingError
from identity_edu.grading.isolation.task import Limits

NOTEBOOK = ".ipynb"
SAFE_NAME = re.compile(r"\w[\w.@+ -]{0,126}(?<! )")
MAX_BYTES = Limits().notebook_mb << 20
PIECE = 1 << 20


@dataclass(frozen=True)
class Submission:
    """What one student handed in for one assignment.

    Parameters
    ----------
    student : str
    path : Path or None
        The notebook; None where `problem` says why none can be read.
    problem : str
        One line, for the student.
    note : str
        What was put right, one line.
    timestamp : datetime or None
        When it was handed in, UTC; as nbgrader reads ``timestamp.txt``.
    """

    student: str
    path: Path | None = None
    problem: str = ""
    note: str = ""
    timestamp: datetime | None = None

    def read(self) -> bytes:
        """Return what was handed in; nothing where there is a problem."""
        return b"".join(self._pieces())

    def sha256(self) -> str:
        """Return the hash of what was handed in, or of the problem with it."""
        digest = hashlib.sha256(self.problem.encode())
        for piece in self._pieces():
            digest.update(piece)
        return digest.hexdigest()

    def _pieces(self) -> Iterator[bytes]:
        if self.path is None:
            return
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(self.path, flags | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(f"{self.path} is no longer a file.")
            while piece := file.read(PIECE):
                yield piece


@dataclass
class Found:
    """All that lies in a folder of submissions.

    Parameters
    ----------
    submissions : list of Submission
        By student.
    refused : list of str
        One line for each entry that is no student's, or cannot be read.
    passed_over : list of str
        One line for each file that was left aside.
    """

    submissions: list[Submission] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)


def find_submissions(
    folder: Path, assignment: str, known: Collection[str] = ()
) -> Found:
    """Find the submissions of one assignment in a folder.

    Parameters
    ----------
    folder : Path
        See the three layouts above.
    assignment : str
        ``NN_slug``.
    known : collection of str
        All assignments of the course: a notebook of another one is none of this.

    Returns
    -------
    Found
        Who has nothing for this assignment is not in it.

    Raises
    ------
    GradingError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise GradingError(f"a folder of submissions is required; {folder} is none.")
    found, by_student = Found(), {}
    for entry in sorted(os.listdir(folder)):
        path, student = folder / entry, entry.removesuffix(NOTEBOOK)
        if not _may_be_handed_in(path):
            continue
        if not SAFE_NAME.fullmatch(student):
            found.refused.append(
                f"{entry!a} cannot be a student's name: rename it (letters, "
                "digits, spaces and . _ @ + - are allowed, a letter or digit first)"
            )
            continue
        if student in known:
            found.refused.append(
                f"{entry} is an assignment, no student: name the folder that holds "
                "a folder or a notebook for each student"
            )
            continue
        try:
            one = _one(path, student, assignment, known)
        except OSError as error:  # of the instructor's machine: nobody loses points
            found.refused.append(f"{student} cannot be read: {error.strerror}")
            continue
        if one is not None:  # a folder comes first, and counts more than a file
            by_student.setdefault(student, one)
    found.passed_over = list(_passed_over(folder, by_student))
    found.submissions = [by_student[name] for name in sorted(by_student)]
    return found


def only(
    submissions: list[Submission], students: Collection[str] | None
) -> list[Submission]:
    """Keep the submissions of some students.

    Parameters
    ----------
    submissions : list of Submission
    students : collection of str or None
        None keeps all.

    Returns
    -------
    list of Submission

    Raises
    ------
    GradingError
        If one of them handed in nothing.
    """
    if students is None:
        return submissions
    absent = sorted(set(students) - {s.student for s in submissions})
    if absent:
        raise GradingError(f"nothing was handed in by {', '.join(absent)}.")
    return [s for s in submissions if s.student in set(students)]


def _passed_over(folder, by_student):
    """Name the files that are no notebooks, and those beside a student's folder."""
    for entry in sorted(os.listdir(folder)):
        path = folder / entry
        if entry.startswith(".") or not stat.S_ISREG(path.lstat().st_mode):
            continue
        if path.suffix != NOTEBOOK:
            yield f"{_printable(entry)} is passed over: it is no notebook (.ipynb)"
        elif path.stem in by_student and by_student[path.stem].path != path:
            yield f"{_printable(entry)} is passed over: there is a folder as well"


def _may_be_handed_in(path):
    """Tell a student's folder or file from what else lies about."""
    if path.name.startswith((".", "__MACOSX")):
        return False
    mode = path.lstat().st_mode
    return path.suffix == NOTEBOOK or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)


def _one(path, student, assignment, known):
    """Return what lies under one name, or None if nothing is of this assignment."""
    if path.name != student or not stat.S_ISDIR(path.lstat().st_mode):
        return _file(student, path)
    name, inner = f"{assignment}{NOTEBOOK}", path / assignment
    if os.path.lexists(inner):
        return _in_folder(student, inner, name, _timestamp(inner))
    if os.path.lexists(path / name):
        return _file(student, path / name)
    there = [n for n in os.listdir(path) if not n.startswith(".")]
    others = set(known) | {f"{k}{NOTEBOOK}" for k in known}
    if not there or not others.isdisjoint(there):  # of another assignment
        return None
    return _in_folder(student, path, name, None)


def _in_folder(student, folder, name, timestamp):
    """Take the notebook of a folder, under another name if it is the only one."""
    if not stat.S_ISDIR(folder.lstat().st_mode):
        return Submission(student, problem=_not_a_file(folder))
    if os.path.lexists(folder / name):
        return _file(student, folder / name, timestamp=timestamp)
    names = [_printable(n) for n in sorted(os.listdir(folder)) if n[0] != "."]
    notebooks = [n for n in names if n.endswith(NOTEBOOK)]
    if len(notebooks) == 1 and os.path.lexists(folder / notebooks[0]):
        note = f"{notebooks[0]} was taken for {name}"
        return _file(student, folder / notebooks[0], note, timestamp)
    there = [n for n in notebooks or names if n != "timestamp.txt"][:5]
    problem = f"{name} is missing; found {', '.join(there) or 'nothing'}"
    return Submission(student, problem=problem, timestamp=timestamp)


def _file(student, path, note="", timestamp=None):
    status = path.lstat()
    problem = "" if stat.S_ISREG(status.st_mode) else _not_a_file(path)
    if not problem and status.st_size > MAX_BYTES:
        problem = (
            f"{_printable(path.name)} has {status.st_size >> 20} MB; at most "
            f"{MAX_BYTES >> 20} are read: clear its outputs"
        )
    if problem:
        return Submission(student, None, problem, "", timestamp)
    return Submission(student, path, "", note, timestamp)


def _not_a_file(path):
    mode = path.lstat().st_mode
    kinds = {stat.S_IFLNK: "a link", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe"}
    kind = kinds.get(stat.S_IFMT(mode), "a file of its own kind")
    kind = "a file" if stat.S_ISREG(mode) else kind
    wanted = "a folder" if kind == "a file" else "a file"
    return f"{_printable(path.name)} is {kind}; {wanted} is required"


def _timestamp(folder):
    """Read ``timestamp.txt``; what is no time counts as none."""
    path = folder / "timestamp.txt"
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return None
        with path.open("rb") as file:
            text = file.read(200).decode().strip()
        return parse_utc(text) if text else None
    except (OSError, ValueError, OverflowError):
        return None


def _printable(name):
    return "".join(c if c.isprintable() else "?" for c in name)[:120]
