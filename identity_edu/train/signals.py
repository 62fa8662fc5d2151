"""Ctrl-C, SIGTERM and a closed terminal as a request to stop after the step."""

import os
import signal
import threading
from contextlib import contextmanager, suppress

STOPPING = b"\nStopping after this step; once more, and it stops at once.\n"
STANDARD_ERROR = 2


class StopRequest:
    """Whether a signal has asked to stop.

    Attributes
    ----------
    number : int or None
        Of the signal.
    """

    def __init__(self):
        self.number = None

    def __call__(self):
        """Tell whether to stop."""
        return self.number is not None

    def receive(self, number, frame):
        """Take note of the first signal; end the process at the second.

        Parameters
        ----------
        number : int
        frame : object
            Not used.
        """
        if self():
            os._exit(128 + number)
        self.number = number
        with suppress(OSError):  # the terminal may be gone
            os.write(STANDARD_ERROR, STOPPING)  # print may not be called in a handler


@contextmanager
def stop_requests():
    """Collect SIGINT, SIGTERM and SIGHUP, and give back what they did before.

    Yields
    ------
    StopRequest
        In a thread other than the main one, which receives no signals, it stays empty.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    numbers = [signal.SIGINT, signal.SIGTERM]
    hang_up = getattr(signal, "SIGHUP", None)  # not on Windows; nohup ignores it
    if hang_up is not None and signal.getsignal(hang_up) is not signal.SIG_IGN:
        numbers.append(hang_up)
    before = {number: signal.signal(number, request.receive) for number in numbers}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
