"""From what a test cell did to its points, and a reason for the student."""

import re

import numpy as np

from identity_edu.grading.isolation.session import StudentEndedError
from identity_edu.grading.isolation.task import TestResult

HIDDEN = "### BEGIN HIDDEN TESTS"
FOLDERS = re.compile(  # all of a path but its last part; fractions such as a/b stay
    r"""(?<![\w/.])(?:/[^\s/'":<>]+)+(?=/\w)|\b[A-Za-z]:(?:\\[^\s\\'":<>]+)+(?=\\\w)"""
)
WARNING = re.compile(r"\b([A-Z]\w*Warning)\b")
NUMBERS = (int, float, complex, np.number)
MAX_REASON = 600


def judge(marks, source, ran):
    """Give points to one test cell, as nbgrader does.

    Parameters
    ----------
    marks : dict
        Of nbgrader.
    source : str
        Of the test.
    ran : tuple
        Outputs, value of the last line, and error or None, as `cell.run` has them.

    Returns
    -------
    TestResult
    """
    outputs, value, error = ran
    most, is_hidden = float(marks["points"]), HIDDEN in source
    points, reason = most, ""
    complaint = "".join(text for kind, text, *_ in outputs if kind == "stderr")
    if error is not None:
        points, reason = 0.0, _reason(error, is_hidden)
    elif complaint:
        points, reason = 0.0, _complaint(complaint, is_hidden)
    elif isinstance(value, NUMBERS) and not isinstance(value, bool):
        points, reason = _partial(value, most)
    limit = getattr(error, "limit", "")
    if isinstance(error, MemoryError) and hasattr(error, "origin"):
        limit = "memory"
    return TestResult(marks["grade_id"], points, most, tidy(reason, MAX_REASON), limit)


def tidy(text, most):
    """Make one printable line without folders of this machine.

    Parameters
    ----------
    text : str
    most : int
        Characters.

    Returns
    -------
    str
    """
    text = text[: 4 * most]  # the search for folders takes the square of the length
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    line = FOLDERS.sub("...", line)
    return line if len(line) <= most else line[: most - 1] + "…"


def _partial(value, most):
    """Take the value of a test's last line for its points."""
    if not isinstance(value, complex | np.complexfloating) and 0 <= value <= most:
        return float(value), "" if value == most else "part of the points."
    return 0.0, f"this test gives 0 to {most:g} points; it said {value}."


def _reason(error, is_hidden):
    name, text = type(error).__name__, str(error)
    origin = getattr(error, "origin", "test")
    if isinstance(error, StudentEndedError) or origin == "grader":
        return text
    if origin == "student" and is_hidden:  # its text may tell what it was called with
        if isinstance(error, NotImplementedError):
            return "the line that raises NotImplementedError is still there."
        return f"your code raised {name} on a problem you have not seen."
    if isinstance(error, AssertionError) and origin == "test":
        return text or "This check failed."
    if is_hidden:
        return f"{name} was raised here."
    return f"{name}: {text}" if text else name


def _complaint(text, is_hidden):
    found = WARNING.search(text)
    what = found[1] if found else "something"
    if is_hidden:
        return f"{what} was printed to stderr on a problem you have not seen."
    return f"printed to stderr: {text}"
