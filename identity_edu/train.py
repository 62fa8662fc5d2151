"""Train a classifier: shuffled batches, one step each, one report an epoch."""

from dataclasses import dataclass

import numpy as np

from identity_edu.nets import backward, forward
from identity_edu.ops import softmax_cross_entropy, softmax_cross_entropy_backward


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
        If the loss stops being finite; the message names step and learning rate.
    """
    X, labels = examples
    for number in range(1, n_epochs + 1):
        total_loss, n_right = 0.0, 0
        order = rng.permutation(len(X))
        for batch in np.split(order, range(batch_size, len(X), batch_size)):
            scores, loss = _step(net, X[batch], labels[batch], optimiser)
            total_loss += loss * len(batch)
            n_right += int((scores.argmax(axis=1) == labels[batch]).sum())
        yield Epoch(number, total_loss / len(X), n_right / len(X))


# A rate that is too large overflows on the way to the loss, which is then refused.
@np.errstate(over="ignore", invalid="ignore")
def _step(net, X, labels, optimiser):
    """Take one step; return the scores and the loss before it."""
    scores, cache = forward(net, X)
    loss = float(softmax_cross_entropy(scores, labels))
    if not np.isfinite(loss):
        raise FloatingPointError(
            f"the loss must stay finite; it is {loss} at step {optimiser.n_steps}, "
            f"learning rate {optimiser.learning_rate:g}."
        )
    grad = backward(net, cache, softmax_cross_entropy_backward(scores, labels))
    optimiser.step(grad)
    return scores, loss
