"""A PostgreSQL server of our own: in a temporary folder, on a Unix socket."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DEBIAN = Path("/usr/lib/postgresql")


def programs() -> Path | None:
    """Find the folder of initdb and postgres, which Debian keeps off the PATH."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(DEBIAN.glob("*/bin"), reverse=True)
    return next((f for f in folders if (f / "postgres").is_file()), None)


@contextmanager
def server() -> Iterator[str]:
    """Start a server with an empty cluster; give the URL of its database."""
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as folder:
        who = _unprivileged(folder)
        data, log = Path(folder, "data"), Path(folder, "log")
        options = ["--no-locale", "--encoding=UTF8", "--auth=trust", "--no-sync"]
        _run(["initdb", "-D", data, "-U", "course", *options], who)
        start = [programs() / "postgres", "-D", data, "-k", folder]
        start += ["-c", "listen_addresses=", "-c", "fsync=off"]
        with log.open("wb") as file:
            process = subprocess.Popen(start, stdout=file, stderr=file, cwd="/", **who)
        try:
            _wait(process, folder, log)
            yield f"postgresql+psycopg://course@/postgres?host={folder}"
        finally:
            process.send_signal(signal.SIGINT)  # "fast": does not wait for sessions
            process.wait(60)


def _unprivileged(folder):
    """Name a user that the server takes: it refuses root."""
    if os.getuid() != 0:
        return {}
    user = pwd.getpwnam("nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _run(command, who):
    name, *arguments = command
    subprocess.run(
        [programs() / name, *arguments],
        check=True,
        capture_output=True,
        cwd="/",
        env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
        **who,
    )


def _wait(process, folder, log):
    """Wait until the server answers, or has ended."""
    ready = [programs() / "pg_isready", "-q", "-h", folder]
    for _ in range(300):
        if subprocess.run(ready, check=False).returncode == 0:
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"postgres did not start: {log.read_text('utf-8')}")
