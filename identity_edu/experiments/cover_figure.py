"""Measure what the cover shows: slopes with and without the identity, and a long turn.

Left half: the gradient of the first layer, for random matrices that serve once as whole
layers and once as corrections to the identity. Right half: a letter on its way through
the near-identity layers of one rotation. Shown on the landing page.
"""

import numpy as np

from identity_edu import data, factorization, linear

SEEDS = [0]
DEPTHS = [1, 2, 4, 8, 12, 16, 20, 24, 28, 32]
N_NETS = 40  # at each depth
WIDTH = 8
LAYER_NORM = 0.5

TURN = -17 * np.pi / 18  # radians, clockwise
N_LAYERS = 12
# The letter F, which no rotation takes to itself: corners in order, (x, y).
LETTER = np.array(
    [
        [0.0, 0.0],
        [0.0, 5.0],
        [3.0, 5.0],
        [3.0, 4.0],
        [1.0, 4.0],
        [1.0, 3.0],
        [2.3, 3.0],
        [2.3, 2.0],
        [1.0, 2.0],
        [1.0, 0.0],
    ]
)
LETTER_AT = np.array([-1.2, 8.0])  # upright half way, above the centre


def measure():
    """Return the slopes by depth, and the letter after each layer."""
    rng = np.random.default_rng(SEEDS[0])
    slopes = np.array([[_slopes(rng, n) for _ in range(N_NETS)] for n in DEPTHS])
    corners, norm = _letter_path()
    return {
        "depths": DEPTHS,
        "width": WIDTH,
        "layer_norm": LAYER_NORM,
        "n_nets": N_NETS,
        "residual": np.quantile(slopes[:, :, 0], [0.1, 0.5, 0.9], axis=1),
        "plain": np.quantile(slopes[:, :, 1], [0.1, 0.5, 0.9], axis=1),
        "letters": corners,
        "largest_layer": norm,
    }


def _slopes(rng, n_layers):
    """Gradient norm of the first layer: residual net, then plain net."""
    A = rng.standard_normal((n_layers, WIDTH, WIDTH))
    A *= LAYER_NORM / np.linalg.norm(A, 2, axis=(1, 2), keepdims=True)
    R, Sigma = data.linear_problem(rng, WIDTH)
    nets = A, A - np.eye(WIDTH)
    gradients = [linear.excess_risk_gradient(net, R, Sigma)[0] for net in nets]
    return [np.linalg.norm(gradient) for gradient in gradients]


def _letter_path():
    """Corners after 0, 1, ... layers, and the norm of the largest layer."""
    A = factorization.near_identity_factorization(_turn(TURN), N_LAYERS)
    path = [(LETTER + LETTER_AT) @ _turn(-TURN / 2).T]
    for A_i in A:
        path.append(path[-1] + path[-1] @ A_i.T)
    return np.array(path), linear.max_spectral_norm(A)


def _turn(angle):
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]])
