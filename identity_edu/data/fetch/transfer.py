"""Download a file of known size in as many pieces as the connection allows.

Whatever arrived stays in the ``.part`` file. The next request asks for the rest
(HTTP Range); a server that does not know Range sends all, and the file starts over.
"""

import errno
import re
import time
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from identity_edu import __version__
from identity_edu.data.fetch.archives import FetchError, fault

CHUNK = 1 << 16  # bytes; as much as this renews the patience with a mirror
TIMEOUT = 30.0  # seconds without a byte
PAUSES = (0.5, 1.0, 2.0)  # seconds before each further try that brought nothing new
CONGESTED = {408, 425, 429, 500, 502, 503, 504}  # may pass; other errors will not
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class _MirrorError(Exception):
    """One mirror failed; `is_final` if another try would be in vain."""

    def __init__(self, message, *, is_final=False):
        super().__init__(message)
        self.is_final = is_final


def download(urls, part, archive, progress):
    """Fill `part` with an archive, from the first address that has the right bytes.

    A file with a wrong checksum is moved to ``NAME.bad``.

    Parameters
    ----------
    urls : list of str
    part : pathlib.Path
        Continued if it exists.
    archive : Archive
    progress : callable
        ``progress(done, total)``, in bytes.

    Raises
    ------
    FetchError
        If no address gives it, or `part` cannot be written.
    """
    failures = []
    for url in urls:
        try:
            _from_mirror(url, part, archive, progress)
        except _MirrorError as error:
            failures.append(f"{url}: {error}")
        else:
            return
    raise FetchError(
        f"no mirror gives {archive.file_name} ({'; '.join(failures)}). Try again "
        "later, name another with --mirror URL, or bring the file by other means and "
        f"run: identity-edu fetch {archive.name} --from-file {archive.file_name}"
    )


def _from_mirror(url, part, archive, progress):
    """Complete a file from one mirror, and check it."""
    if _size(part) > archive.size:
        part.unlink()
    inherited = _size(part)
    _complete(url, part, archive.size, progress)
    problem = fault(part, archive)
    if not problem:
        return
    bad = part.with_suffix(".bad")
    part.replace(bad)
    if not inherited:
        raise _MirrorError(f"{problem}; kept as {bad}", is_final=True)
    # An earlier mirror's bytes may be to blame: now all from this one.
    _from_mirror(url, part, archive, progress)


def _complete(url, part, size, progress):
    """Ask for the rest until there is none, or patience with the mirror ends."""
    pauses, most = iter(PAUSES), _size(part)
    while _size(part) < size:
        failure = _MirrorError("the connection ended early")
        try:
            _continue(url, part, size, progress)
        except _MirrorError as error:
            failure = error
        if failure.is_final:
            raise failure
        if (now := _size(part)) >= most + CHUNK:
            pauses, most = iter(PAUSES), now
        elif now < size:
            pause = next(pauses, None)
            if pause is None:
                raise failure
            time.sleep(pause)


def _continue(url, part, size, progress):
    """Send one request, and write what comes to where it belongs."""
    try:
        with _open(url, _size(part)) as reply:
            done = _first_byte(reply, _size(part), size)
            with open(part, "r+b" if part.exists() else "wb") as file:
                file.truncate(done)
                file.seek(done)
                progress(done, size)
                for chunk in _chunks(reply, size - done):
                    file.write(chunk)
                    done += len(chunk)
                    progress(done, size)
    except OSError as error:  # the network's became _MirrorError: this is the disk
        raise FetchError(_about_disk(error, part, size)) from error


def _open(url, start):
    headers = {"User-Agent": f"identity-edu/{__version__}"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        return urlopen(Request(url, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        if error.code == 416 and start:  # it has no such range: ask for all
            return _open(url, 0)
        is_final = error.code not in CONGESTED
        raise _MirrorError(
            f"HTTP {error.code} {error.reason}", is_final=is_final
        ) from error
    except (OSError, HTTPException) as error:
        raise _MirrorError(_reason(error)) from error


def _first_byte(reply, start, size):
    """Return where in the file the reply's body begins, or refuse another file's."""
    total = reply.headers.get("Content-Length", "")
    if reply.status == 206:
        given = reply.headers.get("Content-Range", "")
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", given)
        if not match or int(match[1]) != start:
            raise _MirrorError(
                f"asked for bytes from {start}, it answers {given!r}", is_final=True
            )
        total = match[2]
    else:
        start = 0
    if total.isdecimal() and int(total) != size:
        raise _MirrorError(
            f"its file has {total} bytes instead of {size}", is_final=True
        )
    return start


def _chunks(reply, n_missing):
    """Yield a reply's body as it arrives, and not a byte more than is missing."""
    while n_missing:
        try:
            chunk = reply.read1(min(CHUNK, n_missing))
        except (OSError, HTTPException) as error:
            raise _MirrorError(_reason(error)) from error
        if not chunk:
            return
        n_missing -= len(chunk)
        yield chunk


def _reason(error):
    reason = getattr(error, "reason", error)
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__


def _size(part):
    return part.stat().st_size if part.exists() else 0


def _about_disk(error, part, size):
    if error.errno not in FULL:
        return f"{part} cannot be written: {error.strerror or error}"
    missing = size - _size(part)
    return (
        f"the disk is full: {_size(part)} of {size} bytes are kept in {part}. Free "
        f"{missing} bytes there, and twice the archive's size to unpack it; the same "
        "command then continues."
    )
