"""A run on a device: series of steps, and telemetry that does not hold them up."""

import time
from concurrent.futures import ThreadPoolExecutor

from identity_edu.launch import BF16
from identity_edu.train.device_telemetry import DeviceTelemetry
from identity_edu.train.files import RunError
from identity_edu.train.folder import resume_command
from identity_edu.train.run import Run


class DeviceRun(Run):
    """A device trainer and its folder.

    The norms of a step are measured by the step itself. The spectral norms are the
    host's work, on a copy of the weights and in a thread of its own: the line is
    written when they are there, before the next checkpoint at the latest.

    Parameters
    ----------
    folder : identity_edu.train.folder.RunFolder
    trainer : identity_edu.train.device_trainer.DeviceTrainer
    threads : int >= 1
        Of the host.
    notes : list of str
    """

    _telemetry = DeviceTelemetry
    # The limit is the process's, and a thread beside the main one cannot lower it:
    # telemetry would compute with more than the one of its team.
    _blas_threads = 1

    def __init__(self, folder, trainer, *, threads, notes=()):
        super().__init__(folder, trainer, threads=threads, notes=notes)
        self._aside, self._pending = ThreadPoolExecutor(1), None

    @property
    def where(self):
        """What computes, in a few words."""
        precision = "bf16" if self.trainer.dtype == BF16 else "fp32"
        return f"{precision} on {self.trainer.device.name}"

    def save(self):
        """Write a checkpoint, unless there is one of this step.

        Raises
        ------
        FloatingPointError
            If a parameter is not finite.
        RunError
            If the disk is full.
        """
        self._collect()
        super().save()

    def _train(self, report):
        """Train; where the device fails, say how to go on."""
        try:
            return super()._train(report)
        except RuntimeError as error:
            raise RunError(
                f"the device failed ({error}). {self._what_stays()} "
                f"Go on with: {resume_command(self.folder.path)}"
            ) from error

    def _advance(self):
        """Take the steps until something is due."""
        trainer, recipe = self.trainer, self.trainer.recipe
        first = trainer.n_steps
        is_observed = first % recipe.telemetry_every == 0
        if is_observed:
            self._collect()
            self.telemetry.see(trainer.weights())
        n = min(self._until(first))
        started = time.perf_counter()
        loss, n_right = trainer.advance(n, is_observed=is_observed)
        seconds = time.perf_counter() - started
        self.tally.add(loss, n_right, n * recipe.batch_size, seconds, n_steps=n)
        if is_observed:
            measure = self.telemetry.measure_norms
            self._pending = first, self._aside.submit(measure, trainer.norms())
        return seconds

    def _until(self, step):
        """Yield how many steps are left to each thing that will be due."""
        recipe = self.trainer.recipe
        yield recipe.n_steps - step
        for every in (
            recipe.log_every,
            recipe.telemetry_every,
            recipe.checkpoint_every,
            recipe.evaluate_every,
        ):
            yield every - step % every

    def _collect(self):
        """Write the line of telemetry that is under way, if there is one."""
        if self._pending is None:
            return
        (step, future), self._pending = self._pending, None
        self._write_telemetry(step, future.result())
