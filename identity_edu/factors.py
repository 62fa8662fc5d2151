r"""The two kinds of factor that can be shared out over many layers.

A rotation by :math:`\theta` becomes `q` rotations by :math:`\theta/q`, each at
distance :math:`2\sin(\theta/2q)` from the identity. A symmetric stretch with
:math:`|\log \sigma| \le \gamma` becomes `p` stretches, each at distance at most
:math:`e^{\gamma/p} - 1`. How many layers each kind gets is a question of budget:
`share_layers` answers it.

Used by `identity_edu.factorization`, in chapter 05.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from identity_edu.backend import array_namespace
from identity_edu.linalg import rotation_angles, rotation_root_minus_identity


class Factor(NamedTuple):
    """A rotation or a stretch, before it is known how many layers it gets.

    Attributes
    ----------
    amount : float
        Largest angle in radians, or largest absolute log of a stretch: 0 for the
        identity.
    layers_needed : callable
        ``tau -> int``: how many layers keep every residual within norm tau.
    norm : callable
        ``count -> float``: the norm of each residual when `count` layers share.
    root_minus_identity : callable
        ``count -> array (d, d)``: the residual itself.
    """

    amount: float
    layers_needed: Callable[[float], int]
    norm: Callable[[int], float]
    root_minus_identity: Callable[[int], Any]


def rotation_factor(Q):
    r"""Prepare the roots of a rotation: `q` of them turn by :math:`\theta/q` each.

    Parameters
    ----------
    Q : array, shape (d, d)
        Orthogonal, determinant +1.

    Returns
    -------
    Factor

    Raises
    ------
    ValueError
        If det Q = -1.

    References
    ----------
    Hardt & Ma (2017), Claim A.1.
    """
    rotation = rotation_angles(Q)
    theta = rotation.max_angle
    return Factor(
        amount=theta,
        layers_needed=lambda tau: math.ceil(theta / (2 * math.asin(min(tau / 2, 1)))),
        norm=lambda q: 2.0 * math.sin(theta / (2 * q)),
        root_minus_identity=lambda q: rotation_root_minus_identity(rotation, q),
    )


def stretch_factor(V, s):
    r"""Prepare the roots of :math:`V \mathrm{diag}(s) V^\top`.

    Parameters
    ----------
    V : array, shape (d, d)
        Orthogonal: the directions.
    s : array, shape (d,)
        Positive: the stretch in each.

    Returns
    -------
    Factor
        `expm1` gives :math:`s^{1/p} - 1` with all its digits.

    References
    ----------
    Hardt & Ma (2017), the positive semi-definite case of Theorem 2.1.
    """
    xp = array_namespace(V, s)
    log_s = xp.log(s)
    grow, shrink = max(float(log_s.max()), 0.0), max(-float(log_s.min()), 0.0)

    def layers_needed(tau):
        for_growth = math.ceil(grow / math.log1p(tau))
        return max(for_growth, math.ceil(shrink / -math.log1p(-tau)) if tau < 1 else 1)

    return Factor(
        amount=max(grow, shrink),
        layers_needed=layers_needed,
        norm=lambda p: max(math.expm1(grow / p), -math.expm1(-shrink / p)),
        root_minus_identity=lambda p: (V * xp.expm1(log_s / p)) @ V.T,
    )


def share_layers(factors, n_layers):
    """Share out layers so that the largest residual norm is as small as it can be.

    A budget tau is affordable when the layers that it needs are there; bisection
    finds the smallest affordable one, and what is left over goes to the worst.

    Parameters
    ----------
    factors : list of Factor
    n_layers : int
        At least one for each factor.

    Returns
    -------
    list of int
        Counts, each at least 1, that sum to `n_layers`.

    Raises
    ------
    ValueError
        If there are fewer layers than factors.
    """
    if n_layers < len(factors):
        need = len(factors)
        raise ValueError(f"at least {need} layers are required; got {n_layers}.")

    def needed(tau):
        return [max(1, f.layers_needed(tau)) for f in factors]

    low, high = 0.0, 1.01 * max(f.norm(1) for f in factors)
    while high - low > 1e-12 * high:
        tau = (low + high) / 2
        if sum(needed(tau)) <= n_layers:
            high = tau
        else:
            low = tau
    counts = needed(high)
    while sum(counts) < n_layers:
        size = [f.norm(c) for f, c in zip(factors, counts, strict=True)]
        counts[size.index(max(size))] += 1
    return counts
