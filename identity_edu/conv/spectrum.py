r"""The singular values of a convolution, as the linear map of images that it is.

=========================  ========================================================
`operator_matrix`          the map written out, entry by entry; small cases
`circular_singular_values` exact where the image wraps around, at stride 1
`operator_norm`            exact for zeros outside the image, which is what the nets
                           compute, at any stride: Lanczos on :math:`A^\top A`
=========================  ========================================================

Where the image wraps around, shifts commute with the map, so it is a (c_in, c_out)
matrix at each frequency of the discrete Fourier transform. With zeros outside nothing
commutes, and no transform gives the singular values. But images with a frame of
:math:`r = (k - 1)/2` zeros can wrap around without meeting themselves: the map with
zeros is the circular one of size (h + r, w + r), seen from fewer pixels. So its norm is
at most ``circular_norm(W, (h + r, w + r))``. ``circular_norm(W, (h, w))`` is no bound:
it can lie on either side.

Symbols as in `direct`. Chapter 13.
"""

import math

import numpy as np

from identity_edu.backend import as_floating
from identity_edu.conv import direct
from identity_edu.lanczos import extreme_eigenpair

PADDINGS = ("zeros", "circular")
STEPS, ROUNDS = 100, 20  # a round's vectors are kept; the next begins where it ended


def operator_matrix(W, size, *, stride=1, padding="zeros"):
    """Write a convolution of one image as a matrix, entry by entry.

    Parameters
    ----------
    W : array, shape (k, k, c_in, c_out)
        k odd.
    size : tuple of int
        Height and width of the image.
    stride : int >= 1
    padding : {"zeros", "circular"}
        What lies outside the image: zeros as in `direct.conv2d`, or the image again.

    Returns
    -------
    array, shape (ceil(h / stride) ceil(w / stride) c_out, h w c_in)
        ``A @ x.ravel()`` is ``y.ravel()``.

    Raises
    ------
    ValueError
        If `padding` is unknown, or no convolution has such a kernel, size or stride.
    """
    xp, W, (n_rows, n_columns) = _checked(W, size, stride)
    if padding not in PADDINGS:
        required = ", ".join(PADDINGS)
        raise ValueError(f"padding must be one of {required}; got {padding!r}.")
    (h, w), (k, _, c_in, c_out) = size, W.shape
    A = xp.zeros((n_rows, n_columns, c_out, h, w, c_in), dtype=W.dtype)
    for i, j, a, b in np.ndindex(n_rows, n_columns, k, k):
        p, q = stride * i + a - k // 2, stride * j + b - k // 2
        if padding == "circular":
            A[i, j, :, p % h, q % w] += W[a, b].T
        elif 0 <= p < h and 0 <= q < w:
            A[i, j, :, p, q] += W[a, b].T
    return A.reshape(n_rows * n_columns * c_out, -1)


def circular_singular_values(W, size):
    r"""Return the singular values of a convolution of images that wrap around.

    At the frequency (u, v) the map is the matrix :math:`\sum_{a,b} W_{a,b}\,
    e^{2\pi i (ua/h + vb/w)}`, and all of them together have its singular values. (The
    transform gives the conjugates, since the kernel is real.)

    Parameters
    ----------
    W : array, shape (k, k, c_in, c_out)
        k odd; a kernel wider than the image wraps around too.
    size : tuple of int
        Height and width of the image.

    Returns
    -------
    array, shape (h, w, min(c_in, c_out))
        By frequency, each descending. The map's other singular values are zero.

    Raises
    ------
    ValueError
        If no convolution has such a kernel or size.

    References
    ----------
    Sedghi, Gupta & Long (2019).
    """
    xp, W, (h, w) = _checked(W, size, 1)
    wrapped = xp.zeros((h, w, *W.shape[2:]), dtype=W.dtype)
    for a, b in np.ndindex(*W.shape[:2]):
        wrapped[a % h, b % w] += W[a, b]
    half = xp.fft.rfft2(wrapped, axes=(0, 1))
    values = xp.linalg.svd(half, compute_uv=False)
    # The kernel is real: opposite frequencies have conjugate matrices.
    rows, columns = -np.arange(h) % h, np.arange(values.shape[1], w)
    mirrored = values[rows][:, w - columns]
    return xp.concatenate([values, mirrored], axis=1)


def circular_norm(W, size):
    """Return the largest singular value of a convolution of images that wrap around.

    Parameters
    ----------
    W : array, shape (k, k, c_in, c_out)
    size : tuple of int
        Height and width of the image. With (h + r, w + r), r = (k - 1) / 2, this is a
        bound for `operator_norm` at (h, w), whatever the stride.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If no convolution has such a kernel or size.
    """
    return float(circular_singular_values(W, size).max())


def operator_norm(W, size, *, stride=1, start=None, tol=1e-10):
    r"""Return the largest singular value of a convolution with zeros outside the image.

    Lanczos on :math:`A^\top A`, of which `direct` computes both factors.

    Parameters
    ----------
    W : array, shape (k, k, c_in, c_out)
        k odd. Computed in float64, whatever its dtype.
    size : tuple of int
        Height and width of the image.
    stride : int >= 1
    start : array, shape (h, w, c_in), optional
        An image that the map stretches much, if one is known.
    tol : float > 0
        Of Lanczos. Many digits cost few steps more, and they are needed: where the two
        largest are close and the start has little of the first, a residual is small
        long before the first is seen.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If no convolution has such a kernel, size or stride, or if `start` is zero or of
        another shape, or a weight not finite.
    RuntimeError
        If `tol` is not reached.

    Notes
    -----
    Tens of products where the largest singular value stands apart, hundreds where many
    are nearly as large, as for smooth kernels on large images. At most 100 images are
    kept.
    """
    xp, W, _ = _checked(W, size, stride)
    W = W.astype(np.float64)
    scale = float(abs(W).max())
    if not math.isfinite(scale):
        raise ValueError(f"W must be finite; its largest entry is {scale}.")
    if scale == 0:
        return 0.0
    W = W / scale  # so that no square overflows or vanishes
    if start is None:
        start = np.random.default_rng(0).standard_normal((*size, W.shape[2]))
    v = xp.asarray(start, dtype=W.dtype)[None]
    if v.shape[1:] != (*size, W.shape[2]):
        raise ValueError(f"start must be {(*size, W.shape[2])}; got {v.shape[1:]}.")

    def apply(v):
        y = direct.conv2d(v, W, stride=stride)
        return direct.conv2d_input_gradient(y, v, W, stride=stride)

    for _ in range(ROUNDS):
        top = extreme_eigenpair(apply, v, n_steps=STEPS, tol=tol)
        if top.residual <= tol * top.value:
            return scale * math.sqrt(top.value)
        v = top.vector
    raise RuntimeError(
        f"a residual of {tol} of the eigenvalue is required; after "
        f"{ROUNDS * STEPS} steps it is {top.residual / top.value:.1g}."
    )


def _checked(W, size, stride):
    """Return namespace, kernel and output size, or refuse them."""
    xp, (W,) = as_floating(W)
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"size must be two numbers, at least 1; got {size}.")
    if W.ndim != 4 or 0 in W.shape:
        raise ValueError(f"W must be (k, k, c_in, c_out), k odd; got {W.shape}.")
    x = xp.empty((1, *size, W.shape[2]), dtype=W.dtype)
    direct.check_shapes(x, W, stride)
    return xp, W, direct.output_size(x, stride)
