"""Images of CIFAR's shape that nobody photographed, for tests and demonstrations."""

import numpy as np

from identity_edu.data.cifar.read import N_CHANNELS, SIDE, Images, format_of

CHUNK = 1000  # images drawn at once, 12 MB a plane: memory stays bounded


def generated_images(rng, name, n_train, n_test):
    """Draw images that a net can learn to tell apart, in CIFAR's shape.

    Each class has a colour, which a blob somewhere near the middle takes on, and
    stripes of its own direction, width and opposite colour, at a random phase; noise
    lies over all. They are generated: an accuracy on them says that a program works,
    and nothing of photographs.

    Parameters
    ----------
    rng : numpy.random.Generator
    name : {"cifar10", "cifar100"}
        Sets the number of classes.
    n_train, n_test : int >= 1
        Labels go round all classes, then are shuffled.

    Returns
    -------
    Images
        With class names ``generated 0`` and so on.

    Raises
    ------
    ValueError
        If `name` is another or a number of images is below 1.
    """
    n_classes = format_of(name).n_classes
    if min(n_train, n_test) < 1:
        raise ValueError(
            f"n_train and n_test must be at least 1; got {n_train} and {n_test}."
        )
    colours = rng.uniform(-1.0, 1.0, (n_classes, N_CHANNELS))
    angles = rng.uniform(0.0, np.pi, n_classes)
    waves = rng.uniform(1.0, 6.0, n_classes)[:, None] * np.stack(
        [np.cos(angles), np.sin(angles)], axis=1
    )
    parts = []
    for n in (n_train, n_test):
        labels = rng.permutation(np.arange(n) % n_classes)
        chunks = np.split(labels, range(CHUNK, n, CHUNK))
        x = np.concatenate([_draw(rng, colours[c], waves[c]) for c in chunks])
        parts += [x, labels.astype(np.int64)]
    return Images(*parts, tuple(f"generated {i}" for i in range(n_classes)))


def _draw(rng, colours, waves):
    """Draw one image for each row of `colours` and of `waves` (stripes an image)."""
    n = len(colours)
    row, column = np.mgrid[-0.5 : 0.5 : SIDE * 1j, -0.5 : 0.5 : SIDE * 1j]
    centre = rng.uniform(-0.2, 0.2, (2, n, 1, 1))
    phase = rng.uniform(0.0, 2 * np.pi, (n, 1, 1))
    blob = np.exp(-20.0 * ((row - centre[0]) ** 2 + (column - centre[1]) ** 2))
    across = waves[:, 0, None, None] * row + waves[:, 1, None, None] * column
    pattern = 70.0 * blob - 30.0 * np.sin(2 * np.pi * across + phase)
    noise = rng.standard_normal((n, SIDE, SIDE, N_CHANNELS), dtype=np.float32)
    x = 128.0 + pattern[..., None] * colours[:, None, None, :] + 20.0 * noise
    return x.clip(0.0, 255.0).astype(np.uint8)
