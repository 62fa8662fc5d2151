"""Run an all-convolutional net in memory that is allocated once: NumPy, float32.

The same net as `identity_edu.nets` runs, layer by layer, from the definitions. Here
activations stay in padded, position-first buffers from one end of the net to the other,
and 3 x 3 convolutions take Winograd's way.
"""

import numpy as np

from identity_edu.allconv.fused_block import FusedBlock, FusedConvolution
from identity_edu.conv.layout import PaddedImages
from identity_edu.conv.team import Team
from identity_edu.nets import look_away
from identity_edu.runner import Runner


class FusedRunner:
    """Forward and backward passes of one net for batches up to a fixed size.

    Has the methods of `identity_edu.runner.Runner`. A smaller batch is filled up with
    empty images: right, and as slow as a full one.

    Parameters
    ----------
    net : AllConvNet
        One that `can_fuse` accepts.
    batch_size : int >= 1
    team : Team, optional
        Threads, and their scratch memory.
    """

    def __init__(self, net, *, batch_size, team=None):
        self.net, self.batch_size = net, batch_size
        self.team = Team() if team is None else team
        height, width, channels = net.architecture.image
        self._states = [self._buffer((height, width), channels)]
        self._blocks = [self._fused(part) for part in net.architecture.parts()]
        self._grad = {
            name: np.empty_like(W, order="C") for name, W in net.params.items()
        }
        self._scratch = {}
        self._output = None

    def forward(self, x):
        """Return the scores, and keep what `backward` needs.

        Parameters
        ----------
        x : array, shape (n, h, w, c), float32
            At most `batch_size` images.

        Returns
        -------
        array, shape (n, n_classes)

        Raises
        ------
        ValueError
            If the batch has another shape.
        TypeError
            If it is not float32.
        """
        self._load(x)
        for block in self._blocks:
            block.forward(self.net.params, self.team)
        averages = self._states[-1].interior.mean(axis=(0, 1))
        self._output = (averages @ self.net.readout.T)[: len(x)]
        return self._output

    def backward(self, grad_output, watch=look_away):
        """Return the gradient by parameter, for the last forward pass.

        Parameters
        ----------
        grad_output : array, shape (n, n_classes)
        watch : callable, optional
            As in `identity_edu.nets.backward`, but for the images' own gradient, which
            nothing here needs. What it is shown is overwritten later.

        Returns
        -------
        dict of str to array
            The next call overwrites them.
        """
        params, grad, n = self.net.params, self._grad, len(grad_output)
        watch(len(self._blocks) + 1, grad_output)
        delta = self._readout_backward(grad_output)
        for i, block in reversed(list(enumerate(self._blocks))):
            watch(i + 1, delta.images()[:n])
            middle = block.a and self._scratch_like(block.a, "middle")
            below = self._scratch_like(block.h, f"delta {i % 2}") if i else None
            block.backward(params, grad, (delta, middle, below), self.team)
            delta = below
        return grad

    def evaluate(self, x):
        """Return the scores of any number of images; `backward` is not for them.

        Parameters
        ----------
        x : array, shape (n, h, w, c), float32

        Returns
        -------
        array, shape (n, n_classes)
        """
        batches = range(0, max(len(x), 1), self.batch_size)
        scores = [self.forward(x[i : i + self.batch_size]) for i in batches]
        return np.concatenate(scores)

    def block_states(self):
        """Return the last batch before each block and after the last one.

        Returns
        -------
        list of array
            Views, which the next forward pass overwrites.
        """
        n = len(self._output)
        return [*(state.images()[:n] for state in self._states), self._output]

    def _fused(self, part):
        """Return a block between the last buffer and a new one."""
        h, last = self._states[-1], part.convolutions[-1]
        height, width = (-(-side // last.stride) for side in last.size)
        out = self._buffer((height, width), last.c_out)
        self._states.append(out)
        if part.kind != "residual":
            return FusedConvolution(last, h, out)
        a, skip = self._buffer(last.size, last.c_out), self.net.architecture.skip
        return FusedBlock(*part.convolutions, h, a, out, skip)

    def _readout_backward(self, grad_output):
        """Spread the gradient of the scores over the pixels of the last block."""
        last = self._states[-1]
        delta = self._scratch_like(last, f"delta {len(self._blocks) % 2}")
        grad_averages = grad_output @ self.net.readout
        n = len(grad_output)
        # What lies beyond n meets activations that are zero, in every gradient.
        delta.interior[:, :, :n] = grad_averages / (last.height * last.width)
        return delta

    def _load(self, x):
        image, most = self.net.architecture.image, self.batch_size
        if x.shape[1:] != image or len(x) > most:
            raise ValueError(
                f"x must be (n, {', '.join(map(str, image))}), n at most {most}; "
                f"got {x.shape}."
            )
        if x.dtype != np.float32:
            raise TypeError(f"x must be float32; got {x.dtype}.")
        first = self._states[0]
        first.interior[:, :, : len(x)] = x.transpose(1, 2, 0, 3)
        first.interior[:, :, len(x) :] = 0

    def _buffer(self, size, channels):
        return PaddedImages(self.batch_size, *size, channels)

    def _scratch_like(self, images, name):
        """Return a buffer of this shape, which the blocks of one stage share."""
        key = (name, images.array.shape, images.height, images.width)
        if key not in self._scratch:
            size = (images.height, images.width)
            self._scratch[key] = self._buffer(size, images.channels)
        return self._scratch[key]


def can_fuse(net):
    """Tell whether `FusedRunner` can run a net.

    Parameters
    ----------
    net : Net

    Returns
    -------
    bool
        True for an AllConvNet of NumPy's float32 whose strides divide the image sizes
        and whose channels never become fewer.
    """
    architecture = getattr(net, "architecture", None)
    if architecture is None:
        return False
    rows = architecture.convolutions()
    divides = all(side % row.stride == 0 for row in rows for side in row.size)
    grows = all(row.c_in <= row.c_out for row in rows[1:])
    return divides and grows and all(map(_is_plain_float32, net.params.values()))


def runner(net, *, batch_size, n_threads=None):
    """Return the fastest runner that there is for a net.

    Parameters
    ----------
    net : Net
    batch_size : int >= 1
        Largest batch of a forward pass.
    n_threads : int >= 1, optional
        Unless given, all cores. Results depend on it by rounding.

    Returns
    -------
    FusedRunner or Runner
        `FusedRunner` where `can_fuse`, else the definitions.
    """
    if can_fuse(net):
        return FusedRunner(net, batch_size=batch_size, team=Team(n_threads))
    return Runner(net)


def _is_plain_float32(array):
    return isinstance(array, np.ndarray) and array.dtype == np.float32
