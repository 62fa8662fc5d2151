r"""Write a linear map as a product of many near-identity layers.

Hardt & Ma's Theorem 2.1: if :math:`\det R > 0`, then
:math:`R = (I + A_\ell) \cdots (I + A_1)` with every :math:`\|A_i\| = O(1/\ell)`.
Two constructions are here. ``"svd"`` is the paper's: :math:`R = U \Sigma V^\top`, and
each of the three factors is split into equal roots. ``"polar"`` is ours:
:math:`R = Q P` with one rotation :math:`Q = U V^\top` and one stretch
:math:`P = V \Sigma V^\top`, so only one rotation has to be paid for.

====================  ==============  ============================================
symbol                name            meaning
====================  ==============  ============================================
:math:`R`             `R`             target map, shape (d, d)
:math:`\gamma`        `gamma`         log-condition, ``max |log sigma_i(R)|``
:math:`p, q`          `counts`        layers spent on the stretch, on a rotation
====================  ==============  ============================================

Used in chapter 05.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from identity_edu.backend import array_namespace, as_floating, to_numpy
from identity_edu.factors import rotation_factor, share_layers, stretch_factor
from identity_edu.linalg import layer_power

AUGMENTATION = "flip_determinant(R) returns diag(R, -1), which has det > 0"


class Part(NamedTuple):
    """`count` equal layers ``I + residual`` in a row.

    `norm` is the spectral norm of `residual` in closed form: 2 sin(theta/2q) for a
    rotation, at most exp(gamma/p) - 1 for a stretch.
    """

    residual: Any
    count: int
    norm: float


def log_condition(R):
    r"""Return :math:`\gamma = \max_i |\log \sigma_i(R)|`.

    Parameters
    ----------
    R : array, shape (d, d)
        Invertible.

    Returns
    -------
    float
        In nats; 0 for an orthogonal matrix.

    Raises
    ------
    ValueError
        If `R` is not square, not finite, or singular to working precision.

    References
    ----------
    Hardt & Ma (2017), section 2.1.
    """
    R = _square_and_finite(R)
    s = to_numpy(array_namespace(R).linalg.svd(R, compute_uv=False))
    _check_invertible(s)
    return max(abs(math.log(s[0])), abs(math.log(s[-1])))


def norm_bound(R, n_layers):
    r"""Return the bound :math:`(4\pi + 3\gamma)/\ell` of Theorem 2.1.

    Parameters
    ----------
    R : array, shape (d, d), with positive determinant
    n_layers : int >= 1

    Returns
    -------
    float
        Upper bound on the spectral norm of every layer if
        :math:`\ell \ge 2 + \pi + 3\gamma/2` (``"svd"``:
        :math:`3 + 2\pi + 3\gamma/2`); below that only the value of the formula.

    Raises
    ------
    ValueError
        As `near_identity_factorization`.

    Notes
    -----
    The book's Theorem 5.1 counts whole layers, hence the condition. The paper's
    proof treats the shares of the factors as real numbers.

    References
    ----------
    Hardt & Ma (2018, arXiv version 3), Theorem 2.1 and its proof. The conference
    version of 2017 states another constant and omits the determinant.
    """
    R, _ = _check_target(R, n_layers)
    return (4.0 * math.pi + 3.0 * log_condition(R)) / n_layers


def flip_determinant(R):
    """Add one coordinate that is negated, so that the determinant changes sign.

    The regression problem gains an input :math:`b` and an output :math:`-b`. Its
    map is ``diag(R, -1)``, with the same log-condition.

    Parameters
    ----------
    R : array, shape (d, d)

    Returns
    -------
    array, shape (d + 1, d + 1)

    Raises
    ------
    ValueError
        If `R` is not square or not finite.

    References
    ----------
    Hardt & Ma (2018, arXiv version 3), section 2.1.
    """
    R = _square_and_finite(R)
    xp = array_namespace(R)
    d = R.shape[0]
    augmented = xp.zeros((d + 1, d + 1), dtype=R.dtype)
    augmented[:d, :d] = R
    augmented[d, d] = -1.0
    return augmented


def near_identity_factorization(R, n_layers, *, method="polar"):
    r"""Write `R` as a product of `n_layers` matrices close to the identity.

    Parameters
    ----------
    R : array, shape (d, d)
        Invertible, with positive determinant.
    n_layers : int >= 1
        Number of layers :math:`\ell`.
    method : {"polar", "svd"}
        ``"svd"`` is the construction of the paper, ``"polar"`` a sharper one.

    Returns
    -------
    array, shape (l, d, d)
        Residuals `A` with ``(I + A[-1]) ... (I + A[0]) = R``; ``A[0]`` meets the
        input first. dtype and device follow `R`.

    Raises
    ------
    ValueError
        If `R` is not square, not finite, singular to working precision, or has a
        negative determinant; if `n_layers` is less than 1; if `method` is unknown.

    Notes
    -----
    One SVD and one symmetric eigenproblem (two for ``"svd"``), then
    :math:`\ell d^2` numbers of memory: see `near_identity_parts` when these do not
    fit. For large :math:`\ell` the spectral norm of every layer is at most about
    :math:`(\pi + \gamma)/\ell` for ``"polar"``, :math:`(2\pi + \gamma)/\ell` for
    ``"svd"``. A map that shrinks by more than 1e-16 a layer cannot be stored as
    ``I + A`` to any relative accuracy.

    References
    ----------
    Hardt & Ma (2018, arXiv version 3), Theorem 2.1, Claims A.1 and C.1.
    """
    parts = near_identity_parts(R, n_layers, method=method)
    xp = array_namespace(parts[0].residual)
    d = parts[0].residual.shape[0]
    A = xp.empty((n_layers, d, d), dtype=parts[0].residual.dtype)
    first = 0
    for residual, count, _ in parts:
        A[first : first + count] = residual
        first += count
    return A


def near_identity_parts(R, n_layers, *, method="polar"):
    """Return the few distinct layers of the factorization, each with its count.

    Parameters
    ----------
    R, n_layers, method
        As for `near_identity_factorization`.

    Returns
    -------
    list of Part
        In the order in which the input meets them; the counts sum to `n_layers`.
        With fewer layers than factors (one for ``"polar"``, up to two for
        ``"svd"``), a single layer does all the work and the others are identities.

    Raises
    ------
    ValueError
        As `near_identity_factorization`.
    """
    if method not in ("polar", "svd"):
        raise ValueError(f'method must be "polar" or "svd"; got {method!r}.')
    R, (U, s, Vt) = _check_target(R, n_layers)
    if method == "polar":
        factors = [stretch_factor(Vt.T, s), rotation_factor(U @ Vt)]
    else:
        U, Vt = _make_rotations(U, Vt)
        identity = array_namespace(R).eye(R.shape[0], dtype=R.dtype)
        factors = [rotation_factor(Vt), stretch_factor(identity, s)]
        factors.append(rotation_factor(U))

    rounding = 8.0 * len(R) ** 0.5 * float(np.finfo(R.dtype).eps)
    factors = [f for f in factors if f.amount > rounding]
    if not factors or n_layers < len(factors):
        return _one_layer(R, n_layers)
    counts = share_layers(factors, n_layers)
    return [
        Part(f.root_minus_identity(count), count, f.norm(count))
        for f, count in zip(factors, counts, strict=True)
    ]


def compose_parts(parts):
    """Multiply the layers of all parts, ``(I + A_l) ... (I + A_1)``.

    Parameters
    ----------
    parts : list of Part

    Returns
    -------
    array, shape (d, d)
        Repeated squaring makes a million layers as cheap as twenty.
    """
    residual, count, _ = parts[0]
    total = layer_power(residual, count)
    for residual, count, _ in parts[1:]:
        total = layer_power(residual, count) @ total
    return total


def _make_rotations(U, Vt):
    """Give both orthogonal factors determinant +1 (they agree in sign already)."""
    if float(array_namespace(U).linalg.slogdet(U)[0]) < 0:
        U, Vt = U.copy(), Vt.copy()
        U[:, -1] *= -1.0
        Vt[-1] *= -1.0
    return U, Vt


def _one_layer(R, n_layers):
    """Put the whole map into the first layer, identities behind it."""
    xp = array_namespace(R)
    residual = R - xp.eye(R.shape[0], dtype=R.dtype)
    norm = float(xp.linalg.norm(residual, 2))
    rest = [Part(xp.zeros_like(residual), n_layers - 1, 0.0)] if n_layers > 1 else []
    return [Part(residual, 1, norm), *rest]


def _check_target(R, n_layers):
    """Return R as floats with its SVD, or say why no factorization exists."""
    if n_layers < 1:
        raise ValueError(f"n_layers must be at least 1; got {n_layers}.")
    R = _square_and_finite(R)
    xp = array_namespace(R)
    U, s, Vt = xp.linalg.svd(R)
    _check_invertible(to_numpy(s))
    if float(xp.linalg.slogdet(U)[0] * xp.linalg.slogdet(Vt)[0]) < 0:
        raise ValueError(
            "det R > 0 is required: layers with ||A_i|| < 1 have det(I + A_i) > 0, "
            f"and so has their product; got det R < 0. {AUGMENTATION}."
        )
    return R, (U, s, Vt)


def _square_and_finite(R):
    """Return R as a floating array, or say what is wrong with it."""
    xp, (R,) = as_floating(R)
    if R.ndim != 2 or R.shape[0] != R.shape[1] or R.shape[0] == 0:
        raise ValueError(f"R must be square, shape (d, d); got shape {R.shape}.")
    if not bool(xp.isfinite(R).all()):
        raise ValueError("R must be finite; got an entry that is NaN or infinite.")
    return R


def _check_invertible(s):
    """Refuse a smallest singular value that is zero to working precision."""
    smallest_allowed = len(s) * float(np.finfo(s.dtype).eps) * float(s[0])
    if float(s[-1]) <= smallest_allowed:
        raise ValueError(
            "R must be invertible (a product of invertible layers is); got smallest "
            f"singular value {s[-1]:.3g}, zero to working precision beside {s[0]:.3g}."
        )
