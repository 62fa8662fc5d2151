"""Fetch an official archive once, whole or not at all, and resume what was begun.

The file grows as ``NAME.part`` in the data folder, from one mirror after the other.
Size and checksum are compared before anything is unpacked; what fails them is kept as
``NAME.bad``. Unpacking happens beside the final folder, which appears by one rename,
so that a folder that exists is complete.
"""

from pathlib import Path

from identity_edu.data.fetch.archives import (
    ARCHIVES,
    CIFAR10,
    CIFAR100,
    Archive,
    FetchError,
    data_home,
    fault,
    mirror_urls,
)
from identity_edu.data.fetch.transfer import download
from identity_edu.data.fetch.unpacking import is_unpacked, only_one, unpack

__all__ = [
    "ARCHIVES",
    "CIFAR10",
    "CIFAR100",
    "Archive",
    "FetchError",
    "data_home",
    "fetch",
]


def _say_nothing(done, total):
    """Take note of nothing."""


def fetch(archive, folder=None, *, mirrors=None, from_file=None, progress=_say_nothing):
    """Bring an archive's extracted folder to this machine, if it is not there yet.

    An interrupted fetch (Ctrl-C, power, a full disk) continues where it stopped when
    it is called again. Only one runs in a folder at a time; a second one is refused.
    The archive stays beside its folder, so that a damaged folder can be deleted and
    unpacked again without a download.

    Parameters
    ----------
    archive : Archive
    folder : path-like, optional
        Made if absent. By default `data_home`.
    mirrors : sequence of str, optional
        Base addresses to try in order. By default those in the environment variable
        ``IDENTITY_EDU_MIRRORS`` (between spaces or commas), or else the official one.
    from_file : path-like, optional
        The archive, brought by other means: it is checked, and nothing is downloaded.
    progress : callable
        Called with the bytes that are there and those that there will be.

    Returns
    -------
    pathlib.Path
        The extracted folder.

    Raises
    ------
    FetchError
        If no mirror gives the right file, `from_file` is another, the archive is
        damaged, the disk is full, a folder stands in the way, or another fetch is
        running. The message says what to do.
    ValueError
        If a mirror is no ``http`` or ``https`` address.
    """
    folder = Path(folder) if folder is not None else data_home()
    target = folder / archive.folder
    urls = mirror_urls(archive, mirrors)
    if is_unpacked(target, archive):
        return target
    with only_one(folder, archive):
        if from_file is not None:
            file = _given(Path(from_file), archive)
        else:
            file = folder / archive.file_name
            _obtain(file, urls, archive, progress)
        return unpack(file, target, archive)


def _given(file, archive):
    problem = fault(file, archive) if file.is_file() else "there is no such file"
    if problem:
        raise FetchError(f"{file} is not {archive.file_name}: {problem}.")
    return file


def _obtain(file, urls, archive, progress):
    """Download a file, unless an earlier fetch did."""
    if file.is_file():
        if not fault(file, archive):
            return
        file.replace(file.with_name(f"{file.name}.bad"))
    part = file.with_name(f"{file.name}.part")
    download(urls, part, archive, progress)
    part.replace(file)
