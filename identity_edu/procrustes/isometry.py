r"""The nearest scaled isometry of a matrix, and what its scale should be.

Orthogonal Procrustes: of all :math:`Q` with :math:`Q^\top Q = \sigma^2 I`, the one
nearest to :math:`K = U S V^\top` is :math:`\sigma U V^\top = \sigma K (K^\top
K)^{-1/2}`. A wide K has no isometry of its shape; there it is :math:`Q Q^\top =
\sigma^2 I`. `iterations` computes the same without an SVD.

====================  ==============  ============================================
symbol                name            meaning
====================  ==============  ============================================
:math:`K`             `K`             a map from c_in to c_out channels,
                                      (c_out, c_in); in general (..., m, n)
:math:`\sigma`        `scale`         every singular value of the isometry
====================  ==============  ============================================

All functions take stacks, and complex matrices too (frequencies of a convolution),
whose adjoint then stands in place of the transpose. Chapter 14.
"""

import math

from identity_edu.backend import array_namespace, as_floating

SEEN = 16  # singular values below this many roundings of the largest are not seen


def nearest_isometry(K, *, scale=1.0):
    r"""Return the scaled isometry nearest to a matrix, by its SVD.

    :math:`\|K - Q\|_F^2 = \|K\|_F^2 + \sigma^2 \min(m, n) - 2 \langle K, Q\rangle`, and
    :math:`\langle K, Q \rangle \le \sigma \sum_i s_i`, with equality at
    :math:`Q = \sigma U V^\top`.

    Parameters
    ----------
    K : array, shape (..., m, n)
        Real or complex.
    scale : float > 0
        :math:`\sigma`.

    Returns
    -------
    array, shape of `K`
        Orthogonal columns of length `scale` if m >= n, rows if m <= n. Where `K` does
        not have full rank, several isometries are nearest, and this is one of them.

    Raises
    ------
    ValueError
        If `K` has no rows or columns or is not finite, or `scale` is not positive and
        finite.

    References
    ----------
    Schönemann (1966).
    """
    xp, K = checked_matrices(K, scale)
    U, _, Vh = xp.linalg.svd(K, full_matrices=False)
    return float(scale) * (U @ Vh)


def whiten(W):
    r"""Whiten a dense layer without turning it: :math:`(W W^\top)^{-1/2} W`.

    White rows, :math:`R R^\top = I`, are had from W by many matrices on its left. The
    symmetric one (zero phase, ZCA) moves W least: the result is
    ``nearest_isometry(W)``, here by an eigenproblem.

    Parameters
    ----------
    W : array, shape (..., r, d)
        Of full rank. With more rows than columns, the columns become white.

    Returns
    -------
    array, shape of `W`

    Raises
    ------
    ValueError
        If the squared condition number of `W` exceeds what rounding leaves visible
        (condition number 2e7, or 7e2 in float32), or `W` is empty or not finite.

    Notes
    -----
    The Gram matrix squares the condition number :math:`\kappa`: the rows are
    orthonormal to :math:`\kappa^2` roundings. For ill-conditioned layers take
    `nearest_isometry`.

    References
    ----------
    Bell & Sejnowski (1997); for the last layer of a net, Zaeemzadeh et al. (2018).
    """
    xp, W = checked_matrices(W)
    if W.shape[-2] > W.shape[-1]:
        return adjoint(whiten(adjoint(W)))
    largest = abs(W).max(axis=(-2, -1), keepdims=True)
    W = W / xp.where(largest > 0, largest, 1)  # squares neither overflow nor vanish
    eigenvalues, V = xp.linalg.eigh(W @ adjoint(W))
    seen = SEEN * float(xp.finfo(W.dtype).eps)
    if not bool((eigenvalues > seen * eigenvalues[..., -1:]).all()):
        below = int((eigenvalues <= seen * eigenvalues[..., -1:]).sum())
        raise ValueError(
            f"W must have full rank, and a condition number below {seen**-0.5:.1e} in "
            f"{W.dtype}; got {below} of {eigenvalues.size} singular values too "
            "small for it."
        )
    return (V / xp.sqrt(eigenvalues)[..., None, :]) @ adjoint(V) @ W


def transition_scale(c_in, c_out):
    r"""Return the scale at which a transition preserves the mean backward norm.

    For g with independent entries of one variance, :math:`E\|K^\top g\|^2 =
    \mathrm{tr}(K K^\top) E\|g\|^2 / c_{out} = \|K\|_F^2 E\|g\|^2 / c_{out}`. A scaled
    isometry has :math:`\|K\|_F^2 = \sigma^2 \min(c_{in}, c_{out})`, so
    :math:`\sigma = \sqrt{c_{out} / c_{in}}` where the channels grow. The price is
    exact: every :math:`\|Kx\|^2` is :math:`\sigma^2 \|x\|^2`.

    Parameters
    ----------
    c_in, c_out : int >= 1
        Channels before and after.

    Returns
    -------
    float
        At least 1. It is 1 where the channels do not grow: :math:`K^\top` is an
        isometry then, and preserves every g.

    Raises
    ------
    ValueError
        If a number of channels is less than 1.

    References
    ----------
    Zaeemzadeh et al. (2021); the derivation is ours.
    """
    if c_in < 1 or c_out < 1:
        raise ValueError(f"channels must be at least 1; got {c_in} and {c_out}.")
    return math.sqrt(c_out / min(c_in, c_out))


def checked_matrices(K, scale=1.0):
    """Return namespace and array, or say why no isometry can be near it.

    Parameters
    ----------
    K : array, shape (..., m, n)
        Real or complex. Integers become float64.
    scale : float

    Returns
    -------
    tuple
        ``(xp, K)``.

    Raises
    ------
    ValueError
        If `K` has no rows or columns or is not finite, or `scale` is not positive and
        finite.
    """
    xp = array_namespace(K)
    K = xp.asarray(K)
    if K.dtype.kind != "c":
        xp, (K,) = as_floating(K)
    if K.ndim < 2 or 0 in K.shape[-2:]:
        raise ValueError(f"a matrix or a stack of them is required; got {K.shape}.")
    if not bool(xp.isfinite(K).all()):
        raise ValueError("every entry must be finite; got NaN or infinity.")
    if not 0 < scale < math.inf:
        raise ValueError(f"scale must be positive and finite; got {scale}.")
    return xp, K


def adjoint(K):
    """Transpose the last two axes, and conjugate.

    Parameters
    ----------
    K : array, shape (..., m, n)

    Returns
    -------
    array, shape (..., n, m)
    """
    return K.swapaxes(-1, -2).conj()
