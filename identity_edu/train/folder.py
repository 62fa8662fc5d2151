"""The folder of a run: what it holds, and how it is read and cut back.

``run.json`` says what is trained, and each time that it was begun or resumed, on what.
``log.jsonl``, ``telemetry.jsonl`` and ``held_out.jsonl`` have a line for each
measurement, in the order of their ``"step"``; ``result.json`` is written at the end.
"""

import json
import os
import shlex
from pathlib import Path

from identity_edu.data.locks import FileLock
from identity_edu.train.files import (
    RunError,
    full_disk_named,
    read_json,
    write_atomically,
    write_json,
)

SCHEMA = "identity_edu.run/1"
RESULT = {"n_steps", "held_out_accuracy", "seconds"}
FIELDS = {"recipe": dict, "seed": int, "data": dict, "history": list}
# By file, the first line of a run at step c that is of its future: a log line counts
# the steps done, the others name the step that they stand before.
FUTURE = {"log": 1, "telemetry": 0, "held_out": 0}


class RunFolder:
    """The files of one run.

    Parameters
    ----------
    path : path
        Need not exist.
    """

    def __init__(self, path):
        self.path, self._lock = Path(path), None

    def lock(self):
        """Keep others from training here, until `unlock` or this process's end.

        Raises
        ------
        RunError
            If another process trains here.
        """
        try:
            self._lock = FileLock(self.path / ".lock")
        except BlockingIOError as error:
            raise RunError(
                f"another process trains in {self.path}: wait for it, or stop it."
            ) from error

    def unlock(self):
        """Let others train here."""
        if self._lock is not None:
            self._lock.close()

    def require_new(self):
        """Refuse a folder that holds a run.

        Raises
        ------
        RunError
            If there is a run already, or the path is a file.
        """
        if self.is_run():
            raise RunError(
                f"{self.path} holds a run already. Continue it: "
                f"{resume_command(self.path)}; or begin another with --run FOLDER "
                "or another --seed."
            )
        if self.path.exists() and not self.path.is_dir():
            raise RunError(f"the folder of a run is required; {self.path} is a file.")

    def create(self, settings):
        """Begin a run here.

        Parameters
        ----------
        settings : dict

        Raises
        ------
        RunError
            As `require_new`, or if the disk is full.
        """
        self.require_new()
        with full_disk_named(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        self.lock()
        write_json(self.path / "run.json", {"schema": SCHEMA, **settings})

    def is_run(self):
        """Tell whether a run was begun here.

        Returns
        -------
        bool
        """
        return (self.path / "run.json").exists()

    def settings(self):
        """Read what is trained here.

        Returns
        -------
        dict

        Raises
        ------
        RunError
            If this is no folder of a run, or one of another schema.
        """
        if not self.is_run():
            raise RunError(f"{self.path} holds no run: it has no run.json.")
        record = read_json(self.path / "run.json")
        if record.get("schema") != SCHEMA:
            got = record.get("schema")
            raise RunError(
                f"{self.path / 'run.json'} must have schema {SCHEMA!r}; got {got!r}."
            )
        for name, kind in FIELDS.items():
            if not isinstance(record.get(name), kind):
                raise RunError(
                    f"{self.path / 'run.json'} must have {name!r} of type "
                    f"{kind.__name__}; got {record.get(name)!r}."
                )
        return record

    def update(self, settings):
        """Replace the settings.

        Parameters
        ----------
        settings : dict
        """
        write_json(self.path / "run.json", settings)

    def append(self, name, record):
        """Add a line.

        Parameters
        ----------
        name : {"log", "telemetry", "held_out"}
        record : dict
            With the key ``"step"``.

        Raises
        ------
        RunError
            If the disk is full.
        """
        path = self._lines_path(name)
        with full_disk_named(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, allow_nan=False) + "\n")

    def lines(self, name):
        """Read all lines but a last one that a kill cut short.

        Parameters
        ----------
        name : {"log", "telemetry", "held_out"}

        Returns
        -------
        list of dict

        Raises
        ------
        RunError
            If another line is no record of a step; the message names file and line.
        """
        path = self._lines_path(name)
        if not path.exists():
            return []
        text = path.read_bytes().decode("utf-8", errors="replace")
        whole = text[: text.rfind("\n") + 1]
        return [_record(path, n, line) for n, line in enumerate(whole.splitlines(), 1)]

    def cut_back(self, n_steps):
        """Remove the lines that a run at this step has yet to write.

        Parameters
        ----------
        n_steps : int >= 0
            Steps done.
        """
        for name, first in FUTURE.items():
            past = [r for r in self.lines(name) if r["step"] < n_steps + first]
            text = "".join(json.dumps(record) + "\n" for record in past)
            write_atomically(
                self._lines_path(name), lambda file, t=text: file.write(t.encode())
            )

    def sync(self):
        """Let every line reach the disk, before a checkpoint that counts on them."""
        for name in FUTURE:
            path = self._lines_path(name)
            if path.exists():
                with full_disk_named(path), path.open("rb") as file:
                    os.fsync(file.fileno())

    def result(self):
        """Read the result, if the run is at its end.

        Returns
        -------
        dict or None

        Raises
        ------
        RunError
            If the file is damaged; the message names it.
        """
        path = self.path / "result.json"
        if not path.exists():
            return None
        record = read_json(path)
        if missing := sorted(RESULT - record.keys()):
            raise RunError(
                f"{path} must have all that a run writes; it lacks {missing}."
            )
        return record

    def write_result(self, record):
        """Write the result.

        Parameters
        ----------
        record : dict
        """
        write_json(self.path / "result.json", record)

    def _lines_path(self, name):
        return self.path / f"{name}.jsonl"


def resume_command(path):
    """Return what to type to go on with a run.

    Parameters
    ----------
    path : path

    Returns
    -------
    str
    """
    return f"identity-edu train --resume {shlex.quote(str(path))}"


def _record(path, number, line):
    """Read one line, or say which one is no record."""
    try:
        record = json.loads(line)
        if not isinstance(record["step"], int):
            raise TypeError("its step is no integer")
    except (ValueError, TypeError, KeyError) as error:
        raise RunError(
            f"{path}, line {number}: no record of a step ({error!r}). Remove that "
            "line to go on."
        ) from error
    return record
