"""What a margin costs, and what a memorising net knows about digits it has not seen.

Width against the margin that it keeps; rounding errors against the margin; and the
accuracy on held-out digits of nets that were written down, beside that of the nearest
neighbour. Shown in chapter 08.
"""

import math

import numpy as np

from identity_edu import data, memorization, relu

SEEDS = [0, 1, 2, 3, 4]
N, INPUT_DIM, N_CLASSES = 1000, 512, 10
WIDTHS = [64, 96, 128, 192, 256, 384]
N_PAIRS, PAIR_DIM = 100, 16
ANGLES = 10.0 ** np.arange(-0.5, -3.75, -0.25)
DIGITS_WIDTH = 64


def measure():
    """Return margins by width, errors by margin, and accuracies on the digits."""
    kept = [kept_margins(seed) for seed in SEEDS]
    pairs = [close_pairs(angle, seed) for angle in ANGLES for seed in SEEDS[:2]]
    digits = [digit_accuracies(seed) for seed in SEEDS]
    return {
        "n": N,
        "input_dim": INPUT_DIM,
        "widths": WIDTHS,
        "margins": [margins for _, margins in kept],
        "rho": [rho for rho, _ in kept],
        "pair_margins": [margin for margin, _ in pairs],
        "pair_errors": [error for _, error in pairs],
        "digits": {key: [run[key] for run in digits] for key in digits[0]},
    }


def kept_margins(seed):
    """Memorise random unit inputs at several widths.

    Parameters
    ----------
    seed : int

    Returns
    -------
    tuple
        ``(rho, margins)``: the smallest squared distance of two inputs, and for each
        width the smallest margin, in units of the point's squared norm.
    """
    rng = np.random.default_rng(seed)
    X = memorization.unit_rows(rng.standard_normal((N, INPUT_DIM)))
    labels = rng.integers(N_CLASSES, size=N)
    cosines = X @ X.T
    np.fill_diagonal(cosines, -1.0)
    margins = []
    for width in WIDTHS:
        net, _ = memorization.memorize(
            X, labels, n_classes=N_CLASSES, width=width, rng=rng
        )
        margins.append(relative_margin(net, math.ceil(N / width)))
    return 2 - 2 * float(cosines.max()), margins


def relative_margin(net, n_blocks):
    """Read the smallest margin off a net, in units of the point's squared norm.

    Parameters
    ----------
    net : Net
        From `identity_edu.memorization.memorize`.
    n_blocks : int >= 1

    Returns
    -------
    float
    """
    smallest = math.inf
    for i in range(n_blocks):
        U, s = net.params[f"blocks.{i}.U"], net.params[f"blocks.{i}.s"]
        own = np.sum(U * U, axis=1)
        smallest = min(smallest, float(np.min(2 + 2 * s / own)))  # -s = own - m / 2
    return smallest


def close_pairs(angle, seed):
    """Memorise pairs of unit vectors at a given angle, with different labels.

    Parameters
    ----------
    angle : float
        In radians.
    seed : int

    Returns
    -------
    tuple of float
        ``(margin, error)``: the smallest margin and the largest output error.
    """
    rng = np.random.default_rng(seed)
    X = memorization.unit_rows(rng.standard_normal((N_PAIRS, PAIR_DIM)))
    across = rng.standard_normal(X.shape)
    across -= np.sum(across * X, axis=1, keepdims=True) * X
    near = np.cos(angle) * X + np.sin(angle) * memorization.unit_rows(across)
    X = np.concatenate([X, memorization.unit_rows(near)])
    labels = np.repeat([0, 1], N_PAIRS)
    net, margin = memorization.memorize(X, labels, n_classes=2, width=PAIR_DIM, rng=rng)
    error = np.abs(relu.evaluate(net, X) - np.eye(2)[labels]).max()
    return margin, float(error)


def digit_accuracies(seed):
    """Memorise four fifths of the digits, and ask about the rest.

    Parameters
    ----------
    seed : int

    Returns
    -------
    dict of str to number
        Accuracies in [0, 1], and what `moved_by_blocks` says of the held-out digits.
    """
    X, labels, X_new, labels_new = data.split_digits()
    X, X_new = memorization.unit_rows(X), memorization.unit_rows(X_new)
    rng = np.random.default_rng(seed)
    settings = {"n_classes": 10, "width": DIGITS_WIDTH}
    written, _ = memorization.memorize(X, labels, rng=rng, **settings)
    thrown = rng.integers(10, size=len(labels))
    nonsense, _ = memorization.memorize(X, thrown, rng=rng, **settings)
    return {
        "written_seen": _accuracy(written, X, labels),
        "written_new": _accuracy(written, X_new, labels_new),
        "random_seen": _accuracy(nonsense, X, thrown),
        "random_new": _accuracy(nonsense, X_new, labels_new),
        "neighbour_new": float(
            np.mean(labels[(X_new @ X.T).argmax(axis=1)] == labels_new)
        ),
        "n_new": len(X_new),
        **moved_by_blocks(written, X_new),
    }


def moved_by_blocks(net, X):
    """Count the examples at which a unit of a block is on, and follow them.

    Parameters
    ----------
    net : Net
        From `identity_edu.memorization.memorize`.
    X : array, shape (n, d)

    Returns
    -------
    dict of str to number
        ``n_moved``, examples that any block between projection and read-out moves;
        ``n_read``, those of them at which a unit of the read-out is on; and
        ``way_moved``, how far the moved ones went, as a median in units of their
        length behind the projection.
    """
    output, cache = relu.forward(net, X)
    states = relu.block_states(output, cache)
    is_on = [(inputs[-1] > 0).any(axis=1) for inputs, _ in cache[1:]]
    moved = np.any(is_on[:-1], axis=0)  # the last one is the read-out
    way = np.linalg.norm(states[-2] - states[1], axis=1)
    way /= np.linalg.norm(states[1], axis=1)
    return {
        "n_moved": int(moved.sum()),
        "n_read": int((moved & is_on[-1]).sum()),
        "way_moved": float(np.median(way[moved])),
    }


def _accuracy(net, X, labels):
    return float(np.mean(relu.predict(net, X) == labels))
