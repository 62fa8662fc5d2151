r"""The three matrices of Winograd's short convolution, from interpolation points.

A polynomial of degree m + r - 2 is known from its values at m + r - 1 points. So the
product of a polynomial with r coefficients and one with m needs only m + r - 1
multiplications, one for each point, instead of m r. Reading the same identity
backwards (transposing it) gives m outputs of an r-tap filter from m + r - 1 inputs:

.. math:: y = A^\top \big[(G g) \odot (B^\top d)\big].

Chapter 10 derives it. The classical choice of points is (0, 1, -1, 2, -2, infinity).
"""

import numpy as np

POINTS = (0.0, 0.75, -0.75, 1.25, -1.25, np.inf)


def winograd_matrices(points=POINTS, *, n_taps=3):
    r"""Build :math:`A^\top, G, B^\top` for an r-tap filter.

    With the matrix :math:`V_k` that evaluates a polynomial of k coefficients at the
    points (the point infinity reads off the highest one),
    :math:`A^\top = V_m^\top`, :math:`G = V_r` and
    :math:`B^\top = V_{m+r-1}^{-\top}`.

    Parameters
    ----------
    points : sequence of float
        m + r - 1 different numbers, of which one may be infinite.
    n_taps : int >= 1
        r.

    Returns
    -------
    tuple of array
        ``(AT, G, BT)`` of shapes (m, m + r - 1), (m + r - 1, r) and
        (m + r - 1, m + r - 1), in float64.

    Raises
    ------
    ValueError
        If points repeat, or are fewer than `n_taps`.

    References
    ----------
    Toom (1963), Cook (1966); Winograd (1980); Lavin & Gray (2016) for networks.
    """
    n_points = len(points)
    if len(set(points)) < n_points or n_points < n_taps or n_taps < 1:
        raise ValueError(
            f"at least {n_taps} different points are required; got {tuple(points)}."
        )
    AT = evaluation_matrix(points, n_points - n_taps + 1).T
    G = evaluation_matrix(points, n_taps)
    BT = np.linalg.inv(evaluation_matrix(points, n_points)).T
    return AT, G, BT


def evaluation_matrix(points, n_coefficients):
    """Return the matrix that takes coefficients to values at the points.

    Parameters
    ----------
    points : sequence of float
        An infinite point takes the coefficient of the highest power.
    n_coefficients : int >= 1

    Returns
    -------
    array, shape (len(points), n_coefficients)
        Row i holds the powers of point i, from 0 up.
    """
    powers = np.arange(n_coefficients)
    highest = (powers == n_coefficients - 1).astype(np.float64)
    rows = [highest if np.isinf(p) else float(p) ** powers for p in points]
    return np.array(rows)
