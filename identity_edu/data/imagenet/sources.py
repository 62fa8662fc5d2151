"""Where the bytes of images lie: files in folders, or stretches of a tar archive."""

import os
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SUFFIXES = (".jpeg", ".jpg", ".png")


@dataclass(frozen=True)
class Files:
    """Images that are files of their own.

    Attributes
    ----------
    folder : pathlib.Path
    names : list of str
        Paths in the folder.
    """

    folder: Path
    names: list[str]

    def read(self, i):
        """Return the bytes of image `i`."""
        return (self.folder / self.names[i]).read_bytes()

    def place(self, i):
        """Say where image `i` lies."""
        return str(self.folder / self.names[i])


@dataclass(frozen=True)
class Stretches:
    """Images that are stretches of one file.

    Attributes
    ----------
    file : pathlib.Path
    starts, sizes : array of int64, shape (n,)
        In bytes.
    """

    file: Path
    starts: np.ndarray
    sizes: np.ndarray

    def read(self, i):
        """Return the bytes of image `i`."""
        with open(self.file, "rb") as file:
            file.seek(self.starts[i])
            return file.read(self.sizes[i])

    def place(self, i):
        """Say where image `i` lies."""
        return f"{self.file}, {self.sizes[i]} bytes from {self.starts[i]}"


def folders_in(folder):
    """List the folders in a folder.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    list of str
        Sorted names; none if `folder` is absent. Hidden ones are left out.
    """
    if not os.path.isdir(folder):
        return []
    with os.scandir(folder) as entries:
        names = [e.name for e in entries if e.is_dir() and not e.name.startswith(".")]
    return sorted(names)


def images_in(folder):
    """List the images in a folder, by the ends of their names.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    list of str
        In no order. Hidden files are left out.
    """
    with os.scandir(folder) as entries:
        return [
            entry.name for entry in entries if is_image(entry.name) and entry.is_file()
        ]


def is_image(name):
    """Tell whether a file's name is an image's.

    Parameters
    ----------
    name : str

    Returns
    -------
    bool
    """
    base = name.rpartition("/")[2]
    return base.lower().endswith(SUFFIXES) and not base.startswith(".")


def members_of(path, *, start=0, size=None):
    """Walk an uncompressed tar archive, or one that is a stretch of a file.

    A tar archive inside another is a plain stretch of it, so that the images of
    ImageNet's archive of archives can be read in place.

    Parameters
    ----------
    path : path-like
    start : int
        Where it begins.
    size : int, optional
        Its length in bytes; by default up to the end of the file.

    Yields
    ------
    tuple
        ``(name, start, size)`` of each file in it, in bytes of the file at `path`.

    Raises
    ------
    ValueError
        If it is no tar archive, or ends early.
    """
    end = os.path.getsize(path) if size is None else start + size
    with open(path, "rb") as file:
        file.seek(start)
        try:
            with tarfile.TarFile(fileobj=file) as tar:
                while (member := tar.next()) is not None:
                    tar.members.clear()  # a million of them would fill the memory
                    if member.offset_data + member.size > end:
                        raise tarfile.ReadError(f"{member.name} is cut short")
                    if member.isfile():
                        yield member.name, member.offset_data, member.size
                file.seek(tar.offset)
                if file.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
                    raise tarfile.ReadError("it has no end mark")
        except tarfile.TarError as error:
            raise ValueError(f"{path} is no complete tar archive: {error}") from error
