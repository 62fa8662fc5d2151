"""A net in training on a device: the same steps, in series, without asking the host."""

import numpy as np

from identity_edu.allconv.device_step import DeviceStep, load_examples
from identity_edu.launch import BF16, PaperDevice
from identity_edu.train.device_plan import plan
from identity_edu.train.files import RunError
from identity_edu.train.trainer import Trainer

SERIES = 100  # most steps whose draws lie on the device at once
PRECISIONS = {"bf16": BF16, "fp32": np.dtype(np.float32)}


class DeviceTrainer(Trainer):
    """Train the net of a recipe on a device, a series of steps at a time.

    Everything is a function of recipe, examples, seed, precision and number of steps,
    to the bit, on one kind of GPU with one compiler. The order of every sum is the same
    on all; how a tensor core rounds inside one product of tiles is not.

    Parameters
    ----------
    device : identity_edu.device.CudaDevice
    recipe : identity_edu.train.recipes.Recipe
    examples : identity_edu.train.examples.DataSet
    seed : int >= 0
    precision : {"bf16", "fp32"}
        In which activations and their gradients are stored. Weights and velocities are
        float32, sums too.

    Raises
    ------
    ValueError
        If the images have another shape than the architecture takes, or there are
        fewer than a batch holds.
    RunError
        If the device has too little memory free.
    """

    def __init__(self, device, recipe, examples, *, seed=0, precision="bf16"):
        super().__init__(recipe, examples, seed=seed)
        self.device, self.dtype = device, PRECISIONS[precision]
        self._require_memory()
        self.on_device = self._step_on(device)
        self._upload()

    def advance(self, n, *, is_observed=False):
        """Take the next steps.

        Parameters
        ----------
        n : int >= 1
        is_observed : bool
            Whether `norms` shall tell of the first of them.

        Returns
        -------
        tuple
            Sum of their mean losses in nats, and number of right answers.

        Raises
        ------
        FloatingPointError
            If a loss is not finite; the message names step and rate.
        """
        total, n_right = 0.0, 0
        while n > 0:
            series = min(n, SERIES, self._until_projection())
            losses, right = self._series(series, is_observed=is_observed)
            total, n_right = total + losses.sum(dtype=np.float64), n_right + right.sum()
            n, is_observed = n - series, False
        return float(total), int(n_right)

    def norms(self):
        """Return the norms of the last observed step.

        Returns
        -------
        dict
            As `identity_edu.allconv.device_norms.Norms` reads them.
        """
        return self.on_device.norms()

    def weights(self):
        """Copy the kernels from the device.

        Returns
        -------
        dict of str to numpy.ndarray
            The net's own arrays, which later copies overwrite.
        """
        self.on_device.net.save(self.net.params, self.optimiser.velocity)
        return self.net.params

    def held_out_accuracy(self, is_stopped=lambda: False):
        """Measure the net on the held-out part.

        Parameters
        ----------
        is_stopped : callable
            Asked between batches whether to give up.

        Returns
        -------
        float or None
            Fraction in [0, 1]; None if it was given up.
        """
        labels, n_right = self.examples.labels_test, 0
        for start in range(0, len(labels), self.recipe.batch_size):
            if is_stopped():
                return None
            indices = np.arange(len(labels))[start : start + self.recipe.batch_size]
            scores = self.on_device.scores(indices)
            n_right += int((scores.argmax(axis=1) == labels[indices]).sum())
        return n_right / len(labels)

    def state(self):
        """Return the parameters and the velocity.

        Returns
        -------
        dict of str to array
            Not copies.

        Raises
        ------
        FloatingPointError
            If a parameter is not finite: there is nothing to go on from.
        """
        self.weights()
        return super().state()

    def restore(self, arrays, n_steps):
        """Go on from what `state` returned.

        Parameters
        ----------
        arrays : dict of str to array
        n_steps : int >= 0
            Steps done by then.

        Raises
        ------
        RunError
            If an array is missing or has another shape or dtype than here.
        """
        super().restore(arrays, n_steps)
        self._upload()

    def _series(self, n, *, is_observed):
        first, recipe = self.n_steps, self.recipe
        rates = [recipe.rate(step) for step in range(first, first + n)]
        self.on_device.begin(self._plan(first, n), rates)
        for i in range(n):
            self.on_device.replay(is_observed=is_observed and i == 0)
        losses, right = self.on_device.history(n)
        if not np.isfinite(losses).all():
            wrong = int(np.argmin(np.isfinite(losses)))
            raise FloatingPointError(
                f"the loss must stay finite; it is {losses[wrong]} at step "
                f"{first + wrong}, learning rate {rates[wrong]:g}."
            )
        self.optimiser.n_steps += n
        self._project()
        return losses, right

    def _until_projection(self):
        """Return after how many steps the host is needed."""
        every = self.recipe.project_every
        return every - self.n_steps % every if every else SERIES

    def _project(self):
        """Bring the kernels that must be isometries back, on the host."""
        if self.optimiser.projection is not None and self._until_projection() == (
            self.recipe.project_every
        ):
            self.weights()
            self.optimiser.projection(self.net.params, self.n_steps)
            self._upload()

    def _plan(self, first, n):
        n_examples = len(self.examples.x_train)
        return plan(n_examples, self.recipe, seed=self.seed, first=first, n_steps=n)

    def _upload(self):
        self.on_device.net.load(self.net.params, self.optimiser.velocity)

    def _step_on(self, device):
        recipe, examples = self.recipe, self.examples
        parts = (
            load_examples(device, images, labels, examples.statistics)
            for images, labels in (
                (examples.x_train, examples.labels_train),
                (examples.x_test, examples.labels_test),
            )
        )
        return DeviceStep(
            device,
            self.net,
            tuple(parts),
            batch_size=recipe.batch_size,
            series=SERIES,
            pad=recipe.pad,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            dtype=self.dtype,
        )

    def _require_memory(self):
        """Refuse what does not fit, before anything is allocated."""
        paper = PaperDevice()
        self._step_on(paper)
        free = self.device.free_bytes()
        if paper.n_bytes > free:
            raise RunError(
                f"this run needs {paper.n_bytes / 1e9:.2f} GB of memory on the device; "
                f"{free / 1e9:.2f} GB are free. A smaller --batch-size or --width "
                "needs less."
            )
