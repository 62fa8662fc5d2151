"""Gradient norms along training: plain, residual, and with Procrustes transitions.

The net of Hardt & Ma's table at a quarter of its widths, with 2, 4 or 9 blocks in each
of its three stages, on the digits. Five kinds of it: the same convolutions without
skips, from He's start; the paper's; with transitions that are projected after every
second step; with the same transitions, projected at the start alone; and with
transitions that start from random entries and are never projected. Each kind
and depth has the rate, of a grid, at which a short run with a seed of its own ended
lowest. Shown in chapters 13 and 14.
"""

import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from identity_edu.allconv import CIFAR10
from identity_edu.conv.team import available_cores
from identity_edu.train import recipes, start
from identity_edu.train.examples import load_data_set
from identity_edu.train.files import RunError
from identity_edu.train.folder import RunFolder
from identity_edu.train.recipes import DIGITS
from identity_edu.train.trainer import Trainer

SEEDS = [130, 131, 132, 133, 134]
RATE_SEED, RATES, N_RATE_STEPS = 139, [0.003, 0.01, 0.03], 300
BLOCKS_PER_STAGE = [2, 4, 9]
KINDS = [*recipes.NETS, "projected once", "never projected"]
WIDTH, N_STEPS, EVERY, N_LAST = 0.25, 880, 44, 44


def measure():
    """Return what every run of every kind and depth has measured."""
    with ProcessPoolExecutor(available_cores()) as pool:
        waiting = {
            kind: [pool.submit(_runs, kind, n) for n in BLOCKS_PER_STAGE]
            for kind in KINDS
        }
        runs = {kind: [job.result() for job in jobs] for kind, jobs in waiting.items()}
    return {
        "n_blocks": [3 * n for n in BLOCKS_PER_STAGE],
        "rates": RATES,
        "n_rate_steps": N_RATE_STEPS,
        "width": WIDTH,
        "n_steps": N_STEPS,
        "every": EVERY,
        "n_last": N_LAST,
        "batch_size": DIGITS.batch_size,
        "runs": runs,
    }


def recipe_of(kind, per_stage, rate, *, base=DIGITS, n_steps=N_STEPS):
    """Return the recipe of one kind of net.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    per_stage : int >= 1
        Blocks in each of the three stages.
    rate : float > 0
        It falls tenfold after five sixths of the steps.
    base : identity_edu.train.recipes.Recipe
    n_steps : int >= 1

    Returns
    -------
    identity_edu.train.recipes.Recipe
    """
    table = replace(CIFAR10, image=base.architecture.image)
    recipe = replace(
        base,
        architecture=table.scaled(width=WIDTH, n_blocks=per_stage),
        learning_rate=rate,
        n_steps=n_steps,
        drops=(n_steps * 5 // 6,),
        log_every=EVERY,
        telemetry_every=EVERY,
        checkpoint_every=n_steps,
        evaluate_every=n_steps,
    )
    if kind == "never projected":
        table = replace(recipe.architecture, transition="convolution")
        return replace(recipe, architecture=table)
    if kind == "projected once":
        recipe = recipes.with_net(recipe, "procrustes")
        return replace(recipe, project_every=n_steps + 1)
    return recipes.with_net(recipe, kind)


def trained(recipe, seed, path, *, threads=None, report=lambda _step, _means: None):
    """Train one net in a folder, and collect what its files say.

    Parameters
    ----------
    recipe : identity_edu.train.recipes.Recipe
    seed : int
    path : pathlib.Path
        A run that is there already goes on where it stopped.
    threads : int >= 1, optional
        Unless given, all cores; a run that goes on keeps its number.
    report : callable
        As `identity_edu.train.run.Run.train` takes it.

    Returns
    -------
    dict
        ``"step"``, and for each of them ``"gradient_ratio"`` and ``"state_ratio"``, one
        number for each block between the first and the read-out, NaN where nothing
        came to be divided by; ``"loss"``, the mean
        over each interval; ``"accuracy"`` on the held-out part, or None for a run whose
        loss has overflowed.

    Raises
    ------
    RunError
        If a signal has stopped the run; it can go on. Or if the disk is full, or the
        folder holds a run of another recipe or seed.
    """
    folder = RunFolder(path)
    if folder.is_run():
        _require_same(folder, recipe, seed)
    if not folder.is_run():
        run = start.begin(path, recipe, seed=seed, threads=threads)
    elif folder.result() is None:
        run = start.resume(path)
    else:
        run = None
    if run is not None:
        _finish(run, report)
    result, telemetry = folder.result(), folder.lines("telemetry")
    names = [
        part.convolutions[0].name.rpartition(".")[0]
        for part in recipe.architecture.parts()[1:]
    ]
    ratios = {
        key: [[line[key].get(name, np.nan) for name in names] for line in telemetry]
        for key in ("gradient_ratio", "state_ratio")
    }
    return {
        "step": [line["step"] for line in telemetry],
        "loss": [line["loss"] for line in folder.lines("log")],
        "accuracy": None if result is None else result["held_out_accuracy"],
        **ratios,
    }


def _require_same(folder, recipe, seed):
    """Refuse a folder that holds the run of another recipe or seed."""
    settings = folder.settings()
    if (recipes.from_plain(settings["recipe"]), settings["seed"]) != (recipe, seed):
        raise RunError(
            f"a run of this recipe and seed {seed} is required; {folder.path} holds "
            "another: move it away, and the same command begins anew."
        )


def _finish(run, report):
    """Train to the end, or until the loss overflows, or a signal comes."""
    try:
        outcome = run.train(report)
    except RunError as error:
        if not isinstance(error.__cause__, FloatingPointError):
            raise
        return
    if outcome.signal is not None:
        raise RunError(
            f"stopped after {outcome.n_steps} steps in {run.folder.path}; the same "
            "command goes on from there."
        )


def summary(recipe, run, *, is_whole):
    """Reduce a run to what the book shows of it.

    Parameters
    ----------
    recipe : identity_edu.train.recipes.Recipe
    run : dict
        From `trained`.
    is_whole : bool
        Whether to keep the ratio of every block.

    Returns
    -------
    dict
        Loss and accuracy; and for each measured step ``"deviation"``, the mean of
        |ratio - 1| of gradients over the blocks that keep the shape; ``"transitions"``,
        the ratios of the others; ``"end_to_end"``, the product of all.
    """
    keeps = keeps_shape(recipe.architecture)
    ratios = np.array(run["gradient_ratio"])
    values = {
        "loss": run["loss"],
        "accuracy": run["accuracy"],
        "deviation": _short(np.abs(ratios[:, keeps] - 1).mean(axis=1)),
        "transitions": _short(ratios[:, ~keeps]),
        "end_to_end": _short(ratios.prod(axis=1)),
    }
    if is_whole:
        states = np.array(run["state_ratio"])
        values |= {"gradient_ratio": _short(ratios), "state_ratio": _short(states)}
    return values


def keeps_shape(architecture):
    """Tell which blocks between the first and the read-out keep the shape.

    Parameters
    ----------
    architecture : identity_edu.allconv.Architecture

    Returns
    -------
    array of bool, shape (n_blocks,)
    """
    return np.array(
        [
            all(row.keeps_shape for row in part.convolutions)
            for part in architecture.parts()[1:]
        ]
    )


def best_rate(kind, per_stage):
    """Choose the rate at which a short run ends with the lowest loss.

    Parameters
    ----------
    kind : str
    per_stage : int >= 1

    Returns
    -------
    tuple
        The rate, and the loss at each of `RATES`, None where it has overflowed.
    """
    losses = []
    for rate in RATES:
        recipe = recipe_of(kind, per_stage, rate, n_steps=N_RATE_STEPS)
        trainer = Trainer(recipe, load_data_set(recipe.name), seed=RATE_SEED)
        try:
            steps = [trainer.step()[0] for _ in range(N_RATE_STEPS)]
        except FloatingPointError:
            losses.append(None)
        else:
            losses.append(float(np.mean(steps[-N_LAST:])))
    finite = [np.inf if loss is None else loss for loss in losses]
    return RATES[int(np.argmin(finite))], losses


def _runs(kind, per_stage):
    """Choose the rate of a kind and depth, and train once with each seed."""
    rate, losses = best_rate(kind, per_stage)
    recipe = recipe_of(kind, per_stage, rate)
    runs = []
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            run = trained(recipe, seed, Path(folder), threads=1)
        runs.append(summary(recipe, run, is_whole=seed == SEEDS[0]))
    keeps = keeps_shape(recipe.architecture)
    return {"rate": rate, "losses_by_rate": losses, "keeps_shape": keeps, "runs": runs}


def _short(array):
    """Keep five digits: the file is read by people too. JSON has null for NaN."""
    if not np.isscalar(array):
        return [_short(x) for x in array]
    return None if np.isnan(array) else float(f"{array:.5g}")
