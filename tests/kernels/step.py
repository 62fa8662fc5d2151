"""Checks of the kernels beside the convolutions, against what runs on a processor."""

from dataclasses import dataclass

import numpy as np

from identity_edu import allconv, ops
from identity_edu.allconv import cuda
from identity_edu.allconv.device_step import load_examples
from identity_edu.bf16 import to_bf16_bits
from identity_edu.data import augment
from identity_edu.launch import BF16
from kernels.numbers import FLOAT, TYPES, assert_stored, exact, numbers, unwritten


@dataclass(frozen=True)
class Draw:
    """A batch out of examples."""

    n: int
    image: tuple[int, int, int]
    pad: int
    dtype: np.dtype = FLOAT
    levels: type = np.uint8  # of the examples
    stored: int | None = None  # channels of the batch, unless as many

    def __str__(self):
        """Name the case."""
        sizes = "x".join(map(str, (self.n, *self.image)))
        words = f"{np.dtype(self.levels)}-{TYPES[self.dtype]}-{self.stored or ''}"
        return f"{sizes}-pad{self.pad}-{words}".rstrip("-")


def check_draw(device, case):
    """Draw a batch as NumPy does, from the same draws, to the bit; return it."""
    rng = np.random.default_rng([case.n, *case.image])
    n_examples, n_steps, step = case.n + 3, 3, 2
    images = rng.integers(0, 256, (n_examples, *case.image)).astype(case.levels)
    labels = rng.integers(0, 10, n_examples)
    chosen, statistics = rng.integers(0, n_examples, case.n), None
    x = images[chosen]
    if case.levels == np.uint8:
        channels = case.image[2:]
        statistics = rng.random(channels), 0.1 + rng.random(channels)
        x = augment.standardise(x, *statistics)
    expected = augment.augment(x, np.random.default_rng(5), pad=case.pad)
    plan = np.full((n_steps, case.n, 4), -1, np.int32)  # only one row may be read
    plan[step] = np.column_stack([chosen, *_draws(5, case.n, case.pad)])

    size = (case.n, *case.image[:2], case.stored or case.image[2])
    there = unwritten(device, size, case.dtype)
    drawn = unwritten(device, (case.n,), np.int32)
    examples = load_examples(device, images, labels, statistics)
    at = device.upload(plan), device.upload(np.array([step], np.int32))
    device.run([cuda.draw_batch(examples, *at, there, drawn, pad=case.pad)])
    batch, channels = device.download(there), case.image[2]
    if case.dtype == BF16:
        expected = to_bf16_bits(expected)
    np.testing.assert_array_equal(batch[..., :channels], expected)
    assert not batch[..., channels:].any()
    np.testing.assert_array_equal(device.download(drawn), labels[chosen])
    return batch


def _draws(seed, n, pad):
    """Repeat what `augment` draws: rows and columns cut off, and who is mirrored."""
    rng = np.random.default_rng(seed)
    top, left = rng.integers(0, 2 * pad + 1, (2, n))
    return top, left, rng.random(n) < 0.5


@dataclass(frozen=True)
class Skip:
    """A skip to another shape."""

    size: tuple[int, int, int]  # n, height, width
    c_in: int
    c_out: int
    stride: int = 2
    dtype: np.dtype = FLOAT

    def __str__(self):
        """Name the case."""
        sizes = "x".join(map(str, self.size))
        return f"{sizes}-{self.c_in}to{self.c_out}-{self.stride}-{TYPES[self.dtype]}"


def check_shortcut(device, case):
    """Run the skip; return what it stored."""
    h, y_size = _skip_arrays(case)
    y = unwritten(device, y_size, case.dtype)
    device.run([cuda.shortcut(device.upload(h), y, stride=case.stride)])
    options = {"stride": case.stride, "channels": case.c_out}
    stored = device.download(y)
    assert_stored(stored, allconv.shortcut(exact(h), **options), rtol=1e-6)
    return stored


def check_shortcut_backward(device, case):
    """Run the gradient along the skip; return what it stored."""
    h, y_size = _skip_arrays(case)
    grad_y = numbers(np.random.default_rng(y_size), y_size, case.dtype)
    grad_h = unwritten(device, h.shape, case.dtype)
    launch = cuda.shortcut_backward(device.upload(grad_y), grad_h, stride=case.stride)
    device.run([launch])
    stored, (there, here) = device.download(grad_h), map(exact, (grad_y, h))
    expected = allconv.shortcut_backward(there, here, stride=case.stride)
    assert_stored(stored, expected, rtol=1e-6)
    return stored


def _skip_arrays(case):
    n, *size = case.size
    h = numbers(np.random.default_rng(case.size), (n, *size, case.c_in), case.dtype)
    return h, (n, *(-(-s // case.stride) for s in size), case.c_out)


@dataclass(frozen=True)
class End:
    """The end of a net, with labels or without."""

    size: tuple[int, int, int]
    c: int
    n_classes: int
    dtype: np.dtype = FLOAT
    is_training: bool = True

    def __str__(self):
        """Name the case."""
        sizes = "x".join(map(str, self.size))
        words = "training" if self.is_training else "scores"
        return f"{sizes}x{self.c}-{self.n_classes}-{TYPES[self.dtype]}-{words}"


def check_classify(device, case):
    """Score images and start the gradient; return all that was stored, in a row."""
    rng, n = np.random.default_rng([*case.size, case.c]), case.size[0]
    h = numbers(rng, (*case.size, case.c), case.dtype)
    readout = numbers(rng, (case.n_classes, case.c), FLOAT)
    labels = rng.integers(0, case.n_classes, n).astype(np.int32)
    averages = allconv.global_average(exact(h))
    best = (averages[0] @ exact(readout).T).argmax()
    expected = averages @ exact(readout).T
    if case.n_classes > 2:  # of equal scores the first counts as the highest
        readout[best - 1] = readout[best]
        expected[:, best - 1] = expected[:, best]
    labels[0] = expected[0].argmax()  # one is right
    sizes = {"scores": (n, case.n_classes), "grad_scores": (n, case.n_classes)}
    sizes |= {"losses": (n,), "right": (n,)}
    there = {
        name: unwritten(device, size, np.int32 if name == "right" else np.float32)
        for name, size in sizes.items()
    }
    there["grad_h"] = unwritten(device, h.shape, case.dtype)
    training = (device.upload(labels), *list(there.values())[1:])
    arrays = device.upload(h), device.upload(readout), there["scores"]
    device.run([cuda.classify(*arrays, training if case.is_training else None)])
    found = {name: device.download(array) for name, array in there.items()}
    assert_stored(found["scores"], expected)
    if not case.is_training:
        return found["scores"].astype(np.float64)
    grad_scores = ops.softmax_cross_entropy_backward(expected, labels)
    losses = [
        ops.softmax_cross_entropy(expected[i : i + 1], labels[i : i + 1])
        for i in range(n)
    ]
    assert_stored(found["losses"], np.array(losses))
    assert_stored(found["grad_scores"], grad_scores)
    np.testing.assert_array_equal(found["right"], expected.argmax(1) == labels)
    grad_averages = grad_scores @ exact(readout)
    grad_h = allconv.global_average_backward(grad_averages, exact(h))
    assert_stored(found["grad_h"], grad_h)
    return np.concatenate([array.ravel().astype(float) for array in found.values()])


@dataclass(frozen=True)
class Count:
    """A batch whose losses are averaged, or a number of squares to be added."""

    n: int
    dtype: np.dtype = FLOAT
    is_difference: bool = False

    def __str__(self):
        """Name the case."""
        words = "difference" if self.is_difference else "alone"
        return f"{self.n}-{TYPES[self.dtype]}-{words}"


def check_end_step(device, case):
    """Write two lines of a history of four, and move on twice; return the losses."""
    rng = np.random.default_rng(case.n)
    losses = numbers(rng, (case.n,), FLOAT)
    right = rng.integers(0, 2, case.n).astype(np.int32)
    history = [unwritten(device, (4,), t) for t in (np.float32, np.int32)]
    step = device.upload(np.array([1], np.int32))
    launch = cuda.end_step(device.upload(losses), device.upload(right), history, step)
    device.run([launch, launch])
    means, n_right = map(device.download, history)
    assert device.download(step)[0] == 3
    assert_stored(means[1:3], np.full(2, losses.mean(dtype=float)), rtol=1e-6)
    np.testing.assert_array_equal(n_right, [-1, right.sum(), right.sum(), -1])
    assert np.isnan(means[[0, 3]]).all()
    return means


def check_sum_squares(device, case):
    """Add up squares; return the parts."""
    rng = np.random.default_rng(case.n)
    x, y = (numbers(rng, (case.n,), case.dtype) for _ in range(2))
    parts = unwritten(device, (cuda.SQUARE_BLOCKS,), np.float32)
    other = device.upload(y) if case.is_difference else None
    device.run([cuda.sum_squares(device.upload(x), parts, y=other)])
    difference = exact(x) - exact(y) * case.is_difference
    stored = device.download(parts)
    assert_stored(np.atleast_1d(stored.sum()), np.atleast_1d((difference**2).sum()))
    return stored
