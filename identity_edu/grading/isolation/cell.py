"""Run one code cell as Jupyter would, and keep what it shows.

The same on both sides: a student's cell in the sandbox, a test cell outside. Outputs
are plain lists that cross the wire: ``["stdout", text]``, ``["stderr", text]``,
``["result", text]``, ``["figure", bytes as an array]``, ``["error", name, message]``.
"""

import builtins
import contextlib
import io
import signal
import sys
import threading
import warnings
from errno import EFBIG, ENOSPC

import numpy as np

from identity_edu.grading.isolation.source import compiled

DPI = 72
AGG = "matplotlib.backends.backend_agg"
CUT = "\n... what came after this was dropped: too much output.\n"

HITS = {
    "cell time": "the cell ran out of time",
    "memory": "the cell used more memory than it may",
    "disk": "the cell wrote more than it may",
    "output": "the cell printed more than is kept",
}

# What a kernel of Jupyter does with warnings; the last that fits counts.
WARNINGS = (
    ("default", Warning, ""),
    ("ignore", DeprecationWarning, ""),
    ("ignore", PendingDeprecationWarning, ""),
    ("ignore", ImportWarning, ""),
    ("ignore", ResourceWarning, ""),
    ("default", DeprecationWarning, "__main__"),
)


class CellTimeoutError(BaseException):
    """The cell ran out of time; no ``except Exception`` in a cell may catch it."""


class Shown:
    """What one cell has shown so far, in order, up to a limit.

    Parameters
    ----------
    max_text, max_figures : int
        Bytes of each kind.
    """

    def __init__(self, max_text, max_figures):
        self.outputs, self.is_cut = [], False
        self._text_left, self._figures_left = max_text, max_figures

    def text(self, kind, text):
        """Add text, to the last output if that is of the same stream.

        Parameters
        ----------
        kind : str
            ``"stdout"``, ``"stderr"`` or ``"result"``.
        text : str
        """
        if self.is_cut or not text:
            return
        text = str.__str__(text)
        if len(text) > self._text_left:
            text, self.is_cut = text[: self._text_left] + CUT, True
        self._text_left -= len(text)
        if self.outputs and self.outputs[-1][0] == kind != "result":
            self.outputs[-1][1] += text
        else:
            self.outputs.append([kind, text])

    def error(self, error):
        """Add the error that ended the cell.

        Parameters
        ----------
        error : BaseException
        """
        self.outputs.append(["error", type(error).__name__, message_of(error)])

    def figures(self):
        """Add all open figures, and close them."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is None:
            return
        try:
            for number in pyplot.get_fignums() if self._figures_left > 0 else ():
                file, figure = io.BytesIO(), pyplot.figure(number)
                figure.set_dpi(DPI)  # print_png draws once, savefig twice
                sys.modules[AGG].FigureCanvasAgg(figure).print_png(file)
                data = np.frombuffer(file.getvalue(), np.uint8)
                if len(data) <= self._figures_left:
                    self._figures_left -= len(data)
                    self.outputs.append(["figure", data])
        finally:  # one that cannot be drawn would fail every later cell
            pyplot.close("all")

    def display(self, *values):
        """Show values, as Jupyter's ``display`` does.

        Parameters
        ----------
        *values : object
        """
        for value in values:
            self.text("result", f"{value!r}\n")


class _Stream(io.TextIOBase):
    """A stream that outlives a cell, as Jupyter's do: loggers hold on to them."""

    encoding = "utf-8"

    def __init__(self, kind):
        self._kind, self.shown = kind, None

    def writable(self):
        return True

    def write(self, text):
        if self.shown is not None:
            self.shown.text(self._kind, text)
        return len(text)


STDOUT, STDERR = _Stream("stdout"), _Stream("stderr")


@contextlib.contextmanager
def captured(shown):
    """Send what is printed and drawn to `shown`.

    Parameters
    ----------
    shown : Shown
    """
    pyplot = sys.modules.get("matplotlib.pyplot")
    saved = getattr(pyplot, "show", None)
    builtins.display = shown.display
    STDOUT.shown = STDERR.shown = shown
    if pyplot is not None:
        pyplot.show = lambda *_, **__: shown.figures()
    try:
        with contextlib.redirect_stdout(STDOUT), contextlib.redirect_stderr(STDERR):
            yield
    finally:
        if pyplot is not None:
            pyplot.show = saved


@contextlib.contextmanager
def time_limit(seconds, message):
    """Raise `CellTimeoutError` when the time is over, again and again.

    Parameters
    ----------
    seconds : float
    message : str
    """
    in_main = threading.current_thread() is threading.main_thread()
    if not (hasattr(signal, "setitimer") and in_main):
        yield
        return

    def stop(signum, frame):
        raise CellTimeoutError(message)

    previous = signal.signal(signal.SIGALRM, stop)
    # Once more every half second: a bare except may swallow the first.
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def run(source, namespace, shown, seconds, name="cell"):
    """Run a cell; its error, if any, becomes its last output.

    Parameters
    ----------
    source : str
    namespace : dict
        Changed by the cell.
    shown : Shown
    seconds : float
        Time limit.
    name : str
        File name in tracebacks.

    Returns
    -------
    value : object
        Of the last line, if that is an expression; None else.
    error : BaseException or None
    """
    value, error = None, None
    try:
        with (
            time_limit(seconds, f"the cell took more than {seconds:g} seconds"),
            captured(shown),
        ):
            statements, last = compiled(source, name, namespace)
            exec(statements, namespace)
            if last is not None:
                value = eval(last, namespace)
                if value is not None:
                    shown.text("result", repr(value))
            shown.figures()
    except BaseException as raised:  # SystemExit too: Jupyter goes on after it
        error = raised
        shown.error(error)
        with contextlib.suppress(Exception):
            shown.figures()
    return value, error


def warn_as_jupyter():
    """Treat warnings as a kernel of Jupyter does."""
    warnings.resetwarnings()
    for action, category, module in WARNINGS:
        warnings.filterwarnings(action, category=category, module=module)


def limit_hit(error):
    """Say which limit an error speaks of.

    Parameters
    ----------
    error : BaseException or None

    Returns
    -------
    str
        A key of `HITS`, or empty.
    """
    if isinstance(error, CellTimeoutError):
        return "cell time"
    if isinstance(error, MemoryError):
        return "memory"
    is_full = isinstance(error, OSError) and error.errno in (ENOSPC, EFBIG)
    return "disk" if is_full else ""


def message_of(error):
    """Return the text of an error, whatever its class does to it.

    Parameters
    ----------
    error : BaseException

    Returns
    -------
    str
        At most 2,000 characters.
    """
    try:
        return str.__str__(str(error))[:2000]
    except BaseException:
        return "(an error that cannot be shown)"
