"""A run: training in a folder, where it can be watched, stopped, killed and resumed.

A run at step t is what an uninterrupted one would be, to the bit, on the same machine
with the same number of threads, which the folder records.
"""

import math
import time
from dataclasses import asdict, dataclass

import numpy as np

from identity_edu import __version__
from identity_edu.train import checkpoint
from identity_edu.train.environment import blas_threads
from identity_edu.train.examples import TELEMETRY, training_batch
from identity_edu.train.files import RunError
from identity_edu.train.recipes import from_plain, to_plain
from identity_edu.train.signals import stop_requests
from identity_edu.train.telemetry import Telemetry


@dataclass
class Tally:
    """What has gathered since the last line of the log.

    Attributes
    ----------
    loss : float
        Sum over the steps, nats.
    n_steps, n_right, n_images : int
    seconds : float
        In steps alone, without checkpoints and measurements.
    """

    loss: float = 0.0
    n_steps: int = 0
    n_right: int = 0
    n_images: int = 0
    seconds: float = 0.0

    def add(self, loss, n_right, n_images, seconds, *, n_steps=1):
        """Count steps.

        Parameters
        ----------
        loss, seconds : float
            Sums over the steps.
        n_right, n_images, n_steps : int
        """
        self.loss += loss
        self.n_steps += n_steps
        self.n_right += n_right
        self.n_images += n_images
        self.seconds += seconds

    def means(self):
        """Return the record of a line: means over the steps, images per second.

        Returns
        -------
        dict
        """
        return {
            "loss": self.loss / self.n_steps,
            "accuracy": self.n_right / self.n_images,
            "images_per_second": self.n_images / max(self.seconds, 1e-9),
        }


@dataclass(frozen=True)
class Outcome:
    """How `Run.train` came to an end.

    Attributes
    ----------
    n_steps : int
        Steps done.
    accuracy : float or None
        On the held-out part, in [0, 1]; None if a signal stopped the run.
    signal : int or None
        Its number.
    """

    n_steps: int
    accuracy: float | None = None
    signal: int | None = None


class Run:
    """A trainer and its folder; `start.begin` and `start.resume` make one.

    Parameters
    ----------
    folder : identity_edu.train.folder.RunFolder
    trainer : identity_edu.train.trainer.Trainer
    threads : int >= 1
    notes : list of str
        What a user should know before it starts.
    """

    _telemetry = Telemetry

    def __init__(self, folder, trainer, *, threads, notes=()):
        self.folder, self.trainer = folder, trainer
        self.threads, self.notes = threads, list(notes)
        self.tally, self.seconds, self.n_saved = Tally(), 0.0, 0
        self._observing = 0.0  # seconds of the last step that went into telemetry
        recipe, seed = trainer.recipe, trainer.seed
        x, _ = training_batch(trainer.examples, recipe, seed=seed, step=0)
        rng = np.random.default_rng([seed, TELEMETRY])
        self.telemetry = self._telemetry(trainer.net, x, rng, n_threads=threads)

    @property
    def where(self):
        """What computes, in a few words."""
        return f"{self.threads} threads"

    @property
    def _blas_threads(self):
        """Of BLAS, in steps."""
        return self.threads

    def train(self, report=lambda step, means: None):
        """Train to the end of the recipe, or until SIGINT or SIGTERM.

        Parameters
        ----------
        report : callable
            After each step: the steps done, and the means since the last log line.

        Returns
        -------
        Outcome

        Raises
        ------
        RunError
            If the loss or a parameter is not finite, or the disk is full. The last
            checkpoint stays.
        """
        try:
            return self._train(report)
        finally:
            self.folder.unlock()

    def _train(self, report):
        trainer, recipe = self.trainer, self.trainer.recipe
        with stop_requests() as stop, blas_threads(self._blas_threads):
            try:
                while trainer.n_steps < recipe.n_steps and not stop():
                    if trainer.n_steps and trainer.n_steps % recipe.evaluate_every == 0:
                        self._held_out(stop)
                    if not stop():
                        means = self._step()
                        report(trainer.n_steps, means)
                self.save()
                accuracy = None if stop() else self._held_out(stop)
            except FloatingPointError as error:
                raise RunError(
                    f"training cannot go on: {error} {self._what_stays()} "
                    "Begin another run with a smaller --learning-rate."
                ) from error
        if accuracy is None:
            return Outcome(trainer.n_steps, signal=stop.number)
        self.folder.write_result(
            {
                "package_version": __version__,
                "n_steps": trainer.n_steps,
                "held_out_accuracy": accuracy,
                "seconds": self.seconds,
            }
        )
        return Outcome(trainer.n_steps, accuracy)

    def save(self):
        """Write a checkpoint, unless there is one of this step.

        Raises
        ------
        FloatingPointError
            If a parameter is not finite.
        RunError
            If the disk is full.
        """
        if self.n_saved == self.trainer.n_steps:
            return
        vectors = {f"vectors/{n}": v for n, v in self.telemetry.vectors.items()}
        arrays = self.trainer.state() | vectors
        self.folder.sync()
        record = {
            "recipe": to_plain(self.trainer.recipe),
            "seed": self.trainer.seed,
            "n_steps": self.trainer.n_steps,
            "tally": asdict(self.tally),
            "seconds": self.seconds,
        }
        checkpoint.save(self.folder.path, arrays, record)
        self.n_saved = self.trainer.n_steps

    def restore(self, arrays, record):
        """Go on from a checkpoint; the files are for `RunFolder.cut_back`.

        Parameters
        ----------
        arrays : dict of str to array
        record : dict
            Both from `identity_edu.train.checkpoint.load`.

        Raises
        ------
        RunError
            If the checkpoint is of another net, recipe or seed.
        """
        self.trainer.restore(arrays, record["n_steps"])
        saved = (from_plain(record["recipe"]), record["seed"])
        if saved != (self.trainer.recipe, self.trainer.seed):
            raise RunError(
                f"a run keeps its recipe and seed; {self.folder.path / 'run.json'} "
                "names others than the checkpoint does."
            )
        kind = "vectors/"
        self.telemetry.restore(
            {n.removeprefix(kind): a for n, a in arrays.items() if n.startswith(kind)}
        )
        self.tally, self.seconds = Tally(**record["tally"]), record["seconds"]
        self.n_saved = record["n_steps"]

    def _what_stays(self):
        """Say what a run that fails leaves behind."""
        if not self.n_saved:
            return "There is no checkpoint yet."
        return f"The checkpoint of step {self.n_saved} stays."

    def _step(self):
        """Go on, with all that is due then; return the means for the user."""
        trainer, recipe = self.trainer, self.trainer.recipe
        self.seconds += self._advance()
        means = self.tally.means()
        n_steps = trainer.n_steps
        if n_steps % recipe.log_every == 0 or n_steps == recipe.n_steps:
            rate = recipe.rate(n_steps - 1)
            line = {"step": n_steps, **means, "learning_rate": rate}
            self.folder.append("log", line)
            self.tally = Tally()
        if n_steps % recipe.checkpoint_every == 0:
            self.save()
        return means

    def _advance(self):
        """Take a step into the tally; return the seconds that it took."""
        trainer, recipe = self.trainer, self.trainer.recipe
        is_observed = trainer.n_steps % recipe.telemetry_every == 0
        started, self._observing = time.perf_counter(), 0.0
        measuring = {"observe": self._observe, "watch": self._watch}
        loss, n_right = trainer.step(**measuring if is_observed else {})
        seconds = time.perf_counter() - started - self._observing
        self.tally.add(loss, n_right, recipe.batch_size, seconds)
        return seconds

    def _watch(self, i, gradient):
        """Show telemetry the gradient at the input of a block."""
        started = time.perf_counter()
        self.telemetry.watch(i, gradient)
        self._observing += time.perf_counter() - started

    def _observe(self, grad):
        """Write a line of telemetry, between the gradient and the update."""
        started = time.perf_counter()
        record = self.telemetry.measure(self.trainer.runner.block_states(), grad)
        self._write_telemetry(self.trainer.n_steps, record)
        self._observing += time.perf_counter() - started

    def _write_telemetry(self, step, record):
        """Append a line, or refuse what has overflowed before the loss has."""
        for kind, by_name in record.items():
            for name, value in by_name.items():
                if not math.isfinite(value):
                    raise FloatingPointError(
                        f"telemetry must stay finite; at step {step}, learning rate "
                        f"{self.trainer.recipe.rate(step):g}, the "
                        f"{kind.replace('_', ' ')} of {name} is {value}."
                    )
        self.folder.append("telemetry", {"step": step, **record})

    def _held_out(self, stop):
        """Measure the held-out part and write its line; None if a signal came."""
        accuracy = self.trainer.held_out_accuracy(stop)
        if accuracy is not None:
            line = {"step": self.trainer.n_steps, "accuracy": accuracy}
            self.folder.append("held_out", line)
        return accuracy
