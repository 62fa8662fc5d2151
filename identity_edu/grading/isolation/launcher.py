"""The launcher: warmed up, knows no task, and forks examiners and students on request.

Importing NumPy and matplotlib takes longer than grading a notebook. The launcher does
it once. It never reads a task, so that the memory which a student process inherits
from it holds nothing that a student must not see; its environment and its arguments
are clean for the same reason.
"""

import gc
import importlib
import io
import os
import pkgutil
import platform
import select
import signal
import socket
import sys

from tqdm import tqdm

import identity_edu
from identity_edu import plots
from identity_edu.grading.isolation import confine, examiner, student, wire
from identity_edu.grading.isolation.task import EXAMINE, STUDENT

CONTROL = 0  # the descriptor on which it is asked
LEFT_OUT = ("grading", "cli", "experiments", "train", "__main__")


def main(life):
    """Serve until the process that started it is gone.

    Parameters
    ----------
    life : int
        Descriptor that becomes readable then.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a child ended
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who started us decides
    control = socket.socket(fileno=CONTROL)
    warm_up()
    sys.argv = sys.orig_argv = ["notebook"]
    platform._uname_cache = None  # it holds this machine's name
    libc = confine.load_libc()
    confine.adopt_orphans(libc)  # a container's first process may not bury them
    gc.collect()
    gc.freeze()
    while True:
        ready, _, _ = select.select([control, life], [], [])
        if life in ready:  # its other end closed: that process is gone
            os.killpg(0, signal.SIGKILL)
        what, files, _, _ = socket.recv_fds(control, 64, 4)
        if os.fork() == 0:
            try:
                os.close(life)
                _child(what, files, libc)
            finally:
                os._exit(0)
        for descriptor in files:
            os.close(descriptor)


def warm_up():
    """Import what notebooks import, and draw one figure with everything in it."""
    for module in pkgutil.iter_modules(identity_edu.__path__):
        if module.name not in LEFT_OUT:
            importlib.import_module(f"identity_edu.{module.name}")
    tqdm.monitor_interval = 0  # its thread is refused, which would be a warning
    pyplot = sys.modules["matplotlib.pyplot"]  # by way of our plots
    plots.use_book_style()
    figure, axes = plots.new_figure(2)
    for scale, axis in zip(("linear", "log"), axes, strict=True):
        axis.plot([1.0, 10.0, 100.0], [1.0, 5.0, 20.0], "o-", label=r"$\tau_i^2$")
        axis.set(xlabel="x", ylabel=r"$\|A\|$", title="warm", yscale=scale)
        axis.legend()
    figure.savefig(io.BytesIO(), format="png")
    pyplot.close("all")
    pyplot.rcdefaults()
    pyplot.switch_backend("agg")


def _child(what, files, libc):
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    gc.enable()
    if what == EXAMINE:
        task, control = files
        examiner.main(socket.socket(fileno=task), socket.socket(fileno=control))
    elif what == STUDENT:
        _become_student(files, libc)


def _become_student(files, libc):
    channel, *namespaces = files
    mapped = confine.mapped_bytes()
    os.setsid()
    if libc is not None and not namespaces:  # no namespace ends with the examiner
        libc.prctl(confine.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if namespaces:
        try:
            confine.enter(libc, namespaces[0])
        except OSError as error:
            end = wire.Channel(socket.socket(fileno=channel), student.REQUEST_BYTES)
            end.send(["failed", str(error)])
            return
        if os.fork():  # only children live in the new pid namespace
            return
    confine.close_other_files(channel)
    end = socket.socket(fileno=3)
    student.live(wire.Channel(end, student.REQUEST_BYTES), libc, mapped)
