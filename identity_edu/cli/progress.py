"""Progress of a training run: a bar on a terminal, a line every few seconds without."""

import sys
import time
from contextlib import suppress
from datetime import timedelta

SECONDS_BETWEEN_LINES = 5.0


def progress(n_steps, n_done):
    """Return what shows the progress of a run: a context manager to call.

    Parameters
    ----------
    n_steps : int
        Of the whole run.
    n_done : int
        Before this part of it.

    Returns
    -------
    Bar or Lines
        Called after each step with the steps done and the means of the log.
    """
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    return (Bar if is_terminal else Lines)(n_steps, n_done)


class Bar:
    """A bar with loss, accuracy, images per second, and the time that is left.

    Parameters
    ----------
    n_steps, n_done : int
    """

    def __init__(self, n_steps, n_done):
        from tqdm import tqdm

        shape = "{n_fmt}/{total_fmt} {remaining} left{postfix} |{bar}|"
        self._bar = tqdm(
            total=n_steps, initial=n_done, bar_format=shape, dynamic_ncols=True
        )

    def __enter__(self):
        """Return itself."""
        return self

    def __exit__(self, *_):
        """Leave the bar as it stands."""
        self._bar.close()

    def __call__(self, step, means):
        """Show a step.

        Parameters
        ----------
        step : int
            Steps done.
        means : dict
            ``"loss"``, ``"accuracy"`` and ``"images_per_second"``.
        """
        with suppress(OSError):  # the terminal may be gone; training goes on
            self._bar.set_postfix_str(_summary(means), refresh=False)
            self._bar.update(step - self._bar.n)


class Lines:
    """A line after the first step, the last one, and every few seconds between them.

    Parameters
    ----------
    n_steps, n_done : int
    clock : callable
        Returns seconds.
    """

    def __init__(self, n_steps, n_done, clock=time.monotonic):
        self._n_steps, self._n_done, self._clock = n_steps, n_done, clock
        self._started, self._printed = clock(), None

    def __enter__(self):
        """Return itself."""
        return self

    def __exit__(self, *_):
        """Leave nothing to do."""

    def __call__(self, step, means):
        """Print a line, if it is time.

        Parameters
        ----------
        step : int
            Steps done.
        means : dict
            ``"loss"``, ``"accuracy"`` and ``"images_per_second"``.
        """
        now = self._clock()
        is_quiet = self._printed is not None and step < self._n_steps
        if is_quiet and now - self._printed < SECONDS_BETWEEN_LINES:
            return
        self._printed = now
        left = (self._n_steps - step) * (now - self._started) / (step - self._n_done)
        line = f"step {step}/{self._n_steps}, {_summary(means)}"
        if sys.stderr is not None:
            with suppress(OSError):  # the reader may be gone; training goes on
                sys.stderr.write(f"{line}, {timedelta(seconds=round(left))} left\n")
                sys.stderr.flush()


def _summary(means):
    return (
        f"loss {means['loss']:.4f}, accuracy {100 * means['accuracy']:.1f} %, "
        f"{means['images_per_second']:.0f} images/s"
    )
