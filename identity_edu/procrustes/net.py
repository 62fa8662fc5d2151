r"""The residual net whose blocks all preserve norms, as far as their shapes allow it.

Residual blocks keep the shape and have the identity as their skip. Between two widths
stands a 1 x 1 convolution K, without a skip and without a ReLU, with :math:`K^\top K =
\sigma^2 I`. The read-out, which is not trained, has orthonormal rows. Chapter 14.
"""

from dataclasses import replace

import numpy as np

from identity_edu.allconv import init_net, readout_block
from identity_edu.procrustes.isometry import whiten
from identity_edu.procrustes.projection import projection_of

START_ROUNDS = 40  # of the stem's alternation: its spectrum is then flat to a few %


def procrustes_net(rng, architecture, *, init="near_identity", dtype=np.float32):
    """Draw an all-convolutional net with norm-preserving transitions.

    Parameters
    ----------
    rng : numpy.random.Generator
    architecture : identity_edu.allconv.Architecture
        Its `transition` is taken to be ``"convolution"``.
    init : str
        Of the residual blocks, as for `identity_edu.allconv.init_net`.
    dtype : {numpy.float32, numpy.float64}

    Returns
    -------
    identity_edu.allconv.AllConvNet
        Training moves the transitions away; `projection_of` brings them back.

    References
    ----------
    Zaeemzadeh et al. (2021), as in their published code from the second version on;
    bottlenecks, batch normalisation and a trained read-out are left out.
    """
    architecture = replace(architecture, transition="convolution")
    net = init_net(rng, architecture, init=init, dtype=dtype)
    projection_of(architecture).project(net.params, n_rounds=START_ROUNDS)
    # `whiten` refuses in float32 what float64 can do.
    readout = whiten(net.readout.astype(np.float64)).astype(dtype)
    blocks = (*net.blocks[:-1], readout_block(readout))
    return replace(net, blocks=blocks, readout=readout)
