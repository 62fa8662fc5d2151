"""Assertions that tell a student which mistake it is and where to look.

Each check compares an answer with an independently computed value and, when they
differ, looks for an explanation: first the mistakes that the author of the exercise
expects, then the general ones (a constant factor, a sign, a transposition, layers in
reverse order), and at last the place where the answer is worst. A message may show
what the student computed; it never shows the right value.
"""

import copy
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
    """
    digest = hashlib.sha256(f"{course_secret()}\n{problem}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def course_secret():
    """Return what hidden problems depend on besides their names.

    Returns
    -------
    str
        The text of ``IDENTITY_EDU_SECRET``, or else of `secret_file`, or else empty.

    Raises
    ------
    OSError, UnicodeDecodeError
        If the file cannot be read as text.
    """
    path = secret_file()
    if path is None:
        return os.environ.get(SECRET_VARIABLE, "")
    return path.read_text(encoding="utf-8-sig").strip()


def secret_file():
    """Return the file that holds the course's secret.

    Returns
    -------
    Path or None
        What ``IDENTITY_EDU_SECRET_FILE`` names, unless the other variable is set.
    """
    name = os.environ.get(SECRET_FILE_VARIABLE, "")
    return Path(name) if name and not os.environ.get(SECRET_VARIABLE) else None


def call(function, *arguments):
    """Call a student's function and see that it leaves its inputs alone.

    Parameters
    ----------
    function : callable
    *arguments : array, number, string, list or dict
        Arrays, lists and dicts are passed as copies.

    Returns
    -------
    object
        What the function returned.

    Raises
    ------
    AssertionError
        If an input was changed in place.
    """
    containers = (np.ndarray, list, tuple, dict)
    copies = [copy.deepcopy(a) if isinstance(a, containers) else a for a in arguments]
    result = getattr(function, "changing_inputs", function)(*copies)  # if a proxy
    for position, (given, now) in enumerate(zip(arguments, copies, strict=True), 1):
        assert _is_unchanged(given, now), (
            f"`{_name(function)}` changes its argument number {position} in place. "
            "Work on a new array: `x = x + y` makes one, `x += y` does not."
        )
    return result


def assert_matches(actual, expected, what, *, mistakes=(), rtol=1e-9, atol=1e-13):
    """Compare an array or a number with the right one, and diagnose a difference.

    Parameters
    ----------
    actual : array or number
        The student's result.
    expected : array or number
        Finite.
    what : str
        What the message calls the result, ``"the gradient"``.
    mistakes : sequence of (wrong value, message)
        Results of mistakes that the author expects, tried first and in order. A
        wrong value of another shape than the answer is passed over.
    rtol : float
        Allowed error relative to the largest entry of `expected`.
    atol : float
        Allowed error besides, for entries that are zero up to rounding. Lower it
        where the right values are that small themselves.

    Raises
    ------
    AssertionError
        With a message that says what to look at.
    ValueError
        If `expected` is not finite: an infinite tolerance would accept anything.
    """
    expected = np.asarray(expected, dtype=float)
    if not np.isfinite(expected).all():
        raise ValueError(f"{what}: the expected value must be finite; it is not.")
    actual = _as_numbers(actual, what)
    for wrong, message in mistakes:
        if _same(actual, np.asarray(wrong, dtype=float), rtol, atol):
            # A mistake may be harmless on a special input: then it is no mistake.
            assert _same(actual, expected, rtol, atol), f"{what}: {message}"
    single = "" if expected.ndim else " (a single number)"
    assert actual.shape == expected.shape, (
        f"{what} must have shape {expected.shape}{single}; yours has {actual.shape}."
    )
    assert np.isfinite(actual).all(), (
        f"{what} has entries that are NaN or infinite, the first at "
        f"{_index(np.argmin(np.isfinite(actual)), actual.shape)}."
    )
    if not _same(actual, expected, rtol, atol):
        raise AssertionError(f"{what}: {_explain(actual, expected, atol)}")


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
        Also if `actual` is not a single finite number.
    """
    actual = _as_numbers(actual, what)
    assert actual.ndim == 0, (
        f"{what} (yours is an array of shape {actual.shape}, not a single number)."
    )
    is_within = -np.inf < actual <= limit + 1e-9 * abs(limit) + 1e-12
    assert is_within, f"{what} (yours: {actual:.4g})."


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
    given = answer.strip(" ().").lower() if isinstance(answer, str) else ""
    assert given in tuple(options), (
        f"answer with one of the letters {letters}, as a string; got {answer!r}."
    )
    assert given == right, f"not ({given}): {hint}"


def _as_numbers(value, what):
    """Turn a student's result into a float array, or say why it is none."""
    assert value is not None, (
        f"{what} is None: does the function end with a `return` statement?"
    )
    try:
        numbers = np.asarray(value)
        if numbers.dtype.kind not in "fiubO":  # the text "3" would convert
            raise TypeError
        return numbers.astype(float)
    except (TypeError, ValueError):
        is_array = isinstance(value, np.ndarray)
        kind = f"array of {value.dtype}" if is_array else type(value).__name__
        raise AssertionError(
            f"{what} must be a number or an array of numbers; yours is of type {kind}."
        ) from None


def _is_unchanged(given, now):
    """Tell whether a copy still holds what the original does, NaN included."""
    if type(given) is not type(now):
        return False
    if isinstance(given, dict):
        return given.keys() == now.keys() and all(
            _is_unchanged(given[key], now[key]) for key in given
        )
    if isinstance(given, (list, tuple)):
        return len(given) == len(now) and all(map(_is_unchanged, given, now))
    if isinstance(given, np.ndarray):
        return np.array_equal(given, now, equal_nan=given.dtype.kind in "fc")
    return given is now or given == now


@np.errstate(over="ignore")  # an error that overflows is an error
def _same(actual, expected, rtol, atol=1e-13):
    """Tell whether shapes agree and values do, relative to the largest entry."""
    if actual.shape != expected.shape or not np.isfinite(expected).all():
        return False
    scale = np.abs(expected).max(initial=0.0)
    return bool((np.abs(actual - expected) <= rtol * scale + atol).all())


@np.errstate(over="ignore", invalid="ignore")
def _explain(actual, expected, atol):
    """Name the simplest change that would make the answer right."""
    scale = np.abs(expected).max(initial=0.0)
    if scale <= atol or expected.size == 1:
        return _explain_single(actual, expected)
    actual_unit, unit = actual / scale, expected / scale
    if _same(actual_unit, unit, 1e-6):
        return "it is nearly right, but loses digits on the way."
    for wrong, message in _general_mistakes(unit):
        if _same(actual_unit, wrong, 1e-6):
            return message
    factor = float((actual_unit * unit).sum() / (unit**2).sum())
    if factor and _same(actual_unit, factor * unit, 1e-6):
        return f"right direction, wrong factor: yours is {factor:.4g} times as large."
    return _worst(actual, actual_unit - unit)


def _general_mistakes(expected):
    """Return pairs of a wrong value and a message, the likeliest first."""
    each = "it" if expected.ndim == 2 else "each block"
    transposed = expected.swapaxes(-1, -2) if expected.ndim >= 2 else expected
    return [
        (transposed, f"{each} is transposed."),
        (
            expected[::-1],
            "it comes out in reverse order: entry 0 must belong to the layer that "
            "meets the input first.",
        ),
        (-expected, "right size, wrong sign."),
    ]


def _explain_single(actual, expected):
    """Keep to the student's value: a percentage would tell the right one."""
    if actual.size == 1 and expected.any() and _same(actual, -expected, 1e-6, 0.0):
        return "right size, wrong sign."
    flat = int(np.abs(actual - expected).argmax())
    place = f"entry {_index(flat, actual.shape)}" if actual.ndim else "it"
    return f"{place} is {actual.flat[flat]:.6g}, which is not right."


def _worst(actual, relative_error):
    """Point at the entry that is furthest off."""
    flat = int(np.abs(relative_error).argmax())
    place = f"entry {_index(flat, actual.shape)}"
    share = abs(relative_error.flat[flat])
    off = f"{share:{'.1%' if share > 5e-4 else '.0e'}} of the largest entry"
    return f"{place} is {actual.flat[flat]:.6g}, which is off by {off}."


def _index(flat, shape):
    """Format a flat position as an index, ``[0, 2, 1]``."""
    return "[" + ", ".join(str(int(i)) for i in np.unravel_index(flat, shape)) + "]"


def _name(function):
    """Return a function's name, for messages."""
    return getattr(function, "__name__", "the function")
