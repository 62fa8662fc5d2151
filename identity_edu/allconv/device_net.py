"""An all-convolutional net on a device: its arrays, and its passes as launches.

The same net as `identity_edu.allconv.net`, stored in `BF16` or float32. What a pass
does is a list, made once. On the way back each kernel takes its step of descent as soon
as its gradient is known, in the pass that adds up the parts it was computed in.
"""

import numpy as np

from identity_edu.allconv import cuda
from identity_edu.allconv.device_weights import Weights, descend
from identity_edu.bf16 import to_bf16_bits
from identity_edu.conv import cuda as conv
from identity_edu.launch import BF16, NULL


class DeviceNet:
    """Arrays of one net for batches of one size, and the launches on them.

    Parameters
    ----------
    device : identity_edu.device.CudaDevice
    net : identity_edu.allconv.AllConvNet
        With float32 parameters on the host.
    batch_size : int >= 1
    dtype : {BF16, numpy.float32}
        Of activations, their gradients, and kernels as the convolutions read them.

    Attributes
    ----------
    parts : list of identity_edu.allconv.architecture.Part
    weights : dict of str to Weights
    states : list of device array
        The batch before each part, and after the last. Images have their channels
        filled up to a multiple of 8, for the tensor cores.
    """

    def __init__(self, device, net, *, batch_size, dtype=BF16):
        self.device, self.net, self.dtype = device, net, np.dtype(dtype)
        self.parts = net.architecture.parts()
        self.weights, self.hidden, self._scratch = {}, {}, {}
        (*size, channels), chunk = net.architecture.image, conv.CHUNK
        if self.dtype == BF16:
            channels = -(-channels // chunk) * chunk
        self.states = [device.zeros((batch_size, *size, channels), self.dtype)]
        for i, part in enumerate(self.parts):
            x = self.states[-1]
            for row in part.convolutions:
                shape = conv.Shape(*x.shape, row.c_out, row.kernel, row.stride)
                self.weights[row.name] = self._weights(row.name, shape)
                x = device.empty(shape.output, self.dtype)
                if row is not part.convolutions[-1]:
                    self.hidden[i] = x
            self.states.append(x)
        most = max(w.shape.n_weights * self._n_parts(w) for w in self.weights.values())
        self._sums = device.empty((most,), np.float32)

    def load(self, params, velocity):
        """Set kernels and velocities.

        Parameters
        ----------
        params, velocity : dict of str to numpy.ndarray
            float32, by name, with the channels that the net has.
        """
        for name, w in self.weights.items():
            full = [np.zeros(w.shape.kernel, np.float32) for _ in range(2)]
            for target, source in zip(full, (params, velocity), strict=True):
                target[:, :, : source[name].shape[2]] = source[name]
            self.device.upload(full[0], out=w.master)
            self.device.upload(full[1], out=w.velocity)
            if w.stored is not w.master:
                self.device.upload(to_bf16_bits(full[0]), out=w.stored)

    def save(self, params, velocity):
        """Copy kernels and velocities to the host.

        Parameters
        ----------
        params, velocity : dict of str to numpy.ndarray
            Overwritten.
        """
        for name, w in self.weights.items():
            for source, target in ((w.master, params), (w.velocity, velocity)):
                channels = target[name].shape[2]
                target[name][...] = self.device.download(source)[:, :, :channels]

    def forward(self):
        """List the launches from the images in ``states[0]`` to the last state.

        Returns
        -------
        list of Launch
        """
        launches = []
        for i, part in enumerate(self.parts):
            h, y = self.states[i : i + 2]
            first, last = self._ends(part)
            if part.kind != "residual":
                launches.append(conv.forward(first.shape, h, first.stored, y))
                continue
            a = self.hidden[i]
            launches.append(conv.forward(first.shape, h, first.stored, a, relu=True))
            skipped = self.skip(part, h, y, launches)
            launches.append(conv.forward(last.shape, a, last.stored, y, added=skipped))
        return launches

    def skip(self, part, h, room, launches):
        """Return what a residual part adds to its branch, listing what that takes.

        Parameters
        ----------
        part : identity_edu.allconv.architecture.Part
        h : device array
            Its input.
        room : device array
            Of the shape of its output, for a skip that is not `h` itself.
        launches : list of Launch
            Grows where there is something to do.

        Returns
        -------
        device array or None
            None where the net has no skips.
        """
        first = part.convolutions[0]
        if not self.net.architecture.skip:
            return None
        if first.keeps_shape:
            return h
        launches.append(cuda.shortcut(h, room, stride=first.stride))
        return room

    def backward(self, descent, watch=lambda _i, _delta: (), squares=None):
        """List the launches from the gradient at the last state to every kernel's step.

        Parameters
        ----------
        descent : Descent
        watch : callable, optional
            ``watch(i, delta)`` returns launches on the gradient at state i, i > 0.
        squares : dict of str to device array of float32, optional
            By kernel: get the sums of squares of the gradient's parts
            (`n_square_blocks` of them).

        Returns
        -------
        list of Launch
        """
        squares, launches = squares or {}, []
        for i, part in reversed(list(enumerate(self.parts))):
            h, delta = self.states[i], self.delta(i + 1)
            first, last = self._ends(part)
            below = self.delta(i) if i else None
            launches += watch(i + 1, delta)
            added = None
            if part.kind == "residual":
                a, middle = self.hidden[i], self._scratch_like(self.hidden[i], "middle")
                launches.append(
                    conv.input_gradient(last.shape, delta, last.stored, middle, mask=a)
                )
                launches += self._learn(last, a, delta, descent, squares)
                added = self._skip_backward(part, delta, below, launches)
                delta = middle
            if i:
                launches.append(
                    conv.input_gradient(
                        first.shape, delta, first.stored, below, added=added
                    )
                )
            launches += self._learn(first, h, delta, descent, squares)
        return launches

    def delta(self, i):
        """Return the array for the gradient at a state; every second one shares it.

        Parameters
        ----------
        i : int >= 1

        Returns
        -------
        device array
        """
        return self._scratch_like(self.states[i], i % 2)

    def spare(self, i):
        """Return an array of a state's shape that is free until the way back.

        Parameters
        ----------
        i : int >= 1

        Returns
        -------
        device array
        """
        return self._scratch_like(self.states[i], "spare")

    def _skip_backward(self, part, delta, below, launches):
        first = part.convolutions[0]
        if not self.net.architecture.skip:
            return None
        if first.keeps_shape:
            return delta
        launches.append(cuda.shortcut_backward(delta, below, stride=first.stride))
        return below

    def _learn(self, w, x, delta, descent, squares):
        """List the gradient of a kernel and the step on it."""
        gradient = conv.weight_gradient(w.shape, x, delta, self._sums)
        parts, out = (self._sums, self._n_parts(w)), squares.get(w.name, NULL)
        return [gradient, descend(w, parts, descent, out)]

    def _ends(self, part):
        """Return the weights of the first and the last convolution of a part."""
        return [self.weights[part.convolutions[i].name] for i in (0, -1)]

    def _n_parts(self, w):
        return conv.n_parts(w.shape, self.dtype)

    def _weights(self, name, shape):
        arrays = [self.device.zeros(shape.kernel, np.float32) for _ in range(2)]
        is_float = self.dtype == np.float32
        stored = arrays[0] if is_float else self.device.zeros(shape.kernel, self.dtype)
        return Weights(name, shape, *arrays, stored)

    def _scratch_like(self, array, name):
        key = (name, tuple(array.shape))
        if key not in self._scratch:
            self._scratch[key] = self.device.empty(array.shape, self.dtype)
        return self._scratch[key]
