r"""Networks as data: what every non-linear net of this book is made of.

A `Layer` is a function with its derivative and the names of its parameters. A `Block`
is a chain of layers, the branch, beside a skip, and computes skip(h) + branch(h). A
`Net` is a tuple of blocks and one dict of arrays. `forward` keeps the input of every
layer, and `backward` walks the same chains the other way. A gradient is a dict with
the keys and shapes of the parameters.
"""

from collections.abc import Callable
from dataclasses import dataclass

from identity_edu.backend import array_namespace, as_floating


@dataclass(frozen=True)
class Layer:
    """One function of a batch, its derivative, and which parameters it takes.

    Attributes
    ----------
    forward : callable
        ``forward(h, *arrays)`` returns the output.
    backward : callable
        ``backward(delta, h, *arrays)`` returns the gradient with respect to `h`, and
        those with respect to the arrays after it, if there are any.
    params : tuple of str
        Names in the net's dict, in the order that both functions take them.
    input_gradient : callable, optional
        ``input_gradient(delta, h, *arrays)`` returns the first of what `backward`
        does, where that is cheaper than all of it.
    """

    forward: Callable
    backward: Callable
    params: tuple[str, ...] = ()
    input_gradient: Callable | None = None


@dataclass(frozen=True)
class Block:
    """A branch beside a skip.

    Attributes
    ----------
    branch : tuple of Layer
        At least one.
    skip : tuple of Layer, or None
        The empty chain ``()`` is the identity; None means that there is no skip.
    """

    branch: tuple[Layer, ...]
    skip: tuple[Layer, ...] | None = ()


@dataclass(frozen=True)
class Net:
    """Blocks, the first one nearest the input, and their parameters by name.

    Attributes
    ----------
    blocks : tuple of Block
    params : dict of str to array
        All of one floating dtype, on one device.
    """

    blocks: tuple[Block, ...]
    params: dict


def forward(net, X):
    """Run a net, and keep what `backward` needs.

    Parameters
    ----------
    net : Net
    X : array, shape (n, ...)
        One example per row.

    Returns
    -------
    tuple
        ``(output, cache)``. ``cache[i]`` holds, for block i, the inputs of its
        branch's layers and of its skip's layers; ``cache[i][0][0]`` is the block's
        own input.

    Raises
    ------
    TypeError
        If the dtype or device of `X` is not that of the parameters.
    """
    X = _as_input(net, X)
    cache = []
    for block in net.blocks:
        X, inputs = _block_forward(block, net.params, X)
        cache.append(inputs)
    return X, cache


def look_away(_i, _gradient):
    """Do nothing with what `backward` shows.

    Parameters
    ----------
    _i : int
    _gradient : array
    """


def backward(net, cache, grad_output, watch=look_away):
    """Carry a gradient from the output back to every parameter.

    Parameters
    ----------
    net : Net
    cache : list
        From `forward`.
    grad_output : array, shape of the output
        Gradient of the loss with respect to the net's output.
    watch : callable, optional
        ``watch(i, gradient)`` is shown the gradient with respect to the input of block
        i, the last block first; before them, the output counts as the input of a block
        after the last.

    Returns
    -------
    dict of str to array
        Keys, order and shapes of ``net.params``.
    """
    grad, i = {}, len(net.blocks)
    watch(i, grad_output)
    for delta, grad_block in backward_sweep(net, cache, grad_output):
        i -= 1
        watch(i, delta)
        _accumulate(grad, grad_block)
    return {name: grad[name] for name in net.params}


def backward_sweep(net, cache, grad_output):
    """Walk from the last block to the first, with the gradient at each one's input.

    Parameters
    ----------
    net : Net
    cache : list
    grad_output : array, shape of the output

    Yields
    ------
    tuple
        ``(delta, grad_block)``: the gradient with respect to the block's input, and
        a dict with those of the block's own parameters.
    """
    delta = grad_output
    for block, inputs in zip(reversed(net.blocks), reversed(cache), strict=True):
        delta, grad_block = _block_backward(block, net.params, inputs, delta)
        yield delta, grad_block


def evaluate(net, X, *, batch_size=1024):
    """Run a net without a cache, a batch of rows at a time.

    Parameters
    ----------
    net : Net
    X : array, shape (n, ...)
    batch_size : int >= 1
        Memory grows with it; the result depends on it by rounding at most.

    Returns
    -------
    array, shape (n, ...)

    Raises
    ------
    TypeError
        If the dtype or device of `X` is not that of the parameters.
    ValueError
        If `batch_size` is less than 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1; got {batch_size}.")
    X = _as_input(net, X)
    xp = array_namespace(X)
    outputs = []
    for start in range(0, max(len(X), 1), batch_size):
        h = X[start : start + batch_size]
        for block in net.blocks:
            h, _ = _block_forward(block, net.params, h)
        outputs.append(h)
    return xp.concatenate(outputs)


def block_states(output, cache):
    """Return the batch as it enters each block, and as it leaves the last.

    Parameters
    ----------
    output : array
    cache : list
        Both from `forward`.

    Returns
    -------
    list of array
        One more than there are blocks. Not copies.
    """
    return [branch_inputs[0] for branch_inputs, _ in cache] + [output]


def n_parameters(net):
    """Count the numbers in a net's parameters.

    Parameters
    ----------
    net : Net

    Returns
    -------
    int
    """
    return sum(array.size for array in net.params.values())


def _block_forward(block, params, h):
    output, branch_inputs = _chain_forward(block.branch, params, h)
    if block.skip is None:
        return output, (branch_inputs, None)
    skipped, skip_inputs = _chain_forward(block.skip, params, h)
    return skipped + output, (branch_inputs, skip_inputs)


def _block_backward(block, params, inputs, delta):
    branch_inputs, skip_inputs = inputs
    delta_branch, grad = _chain_backward(block.branch, params, branch_inputs, delta)
    if block.skip is None:
        return delta_branch, grad
    # A sum hands its gradient to both terms: the identity returns delta unchanged.
    delta_skip, grad_skip = _chain_backward(block.skip, params, skip_inputs, delta)
    _accumulate(grad, grad_skip)
    return delta_skip + delta_branch, grad


def _chain_forward(layers, params, h):
    inputs = []
    for layer in layers:
        inputs.append(h)
        h = layer.forward(h, *(params[name] for name in layer.params))
    return h, inputs


def _chain_backward(layers, params, inputs, delta):
    grad = {}
    for layer, h in zip(reversed(layers), reversed(inputs), strict=True):
        arrays = [params[name] for name in layer.params]
        result = layer.backward(delta, h, *arrays)
        delta, *grads = result if arrays else (result,)
        _accumulate(grad, dict(zip(layer.params, grads, strict=True)))
    return delta, grad


def _accumulate(grad, more):
    """Add gradients by name: a parameter that is used twice collects both."""
    for name, array in more.items():
        grad[name] = grad[name] + array if name in grad else array


def _as_input(net, X):
    """Refuse an input that would change the dtype or the device on the way."""
    _, (X,) = as_floating(X)
    for name, array in net.params.items():
        array_namespace(X, array)
        if X.dtype != array.dtype:
            raise TypeError(
                f"X must have the dtype of the net's parameters; got {X.dtype}, and "
                f"{name} is {array.dtype}."
            )
    return X
