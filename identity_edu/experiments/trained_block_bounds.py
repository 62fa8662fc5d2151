"""What the bound of a block says after training, and what the block really does.

One net of 27 blocks with skips and one without, a quarter as wide as Hardt & Ma's, are
trained on the digits. Before and after: the ratio of the gradient norms at the two ends
of each block, over many held-out digits. And for every block that keeps the shape and
has a skip: the bound delta; the ratios for single digits; and the smallest and the
largest ratio that any gradient could have had, at one digit, which are the extreme
singular values of I + J. Shown in chapter 13.
"""

import numpy as np

from identity_edu import nets, norm_preservation, ops
from identity_edu.experiments.block_norm_margins import backward_map
from identity_edu.experiments.norms_along_training import (
    N_STEPS,
    keeps_shape,
    recipe_of,
)
from identity_edu.train.examples import load_data_set, standardised
from identity_edu.train.trainer import Trainer

SEEDS = [133]
RATES = {"residual": 0.03, "plain": 0.003}
PER_STAGE, N_LAST, N_DIGITS = 9, 44, 64
QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


def measure():
    """Return bounds, extreme and real ratios, before and after training."""
    return {
        "n_steps": N_STEPS,
        "n_digits": N_DIGITS,
        "quantiles": QUANTILES,
        **{kind: _course(kind, rate) for kind, rate in RATES.items()},
    }


def _course(kind, rate):
    """Measure one net, train it, and measure it again."""
    recipe = recipe_of(kind, PER_STAGE, rate, n_steps=N_STEPS)
    examples = load_data_set(recipe.name)
    trainer = Trainer(recipe, examples, seed=SEEDS[0])
    x = standardised(examples, examples.x_test[:N_DIGITS])
    labels = examples.labels_test[:N_DIGITS]
    before = measured(trainer.net, x, labels)
    losses = [float(trainer.step()[0]) for _ in range(N_STEPS)]
    return {
        "rate": rate,
        "loss": np.mean(losses[-N_LAST:]),
        "accuracy": trainer.held_out_accuracy(),
        "keeps_shape": keeps_shape(recipe.architecture),
        "before": before,
        "after": measured(trainer.net, x, labels),
    }


def measured(net, x, labels):
    """Measure the blocks between the first and the read-out.

    Parameters
    ----------
    net : identity_edu.allconv.AllConvNet
        Converted to float64.
    x : array, shape (n, h, w, c)
    labels : int array, shape (n,)

    Returns
    -------
    dict
        ``"batch"``, the ratio of each block for all examples together; and for the
        blocks with an identity ``"delta"``, ``"smallest"`` and ``"largest"``, and
        ``"ratios"``, the `QUANTILES` over the examples.
    """
    params = {name: array.astype(np.float64) for name, array in net.params.items()}
    net, x = nets.Net(net.blocks, params), x.astype(np.float64)
    scores, cache = nets.forward(net, x)
    grad = ops.softmax_cross_entropy_backward(scores, labels)
    back = norm_preservation.backward_norms(net, x, grad)
    ratios = norm_preservation.backward_ratios(back)
    delta = norm_preservation.block_bounds(net, x)
    chosen = np.flatnonzero(np.isfinite(delta))
    states = nets.block_states(scores, cache)
    extremes = [_extremes(net, i, states[i][:1]) for i in chosen]
    whole = np.linalg.norm(back, axis=1)
    return {
        "batch": norm_preservation.backward_ratios(whole)[1:-1],
        "delta": delta[chosen],
        "smallest": [low for low, _ in extremes],
        "largest": [high for _, high in extremes],
        "ratios": [np.quantile(ratios[i], QUANTILES) for i in chosen],
    }


def _extremes(net, i, h):
    """Return the extreme singular values of I + J of one block at one state."""
    block = nets.Net(net.blocks[i : i + 1], net.params)
    s = np.linalg.svd(backward_map(block, h), compute_uv=False)
    return float(s[-1]), float(s[0])
