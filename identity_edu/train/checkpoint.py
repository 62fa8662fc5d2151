"""Checkpoints: all that a run needs to go on, recognised when it is not whole.

A checkpoint holds the parameters, the velocity and the number of steps. There is no
state of a generator in it: the randomness of a step is a function of seed and step.
"""

import hashlib
import json

import numpy as np

from identity_edu.train.files import RunError, write_atomically

SCHEMA = "identity_edu.checkpoint/1"
NEWEST, PREVIOUS = "checkpoint.npz", "checkpoint.previous.npz"
DAMAGED = "checkpoint.damaged.npz"


def save(folder, arrays, record):
    """Write a checkpoint, and keep the one before it.

    Parameters
    ----------
    folder : pathlib.Path
    arrays : dict of str to numpy.ndarray
    record : dict
        What JSON can hold; ``"n_steps"`` among it.

    Raises
    ------
    RunError
        If the disk is full; both older checkpoints are as they were.
    """
    record = {"schema": SCHEMA, **record}
    record["digest"] = _digest(arrays, record)
    text = np.frombuffer(json.dumps(record, allow_nan=False).encode(), np.uint8)
    write_atomically(
        folder / NEWEST,
        lambda file: np.savez(file, **arrays, record=text),
        keep=folder / PREVIOUS,
    )


def load(path):
    """Read one checkpoint, and prove that it is whole.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    tuple
        ``(arrays, record)``, as they were given to `save`.

    Raises
    ------
    RunError
        If the file is truncated, changed, or of another schema; the message names it.
    """
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        record = json.loads(arrays.pop("record").tobytes())
        schema, digest = record["schema"], record.pop("digest")
    except Exception as error:  # what damage raises depends on the byte that it hit
        raise RunError(
            f"{path} is no whole checkpoint ({type(error).__name__}: {error})."
        ) from error
    if schema != SCHEMA:
        raise RunError(f"{path} must have schema {SCHEMA!r}; got {schema!r}.")
    if digest != _digest(arrays, record):
        raise RunError(f"{path} has changed since it was written: its digest differs.")
    return arrays, record


def load_newest(folder):
    """Read the newest whole checkpoint of a run.

    A damaged newest one is moved aside: the next `save` would put it in the place of
    the whole one.

    Parameters
    ----------
    folder : pathlib.Path

    Returns
    -------
    tuple
        ``(arrays, record, notes)``, the notes being sentences about what is wrong
        with newer ones; or ``(None, None, notes)`` if none was written yet.

    Raises
    ------
    RunError
        If there are checkpoints and none is whole.
    """
    notes = []
    for path in (folder / NEWEST, folder / PREVIOUS):
        if not path.exists():
            continue
        try:
            arrays, record = load(path)
        except RunError as error:
            notes.append(str(error))
            continue
        if notes:
            (folder / NEWEST).replace(folder / DAMAGED)
            notes.append(
                f"It is kept as {DAMAGED}; using {path.name} of step "
                f"{record['n_steps']} instead."
            )
        return arrays, record, notes
    if notes:
        raise RunError(
            f"{' '.join(notes)} No other is left: restore one from a copy, or begin "
            "again with another --run."
        )
    return None, None, ["There is no checkpoint yet: this begins at step 0."]


def _digest(arrays, record):
    """Hash every array with its name, type and shape, and the record."""
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape};".encode())
        digest.update(array)
    return digest.hexdigest()
