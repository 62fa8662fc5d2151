"""One block that moves chosen points to their targets and leaves all others alone."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from identity_edu.backend import as_floating, to_numpy
from identity_edu.ops import resize

ROWS_AT_ONCE = 2048  # a tile of scores, 2048 x k numbers, stays in the cache


@dataclass(frozen=True)
class MemorizingBlock:
    """Parameters of one block, and by how much each point stands out.

    Attributes
    ----------
    U : array, shape (m, k)
    s : array, shape (m,)
    V : array, shape (r, m)
    margins : array, shape (m,)
        For each moved point: its own score less the largest of all other points'.
        Infinite where there is no other point.
    """

    U: Any
    s: Any
    V: Any
    margins: Any


class MarginError(ValueError):
    """A point that should move does not stand out from the others.

    Attributes
    ----------
    pair : tuple of int
        Indices of the point, and of the other one whose score is too close.
    margin : float
        Of the point, in units of its squared norm.
    required : float
        What the margin must be above, in the same units.
    """

    def __init__(self, pair, margin, required):
        self.pair, self.margin, self.required = pair, margin, required
        super().__init__(
            f"point {pair[0]} must stand out from point {pair[1]} by a margin above "
            f"{required:.1e} of its squared norm; the margin is {margin:.3g}."
        )


def memorizing_block(H, subset, targets):
    r"""Build the block that takes some points to their targets and leaves the rest.

    Row i of U is the point :math:`h_i` itself. The score
    :math:`\langle h_i, h_j \rangle` is :math:`\|h_i\|^2` at j = i, and lower by the
    margin :math:`m_i` or more elsewhere. With the threshold half a margin below,
    :math:`t_i = \|h_i\|^2 - m_i / 2`, the ReLU is on at point i alone, where it gives
    :math:`m_i / 2`; column i of V makes the step to the target of it.

    Parameters
    ----------
    H : array, shape (n, k)
        All points as the block meets them.
    subset : int array, shape (m,)
        Indices of the points to move, all different.
    targets : array, shape (m, r)
        Where to. The block is :math:`h \mapsto Ph + V\,\mathrm{relu}(Uh + s)`, with P
        the identity if r = k, else `identity_edu.ops.resize`.

    Returns
    -------
    MemorizingBlock

    Raises
    ------
    MarginError
        If a margin is not clear of rounding: :math:`m_i \le \sqrt\epsilon\,\|h_i\|^2`
        with :math:`\epsilon` of the dtype. It is a ValueError.
    ValueError
        If a shape does not fit, or an index comes twice or lies outside.

    Notes
    -----
    About 2 n m k flops, in tiles of rows. A rounding error in a score grows by up to
    :math:`2\|h_i\|^2 / m_i` on its way to the target.

    References
    ----------
    Hardt & Ma (2017), Lemma B.1. The threshold of each row is ours; it needs neither
    equal norms nor the lemma's constant (see the book's page of corrections).
    """
    xp, (H, targets) = as_floating(H, targets)
    subset = to_numpy(subset)
    _check_subset(H, subset, targets)
    U = H[xp.asarray(subset)]
    own = xp.sum(U * U, axis=1)
    margins = own - _largest_other_score(xp, H, subset, U)
    _check_margins(xp, H, subset, own, margins)
    room = xp.minimum(margins, own) / 2  # a lone point has no margin to halve
    steps = targets - resize(U, targets.shape[1])
    return MemorizingBlock(U, room - own, (steps / room[:, None]).T, margins)


def _largest_other_score(xp, H, subset, U):
    """Return, for each row of U, the largest score of any point but its own."""
    largest = xp.full(len(U), -math.inf, dtype=H.dtype)
    for start in range(0, len(H), ROWS_AT_ONCE):
        scores = H[start : start + ROWS_AT_ONCE] @ U.T
        columns = np.flatnonzero((subset >= start) & (subset < start + len(scores)))
        own_rows = subset[columns] - start
        scores[xp.asarray(own_rows), xp.asarray(columns)] = -math.inf
        largest = xp.maximum(largest, scores.max(axis=0))
    return largest


def _check_margins(xp, H, subset, own, margins):
    """Refuse a point whose margin would drown in rounding; name its rival."""
    required = float(np.sqrt(np.finfo(H.dtype).eps))
    if bool((margins > required * own).all()):
        return
    worst = int((margins - required * own).argmin())
    i = int(subset[worst])
    scores = H @ H[i]
    scores[i] = -math.inf
    squared_norm = float(own[worst])
    margin = float(margins[worst]) / squared_norm if squared_norm else 0.0
    raise MarginError((i, int(scores.argmax())), margin, required)


def _check_subset(H, subset, targets):
    """Refuse shapes and indices that do not name points to move."""
    if H.ndim != 2 or targets.ndim != 2 or subset.shape != targets.shape[:1]:
        got = f"{H.shape}, {subset.shape}, {targets.shape}"
        raise ValueError(f"H, subset, targets must be (n, k), (m,), (m, r); got {got}.")
    if len(np.unique(subset)) < len(subset):
        raise ValueError("each index of subset must come once; one comes twice.")
    if len(subset) and not (0 <= subset.min() and subset.max() < len(H)):
        got = f"{subset.min()} to {subset.max()}"
        raise ValueError(f"subset must lie in 0 to {len(H) - 1}; got {got}.")
