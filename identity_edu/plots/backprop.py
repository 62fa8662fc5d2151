"""Figures about derivatives of programs and how they are tested, for chapter 02."""

import numpy as np

from identity_edu.plots.style import COLOURS, MARKERS, new_figure


def cost_of_slopes(n_parameters, backward, quotients):
    """Draw what all slopes of a net cost, in forward passes, against its size.

    Parameters
    ----------
    n_parameters : array, shape (m,)
    backward : array, shape (m,)
        Cost by one backward sweep.
    quotients : array, shape (k,), k <= m
        Cost by difference quotients, for the first k sizes.

    Returns
    -------
    matplotlib.figure.Figure
        With two losses for each parameter as a dashed line.
    """
    fig, ax = new_figure()
    n_parameters = np.asarray(n_parameters)
    blue, orange = COLOURS["blue"], COLOURS["orange"]
    ax.loglog(n_parameters, 2 * n_parameters, "--", color=orange, label="2 losses each")
    measured = n_parameters[: len(quotients)]
    ax.loglog(measured, quotients, "s", color=orange, label="difference quotients")
    ax.loglog(n_parameters, backward, "o-", color=blue, label="one backward sweep")
    ax.set_xlabel("number of parameters")
    ax.set_ylabel("cost of all slopes\n(forward passes)")
    ax.legend()
    return fig


def kink_errors(steps, errors, nearest):
    """Draw difference errors against the step, and where the nearest kink lies.

    Parameters
    ----------
    steps : array, shape (m,)
    errors : dict of str to array, shape (m,)
        Label of each sample, and its absolute errors.
    nearest : dict of str to float
        For each sample the step at which the first ReLU switches, dashed.

    Returns
    -------
    matplotlib.figure.Figure
        With a dotted guide that falls like the square of the step.
    """
    fig, ax = new_figure()
    steps = np.asarray(steps)
    for (label, values), colour, marker in zip(
        errors.items(), COLOURS.values(), MARKERS, strict=False
    ):
        ax.loglog(steps, values, marker=marker, color=colour, label=label)
        kink = f"nearest kink, {label}"
        ax.axvline(nearest[label], ls="--", color=colour, label=kink)
    smallest = np.argmin(steps)
    last = min(values[smallest] for values in errors.values())
    guide = 0.2 * last * (steps / steps[smallest]) ** 2
    ax.loglog(steps, guide, ":", color=COLOURS["grey"], label="slope 2")
    ax.set_xlabel("step $h$")
    ax.set_ylabel("|difference quotient − slope|")
    ax.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return fig
