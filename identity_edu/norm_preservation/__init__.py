r"""How far a residual net changes norms on the way forward and back: measured, bounded.

A block :math:`h \mapsto h + F(h)` with branch Jacobian J carries a gradient g back as
:math:`(I + J^\top) g`. Wherever :math:`\|J\| \le \delta`, for every g,

.. math::

    (1 - \delta)\,\|g\| \;\le\; \|(I + J^\top) g\| \;\le\; (1 + \delta)\,\|g\|,

because :math:`\|J^\top g\| \le \delta \|g\|`. No vector is turned into zero while
:math:`\delta < 1`. Without the identity only :math:`\|J^\top g\| \le \delta \|g\|` is
left. `measured` computes the norms, `bounds` the :math:`\delta`.

====================  ==============  ============================================
symbol                name            meaning
====================  ==============  ============================================
:math:`\delta`        `delta`         bound on the norm of a branch's Jacobian
:math:`c_\rho`        `lipschitz`     largest slope of the activation, 1 for ReLU
:math:`W_1..W_K`      `norms`         a branch's linear layers, by their norms
:math:`g`             `g`             gradient with respect to a state
====================  ==============  ============================================

Used in chapter 13. Source: Zaeemzadeh, Rahnavard & Shah, *Norm-Preservation*, TPAMI 43
(2021); the proofs are ours.
"""

from identity_edu.norm_preservation.bounds import (
    block_bounds,
    branch_bound,
    composed_bound,
)
from identity_edu.norm_preservation.measured import (
    backward_norms,
    backward_ratios,
    forward_norms,
    forward_ratios,
    linear_backward_norms,
)

__all__ = [
    "backward_norms",
    "backward_ratios",
    "block_bounds",
    "branch_bound",
    "composed_bound",
    "forward_norms",
    "forward_ratios",
    "linear_backward_norms",
]
