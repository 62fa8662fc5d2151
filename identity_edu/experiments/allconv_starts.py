"""What the start near the identity buys an all-convolutional net, and what it costs.

The net of Hardt & Ma's table at a quarter of its widths, with 1, 3 or 9 blocks in each
of its three stages, on the digits: both starts, a grid of constant learning rates, and
the mean loss of the last steps of a short training. A run whose loss stops being finite
has failed and has no loss. Then the small start is made smaller still, and the steps
are counted until the loss begins to fall. Shown in chapter 11.
"""

from dataclasses import replace

import numpy as np

from identity_edu.allconv import CIFAR10
from identity_edu.train.examples import load_data_set
from identity_edu.train.recipes import DIGITS
from identity_edu.train.trainer import Trainer

SEEDS = [110, 111, 112]
STARTS = ["near_identity", "usual"]
BLOCKS_PER_STAGE = [1, 3, 9]
RATES = [0.003, 0.01, 0.03, 0.06, 0.12]
WIDTH, N_STEPS, N_LAST = 0.25, 300, 30
# Smaller starts: factors on the weights of the blocks, and how their wait is measured.
FACTORS = [1.0, 0.1, 0.01]
PATIENCE = {"n_blocks": 9, "rate": 0.03, "n_steps": 2000, "loss": 2.0, "window": 20}


def measure():
    """Return the final losses of every run, and the waits."""
    return {
        "n_blocks": [3 * n for n in BLOCKS_PER_STAGE],
        "rates": RATES,
        "width": WIDTH,
        "n_steps": N_STEPS,
        "n_last": N_LAST,
        "batch_size": DIGITS.batch_size,
        "loss": {
            init: [
                [[_last(init, n, rate, s) for s in SEEDS] for rate in RATES]
                for n in BLOCKS_PER_STAGE
            ]
            for init in STARTS
        },
        "factors": FACTORS,
        "patience": PATIENCE,
        "waits": [[wait(factor, seed) for seed in SEEDS] for factor in FACTORS],
    }


def losses(init, per_stage, rate, seed, *, n_steps=N_STEPS, factor=1.0):
    """Train one net at a constant rate, and return the loss of every step.

    Parameters
    ----------
    init : {"near_identity", "usual"}
    per_stage : int >= 1
        Blocks in each of the three stages.
    rate : float > 0
    seed : int
    n_steps : int >= 0
    factor : float
        On the first weights of all blocks.

    Returns
    -------
    list of float
        Shorter than `n_steps` if the loss stopped being finite.
    """
    architecture = replace(CIFAR10, image=DIGITS.architecture.image)
    recipe = replace(
        DIGITS,
        architecture=architecture.scaled(width=WIDTH, n_blocks=per_stage),
        init=init,
        learning_rate=rate,
        drops=(),
    )
    trainer = Trainer(recipe, load_data_set("digits"), seed=seed)
    for name, array in trainer.net.params.items():
        if name.startswith("blocks."):
            array *= np.float32(factor)
    found = []
    try:
        for _ in range(n_steps):
            found.append(trainer.step()[0])
    except FloatingPointError:
        pass
    return found


def wait(factor, seed):
    """Count the steps until the mean loss of a window has fallen below its mark.

    Parameters
    ----------
    factor : float
        On the first weights of all blocks.
    seed : int

    Returns
    -------
    int
        The window's last step; `PATIENCE`'s number of steps if it never falls.
    """
    n_steps, window = PATIENCE["n_steps"], PATIENCE["window"]
    per_stage = PATIENCE["n_blocks"] // 3
    found = losses(
        "near_identity",
        per_stage,
        PATIENCE["rate"],
        seed,
        n_steps=n_steps,
        factor=factor,
    )
    means = np.convolve(found, np.ones(window) / window, mode="valid")
    below = np.flatnonzero(means < PATIENCE["loss"])
    return int(below[0]) + window if len(below) else n_steps


def _last(init, per_stage, rate, seed):
    """Return the mean loss of the last steps, or None for a run that failed."""
    found = losses(init, per_stage, rate, seed)
    return float(np.mean(found[-N_LAST:])) if len(found) == N_STEPS else None
