"""Find ImageNet's images and labels, without moving any of them.

Three layouts are told apart: class folders as torchvision makes them, Kaggle's
download with its flat validation folder, and the original archives with the devkit.
Images come in the order of their file names and labels number the sorted WordNet ids,
so that all three give the same data set.
"""

import csv
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from identity_edu.data.imagenet.images import decode
from identity_edu.data.imagenet.matlab import read_structs
from identity_edu.data.imagenet.sources import (
    Files,
    Stretches,
    folders_in,
    images_in,
    is_image,
    members_of,
)

SPLITS = ("train", "val")
KAGGLE_IMAGES = "ILSVRC/Data/CLS-LOC"
KAGGLE_LABELS = "LOC_val_solution.csv"
TARS = {split: f"ILSVRC2012_img_{split}.tar" for split in SPLITS}
DEVKIT = "ILSVRC2012_devkit_t12"


@dataclass(frozen=True)
class ImageNet:
    """Labelled images of any size, read from the disk one at a time.

    Attributes
    ----------
    labels : array of int64, shape (n,)
    class_names : tuple of str
        WordNet ids, sorted; ``class_names[labels[i]]`` is the class of image i.
    source : Files or Stretches
        Where the images lie.
    """

    labels: np.ndarray
    class_names: tuple[str, ...]
    source: Files | Stretches

    def __len__(self):
        """Return the number of images."""
        return len(self.labels)

    def image(self, i):
        """Return image `i` as an array of uint8, shape (height, width, 3)."""
        return decode(self.source.read(i), self.source.place(i))


def find_layout(root):
    """Tell in which layout ImageNet lies in a folder.

    Parameters
    ----------
    root : path-like

    Returns
    -------
    {"folders", "kaggle", "tars"}
        ``train/`` or ``val/`` with a folder for each class; ``ILSVRC/Data/CLS-LOC``
        with ``LOC_val_solution.csv``; ``ILSVRC2012_img_train.tar`` or ``..._val.tar``.

    Raises
    ------
    FileNotFoundError
        If it is none of them; the message says what was looked for.
    """
    root = Path(root)
    if (root / KAGGLE_IMAGES).is_dir():
        return "kaggle"
    if any(folders_in(root / split) for split in SPLITS):
        return "folders"
    if any((root / tar).is_file() for tar in TARS.values()):
        return "tars"
    raise FileNotFoundError(
        f"{root} holds no ImageNet. It must have train/ or val/ with a folder for each "
        f"class; or {KAGGLE_IMAGES}/ beside {KAGGLE_LABELS}; or {TARS['train']} or "
        f"{TARS['val']} (the latter with {DEVKIT}.tar.gz)."
    )


def open_imagenet(root, split):
    """List the images of one part of ImageNet, wherever they lie.

    Parameters
    ----------
    root : path-like
        In one of the layouts that `find_layout` knows.
    split : {"train", "val"}

    Returns
    -------
    ImageNet

    Raises
    ------
    FileNotFoundError
        If `root` has no known layout, or the part or its labels are missing.
    ValueError
        If `split` is another, an archive or list is damaged, or images and labels do
        not belong to each other.

    Notes
    -----
    Opening the archives reads the header of every image in them. No index is written.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}; got {split!r}.")
    root, layout = Path(root), find_layout(root)
    if layout == "tars":
        return (_train_tar if split == "train" else _val_tar)(root)
    images = root / KAGGLE_IMAGES if layout == "kaggle" else root
    if layout == "kaggle" and split == "val":
        return _kaggle_val(root, images)
    return _class_folders(images, split)


def _class_folders(root, split):
    folder = root / split
    found = [
        (name, wnid) for wnid in folders_in(folder) for name in images_in(folder / wnid)
    ]
    found.sort()
    names = [f"{wnid}/{name}" for name, wnid in found]
    classes = folders_in(root / "train") or folders_in(folder)
    return _dataset(folder, [w for _, w in found], classes, Files(folder, names))


def _kaggle_val(root, images):
    folder, table = images / "val", root / KAGGLE_LABELS
    if not (folder.is_dir() and table.is_file()):
        raise FileNotFoundError(
            f"the labels of {folder} must be in {table}; one of the two is missing."
        )
    with open(table, newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if len(row) == 2 and row[1].strip()]
    wnid_of = {name: boxes.split()[0] for name, boxes in rows[1:]}
    names = sorted(images_in(folder))
    unknown = [name for name in names if Path(name).stem not in wnid_of]
    if unknown:
        raise ValueError(f"{table} has no label for {len(unknown)}, as {unknown[0]}.")
    wnids = [wnid_of[Path(name).stem] for name in names]
    classes = folders_in(images / "train") or sorted(set(wnid_of.values()))
    return _dataset(folder, wnids, classes, Files(folder, names))


def _train_tar(root):
    """Read the archive of archives, one a class, in place."""
    path = _existing(root / TARS["train"])
    found = []
    for tar_name, start, size in members_of(path):
        wnid = Path(tar_name).stem
        inner = members_of(path, start=start, size=size)
        found += [(Path(name).name, wnid, *where) for name, *where in inner]
    return _in_tar(path, [row for row in found if is_image(row[0])])


def _val_tar(root):
    path = _existing(root / TARS["val"])
    wnid_of, truth = _devkit(root)
    rows = sorted((Path(n).name, *where) for n, *where in members_of(path))
    rows = [row for row in rows if is_image(row[0])]
    if len(rows) != len(truth) or not set(truth) <= set(wnid_of):
        raise ValueError(
            f"{path} must have one image for each label of {DEVKIT}, all of known "
            f"classes; got {len(rows)} images, {len(truth)} labels of "
            f"{len(set(truth))} classes, and names of {len(wnid_of)}."
        )
    labelled = zip(rows, truth, strict=True)
    found = [(name, wnid_of[number], *where) for (name, *where), number in labelled]
    return _in_tar(path, found, sorted(wnid_of.values()))


def _in_tar(path, found, classes=None):
    """Make a data set of rows (name, wnid, start, size)."""
    found.sort()
    wnids = [row[1] for row in found]
    starts, sizes = (np.array([row[k] for row in found], np.int64) for k in (2, 3))
    source = Stretches(path, starts, sizes)
    return _dataset(path, wnids, classes or sorted(set(wnids)), source)


def _devkit(root):
    """Return the WordNet id of each class number, and the number of each image."""
    files = ("data/meta.mat", "data/ILSVRC2012_validation_ground_truth.txt")
    folder, archive = root / DEVKIT, root / f"{DEVKIT}.tar.gz"
    if folder.is_dir():
        meta, truth = (_existing(folder / file).read_bytes() for file in files)
    else:
        try:
            with tarfile.open(_existing(archive), "r:gz") as tar:
                meta, truth = (
                    tar.extractfile(f"{DEVKIT}/{file}").read() for file in files
                )
        except (tarfile.TarError, EOFError, KeyError) as error:
            raise ValueError(f"{archive} lacks {files}: {error}.") from error
    try:
        synsets = read_structs(meta, "synsets")
        leaves = [s for s in synsets if int(s["num_children"][0]) == 0]
        return (
            {int(s["ILSVRC2012_ID"][0]): s["WNID"] for s in leaves},
            [int(number) for number in truth.split()],
        )
    except (ValueError, LookupError, TypeError) as error:
        raise ValueError(f"the class numbers of {DEVKIT}: {error}.") from error


def _existing(path):
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing.")
    return path


def _dataset(place, wnids, classes, source):
    if not wnids:
        raise FileNotFoundError(f"{place} holds no images in class folders.")
    number = {wnid: i for i, wnid in enumerate(classes)}
    unknown = sorted(set(wnids) - set(number))
    if unknown:
        raise ValueError(f"{place} has classes that train has not: {unknown[:5]}.")
    labels = np.array([number[wnid] for wnid in wnids], np.int64)
    return ImageNet(labels, tuple(classes), source)
