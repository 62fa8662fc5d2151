"""What all slopes of a net cost, in the time of one loss: chapter 02 shows it.

Four residual blocks of growing width on 64 examples. A backward sweep is timed beside
the forward pass it follows; difference quotients, two losses for each parameter, only
where they are affordable. On one thread: with more, small products wait for each other
and the ratio says more about the waiting.
"""

import time
from dataclasses import replace
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from identity_edu import nets, numerics, ops, relu
from identity_edu.experiments import write_result

SEED = 2
WIDTHS = (4, 8, 16, 32, 64, 128, 256, 512)
N_BLOCKS, N_EXAMPLES = 4, 64
AFFORDABLE = 10_000  # parameters
RUNS = 21


def measure():
    """Return parameter counts and, for each, the cost of all slopes in forward passes.

    Returns
    -------
    dict
        ``n_parameters``; ``backward``, the time of a forward pass and the sweep after
        it over that of a forward pass alone; ``quotients``, the same for central
        differences, shorter where the rest would take too long.
    """
    rng = np.random.default_rng(SEED)
    found = {"n_parameters": [], "backward": [], "quotients": []}
    for width in WIDTHS:
        net = relu.init_net(rng, [width] * (N_BLOCKS + 1), init="he")
        X, Y = rng.standard_normal((2, N_EXAMPLES, width))
        if width == WIDTHS[0]:
            _check_agreement(sweep(net, X, Y), quotients(net, X, Y))
        once, swept = _alternating(partial(loss, net, X, Y), partial(sweep, net, X, Y))
        found["n_parameters"].append(nets.n_parameters(net))
        found["backward"].append(swept / once)
        if nets.n_parameters(net) <= AFFORDABLE:
            found["quotients"].append(_seconds(partial(quotients, net, X, Y)) / once)
    return found


def loss(net, X, Y):
    """Return the squared loss of a net's outputs.

    Parameters
    ----------
    net : Net
    X, Y : array, shape (n, d)
        Inputs and targets.

    Returns
    -------
    float
    """
    output, _ = nets.forward(net, X)
    return ops.squared_loss(output, Y)


def sweep(net, X, Y):
    """Return the gradient of `loss`, by one backward sweep.

    Parameters
    ----------
    net : Net
    X, Y : array, shape (n, d)
        Inputs and targets.

    Returns
    -------
    dict of str to array
    """
    output, cache = nets.forward(net, X)
    return nets.backward(net, cache, ops.squared_loss_backward(output, Y))


def quotients(net, X, Y):
    """Return the gradient of `loss`, by two losses for each parameter.

    Parameters
    ----------
    net : Net
    X, Y : array, shape (n, d)
        Inputs and targets.

    Returns
    -------
    dict of str to array
    """
    return {
        name: numerics.difference_gradient(partial(_loss_with, net, X, Y, name), array)
        for name, array in net.params.items()
    }


def _loss_with(net, X, Y, name, array):
    return loss(replace(net, params=net.params | {name: array}), X, Y)


def _check_agreement(swept, divided):
    """Refuse to compare two methods that do not compute the same."""
    scale = max(np.abs(array).max() for array in swept.values())
    error = max(np.abs(swept[k] - divided[k]).max() for k in swept) / scale
    if error > 1e-4:
        raise ArithmeticError(f"the two gradients differ by {error:.0e}.")


def _alternating(*functions):
    """Return each function's shortest time: a busy machine only adds to it."""
    rounds = [[_seconds(f) for f in functions] for _ in range(RUNS)]
    return [min(times) for times in zip(*rounds, strict=True)]


def _seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main():
    """Measure on one thread, print the table and write the results file."""
    with threadpool_limits(1, "blas"):
        found = measure()
    for i, n_parameters in enumerate(found["n_parameters"]):
        row = f"{n_parameters:>9,} parameters: sweep {found['backward'][i]:5.2f}"
        if i < len(found["quotients"]):
            row += f", difference quotients {found['quotients'][i]:,.0f}"
        print(row, "forward passes")
    path = write_result(
        "benchmark_gradient_cost",
        found,
        command="python benchmarks/gradient_cost.py",
        seeds=[SEED],
        script=__file__,
    )
    print(path)


if __name__ == "__main__":
    main()
