"""Grade one submission: the door to this package, safe to call from many threads."""

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import identity_edu
from identity_edu.grading.isolation import wire
from identity_edu.grading.isolation.confine import ENVIRONMENT
from identity_edu.grading.isolation.task import (
    EXAMINE,
    IsolationError,
    Result,
    Task,
    failure,
)

SECONDS_TO_START = 120.0  # a cold disk, a loaded machine
SECONDS_BEYOND = 120.0  # our own share of the time for a submission
MAX_FRAME = (1 << 32) - 1
MAX_WORDS = 1 << 20
PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from identity_edu.grading.isolation.launcher import main; main(int(sys.argv[2]))"
)
KEPT_VARIABLES = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR")


class Launcher:
    """The launcher process of this process, and the way to ask it.

    It sees the end of a pipe when this process ends, however it ends, and goes too.
    """

    def __init__(self):
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        read, self._life = os.pipe()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - until `close`
        package = str(Path(identity_edu.__file__).resolve().parents[1])
        fonts = {n: os.environ[n] for n in KEPT_VARIABLES if n in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", PROGRAM, package, str(read)],
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            env=ENVIRONMENT | fonts | {"TMPDIR": tempfile.gettempdir()},
            start_new_session=True,
            pass_fds=[read],
        )
        theirs.close()
        os.close(read)

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def last_words(self) -> str:
        """Return the last line that it, or a child of it, wrote to stderr."""
        text = os.pread(self._errors.fileno(), MAX_WORDS, 0)  # the offset is its own
        lines = text.decode(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "nothing")

    def close(self) -> None:
        """End it, and all that it started; once more does nothing."""
        if self._errors.closed:
            return
        self.control.close()
        self._errors.close()
        os.close(self._life)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class _Current:
    """The launcher in use: made on demand, made anew when it died or after a fork."""

    def __init__(self):
        self._lock, self._launcher, self._owner = threading.Lock(), None, 0

    def get(self):
        with self._lock:
            is_ours = self._launcher is not None and self._owner == os.getpid()
            if not (is_ours and self._launcher.is_alive):
                if is_ours:
                    self._launcher.close()
                self._launcher, self._owner = Launcher(), os.getpid()
            return self._launcher

    def close(self):
        with self._lock:
            if self._launcher is not None and self._owner == os.getpid():
                self._launcher.close()
            self._launcher = None


_current = _Current()
close = _current.close
atexit.register(close)


def warm_up() -> None:
    """Start the launcher now, to be warm when the first submission comes."""
    if sys.platform != "win32":
        _current.get()


def grade_submission(task: Task) -> Result:
    """Grade one submission in processes of its own.

    Parameters
    ----------
    task : Task

    Returns
    -------
    Result
        Whatever the submission does. Its verdict is ``"failed"`` where the grader
        itself was at fault; then nothing may be recorded.

    Raises
    ------
    IsolationError
        If the isolation that the task asks for is not to be had.
    """
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            launcher = _current.get()
            files = [theirs.fileno(), launcher.control.fileno()]
            try:
                socket.send_fds(launcher.control, [EXAMINE], files)
            except OSError:
                return failure(task, f"the launcher ended: {launcher.last_words()}")
        channel, examiner = wire.Channel(ours, MAX_FRAME, MAX_FRAME), 0
        try:
            _, examiner = channel.receive(SECONDS_TO_START)
            channel.send(task.to_plain(), SECONDS_TO_START)
            seconds = task.limits.total_seconds + SECONDS_BEYOND
            kind, *reply = channel.receive(seconds)
        except (wire.WireError, TimeoutError) as error:
            _kill(examiner)
            why = f"{type(error).__name__}: {error} {launcher.last_words()}"
            return failure(task, f"the examiner ended. {why}")
    if kind == "isolation":
        raise IsolationError(reply[0])
    if kind == "failed":
        return failure(task, reply[0], reply[1])
    return Result.from_plain(json.loads(reply[0]))


def _kill(pid):
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
