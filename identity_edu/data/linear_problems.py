r"""Random linear regression problems with a known best map.

Examples are rows: `X` is (n, d), `Y` is (n, d), and :math:`y = R x + \xi` becomes
``Y = X @ R.T + noise``. Everything is drawn on the CPU, in float64.
"""

import numpy as np

from identity_edu.backend import as_floating


def random_rotation(rng, d):
    """Draw a rotation uniformly (Haar measure on SO(d)).

    Parameters
    ----------
    rng : numpy.random.Generator
    d : int >= 1

    Returns
    -------
    array, shape (d, d)
        Orthogonal, determinant +1.

    References
    ----------
    Mezzadri (2007): QR of a Gaussian matrix is uniform once the signs of R's
    diagonal are moved into Q.
    """
    Q, upper = np.linalg.qr(rng.standard_normal((d, d)))
    Q = Q * np.sign(np.diag(upper))
    if np.linalg.slogdet(Q)[0] < 0:
        Q[:, 0] *= -1.0
    return Q


def random_map(rng, d, *, condition=10.0, det_sign=1):
    """Draw a target map with a given condition number and sign of determinant.

    Singular values are spaced evenly in logarithm, with geometric mean 1 for d >= 2,
    so the log-condition is half the logarithm of the condition number.

    Parameters
    ----------
    rng : numpy.random.Generator
    d : int >= 1
    condition : float >= 1
        Largest singular value over the smallest (for d = 1 the map is its square
        root).
    det_sign : {1, -1}

    Returns
    -------
    array, shape (d, d)

    Raises
    ------
    ValueError
        If `condition` is below 1 or `det_sign` is not a sign.
    """
    if not condition >= 1 or det_sign not in (1, -1):
        got = f"{condition} and {det_sign}"
        raise ValueError(f"condition >= 1 and det_sign of 1 or -1 needed; got {got}.")
    exponents = np.linspace(0.5, -0.5, d)
    U = random_rotation(rng, d)
    U[:, 0] *= det_sign
    return (U * condition**exponents) @ random_rotation(rng, d).T


def random_covariance(rng, d, *, condition=10.0):
    """Draw a symmetric positive definite covariance with a given condition number.

    Parameters
    ----------
    rng : numpy.random.Generator
    d : int >= 1
    condition : float >= 1
        Largest eigenvalue over the smallest (for d = 1 the variance is its root).

    Returns
    -------
    array, shape (d, d)
        Eigenvalues evenly spaced in logarithm, with geometric mean 1 for d >= 2.

    Raises
    ------
    ValueError
        If `condition` is below 1.
    """
    if not condition >= 1:
        raise ValueError(f"condition must be at least 1; got {condition}.")
    Q = random_rotation(rng, d)
    return (Q * condition ** np.linspace(0.5, -0.5, d)) @ Q.T


def random_layers(rng, n_layers, d, *, tau):
    """Draw residual matrices inside the ball of the paper.

    Parameters
    ----------
    rng : numpy.random.Generator
    n_layers, d : int >= 1
    tau : float >= 0
        Spectral norm of the largest layer; the others lie between 0 and it.

    Returns
    -------
    array, shape (l, d, d)
    """
    A = rng.standard_normal((n_layers, d, d))
    sizes = rng.uniform(0.0, 1.0, n_layers)
    sizes = tau * sizes / sizes.max()
    return A * (sizes / np.linalg.norm(A, 2, axis=(1, 2)))[:, None, None]


def linear_problem(rng, d, *, condition=10.0):
    """Draw a target map and a covariance, both of the given condition number.

    Parameters
    ----------
    rng : numpy.random.Generator
    d : int >= 1
    condition : float >= 1

    Returns
    -------
    tuple of array, each of shape (d, d)
        ``(R, Sigma)`` with det R > 0.
    """
    R = random_map(rng, d, condition=condition)
    return R, random_covariance(rng, d, condition=condition)


def sample_regression(R, Sigma, n, rng):
    r"""Draw examples of :math:`y = R x + \xi` with standard normal noise.

    Parameters
    ----------
    R, Sigma : array, shape (d, d)
        Target map and input covariance (symmetric positive semi-definite).
    n : int >= 1
        Number of examples.
    rng : numpy.random.Generator

    Returns
    -------
    tuple of array, each of shape (n, d)
        ``(X, Y)``, one example per row; dtype and device follow `R`.
    """
    xp, (R, Sigma) = as_floating(R, Sigma)
    d = R.shape[0]
    variance, axes = xp.linalg.eigh(Sigma)
    root = axes * xp.sqrt(xp.maximum(variance, 0.0))
    normal = rng.standard_normal((2, n, d))  # on the CPU: one stream for both devices
    Z, noise = xp.asarray(normal, dtype=R.dtype)
    X = Z @ root.T
    return X, X @ R.T + noise
