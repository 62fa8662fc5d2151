"""Gradient norms along training on CIFAR-10: plain, residual, Procrustes, at full size.

What `norms_along_training` does on the digits, with the paper's recipe and its 64,000
steps. Days on a CPU: every run has a folder under ``runs/transitions_cifar10``, and the
same command goes on where it was stopped. Shown in chapter 14 once it is measured.
"""

from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from identity_edu.experiments.norms_along_training import (
    keeps_shape,
    summary,
    trained,
)
from identity_edu.train.recipes import CIFAR10, NETS, with_net

SEEDS = [0, 1, 2]
FOLDER = Path("runs") / "transitions_cifar10"
NEEDS = "cifar10"  # what `identity-edu fetch` brings
PLAIN_SHARE = 0.1  # of the residual nets' rate, at which deep plain nets do not train


def measure(base=CIFAR10):
    """Train every kind of net with every seed, and return what they measured.

    Parameters
    ----------
    base : identity_edu.train.recipes.Recipe
        Of the residual net; the plain one has `PLAIN_SHARE` of its rate.

    Returns
    -------
    dict
        By kind; the runs as `summary` leaves them.
    """
    kinds = {}
    for kind in NETS:
        share = PLAIN_SHARE if kind == "plain" else 1
        recipe = replace(with_net(base, kind), learning_rate=share * base.learning_rate)
        runs = []
        for seed in SEEDS:
            label, path = f"{kind}, seed {seed}", FOLDER / f"{kind}-{seed}"
            with tqdm(total=recipe.n_steps, desc=label, unit="step") as bar:
                run = trained(recipe, seed, path, report=_reporter(bar))
            runs.append(summary(recipe, run, is_whole=seed == SEEDS[0]))
        kinds[kind] = {
            "rate": recipe.learning_rate,
            "keeps_shape": keeps_shape(recipe.architecture),
            "runs": runs,
        }
    return {"n_steps": base.n_steps, "every": base.telemetry_every, "kinds": kinds}


def _reporter(bar):
    def report(step, means):
        bar.set_postfix(loss=f"{means['loss']:.3f}", refresh=False)
        bar.update(step - bar.n)

    return report
