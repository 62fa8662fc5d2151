r"""Telemetry: how far each block is from the identity, and how large its maps are.

For a block :math:`h \mapsto Ph + F(h)`, where P is its skip, the distance is
:math:`\|F(h)\|_F / \|h\|_F` over the batch. Each weight array has the norm of its
gradient, and an estimate of the spectral norm of the linear map that it stands for: a
convolution at the size of its true images, zero padding and stride included, which is
not the norm of any reshaped kernel.
"""

import numpy as np

from identity_edu.nets import forward
from identity_edu.train.loop import block_names

FIRST_ROUNDS, LATER_ROUNDS = 20, 3  # of the power iteration, from noise and warm


class Telemetry:
    """Measure a net between a step's gradient and its update.

    Parameters
    ----------
    net : identity_edu.nets.Net
        Each layer with a weight array must be linear once its thresholds are zero.
    x : array, shape (n, ...)
        An input; its first example tells the sizes at every layer.
    rng : numpy.random.Generator
        Draws where the power iterations begin.

    Attributes
    ----------
    vectors : dict of str to array
        For each weight array, the input that its map stretches most, as far as the
        iterations have come. They are part of a checkpoint.
    """

    def __init__(self, net, x, rng):
        self.net, self.names = net, block_names(net)
        self.maps, self.vectors, self.is_warm = {}, {}, False
        _, cache = forward(net, x[:1])
        for block, (inputs, _) in zip(net.blocks, cache, strict=True):
            for layer, h in zip(block.branch, inputs, strict=True):
                arrays = {name: net.params[name] for name in layer.params}
                for name in [n for n, array in arrays.items() if array.ndim >= 2]:
                    self.maps[name] = layer
                    self.vectors[name] = rng.standard_normal(h.shape).astype(h.dtype)

    def measure(self, states, grad):
        """Measure every block and every weight array.

        Parameters
        ----------
        states : list of array
            From the runner's last forward (`identity_edu.nets.block_states`).
        grad : dict of str to array

        Returns
        -------
        dict of str to dict
            ``"distance"`` by block; ``"gradient_norm"`` and ``"spectral_norm"`` by
            weight array.
        """
        n_rounds = LATER_ROUNDS if self.is_warm else FIRST_ROUNDS
        norms = {name: self._stretch(name, n_rounds) for name in self.maps}
        self.is_warm = True
        return {
            "distance": self._distances(states),
            "gradient_norm": {n: float(np.linalg.norm(grad[n])) for n in self.maps},
            "spectral_norm": norms,
        }

    def restore(self, vectors):
        """Go on from the vectors of an earlier object.

        Parameters
        ----------
        vectors : dict of str to array
            By the same names.
        """
        self.vectors = {name: vectors[name] for name in self.vectors}
        self.is_warm = True

    def _distances(self, states):
        """Return ||block(h) - skip(h)|| / ||h|| of every block that has a skip."""
        distances = {}
        for name, block, h, output in zip(
            self.names, self.net.blocks, states[:-1], states[1:], strict=True
        ):
            if block.skip is not None:
                skipped = h
                for layer in block.skip:
                    arrays = (self.net.params[n] for n in layer.params)
                    skipped = layer.forward(skipped, *arrays)
                ratio = np.linalg.norm(output - skipped) / np.linalg.norm(h)
                distances[name] = float(ratio)
        return distances

    def _stretch(self, name, n_rounds):
        """Return ||A v|| for the unit vector v that A^T A has turned into, and keep it.

        Never above the largest singular value of A, up to rounding.
        """
        layer, v = self.maps[name], self.vectors[name]
        arrays = [
            np.zeros_like(a) if a.ndim < 2 else a
            for a in (self.net.params[n] for n in layer.params)
        ]
        for _ in range(n_rounds):
            v, *_ = layer.backward(layer.forward(v, *arrays), v, *arrays)
            length = np.linalg.norm(v)
            if length == 0:  # a zero map, or a vector that it sends to zero
                return 0.0
            v = v / length
        self.vectors[name] = v
        return float(np.linalg.norm(layer.forward(v, *arrays)))
