"""How a run comes to life: in a new folder, or from the newest whole checkpoint."""

import operator
from pathlib import Path

from identity_edu.conv.team import available_cores
from identity_edu.train import checkpoint
from identity_edu.train.environment import differences, environment
from identity_edu.train.examples import load_data_set
from identity_edu.train.files import RunError
from identity_edu.train.folder import RunFolder
from identity_edu.train.recipes import from_plain, to_plain
from identity_edu.train.run import Run
from identity_edu.train.trainer import Trainer


def begin(path, recipe, *, seed=0, threads=None, source=None):
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

    Returns
    -------
    Run

    Raises
    ------
    RunError
        If there is a run already.
    """
    folder = RunFolder(path)
    folder.require_new()  # before the data, which take longer
    threads = available_cores() if threads is None else threads
    examples = load_data_set(recipe.name, source)
    trainer = Trainer(recipe, examples, seed=seed, threads=threads)
    run = Run(folder, trainer, threads=threads)
    folder.create(
        {
            "recipe": to_plain(recipe),
            "seed": seed,
            "data": {
                "source": None if source is None else str(Path(source).resolve()),
                "digest": examples.digest(),
            },
            "history": [_entry(0, threads)],
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
    Run
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
        before = history[-1]
        threads, more = _threads(operator.index(before["threads"]), threads)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise RunError(
            f"{folder.path / 'run.json'} is not as it was written: {error!r}."
        ) from error
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
    notes += more + differences(before["environment"], environment())
    trainer = Trainer(recipe, examples, seed=settings["seed"], threads=threads)
    run = Run(folder, trainer, threads=threads, notes=notes)
    if record is not None:
        run.restore(arrays, record)
    folder.cut_back(run.n_saved)
    folder.update(settings | {"history": [*history, _entry(run.n_saved, threads)]})
    return run


def _entry(n_steps, threads):
    """Return what the settings remember of a beginning."""
    return {"step": n_steps, "threads": threads, "environment": environment()}


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
