"""Figures about gradient descent on linear residual nets, for chapter 06."""

import numpy as np

from identity_edu.plots.style import COLOURS, MARKERS, new_figure

DASHES = ("-", "--", "-.", ":")


def descent_runs(risks):
    """Draw the excess risk of several runs against the step.

    Parameters
    ----------
    risks : dict of str to array, shape (n_steps + 1,)
        Label of each run, and its positive excess risks.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, ax = new_figure()
    for (label, values), colour, dash in zip(
        risks.items(), COLOURS.values(), DASHES, strict=False
    ):
        ax.semilogy(values, color=colour, ls=dash, label=label)
    ax.set_xlabel("step of gradient descent")
    ax.set_ylabel(r"excess risk $f(A) - C_{\rm opt}$")
    ax.legend(loc="center right")
    return fig


def eigenvalue_paths(paths, targets):
    """Draw eigenvalues of a network on their way, in the complex plane.

    Parameters
    ----------
    paths : complex array, shape (m, k)
        Position of each of `k` eigenvalues at `m` moments.
    targets : complex array, shape (k,)
        Where each of them wants to go.

    Returns
    -------
    matplotlib.figure.Figure
        With the segment from each start to its target, dashed.
    """
    fig, ax = new_figure(height=3.6)
    for k, (path, target) in enumerate(zip(paths.T, targets, strict=True)):
        colour = list(COLOURS.values())[k % len(COLOURS)]
        line = np.array([path[0], target])
        ax.plot(line.real, line.imag, "--", color=COLOURS["grey"], lw=1.2)
        ax.plot(path.real, path.imag, "o", color=colour, ms=3.5, clip_on=False)
        ax.plot(target.real, target.imag, "x", color=colour, ms=10, mew=2)
    ax.plot(0, 0, "o", mfc="none", color=COLOURS["black"], ms=11, mew=1.5)
    ax.annotate("0", (0, 0), (0, -16), textcoords="offset points", ha="center")
    ax.set_aspect("equal")
    ax.margins(x=0.06, y=0.12)
    ax.set_xlabel("real part")
    ax.set_ylabel("imaginary part")
    return fig


def escape_waits(heights, waits, laws):
    """Draw how long runs waited beside zero against the height of their line.

    Parameters
    ----------
    heights, waits : dict of str to array
        For each label, one entry a run.
    laws : dict of str to (array, array)
        For each label, heights and the predicted steps, drawn dashed.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, ax = new_figure()
    for label, colour, marker in zip(heights, COLOURS.values(), MARKERS, strict=False):
        ax.loglog(heights[label], waits[label], marker, color=colour, label=label)
        law_label = f"law, {label}"
        ax.loglog(*laws[label], "--", color=colour, lw=1.2, label=law_label)
    ax.set_xlabel("height $h$ at which the line passes zero")
    ax.set_ylabel("steps until the escape")
    ax.legend(ncols=2)
    return fig


def step_size_sweep(factors, risks):
    """Draw where descent ends against the step size, in units of the largest stable.

    Parameters
    ----------
    factors : array, shape (m,)
    risks : dict of str to array, shape (m,)
        For each label, the last excess risk of each run.

    Returns
    -------
    matplotlib.figure.Figure
        With the predicted end of convergence, dashed.
    """
    fig, ax = new_figure()
    for (label, values), colour, marker in zip(
        risks.items(), COLOURS.values(), MARKERS, strict=False
    ):
        ax.semilogy(factors, values, marker, color=colour, label=label, alpha=0.8)
    ax.axvline(1.0, ls="--", color=COLOURS["black"], label="predicted limit")
    ax.set_xlabel(r"step size, in units of $1/(\ell\,\sigma_{\max}^{2-2/\ell})$")
    ax.set_ylabel("excess risk at the end")
    ax.legend(loc="center right")
    return fig
