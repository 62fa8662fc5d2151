"""The student process as the examiner sees it: cells to run, calls to make, restarts.

Whatever comes back is data, or a reason to end that process. One that ends is started
again: the cells that ended it are left out, the others run once more, and the graded
cells that remain are graded in the fresh process.
"""

import contextlib
import os
import shutil
import signal
import socket
import tempfile
import time
from dataclasses import asdict, dataclass

import numpy as np

from identity_edu.grading.isolation import wire
from identity_edu.grading.isolation.cell import HITS
from identity_edu.grading.isolation.merge import ADDED
from identity_edu.grading.isolation.notebook import Room, outputs_of
from identity_edu.grading.isolation.sandbox import SCRATCH, Sandbox
from identity_edu.grading.isolation.task import STUDENT, IsolationError

GRACE_SECONDS = 2.0  # between the limit that Python holds and the one that kills
SECONDS_TO_START = 60.0  # a loaded machine
MAX_STARTS = 30
SUSPICIOUS = 3  # cells that ended their process
MAX_TEXT, MAX_FIGURES = 4 << 20, 32 << 20  # of all cells together


class StudentEndedError(BaseException):
    """The student process is gone; no ``except Exception`` in a test may catch it.

    Parameters
    ----------
    reason : str
        One line for the student.
    limit : str
        Which limit it was.
    """

    def __init__(self, reason, limit):
        super().__init__(reason)
        self.reason, self.limit = reason, limit


@dataclass(frozen=True)
class Step:
    """A cell for the student process, and whether the examiner runs one there too."""

    key: str
    source: str
    is_ours: bool = False


class Session:
    """A student process and its successors, to be used in a ``with`` statement.

    Parameters
    ----------
    steps : sequence of Step
        The notebook.
    task : Task
    control : socket.socket
        Where to ask the launcher.

    Attributes
    ----------
    outputs : dict
        What each cell showed, by key, as a notebook has it.
    hit : dict
        The limit, a key of `cell.HITS`, by the key of the cell that hit it.
    between : list of str
        What ended the process between two cells: the doing of an earlier one.
    filter_problem : str
        Why system calls are not filtered; empty where they are.
    """

    def __init__(self, steps, task, control):
        self._steps, self._task, self._control = steps, task, control
        self._deadline = time.monotonic() + task.limits.total_seconds
        self._stack, self._channel, self._pid = contextlib.ExitStack(), None, 0
        self._n_starts, self._skipped, self._given_up = 0, {}, None
        self.outputs = {}
        self.hit, self.between = {}, []
        self._ran, self._is_bare = "", False
        self._room = Room(MAX_TEXT, MAX_FIGURES)
        self.filter_problem = ""

    def __enter__(self):
        """Return itself."""
        return self

    def __exit__(self, *_):
        """End the process."""
        self._end()

    @property
    def skipped(self):
        """Reasons and limits by key, of the cells that ended their process."""
        return self._skipped

    def run(self):
        """Run the notebook, and from the top again after a cell ended the process."""
        while self._channel is None:
            if len(self._skipped) >= SUSPICIOUS and not self._is_bare:
                self._leave_out_added()
            try:
                self._start()
                for step in self._steps:
                    if not self._run_step(step):
                        break
            except StudentEndedError as ended:
                self._given_up = ended
                return
            except OSError as error:
                raise IsolationError(f"no student process started: {error}") from error

    def names(self, key, names):
        """Return what the student's names were at a cell of the examiner's.

        Parameters
        ----------
        key : str
        names : list of str
            Which to look at.

        Returns
        -------
        dict
            By name: a list of a kind, ``"function"``, ``"value"`` or ``"unfit"``, and
            what belongs to it.
        """
        request, seconds = ["names", key, names], self._task.limits.call_seconds
        for _ in range(2):  # what fails is an earlier cell's doing: ask a fresh process
            try:
                found = self._ask(request, seconds)
                if type(found) is dict:
                    return found
                ended = self._broken("broke the line to the grader")
            except StudentEndedError as error:
                ended = error
            self.between.append(ended.reason)
        raise ended

    def call(self, key, name, args, kwargs, *, give_back):
        """Call a function of the student's.

        Parameters
        ----------
        key, name : str
            Which graded cell calls, and the function.
        args : list
        kwargs : dict
        give_back : bool
            Whether to return the arguments as well, where the function changed them.

        Returns
        -------
        list
            As `identity_edu.grading.isolation.student.Notebook.call` has it.
        """
        request = ["call", (key, name), args, kwargs, np.geterr(), give_back]
        reply = self._ask(request, self._task.limits.call_seconds)
        if type(reply) is not list or not reply or type(reply[0]) is not str:
            raise self._broken("broke the line to the grader")
        if reply[0] == "overtime":
            seconds = self._task.limits.call_seconds
            raise StudentEndedError(
                f"a call of `{name}` took more than {seconds:g} seconds", "call time"
            )
        return reply

    def _run_step(self, step):
        """Run one step; False where it, or what ran before it, ended the process."""
        source = "" if step.key in self._skipped else step.source
        seconds = self._task.limits.cell_seconds if source else GRACE_SECONDS
        suspect = self._ran or step.key
        try:
            self._ask(["here"], GRACE_SECONDS)  # or the cell before left a time bomb
            suspect = step.key
            reply = self._ask(["cell", step.key, source, step.is_ours], seconds)
        except StudentEndedError as ended:
            if suspect in self._skipped:
                raise
            self._skipped[suspect] = ended
            self._keep(suspect, [["error", "Stopped", ended.reason]])
            return False
        self._ran = step.key if source else self._ran
        is_one = type(reply) is list and len(reply) == 3
        _, shown, limit = reply if is_one else ("", [], "")
        self._keep(step.key, shown)
        if type(limit) is str and limit in HITS:
            self.hit.setdefault(step.key, limit)
        return True

    def _leave_out_added(self):
        """Blame the cells that the student added: one may have left a time bomb."""
        why = "the process ended again and again, and this cell was left out"
        blamed, self._is_bare = StudentEndedError(why, "process ended"), True
        added = [s.key for s in self._steps if s.key.startswith(ADDED)]
        if added:
            for key in self._skipped:
                del self.outputs[key]
            self._skipped = dict.fromkeys(added, blamed)

    def _keep(self, key, shown):
        """Keep what a cell showed, the first time that it ran."""
        if key not in self.outputs:
            self.outputs[key] = outputs_of(shown, self._room)

    def _ask(self, request, seconds):
        """Send a request and wait for its answer."""
        if self._given_up is not None:
            raise self._given_up
        if self._channel is None:
            self.run()
            return self._ask(request, seconds)
        left = self._deadline - time.monotonic()
        try:
            self._channel.send(request, max(min(seconds, left), 0.01))
            return self._channel.receive(max(min(seconds + GRACE_SECONDS, left), 0.01))
        except TimeoutError:
            if left < seconds + GRACE_SECONDS:
                raise self._out_of_time() from None
            reason = f"did not stop within {seconds:g} seconds, and was ended"
            raise self._broken(reason, "call time") from None
        except wire.ClosedError:
            reason = "ended its process (or used more than it may)"
            raise self._broken(reason, "process ended") from None
        except wire.WireError:
            reason = "returned too much, or broke the line to the grader"
            raise self._broken(reason, "reply") from None

    def _broken(self, reason, limit="reply"):
        self._end()
        return StudentEndedError(f"the code {reason}", limit)

    def _out_of_time(self):
        self._end()
        seconds = self._task.limits.total_seconds
        return StudentEndedError(
            f"the whole submission took more than {seconds:g} seconds",
            "submission time",
        )

    def _start(self):
        if time.monotonic() >= self._deadline:
            raise self._out_of_time()
        self._n_starts, self._ran = self._n_starts + 1, ""
        if self._n_starts > MAX_STARTS:
            raise StudentEndedError(
                f"the code ended its process {MAX_STARTS} times", "process ended"
            )
        ours, theirs = socket.socketpair()
        self._stack.callback(ours.close)
        with theirs:
            directory, files = self._place(), [theirs.fileno()]
            if self._task.isolation == "bubblewrap":
                box = self._stack.enter_context(Sandbox(self._task.limits))
                files.append(box.pid_fd)
            socket.send_fds(self._control, [STUDENT], files)
        most = self._task.limits.reply_mb << 20
        self._channel = wire.Channel(ours, most)
        files = self._task.files
        start = {
            "directory": directory,
            "limits": asdict(self._task.limits),
            "files": {n: np.frombuffer(data, np.uint8) for n, data in files.items()},
        }
        try:
            self._channel.send(start, SECONDS_TO_START)
            said, *rest = self._channel.receive(SECONDS_TO_START)
        except wire.WireError as error:
            raise IsolationError(f"no student process started: {error}") from error
        if said != "ready":
            raise IsolationError(f"no student process started: {rest[0]}")
        self._pid, self.filter_problem = rest

    def _place(self):
        """Return the working directory; without namespaces it is a folder of ours."""
        if self._task.isolation == "bubblewrap":
            return SCRATCH
        folder = tempfile.mkdtemp(prefix="grading-")
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        self._stack.callback(self._kill)
        return folder

    def _kill(self):
        """Kill the process by its number, where no namespace does."""
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._pid, signal.SIGKILL)

    def _end(self):
        self._stack.close()
        self._stack = contextlib.ExitStack()
        self._channel, self._pid = None, 0
