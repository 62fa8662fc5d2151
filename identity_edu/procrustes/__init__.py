r"""Transitions that preserve norms: the Procrustes step, on matrices and on kernels.

A residual block with identity skip nearly preserves the norm of a gradient. A block
that changes the width cannot have that skip; here it is a convolution near to a scaled
isometry, kept there by projection while the net is trained. Chapter 14.
"""

from identity_edu.procrustes.isometry import (
    nearest_isometry,
    transition_scale,
    whiten,
)
from identity_edu.procrustes.iterations import (
    gram_inverse_root,
    gram_newton_schulz,
    newton_schulz,
)
from identity_edu.procrustes.kernels import (
    alternating_projection,
    project_kernel,
    spread,
)
from identity_edu.procrustes.net import procrustes_net
from identity_edu.procrustes.pooling import (
    copy_channels,
    copy_channels_backward,
    l2_pool,
    l2_pool_backward,
)
from identity_edu.procrustes.projection import Projection, projection_of

__all__ = [
    "Projection",
    "alternating_projection",
    "copy_channels",
    "copy_channels_backward",
    "gram_inverse_root",
    "gram_newton_schulz",
    "l2_pool",
    "l2_pool_backward",
    "nearest_isometry",
    "newton_schulz",
    "procrustes_net",
    "project_kernel",
    "projection_of",
    "spread",
    "transition_scale",
    "whiten",
]
