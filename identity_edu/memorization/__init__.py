r"""A residual ReLU net that memorises any sample, written down instead of trained.

A random matrix takes the inputs to R^k. Each block then moves at most k of the points
to the surrogate vector of their class and leaves all others where they are. A last
block turns surrogate vectors into unit vectors. Points are told apart by a margin,
measured on the points as they are when a block meets them. Chapter 08 builds such a
net step by step.

Rows: `H` is (n, k), the current points; a block's `U` is (m, k), `s` (m,), `V` (r, m)
for the m points that it moves.
"""

from identity_edu.memorization.block import (
    MarginError,
    MemorizingBlock,
    memorizing_block,
)
from identity_edu.memorization.construction import (
    memorize,
    random_projection,
    surrogate_labels,
    unit_rows,
)
from identity_edu.memorization.width import sufficient_width
from identity_edu.nets import n_parameters
from identity_edu.relu import predict

__all__ = [
    "MarginError",
    "MemorizingBlock",
    "memorize",
    "memorizing_block",
    "n_parameters",
    "predict",
    "random_projection",
    "sufficient_width",
    "surrogate_labels",
    "unit_rows",
]
