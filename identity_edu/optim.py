r"""Stochastic gradient descent with momentum and weight decay.

The only module that changes arrays in place: a step overwrites the parameters.
"""

from identity_edu.backend import array_namespace


class SGD:
    r"""Descend with heavy-ball momentum.

    :math:`v \leftarrow \mu v + g + \lambda p`, then :math:`p \leftarrow p - \eta v`.

    Parameters
    ----------
    params : dict of str to array
        Overwritten by every `step`.
    schedule : float > 0, or callable
        :math:`\eta`; a callable takes the number of steps done and returns it.
    momentum : float in [0, 1)
        :math:`\mu`.
    weight_decay : float >= 0
        :math:`\lambda`, the gradient of :math:`\tfrac{\lambda}{2}\|p\|^2`.
    decayed : collection of str, optional
        Names that the decay acts on; unless given, every array of two or more
        dimensions (weights, not thresholds).
    projection : callable, optional
        ``projection(params, n_steps)`` after every step, with the number of steps
        done: may put parameters back into a set that they must lie in, in place.

    Attributes
    ----------
    velocity : dict of str to array
        :math:`v`, zero at first.
    n_steps : int
        Steps done. With `velocity`, the whole state that a checkpoint must hold.

    Raises
    ------
    ValueError
        If a number is out of range, or `decayed` names an unknown parameter.
    """

    def __init__(
        self,
        params,
        schedule,
        *,
        momentum=0.9,
        weight_decay=0.0,
        decayed=None,
        projection=None,
    ):
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must be in [0, 1); got {momentum}.")
        if not weight_decay >= 0:
            raise ValueError(f"weight_decay must be at least 0; got {weight_decay}.")
        if decayed is None:
            decayed = [name for name, array in params.items() if array.ndim >= 2]
        if unknown := sorted(set(decayed) - set(params)):
            raise ValueError(f"decayed must name parameters; {unknown} are none.")
        self.params, self.schedule, self.n_steps = params, schedule, 0
        self.momentum, self.weight_decay = momentum, weight_decay
        self.projection = projection
        self.decayed = frozenset(decayed)
        self.velocity = {
            name: array_namespace(array).zeros_like(array)
            for name, array in params.items()
        }

    @property
    def learning_rate(self):
        """Rate of the next step."""
        return self.schedule(self.n_steps) if callable(self.schedule) else self.schedule

    def step(self, grad):
        """Move every parameter once. Parameters and velocity change in place.

        Parameters
        ----------
        grad : dict of str to array
            Keys and shapes of the parameters. Not modified.

        Raises
        ------
        ValueError
            If the keys differ from those of the parameters.
        """
        if grad.keys() != self.params.keys():
            different = sorted(grad.keys() ^ self.params.keys())
            raise ValueError(f"grad must have the parameters' keys; see {different}.")
        learning_rate = self.learning_rate
        for name, p in self.params.items():
            v = self.velocity[name]
            v *= self.momentum
            v += grad[name]
            if self.weight_decay and name in self.decayed:
                v += self.weight_decay * p
            p -= learning_rate * v
        self.n_steps += 1
        if self.projection is not None:
            self.projection(self.params, self.n_steps)


def step_decay(step, *, initial, drops, factor=0.1):
    """Return the learning rate at a step: it falls by one factor at each drop.

    Parameters
    ----------
    step : int >= 0
        Counted from 0.
    initial : float > 0
        Rate before the first drop.
    drops : sequence of int
        Steps at which the rate falls; the first step with the lower rate is the
        drop itself.
    factor : float in (0, 1]

    Returns
    -------
    float
    """
    return initial * factor ** sum(step >= drop for drop in drops)
