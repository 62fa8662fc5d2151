"""The namespaces in which a student process lives, made by bubblewrap.

Bubblewrap starts a *holder*, ``cat``, in fresh namespaces: nothing there but the
system's programs and libraries, Python, the environment and the package, all
read-only, a handful of devices, and an empty scratch folder of limited size. No
network, no /proc, no other process. The student process, forked warm from the
launcher, joins them. When the holder goes, the kernel kills whatever is inside.
"""

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
from pathlib import Path

import identity_edu
from identity_edu.grading.isolation.task import IsolationError, Limits

LEVELS = ("bubblewrap", "rlimits")
INSTALL = (
    "install it (Debian, Ubuntu: `apt install bubblewrap`; Fedora: `dnf install "
    "bubblewrap`), or pass --isolation rlimits, for submissions that you trust"
)
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
OTHER_SYSTEM = ("/etc/ld.so.cache", "/etc/localtime", "/nix/store")
DEVICES = ("null", "zero", "full", "random", "urandom")
SCRATCH = "/scratch"
SECONDS_TO_START = 60.0  # a loaded machine


class Sandbox:
    """Fresh namespaces, to be used in a ``with`` statement; the end kills all inside.

    Parameters
    ----------
    limits : Limits

    Attributes
    ----------
    pid_fd : int
        Of a process inside, for `identity_edu.grading.isolation.confine.enter`.

    Raises
    ------
    IsolationError
        With what bubblewrap said.
    """

    def __init__(self, limits: Limits):
        read, write = os.pipe()
        try:
            self._process = subprocess.Popen(
                command(limits, info_fd=write),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[write],
                env={},
            )
        except FileNotFoundError as error:
            os.close(read)
            raise IsolationError(f"bubblewrap is not installed: {INSTALL}.") from error
        finally:
            os.close(write)
        with open(read, "rb") as info:
            try:
                self._await_holder()
                self.pid_fd = os.pidfd_open(json.loads(info.read())["child-pid"])
            except (OSError, ValueError, KeyError) as error:
                self._kill()
                raise IsolationError(
                    f"bubblewrap failed: {error}. It needs user namespaces; the page "
                    "on teaching says more."
                ) from error

    def __enter__(self) -> "Sandbox":
        """Return itself."""
        return self

    def __exit__(self, *_) -> None:
        """Kill whatever lives inside."""
        self._kill()
        os.close(self.pid_fd)

    def _await_holder(self):
        # The mounts are in place once the program inside runs: it echoes a line.
        with contextlib.suppress(BrokenPipeError):  # then it says why it ended
            self._process.stdin.write(b"\n")
            self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], SECONDS_TO_START)[0]:
            raise OSError(f"it did not start within {SECONDS_TO_START:g} seconds")
        if self._process.stdout.read(1) != b"\n":
            said = self._process.stderr.read(2000).decode(errors="replace")
            raise OSError(" ".join(said.split()) or "it ended at once")

    def _kill(self):
        self._process.kill()
        for stream in ("stdin", "stdout", "stderr"):
            with contextlib.suppress(OSError):  # what was buffered for a dead process
                getattr(self._process, stream).close()
        self._process.wait()


def command(limits: Limits, info_fd: int) -> list[str]:
    """Return bubblewrap's command line.

    Parameters
    ----------
    limits : Limits
    info_fd : int
        Descriptor on which it tells the number of the process inside.

    Returns
    -------
    list of str
    """
    line = [
        shutil.which("bwrap") or "bwrap",
        "--unshare-user",
        "--uid",
        "1000",
        "--gid",
        "1000",
    ]
    line += ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net"]
    line += ["--unshare-cgroup-try", "--hostname", "grading", "--die-with-parent"]
    line += ["--new-session", "--cap-drop", "ALL", "--clearenv"]
    for path in SYSTEM:
        if os.path.islink(path):
            line += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            line += ["--ro-bind", path, path]
    for path in OTHER_SYSTEM:
        line += ["--ro-bind-try", path, path]
    for path in _environment():
        line += ["--ro-bind", path, path]
    line += ["--tmpfs", "/dev"]
    for name in DEVICES:
        line += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    line += ["--size", str(limits.scratch_mb << 20), "--tmpfs", SCRATCH]
    line += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", SCRATCH]
    line += ["--info-fd", str(info_fd), "--", shutil.which("cat") or "/bin/cat"]
    return line


def isolation_problem(level: str) -> str:
    """Say why an isolation level does not work here.

    Parameters
    ----------
    level : str
        One of `LEVELS`.

    Returns
    -------
    str
        Empty if it works, else one line with what to do.
    """
    if level not in LEVELS:
        return f"the isolation levels are {' and '.join(LEVELS)}; got {level!r}."
    if sys.platform == "win32":
        return "grading needs Linux (or macOS with --isolation rlimits); not Windows."
    if level == "bubblewrap":
        return _bubblewrap_problem()
    return ""


def _bubblewrap_problem():
    if sys.platform != "linux":
        return "bubblewrap exists on Linux only; elsewhere: --isolation rlimits."
    try:
        with Sandbox(Limits()):
            return ""
    except IsolationError as error:
        return str(error)


def _environment():
    """List the folders of Python's libraries and of the package."""
    package = Path(identity_edu.__file__).resolve().parent
    prefixes = {Path(prefix).resolve() for prefix in (sys.prefix, sys.base_prefix)}
    libraries = {(p / name).resolve() for p in prefixes for name in ("lib", "lib64")}
    wanted = {path for path in libraries if path.is_dir()} | {package}
    return [
        str(path)
        for path in sorted(wanted)
        if not any(path.is_relative_to(other) for other in SYSTEM)
        and not any(path != other and path.is_relative_to(other) for other in wanted)
    ]
