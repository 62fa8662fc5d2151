"""Write images as CIFAR's authors did: the same files, keys, order and archive.

Small data sets in exactly the official format let every step, from the download to
the training, be tested without the official 170 MB.
"""

import tarfile
from pathlib import Path

import numpy as np

from identity_edu.data.cifar import pickles
from identity_edu.data.cifar.read import N_CHANNELS, N_VALUES, SIDE, format_of

FINE_PER_COARSE = 5  # CIFAR-100 has 20 groups of 5 classes


def write_cifar(folder, images, name):
    """Write a data set in the format of the extracted official archive.

    Parameters
    ----------
    folder : path-like
        Made if absent.
    images : Images
        At least one training image for each file: 5 for ``cifar10``.
    name : {"cifar10", "cifar100"}
        For ``cifar100``, coarse labels are made up: classes 0 to 4 are group 0, and so
        on.

    Returns
    -------
    pathlib.Path
        ``cifar-10-batches-py`` or ``cifar-100-python`` in `folder`.

    Raises
    ------
    ValueError
        If `name` is another, images are not uint8 of shape (n, 32, 32, 3) with one
        label each, class names are too few or too many, or a file would be empty.
    """
    kind = format_of(name)
    target = Path(folder) / kind.folder
    if len(images.class_names) != kind.n_classes:
        raise ValueError(
            f"{name} has {kind.n_classes} class names; got {len(images.class_names)}."
        )
    train = _split(images.x_train, images.labels_train, kind.train)
    test = _split(images.x_test, images.labels_test, (kind.test,))
    contents = {kind.meta: _meta(kind, images)}
    for role, files in (("training", train), ("testing", test)):
        for i, (file, (x, labels)) in enumerate(files.items(), start=1):
            title = f"{role} batch {i} of {len(files)}".encode()
            contents[file] = _batch(kind, title, x, [int(label) for label in labels])
    target.mkdir(parents=True, exist_ok=True)
    for file, content in contents.items():
        (target / file).write_bytes(pickles.dump(content))
    return target


def pack_cifar(folder, archive):
    """Pack a folder into a ``.tar.gz`` with the layout of the official one.

    Parameters
    ----------
    folder : path-like
        From `write_cifar`.
    archive : path-like
        The file to write.

    Returns
    -------
    pathlib.Path
        The archive.
    """
    folder, archive = Path(folder), Path(archive)
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        tar.add(folder, arcname=folder.name)
    return archive


def _split(x, labels, files):
    """Share images out to files, in order."""
    if x.dtype != np.uint8 or x.shape[1:] != (SIDE, SIDE, N_CHANNELS):
        raise ValueError(
            f"images must be uint8 of shape (n, {SIDE}, {SIDE}, {N_CHANNELS}); "
            f"got {x.dtype} of shape {x.shape}."
        )
    if len(labels) != len(x) or len(x) < len(files):
        raise ValueError(
            f"{len(files)} files need at least one image each, and a label for every "
            f"image; got {len(x)} images and {len(labels)} labels."
        )
    shares = np.array_split(np.arange(len(x)), len(files))
    return {
        f: (x[share], labels[share]) for f, share in zip(files, shares, strict=True)
    }


def _meta(kind, images):
    names = [name.encode("latin-1") for name in images.class_names]
    if kind.labels_key == b"labels":
        n_cases = -(-len(images.x_train) // len(kind.train))
        content = {b"num_cases_per_batch": n_cases, kind.names_key: names}
        return content | {b"num_vis": N_VALUES}
    groups = [f"group {i}".encode() for i in range(kind.n_classes // FINE_PER_COARSE)]
    return {kind.names_key: names, b"coarse_label_names": groups}


def _batch(kind, title, x, labels):
    rows = x.transpose(0, 3, 1, 2).reshape(-1, N_VALUES)
    names = [f"generated_{i:06d}.png".encode() for i in range(len(x))]
    if kind.labels_key == b"labels":
        content = {b"batch_label": title, b"labels": labels, b"data": rows}
        return content | {b"filenames": names}
    coarse = [label // FINE_PER_COARSE for label in labels]
    content = {b"filenames": names, b"batch_label": title, b"fine_labels": labels}
    return content | {b"coarse_labels": coarse, b"data": rows}
