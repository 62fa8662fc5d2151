"""The loop inside a student process: run cells, then answer calls.

Nothing here guards anything: the student's code shares this process, and may rewrite
all of it. The guards are around the process, and in who reads its answers.
"""

import builtins
import contextlib
import linecache
import os
import sys
import time
import types

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
        self._limits, self._kept, self._place = limits, {}, ""
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        self._names = vars(main)

    def here(self):
        """Say that the process still lives.

        Returns
        -------
        list
        """
        return ["here"]

    def cell(self, key, source, is_ours):
        """Keep the names as they are before a cell, then run it.

        Parameters
        ----------
        key, source : str
        is_ours : bool
            Whether the examiner runs a cell at this place, and needs the names.

        Returns
        -------
        list
            ``["ran", outputs, the limit that was hit or nothing]``.
        """
        if is_ours:
            self._kept[key] = dict(self._names)
        if not source:
            return ["ran", [], ""]
        shown = self._shown()
        self._forget_warnings()
        lines = source.splitlines(keepends=True)  # for inspect and for warnings
        linecache.cache[f"<{key}>"] = len(source), None, lines, f"<{key}>"
        _, error = cell.run(
            source, self._names, shown, self._limits["cell_seconds"], f"<{key}>"
        )
        limit = cell.limit_hit(error) or ("output" if shown.is_cut else "")
        return ["ran", shown.outputs, limit]

    def names(self, key, names):
        """Say what some names were at a cell of the examiner's.

        Parameters
        ----------
        key : str
        names : list of str

        Returns
        -------
        dict
            By name: ``["function"]``, ``["value", it]``, or ``["unfit", why]``.
        """
        self._go_back(key)
        cell.Shown(0, 0).figures()  # closed between cells, as Jupyter does
        return {n: _described(self._names[n]) for n in names if n in self._names}

    def call(self, where, args, kwargs, errors, give_back):
        """Call a function, under the examiner's treatment of floating-point errors.

        Parameters
        ----------
        where : (str, str)
            Key of the examiner's cell, and the function's name.
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
        if key != self._place:
            self._go_back(key)
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

    def _go_back(self, key):
        """Put all names back as they were at a cell: functions look them up."""
        self._place = key
        self._names.clear()
        self._names.update(self._kept[key])
        self._forget_warnings()

    def _forget_warnings(self):
        """Let warnings that were shown be shown again, as Jupyter in every cell."""
        self._names.pop("__warningregistry__", None)

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
    settle(start["directory"], start["files"])
    os.environ.clear()
    os.environ.update(confine.ENVIRONMENT, HOME=start["directory"])
    os.environ["TMPDIR"] = start["directory"]
    time.tzset()
    np.random.seed()  # noqa: NPY002 - or every submission draws the same numbers
    builtins.input = _no_input
    cell.warn_as_jupyter()
    confine.limit_resources(start["limits"], mapped)
    channel.send(["ready", os.getpid(), confine.drop_rights(libc)])
    notebook = Notebook(start["limits"])
    with contextlib.suppress(wire.ClosedError):
        while True:
            _answer(channel, notebook, *channel.receive())


def settle(directory, files):
    """Make a folder the working directory, and put the released files there.

    Parameters
    ----------
    directory : str
    files : dict
        Their bytes, or arrays of bytes, by name.
    """
    os.chdir(directory)
    for name, data in files.items():
        with open(name, "wb") as file:
            file.write(data)


def _answer(channel, notebook, what, *details):
    try:
        channel.send(getattr(notebook, what)(*details))
    except wire.PlainDataError as error:
        channel.send(["unfit", str(error)])


def _no_input(*_):
    raise RuntimeError("input() is not possible while a notebook is graded")


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
