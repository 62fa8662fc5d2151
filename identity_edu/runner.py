"""What a training loop holds: a net together with its last forward pass.

A theme with a faster way to run its nets offers a class with the same methods, such as
`identity_edu.allconv.FusedRunner`.
"""

from functools import partial

from identity_edu import nets


class Runner:
    """A net with the cache of its last forward pass: what a training loop holds.

    Parameters
    ----------
    net : Net

    Attributes
    ----------
    evaluate : callable
        ``evaluate(X)`` returns the output and keeps nothing.
    """

    def __init__(self, net):
        self.net, self.evaluate = net, partial(nets.evaluate, net)
        self._output, self._cache = None, None

    def forward(self, X):
        """Return the output, and keep what the other methods need.

        Parameters
        ----------
        X : array, shape (n, ...)

        Returns
        -------
        array, shape (n, r)
        """
        self._output, self._cache = nets.forward(self.net, X)
        return self._output

    def backward(self, grad_output, watch=nets.look_away):
        """Return the gradient by parameter.

        Parameters
        ----------
        grad_output : array, shape of the output
        watch : callable, optional
            ``watch(i, gradient)`` is shown the gradient at the input of each block, as
            `identity_edu.nets.backward` shows it.

        Returns
        -------
        dict of str to array
        """
        return nets.backward(self.net, self._cache, grad_output, watch)

    def block_states(self):
        """Return the batch before each block and after the last one.

        Returns
        -------
        list of array
        """
        return nets.block_states(self._output, self._cache)
