"""Which step sizes let gradient descent from zero converge, and what the others do.

Step sizes are measured in units of the largest stable one, 1 / (l s^(2 - 2/l)) with
s the largest singular value of the target. Shown in chapter 06.
"""

import numpy as np

from identity_edu import linear

SEEDS = []  # nothing is random
DEPTHS = [8, 32, 128]
TARGET = np.diag([2.0, 1.0, 0.5])
N_STEPS = 1000
TOLERANCE = 1e-20
ARRIVED = 1e-12
FACTORS = np.concatenate(
    [
        np.arange(0.1, 0.9, 0.1),
        np.arange(0.90, 1.105, 0.02),
        np.arange(1.2, 4.05, 0.2),
    ]
)


def measure():
    """Return the last risk for each depth and step, and where convergence ends."""
    risks = [[_last_risk(n_layers, f) for f in FACTORS] for n_layers in DEPTHS]
    arrived = [[risk <= ARRIVED for risk in row] for row in risks]
    parked = _run(32, 3.0)
    return {
        "depths": DEPTHS,
        "factors": FACTORS,
        "risk": risks,
        "largest_stable": [_last_true(row) for row in arrived],
        "smallest_unstable": [_first_false(row) for row in arrived],
        "n_steps": N_STEPS,
        "parked_factor": 3.0,
        "parked_risk": parked.excess_risk[-1],
    }


def _run(n_layers, factor):
    """Descend from zero with a multiple of the largest stable step."""
    largest = 1.0 / (n_layers * 2.0 ** (2.0 - 2.0 / n_layers))
    return linear.gradient_descent(
        np.zeros((n_layers, 3, 3)),
        TARGET,
        np.eye(3),
        step_size=factor * largest,
        n_steps=N_STEPS,
        tol=TOLERANCE,
    )


def _last_risk(n_layers, factor):
    """Return the risk after the run, or a million where it left every bound."""
    run = _run(n_layers, factor)
    return 1e6 if run.outcome == "diverged" else float(run.excess_risk[-1])


def _last_true(row):
    return float(max(f for f, is_in in zip(FACTORS, row, strict=True) if is_in))


def _first_false(row):
    return float(min(f for f, is_in in zip(FACTORS, row, strict=True) if not is_in))
