"""Assertions that tell a student which mistake it is and where to look.

Each check compares an answer with an independently computed value and, when they
differ, looks for an explanation: first the mistakes that the author of the exercise
expects, then the general ones (a constant factor, a sign, a transposition, layers in
reverse order), and at last the place where the answer is worst. A message may show
what the student computed; it never shows the right value.
"""

import hashlib
import os
from pathlib import Path

import numpy as np

SECRET_VARIABLE = "IDENTITY_EDU_SECRET"
SECRET_FILE_VARIABLE = "IDENTITY_EDU_SECRET_FILE"


def exam_rng(problem):
    """Return the random generator of one hidden problem.

    The stream depends on the problem's name and on the course's secret, so that
    published solutions give away no instance, and regrading draws the same ones.

    Parameters
    ----------
    problem : str
        Name of the problem, ``"NN_slug/exercise"`` by convention.

    Returns
    -------
    numpy.random.Generator

    Raises
    ------
    FileNotFoundError
        If the variable ``IDENTITY_EDU_SECRET_FILE`` names a file that is not there.

    Notes
    -----
    The secret is the text of ``IDENTITY_EDU_SECRET``, or else the content of the
    file named by ``IDENTITY_EDU_SECRET_FILE``, or else empty.
    """
    secret = os.environ.get(SECRET_VARIABLE, "")
    if not secret and SECRET_FILE_VARIABLE in os.environ:
        secret = Path(os.environ[SECRET_FILE_VARIABLE]).read_text().strip()
    digest = hashlib.sha256(f"{secret}\n{problem}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def call(function, *arguments):
    """Call a student's function and see that it leaves its inputs alone.

    Parameters
    ----------
    function : callable
    *arguments : array, number, string, list or dict
        Arrays are passed as copies.

    Returns
    -------
    object
        What the function returned.

    Raises
    ------
    AssertionError
        If an input array was changed in place.
    """
    copies = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
    result = function(*copies)
    for position, (given, now) in enumerate(zip(arguments, copies, strict=True), 1):
        changed = isinstance(given, np.ndarray) and not np.array_equal(given, now)
        assert not changed, (
            f"`{_name(function)}` changes its argument number {position} in place. "
            "Work on a new array: `x = x + y` makes one, `x += y` does not."
        )
    return result


def assert_matches(actual, expected, what, *, mistakes=(), rtol=1e-9):
    """Compare an array or a number with the right one, and diagnose a difference.

    Parameters
    ----------
    actual : array or number
        The student's result.
    expected : array or number
    what : str
        What the message calls the result, ``"the gradient"``.
    mistakes : sequence of (wrong value, message)
        Results of mistakes that the author expects, tried first and in order. A
        wrong value of another shape than the answer is passed over.
    rtol : float
        Allowed error relative to the largest entry of `expected`.

    Raises
    ------
    AssertionError
        With a message that says what to look at.
    """
    expected = np.asarray(expected, dtype=float)
    actual = _as_numbers(actual, what)
    for wrong, message in mistakes:
        if _same(actual, np.asarray(wrong, dtype=float), rtol):
            # A mistake may be harmless on a special input: then it is no mistake.
            assert _same(actual, expected, rtol), f"{what}: {message}"
    assert actual.shape == expected.shape, (
        f"{what} must have shape {expected.shape}; yours has {actual.shape}."
    )
    assert np.isfinite(actual).all(), (
        f"{what} has entries that are NaN or infinite, the first at "
        f"{_index(np.argmin(np.isfinite(actual)), actual.shape)}."
    )
    if not _same(actual, expected, rtol):
        raise AssertionError(f"{what}: {_explain(actual, expected)}")


def assert_at_most(actual, limit, what):
    """Check that a number does not exceed a limit (beyond rounding).

    Parameters
    ----------
    actual, limit : float
    what : str
        Starts the message, and says what to look at.

    Raises
    ------
    AssertionError
    """
    assert actual <= limit * (1 + 1e-9) + 1e-12, f"{what} (yours: {actual:.4g})."


def assert_choice(answer, right, *, options, hint):
    """Check the answer to a multiple-choice question.

    Parameters
    ----------
    answer : object
        The student's answer; letters in either case.
    right : str
    options : str
        All letters that may be chosen, ``"abcd"``.
    hint : str
        What to think about again; shown for a wrong letter.

    Raises
    ------
    AssertionError
    """
    letters = ", ".join(options)
    is_letter = isinstance(answer, str) and len(answer.strip()) == 1
    assert is_letter and answer.strip().lower() in options, (
        f"answer with one of the letters {letters}, as a string; got {answer!r}."
    )
    assert answer.strip().lower() == right, f"not ({answer.strip().lower()}): {hint}"


def _as_numbers(value, what):
    """Turn a student's result into a float array, or say why it is none."""
    assert value is not None, (
        f"{what} is None: does the function end with a `return` statement?"
    )
    try:
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        kind = type(value).__name__
        raise AssertionError(
            f"{what} must be a number or an array of numbers; yours is a {kind}."
        ) from None


def _same(actual, expected, rtol):
    """Tell whether shapes agree and values do, relative to the largest entry."""
    if actual.shape != expected.shape:
        return False
    scale = np.abs(expected).max(initial=0.0)
    return bool((np.abs(actual - expected) <= rtol * scale + 1e-13).all())


def _explain(actual, expected):
    """Name the simplest change that would make the answer right."""
    rtol = 1e-6
    transposed = expected.swapaxes(-1, -2) if expected.ndim >= 2 else expected
    if _same(actual, transposed, rtol):
        each = "it" if expected.ndim == 2 else "each block"
        return f"{each} is transposed."
    if expected.ndim >= 1 and _same(actual, expected[::-1], rtol):
        return (
            "it comes out in reverse order: entry 0 must belong to the layer that "
            "meets the input first."
        )
    size = float((expected**2).sum())
    factor = float((actual * expected).sum()) / size if size else 0.0
    if factor and expected.size > 1 and _same(actual, factor * expected, rtol):
        return f"right direction, wrong factor: yours is {factor:.4g} times as large."
    if _same(actual, -expected, rtol):
        return "right size, wrong sign."
    return _worst(actual, expected)


def _worst(actual, expected):
    """Point at the entry that is furthest off."""
    error = np.abs(actual - expected)
    flat = int(error.argmax())
    scale = np.abs(expected).max(initial=0.0) or 1.0
    place = f"entry {_index(flat, actual.shape)}" if actual.ndim else "it"
    off = f"{error.flat[flat] / scale:.1%} of the largest entry"
    if actual.ndim == 0:
        # A percentage of a single number would tell what the number should be.
        return f"it is {float(actual):.6g}, which is not right."
    return f"{place} is {actual.flat[flat]:.6g}, which is off by {off}."


def _index(flat, shape):
    """Format a flat position as an index, ``[0, 2, 1]``."""
    return "[" + ", ".join(str(int(i)) for i in np.unravel_index(flat, shape)) + "]"


def _name(function):
    """Return a function's name, for messages."""
    return getattr(function, "__name__", "the function")
