"""How long gradient descent waits beside zero before it escapes the symmetric trap.

The target is the smallest one with a trap: minus the identity in two dimensions, the
map ``r = -1`` after the determinant flip. Layers start as small random matrices. The
prediction knows nothing of the run but the height at which its straight line passes
zero, and how fast a line is walked. Shown in chapter 06.
"""

import math

import numpy as np

from identity_edu import linear

SEEDS = [0, 1, 2, 3, 4, 5]
DEPTHS = [4, 8, 32]
SIZES = [3e-2, 1e-2, 3e-3]
STEP_TIMES_DEPTH = 0.1  # so small that descent stays close to the gradient flow
BUDGET = 10_000  # steps, at most
HALF_OF_TRAP_RISK = 1.0


def measure():
    """Return the heights and waits of all runs that escaped, by depth."""
    rows = {n_layers: [_row(n_layers, *s) for s in _starts()] for n_layers in DEPTHS}
    every = [row for depth in rows.values() for row in depth]
    escaped = {k: [row for row in v if row["escaped"]] for k, v in rows.items()}
    ratios = [r["wait"] / r["predicted"] for v in escaped.values() for r in v]
    deep = [row["wait"] / row["predicted"] for row in escaped[DEPTHS[-1]]]
    return {
        "depths": DEPTHS,
        "height": [[row["height"] for row in escaped[k]] for k in DEPTHS],
        "wait": [[row["wait"] for row in escaped[k]] for k in DEPTHS],
        "constant": [passing_constant(n_layers) for n_layers in DEPTHS],
        "step_times_depth": STEP_TIMES_DEPTH,
        "budget": BUDGET,
        "n_runs": len(every),
        "n_escaped": len(ratios),
        "least_predicted_of_the_others": min(
            (row["predicted"] for row in every if not row["escaped"]), default=math.inf
        ),
        "median_ratio": np.median(ratios),
        "smallest_ratio": min(ratios),
        "largest_ratio": max(ratios),
        "smallest_ratio_deep": min(deep),
        "largest_ratio_deep": max(deep),
    }


def passing_height(start):
    """Return how far from zero the line from the start to -1 crosses the axis.

    Parameters
    ----------
    start : array, shape (l, 2, 2)
        Residual matrices; their map counts as the complex number nearest to it.

    Returns
    -------
    float
        At least 0.
    """
    product = linear.network_map(start)
    real = 0.5 * (product[0, 0] + product[1, 1])
    imaginary = 0.5 * (product[1, 0] - product[0, 1])
    return float(abs(imaginary) / (1.0 + real))


def passing_constant(n_layers):
    """Integrate ``(1 + x^2)^-(1 - 1/l)`` over the line: near pi for deep nets.

    Parameters
    ----------
    n_layers : int >= 3

    Returns
    -------
    float
    """
    power = 1.0 - 1.0 / n_layers
    return math.sqrt(math.pi) * math.gamma(power - 0.5) / math.gamma(power)


def predicted_wait(height, n_layers):
    """Return the steps in which the flow passes zero at a small height.

    Parameters
    ----------
    height : float > 0
    n_layers : int >= 3

    Returns
    -------
    float
    """
    time = passing_constant(n_layers) * height ** (2.0 / n_layers - 1.0)
    return time / (2.0 * STEP_TIMES_DEPTH)


def _starts():
    return [(size, seed) for size in SIZES for seed in SEEDS]


def _row(n_layers, size, seed):
    """Run one descent until it is half way from the trap to the target."""
    rng = np.random.default_rng(seed)
    start = size * rng.standard_normal((n_layers, 2, 2))
    run = linear.gradient_descent(
        start,
        -np.eye(2),
        np.eye(2),
        step_size=STEP_TIMES_DEPTH / n_layers,
        n_steps=BUDGET,
        tol=HALF_OF_TRAP_RISK,
    )
    height = passing_height(start)
    return {
        "escaped": run.outcome == "converged",
        "height": height,
        "wait": len(run.excess_risk) - 1,
        "predicted": predicted_wait(height, n_layers),
    }
