r"""The pieces of a network, each function beside its hand-written derivative.

``f(X, ...)`` maps a batch of rows, and ``f_backward(grad_Y, X, ...)`` takes the
gradient of a loss with respect to the output of `f` and returns the gradients with
respect to its arguments, in their order. It needs the arguments again and nothing
else, so a cache is a list of inputs. A loss comes last, so its backward function takes
its arguments alone. Chapter 02 derives every line.

Papers write :math:`y = Wx + b` for a column; examples are rows here, so the same map
is ``X @ W.T + b``.
"""

from identity_edu.backend import as_floating


def dense(X, W, b=None):
    """Apply one affine map to every row.

    Parameters
    ----------
    X : array, shape (n, d)
    W : array, shape (r, d)
    b : array, shape (r,), optional

    Returns
    -------
    array, shape (n, r)

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """
    _check_dense(X, W, b)
    return X @ W.T if b is None else X @ W.T + b


def dense_backward(grad_Y, X, W, b=None):
    r"""Carry a gradient back through `dense`.

    Row by row :math:`y = Wx + b`, so :math:`\partial/\partial x = W^\top \delta`, and
    :math:`\partial/\partial W = \delta x^\top` summed over the rows.

    Parameters
    ----------
    grad_Y : array, shape (n, r)
        Gradient of the loss with respect to the output.
    X, W, b : array
        As they were given to `dense`.

    Returns
    -------
    tuple of array
        ``(grad_X, grad_W)``, and ``grad_b`` after them if there is a `b`.

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """
    _check_dense(X, W, b)
    if grad_Y.shape != (len(X), len(W)):
        raise ValueError(f"grad_Y must be {len(X), len(W)}; got {grad_Y.shape}.")
    grads = grad_Y @ W, grad_Y.T @ X
    return grads if b is None else (*grads, grad_Y.sum(axis=0))


def relu(X):
    """Replace negative entries by zero.

    Parameters
    ----------
    X : array

    Returns
    -------
    array, shape of `X`
    """
    xp, (X,) = as_floating(X)
    return xp.maximum(X, 0)


def relu_backward(grad_Y, X):
    """Carry a gradient back through `relu`: it passes where the input was positive.

    At the kink, 0, the slope is taken to be 0.

    Parameters
    ----------
    grad_Y, X : array, same shape

    Returns
    -------
    array, shape of `X`
    """
    return grad_Y * (X > 0)


def resize(X, width):
    """Fit rows to a width: append zeros, or keep the first entries.

    This is the skip of a block that changes width. No parameter is learned.

    Parameters
    ----------
    X : array, shape (n, d)
    width : int >= 1

    Returns
    -------
    array, shape (n, width)
        A copy, also where `width` is d.

    References
    ----------
    Hardt & Ma (2017), section 4: "zero-padded" skips.
    """
    xp, (X,) = as_floating(X)
    Y = xp.zeros((len(X), width), dtype=X.dtype)
    kept = min(width, X.shape[1])
    Y[:, :kept] = X[:, :kept]
    return Y


def resize_backward(grad_Y, X):
    """Carry a gradient back through `resize`, which is its own kind of adjoint.

    What was appended is cut off again; what was cut off gets gradient zero.

    Parameters
    ----------
    grad_Y : array, shape (n, width)
    X : array, shape (n, d)

    Returns
    -------
    array, shape (n, d)
    """
    return resize(grad_Y, X.shape[1])


def squared_loss(Y_hat, Y):
    r"""Return the mean over the rows of :math:`\|\hat y - y\|^2`.

    Parameters
    ----------
    Y_hat, Y : array, shape (n, r)
        Predictions and targets.

    Returns
    -------
    float
        At least 0. A scalar array on a GPU.

    Raises
    ------
    ValueError
        If the shapes differ (broadcasting would hide it) or there is no row.
    """
    xp, (Y_hat, Y) = as_floating(Y_hat, Y)
    _check_targets(Y_hat, Y)
    return xp.sum((Y_hat - Y) ** 2) / len(Y)


def squared_loss_backward(Y_hat, Y):
    """Differentiate `squared_loss` with respect to the predictions.

    Parameters
    ----------
    Y_hat, Y : array, shape (n, r)

    Returns
    -------
    array, shape (n, r)

    Raises
    ------
    ValueError
        If the shapes differ or there is no row.
    """
    _, (Y_hat, Y) = as_floating(Y_hat, Y)
    _check_targets(Y_hat, Y)
    return (2.0 / len(Y)) * (Y_hat - Y)


def softmax(scores):
    """Turn each row of scores into probabilities.

    Parameters
    ----------
    scores : array, shape (n, r)

    Returns
    -------
    array, shape (n, r)
        Positive up to underflow; each row sums to 1.
    """
    xp, (scores,) = as_floating(scores)
    # Only differences of scores matter; the largest becomes 0, so exp cannot overflow.
    weights = xp.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def softmax_cross_entropy(scores, labels):
    r"""Return the mean of :math:`-\log p(\text{label})` under the softmax, in nats.

    Parameters
    ----------
    scores : array, shape (n, r)
    labels : int array, shape (n,)
        Each from 0 to r - 1.

    Returns
    -------
    float
        At least 0; log r where all scores are equal. A scalar array on a GPU.

    Raises
    ------
    ValueError
        If `labels` has another shape or type, or there is no row.
    """
    xp, (scores,) = as_floating(scores)
    _check_labels(scores, labels)
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_total = xp.log(xp.exp(shifted).sum(axis=1))
    return (log_total - shifted[xp.arange(len(labels)), labels]).mean()


def softmax_cross_entropy_backward(scores, labels):
    r"""Differentiate `softmax_cross_entropy`: :math:`(p - e_{\text{label}}) / n`.

    Parameters
    ----------
    scores : array, shape (n, r)
    labels : int array, shape (n,)

    Returns
    -------
    array, shape (n, r)
        Each row sums to 0 up to rounding.

    Raises
    ------
    ValueError
        If `labels` has another shape or type, or there is no row.
    """
    xp, (scores,) = as_floating(scores)
    _check_labels(scores, labels)
    grad = softmax(scores)
    grad[xp.arange(len(labels)), labels] -= 1.0
    return grad / len(labels)


def _check_dense(X, W, b):
    """Refuse shapes that do not fit, or that would broadcast to something else."""
    fits = X.ndim == 2 and W.ndim == 2 and X.shape[1] == W.shape[1]
    if not fits or (b is not None and b.shape != W.shape[:1]):
        got = f"{X.shape}, {W.shape}" + ("" if b is None else f", {b.shape}")
        raise ValueError(f"X, W, b must be (n, d), (r, d), (r,); got {got}.")


def _check_targets(Y_hat, Y):
    """Refuse predictions and targets that differ in shape."""
    if Y_hat.shape != Y.shape or Y.ndim != 2 or len(Y) == 0:
        got = f"{Y_hat.shape} and {Y.shape}"
        raise ValueError(f"Y_hat and Y must both be (n, r), n at least 1; got {got}.")


def _check_labels(scores, labels):
    """Refuse labels that are no integers, or not one for each row."""
    fits = scores.ndim == 2 and labels.shape == scores.shape[:1] and len(labels) > 0
    if not fits or labels.dtype.kind not in "iu":
        got = f"scores {scores.shape}, labels {labels.shape} of {labels.dtype}"
        raise ValueError(f"one integer label for each row is required; got {got}.")
