"""Held-out accuracy of a small residual net, trained from scratch on the digits.

Four blocks of width 64; every seed draws another start and another order of the
examples, while the split into training and held-out part is always the same. Shown
in chapter 07.
"""

from functools import partial

import numpy as np

from identity_edu import data, optim, relu, train

SEEDS = [0, 1, 2, 3, 4]
WIDTHS = [64] * 5
N_EPOCHS, BATCH_SIZE, RATE = 40, 32, 0.1
DROPS = (0.60, 0.85)  # shares of all steps after which the rate falls tenfold


def measure():
    """Return each seed's accuracies, and the product of norms of every block."""
    runs = [trained(seed) for seed in SEEDS]
    train_part, test_part, deltas = zip(*runs, strict=True)
    return {
        "widths": WIDTHS,
        "n_epochs": N_EPOCHS,
        "batch_size": BATCH_SIZE,
        "rate": RATE,
        "train_accuracy": train_part,
        "test_accuracy": test_part,
        "mean_test_accuracy": np.mean(test_part),
        "branch_bounds": deltas,
    }


def trained(seed, n_epochs=N_EPOCHS):
    """Train one net from scratch.

    Parameters
    ----------
    seed : int
    n_epochs : int >= 1

    Returns
    -------
    tuple
        Accuracy on the training part, on the held-out part, and for each block the
        product of the spectral norms of U and V, all after training.
    """
    X, labels, X_test, labels_test = data.split_digits()
    rng = np.random.default_rng(seed)
    net = relu.init_net(rng, WIDTHS, n_outputs=10)
    n_steps = n_epochs * -(-len(X) // BATCH_SIZE)
    drops = [round(share * n_steps) for share in DROPS]
    rate = partial(optim.step_decay, initial=RATE, drops=drops)
    optimiser = optim.SGD(net.params, rate, momentum=0.9, weight_decay=1e-4)
    for _ in train.epochs(
        net,
        (X, labels),
        optimiser,
        n_epochs=n_epochs,
        batch_size=BATCH_SIZE,
        rng=rng,
    ):
        pass
    return (
        float(np.mean(relu.predict(net, X) == labels)),
        float(np.mean(relu.predict(net, X_test) == labels_test)),
        [_branch_bound(net.params, i) for i in range(len(WIDTHS) - 1)],
    )


def _branch_bound(params, i):
    """Bound the Lipschitz constant of a block's branch by its two norms."""
    norms = [np.linalg.norm(params[f"blocks.{i}.{name}"], 2) for name in "UV"]
    return float(norms[0] * norms[1])
