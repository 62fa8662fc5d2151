"""One process at a time: a lock that the system drops when its holder ends."""

import os


class FileLock:
    """An exclusive lock on a file, which is made if absent.

    It holds until `close`, or until the process ends in whatever way. The empty file
    stays. As a context manager it closes at the end.

    Parameters
    ----------
    path : pathlib.Path

    Raises
    ------
    BlockingIOError
        If another holds the lock.
    OSError
        If the file cannot be written.
    """

    def __init__(self, path):
        self._descriptor = None
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(self._descriptor)
        except PermissionError as error:  # what Windows says
            self.close()
            raise BlockingIOError(str(error)) from error
        except OSError:
            self.close()
            raise

    def close(self):
        """Let others take the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self):
        """Return itself."""
        return self

    def __exit__(self, *_):
        """Let others take the lock."""
        self.close()

    def __del__(self):
        """Let others take a lock that was forgotten."""
        self.close()


def _lock(descriptor):
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
