"""The norm of every example's state and gradient, from block to block."""

from identity_edu.backend import as_floating
from identity_edu.nets import backward_sweep, block_states, forward


def forward_norms(net, X):
    """Return the norm of every example as it enters each block and leaves the last.

    Parameters
    ----------
    net : Net
    X : array, shape (n, ...)

    Returns
    -------
    array, shape (n_blocks + 1, n)
        Euclidean norms over all entries of one example.

    Raises
    ------
    TypeError
        If the dtype or device of `X` is not that of the parameters.
    """
    return _stacked(map(_example_norms, block_states(*forward(net, X))))


def forward_ratios(norms):
    """Divide each block's output norms by its input norms.

    Parameters
    ----------
    norms : array, shape (n_blocks + 1, ...)
        From `forward_norms`.

    Returns
    -------
    array, shape (n_blocks, ...)
        NaN where the input is zero: there is no ratio.
    """
    return _quotients(norms, slice(1, None), slice(None, -1))


def backward_norms(net, X, grad_output):
    """Return the norm of every example's gradient at the input of each block.

    Parameters
    ----------
    net : Net
    X : array, shape (n, ...)
    grad_output : array, shape of the output
        Gradient of any loss with respect to the net's output; the rows may be of any
        size, since every map that carries them back is linear.

    Returns
    -------
    array, shape (n_blocks + 1, n)
        The last row is the norm of `grad_output`.

    Raises
    ------
    TypeError
        If the dtype or device of `X` is not that of the parameters.
    ValueError
        If `grad_output` has not the shape of the output.
    """
    output, cache = forward(net, X)
    if grad_output.shape != output.shape:
        raise ValueError(
            f"grad_output must be {output.shape}, as the net's output; "
            f"got {grad_output.shape}."
        )
    swept = (delta for delta, _ in backward_sweep(net, cache, grad_output))
    return _stacked(map(_example_norms, [grad_output, *swept]))[::-1]


def backward_ratios(norms):
    """Divide the norms of the gradients at each block's input by those at its output.

    Parameters
    ----------
    norms : array, shape (n_blocks + 1, ...)
        From `backward_norms` or `linear_backward_norms`.

    Returns
    -------
    array, shape (n_blocks, ...)
        1 where a block preserves the norm. NaN where the gradient at its output is
        zero: then so is the one at its input.
    """
    return _quotients(norms, slice(None, -1), slice(1, None))


def linear_backward_norms(A, g):
    r"""Return the gradient norms in the linear net :math:`(I + A_\ell)\cdots(I + A_1)`.

    Layer i carries a gradient back as :math:`g \mapsto (I + A_i^\top) g`, whatever the
    input. With layers from `identity_edu.factorization.near_identity_factorization`,
    and enough of them, every ratio lies within :math:`1 \pm c/\ell`, where
    :math:`c/\ell` is `identity_edu.factorization.norm_bound`.

    Parameters
    ----------
    A : array, shape (l, d, d)
        Residual matrices; ``A[0]`` is applied to the input first.
    g : array, shape (n, d)
        Gradients with respect to the output, one in each row.

    Returns
    -------
    array, shape (l + 1, n)
        The last row is the norm of `g`, as in `backward_norms`.

    Raises
    ------
    ValueError
        If `A` is no stack of (d, d) matrices or the rows of `g` are not of width d.

    References
    ----------
    Zaeemzadeh, Rahnavard & Shah (2021), Theorem 1, for linear nets; the layers are
    those of Hardt & Ma (2018, arXiv version 3), Theorem 2.1.
    """
    xp, (A, g) = as_floating(A, g)
    if g.ndim != 2 or A.shape[1:] != (g.shape[1],) * 2:
        raise ValueError(
            f"A and g must be (l, d, d) and (n, d); got {A.shape} and {g.shape}."
        )
    norms = [_example_norms(g)]
    for A_i in A[::-1]:
        g = g + g @ A_i  # the rows' way to write (I + A_i^T) g
        norms.append(_example_norms(g))
    return xp.stack(norms[::-1])


def _example_norms(x):
    """Return the norm of every example; the squares of small gradients underflow."""
    xp, (x,) = as_floating(x)
    entries = tuple(range(1, x.ndim))
    scale = abs(x).max(axis=entries, keepdims=True)
    scale = xp.where(scale > 0, scale, xp.ones_like(scale))
    squares = ((x / scale) ** 2).sum(axis=entries)
    return scale.reshape(len(x)) * xp.sqrt(squares)


def _stacked(norms):
    norms = list(norms)
    xp, norms = as_floating(*norms)
    return xp.stack(norms)


def _quotients(norms, above, below):
    """Divide rows by their neighbours, with NaN over zero."""
    xp, (norms,) = as_floating(norms)
    nonzero = norms[below] > 0
    safe = xp.where(nonzero, norms[below], xp.ones_like(norms[below]))
    return xp.where(nonzero, norms[above] / safe, xp.full_like(safe, xp.nan))
