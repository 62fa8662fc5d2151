"""The same training steps on a device and in NumPy, to be compared.

In NumPy either as the package trains in float32, or in float64 with a rounding to bf16
wherever the device stores a number: states, hidden layers, gradients at them, and the
kernels that convolutions read; not the parameters that steps are added to.
"""

from dataclasses import dataclass, replace

import numpy as np

from identity_edu import allconv, nets, optim
from identity_edu.allconv.device_step import DeviceStep, load_examples
from identity_edu.data import augment
from identity_edu.nets import Block, Layer
from identity_edu.ops import softmax_cross_entropy, softmax_cross_entropy_backward
from kernels.nets import STATISTICS, drawn
from kernels.numbers import exact, nearest_bf16


def to_bf16(x):
    """Round float64 to numbers of bf16."""
    return exact(nearest_bf16(x))


ROUND = Layer(to_bf16, lambda delta, _h: to_bf16(delta))
BATCH, PAD = 5, 1
OPTIONS = {"momentum": 0.9, "weight_decay": 1e-3}


@dataclass(frozen=True)
class Problem:
    """A net with examples, others to measure it, and which of them every step sees."""

    net: allconv.AllConvNet
    images: np.ndarray
    labels: np.ndarray
    held_out: tuple
    plan: np.ndarray
    rates: np.ndarray

    def batch(self, i):
        """Return images and labels of a step, cut out of padded images one by one."""
        height, width, _ = self.images.shape[1:]
        x = augment.standardise(self.images[self.plan[i, :, 0]], *STATISTICS)
        x = np.pad(x, ((0, 0), (PAD, PAD), (PAD, PAD), (0, 0)))
        cut = []
        for image, (_, top, left, mirrored) in zip(x, self.plan[i], strict=True):
            part = image[top : top + height, left : left + width]
            cut.append(part[:, ::-1] if mirrored else part)
        return np.stack(cut), self.labels[self.plan[i, :, 0]]


def problem(architecture, n_steps, init="he"):
    """Make a problem of a small net."""
    rng = np.random.default_rng(7)
    net = allconv.init_net(rng, architecture, init=init)
    images, labels = drawn(rng, architecture, 12)
    held_out = drawn(rng, architecture, 9)
    plan = np.zeros((n_steps, BATCH, 4), int)
    plan[..., 0] = rng.integers(0, len(images), (n_steps, BATCH))
    plan[..., 1:3] = rng.integers(0, 2 * PAD + 1, (n_steps, BATCH, 2))
    plan[..., 3] = rng.integers(0, 2, (n_steps, BATCH))
    rates = np.where(np.arange(n_steps) < n_steps / 2, 0.02, 0.005)
    return Problem(net, images, labels, held_out, plan, rates)


def device_step(device, made, dtype):
    """Return a step on a device, with the problem's parameters, and set out."""
    examples = tuple(
        load_examples(device, *some, STATISTICS)
        for some in ((made.images, made.labels), made.held_out)
    )
    settings = {"batch_size": BATCH, "series": len(made.plan), "pad": PAD}
    settings |= OPTIONS | {"dtype": dtype}
    step = DeviceStep(device, made.net, examples, **settings)
    zeros = {name: np.zeros_like(p) for name, p in made.net.params.items()}
    step.net.load(made.net.params, zeros)
    step.begin(made.plan, made.rates)
    return step


def saved(step, made):
    """Return parameters and velocities of a step, by kind and name."""
    params, velocity = (
        {name: np.full_like(p, np.nan) for name, p in made.net.params.items()}
        for _ in range(2)
    )
    step.net.save(params, velocity)
    return {"params": params, "velocity": velocity}


@dataclass
class NumpySteps:
    """A net in training, by the package's nets and its descent."""

    made: Problem
    is_rounded: bool = False

    def __post_init__(self):
        """Start with the problem's parameters."""
        dtype = np.float64 if self.is_rounded else np.float32
        self.params = {n: p.astype(dtype) for n, p in self.made.net.params.items()}
        self.sgd = optim.SGD(
            self.params, lambda i: float(self.made.rates[i]), **OPTIONS
        )

    def take_over(self, params, velocity):
        """Go on from where another runner is."""
        for name, p in self.params.items():
            p[...] = params[name]
            self.sgd.velocity[name][...] = velocity[name]

    def net(self):
        """Return the net that the next step sees."""
        params, blocks = self.params, self.made.net.blocks
        if self.is_rounded:
            params = {name: to_bf16(p) for name, p in params.items()}
            blocks = rounded(blocks)
        return replace(self.made.net, params=params, blocks=blocks)

    def step(self, watch=nets.look_away):
        """Take a step; return loss, right answers, states and gradient before it."""
        net, (x, labels) = self.net(), self.made.batch(self.sgd.n_steps)
        scores, cache = nets.forward(net, x.astype(self.params["stem.W"].dtype))
        loss = softmax_cross_entropy(scores, labels)
        n_right = int((scores.argmax(1) == labels).sum())
        delta = softmax_cross_entropy_backward(scores, labels)
        grad = nets.backward(net, cache, delta, watch)
        self.sgd.step(grad)
        return loss, n_right, nets.block_states(scores, cache), grad


def rounded(blocks):
    """Put a rounding wherever a device stores a number, on the way and back."""
    result = [Block((ROUND,), skip=None)]
    for block in blocks[:-1]:
        branch = []
        for layer in block.branch:
            branch += [layer] if layer.params else [layer, ROUND]
        skip = (ROUND, *block.skip, ROUND) if block.skip else block.skip
        result += [Block(tuple(branch), skip), Block((ROUND,), skip=None)]
    return (*result, blocks[-1])


def distance(a, b):
    """Return the relative difference of dicts of arrays, all of them together."""
    difference = np.sqrt(sum(np.sum((a[k] - b[k].astype(float)) ** 2) for k in b))
    return difference / np.sqrt(sum(np.sum(b[k].astype(float) ** 2) for k in b))
