r"""Linear residual networks: their map, their risk, its gradient and its bound.

The network is :math:`\hat y = (I + A_\ell) \cdots (I + A_1) x`, the data are
:math:`y = R x + \xi` with :math:`E[x x^\top] = \Sigma` and
:math:`\xi \sim N(0, I_d)` independent of `x`.

====================  ==============  ============================================
symbol                name            meaning
====================  ==============  ============================================
:math:`A_1..A_\ell`   `A`             residual matrices, shape (l, d, d)
:math:`R, \Sigma`     `R, Sigma`      target map, second moment of `x`, (d, d)
:math:`E`             `E`             error, network map minus `R`
:math:`f - C`         excess risk     risk above the noise floor :math:`C = d`
:math:`\tau`          `tau`           largest spectral norm among the layers
====================  ==============  ============================================

Used in chapters 03, 04 and 06; `risk` holds the mathematics, `descent` the way down.
Source: Hardt & Ma, *Identity Matters in Deep Learning*, section 2.
"""

from identity_edu.linear.descent import Descent, descend, gradient_descent
from identity_edu.linear.risk import (
    excess_risk,
    excess_risk_gradient,
    gradient_norm_bound,
    max_spectral_norm,
    network_map,
    population_risk_sample,
)

__all__ = [
    "Descent",
    "descend",
    "excess_risk",
    "excess_risk_gradient",
    "gradient_descent",
    "gradient_norm_bound",
    "max_spectral_norm",
    "network_map",
    "population_risk_sample",
]
