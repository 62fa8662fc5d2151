r"""How far one block can change a gradient's norm, and how far many blocks can.

By the chain rule the Jacobian of a branch :math:`W_K\,\rho(\cdots \rho(W_1 h))` is
:math:`W_K D_{K-1} \cdots D_1 W_1`, with slopes of :math:`\rho` on the diagonals D. So
its norm is at most :math:`\delta = c_\rho^{K-1} \prod_k \|W_k\|`, at every h.
"""

import math

import numpy as np

from identity_edu import ops
from identity_edu.backend import as_floating
from identity_edu.conv import conv2d
from identity_edu.conv.spectrum import operator_norm
from identity_edu.linalg import spectral_norm
from identity_edu.nets import forward


def branch_bound(norms, lipschitz=1.0):
    r"""Bound the Jacobian of a branch, :math:`\delta = c_\rho^{K-1} \prod_k \|W_k\|`.

    Parameters
    ----------
    norms : array or sequence, shape (K, ...)
        Operator norms of the K linear layers of a branch, or of many branches.
    lipschitz : float >= 0
        Largest slope :math:`c_\rho` of the activation between two of them.

    Returns
    -------
    array, shape (...)
        The backward ratio of the block lies within :math:`1 \pm \delta`.

    Raises
    ------
    ValueError
        If there is no layer, or a norm or `lipschitz` is negative.

    References
    ----------
    Zaeemzadeh, Rahnavard & Shah (2021), Theorem 2 in substance; the constant is
    derived in this module's first lines.
    """
    _, (norms,) = as_floating(norms)
    if norms.ndim == 0 or len(norms) == 0:
        raise ValueError(f"one norm or more is required; got shape {norms.shape}.")
    if not (bool((norms >= 0).all()) and lipschitz >= 0):
        raise ValueError(
            "norms and lipschitz must be at least 0; "
            f"got {float(norms.min())} at least, and {lipschitz}."
        )
    return lipschitz ** (len(norms) - 1) * norms.prod(axis=0)


def block_bounds(net, X):
    r"""Return :math:`\delta` of every block with an identity skip.

    Each linear layer counts with its norm on what it really meets: a dense layer with
    its spectral norm, a convolution with that of the operator on images of its size,
    with zeros around them.

    Parameters
    ----------
    net : Net
        Branches of dense layers, convolutions and ReLUs.
    X : array, shape (n, ...)
        One example or more; only its shape matters.

    Returns
    -------
    numpy.ndarray, shape (n_blocks,)
        NaN for a block with another skip or none. With a fixed linear skip P the ratio
        lies between :math:`\sigma_{\min}(P^\top) - \delta` and
        :math:`\|P\| + \delta`, and a P that appends zeros has
        :math:`\sigma_{\min}(P^\top) = 0`.

    Raises
    ------
    ValueError
        If a layer beside an identity is of another kind, or `X` is empty.
    TypeError
        If the dtype or device of `X` is not that of the parameters.

    Notes
    -----
    A singular value decomposition for each dense layer, a Lanczos iteration for each
    convolution, which finds the norm from below, to a relative error of 1e-6.
    """
    if len(X) == 0:
        raise ValueError("X must hold one example or more; got none.")
    _, cache = forward(net, X[:1])
    return np.array(
        [
            branch_bound(_linear_norms(block, net.params, inputs))
            if block.skip == ()
            else math.nan
            for block, (inputs, _) in zip(net.blocks, cache, strict=True)
        ]
    )


def composed_bound(delta, n_blocks):
    r"""Bound the ratio of norms through a stack of blocks, from end to end.

    Ratios multiply, so :math:`L` blocks lie between :math:`(1 - \delta)^L` and
    :math:`(1 + \delta)^L`. With :math:`\delta = c/L` the upper one is at most
    :math:`e^c` at any depth, and they tend to :math:`e^{\mp c}`. With
    :math:`\delta = \log(2L)/L` the upper one grows like :math:`2L` and the lower one
    falls like :math:`1/2L`: polynomial, not constant.

    Parameters
    ----------
    delta : float >= 0
        For each block, from `branch_bound`.
    n_blocks : int >= 0

    Returns
    -------
    tuple of float
        ``(lower, upper)``. The lower one is 0, and says nothing, from
        :math:`\delta = 1` on; the upper one is inf where no float reaches.

    Raises
    ------
    ValueError
        If `delta` or `n_blocks` is negative.
    """
    if not (delta >= 0 and n_blocks >= 0):
        raise ValueError(
            f"delta and n_blocks must be at least 0; got {delta} and {n_blocks}."
        )
    if n_blocks == 0:
        return 1.0, 1.0
    # Logarithms keep the digits of a small delta, which 1 + delta would lose.
    lower = math.exp(n_blocks * math.log1p(-delta)) if delta < 1 else 0.0
    with np.errstate(over="ignore"):
        return lower, float(np.exp(n_blocks * np.log1p(delta)))


def _linear_norms(block, params, inputs):
    """Return the operator norms of a branch's linear layers, on their inputs' shapes.

    A ReLU between them has slopes of at most 1 and needs no number of its own.
    """
    norms = []
    for layer, h in zip(block.branch, inputs, strict=True):
        kind = getattr(layer.forward, "func", layer.forward)
        if kind is ops.relu:
            continue
        if kind not in (ops.dense, conv2d) or not layer.params:
            raise ValueError(
                "a branch beside an identity must be made of dense layers and "
                "convolutions that take parameters, and of ReLUs; "
                f"got {getattr(kind, '__name__', kind)}."
            )
        W = params[layer.params[0]]
        # Beside an identity no image may shrink, so every stride is 1.
        is_dense = kind is ops.dense
        norm = spectral_norm(W) if is_dense else operator_norm(W, h.shape[1:3])
        norms.append(float(norm))
    return norms
