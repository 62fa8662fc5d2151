r"""Residual ReLU networks, :math:`h \mapsto h + V\,\mathrm{relu}(Uh + s)`.

One ReLU in the middle of each block and none after the sum, so that a block with
:math:`V = 0` is the identity. Where a block changes the width, its skip appends zeros
or keeps the first entries. Chapters 01, 07 and 08 use these nets; `forward` and
`backward` are those of every net (`identity_edu.nets`).

Rows: `U` is (k, d), `s` (k,), `V` (r, k) for a block of hidden width k from R^d to
R^r.
"""

from functools import partial
from itertools import pairwise

import numpy as np

from identity_edu import ops
from identity_edu.nets import (
    Block,
    Layer,
    Net,
    backward,
    backward_sweep,
    block_states,
    evaluate,
    forward,
    n_parameters,
)

__all__ = [
    "backward",
    "backward_sweep",
    "block_states",
    "dense_block",
    "evaluate",
    "forward",
    "init_net",
    "n_parameters",
    "predict",
    "residual_block",
]

INITS = ("he", "near_identity")


def residual_block(name, n_in, n_out, *, skip=True):
    r"""Describe the block :math:`h \mapsto Ph + V\,\mathrm{relu}(Uh + s)`.

    Parameters
    ----------
    name : str
        Its parameters are called ``name.U``, ``name.s`` and ``name.V``.
    n_in, n_out : int >= 1
        Widths. :math:`P` is the identity where they agree, else it appends zeros or
        keeps the first entries.
    skip : bool
        False leaves :math:`Ph` out: the plain block to compare with.

    Returns
    -------
    Block

    References
    ----------
    Hardt & Ma (2017), sections 3 and 4. The printed output block has no :math:`P`,
    and its sum of vectors of different widths is not defined.
    """
    branch = (
        Layer(ops.dense, ops.dense_backward, (f"{name}.U", f"{name}.s")),
        Layer(ops.relu, ops.relu_backward),
        Layer(ops.dense, ops.dense_backward, (f"{name}.V",)),
    )
    if not skip:
        return Block(branch, skip=None)
    fit = Layer(partial(ops.resize, width=n_out), ops.resize_backward)
    return Block(branch, skip=() if n_in == n_out else (fit,))


def dense_block(name, *, bias=True):
    """Describe one affine map without a skip, as the first or the last block.

    Parameters
    ----------
    name : str
        Its parameters are called ``name.W`` and ``name.b``.
    bias : bool
        False leaves ``name.b`` out.

    Returns
    -------
    Block
    """
    params = (f"{name}.W", f"{name}.b") if bias else (f"{name}.W",)
    return Block((Layer(ops.dense, ops.dense_backward, params),), skip=None)


def init_net(rng, widths, *, n_outputs=None, skip=True, init="near_identity"):
    r"""Draw a net with one block for each pair of neighbouring widths.

    Parameters
    ----------
    rng : numpy.random.Generator
    widths : sequence of int >= 1
        At least two: the input's width, then that of each block's output. A block's
        hidden width is that of its output.
    n_outputs : int >= 1, optional
        Adds an affine read-out of that many outputs after the blocks.
    skip : bool
        False leaves the skips out: a plain net of the same shapes.
    init : {"near_identity", "he"}
        Standard deviation of the entries of U and V. ``"near_identity"``: one over
        the block's output width, so that a branch adds little to its skip.
        ``"he"``: :math:`1/\sqrt{d}` for U and :math:`\sqrt{2/k}` for V, which on
        average hands on the squared norm unchanged through a plain block. Thresholds
        start at 0.

    Returns
    -------
    Net
        In float64, on the CPU.

    Raises
    ------
    ValueError
        If there are fewer than two widths, one is less than 1, or `init` is unknown.

    References
    ----------
    Hardt & Ma (2017), section 4, for :math:`1/(k^2 c)` at kernel size 1; He et al.
    (2015) for the factor 2 behind a ReLU.
    """
    widths = [int(width) for width in widths]
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(f"two or more widths, each at least 1, needed; got {widths}.")
    if init not in INITS:
        raise ValueError(f"init must be one of {', '.join(INITS)}; got {init!r}.")
    blocks, params = [], {}
    for i, (n_in, n_out) in enumerate(pairwise(widths)):
        name = f"blocks.{i}"
        blocks.append(residual_block(name, n_in, n_out, skip=skip))
        near = init == "near_identity"
        std_U, std_V = (1 / n_out,) * 2 if near else (n_in**-0.5, (2 / n_out) ** 0.5)
        params[f"{name}.U"] = std_U * rng.standard_normal((n_out, n_in))
        params[f"{name}.s"] = np.zeros(n_out)
        params[f"{name}.V"] = std_V * rng.standard_normal((n_out, n_out))
    if n_outputs is not None:
        blocks.append(dense_block("readout"))
        scale = widths[-1] ** -0.5
        params["readout.W"] = scale * rng.standard_normal((n_outputs, widths[-1]))
        params["readout.b"] = np.zeros(n_outputs)
    return Net(tuple(blocks), params)


def predict(net, X, *, batch_size=1024):
    """Return the index of each row's largest output.

    Parameters
    ----------
    net : Net
    X : array, shape (n, d)
    batch_size : int >= 1
        Rows at a time; bounds the memory.

    Returns
    -------
    int array, shape (n,)
    """
    return evaluate(net, X, batch_size=batch_size).argmax(axis=1)
