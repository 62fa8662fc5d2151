"""How wide a net must be for random projections to keep every margin."""

import math

import numpy as np

FAILURE = 0.01  # accepted probability that some margin fails


def sufficient_width(n, rho, *, n_classes, margin=0.0, failure=FAILURE):
    r"""Return a width at which a random projection keeps every margin.

    Project unit vectors with a Gaussian matrix. A point's margin against one other at
    squared distance :math:`\rho` fails with probability at most
    :math:`\tfrac12 (1 + c^2)^{-k/2}` with
    :math:`c = (\rho/2 - \mu) / \sqrt{\rho - \rho^2/4}`; against a surrogate vector with
    at most :math:`(1 + (1 - \mu)^2)^{-k/2}`. There are n(n - 1) pairs of the first kind
    and at most n r of the second.

    Parameters
    ----------
    n : int >= 1
        Number of points.
    rho : float in (0, 4)
        Smallest squared distance between two of them.
    n_classes : int >= 1
        r, the number of surrogate vectors.
    margin : float in [0, rho / 2)
        :math:`\mu`, the margin to keep, in units of a point's squared norm.
    failure : float in (0, 1)
        Accepted probability that any margin fails.

    Returns
    -------
    int
        About :math:`(16/\rho) \log n` for small :math:`\rho` and :math:`\mu = 0`.

    Raises
    ------
    ValueError
        If a number is out of its range.

    References
    ----------
    Ours; chapter 08 proves it. Hardt & Ma (2017), Theorem 3.2, ask for
    :math:`\Theta(\log n / \rho^2)`, with one threshold for all rows.
    """
    if n < 1 or n_classes < 1:
        raise ValueError(f"n and n_classes must be at least 1; got {n}, {n_classes}.")
    if not 0 < rho < 4:
        raise ValueError(f"rho must be in (0, 4), a squared distance; got {rho}.")
    if not 0 <= margin < min(rho / 2, 1.0):
        raise ValueError(f"margin must be in [0, rho/2) and below 1; got {margin}.")
    if not 0 < failure < 1:
        raise ValueError(f"failure must be in (0, 1); got {failure}.")
    c_squared = (rho / 2 - margin) ** 2 / (rho - rho**2 / 4)
    base = min(1 + c_squared, 1 + (1 - margin) ** 2)
    return _union_bound_width(n, n_classes, base, failure)


def width_to_try(x_i, x_j, n, n_classes, width):
    """Return a width for which a pair like the one that failed would be safe.

    Parameters
    ----------
    x_i : numpy.ndarray, shape (d,)
        The input of a point.
    x_j : numpy.ndarray, shape (d,), or None
        That of the rival which it does not stand out from; None for a rival that was
        moved to its surrogate vector already.
    n, n_classes : int >= 1
    width : int >= 1
        The one that failed; the answer is larger.

    Returns
    -------
    int or None
        None if no width helps: the rival scores as high before any projection.
    """
    base, d = 2.0, len(x_i)
    if x_j is not None:
        along = float(x_i @ (x_i - x_j))
        if along <= 0:
            return None
        across = float((x_i @ x_i) * np.sum((x_i - x_j) ** 2)) - along**2
        base = min(base, 1 + along**2 / max(across, np.finfo(float).tiny))
    safe = max(width + 1, _union_bound_width(n, n_classes, base, FAILURE))
    return min(safe, d) if width < d else safe  # at width d nothing is distorted


def _union_bound_width(n, n_classes, base, failure):
    """Return the k at which all pairs together fail with the given probability."""
    pairs = n * (n - 1) / 2 + n * n_classes
    return max(1, math.ceil(2 * math.log(pairs / failure) / math.log(base)))
