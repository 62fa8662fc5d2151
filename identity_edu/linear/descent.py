"""Gradient descent on the excess risk, with its history."""

from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from identity_edu.backend import as_floating
from identity_edu.linear.risk import (
    excess_risk,
    excess_risk_gradient,
    max_spectral_norm,
)


@dataclass(frozen=True)
class Descent:
    """What one run of gradient descent left behind.

    Attributes
    ----------
    A : array, shape (l, d, d)
        Residuals after the last step.
    excess_risk : array, shape (n_steps + 1,)
        Excess risk before the first step and after each one.
    max_spectral_norm : array, shape (n_steps + 1,)
        Largest layer norm at the same moments.
    outcome : {"converged", "diverged", "out of steps"}
        Why it stopped.
    """

    A: Any
    excess_risk: Any
    max_spectral_norm: Any
    outcome: str


def descend(A, R, Sigma, *, step_size):
    """Yield the residuals of plain gradient descent, the start first, without end.

    Parameters
    ----------
    A : array, shape (l, d, d)
        Where to start; not modified.
    R, Sigma : array, shape (d, d)
        Target map and second moment of the input.
    step_size : float > 0
        Step per update.

    Yields
    ------
    array, shape (l, d, d)

    Raises
    ------
    ValueError
        If the shapes do not fit, or `step_size` is not positive.
    """
    if not step_size > 0:
        raise ValueError(f"step_size must be positive; got {step_size}.")
    _, (A, R, Sigma) = as_floating(A, R, Sigma)
    while True:
        yield A
        A = A - step_size * excess_risk_gradient(A, R, Sigma)


def gradient_descent(A, R, Sigma, *, step_size, n_steps, tol=0.0):
    """Minimise the excess risk by plain gradient descent, recording its history.

    Parameters
    ----------
    A, R, Sigma, step_size
        As for `descend`.
    n_steps : int >= 0
        Updates at most.
    tol : float >= 0
        Stop when the excess risk is at most this.

    Returns
    -------
    Descent
        It ends early, and says so, when the risk reaches `tol`, or when it is no
        longer finite or exceeds a million times the larger of its start and 1.

    Raises
    ------
    ValueError
        As `descend`, and if `n_steps` is negative.
    """
    if n_steps < 0:
        raise ValueError(f"n_steps must be at least 0; got {n_steps}.")
    risks, norms, outcome = [], [], "out of steps"
    with np.errstate(over="ignore", invalid="ignore"):  # reported as "diverged"
        for A_now in islice(descend(A, R, Sigma, step_size=step_size), n_steps + 1):
            risks.append(float(excess_risk(A_now, R, Sigma)))
            if not risks[-1] <= 1e6 * max(risks[0], 1.0):  # also true for NaN
                outcome = "diverged"
            elif risks[-1] <= tol:
                outcome = "converged"
            finite = outcome != "diverged"
            norms.append(float(max_spectral_norm(A_now)) if finite else np.inf)
            if outcome != "out of steps":
                break
    return Descent(A_now, np.array(risks), np.array(norms), outcome)
