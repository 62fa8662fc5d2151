r"""Formulas as the papers print them, kept so that their failure can be run.

Nothing in the package relies on these. The book's page of corrections and the
chapters call them beside the right formula, and the tests show that they fail.
"As printed" means: in the text of the 2017 conference version of Hardt & Ma that we
read; a slip may be that copy's own.
"""

import math

from identity_edu.backend import as_floating
from identity_edu.factorization import log_condition
from identity_edu.linear import excess_risk, max_spectral_norm, network_map


def gradient_as_printed(A, R, Sigma):
    r"""Evaluate Lemma 2.4 with both runs of transposed factors in printed order.

    Printed: :math:`2 (I + A_\ell^\top) \cdots (I + A_{i+1}^\top) E \Sigma
    (I + A_{i-1}^\top) \cdots (I + A_1^\top)`. Transposing a product reverses it, so
    both runs must stand the other way round. The two agree when the factors commute.

    Parameters
    ----------
    A : array, shape (l, d, d)
    R, Sigma : array, shape (d, d)

    Returns
    -------
    array, shape (l, d, d)

    References
    ----------
    Hardt & Ma (2017), Lemma 2.4.
    """
    xp, (A, R, Sigma) = as_floating(A, R, Sigma)
    weighted_error = 2.0 * (network_map(A) - R) @ Sigma
    At = A.swapaxes(1, 2)
    eye = xp.eye(A.shape[1], dtype=A.dtype)
    grad = xp.empty_like(A)
    for i in range(len(A)):
        left = network_map(At[i + 1 :]) if i + 1 < len(A) else eye
        right = network_map(At[:i]) if i > 0 else eye
        grad[i] = left @ weighted_error @ right
    return grad


def gradient_norm_bound_as_printed(A, R, Sigma):
    r"""Evaluate inequality (2.3) with the printed powers.

    Printed: :math:`4 \ell (1 - \tau)^{\ell - 1} \sigma_{\min}(\Sigma)^2 (f(A) - C)`.
    The proof squares :math:`(1 - \tau)^{\ell - 1}` and loses only one power of
    :math:`\sigma_{\min}(\Sigma)`.

    Parameters
    ----------
    A : array, shape (l, d, d)
        With every layer's norm below 1.
    R, Sigma : array, shape (d, d)

    Returns
    -------
    float

    References
    ----------
    Hardt & Ma (2017), inequality (2.3).
    """
    xp, (A, R, Sigma) = as_floating(A, R, Sigma)
    shrink = 1.0 - max_spectral_norm(A)
    sigma_min = xp.linalg.eigvalsh(Sigma)[0]
    risk = excess_risk(A, R, Sigma)
    return 4.0 * len(A) * shrink ** (len(A) - 1) * sigma_min**2 * risk


def norm_bound_as_printed(R, n_layers):
    r"""Return :math:`2 (\sqrt\pi + \sqrt{3\gamma})^2 / \ell`, the printed norm bound.

    The printed theorem has no hypothesis on the determinant, and fails without one.

    Parameters
    ----------
    R : array, shape (d, d)
        Invertible; the printed theorem asks nothing of its determinant.
    n_layers : int >= 1
        The printed theorem asks for at least :math:`3\gamma`.

    Returns
    -------
    float

    References
    ----------
    Hardt & Ma (2017), Theorem 2.1.
    """
    root = math.sqrt(math.pi) + math.sqrt(3.0 * log_condition(R))
    return 2.0 * root**2 / n_layers


def memorizing_block_as_printed(H, subset, targets, rho):
    r"""Build the block of Lemma B.1, with its one threshold :math:`1 - 2\rho'`.

    Printed hypotheses: squared norms within :math:`\rho'` of 1, and squared distances
    of at least :math:`3\rho'` from the points that move (the copy that we read has no
    square there; this is the reading that the proof uses). Two such points may score
    above the threshold on each other, since their product may be
    :math:`1 + \rho' - 3\rho'/2`; with :math:`6\rho'` they cannot.

    Parameters
    ----------
    H : array, shape (n, k)
    subset : int array, shape (m,)
    targets : array, shape (m, k)
    rho : float > 0
        :math:`\rho'`.

    Returns
    -------
    tuple of array
        ``(U, s, V)`` of the block :math:`h \mapsto h + V\,\mathrm{relu}(Uh + s)`.

    References
    ----------
    Hardt & Ma (2017), Lemma B.1.
    """
    xp, (H, targets) = as_floating(H, targets)
    threshold = 1.0 - 2.0 * rho
    U = H[subset]
    heights = xp.sum(U * U, axis=1) - threshold
    s = xp.full(len(U), -threshold, dtype=H.dtype)
    return U, s, ((targets - U) / heights[:, None]).T


def random_projection_as_printed(rng, d, k):
    r"""Draw the projection with entries N(0, 1): images come out :math:`\sqrt k` long.

    Parameters
    ----------
    rng : numpy.random.Generator
    d, k : int >= 1

    Returns
    -------
    array, shape (k, d)

    References
    ----------
    Hardt & Ma (2017), section 3; :math:`N(0, 1/k)` keeps lengths on average.
    """
    return rng.standard_normal((k, d))
