r"""Kernels that preserve norms: projection at every frequency, back to k x k taps.

On a circle of pixels a convolution acts on each frequency by itself, as the matrix
:math:`A_f = \sum_a e^{2\pi i \langle f, a\rangle} K_a`. It is a scaled isometry if and
only if every :math:`A_f` is one, all with the same scale. The nearest such maps have
taps all over the image; cutting those off again, and projecting again, alternates
between two sets. Chapter 14.

Symbols: `W` is (k, k, c_in, c_out), and its tap :math:`K_a` is ``W[a].T``; `A` holds
the conjugate transposes of :math:`A_f` for half of the frequencies, which determine the
rest because W is real. `size` is (height, width).
"""

from itertools import islice

from identity_edu.backend import as_floating
from identity_edu.conv.spectrum import circular_singular_values
from identity_edu.procrustes.isometry import nearest_isometry, transition_scale

GRID = (0, 1)  # axes of the taps, and of the frequencies


def project_kernel(W, size, *, scale=None, n_rounds=1):
    """Bring a kernel nearer to the convolutions that preserve norms.

    Parameters
    ----------
    W : array, shape (k, k, c_in, c_out)
        k odd.
    size : tuple of int
        Height and width of the image, each at least k. For a 1 x 1 kernel it does not
        matter, and neither does its stride.
    scale : float > 0, optional
        Singular value to reach; unless given, `transition_scale`.
    n_rounds : int >= 1
        Of `alternating_projection`. A 1 x 1 kernel is done after the first.

    Returns
    -------
    array, shape of `W`
        For k > 1 only near to an isometry: `spread` says how near.

    Raises
    ------
    ValueError
        If a shape, `scale` or `n_rounds` is out of range, or `W` is not finite.

    Notes
    -----
    Singular values are those of the convolution at stride 1 on a circle of pixels, as
    `identity_edu.conv.spectrum.circular_singular_values` returns them.
    """
    if n_rounds < 1:
        raise ValueError(f"n_rounds must be at least 1; got {n_rounds}.")
    rounds = alternating_projection(W, size, scale=scale)
    return next(islice(rounds, n_rounds - 1, None))


def alternating_projection(W, size, *, scale=None):
    r"""Alternate between isometries at every frequency and kernels of k x k taps.

    Parameters
    ----------
    W : array, shape (k, k, c_in, c_out)
        k odd.
    size : tuple of int
        Height and width of the image, each at least k.
    scale : float > 0, optional
        Unless given, `transition_scale`.

    Returns
    -------
    iterator of array, shape of `W`
        The kernel after each round, without end.

    Raises
    ------
    ValueError
        If a shape is out of range or `W` is not finite; at the first round, if `scale`
        is out of range.

    Notes
    -----
    A round never moves a kernel away from the isometries. The convolution is one if
    and only if :math:`\sum_a K_a^\top K_{a+d} = \sigma^2 [d = 0]` for every shift d, of
    which only :math:`|d_i| < k` matter: an isometry on one image of at least
    (2k - 1) x (2k - 1) pixels is one on every larger image, and a small `size` serves
    as well as the true one, at a fraction of the cost.

    Exact solutions always exist (one tap alone), and many do if c_out >= k^2 c_in:
    taps with orthogonal ranges have :math:`K_a^\top K_b = 0` for a != b. Measured from
    Gaussian starts with k = 3: from 1 to 16 or 3 to 64 channels the spread falls by a
    constant factor a round and is below .06 after 10; from 32 to 64 it falls like
    n^-0.75 and takes 40. Where c_in = c_out, :math:`\det A_f` is a complex function of
    two frequencies and vanishes at points, which only go in pairs: from Gaussian starts
    the spread stays above .4. Near an orthogonal tap (0.3 of a Gaussian kernel added)
    there are none, and one round takes it below .05.

    References
    ----------
    Zaeemzadeh et al. (2021), in their published code one round at a time.
    """
    xp, W = _checked(W, size)
    scale = transition_scale(*W.shape[2:]) if scale is None else scale
    return _rounds(xp, W, size, scale)


def spread(W, size):
    """Return how far the singular values of a convolution lie from their mean.

    Parameters
    ----------
    W : array, shape (k, k, c_in, c_out)
        k odd.
    size : tuple of int
        Height and width of the image, each at least k; circular padding, stride 1.

    Returns
    -------
    float
        The largest ``|s / mean - 1|``: 0 for a scaled isometry, 0.05 if all singular
        values are within 5 % of their mean.

    Raises
    ------
    ValueError
        If a shape is out of range, or `W` is zero or not finite.
    """
    _, W = _checked(W, size)
    s = circular_singular_values(W, size)
    mean = float(s.mean())
    if mean == 0:
        raise ValueError("W must have an entry that is not zero; got zeros alone.")
    return float(abs(s - mean).max()) / mean


def _rounds(xp, W, size, scale):
    """Yield the kernel after each round."""
    while True:
        if len(W) == 1:  # one matrix at all frequencies
            W = nearest_isometry(W, scale=scale)
        else:
            A = nearest_isometry(xp.fft.rfft2(W, s=size, axes=GRID), scale=scale)
            full = xp.fft.irfft2(A, s=size, axes=GRID)
            W = xp.ascontiguousarray(full[: len(W), : len(W)])
        yield W


def _checked(W, size):
    """Return namespace and kernel, or refuse them with the image."""
    xp, (W,) = as_floating(W)
    if W.ndim != 4 or W.shape[0] != W.shape[1] or len(W) % 2 == 0 or 0 in W.shape:
        raise ValueError(f"W must be (k, k, c_in, c_out), k odd; got {W.shape}.")
    if len(size) != 2 or min(size) < len(W):
        raise ValueError(
            f"size must be height and width, each at least {len(W)}; got {size}."
        )
    if not bool(xp.isfinite(W).all()):
        raise ValueError("W must be finite; got NaN or infinity.")
    return xp, W
