"""What a hundred blocks keep of the difference between two inputs.

Pairs of inputs at three angles run through random nets. After each block: the angle
between the two signals. At each block: the share of the gradient of its two matrices
that is left when one input asks the output to move along g and the other asks for the
opposite, with both gradients scaled to length 1. 0 means that the two demands cancel, 1
that both pull at the matrices in the same direction. Shown in chapter 01.
"""

import numpy as np

from identity_edu import relu

SEEDS = [1]
WIDTH, N_BLOCKS, N_NETS = 72, 100, 100
DEGREES = (10, 90, 170)
NETS = {
    "residual": {"skip": True, "init": "near_identity"},
    "plain": {"skip": False, "init": "he"},
    "large": {"skip": True, "init": "he"},  # residual, with the plain nets' weights
}


def measure():
    """Return medians over the nets: one list a starting angle, one number a block."""
    rng = np.random.default_rng(SEEDS[0])
    medians = {}
    for name, options in NETS.items():
        runs = [
            compare(relu.init_net(rng, [WIDTH] * (N_BLOCKS + 1), **options), rng)
            for _ in range(N_NETS)
        ]
        angles, shares = (np.median(part, axis=0) for part in zip(*runs, strict=True))
        medians[name] = {"angles": angles, "shares": shares}
    return {
        **{"width": WIDTH, "n_blocks": N_BLOCKS, "n_nets": N_NETS, "degrees": DEGREES},
        "quoted": _quoted(**medians),
        "medians": medians,
    }


def compare(net, rng, degrees=DEGREES):
    """Compare one input with others at given angles from it, block by block.

    Parameters
    ----------
    net : identity_edu.nets.Net
        Of blocks of one width.
    rng : numpy.random.Generator
    degrees : sequence of float
        Starting angles.

    Returns
    -------
    tuple of array
        Angles in degrees, (pairs, blocks + 1), and shares of the gradient, (pairs,
        blocks).
    """
    d = len(next(iter(net.params.values()))[0])
    x, across, g = np.linalg.qr(rng.standard_normal((d, 3)))[0].T
    turns = np.radians([0, *degrees])[:, None]
    runs = [_run(net, x, g) for x in np.cos(turns) * x + np.sin(turns) * across]
    (first, pull), *others = runs
    angles = [_angles(first, states) for states, _ in others]
    shares = [_shares(pull, other) for _, other in others]
    return np.array(angles), np.array(shares)


def _quoted(residual, plain, large):
    """Pick the numbers that the chapter states."""
    return {
        "angle-plain": plain["angles"][:, -1].max(),
        "angle-large": large["angles"][:, -1].max(),
        "share-last": plain["shares"][:, -1].max(),
        "share-near": plain["shares"][0, 0],
        "share-kept": residual["shares"][0].mean(),
    }


def _run(net, x, g):
    """Return the signal at every block, and the gradient of each one's U and V."""
    output, cache = relu.forward(net, x[None])
    grads = [grad for _, grad in relu.backward_sweep(net, cache, g[None])]
    flat = [
        np.concatenate([part.ravel() for part in grad.values() if part.ndim == 2])
        for grad in grads
    ]
    return np.concatenate(relu.block_states(output, cache)), np.array(flat[::-1])


def _angles(states, others):
    """Twice the angle whose tangent is half the chord's; exact for small angles too."""
    u, v = _unit(states), _unit(others)
    chord, sum_ = np.linalg.norm(u - v, axis=1), np.linalg.norm(u + v, axis=1)
    return np.degrees(2 * np.arctan2(chord, sum_))


def _shares(pull, other):
    """Halve the length of the difference of the two directions."""
    return np.linalg.norm(_unit(pull) - _unit(other), axis=1) / 2


def _unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
