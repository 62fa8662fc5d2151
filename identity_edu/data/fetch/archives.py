"""Which archives there are, where they are served, and how to know them."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

OFFICIAL = "https://www.cs.toronto.edu/~kriz"


class FetchError(Exception):
    """An archive could not be brought here; the message says why, and what to do."""


@dataclass(frozen=True)
class Archive:
    """A published ``.tar.gz`` and how to recognise it.

    Attributes
    ----------
    name : str
        What the command line calls it.
    file_name, folder : str
        The archive, and the one folder in it.
    size : int
        In bytes.
    md5 : str
        Hexadecimal, as its authors publish it.
    mirrors : tuple of str
        Base addresses that serve `file_name`.
    """

    name: str
    file_name: str
    folder: str
    size: int
    md5: str
    mirrors: tuple[str, ...] = (OFFICIAL,)


CIFAR10 = Archive(
    name="cifar10",
    file_name="cifar-10-python.tar.gz",
    folder="cifar-10-batches-py",
    size=170_498_071,
    md5="c58f30108f718f92721af3b95e74349a",
)
CIFAR100 = Archive(
    name="cifar100",
    file_name="cifar-100-python.tar.gz",
    folder="cifar-100-python",
    size=169_001_437,
    md5="eb9058c3a382ffc7106e4002c42a8d85",
)
ARCHIVES = {archive.name: archive for archive in (CIFAR10, CIFAR100)}


def data_home():
    """Return the folder that data sets are fetched to.

    Returns
    -------
    pathlib.Path
        The environment variable ``IDENTITY_EDU_DATA`` if it is set; otherwise
        ``identity_edu`` in the user's cache folder (``XDG_CACHE_HOME``, or
        ``~/.cache``). It need not exist.
    """
    if chosen := os.environ.get("IDENTITY_EDU_DATA"):
        return Path(chosen)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "identity_edu"


def mirror_urls(archive, mirrors=None):
    """List the addresses to try for an archive, in order.

    Parameters
    ----------
    archive : Archive
    mirrors : sequence of str, optional
        Base addresses. By default those in the environment variable
        ``IDENTITY_EDU_MIRRORS``, or else the archive's own.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If one is no ``http`` or ``https`` address.
    """
    named = os.environ.get("IDENTITY_EDU_MIRRORS", "").replace(",", " ").split()
    bases = mirrors or named or archive.mirrors
    for base in bases:
        address = urlsplit(base)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ValueError(f"a mirror must be an http(s) address; got {base!r}.")
    return [f"{base.rstrip('/')}/{archive.file_name}" for base in bases]


def fault(path, archive):
    """Say in which way a file is not the archive.

    Parameters
    ----------
    path : path-like
    archive : Archive

    Returns
    -------
    str
        Empty if size and checksum are right.
    """
    size = Path(path).stat().st_size
    if size != archive.size:
        return f"it has {size} bytes instead of {archive.size}"
    with open(path, "rb") as file:
        # Published as MD5: a guard against damage, and no secret hangs on it.
        digest = hashlib.file_digest(file, _md5).hexdigest()
    if digest != archive.md5:
        return f"its MD5 is {digest} instead of {archive.md5}"
    return ""


def _md5():
    return hashlib.md5(usedforsecurity=False)
