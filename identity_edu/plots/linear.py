"""Figures about the risk of linear residual nets, for chapters 03 and 04."""

import numpy as np

from identity_edu.plots.style import COLOURS, MARKERS, new_figure


def gradient_by_layer(norms, limits=None):
    """Draw the gradient norm of every layer, one curve a network.

    Parameters
    ----------
    norms : dict of str to array, shape (l,)
        Label of the network, and the Frobenius norm of each layer's gradient.
    limits : dict of str to float, optional
        A bound for each network, drawn dashed in its colour.

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
        if limits:
            bound_label = f"bound, {label}"
            ax.axhline(limits[label], ls="--", color=colour, label=bound_label)
    ax.set_xlabel("layer $i$ (1 meets the input first)")
    ax.set_ylabel(r"$\|\partial f / \partial A_i\|_F$")
    ax.legend(ncols=2)
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


def landscapes(a, b, panels):
    """Draw contours of a risk over two weights, one panel for each network.

    Parameters
    ----------
    a, b : array, shape (m,)
        Values of the first and the second weight.
    panels : dict of str to (array of shape (m, m), list of array of shape (k, 2))
        Title, risk at ``[second weight, first weight]``, and the paths of descent
        as points (first weight, second weight).

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, axes = new_figure(len(panels), height=3.5, sharey=True)
    levels = np.array([0.01, 0.1, 0.4, 1, 2, 3, 3.99, 4.5, 6, 9, 16, 30])
    for ax, (title, (risk, paths)) in zip(
        np.atleast_1d(axes), panels.items(), strict=True
    ):
        ax.contour(a, b, risk, levels=levels, cmap="cividis", linewidths=1.0)
        for path in paths:
            ax.plot(*path.T, color=COLOURS["orange"], lw=1.6)
            ax.plot(*path[-1], marker="o", color=COLOURS["orange"])
        ax.plot(0, 0, marker="+", ms=12, mew=2, color=COLOURS["black"])
        ax.set_title(title)
        ax.set_xlabel("weight of layer 1")
    np.atleast_1d(axes)[0].set_ylabel("weight of layer 2")
    return fig


def slope_cloud(bound, slope, tau):
    """Draw measured squared slopes over their lower bound, coloured by the radius.

    Parameters
    ----------
    bound, slope : array, shape (m,)
        Right and left side of inequality (2.3).
    tau : array, shape (m,)
        Largest layer norm of each network.

    Returns
    -------
    matplotlib.figure.Figure
        With the line where both are equal, dashed: no point may lie below it.
    """
    fig, ax = new_figure(height=3.8)
    dots = ax.scatter(bound, slope, c=tau, cmap="viridis", s=9)
    ends = np.array([np.min(bound), np.max(bound)])
    ax.plot(ends, ends, "--", color=COLOURS["orange"], label="slope = bound")
    ax.set(xscale="log", yscale="log")
    ax.set_xlabel("bound, right side of the inequality")
    ax.set_ylabel(r"measured $\|\nabla f\|_F^2$")
    fig.colorbar(dots, label=r"largest layer norm $\tau$")
    ax.legend(loc="lower right")
    return fig


def slopes_along_descent(slopes, bounds):
    """Draw squared slope and its lower bound after each step of descent.

    Parameters
    ----------
    slopes, bounds : array, shape (n_steps + 1,)

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, ax = new_figure()
    ax.semilogy(slopes, color=COLOURS["blue"], label=r"measured $\|\nabla f\|_F^2$")
    ax.semilogy(bounds, "--", color=COLOURS["orange"], label="bound")
    ax.set_xlabel("step of gradient descent")
    ax.set_ylabel("squared slope")
    ax.legend()
    return fig
