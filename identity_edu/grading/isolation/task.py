"""What grading one submission takes, and what it gives: plain values, both of them.

A `Task` carries everything that a worker needs, so that one on another machine needs
no file of ours; a `Result` carries everything that is recorded.
"""

import base64
import hashlib
from dataclasses import asdict, dataclass, field

from identity_edu import __version__

SCHEMA = 1
EXAMINE, STUDENT = b"examine", b"student"  # what a launcher can be asked for
VERDICTS = ("graded", "repaired", "limited", "unreadable", "failed")


class IsolationError(Exception):
    """The isolation that was asked for is not to be had; one line for a person."""


@dataclass(frozen=True)
class Limits:
    """What a submission may use; seconds of wall time, sizes in units of 1024."""

    cell_seconds: float = 20.0
    call_seconds: float = 10.0
    total_seconds: float = 180.0
    memory_mb: int = 2048
    scratch_mb: int = 64
    file_mb: int = 16
    open_files: int = 128
    output_kb: int = 64  # text of one cell
    figure_kb: int = 2048  # figures of one cell
    reply_mb: int = 64  # arrays in one answer
    notebook_mb: int = 256


@dataclass(frozen=True)
class Task:
    """One submission to grade.

    Parameters
    ----------
    assignment, student : str
    submission : bytes
        What was handed in, whatever it is.
    reference, released : str
        Text of the notebook in solutions/ and of the one in exercises/.
    secret : str
        What `identity_edu.checks.exam_rng` mixes in.
    files : dict
        Other released files by name, for the working directory.
    isolation : str
        ``"bubblewrap"`` or ``"rlimits"``.
    limits : Limits
    problem : str
        Why nothing could be read, one line for the student; the submission is empty.
    note : str
        What was put right when it was collected, one line.
    """

    assignment: str
    student: str
    submission: bytes
    reference: str
    released: str
    secret: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    isolation: str = "bubblewrap"
    limits: Limits = field(default_factory=Limits)
    problem: str = ""
    note: str = ""

    @property
    def submission_sha256(self) -> str:
        """Hash of what was handed in, or of the problem with it."""
        return hashlib.sha256(self.problem.encode() + self.submission).hexdigest()

    @property
    def tests_sha256(self) -> str:
        """Hash of what it is graded by: notebooks, files and secret."""
        parts = [self.reference.encode(), self.released.encode(), self.secret.encode()]
        for name in sorted(self.files):
            parts += [name.encode(), self.files[name]]
        sizes = "".join(f"{len(part)}," for part in parts)
        return hashlib.sha256(b"".join([sizes.encode(), *parts])).hexdigest()

    def to_plain(self) -> dict:
        """Return it as a dict that JSON can hold."""
        plain = asdict(self)
        plain["submission"] = base64.b64encode(self.submission).decode()
        plain["files"] = {
            name: base64.b64encode(data).decode() for name, data in self.files.items()
        }
        return plain

    @classmethod
    def from_plain(cls, plain: dict) -> "Task":
        """Make it again from what `to_plain` returned.

        Parameters
        ----------
        plain : dict

        Returns
        -------
        Task
        """
        files = {n: base64.b64decode(data) for n, data in plain["files"].items()}
        changed = {
            "submission": base64.b64decode(plain["submission"]),
            "files": files,
            "limits": Limits(**plain["limits"]),
        }
        return cls(**{**plain, **changed})


@dataclass(frozen=True)
class TestResult:
    """Points of one graded cell; None awaits a person.

    `reason` is one line for the student, `limit` names the limit that was hit.
    """

    __test__ = False  # pytest takes classes called Test... for tests

    grade_id: str
    points: float | None
    max_points: float
    reason: str = ""
    limit: str = ""


@dataclass(frozen=True)
class Result:
    """What grading one submission came to.

    Parameters
    ----------
    assignment, student : str
    verdict : str
        One of `VERDICTS`: ``graded`` as handed in; ``repaired`` first; ``limited`` by
        a limit and scored all the same; ``unreadable``, 0 points; ``failed``, where
        the grader itself did, and nothing may be recorded.
    reason : str
        One line; empty when all is well.
    repairs : tuple of str
        What was put right, a line each.
    tests : tuple of TestResult
        Every graded cell, in the order of the notebook.
    notebook : dict
        The executed notebook, hidden tests included, as nbformat has it.
    isolation : str
        The level that was in force.
    seconds : float
        Wall time.
    submission_sha256, tests_sha256 : str
    version : str
        Of the package.
    schema : int
    """

    assignment: str
    student: str
    verdict: str
    reason: str
    repairs: tuple[str, ...]
    tests: tuple[TestResult, ...]
    notebook: dict
    isolation: str
    seconds: float
    submission_sha256: str
    tests_sha256: str
    version: str = __version__
    schema: int = SCHEMA

    def to_plain(self) -> dict:
        """Return it as a dict that JSON can hold."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        plain["tests"] = [asdict(test) for test in self.tests]
        plain["repairs"] = list(self.repairs)
        return plain

    @classmethod
    def from_plain(cls, plain: dict) -> "Result":
        """Make it again from what `to_plain` returned.

        Parameters
        ----------
        plain : dict

        Returns
        -------
        Result

        Raises
        ------
        ValueError
            If the schema is another one.
        """
        if plain.get("schema") != SCHEMA:
            found = plain.get("schema")
            raise ValueError(f"schema {SCHEMA} is required; this has {found!r}.")
        tests = tuple(TestResult(**test) for test in plain["tests"])
        return cls(**{**plain, "tests": tests, "repairs": tuple(plain["repairs"])})


def failure(task: Task, reason: str, details: str = "") -> Result:
    """Return what stands for a submission that the grader failed on.

    Parameters
    ----------
    task : Task
    reason : str
        What becomes one printable line: a student's code may have had a part in it.
    details : str
        For the one who mends the grader.

    Returns
    -------
    Result
        To be reported, never recorded.
    """
    printable = "".join(c if c.isprintable() else " " for c in reason)
    return Result(
        assignment=task.assignment,
        student=task.student,
        verdict="failed",
        reason=" ".join(printable.split())[:300],
        repairs=(),
        tests=(),
        notebook={"details": details},
        isolation=task.isolation,
        seconds=0.0,
        submission_sha256=task.submission_sha256,
        tests_sha256=task.tests_sha256,
    )
