"""Files that are whole or absent: what a killed run leaves behind can be trusted."""

import errno
import json
import os
from contextlib import contextmanager


class RunError(Exception):
    """What a run needs from its user; the message says what, and what to do."""


def write_atomically(path, write, *, keep=None):
    """Write a file such that a reader finds the old one or the new one, whole.

    The new file is complete on the disk before it takes the name.

    Parameters
    ----------
    path : pathlib.Path
    write : callable
        Takes the open binary file.
    keep : pathlib.Path, optional
        Where the old file moves to. Killed between the two renames, `keep` is whole
        and `path` absent.

    Raises
    ------
    RunError
        If the disk is full; the old file is as it was, and nothing else is left.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with full_disk_named(path), part.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if keep is not None and path.exists():
            os.replace(path, keep)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def write_json(path, record):
    """Write a record as JSON, atomically.

    Parameters
    ----------
    path : pathlib.Path
    record : dict
    """
    text = json.dumps(record, indent=1, allow_nan=False) + "\n"
    write_atomically(path, lambda file: file.write(text.encode()))


def read_json(path):
    """Read a record.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    dict

    Raises
    ------
    RunError
        If the file holds something else; the message names it.
    """
    try:
        record = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise RunError(f"{path} is no JSON ({error}).") from error
    if not isinstance(record, dict):
        raise RunError(f"{path} must hold an object; got {type(record).__name__}.")
    return record


@contextmanager
def full_disk_named(path):
    """Turn the system's error about a full disk into one that says what to do.

    Parameters
    ----------
    path : pathlib.Path
        What is being written.

    Raises
    ------
    RunError
        If the disk, or the user's share of it, is full, or files may not grow so long.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise RunError(
            f"the disk is full: {path} could not be written. What was there before "
            "is whole; make room, and resume."
        ) from error


def _sync_folder(folder):
    """Let a rename reach the disk, where the system has a way to ask for it."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
