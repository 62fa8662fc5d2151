r"""Linear algebra that near-identity layers need, without losing digits.

A layer is :math:`I + A` with a small :math:`A`. Whatever is computed here is the
small part: forming :math:`I + A` first and subtracting :math:`I` afterwards would
throw away its leading digits.

The central piece is the :math:`q`-th root of a rotation. With
:math:`C = (Q + Q^\top)/2` and :math:`K = (Q - Q^\top)/2`, which commute, a rotation
by :math:`\theta` in a plane acts there as :math:`C = \cos\theta` and
:math:`K = \sin\theta\,J`. So :math:`Q^{1/q} = \cos(\theta/q) +
\frac{\sin(\theta/q)}{\sin\theta} K`: one symmetric eigenproblem gives every angle,
and no plane has to be found. Only near half turns, where :math:`\sin\theta` vanishes
and the planes are not determined, are they built one by one.

Used in chapter 05 and in the appendix on linear algebra.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from identity_edu.backend import as_floating

NEAR_HALF_TURN = (0.80 * np.pi, 0.95 * np.pi)  # cut somewhere here, see _gap
SMALL_ANGLE = 0.1  # below it, the largest sine is measured as a norm
SEEN = 50  # sines below this many roundings (times d) of the largest are not seen
NO_LONGER_SMALL = 0.1  # entries above this: adding the identity costs nothing


def spectral_norm(A):
    """Return the largest singular value of each matrix in a stack.

    Parameters
    ----------
    A : array, shape (..., m, n)

    Returns
    -------
    array, shape (...)
        A scalar array for a single matrix.
    """
    xp, (A,) = as_floating(A)
    return xp.linalg.svd(A, compute_uv=False)[..., 0]


def compose_minus_identity(B, A):
    r"""Return :math:`(I + B)(I + A) - I = A + B + BA`, with the digits of small parts.

    Parameters
    ----------
    B, A : array, shape (d, d)

    Returns
    -------
    array, shape (d, d)
    """
    return A + B + B @ A


def layer_power(A, exponent):
    r"""Return :math:`(I + A)^n` without losing the digits of a small part.

    Parameters
    ----------
    A : array, shape (d, d)
    exponent : int >= 0
        The power :math:`n`.

    Returns
    -------
    array, shape (d, d)

    Raises
    ------
    ValueError
        If `exponent` is negative.

    Notes
    -----
    About :math:`4 d^3 \log_2 n` flops. Repeated squaring acts on the small part,
    :math:`(I + A)^2 = I + (2A + A^2)`, until it is no longer small. Adding the
    identity first would cost half of the digits at a million layers.
    """
    if exponent < 0:
        raise ValueError(f"exponent must be at least 0; got {exponent}.")
    xp, (A,) = as_floating(A)
    eye = xp.eye(A.shape[0], dtype=A.dtype)
    if exponent <= 1 or float(abs(A).max()) > NO_LONGER_SMALL:
        return xp.linalg.matrix_power(eye + A, exponent)
    power = layer_power(compose_minus_identity(A, A), exponent // 2)
    return power + power @ A if exponent % 2 else power


@dataclass(frozen=True)
class Rotation:
    """A rotation taken apart, ready for any root.

    The first three fields hold the invariant subspace away from half turns, the
    last three the planes that turn by nearly (or exactly) pi.

    Attributes
    ----------
    V : array, shape (d, m)
        Orthonormal eigenvectors of the symmetric part.
    VtK : array, shape (m, d)
        ``V.T`` times the skew part.
    theta : array, shape (m,)
        Angles in radians, in [0, 0.95 pi), one for each column of `V`.
    a, b : array, shape (d, k)
        Orthonormal bases of the k planes that turn by nearly pi.
    phi : array, shape (k,)
        Their angles in radians, in (-pi, pi]: ``a`` turns towards ``b``.
    """

    V: Any
    VtK: Any
    theta: Any
    a: Any
    b: Any
    phi: Any

    @property
    def max_angle(self):
        """Largest angle in radians, in [0, pi], as a float."""
        angles = [float(abs(x).max()) for x in (self.theta, self.phi) if x.size]
        if max(angles) > SMALL_ANGLE:
            return min(max(angles), math.pi)  # pi in float32 exceeds pi
        # Cosines near 1 hardly tell angles apart, so the columns of V mix directions,
        # and none of them may show the largest angle. The skew part still does.
        return math.asin(float(spectral_norm(self.VtK)))


def rotation_angles(Q):
    r"""Take a rotation apart into angles and invariant subspaces.

    Parameters
    ----------
    Q : array, shape (d, d)
        Orthogonal, determinant +1.

    Returns
    -------
    Rotation

    Raises
    ------
    ValueError
        If an odd number of eigenvalues is -1, that is, det Q = -1: such a map
        is no rotation, and has no real root that is close to the identity.

    Notes
    -----
    One real symmetric eigenproblem and two products of size d: about half of the
    time of an SVD, and up to 2.5 of them when all angles are near a half turn, where
    a complex eigenproblem is needed. Angles come from ``arctan2`` of sine and cosine:
    small ones keep all their digits, which ``arccos`` would lose.
    """
    xp, (Q,) = as_floating(Q)
    cosine, V = xp.linalg.eigh((Q + Q.T) / 2)
    VtK = V.T @ ((Q - Q.T) / 2)
    theta = xp.arctan2(xp.linalg.norm(VtK, axis=1), cosine)
    far = theta > _gap(xp, theta)

    N = V[:, far]
    a, b, phi = _half_turn_planes(xp, N.T @ Q @ N)
    return Rotation(V[:, ~far], VtK[~far], theta[~far], N @ a, N @ b, phi)


def _gap(xp, theta):
    """Middle of the widest empty interval of angles near a half turn.

    The two invariant subspaces are separated as well as that interval is wide.
    """
    low, high = NEAR_HALF_TURN
    inside = xp.sort(theta[(theta > low) & (theta < high)])
    edges = xp.concatenate([xp.asarray([low]), inside, xp.asarray([high])])
    widest = int(xp.argmax(xp.diff(edges)))
    return (edges[widest] + edges[widest + 1]) / 2


def _half_turn_planes(xp, Q):
    """Split a rotation whose angles are all near pi into planes (a, b) and angles."""
    m = Q.shape[0]
    if m % 2:
        raise ValueError(
            "a rotation (det = +1) is required; got an orthogonal matrix with an odd "
            "number of eigenvalues -1, so its determinant is -1."
        )
    basis = xp.eye(m, dtype=Q.dtype)
    n_found, new = 0, m
    while new and n_found < m:
        new, turned = _separate_planes(xp, basis[:, n_found:], Q)
        basis = xp.concatenate([basis[:, :n_found], turned], axis=1)
        n_found += new
    # Whatever is left turns by exactly pi, and there any planes serve.
    a, b = basis[:, 0::2], basis[:, 1::2]
    return a, b, xp.arctan2((b * (Q @ a)).sum(0), (a * (Q @ a)).sum(0))


def _separate_planes(xp, rest, Q):
    """Turn a basis so that the planes whose sine is seen at its scale come first.

    Sines far below the largest one drown in its rounding: they are found in another
    round, on the complement, where they are the largest.
    """
    K = rest.T @ ((Q - Q.T) / 2) @ rest
    sine, U = xp.linalg.eigh(1j * K)
    eps, m = xp.finfo(Q.dtype).eps, len(K)
    U = U[:, sine > max(SEEN * m * eps * float(abs(K).max()), 2 * eps)]
    if not U.shape[1]:
        return 0, rest
    pairs = xp.stack([U.real, U.imag], axis=-1).reshape(m, -1)
    # Complete QR: the pairs first, straightened where rounding bent them.
    return pairs.shape[1], rest @ xp.linalg.qr(pairs, mode="complete")[0]


def rotation_root_minus_identity(rotation, q):
    r"""Return :math:`Q^{1/q} - I` for a rotation that has been taken apart.

    Each plane turns by :math:`\theta/q`, so the result has spectral norm
    :math:`2 \sin(\theta_{\max}/2q)`.

    Parameters
    ----------
    rotation : Rotation
        From `rotation_angles`.
    q : int >= 1
        Which root.

    Returns
    -------
    array, shape (d, d)

    Raises
    ------
    ValueError
        If `q` is less than 1.

    References
    ----------
    Hardt & Ma (2017), Claim A.1; the exact norm replaces their :math:`\pi/q`.
    """
    if q < 1:
        raise ValueError(f"the root must be at least the first; got q = {q}.")
    xp, (V, VtK, theta, a, b, phi) = as_floating(*vars(rotation).values())
    cosine_minus_1 = -2.0 * xp.sin(theta / (2 * q)) ** 2
    sine_ratio = xp.sinc(theta / (q * np.pi)) / (q * xp.sinc(theta / np.pi))
    root = V @ (cosine_minus_1[:, None] * V.T + sine_ratio[:, None] * VtK)

    cosine_minus_1, sine = -2.0 * xp.sin(phi / (2 * q)) ** 2, xp.sin(phi / q)
    moved_a, moved_b = cosine_minus_1 * a + sine * b, cosine_minus_1 * b - sine * a
    return root + moved_a @ a.T + moved_b @ b.T
