r"""Telemetry: how far each block is from the identity, and how large its maps are.

For a block :math:`h \mapsto Ph + F(h)`, where P is its skip, the distance is
:math:`\|F(h)\|_F / \|h\|_F` over the batch. Its gradient ratio is the norm of the
gradient at its input by that at its output, and its state ratio the norm of its output
by that of its input. Each weight array has the norm of its gradient, and an estimate of
the spectral norm of the linear map that it stands for: a convolution at the size of its
true images, zero padding and stride included, which is not the norm of any reshaped
kernel.
"""

import math

import numpy as np

from identity_edu.conv.team import Team
from identity_edu.lanczos import extreme_eigenpair
from identity_edu.nets import forward
from identity_edu.train.loop import block_names

TOLERANCE, MOST_STEPS = 5e-4, 60  # of Lanczos
SMALL = 1e-12  # below it, squares of float32 lose digits, and then vanish


class Telemetry:
    """Measure a net between a step's gradient and its update.

    Parameters
    ----------
    net : identity_edu.nets.Net
        Each layer with a weight array must be linear once its thresholds are zero.
    x : array, shape (n, ...)
        An input; its first example tells the sizes at every layer.
    rng : numpy.random.Generator
        Draws the noise among which the norms are sought. Only with the same noise are
        the numbers the same after `restore`.
    n_threads : int >= 1
        They change the time that it takes, and no number.

    Attributes
    ----------
    vectors : dict of str to array
        For each weight array, the input that its map stretches most, as far as it is
        known. They are part of a checkpoint.
    """

    def __init__(self, net, x, rng, *, n_threads=1):
        self.net, self.names, self.team = net, block_names(net), Team(n_threads)
        self.maps, self.noise, self._gradients = {}, {}, {}
        _, cache = forward(net, x[:1])
        for block, (inputs, _) in zip(net.blocks, cache, strict=True):
            for layer, h in zip(block.branch, inputs, strict=True):
                for name in [n for n in layer.params if net.params[n].ndim >= 2]:
                    self.maps[name] = layer
                    noise = rng.standard_normal(h.shape).astype(h.dtype)
                    self.noise[name] = noise / np.linalg.norm(noise)
        self.vectors = dict(self.noise)

    def watch(self, i, gradient):
        """Take in the gradient at the input of a block, during a backward pass.

        Parameters
        ----------
        i : int
            As in `identity_edu.nets.backward`.
        gradient : array
        """
        self._gradients[i] = _norm(gradient)

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
            ``"distance"``, ``"state_ratio"`` and, as far as `watch` was called in the
            last backward pass, ``"gradient_ratio"`` by block; a block whose denominator
            is zero is left out. ``"gradient_norm"`` and ``"spectral_norm"`` by weight
            array.
        """
        sizes = dict(enumerate(map(_norm, states)))
        outputs = {i - 1: size for i, size in sizes.items()}
        gradients, self._gradients = self._gradients, {}
        at_output = {i - 1: size for i, size in gradients.items()}
        return {
            "distance": self._ratios(self._branches(states), sizes),
            "state_ratio": self._ratios(outputs, sizes),
            "gradient_ratio": self._ratios(gradients, at_output),
            "gradient_norm": {name: _norm(grad[name]) for name in self.maps},
            "spectral_norm": self._spectral_norms(),
        }

    def restore(self, vectors):
        """Go on from the vectors of an earlier object.

        Parameters
        ----------
        vectors : dict of str to array
            By the same names.
        """
        self.vectors = {name: vectors[name] for name in self.vectors}

    def _ratios(self, above, below):
        """Divide by block, where both numbers are there and the second is not zero."""
        return {
            name: above[i] / below[i]
            for i, name in enumerate(self.names)
            if i in above and below.get(i)
        }

    def _branches(self, states):
        """Return ||block(h) - skip(h)|| by number of each block that has a skip."""
        norms = {}
        for i, block in enumerate(self.net.blocks):
            if block.skip is not None:
                skipped = states[i]
                for layer in block.skip:
                    arrays = (self.net.params[n] for n in layer.params)
                    skipped = layer.forward(skipped, *arrays)
                norms[i] = _norm(states[i + 1] - skipped)
        return norms

    def _spectral_norms(self):
        """Share out the maps: one example is too little work for threads inside."""
        norms = dict.fromkeys(self.maps)

        def task(name, _):
            norms[name] = self._stretch(name)

        self.team.run(task, list(norms))
        return norms

    def _stretch(self, name):
        """Return ||A v|| for the unit vector v that A stretches most, and keep v.

        Never above the largest singular value of A, up to rounding. Along training it
        is within 1 % of it but for one case in thousands, and 2 % then: that no other
        direction is larger, no number of steps can know.
        """
        layer, W = self.maps[name], self.net.params[name]
        scale = float(abs(W).max())
        if scale == 0 or not math.isfinite(scale):
            return scale
        # Divided by its largest entry, no weight overflows or vanishes when squared.
        arrays = [
            np.zeros_like(a) if a.ndim < 2 else a / scale
            for a in (self.net.params[n] for n in layer.params)
        ]
        transpose = layer.input_gradient or (lambda *args: layer.backward(*args)[0])

        def apply(v):
            return transpose(layer.forward(v, *arrays), v, *arrays)

        # Alone, the old vector would hide a direction that has overtaken it: it is then
        # still nearly an eigenvector, and no residual tells that it is not the first.
        start = self.vectors[name] + self.noise[name]
        top = extreme_eigenpair(apply, start, n_steps=MOST_STEPS, tol=TOLERANCE)
        self.vectors[name] = top.vector
        return scale * math.sqrt(max(top.value, 0.0))


def _norm(x):
    """Return the Frobenius norm, without a copy of the whole of a strided array."""
    pieces = np.moveaxis(x, np.argmax(x.strides), 0)
    norm = math.hypot(*(float(np.linalg.norm(piece)) for piece in pieces))
    if norm < SMALL and x.dtype == np.float32:
        return _norm(x.astype(np.float64))
    return norm
