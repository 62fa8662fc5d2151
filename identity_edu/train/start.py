"""How a run comes to life: in a new folder, or from the newest whole checkpoint."""

import operator
from pathlib import Path

from identity_edu.conv.team import available_cores
from identity_edu.train import backends, checkpoint
from identity_edu.train.backends import Backend
from identity_edu.train.environment import differences, environment
from identity_edu.train.examples import load_data_set
from identity_edu.train.files import RunError
from identity_edu.train.folder import RunFolder
from identity_edu.train.recipes import from_plain, to_plain


def begin(path, recipe, *, seed=0, threads=None, source=None, backend=None):
    """Begin a run in a new folder.

    Parameters
    ----------
    path : path
    recipe : identity_edu.train.recipes.Recipe
    seed : int >= 0
    threads : int >= 1, optional
        Unless given, the cores that this process may use.
    source : path, optional
        Folder of the data (`load_data_set`).
    backend : identity_edu.train.backends.Backend, optional
        NumPy unless given.

    Returns
    -------
    identity_edu.train.run.Run

    Raises
    ------
    RunError
        If there is a run already, or the backend cannot compute here.
    """
    folder = RunFolder(path)
    backend = Backend() if backend is None else backend
    folder.require_new()  # before the data, which take longer
    backend.require()
    threads = available_cores() if threads is None else threads
    examples = load_data_set(recipe.name, source)
    run = backend.run(folder, recipe, examples, seed=seed, threads=threads)
    folder.create(
        {
            "recipe": to_plain(recipe),
            "backend": backend.to_plain(),
            "seed": seed,
            "data": {
                "source": None if source is None else str(Path(source).resolve()),
                "digest": examples.digest(),
            },
            "history": [_entry(0, threads, backend.environment(run))],
        }
    )
    return run


def resume(path, *, threads=None, source=None):
    """Go on with a run from its newest whole checkpoint.

    Parameters
    ----------
    path : path
    threads : int >= 1, optional
        Unless given, as many as before.
    source : path, optional
        Where the data are now, if they have moved.

    Returns
    -------
    identity_edu.train.run.Run
        Its notes say where it goes on, and what is not as it was.

    Raises
    ------
    RunError
        If this is no run, another process trains here, no checkpoint is whole, or the
        recipe or the data are others.
    """
    folder = RunFolder(path)
    settings = folder.settings()
    folder.lock()
    try:
        recipe, history = from_plain(settings["recipe"]), settings["history"]
        backend = backends.from_plain(settings.get("backend"))
        before = history[-1]
        threads, more = _threads(operator.index(before["threads"]), threads)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise RunError(
            f"{folder.path / 'run.json'} is not as it was written: {error!r}."
        ) from error
    backend.require()
    arrays, record, notes = checkpoint.load_newest(folder.path)
    source = settings["data"]["source"] if source is None else source
    try:
        examples = load_data_set(recipe.name, source)
    except FileNotFoundError as error:
        raise RunError(f"{error} Or name the folder that it is in: --data.") from error
    if examples.digest() != settings["data"]["digest"]:
        raise RunError(
            f"{folder.path} was begun on other data: the digest of the images and "
            "labels differs. Name the folder of its data with --data."
        )
    seed = settings["seed"]
    run = backend.run(folder, recipe, examples, seed=seed, threads=threads)
    entry = _entry(run.n_saved, threads, backend.environment(run))
    if backend.name != "numpy":
        more = []  # no number of a device's run depends on the host's threads
    run.notes = notes + more + differences(before["environment"], entry["environment"])
    if record is not None:
        run.restore(arrays, record)
    folder.cut_back(run.n_saved)
    folder.update(settings | {"history": [*history, entry | {"step": run.n_saved}]})
    return run


def _entry(n_steps, threads, device):
    """Return what the settings remember of a beginning."""
    where = environment() | device
    return {"step": n_steps, "threads": threads, "environment": where}


def _threads(before, asked):
    """Choose the threads of a resumed run, and say what there is to say of them."""
    here = available_cores()
    if asked is not None and asked != before:
        return asked, [f"With {asked} threads, not {before}: the bits may differ."]
    if here != before:
        return before, [
            f"The run has {before} threads, and {here} cores are here; it keeps its "
            "number, since the bits depend on it. Another with --threads."
        ]
    return before, []
