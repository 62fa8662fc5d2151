"""The training step, and passes of steps over shuffled examples.

A *runner* computes with one net: ``forward(x)`` returns the scores, ``backward`` takes
their gradient to the parameters and shows it at every block on the way, and
``block_states()`` is what the last forward left there (`Runner`).
"""

from dataclasses import dataclass

import numpy as np

from identity_edu.backend import array_namespace
from identity_edu.nets import look_away
from identity_edu.ops import softmax_cross_entropy, softmax_cross_entropy_backward
from identity_edu.runner import Runner


@dataclass(frozen=True)
class Epoch:
    """What one pass over the examples measured.

    Attributes
    ----------
    number : int
        From 1.
    loss : float
        Mean cross-entropy in nats over the pass, each batch before its step.
    accuracy : float
        Fraction in [0, 1] over the pass, each batch before its step.
    """

    number: int
    loss: float
    accuracy: float


def epochs(net, examples, optimiser, *, n_epochs, batch_size, rng):
    """Train a net on softmax cross-entropy, and report after each pass.

    Parameters
    ----------
    net : Net
        Its parameters are those of `optimiser`, and change in place.
    examples : tuple of array
        ``(X, labels)``, shapes (n, ...) and (n,).
    optimiser : identity_edu.optim.SGD
    n_epochs : int >= 0
    batch_size : int >= 1
        The last batch of a pass holds what is left.
    rng : numpy.random.Generator
        Shuffles the examples before each pass.

    Yields
    ------
    Epoch

    Raises
    ------
    FloatingPointError
        If the loss stops being finite; the message names step, rate and block.
    """
    X, labels = examples
    runner = Runner(net)
    for number in range(1, n_epochs + 1):
        total_loss, n_right = 0.0, 0
        order = rng.permutation(len(X))
        for batch in np.split(order, range(batch_size, len(X), batch_size)):
            loss, right = step(runner, X[batch], labels[batch], optimiser)
            total_loss += loss * len(batch)
            n_right += right
        yield Epoch(number, total_loss / len(X), n_right / len(X))


# A rate that is too large overflows on the way to the loss, which is then refused.
@np.errstate(over="ignore", invalid="ignore")
def step(runner, X, labels, optimiser, *, observe=None, watch=look_away):
    """Take one step of descent on the softmax cross-entropy of one batch.

    Parameters
    ----------
    runner : object
        Of a net whose parameters are those of `optimiser`; they change in place.
    X, labels : array, shapes (n, ...) and (n,)
    optimiser : identity_edu.optim.SGD
    observe : callable, optional
        Takes the gradient by parameter, before the parameters change.
    watch : callable, optional
        Shown the gradient at every block's input (`identity_edu.nets.backward`).

    Returns
    -------
    tuple
        The mean loss in nats and the number of right answers, both before the step.

    Raises
    ------
    FloatingPointError
        If the loss is not finite; the message names step, rate and block.
    """
    scores = runner.forward(X)
    loss = float(softmax_cross_entropy(scores, labels))
    if not np.isfinite(loss):
        raise FloatingPointError(
            f"the loss must stay finite; it is {loss} at step {optimiser.n_steps}, "
            f"learning rate {optimiser.learning_rate:g}, and the first that is not "
            f"finite is {_first_not_finite(runner)}."
        )
    n_right = int((scores.argmax(axis=1) == labels).sum())
    grad = runner.backward(softmax_cross_entropy_backward(scores, labels), watch)
    if observe is not None:
        observe(grad)
    optimiser.step(grad)
    return loss, n_right


def block_names(net):
    """Name the blocks of a net: by what its parameters' names begin with.

    Parameters
    ----------
    net : identity_edu.nets.Net

    Returns
    -------
    list of str
        ``"blocks.0"`` if the first parameter is ``"blocks.0.W1"``. Without one, the
        block's number, and ``"output"`` for the last.
    """
    names = []
    for number, block in enumerate(net.blocks, start=1):
        params = [name for layer in block.branch for name in layer.params]
        bare = "output" if number == len(net.blocks) else f"block {number}"
        names.append(params[0].rpartition(".")[0] if params else bare)
    return names


def _first_not_finite(runner):
    """Say what an overflow reached first: the input, a block's output, the loss."""
    names = ["the input", *(f"the output of {n}" for n in block_names(runner.net))]
    for name, state in zip(names, runner.block_states(), strict=True):
        if not array_namespace(state).isfinite(state).all():
            return name
    return "the loss itself"
