"""How the width that a memorising net needs, and its size, grow with the sample.

Random unit inputs in R^512 with random labels. For each number of examples the width
rises by one, with a fresh projection, until every margin holds. Theory: the width at
which one failing pair is expected, from the exact tail, and the width that our bound
guarantees at 99 %. Shown in chapter 08.
"""

import math

import numpy as np

from identity_edu import memorization

SEEDS = [0, 1, 2, 3, 4]
SIZES = {100: 5, 300: 5, 1000: 5, 3000: 5, 10_000: 5, 50_000: 3}  # n, how many seeds
INPUT_DIM = 512
N_CLASSES = 10
FAILURE = 0.01
HOPELESS = 1e3  # the search starts where this many failing pairs are expected


def measure():
    """Return measured and predicted widths, parameters and margins for each size."""
    widths, margins, parameters = [], [], []
    for n, n_seeds in SIZES.items():
        runs = [smallest_width(n, INPUT_DIM, seed) for seed in SEEDS[:n_seeds]]
        for column, values in zip(
            (widths, margins, parameters), zip(*runs, strict=True), strict=True
        ):
            column.append(list(values))
    return {
        "n": list(SIZES),
        "input_dim": INPUT_DIM,
        "n_classes": N_CLASSES,
        "failure": FAILURE,
        "widths": widths,
        "margins": margins,
        "parameters": parameters,
        "expected": _predicted(expected_failures, 1.0),
        "guaranteed": _predicted(failure_bound, FAILURE),
    }


def smallest_width(n, d, seed):
    """Widen a net by one until it memorises n random points.

    Parameters
    ----------
    n, d : int >= 1
        Number and dimension of the inputs.
    seed : int

    Returns
    -------
    tuple
        ``(width, margin, n_parameters)`` of the first net whose margins all hold.
    """
    rng = np.random.default_rng(seed)
    X = memorization.unit_rows(rng.standard_normal((n, d)))
    labels = rng.integers(0, N_CLASSES, n)
    width = width_where(n, expected_failures, HOPELESS, d)
    while True:
        try:
            net, margin = memorization.memorize(
                X,
                labels,
                n_classes=N_CLASSES,
                width=width,
                rng=np.random.default_rng([seed, width]),
            )
        except ValueError:  # a margin failed at this width
            width += 1
        else:
            return width, margin, memorization.n_parameters(net)


def width_where(n, count, limit, d=INPUT_DIM):
    """Return the smallest width at which a count of failures is within a limit.

    Parameters
    ----------
    n : int >= 1
    count : callable
        `expected_failures` or `failure_bound`.
    limit : float > 0
    d : int >= 3
        Dimension of the inputs.

    Returns
    -------
    int
    """
    return next(k for k in range(2, 10**4) if count(n, k, d) <= limit)


def expected_failures(n, k, d):
    r"""Return how many pairs of random points fail on average, by the exact tail.

    Two points at angle :math:`\theta` fail with the probability that a random unit
    vector of R^(k+1) has a first coordinate above :math:`\sin(\theta/2)`. Of two
    points in different blocks only the one that moves first must stand out.

    Parameters
    ----------
    n, k, d : int
        Points, width, dimension of the inputs.

    Returns
    -------
    float
    """
    pairs = n * (n - 1) / 2 + n * min(k - 1, n - 1) / 2
    angles = np.linspace(0.0, math.pi, 2001)[1:-1]
    weights = np.exp((d - 2) * np.log(np.sin(angles)))
    tails = _cap_fractions(np.sin(angles / 2), k + 1)
    return float(pairs * (weights @ tails) / weights.sum())


def failure_bound(n, k, d):
    r"""Bound the probability that any margin fails, as chapter 08 does.

    Averaged over random inputs, :math:`(1 - \rho/4)^{k/2}` is a moment of a Beta
    distribution, with both parameters (d - 1)/2.

    Parameters
    ----------
    n, k, d : int
        Points, width, dimension of the inputs.

    Returns
    -------
    float
    """
    half = (d - 1) / 2
    log_moment = math.lgamma(half + k / 2) - math.lgamma(half)
    log_moment += math.lgamma(2 * half) - math.lgamma(2 * half + k / 2)
    pairs = n * (n - 1) / 2 * math.exp(log_moment)
    return pairs + n * N_CLASSES * 2.0 ** (-k / 2)


def _predicted(count, limit):
    """Return the width at which a count is within its limit, and the net's size."""
    widths = [width_where(n, count, limit) for n in SIZES]
    sizes = [
        k * (INPUT_DIM + 2 * n + N_CLASSES) + n + N_CLASSES**2 + N_CLASSES
        for k, n in zip(widths, SIZES, strict=True)
    ]
    return {"width": widths, "parameters": sizes}


def _cap_fractions(heights, dim):
    """Return the share of the unit sphere of R^dim above each height."""
    t = np.linspace(0.0, 1.0, 20_001)
    density = (1 - t**2) ** ((dim - 3) / 2)
    above = density[::-1].cumsum()[::-1] - density / 2  # trapezium rule
    return 0.5 * np.interp(heights, t, above / above[0])
