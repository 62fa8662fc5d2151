"""Read CIFAR-10 and CIFAR-100 from the files of the official Python archives."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from identity_edu.data.cifar import pickles

SIDE, N_CHANNELS = 32, 3
N_VALUES = N_CHANNELS * SIDE * SIDE


@dataclass(frozen=True)
class Format:
    """What the files of one data set are called, and what they call their parts.

    Attributes
    ----------
    folder, meta, test : str
        The archive's folder, and two files in it.
    train : tuple of str
        Files, in order.
    names_key, labels_key : bytes
        Of the class names in `meta`, and of the labels in the other files.
    n_classes : int
    """

    folder: str
    meta: str
    train: tuple[str, ...]
    test: str
    names_key: bytes
    labels_key: bytes
    n_classes: int


FORMATS = {
    "cifar10": Format(
        folder="cifar-10-batches-py",
        meta="batches.meta",
        train=tuple(f"data_batch_{i}" for i in range(1, 6)),
        test="test_batch",
        names_key=b"label_names",
        labels_key=b"labels",
        n_classes=10,
    ),
    "cifar100": Format(
        folder="cifar-100-python",
        meta="meta",
        train=("train",),
        test="test",
        names_key=b"fine_label_names",
        labels_key=b"fine_labels",
        n_classes=100,
    ),
}


@dataclass(frozen=True)
class Images:
    """Images with labels, in a part to learn from and a part to be tested on.

    Attributes
    ----------
    x_train, x_test : array of uint8, shape (n, 32, 32, 3)
        Row after row of an image from its top, each pixel red, green, blue.
    labels_train, labels_test : array of int64, shape (n,)
        From 0.
    class_names : tuple of str
        One for each label.
    """

    x_train: np.ndarray
    labels_train: np.ndarray
    x_test: np.ndarray
    labels_test: np.ndarray
    class_names: tuple[str, ...]


def format_of(name):
    """Look up what the files of a data set are called.

    Parameters
    ----------
    name : {"cifar10", "cifar100"}

    Returns
    -------
    Format

    Raises
    ------
    ValueError
        If `name` is another.
    """
    if name not in FORMATS:
        raise ValueError(f"name must be one of {', '.join(FORMATS)}; got {name!r}.")
    return FORMATS[name]


def read_cifar(source, name):
    """Read a data set from the extracted files of its official archive.

    The files are pickles; they are read without running anything in them.

    Parameters
    ----------
    source : path-like
        The folder ``cifar-10-batches-py`` or ``cifar-100-python``, or the one it is in.
    name : {"cifar10", "cifar100"}

    Returns
    -------
    Images
        CIFAR-100 with its 100 fine labels.

    Raises
    ------
    FileNotFoundError
        If `source` holds no such files, or lacks one of them.
    ValueError
        If `name` is another, or a file is damaged: truncated, of another shape, with
        labels out of range, or no such pickle. The message names the file.

    References
    ----------
    Krizhevsky (2009), Learning Multiple Layers of Features from Tiny Images.
    """
    kind = format_of(name)
    folder = _find_folder(Path(source), kind, name)
    class_names = _read_names(folder / kind.meta, kind)
    parts = [_read_batch(folder / file, kind) for file in kind.train]
    x_train, labels_train = (np.concatenate(part) for part in zip(*parts, strict=True))
    x_test, labels_test = _read_batch(folder / kind.test, kind)
    return Images(x_train, labels_train, x_test, labels_test, class_names)


def _find_folder(source, kind, name):
    for folder in (source / kind.folder, source):
        if (folder / kind.meta).is_file():
            missing = [
                f for f in (*kind.train, kind.test) if not (folder / f).is_file()
            ]
            if missing:
                raise FileNotFoundError(f"{folder} lacks {', '.join(missing)}.")
            return folder
    raise FileNotFoundError(
        f"{name} must lie in {source / kind.folder} or {source}, beside a file "
        f"{kind.meta}; there is none. `identity-edu fetch {name}` brings it."
    )


def _read_names(path, kind):
    names = pickles.load(path).get(kind.names_key)
    if not (_is_list_of(names, bytes) and len(names) == kind.n_classes):
        raise ValueError(
            f"{path} must list {kind.n_classes} class names under "
            f"{kind.names_key.decode()}; got {_brief(names)}."
        )
    return tuple(name.decode("latin-1") for name in names)


def _read_batch(path, kind):
    """Return the images and labels of one file, checked."""
    content = pickles.load(path)
    rows, labels = content.get(b"data"), content.get(kind.labels_key)
    if not (isinstance(rows, np.ndarray) and rows.shape[1:] == (N_VALUES,)):
        got = getattr(rows, "shape", _brief(rows))
        raise ValueError(f"{path} must hold data of shape (n, {N_VALUES}); got {got}.")
    if not (_is_list_of(labels, int) and len(labels) == len(rows) > 0):
        raise ValueError(
            f"{path} must list one label for each of its {len(rows)} images, at least "
            f"one, under {kind.labels_key.decode()}; got {_brief(labels)}."
        )
    if not 0 <= min(labels) <= max(labels) < kind.n_classes:
        raise ValueError(
            f"{path} must have labels from 0 to {kind.n_classes - 1}; "
            f"got {min(labels)} to {max(labels)}."
        )
    # A row holds all reds, then all greens, then all blues.
    x = rows.reshape(-1, N_CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(x), np.array(labels, np.int64)


def _is_list_of(values, kind):
    return isinstance(values, list) and all(isinstance(value, kind) for value in values)


def _brief(value):
    if value is None:
        return "nothing"
    return f"{len(value)} values" if isinstance(value, list) else type(value).__name__
