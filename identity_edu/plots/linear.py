"""Figures about the risk of linear residual nets, for chapters 03 and 04."""

import numpy as np

from identity_edu.plots.style import COLOURS, MARKERS, new_figure


def gradient_by_layer(norms):
    """Draw the gradient norm of every layer, one curve a network.

    Parameters
    ----------
    norms : dict of str to array, shape (l,)
        Label of the network, and the Frobenius norm of each layer's gradient.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, ax = new_figure()
    for (label, values), colour, marker in zip(
        norms.items(), COLOURS.values(), MARKERS, strict=False
    ):
        layers = np.arange(1, len(values) + 1)
        ax.semilogy(layers, values, marker=marker, color=colour, label=label)
    ax.set_xlabel("layer $i$ (1 meets the input first)")
    ax.set_ylabel(r"$\|\partial f / \partial A_i\|_F$")
    ax.legend()
    return fig


def risk_estimates(sizes, means, errors, exact):
    """Draw Monte Carlo estimates of a risk, with two standard errors, and its value.

    Parameters
    ----------
    sizes, means, errors : array, shape (m,)
        Sample sizes, estimates, and their standard errors.
    exact : float
        The value from the formula, drawn dashed.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, ax = new_figure()
    ax.errorbar(
        sizes,
        means,
        yerr=2 * np.asarray(errors),
        fmt="o",
        capsize=3,
        color=COLOURS["blue"],
        label="sample mean, ± 2 standard errors",
    )
    ax.axhline(exact, ls="--", color=COLOURS["orange"], label="formula")
    ax.set_xscale("log")
    ax.set_xlabel("examples $n$")
    ax.set_ylabel("risk (squared units of $y$)")
    ax.legend()
    return fig


def difference_errors(steps, errors):
    """Draw the error of difference quotients against the step, in both logarithms.

    Parameters
    ----------
    steps : array, shape (m,)
    errors : dict of str to array, shape (m,)
        Label of each gradient, and its absolute errors.

    Returns
    -------
    matplotlib.figure.Figure
        With a dashed guide that falls like the square of the step.
    """
    fig, ax = new_figure()
    steps = np.asarray(steps)
    for (label, values), colour, marker in zip(
        errors.items(), COLOURS.values(), MARKERS, strict=False
    ):
        ax.loglog(steps, values, marker=marker, color=colour, label=label)
    first = next(iter(errors.values()))
    guide = 0.3 * first[0] * (steps / steps[0]) ** 2
    ax.loglog(steps, guide, "--", color=COLOURS["grey"], label="slope 2")
    ax.set_xlabel("step $h$")
    ax.set_ylabel("|difference quotient − directional derivative|")
    ax.legend()
    return fig
