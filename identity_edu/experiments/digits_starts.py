"""Which of the two, the skip or the start: fifty blocks with the starts exchanged.

The nets, digits and budget of `digits_depth`, from other starts: residual nets with the
large weights of the plain ones, and plain nets from orthogonal matrices, with and
without mirrored hidden units. Beside them, what training does to the bounds of the
branches: in fifty blocks at a large rate, and in four. Shown in chapter 07.
"""

import math

import numpy as np

from identity_edu import data, ops, optim, relu, train
from identity_edu.experiments.digits_depth import (
    BATCH_SIZE,
    MOMENTUM,
    N_EPOCHS,
    RATES,
    SEEDS,
    WIDTH,
    train_and_measure,
)

N_BLOCKS, N_FEW = 50, 4
LARGE_RATE, WATCHED_RATE = 0.1, 0.02  # the page trains its net at the second
ROUNDS = 64


def measure():
    """Return accuracies by start, rate and seed, and the bounds after training."""
    starts = {
        "residual, plain start": _residual_from_large_weights,
        "plain, orthogonal": orthogonal_start,
        "plain, mirrored": mirrored_start,
    }
    accuracy = {name: _accuracies(start) for name, start in starts.items()}
    large = [bounds_after_training(N_BLOCKS, LARGE_RATE, seed) for seed in SEEDS]
    few = [bounds_after_training(N_FEW, WATCHED_RATE, seed) for seed in SEEDS]
    above = [int(np.sum(bounds >= 1)) for bounds, _ in large]
    return {
        "n_blocks": N_BLOCKS,
        "rates": RATES,
        "n_epochs": N_EPOCHS,
        "accuracy": accuracy,
        "quoted": {
            "n-parameters": relu.n_parameters(_plain(np.random.default_rng(0))),
            "large-start": np.max(accuracy["residual, plain start"]),
            "orthogonal-start": np.max(accuracy["plain, orthogonal"]),
            "mirrored-start": np.max(np.min(accuracy["plain, mirrored"], axis=1)),
            "above-least": min(above),
            "above-most": max(above),
            "undo-error": max(error for _, error in large),
            "undo-rounds": ROUNDS,
            "four-low": min(bounds.min() for bounds, _ in few),
            "four-high": max(bounds.max() for bounds, _ in few),
        },
    }


def orthogonal_start(rng):
    """Draw a plain net whose matrices are orthogonal, V times the root of 2.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    Net
    """
    net = _plain(rng)
    for i in range(N_BLOCKS):
        net.params[f"blocks.{i}.U"] = data.random_rotation(rng, WIDTH)
        net.params[f"blocks.{i}.V"] = math.sqrt(2) * data.random_rotation(rng, WIDTH)
    return net


def mirrored_start(rng):
    r"""Draw a plain net in which half of the hidden units mirror the others.

    With U = [Q; -Q] and V = [Q^T O, -Q^T O], a block starts as the linear map
    :math:`Q^\top O Q`, since :math:`\mathrm{relu}(a) - \mathrm{relu}(-a) = a`. The rows
    of Q, half as many as the width, are orthonormal and the same in all blocks; each
    block has its own orthogonal O.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    Net

    References
    ----------
    Balduzzi et al. (2017), the "looks linear" initialisation.
    """
    net, half = _plain(rng), WIDTH // 2
    Q = data.random_rotation(rng, WIDTH)[:half]
    for i in range(N_BLOCKS):
        back = Q.T @ data.random_rotation(rng, half)
        net.params[f"blocks.{i}.U"] = np.concatenate([Q, -Q])
        net.params[f"blocks.{i}.V"] = np.concatenate([back, -back], axis=1)
    return net


def bounds_after_training(n_blocks, rate, seed):
    r"""Train a residual net, and read off the bound of every branch.

    Parameters
    ----------
    n_blocks : int >= 1
    rate : float > 0
    seed : int

    Returns
    -------
    tuple
        ``(bounds, error)``: :math:`\|V_i\|_2 \|U_i\|_2` of each block, and the largest
        error of a pixel when the held-out digits are walked back, block by block.
    """
    rng = np.random.default_rng(seed)
    X, labels, X_test, _ = data.split_digits()
    net = relu.init_net(rng, [WIDTH] * (n_blocks + 1), n_outputs=10)
    optimiser = optim.SGD(net.params, rate, momentum=MOMENTUM)
    settings = {"n_epochs": N_EPOCHS, "batch_size": BATCH_SIZE, "rng": rng}
    list(train.epochs(net, (X, labels), optimiser, **settings))
    blocks = [
        [net.params[f"blocks.{i}.{name}"] for name in "UsV"] for i in range(n_blocks)
    ]
    bounds = [np.linalg.norm(U, 2) * np.linalg.norm(V, 2) for U, _, V in blocks]
    h = relu.block_states(*relu.forward(net, X_test))[n_blocks]
    for U, s, V in reversed(blocks):
        y = h
        for _ in range(ROUNDS):
            h = y - ops.relu(h @ U.T + s) @ V.T
    return np.array(bounds), float(np.abs(h - X_test).max())


def _plain(rng):
    return relu.init_net(rng, [WIDTH] * (N_BLOCKS + 1), n_outputs=10, skip=False)


def _residual_from_large_weights(rng):
    return relu.init_net(rng, [WIDTH] * (N_BLOCKS + 1), n_outputs=10, init="he")


def _accuracies(start):
    """Return the accuracy after training, by rate and seed; 0 for a run that failed."""
    return [[_last(start, rate, seed) for seed in SEEDS] for rate in RATES]


def _last(start, rate, seed):
    rng = np.random.default_rng(seed)
    found = train_and_measure(start(rng), rate, rng, N_EPOCHS, N_EPOCHS)
    return found[-1] if found else 0.0
