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
    ax.legend(ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
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


def landscapes(paths, target):
    """Draw the risk of two weights, plain and residual, with paths of descent.

    The contours are those of ``(w2 w1 - target)**2``, where a weight is ``w = a`` in
    the plain network and ``w = 1 + a`` in the residual one.

    Parameters
    ----------
    paths : dict with keys "plain" and "residual"
        For each, a list of arrays of shape (k, 2): first and second weight.
    target : float

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, axes = new_figure(2, height=3.6, sharey=True)
    a = np.linspace(-2.4, 2.4, 161)
    for ax, (name, shift) in zip(
        axes, {"plain": 0, "residual": 1}.items(), strict=True
    ):
        risk = (np.outer(a + shift, a + shift) - target) ** 2
        levels = target**2 * np.array([0, 0.02, 0.1, 0.3, 0.6, 1, 1.5, 2.5, 5, 10, 30])
        ax.contourf(a, a, np.sqrt(risk), levels=np.sqrt(levels), cmap="Blues")
        ax.contour(a, a, risk, levels=[target**2], colors=COLOURS["grey"])
        for path in paths[name]:
            ax.plot(*path.T, color=COLOURS["orange"])
            ax.plot(*path[-1], "o", color=COLOURS["orange"])
        ax.plot(0, 0, "+", ms=12, mew=2, color=COLOURS["black"])
        symbol = "w" if name == "plain" else "a"
        ax.set_title(f"{name} network")
        ax.set_xlabel(f"weight of layer 1, ${symbol}_1$")
        ax.set_ylabel(f"weight of layer 2, ${symbol}_2$")
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
