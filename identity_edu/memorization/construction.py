"""The whole net: project, move all points a block at a time, read off the class."""

import math

import numpy as np

from identity_edu.backend import as_floating, to_numpy
from identity_edu.memorization.block import MarginError, memorizing_block
from identity_edu.memorization.width import width_to_try
from identity_edu.nets import Net
from identity_edu.ops import relu
from identity_edu.relu import dense_block, residual_block


def memorize(X, labels, *, n_classes, width, rng):
    """Build a net whose output at every example is the unit vector of its label.

    Parameters
    ----------
    X : array, shape (n, d)
        Best of one length (`unit_rows`). Rows may be equal where their labels agree.
    labels : int array, shape (n,)
        From 0 to ``n_classes - 1``.
    n_classes : int >= 1
    width : int >= 1
        The width k of the net; `sufficient_width` tells what is enough.
    rng : numpy.random.Generator
        Draws the projection and the surrogate vectors.

    Returns
    -------
    tuple
        ``(net, margin)``: a net for `identity_edu.relu`, and the smallest margin of a
        point in the block that moves it (infinite for a single point).

    Raises
    ------
    ValueError
        If a shape or a number does not fit; if equal rows have different labels (the
        message gives their indices); or if a margin fails at this width (the message
        gives the pair, the margin, and the width to try).

    Notes
    -----
    About 2 n^2 k flops. Memory for the net, 2 n k numbers, and for the projected
    points, n k; no array of n x n is formed.

    References
    ----------
    Hardt & Ma (2017), Theorem 3.2, with a threshold for each row instead of one for
    all (see the book's page of corrections).
    """
    xp, (X,) = as_floating(X)
    labels = to_numpy(labels)
    _check_sample(xp, X, labels, n_classes, width)
    distinct = _first_occurrences(to_numpy(X), labels)
    A_0 = xp.asarray(random_projection(rng, X.shape[1], width), dtype=X.dtype)
    q = xp.asarray(surrogate_labels(rng, n_classes, width), dtype=X.dtype)
    readout = _readout(xp, q)
    H = (X @ A_0.T)[xp.asarray(distinct)]
    targets = q[xp.asarray(labels[distinct])]

    blocks, params = [dense_block("input", bias=False)], {"input.W": A_0}
    margin = math.inf
    try:
        for i, block in enumerate(_moving_blocks(H, targets, width)):
            _append(blocks, params, f"blocks.{i}", block)
            margin = min(margin, float(block.margins.min()))
    except MarginError as error:
        raise ValueError(_advice(error, X, distinct, n_classes, width)) from None
    _append(blocks, params, "output", readout)
    return Net(tuple(blocks), params), margin


def random_projection(rng, d, k):
    r"""Draw a linear map to R^k that keeps lengths and angles, about or exactly.

    For k < d the entries are :math:`N(0, 1/k)`, so that the squared length of an image
    is right on average. For k >= d nothing need be lost: the columns are orthonormal.

    Parameters
    ----------
    rng : numpy.random.Generator
    d, k : int >= 1

    Returns
    -------
    array, shape (k, d)

    References
    ----------
    Hardt & Ma (2017), section 3, where the entries are printed as N(0, 1), which makes
    every image :math:`\sqrt k` times too long (see the book's page of corrections).
    """
    A_0 = rng.standard_normal((k, d))
    return A_0 / math.sqrt(k) if k < d else np.linalg.qr(A_0)[0]


def surrogate_labels(rng, n_classes, k):
    """Draw one random unit vector of R^k for each class.

    Parameters
    ----------
    rng : numpy.random.Generator
    n_classes, k : int >= 1

    Returns
    -------
    array, shape (n_classes, k)
        Rows of length 1, uniform on the sphere.

    References
    ----------
    Hardt & Ma (2017), section 3.
    """
    return unit_rows(rng.standard_normal((n_classes, k)))


def unit_rows(X):
    """Scale every row to length 1.

    Parameters
    ----------
    X : array, shape (n, d)

    Returns
    -------
    array, shape (n, d)

    Raises
    ------
    ValueError
        If a row is zero; the message gives its index.
    """
    xp, (X,) = as_floating(X)
    lengths = xp.linalg.norm(X, axis=1, keepdims=True)
    if not bool((lengths > 0).all()):
        raise ValueError(f"row {int(lengths[:, 0].argmin())} must not be zero.")
    return X / lengths


def _readout(xp, q):
    """Build the last block: it takes surrogate vector j to the unit vector e_j."""
    try:
        targets = xp.eye(len(q), dtype=q.dtype)
        return memorizing_block(q, np.arange(len(q)), targets)
    except MarginError as error:
        raise ValueError(
            f"the surrogate vectors of all {len(q)} classes must differ; in R^"
            f"{q.shape[1]}, those of {error.pair[0]} and {error.pair[1]} do not: try "
            f"width {2 * q.shape[1]}."
        ) from None


def _moving_blocks(H, targets, width):
    """Yield block after block; `H` becomes what the points are behind each."""
    for start in range(0, len(H), width):
        stop = min(start + width, len(H))
        block = memorizing_block(H, np.arange(start, stop), targets[start:stop])
        yield block
        # The margins just measured say that it adds exactly 0 to all other points.
        scores = relu(H[start:stop] @ block.U.T + block.s)
        H[start:stop] += scores @ block.V.T


def _append(blocks, params, name, block):
    """Add one memorizing block to a net under construction."""
    n_out, _ = block.V.shape
    blocks.append(residual_block(name, block.U.shape[1], n_out))
    params |= {f"{name}.U": block.U, f"{name}.s": block.s, f"{name}.V": block.V}


def _first_occurrences(X, labels):
    """Return the index of each distinct row's first occurrence, in order."""
    distinct, seen = [], {}
    for j, row in enumerate(X):
        # Adding 0.0 makes -0.0 and 0.0 the same bytes. Hashes of different rows may
        # agree; then both rows are kept, and the margin has the last word.
        i = seen.setdefault(hash((row + 0.0).tobytes()), j)
        if i == j or not np.array_equal(X[i], row):
            distinct.append(j)
        elif labels[i] != labels[j]:
            raise ValueError(
                f"equal examples must have equal labels; examples {i} and {j} are "
                f"equal and have labels {labels[i]} and {labels[j]}."
            )
    return np.array(distinct)


def _advice(error, X, distinct, n_classes, width):
    """Say which examples are too close, by how much, and what would help."""
    i, j = (int(distinct[index]) for index in error.pair)
    is_moved = error.pair[1] < error.pair[0] // width * width
    rival = None if is_moved else to_numpy(X[j])
    wider = width_to_try(to_numpy(X[i]), rival, len(distinct), n_classes, width)
    remedy = (
        f"Try width={wider}."
        if wider
        else "No width helps, because they are as close before the projection: scale "
        "the inputs to one length (unit_rows)."
    )
    return (
        f"at width {width}, example {i} must stand out from example {j}"
        f"{', moved to its class already,' if is_moved else ''} by a margin above "
        f"{error.required:.1e} of its squared norm; the margin is {error.margin:.3g}. "
        f"{remedy}"
    )


def _check_sample(xp, X, labels, n_classes, width):
    """Refuse what is no sample of labelled examples."""
    if X.ndim != 2 or labels.shape != X.shape[:1] or len(labels) == 0:
        got = f"{X.shape} and {labels.shape}"
        raise ValueError(f"X and labels must be (n, d) and (n,), n >= 1; got {got}.")
    if n_classes < 1 or width < 1:
        got = f"{n_classes} and {width}"
        raise ValueError(f"n_classes and width must be at least 1; got {got}.")
    in_range = labels.dtype.kind in "iu" and 0 <= labels.min() <= labels.max()
    if not in_range or labels.max() >= n_classes:
        raise ValueError(
            f"labels must be integers from 0 to {n_classes - 1}; got {labels.dtype} "
            f"from {labels.min()} to {labels.max()}."
        )
    if not bool(xp.isfinite(X).all()):
        raise ValueError("X must be finite; it holds NaN or infinity.")
