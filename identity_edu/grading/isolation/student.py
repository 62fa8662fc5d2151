"""The loop inside a student process: run cells, then answer calls.

Nothing here guards anything: the student's code shares this process, and may rewrite
all of it. The guards are around the process, and in who reads its answers.
"""

import contextlib
import os
import time

import numpy as np

from identity_edu.grading.isolation import cell, confine, wire

REQUEST_BYTES = 1 << 30  # what an examiner may send


class Notebook:
    """A running notebook, and the names in it as they were at each graded cell.

    Parameters
    ----------
    limits : dict
        Fields of `identity_edu.grading.isolation.task.Limits`.
    """

    def __init__(self, limits):
        self._limits = limits
        self._names = {"__name__": "__main__", "display": None}
        self._kept = {}

    def cell(self, key, source, names):
        """Keep the names as they are before a cell, then run it.

        Parameters
        ----------
        key, source : str
        names : list of str
            What to keep; empty for a cell that is not graded.

        Returns
        -------
        list
            ``["ran", outputs, the limit that was hit or nothing]``.
        """
        if names:
            kept = {n: self._names[n] for n in names if n in self._names}
            self._kept[key] = kept
        if not source:
            return ["ran", [], ""]
        shown = self._shown()
        self._names.pop("display", None)
        _, error = cell.run(
            source, self._names, shown, self._limits["cell_seconds"], f"<{key}>"
        )
        limit = cell.limit_hit(error) or ("output" if shown.is_cut else "")
        return ["ran", shown.outputs, limit]

    def examine(self):
        """Forget which warnings were shown: the tests count them from here on."""
        self._names.pop("__warningregistry__", None)
        return ["ready"]

    def names(self, key):
        """Say what the names were at a graded cell.

        Parameters
        ----------
        key : str

        Returns
        -------
        dict
            By name: ``["function"]``, ``["value", it]``, or ``["unfit", why]``.
        """
        return {name: _described(value) for name, value in self._kept[key].items()}

    def call(self, where, args, kwargs, errors, *, give_back):
        """Call a function, under the examiner's treatment of floating-point errors.

        Parameters
        ----------
        where : (str, str)
            Key of the graded cell, and the function's name.
        args : list
        kwargs, errors : dict
            `errors` as `numpy.errstate` takes them.
        give_back : bool
            Whether to return the arguments as well, where the function changed them.

        Returns
        -------
        list
            ``["returned", value, arguments or None, printed, complained]``, or
            ``["raised", class names, message, printed, complained]``, or
            ``["overtime"]``.
        """
        key, name = where
        function, shown = self._kept[key][name], self._shown()
        before = wire.pack(args) if give_back else b""
        seconds = self._limits["call_seconds"]
        try:
            with (
                cell.time_limit(seconds, f"a call took more than {seconds:g} seconds"),
                cell.captured(shown),
                np.errstate(**errors),
            ):
                result = function(*args, **kwargs)
        except cell.CellTimeoutError:
            return ["overtime"]
        except BaseException as error:
            names = [c.__name__ for c in type(error).__mro__]
            return ["raised", names, cell.message_of(error), *_said(shown)]
        changed = args if give_back and wire.pack(args) != before else None
        return ["returned", result, changed, *_said(shown)]

    def _shown(self):
        limits = self._limits
        return cell.Shown(limits["output_kb"] << 10, limits["figure_kb"] << 10)


def live(channel, libc, mapped):
    """Confine this process as the first frame says, then answer until the end.

    Parameters
    ----------
    channel : Channel
    libc : ctypes.CDLL or None
    mapped : int
        Bytes of address space in use at the start.
    """
    start = channel.receive()
    os.chdir(start["directory"])
    os.environ.clear()
    os.environ.update(confine.ENVIRONMENT, HOME=start["directory"])
    os.environ["TMPDIR"] = start["directory"]
    time.tzset()
    for name, data in start["files"].items():
        with open(name, "wb") as file:
            file.write(data.tobytes())
    np.random.seed()  # noqa: NPY002 - or every submission draws the same numbers
    cell.warn_as_jupyter()
    confine.limit_resources(start["limits"], mapped)
    channel.send(["ready", os.getpid(), confine.drop_rights(libc)])
    notebook = Notebook(start["limits"])
    with contextlib.suppress(wire.ClosedError):
        while True:
            _answer(channel, notebook, *channel.receive())


def _answer(channel, notebook, what, *details):
    if what == "call":
        where, args, kwargs, errors, give_back = details
        reply = notebook.call(where, args, kwargs, errors, give_back=give_back)
    else:
        reply = getattr(notebook, what)(*details)
    try:
        channel.send(reply)
    except wire.PlainDataError as error:
        channel.send(["unfit", str(error)])


def _described(value):
    if callable(value):
        return ["function"]
    try:
        wire.pack(value)
    except wire.PlainDataError as error:
        return ["unfit", str(error)]
    return ["value", value]


def _said(shown):
    texts = {"stdout": "", "stderr": ""}
    for kind, *rest in shown.outputs:
        if kind in texts:
            texts[kind] += rest[0]
    return [texts["stdout"], texts["stderr"]]
