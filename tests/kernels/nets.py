"""Small nets with examples, and all launches of a step of any net, without memory."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from identity_edu.allconv import Architecture, Stage
from identity_edu.allconv.device_step import DeviceStep, load_examples
from identity_edu.launch import PaperDevice

SMALL = Architecture(image=(7, 5, 3), stages=(Stage(1, 16), Stage(2, 24, 2)), stem=8)
NETS = {
    "residual": SMALL,
    "plain": replace(SMALL, skip=False),
    "1 x 1 transitions": replace(SMALL, transition="convolution"),
    "narrowing": replace(SMALL, stages=(Stage(1, 24, 2), Stage(1, 16))),
    "odd channels": replace(SMALL, stages=(Stage(1, 9), Stage(1, 11, 3)), stem=7),
    "100 classes": replace(SMALL, stages=(Stage(1, 16, 2),), n_classes=100),
    "stem with a stride": replace(SMALL, stages=(Stage(1, 8),), stem_stride=2),
}
STATISTICS = (
    np.array([0.4, 0.5, 0.6], np.float32),
    np.array([0.2, 0.3, 0.25], np.float32),
)


def drawn(rng, architecture, n):
    """Draw images of bytes, and labels."""
    images = rng.integers(0, 256, (n, *architecture.image), dtype=np.uint8)
    return images, rng.integers(0, architecture.n_classes, n)


def outlined(architecture, batch_size, dtype, levels=np.uint8):
    """Return a step without memory, whose launches can be listed and counted."""
    device = PaperDevice()
    channels = architecture.stages[-1].channels
    readout = np.zeros((architecture.n_classes, channels), np.float32)
    images = np.zeros((1, *architecture.image), levels)
    statistics = STATISTICS if levels == np.uint8 else None
    examples = load_examples(device, images, np.zeros(1, int), statistics)
    return DeviceStep(
        device,
        SimpleNamespace(architecture=architecture, readout=readout),
        (examples, examples),
        batch_size=batch_size,
        series=1,
        dtype=dtype,
    )
