"""How much room inequality (2.3) leaves, over thousands of random networks.

For every net: the squared gradient norm over the bound. The corrected form may not
fall below 1; the form as printed does. Shown in chapter 04.
"""

import numpy as np

from identity_edu import data, linear, misprints

SEEDS = [4]
N_NETS = 4000
N_DRAWN = 600  # points that the figure shows


def measure():
    """Return the smallest ratios, the tight example, and a sample of the cloud."""
    rng = np.random.default_rng(SEEDS[0])
    slopes, bounds, printed, taus = (np.empty(N_NETS) for _ in range(4))
    for j in range(N_NETS):
        A, R, Sigma = _random_net(rng)
        taus[j] = linear.max_spectral_norm(A)
        slopes[j] = np.sum(linear.excess_risk_gradient(A, R, Sigma) ** 2)
        bounds[j] = linear.gradient_norm_bound(A, R, Sigma)
        printed[j] = misprints.gradient_norm_bound_as_printed(A, R, Sigma)
    return {
        "n_nets": N_NETS,
        "smallest_ratio": np.min(slopes / bounds),
        "median_ratio": np.median(slopes / bounds),
        "smallest_ratio_as_printed": np.min(slopes / printed),
        "violations_as_printed": int(np.sum(slopes < printed)),
        "tight_ratio": _tight_ratio(n_layers=6, tau=0.3, scale=4.0),
        "drawn": {
            "tau": taus[:N_DRAWN],
            "slope": slopes[:N_DRAWN],
            "bound": bounds[:N_DRAWN],
        },
    }


def _random_net(rng):
    """Draw a net of any depth and size; one in ten is near the tight example."""
    d, n_layers = int(rng.integers(1, 8)), int(rng.integers(1, 12))
    tau = rng.uniform(0.0, 0.9)
    R, Sigma = data.linear_problem(rng, d, condition=10 ** rng.uniform(0, 2))
    Sigma = Sigma * 10 ** rng.uniform(-1, 1)
    A = data.random_layers(rng, n_layers, d, tau=tau)
    if rng.uniform() < 0.1:
        A = 1e-3 * A - tau * np.eye(d)
        Sigma = np.eye(d)
    return A, R, Sigma


def _tight_ratio(n_layers, tau, scale):
    """At A_i = -tau I and Sigma = s I every step of the proof is an equality."""
    R, Sigma = np.diag([2.0, 1.0, 0.5]), scale * np.eye(3)
    A = np.stack([-tau * np.eye(3)] * n_layers)
    slope = np.sum(linear.excess_risk_gradient(A, R, Sigma) ** 2)
    return slope / linear.gradient_norm_bound(A, R, Sigma)
