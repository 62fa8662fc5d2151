"""Check a hand-written derivative by how its finite differences converge.

One small difference quotient proves little: it mixes the error of the derivative
with rounding and with the step. The *order* at which the error falls does prove
something. A wrong derivative leaves an error that does not fall at all.
"""

import numpy as np

from identity_edu.backend import array_namespace


def central_difference(f, x, direction, step):
    r"""Approximate a directional derivative from two values of a function.

    :math:`\big(f(x + hv) - f(x - hv)\big) / 2h = \langle \nabla f(x), v\rangle
    + O(h^2)`.

    Parameters
    ----------
    f : callable
        Takes an array shaped as `x`, returns a number.
    x, direction : array, same shape
        The point and the direction :math:`v` (not normalised).
    step : float > 0
        The step :math:`h`.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the shapes differ or `step` is not positive.
    """
    if x.shape != direction.shape:
        got = f"{x.shape} and {direction.shape}"
        raise ValueError(f"x and direction must have one shape; got {got}.")
    if not step > 0:
        raise ValueError(f"step must be positive; got {step}.")
    ahead, behind = f(x + step * direction), f(x - step * direction)
    return (ahead - behind) / (2.0 * step)


def convergence_order(f, grad, x, direction, steps=(1e-1, 1e-2, 1e-3)):
    """Measure the power of the step with which the difference error falls.

    Parameters
    ----------
    f : callable
        Takes an array shaped as `x`, returns a number; smooth along the line and
        not quadratic on it (a quadratic has no error to measure).
    grad : array, shape of `x`
        The gradient under test, at `x`.
    x, direction : array, same shape
    steps : sequence of float
        Decreasing steps; at least two.

    Returns
    -------
    tuple
        ``(order, errors)``: the slope of log error against log step, and the
        errors themselves. The order is 2 for an exact gradient and about 0 for one
        whose mistake along `direction` exceeds the difference error; in between
        for a smaller mistake, and 2 for a mistake orthogonal to `direction`.

    Raises
    ------
    ValueError
        If fewer than two steps are given, or a shape differs.
    """
    if len(steps) < 2:
        raise ValueError(f"at least two steps are required; got {len(steps)}.")
    xp = array_namespace(x, direction, grad)
    exact = float(xp.sum(grad * direction))
    slopes = [float(central_difference(f, x, direction, h)) for h in steps]
    errors = np.abs(np.array(slopes) - exact)
    order = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    return float(order), errors


def difference_gradient(f, x, step=1e-4):
    """Approximate a whole gradient, one entry of `x` after the other.

    Parameters
    ----------
    f : callable
        Takes an array shaped as `x`, returns a number.
    x : array
        Not modified.
    step : float > 0

    Returns
    -------
    array, shape of `x`

    Notes
    -----
    Two values of `f` for every entry: for checking small cases, never for training.
    """
    xp = array_namespace(x)
    grad = xp.zeros(x.shape)
    for index in np.ndindex(*x.shape):
        direction = xp.zeros(x.shape)
        direction[index] = 1.0
        grad[index] = central_difference(f, x, direction, step)
    return grad
