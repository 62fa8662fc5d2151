"""Unpack a verified archive: a folder that is complete, or no folder at all."""

import gzip
import json
import os
import shutil
import tarfile
import zlib
from contextlib import contextmanager

from identity_edu import __version__
from identity_edu.data.fetch.archives import FetchError
from identity_edu.data.locks import FileLock

MARK = "identity_edu.json"  # in each unpacked folder: which archive it came from
SCHEMA = 1
CHUNK = 1 << 20  # bytes


@contextmanager
def only_one(folder, archive):
    """Refuse to run while another process fetches the same archive to a folder.

    The system drops the lock when a process ends, in whatever way; the empty lock file
    stays.

    Parameters
    ----------
    folder : pathlib.Path
        Made if absent.
    archive : Archive

    Yields
    ------
    None

    Raises
    ------
    FetchError
        If another process holds the lock, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f".{archive.file_name}.lock")
    except BlockingIOError as error:
        raise FetchError(
            f"another process is fetching {archive.name} to {folder}: wait for it, "
            "or end it."
        ) from error
    except OSError as error:
        raise FetchError(f"{folder} cannot be written: {error.strerror}") from error
    with lock:
        yield


def is_unpacked(target, archive):
    """Tell whether a folder holds all files of an archive that `unpack` put there.

    Parameters
    ----------
    target : pathlib.Path
    archive : Archive

    Returns
    -------
    bool
        False if there is no such folder.

    Raises
    ------
    FetchError
        If there is one, but it is another's or files in it are missing or cut short.
    """
    if not target.exists():
        return False
    try:
        mark = json.loads((target / MARK).read_text("utf-8"))
        is_ours = mark["md5"] == archive.md5
        sizes = dict(mark["files"])
    except (OSError, ValueError, TypeError, KeyError):
        is_ours = False
    if not is_ours:
        raise FetchError(
            f"{target} is there already, and not from this archive as far as its file "
            f"{MARK} tells: use it as it is, move it away, or choose another folder."
        )
    wrong = [name for name, size in sizes.items() if _size(target / name) != size]
    if wrong:
        raise FetchError(
            f"{target} has lost or damaged {', '.join(wrong)}: delete the folder, and "
            "fetch again."
        )
    return True


def unpack(file, target, archive):
    """Extract an archive beside `target`, then give it that name in one step.

    Parameters
    ----------
    file : pathlib.Path
        Its checksum is right.
    target : pathlib.Path
        Unless it is unpacked already (while this process waited), it does not exist.
    archive : Archive

    Returns
    -------
    pathlib.Path
        `target`.

    Raises
    ------
    FetchError
        If the archive is damaged, holds anything but plain files in its one folder, or
        the disk is full. Nothing of it is left then.
    """
    if is_unpacked(target, archive):
        return target
    scratch = target.with_name(f".unpacking-{target.name}")
    shutil.rmtree(scratch, ignore_errors=True)  # of a process that was killed
    try:
        _extract(file, scratch, archive)
        folder = scratch / archive.folder
        _mark(folder, archive)
        folder.rename(target)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FetchError(f"{file} is damaged or unsafe: {error}") from error
    except OSError as error:
        raise FetchError(
            f"{file} cannot be unpacked to {target}: {error.strerror or error}. The "
            "archive is kept; the same command tries again."
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def _extract(file, scratch, archive):
    if not hasattr(tarfile, "data_filter"):
        raise FetchError("unpacking safely needs Python 3.11.4 or later.")

    def accept(member, destination):
        if not (member.isreg() or member.isdir()):
            raise tarfile.TarError(f"{member.name} is neither a file nor a folder")
        return tarfile.data_filter(member, destination)

    scratch.mkdir()
    with gzip.open(file) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
        tar.extractall(scratch, filter=accept)
        while stream.read(CHUNK):  # to the end, where gzip's own checksum stands
            pass
    if os.listdir(scratch) != [archive.folder]:
        found = ", ".join(sorted(os.listdir(scratch))) or "nothing"
        raise tarfile.TarError(f"it must hold {archive.folder} alone, not {found}")


def _mark(folder, archive):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    mark = {
        "schema": SCHEMA,
        "version": __version__,
        "archive": archive.file_name,
        "md5": archive.md5,
        "files": {p.relative_to(folder).as_posix(): p.stat().st_size for p in files},
    }
    (folder / MARK).write_text(json.dumps(mark, indent=1) + "\n", "utf-8")


def _size(path):
    return path.stat().st_size if path.is_file() else None
