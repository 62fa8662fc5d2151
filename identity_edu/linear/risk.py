"""The map, the risk, its gradient, and the bound on how flat it can be."""

from identity_edu.backend import as_floating
from identity_edu.data import sample_regression
from identity_edu.linalg import spectral_norm


def network_map(A):
    r"""Multiply the layers out, :math:`(I + A_\ell) \cdots (I + A_1)`.

    Parameters
    ----------
    A : array, shape (l, d, d)
        Residual matrices; ``A[0]`` is applied to the input first.

    Returns
    -------
    array, shape (d, d)

    Raises
    ------
    ValueError
        If `A` is not a stack of square matrices.
    """
    xp, (A,) = as_floating(A)
    _check_layers(A)
    product = xp.eye(A.shape[1], dtype=A.dtype)
    for A_i in A:
        product = product + A_i @ product
    return product


def excess_risk(A, R, Sigma):
    r"""Return the population risk above the noise floor.

    :math:`f(A) - C = \|E \Sigma^{1/2}\|_F^2 = \mathrm{tr}(E \Sigma E^\top)` with
    :math:`E` the network's map minus :math:`R`.

    Parameters
    ----------
    A : array, shape (l, d, d)
        Residual matrices; ``A[0]`` is applied to the input first.
    R, Sigma : array, shape (d, d)
        Target map, and second moment of the input (symmetric positive semi-definite).

    Returns
    -------
    float
        At least 0 up to rounding, in squared units of the output. A scalar array on
        a GPU, so that no transfer happens inside a training loop.

    Raises
    ------
    ValueError
        If the trailing shapes of `A`, `R` and `Sigma` are not all ``(d, d)``.

    References
    ----------
    Hardt & Ma (2017), Claim 2.3.
    """
    xp, (A, R, Sigma) = as_floating(A, R, Sigma)
    _check_problem(A, R, Sigma)
    E = network_map(A) - R
    return xp.sum((E @ Sigma) * E)


def excess_risk_gradient(A, R, Sigma):
    r"""Differentiate the excess risk of a linear residual net in every layer.

    With the prefix products :math:`P_i = (I + A_i) \cdots (I + A_1)` and the error
    :math:`E = P_\ell - R`, one backward sweep carries
    :math:`\Delta_\ell = 2 E \Sigma`, :math:`\Delta_{i-1} = (I + A_i)^\top \Delta_i`
    and reads off :math:`\partial f / \partial A_i = \Delta_i P_{i-1}^\top`.

    Parameters
    ----------
    A : array, shape (l, d, d)
        Residual matrices; ``A[0]`` is applied to the input first.
    R, Sigma : array, shape (d, d)
        Target map, and second moment of the input (symmetric positive semi-definite).

    Returns
    -------
    array, shape (l, d, d)
        ``grad[i]`` is the gradient with respect to ``A[i]``.

    Raises
    ------
    ValueError
        If the trailing shapes of `A`, `R` and `Sigma` are not all ``(d, d)``.

    Notes
    -----
    About :math:`6 \ell d^3` flops, three times the forward product, and memory for
    :math:`2 \ell` matrices.

    References
    ----------
    Hardt & Ma (2017), Lemma 2.4, with the two runs of transposed factors in the
    order that the derivation gives (see the book's page of corrections).
    """
    xp, (A, R, Sigma) = as_floating(A, R, Sigma)
    _check_problem(A, R, Sigma)
    prefix = [xp.eye(A.shape[1], dtype=A.dtype)]
    for A_i in A:
        prefix.append(prefix[-1] + A_i @ prefix[-1])

    delta = 2.0 * (prefix[-1] - R) @ Sigma
    grad = xp.empty_like(A)
    for i in reversed(range(len(A))):
        grad[i] = delta @ prefix[i].T
        # The identity path lets delta through unchanged.
        delta = delta + A[i].T @ delta
    return grad


def max_spectral_norm(A):
    r"""Return :math:`|||A||| = \max_i \|A_i\|_2`, the norm of the largest layer.

    Parameters
    ----------
    A : array, shape (l, d, d)

    Returns
    -------
    float
        A scalar array on a GPU.

    Raises
    ------
    ValueError
        If `A` is not a stack of square matrices.
    """
    _, (A,) = as_floating(A)
    _check_layers(A)
    return spectral_norm(A).max()


def gradient_norm_bound(A, R, Sigma):
    r"""Return a lower bound on the squared norm of the gradient at `A`.

    :math:`4 \ell (1 - \tau)^{2(\ell - 1)} \sigma_{\min}(\Sigma) (f(A) - C)` at
    :math:`\tau = |||A|||`. No layer :math:`I + A_i` shrinks a vector to less than
    :math:`1 - \tau` of its length, so no layer can hide the error from another.

    Parameters
    ----------
    A : array, shape (l, d, d)
    R, Sigma : array, shape (d, d)
        Target map and second moment of the input.

    Returns
    -------
    float
        At least 0; exactly 0 where :math:`\tau \ge 1` and :math:`\ell \ge 2`,
        where the theorem promises nothing. With one layer, every :math:`\tau` is
        allowed.

    Raises
    ------
    ValueError
        If the trailing shapes of `A`, `R` and `Sigma` are not all ``(d, d)``.

    References
    ----------
    Hardt & Ma (2018), inequality (2.3), in its corrected form: exponent
    :math:`2(\ell - 1)`, first power of :math:`\sigma_{\min}(\Sigma)`.
    """
    xp, (A, R, Sigma) = as_floating(A, R, Sigma)
    risk = excess_risk(A, R, Sigma)
    n_layers = len(A)
    shrink = xp.maximum(1.0 - max_spectral_norm(A), 0.0)
    sigma_min = xp.maximum(xp.linalg.eigvalsh(Sigma)[0], 0.0)
    return 4.0 * n_layers * shrink ** (2 * n_layers - 2) * sigma_min * risk


def population_risk_sample(A, R, Sigma, n, rng):
    """Estimate the population risk, noise included, from fresh examples.

    Parameters
    ----------
    A : array, shape (l, d, d)
    R, Sigma : array, shape (d, d)
        Target map and second moment of the input.
    n : int >= 2
        Number of examples.
    rng : numpy.random.Generator

    Returns
    -------
    tuple of float
        ``(mean, standard_error)`` of the squared loss over the sample. By
        Claim 2.3 the mean estimates ``excess_risk(A, R, Sigma) + d``.

    Raises
    ------
    ValueError
        If the shapes do not fit, or `n` is less than 2.

    References
    ----------
    Hardt & Ma (2017), Claim 2.3.
    """
    xp, (A, R, Sigma) = as_floating(A, R, Sigma)
    _check_problem(A, R, Sigma)
    if n < 2:
        raise ValueError(f"a standard error needs n of at least 2; got {n}.")
    X, Y = sample_regression(R, Sigma, n, rng)
    # Papers map columns, Px; examples are rows here, so the same map is X P^T.
    losses = xp.sum((X @ network_map(A).T - Y) ** 2, axis=1)
    return float(losses.mean()), float(losses.std(ddof=1)) / n**0.5


def _check_layers(A):
    """Refuse anything but a stack of square matrices."""
    if A.ndim != 3 or A.shape[0] < 1 or A.shape[1] != A.shape[2]:
        raise ValueError(
            f"A must hold at least one square layer, shape (l, d, d); got {A.shape}."
        )


def _check_problem(A, R, Sigma):
    """Refuse layers, target and moment that do not fit together."""
    _check_layers(A)
    if not A.shape[1:] == R.shape == Sigma.shape:
        got = f"{A.shape[1:]}, {R.shape}, {Sigma.shape}"
        raise ValueError(f"each layer of A, R and Sigma must be (d, d); got {got}.")
