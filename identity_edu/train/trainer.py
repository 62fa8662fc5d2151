"""A net in training: what a step changes, and what it is a function of."""

import numpy as np

from identity_edu import allconv, procrustes
from identity_edu.nets import look_away
from identity_edu.optim import SGD
from identity_edu.train import loop
from identity_edu.train.examples import INIT, standardised, training_batch
from identity_edu.train.files import RunError

EVALUATION_BATCH = 500


class Trainer:
    """Train the net of a recipe, a step at a time.

    Everything is a function of recipe, examples, seed and number of steps. The bits
    also depend on the number of threads, since sums are taken in their order.

    Parameters
    ----------
    recipe : identity_edu.train.recipes.Recipe
    examples : identity_edu.train.examples.DataSet
    seed : int >= 0
    threads : int >= 1
        Of the convolutions.

    Attributes
    ----------
    net : identity_edu.nets.Net
    runner : object
        What computes with `net`.
    optimiser : identity_edu.optim.SGD

    Raises
    ------
    ValueError
        If the images have another shape than the architecture takes.
    """

    def __init__(self, recipe, examples, *, seed=0, threads=1):
        image, required = examples.x_train.shape[1:], recipe.architecture.image
        if image != tuple(required):
            raise ValueError(f"the images must be {tuple(required)}; got {image}.")
        self.recipe, self.examples, self.seed = recipe, examples, seed
        rng = np.random.default_rng([seed, INIT])
        self.net, projection = self._net_and_projection(rng)
        self.runner = allconv.runner(
            self.net, batch_size=recipe.batch_size, n_threads=threads
        )
        self.optimiser = SGD(
            self.net.params,
            recipe.rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            projection=projection,
        )

    def _net_and_projection(self, rng):
        recipe, table = self.recipe, self.recipe.architecture
        if not recipe.project_every:
            return allconv.init_net(rng, table, init=recipe.init), None
        net = procrustes.procrustes_net(rng, table, init=recipe.init)
        every = recipe.project_every  # the net's table has transitions in any case
        return net, procrustes.projection_of(net.architecture, every=every)

    @property
    def n_steps(self):
        """Steps done."""
        return self.optimiser.n_steps

    def step(self, observe=None, watch=look_away):
        """Take the next step.

        Parameters
        ----------
        observe : callable, optional
            Takes the gradient by parameter, before the parameters change.
        watch : callable, optional
            Shown the gradient at every block's input (`identity_edu.nets.backward`).

        Returns
        -------
        tuple
            Mean loss in nats and number of right answers, on the batch before it.

        Raises
        ------
        FloatingPointError
            If the loss is not finite; the message names step, rate and block.
        """
        x, labels = training_batch(
            self.examples, self.recipe, seed=self.seed, step=self.n_steps
        )
        return loop.step(
            self.runner, x, labels, self.optimiser, observe=observe, watch=watch
        )

    # Parameters that overflow here are refused at the next step or checkpoint.
    @np.errstate(over="ignore", invalid="ignore")
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
        x, labels = self.examples.x_test, self.examples.labels_test
        n_right = 0
        for start in range(0, len(x), EVALUATION_BATCH):
            if is_stopped():
                return None
            part = slice(start, start + EVALUATION_BATCH)
            scores = self.runner.evaluate(standardised(self.examples, x[part]))
            n_right += int((scores.argmax(axis=1) == labels[part]).sum())
        return n_right / len(x)

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
        for name, array in self.net.params.items():
            if not np.isfinite(array).all():
                raise FloatingPointError(
                    f"the parameters must stay finite; {name} is not after step "
                    f"{self.n_steps - 1}, learning rate "
                    f"{self.recipe.rate(self.n_steps - 1):g}."
                )
        return dict(self._arrays())

    def restore(self, arrays, n_steps):
        """Go on from what `state` returned. Parameters change in place.

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
        for name, array in self._arrays():
            saved = arrays.get(name, np.empty(0))
            if (saved.shape, saved.dtype) != (array.shape, array.dtype):
                raise RunError(
                    f"the checkpoint is of another net: {name} must be "
                    f"{array.shape} of {array.dtype}; got {saved.shape} of "
                    f"{saved.dtype}."
                )
            array[...] = saved
        self.optimiser.n_steps = n_steps

    def _arrays(self):
        for kind, group in (
            ("params", self.net.params),
            ("velocity", self.optimiser.velocity),
        ):
            for name, array in group.items():
                yield f"{kind}/{name}", array
