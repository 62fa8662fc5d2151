"""Held-out accuracy of the all-convolutional residual net on the digits.

Five runs of what ``identity-edu train digits`` does, without a folder: same recipe,
same order of the images, same shifts. Every run also says how far its blocks are from
their shortcuts, now and then and at the end. Shown in chapter 11.
"""

import numpy as np

from identity_edu.train.examples import TELEMETRY, load_data_set
from identity_edu.train.recipes import DIGITS
from identity_edu.train.telemetry import Telemetry
from identity_edu.train.trainer import Trainer

SEEDS = [0, 1, 2, 3, 4]
N_THREADS = 2


def measure():
    """Return each seed's accuracy, its losses, and the distances of its blocks."""
    runs = [trained(DIGITS, seed) for seed in SEEDS]
    accuracy = [run["accuracy"] for run in runs]
    return {
        "n_weights": DIGITS.architecture.n_weights(),
        "n_steps": DIGITS.n_steps,
        "batch_size": DIGITS.batch_size,
        "rate": DIGITS.learning_rate,
        "every": DIGITS.telemetry_every,
        "n_threads": N_THREADS,
        "mean_accuracy": np.mean(accuracy),
        "runs": runs,
    }


def trained(recipe, seed):
    """Train one net to the end of a recipe.

    Parameters
    ----------
    recipe : identity_edu.train.recipes.Recipe
    seed : int

    Returns
    -------
    dict
        ``"accuracy"`` on the held-out part; ``"loss"``, the mean over each interval of
        `recipe.telemetry_every` steps; ``"distance"``, a list of one number for each
        block, at the start of every interval and on the last batch.
    """
    examples = load_data_set(recipe.name)
    trainer = Trainer(recipe, examples, seed=seed, threads=N_THREADS)
    rng = np.random.default_rng([seed, TELEMETRY])
    telemetry = Telemetry(trainer.net, examples.x_train[:1], rng)
    losses, distances = [], []

    def observe(grad):
        record = telemetry.measure(trainer.runner.block_states(), grad)
        distances.append(list(record["distance"].values()))

    while trainer.n_steps < recipe.n_steps:
        is_due = trainer.n_steps % recipe.telemetry_every == 0
        is_last = trainer.n_steps == recipe.n_steps - 1
        losses.append(trainer.step(observe if is_due or is_last else None)[0])
    intervals = range(recipe.telemetry_every, len(losses), recipe.telemetry_every)
    return {
        "accuracy": trainer.held_out_accuracy(),
        "loss": [np.mean(part) for part in np.split(losses, intervals)],
        "distance": distances,
    }
