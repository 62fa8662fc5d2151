"""Figures about memorising a sample, for chapter 08."""

import numpy as np

from identity_edu.plots.style import COLOURS, MARKERS, new_figure


def accuracy_dots(training, held_out, chance):
    """Draw, one row a method, its accuracy on seen and on new examples.

    Parameters
    ----------
    training, held_out : dict of str to array
        For each method, one accuracy in [0, 1] a run.
    chance : float
        Accuracy of blind guessing, drawn dashed.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, ax = new_figure(height=2.4)
    names = list(training)[::-1]  # the first method on top
    rows = np.arange(len(names))
    for results, colour, marker, label in (
        (training, COLOURS["grey"], "s", "examples it was built from"),
        (held_out, COLOURS["orange"], "o", "held-out examples"),
    ):
        for row, name in zip(rows, names, strict=True):
            values = 100 * np.asarray(results[name])
            style = {"color": colour, "ms": 7, "mfc": "none", "clip_on": False}
            ax.plot(
                values,
                np.full(len(values), row),
                marker,
                label=label if row == 0 else None,
                **style,
            )
    ax.axvline(100 * chance, ls="--", color=COLOURS["black"], label="guessing")
    ax.set(yticks=rows, yticklabels=names, xlim=(0, 101), ylim=(-0.5, len(rows) - 0.5))
    ax.set_xlabel("right answers, per cent")
    ax.set_ylabel("method")
    ax.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.4, 1.0))
    return fig


def moved_points(states, classes, targets, lines):
    """Draw points of the plane before each block, its thresholds, and its moves.

    Parameters
    ----------
    states : list of array, shape (n, 2)
        The points before each block, and after the last one.
    classes : int array, shape (n,)
    targets : array, shape (r, 2)
        Where points of each class go.
    lines : list of tuple
        One for each block: ``(U, t)``, shapes (m, 2) and (m,), the lines <u, h> = t.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a block, and one for the end.
    """
    fig, axes = new_figure(len(states), height=2.9, sharey=True)
    for number, (ax, H) in enumerate(zip(axes, states, strict=True)):
        for c, (colour, marker) in enumerate(
            zip(list(COLOURS.values())[: len(targets)], MARKERS, strict=False)
        ):
            style = {"color": colour, "ls": "none", "marker": marker}
            ax.plot(*targets[c], ms=13, mfc="none", **style)
            ax.plot(*H[classes == c].T, **style)
        if number < len(lines):
            _draw_thresholds(ax, *lines[number])
            _draw_moves(ax, H, states[number + 1])
            ax.set_title(f"block {number + 1}")
        else:
            ax.set_title("after the last block")
        ax.set(xlim=(-1.35, 1.35), ylim=(-1.35, 1.35), aspect="equal")
        ax.set_xlabel("$h$, first entry")
    axes[0].set_ylabel("$h$, second entry")
    return fig


def width_and_size(n, measured, theory):
    """Draw the width that a sample needs, and the size of the net, against n.

    Parameters
    ----------
    n : array, shape (m,)
        Numbers of examples.
    measured : dict with keys "width" and "parameters"
        For each, a list of m lists, one number a seed.
    theory : dict of str to dict
        For each of two labels, arrays of shape (m,) with the same two keys.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, axes = new_figure(2)
    n = np.asarray(n)
    for ax, (name, columns) in zip(axes, measured.items(), strict=True):
        dots = [(size, y) for size, ys in zip(n, columns, strict=True) for y in ys]
        label = "measured, one dot a seed"
        ax.plot(
            *np.transpose(dots), "o", color=COLOURS["blue"], mfc="none", label=label
        )
        for (label, predicted), colour, dash in zip(
            theory.items(),
            (COLOURS["orange"], COLOURS["black"]),
            ("-", "--"),
            strict=True,
        ):
            ax.plot(n, predicted[name], dash, color=colour, label=label)
        ax.set_xscale("log")
        ax.set_xlabel("number of examples $n$")
    axes[0].set_ylabel("width $k$")
    axes[0].set_ylim(bottom=0)
    axes[1].set_yscale("log")
    axes[1].set_ylabel("parameters")
    axes[0].legend(loc="upper left", fontsize=8)
    axes[1].plot(n, 20 * n, ":", color=COLOURS["grey"], label="$20n$")
    axes[1].legend(*_last_entry(axes[1]), loc="lower right")
    return fig


def margin_costs(widths, margins, guaranteed, kept, errors):
    """Draw the margin that each width keeps, and the error that each margin leaves.

    Parameters
    ----------
    widths, margins : array, shape (m,)
        Of nets that were built.
    guaranteed : tuple of array
        ``(widths, margins)`` of the theorem, drawn dashed.
    kept, errors : array, shape (p,)
        Margins of other nets, and their largest output errors.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, (left, right) = new_figure(2)
    left.plot(widths, margins, "o", color=COLOURS["blue"], mfc="none", label="measured")
    left.plot(*guaranteed, "--", color=COLOURS["black"], label="guaranteed at 99 %")
    left.set_xlabel("width $k$")
    left.set_ylabel("smallest margin")
    left.set_ylim(bottom=0)
    left.legend(loc="lower right")
    right.loglog(kept, errors, "s", color=COLOURS["orange"], mfc="none", label="nets")
    ends = np.array([np.min(kept), np.max(kept)])
    guide = r"$10^{-15}$ / margin"
    right.loglog(ends, 1e-15 / ends, "--", color=COLOURS["black"], label=guide)
    right.set_xlabel("smallest margin")
    right.set_ylabel("largest error of an output")
    right.legend(loc="upper right")
    return fig


def _draw_thresholds(ax, U, t):
    """Draw each line <u, h> = t, to the length of a unit circle's chord and more."""
    for u, threshold in zip(U, t, strict=True):
        middle = threshold * u / (u @ u)
        along = 0.55 * np.array([-u[1], u[0]]) / np.linalg.norm(u)
        ends = np.array([middle - along, middle + along])
        ax.plot(*ends.T, color=COLOURS["grey"], lw=1.2)


def _draw_moves(ax, before, after):
    """Draw an arrow from every point that moves to where it goes."""
    for h, new in zip(before, after, strict=True):
        if not np.array_equal(h, new):
            style = {"arrowstyle": "->", "color": COLOURS["black"], "shrinkB": 5}
            ax.annotate("", new, h, arrowprops=style)


def _last_entry(ax):
    """Return handle and label of the last thing drawn, for a short legend."""
    handles, labels = ax.get_legend_handles_labels()
    return handles[-1:], labels[-1:]
