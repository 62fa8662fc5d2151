"""How much room the bound on one block's gradient norm leaves, over 3,000 blocks.

A block with a branch of Jacobian norm at most delta multiplies a gradient's norm by a
ratio within 1 - delta and 1 + delta. The margin of a block is |ratio - 1| / delta, and
may not exceed 1. It is taken for a few random gradients, and for the worst of all
gradients, which the singular values of I + J tell. Then blocks in which it is 1, blocks
without their identity, and blocks beyond delta = 1 that lose a gradient altogether.
Shown in chapter 13.
"""

import numpy as np

from identity_edu import norm_preservation as norms
from identity_edu import ops, relu
from identity_edu.allconv import Convolution, residual_block
from identity_edu.nets import Block, Layer, Net, backward_sweep, forward

SEEDS = [131]
N_BLOCKS = 1000  # of each kind
N_GRADIENTS = 5  # random ones for each block
N_DRAWN = 300  # blocks of each kind that the figure shows
DELTAS = (0.01, 0.95)
TIGHT_DELTAS = (0.05, 0.5, 0.95)
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
ROUNDING = 1e-12


def measure():
    """Return the margins of each kind, the tight blocks and the vanishing ones."""
    rng = np.random.default_rng(SEEDS[0])
    drawn = {"linear": random_linear, "relu": random_relu, "conv": random_convolution}
    return {
        "n_blocks": N_BLOCKS,
        "n_gradients": N_GRADIENTS,
        "deltas": DELTAS,
        "quantiles": QUANTILES,
        "kinds": {kind: _margins(rng, draw) for kind, draw in drawn.items()},
        "tight": {kind: _tight(rng, draw) for kind, draw in ALIGNED.items()},
        "vanishing": {kind: _vanishing(rng, draw) for kind, draw in ALIGNED.items()},
    }


def random_linear(rng):
    """Draw a block with a branch of one to three dense layers and nothing between.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    tuple
        ``(net, h)``: a net of this block alone, and one state.
    """
    d, *inner = (int(width) for width in rng.integers(2, 25, rng.integers(1, 4)))
    widths, names = [d, *inner, d], [f"W{i}" for i in range(1, len(inner) + 2)]
    params = {
        name: rng.standard_normal((widths[i + 1], widths[i]))
        for i, name in enumerate(names)
    }
    layers = (Layer(ops.dense, ops.dense_backward, (name,)) for name in names)
    return Net((Block(tuple(layers)),), params), rng.standard_normal((1, d))


def random_relu(rng):
    """Draw a dense block with a ReLU, of any widths, with thresholds.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    tuple
        ``(net, h)``.
    """
    d, k = (int(width) for width in rng.integers(2, 25, 2))
    params = {
        "block.U": rng.standard_normal((k, d)),
        "block.s": rng.standard_normal(k),
        "block.V": rng.standard_normal((d, k)),
    }
    block = relu.residual_block("block", d, d)
    return Net((block,), params), rng.standard_normal((1, d))


def random_convolution(rng):
    """Draw a block of two 3 x 3 convolutions with a ReLU, on images of any shape.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    tuple
        ``(net, h)``.
    """
    size, c = tuple(map(int, rng.integers(2, 9, 2))), int(rng.integers(1, 7))
    params = {name: rng.standard_normal((3, 3, c, c)) for name in ("W1", "W2")}
    return _convolution_net(params, size, c), rng.standard_normal((1, *size, c))


def aligned_relu(rng, sign):
    r"""Draw a dense block in which no step of the proof gives anything away.

    With :math:`U \ge 0` and a positive state every unit is active, and
    :math:`V = \pm U^\top` makes the Jacobian :math:`\pm U^\top U`: its norm is the
    product of the two.

    Parameters
    ----------
    rng : numpy.random.Generator
    sign : {-1, 1}
        -1 shrinks the gradients, 1 lets them grow.

    Returns
    -------
    tuple
        ``(net, h)``.
    """
    U = rng.uniform(size=(12, 8))
    params = {"block.U": U, "block.s": np.zeros(12), "block.V": sign * U.T}
    return Net((relu.residual_block("block", 8, 8),), params), np.ones((1, 8))


def aligned_convolution(rng, sign):
    r"""Draw such a block of convolutions, :math:`C_2 = \pm C_1^\top`.

    Zeros around the images make the adjoint a convolution too: with the kernel turned
    by half a turn, and its channels exchanged.

    Parameters
    ----------
    rng : numpy.random.Generator
    sign : {-1, 1}

    Returns
    -------
    tuple
        ``(net, h)``.
    """
    W = rng.uniform(size=(3, 3, 4, 4))
    params = {"W1": W, "W2": sign * W[::-1, ::-1].swapaxes(2, 3)}
    return _convolution_net(params, (6, 5), 4), np.ones((1, 6, 5, 4))


ALIGNED = {"relu": aligned_relu, "conv": aligned_convolution}


def backward_map(net, h):
    r"""Return the matrix of :math:`g \mapsto (I + J^\top) g` for rows, at one state.

    Parameters
    ----------
    net : Net
        Of one block.
    h : array, shape (1, ...)

    Returns
    -------
    array, shape (h.size, h.size)
        Its singular values are the ratios that gradients can have.
    """
    _, cache = forward(net, np.repeat(h, h.size, axis=0))
    every_g = np.eye(h.size).reshape(h.size, *h.shape[1:])
    ((images, _),) = backward_sweep(net, cache, every_g)
    return images.reshape(h.size, h.size)


def _margins(rng, draw):
    """Measure many blocks of one kind, with and without the identity."""
    deltas = rng.uniform(*DELTAS, N_BLOCKS)
    ratios, plain, extremes = [], [], []
    for delta in deltas:
        net, h = draw(rng)
        net = _scaled(net, h, delta)
        g = rng.standard_normal((N_GRADIENTS, *h.shape[1:]))
        ratios.append(_ratios(net, h, g))
        plain.append(_ratios(_without_identity(net), h, g))
        s = np.linalg.svd(backward_map(net, h), compute_uv=False)
        extremes.append((s[-1], s[0]))
    extremes, plain, delta = np.array(extremes), np.array(plain), deltas[:, None]
    margins = (abs(extremes - 1) / delta).max(axis=1)
    random_margins = abs(np.array(ratios) - 1) / delta
    is_half = deltas >= 0.5  # below it, delta itself is less than 1 - delta
    return {
        "worst": margins.max(),
        "n_violations": int((margins > 1 + ROUNDING).sum()),
        "at_quantiles": np.quantile(margins, QUANTILES),
        "worst_random": random_margins.max(),
        "random_at_quantiles": np.quantile(random_margins, QUANTILES),
        "plain": {
            "n_violations": int((plain < 1 - delta).any(axis=1).sum()),
            "n_from_half": int(is_half.sum()),
            "n_violations_from_half": int(
                (plain < 1 - delta)[is_half].any(axis=1).sum()
            ),
            "largest": plain.max(),
            "at_quantiles": np.quantile(plain, QUANTILES),
        },
        "drawn": {
            "delta": deltas[:N_DRAWN],
            "smallest": extremes[:N_DRAWN, 0],
            "largest": extremes[:N_DRAWN, 1],
            "plain": plain[:N_DRAWN, 0],
        },
    }


def _tight(rng, draw):
    """Return delta and the extreme ratios of blocks that reach the bound's two ends."""
    found = []
    for delta in TIGHT_DELTAS:
        blocks = (draw(rng, sign) for sign in (-1, 1))
        maps = [backward_map(_scaled(net, h, delta), h) for net, h in blocks]
        low, high = np.linalg.norm(maps[0], -2), np.linalg.norm(maps[1], 2)
        found.append({"delta": delta, "smallest": low, "largest": high})
    return found


def _vanishing(rng, draw):
    r"""Scale :math:`I - C^\top C` until a direction is lost; the bound is void there.

    It is lost when its eigenvalue of :math:`C^\top C` is 1. The largest is delta: the
    first direction goes at delta = 1, the others further on.
    """
    net, h = draw(rng, -1)
    net, found = _scaled(net, h, 1.0), []
    eigenvalues, vectors = np.linalg.eigh(np.eye(h.size) - backward_map(net, h))
    for i in (-1, -2, -3):
        delta, g = 1 / eigenvalues[i], vectors[:, i].reshape(h.shape)
        ratio = _ratios(_scaled(net, h, delta), h, g)[0]
        found.append({"delta": delta, "ratio": ratio})
    return found


def _ratios(net, h, g):
    """Return the backward ratios of several gradients at one state."""
    states = np.repeat(h, len(g), axis=0)
    return norms.backward_ratios(norms.backward_norms(net, states, g))[0]


def _scaled(net, h, delta):
    """Scale the last weights of a block so that its bound is delta."""
    *_, last = net.params
    factor = delta / norms.block_bounds(net, h)[0]
    return Net(net.blocks, net.params | {last: factor * net.params[last]})


def _without_identity(net):
    """Keep the branch of a block, and no skip."""
    return Net((Block(net.blocks[0].branch, skip=None),), net.params)


def _convolution_net(params, size, c):
    rows = (Convolution(name, c, c, 1, size) for name in ("W1", "W2"))
    return Net((residual_block(*rows),), params)
