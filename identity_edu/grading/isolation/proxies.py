"""What the tests hold in place of the student's functions and values."""

import builtins
import sys

import numpy as np

from identity_edu.grading.isolation.session import StudentEndedError

ERRORS = {
    name: kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, Exception)
} | {"LinAlgError": np.linalg.LinAlgError}
ODD_ARGUMENTS = (UnicodeError, ExceptionGroup)  # these are not made of one text


class RemoteFunction:
    """A function that lives in the student process.

    Called, it leaves its arguments as they are; `changing_inputs` is for tests that
    ask whether it changed them.

    Parameters
    ----------
    session : Session
    key, name : str
        Which cell calls, and the function.
    """

    def __init__(self, session, key, name):
        self._session, self._key, self.__name__ = session, key, name

    def __repr__(self):
        """Return its name."""
        return f"<function {self.__name__}>"

    def __call__(self, *args, **kwargs):
        """Call it.

        Parameters
        ----------
        *args, **kwargs : plain data

        Returns
        -------
        plain data
        """
        return self._call(args, kwargs, give_back=False)[0]

    def changing_inputs(self, *args):
        """Call it, and let the arguments be changed as it changed them.

        Parameters
        ----------
        *args : plain data

        Returns
        -------
        plain data
        """
        result, changed = self._call(args, {}, give_back=True)
        if changed is not None:
            for given, now in zip(args, changed, strict=True):
                _overwrite(given, now)
        return result

    def _call(self, args, kwargs, *, give_back):
        reply = self._session.call(
            self._key, self.__name__, list(args), kwargs, give_back=give_back
        )
        kind, *rest = reply
        if kind == "returned" and len(rest) == 4:
            result, changed, *said = rest
            _repeat(said)
            is_fitting = type(changed) is list and len(changed) == len(args)
            return result, changed if is_fitting else None
        if kind == "raised" and len(rest) == 4:
            names, message, *said = rest
            _repeat(said)
            raise _error(names, message)
        if kind == "unfit" and len(rest) == 1:
            text = (
                f"`{self.__name__}` must return numbers, text, lists, tuples, dicts or "
                f"arrays of numbers; it returned {_line(rest[0])}."
            )
            raise marked(TypeError(text), "grader")
        raise StudentEndedError("the code broke the line to the grader", "reply")


def bind(session, key, namespace, names):
    """Put proxies and values of the student's names into the tests' namespace.

    Parameters
    ----------
    session : Session
    key : str
        Cell of the examiner's.
    namespace : dict
        Changed: names that the student does not have are taken out.
    names : iterable of str

    Returns
    -------
    dict
        Why a name is not usable, for those that are there and are not plain data.
    """
    found, unfit = session.names(key, list(names)), {}
    for name in names:
        namespace.pop(name, None)
        kind, *rest = _told(found.get(name))
        if kind == "function":
            namespace[name] = RemoteFunction(session, key, name)
        elif kind == "value" and len(rest) == 1:
            namespace[name] = rest[0]
        elif kind == "unfit":
            unfit[name] = (
                f"`{name}` must be a function, a number, text, a list, a tuple, a dict "
                f"or an array of numbers; it is {_line(rest[0] if rest else '')}."
            )
    return unfit


def marked(error, origin):
    """Note who speaks in an error; one that a test raises has no mark.

    Parameters
    ----------
    error : Exception
    origin : str
        ``"student"`` for an error of the student's code, ``"grader"`` for one that we
        put into words.

    Returns
    -------
    Exception
        The same.
    """
    error.origin = origin
    return error


def _told(reply):
    """Return an answer whose first entry is text; ``[""]`` for what is none."""
    is_one = type(reply) is list and reply and type(reply[0]) is str
    return reply if is_one else [""]


def _error(names, message):
    """Make the error that was raised there, or the nearest built-in one."""
    names = [n for n in names if type(n) is str] if type(names) is list else []
    message = message if type(message) is str else ""
    if "MemoryError" in names:
        return marked(MemoryError("a call used more memory than it may."), "grader")
    for name in names:
        kind = ERRORS.get(name)
        if kind is not None and not issubclass(kind, ODD_ARGUMENTS):
            if kind is Exception:  # a class of the student's own
                message = f"{_line(names[0])}: {message}"
            return marked(kind(message), "student")
    own = _line(names[0]) if names else "an error"
    return marked(RuntimeError(f"{own}: {message}"), "student")


def _repeat(said):
    """Print what the call printed, and complain as it complained."""
    out, complaint = (text if type(text) is str else "" for text in said)
    sys.stdout.write(out)
    sys.stderr.write(complaint)


def _overwrite(given, now):
    if isinstance(given, np.ndarray) and isinstance(now, np.ndarray):
        if given.shape == now.shape and given.flags.writeable:
            given[...] = now
    elif isinstance(given, list) and isinstance(now, list):
        given[:] = now
    elif isinstance(given, dict) and isinstance(now, dict):
        given.clear()
        given.update(now)
    elif isinstance(given, tuple) and isinstance(now, tuple):
        for inside, changed in zip(given, now, strict=False):
            _overwrite(inside, changed)


def _line(text):
    text = text if type(text) is str else ""
    return "".join(c if c.isprintable() else " " for c in text)[:200]
