"""Progress of a batch: how many, how fast, how long still, and with which verdicts."""

import sys
import time
from contextlib import contextmanager, suppress
from datetime import timedelta

SECONDS_BETWEEN_LINES = 5.0
ORDER = ("graded", "repaired", "limited", "unreadable", "failed")


@contextmanager
def counting():
    """Give a function that shows a tally.

    Yields
    ------
    Bar or Lines
        A bar on a terminal, a line every few seconds without one.
    """
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    show = (Bar if is_terminal else Lines)()
    try:
        yield show
    finally:
        show.close()


def summary(verdicts):
    """Say how many there are of each verdict.

    Parameters
    ----------
    verdicts : collections.Counter

    Returns
    -------
    str
        Such as ``graded 12, unreadable 1``.
    """
    return ", ".join(f"{name} {verdicts[name]}" for name in ORDER if verdicts[name])


def beginning(tally):
    """Say what is to be done.

    Parameters
    ----------
    tally : identity_edu.grading.batch.Tally

    Returns
    -------
    str
    """
    return (
        f"{tally.n_handed_in} handed in, {tally.n_before} recorded before, "
        f"{tally.n_to_grade} to grade"
    )


class Bar:
    """A bar with rate, time left and verdicts."""

    def __init__(self):
        self._bar = None

    def __call__(self, tally):
        """Show a tally.

        Parameters
        ----------
        tally : identity_edu.grading.batch.Tally
        """
        from tqdm import tqdm

        with suppress(OSError):  # the terminal may be gone; grading goes on
            if self._bar is None:
                tqdm.write(beginning(tally), file=sys.stderr)
                self._bar = tqdm(
                    total=tally.n_to_grade,
                    unit="",
                    bar_format="{n_fmt}/{total_fmt} {rate_noinv_fmt} {remaining} left"
                    "{postfix} |{bar}|",
                    dynamic_ncols=True,
                    disable=not tally.n_to_grade,
                )
            self._bar.total = tally.n_to_grade
            self._bar.set_postfix_str(summary(tally.verdicts), refresh=False)
            self._bar.update(tally.n_done - self._bar.n)

    def close(self):
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()


class Lines:
    """A line at the beginning, every few seconds, and at the end.

    Parameters
    ----------
    clock : callable
        Returns seconds.
    """

    def __init__(self, clock=time.monotonic):
        self._clock, self._started, self._printed = clock, None, 0.0

    def __call__(self, tally):
        """Print a line, if it is time.

        Parameters
        ----------
        tally : identity_edu.grading.batch.Tally
        """
        now = self._clock()
        if self._started is None:
            self._started = self._printed = now
            self._print(beginning(tally))
            return
        is_last = tally.n_done == tally.n_to_grade
        if tally.n_done and (is_last or now - self._printed > SECONDS_BETWEEN_LINES):
            self._printed = now
            self._print(self._line(tally, now - self._started))

    def close(self):
        """Leave nothing to do."""

    def _line(self, tally, seconds):
        rate = tally.n_done / max(seconds, 1e-3)
        left = timedelta(seconds=round((tally.n_to_grade - tally.n_done) / rate))
        done = f"{tally.n_done}/{tally.n_to_grade}"
        return f"{done}, {rate:.1f} a second, {left} left: {summary(tally.verdicts)}"

    def _print(self, line):
        if sys.stderr is not None:
            with suppress(OSError):  # the reader may be gone; grading goes on
                sys.stderr.write(f"{line}\n")
                sys.stderr.flush()
