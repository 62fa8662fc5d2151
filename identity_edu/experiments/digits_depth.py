"""How deep a net of width 64 can be and still learn the digits in ten epochs.

Plain and residual nets of equal shapes, over a grid of learning rates; the accuracy
is that on the training part, after training. A run whose loss stops being finite has
failed and counts as accuracy 0. The plain nets of 50 and 100 blocks are then given
ten times as many epochs. In float32, which halves the time. Shown in chapter 07.
"""

import numpy as np

from identity_edu import data, nets, optim, relu, train

SEEDS = [70, 71, 72]
DEPTHS = [2, 5, 10, 20, 50, 100]
RATES = [3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1]
WIDTH, N_EPOCHS, BATCH_SIZE, MOMENTUM = 64, 10, 64, 0.9
# What each net starts from is the better of the two initialisations for its kind.
INITS = {"plain": "he", "residual": "near_identity"}
PATIENT = {"depths": [50, 100], "rates": [1e-4, 3e-4], "n_epochs": 100}


def measure():
    """Return every run's accuracy, and the plain nets' course with more patience."""
    return {
        "depths": DEPTHS,
        "rates": RATES,
        "width": WIDTH,
        "n_epochs": N_EPOCHS,
        "batch_size": BATCH_SIZE,
        "momentum": MOMENTUM,
        "accuracy": {
            kind: [
                [[_last(kind, *run, s) for s in SEEDS] for run in row]
                for row in _grid()
            ]
            for kind in INITS
        },
        "patient": PATIENT | {"accuracy": _patient_courses()},
    }


def course(kind, depth, rate, seed, n_epochs, every):
    """Train one net, and measure its training accuracy now and then.

    Parameters
    ----------
    kind : {"plain", "residual"}
    depth : int >= 1
        Number of blocks.
    rate : float > 0
        Learning rate, the same at every step.
    seed : int
    n_epochs, every : int >= 1
        Epochs, and how many lie between two measurements.

    Returns
    -------
    list of float
        Shorter than ``n_epochs // every`` if the loss stopped being finite.
    """
    rng = np.random.default_rng(seed)
    skip, init = kind == "residual", INITS[kind]
    widths = [WIDTH] * (depth + 1)
    net = relu.init_net(rng, widths, n_outputs=10, skip=skip, init=init)
    return train_and_measure(net, rate, rng, n_epochs, every)


def train_and_measure(net, rate, rng, n_epochs, every):
    """Train a net in float32, and measure its training accuracy now and then.

    Parameters
    ----------
    net : Net
        For the digits. Not modified.
    rate : float > 0
        Learning rate, the same at every step.
    rng : numpy.random.Generator
        Shuffles the digits.
    n_epochs, every : int >= 1
        Epochs, and how many lie between two measurements.

    Returns
    -------
    list of float
        Shorter than ``n_epochs // every`` if the loss stopped being finite.
    """
    X, labels, _, _ = data.split_digits()
    X, net = X.astype(np.float32), _single(net)
    optimiser = optim.SGD(net.params, rate, momentum=MOMENTUM)
    passes = train.epochs(
        net, (X, labels), optimiser, n_epochs=n_epochs, batch_size=BATCH_SIZE, rng=rng
    )
    found = []
    try:
        for epoch in passes:
            if epoch.number % every == 0:
                found.append(float(np.mean(relu.predict(net, X) == labels)))
    except FloatingPointError:
        return found
    return found


def _single(net):
    """Copy a net to float32."""
    params = {name: array.astype(np.float32) for name, array in net.params.items()}
    return nets.Net(net.blocks, params)


def _grid():
    return [[(depth, rate) for rate in RATES] for depth in DEPTHS]


def _last(kind, depth, rate, seed):
    """Return the accuracy after training, or 0 for a run that failed."""
    found = course(kind, depth, rate, seed, N_EPOCHS, N_EPOCHS)
    return found[-1] if found else 0.0


def _patient_courses():
    """Return, for each depth and rate, the plain net's accuracy every ten epochs."""
    return [
        [
            course("plain", depth, rate, SEEDS[0], PATIENT["n_epochs"], 10)
            for rate in PATIENT["rates"]
        ]
        for depth in PATIENT["depths"]
    ]
