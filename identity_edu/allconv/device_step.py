"""The training step of an all-convolutional net as one graph on a device.

Examples, order, shifts and rates of a series of steps lie on the device before it
begins, and losses gather there. So a step asks nothing of the host but to replay it.
"""

from dataclasses import dataclass

import numpy as np

from identity_edu.allconv import cuda
from identity_edu.allconv.device_net import DeviceNet
from identity_edu.allconv.device_norms import Norms
from identity_edu.allconv.device_weights import Descent
from identity_edu.launch import BF16

LEVELS = 255  # of an image of bytes


@dataclass(frozen=True)
class DeviceExamples:
    """Images and labels on the device, and what standardises them.

    Attributes
    ----------
    images : device array, shape (n, height, width, channels)
        uint8, or float32.
    labels : device array of int32, shape (n,)
    mean, deviation : device array of float32, shape (channels,)
        Images are divided by `levels` first.
    levels : float
    """

    images: object
    labels: object
    mean: object
    deviation: object
    levels: float


def load_examples(device, images, labels, statistics=None):
    """Copy examples to a device.

    Parameters
    ----------
    device : identity_edu.device.CudaDevice
    images : numpy.ndarray, shape (n, height, width, channels)
        uint8 with statistics, or float32, as the net takes them.
    labels : numpy.ndarray of int, shape (n,)
    statistics : tuple of numpy.ndarray, optional
        Mean and standard deviation of each channel, of levels from 0 to 1.

    Returns
    -------
    DeviceExamples
    """
    channels = images.shape[-1]
    if statistics is None:
        statistics = np.zeros(channels), np.ones(channels)
        images = images.astype(np.float32)
    moments = (device.upload(np.asarray(m, np.float32)) for m in statistics)
    levels = LEVELS if images.dtype == np.uint8 else 1
    labels = device.upload(labels.astype(np.int32))
    return DeviceExamples(device.upload(images), labels, *moments, levels)


class DeviceStep:
    """Everything that one training step needs, on a device.

    Parameters
    ----------
    device : identity_edu.device.CudaDevice
    net : identity_edu.allconv.AllConvNet
    examples : tuple of DeviceExamples
        For training, and to measure.
    batch_size : int >= 1
    series : int >= 1
        Most steps in one series.
    pad : int >= 0
        Pixels of zeros around a training image that shifts may reach.
    momentum, weight_decay : float
    dtype : {BF16, numpy.float32}

    Attributes
    ----------
    launches, observed : list of Launch
        One step; and one that leaves the norms too.
    """

    def __init__(  # noqa: PLR0913 - what a recipe says of a step
        self,
        device,
        net,
        examples,
        *,
        batch_size,
        series,
        pad=0,
        momentum=0.9,
        weight_decay=0.0,
        dtype=BF16,
    ):
        self.device, self.batch_size = device, batch_size
        self.net = DeviceNet(device, net, batch_size=batch_size, dtype=dtype)
        self._plan = device.zeros((series, batch_size, 4), np.int32)
        self._rates = device.zeros((series,), np.float32)
        self._step = device.zeros((1,), np.int32)
        self._history = (
            device.zeros((series,), np.float32),
            device.zeros((series,), np.int32),
        )
        self._start = np.zeros(1, np.int32)
        self._readout = device.upload(np.ascontiguousarray(net.readout, np.float32))
        self._classes = self._class_arrays(len(net.readout))
        training, held_out = examples
        descent = Descent(self._rates, self._step, momentum, weight_decay)
        self._evaluation = self._evaluation_launches(held_out)
        self._norms = Norms(device, self.net)
        self.launches = self._training_launches(training, descent, pad, norms=None)
        self.observed = self._training_launches(training, descent, pad, self._norms)
        self._graphs = {}

    @property
    def labels(self):
        """Labels of the last batch, on the device."""
        return self._classes["labels"]

    def prepare(self):
        """Compile and record all that is replayed later, so that no step waits.

        Raises
        ------
        RuntimeError
            If a source does not compile, or the driver refuses it.
        """
        for launches in (self.launches, self.observed, self._evaluation):
            self._graph(launches)

    def begin(self, plan, rates):
        """Set out for a series of steps.

        Parameters
        ----------
        plan : numpy.ndarray of int, shape (steps, batch_size, 4)
            As `identity_edu.allconv.cuda.draw_batch` reads it.
        rates : numpy.ndarray, shape (steps,)
            Learning rates.
        """
        n = len(plan)
        self.device.upload(plan.astype(np.int32), out=self._plan[:n])
        self.device.upload(np.asarray(rates, np.float32), out=self._rates[:n])
        self.device.upload(self._start, out=self._step)

    def replay(self, *, is_observed=False):
        """Start the next step of the series, and do not wait for it.

        Parameters
        ----------
        is_observed : bool
            Whether `norms` shall tell of it.
        """
        self._graph(self.observed if is_observed else self.launches).replay()

    def history(self, n):
        """Wait for the first steps of the series, and return what they found.

        Parameters
        ----------
        n : int >= 1

        Returns
        -------
        tuple of numpy.ndarray, shape (n,)
            Mean loss in nats and number of right answers, each before its step.
        """
        losses, right = (self.device.download(array) for array in self._history)
        return losses[:n], right[:n]

    def norms(self):
        """Return the norms that the last observed step left.

        Returns
        -------
        dict
            From `Norms.read`.
        """
        return self._norms.read()

    def scores(self, indices):
        """Score held-out images.

        Parameters
        ----------
        indices : numpy.ndarray of int, shape (n,)
            At most `batch_size` of them.

        Returns
        -------
        numpy.ndarray of float32, shape (n, n_classes)
        """
        plan = np.zeros((1, self.batch_size, 4), np.int32)
        plan[0, : len(indices), 0] = indices
        self.begin(plan, np.zeros(1))
        self._graph(self._evaluation).replay()
        return self.device.download(self._classes["scores"])[: len(indices)]

    def _graph(self, launches):
        key = id(launches)
        if key not in self._graphs:
            self._graphs[key] = self.device.capture(launches)
        return self._graphs[key]

    def _class_arrays(self, n_classes):
        """Return the arrays with a row for each image of the batch."""
        n, empty = self.batch_size, self.device.empty
        return {
            "labels": empty((n,), np.int32),
            "scores": empty((n, n_classes), np.float32),
            "grad_scores": empty((n, n_classes), np.float32),
            "losses": empty((n,), np.float32),
            "right": empty((n,), np.int32),
        }

    def _draw(self, examples, pad):
        x, labels = self.net.states[0], self._classes["labels"]
        return cuda.draw_batch(examples, self._plan, self._step, x, labels, pad=pad)

    def _evaluation_launches(self, examples):
        h, scores = self.net.states[-1], self._classes["scores"]
        end = cuda.classify(h, self._readout, scores)
        return [self._draw(examples, 0), *self.net.forward(), end]

    def _training_launches(self, examples, descent, pad, norms):
        net, arrays = self.net, self._classes
        h, delta = net.states[-1], net.delta(len(net.parts))
        labels, scores, *rest = arrays.values()
        launches = [
            self._draw(examples, pad),
            *net.forward(),
            cuda.classify(h, self._readout, scores, (labels, *rest, delta)),
        ]
        if norms is None:
            launches += net.backward(descent)
        else:
            launches += norms.of_states(scores, arrays["grad_scores"])
            launches += net.backward(descent, norms.of_gradient, norms.weights)
        _, _, _, losses, right = arrays.values()
        return [*launches, cuda.end_step(losses, right, self._history, self._step)]
