"""The norms of a step's states, gradients and branches, measured while it passes.

Sums of squares in fixed parts, so that the same step has the same norms to the bit.
"""

import numpy as np

from identity_edu.allconv import cuda
from identity_edu.allconv.device_weights import n_square_blocks


class Norms:
    """Where an observed step leaves the norms that telemetry is made of.

    Parameters
    ----------
    device : identity_edu.device.CudaDevice
    net : DeviceNet
    """

    def __init__(self, device, net):
        self._device, self._net = device, net
        n_parts, has_skip = len(net.parts), net.net.architecture.skip
        # By number: of the states, of the gradients at them, and of the branches. One
        # more than there are states is for the scores; the images have no gradient.
        numbers = {
            "states": range(n_parts + 2),
            "gradients": range(1, n_parts + 2),
            "branches": [
                i
                for i, part in enumerate(net.parts)
                if has_skip and part.kind == "residual"
            ],
        }
        self._sums = {
            kind: {i: device.zeros((cuda.SQUARE_BLOCKS,), np.float32) for i in which}
            for kind, which in numbers.items()
        }
        self.weights = {
            name: device.zeros((n_square_blocks(w.shape),), np.float32)
            for name, w in net.weights.items()
        }

    def of_states(self, scores, grad_scores):
        """List the launches that measure states, branches and scores.

        Parameters
        ----------
        scores, grad_scores : device array

        Returns
        -------
        list of Launch
        """
        net, sums, launches = self._net, self._sums, []
        for i, state in enumerate([*net.states, scores]):
            launches.append(cuda.sum_squares(state, sums["states"][i]))
        last = len(net.parts) + 1
        launches.append(cuda.sum_squares(grad_scores, sums["gradients"][last]))
        for i, out in sums["branches"].items():
            h, y = net.states[i : i + 2]
            skipped = net.skip(net.parts[i], h, net.spare(i + 1), launches)
            launches.append(cuda.sum_squares(y, out, y=skipped))
        return launches

    def of_gradient(self, i, delta):
        """List the launch that measures the gradient at a state.

        Parameters
        ----------
        i : int
        delta : device array

        Returns
        -------
        list of Launch
        """
        return [cuda.sum_squares(delta, self._sums["gradients"][i])]

    def read(self):
        """Wait for the last step, and return its norms.

        Returns
        -------
        dict
            ``"states"``, ``"gradients"`` and ``"branches"`` by number, as
            `identity_edu.train.telemetry.Telemetry` counts them, and ``"weights"``, the
            norms of the kernels' gradients by name.
        """
        norms = {
            kind: {i: self._norm(array) for i, array in arrays.items()}
            for kind, arrays in self._sums.items()
        }
        norms["weights"] = {name: self._norm(a) for name, a in self.weights.items()}
        return norms

    def _norm(self, array):
        return float(np.sqrt(self._device.download(array).sum(dtype=np.float64)))
