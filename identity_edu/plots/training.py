"""The figure of a training run: how it learns, and what becomes of its layers."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm

from identity_edu.plots.style import COLOURS

MAPS = {
    "distance": "distance from the identity",
    "gradient_ratio": "gradient, input by output",
    "gradient_norm": "norm of the gradient",
    "spectral_norm": "spectral norm",
}
RATIOS = (0.5, 1, 2)  # the colours' ends, and the middle: a gradient that is preserved


def training_run(log, telemetry=(), held_out=()):
    """Draw loss, accuracy and rate against the step, and maps of layers and steps.

    Parameters
    ----------
    log : list of dict
        ``"step"``, ``"loss"``, ``"accuracy"`` and ``"learning_rate"``.
    telemetry : list of dict
        ``"step"``, and by layer: ``"distance"``, ``"gradient_ratio"``,
        ``"gradient_norm"``, ``"spectral_norm"``. A layer that a line leaves out stays
        white in it; what no line has is not drawn.
    held_out : list of dict
        ``"step"`` and ``"accuracy"``.

    Returns
    -------
    matplotlib.figure.Figure
        The layer nearest the input is at the bottom of a map; colours are
        logarithmic, and those of gradient ratios are pale at 1.
    """
    keys = [key for key in MAPS if any(line.get(key) for line in telemetry)]
    pairs = [keys[i : i + 2] for i in range(0, len(keys), 2)]
    n_rows = 1 + len(pairs)
    fig = plt.figure(figsize=(10.0, 3.2 * n_rows))
    rows = fig.subfigures(n_rows, 1, squeeze=False)[:, 0]  # margins of their own
    _draw_curves(rows[0].subplots(1, 3), log, held_out)
    for row, pair in zip(rows[1:], pairs, strict=True):
        for key, ax in zip(
            pair, row.subplots(1, len(pair), squeeze=False)[0], strict=True
        ):
            _draw_map(row, ax, telemetry, key)
    return fig


def _draw_curves(axes, log, held_out):
    step = _column(log, "step")
    axes[0].semilogy(step, _column(log, "loss"), color=COLOURS["blue"])
    axes[0].set_ylabel("loss on batches (nats)")
    axes[1].plot(step, _column(log, "accuracy"), color=COLOURS["blue"], label="batches")
    if len(held_out):
        marks = {"color": COLOURS["orange"], "marker": "o", "label": "held out"}
        steps, accuracy = _column(held_out, "step"), _column(held_out, "accuracy")
        axes[1].plot(steps, accuracy, **marks)
        axes[1].legend()
    axes[1].set_ylabel("accuracy")
    axes[1].set_ylim(0, 1.02)
    rate = {"color": COLOURS["blue"], "drawstyle": "steps-pre"}
    axes[2].semilogy(step, _column(log, "learning_rate"), **rate)
    axes[2].set_ylabel("learning rate")
    for ax in axes:
        ax.set_xlabel("step")


def _draw_map(fig, ax, telemetry, key):
    """Draw one colour for each layer and step; what is not positive stays white."""
    lines = [line.get(key, {}) for line in telemetry]
    layers = list(max(lines, key=len))
    values = np.array([[line.get(layer, 0) for line in lines] for layer in layers])
    values = np.ma.masked_less_equal(values.astype(float), 0)
    rows = np.arange(len(layers) + 1) - 0.5
    steps = _edges(_column(telemetry, "step"))
    colours = {"norm": LogNorm(), "cmap": None}
    if key == "gradient_ratio":
        colours = {"norm": LogNorm(RATIOS[0], RATIOS[-1]), "cmap": "PuOr"}
    mesh = ax.pcolormesh(steps, rows, values, rasterized=True, **colours)
    shown = np.unique(np.linspace(0, len(layers) - 1, 8).round().astype(int))
    ax.set_yticks(shown, [layers[row] for row in shown], fontsize=8)
    ax.set(xlabel="step", ylabel="layer")
    ax.grid(visible=False)
    bar = fig.colorbar(mesh, ax=ax, extend="both" if colours["cmap"] else "neither")
    bar.set_label(MAPS[key])
    if colours["cmap"]:
        bar.set_ticks(RATIOS, labels=[f"{ratio:g}" for ratio in RATIOS])
        bar.minorticks_off()


def _edges(steps):
    """Return the limits of cells around steps: half way to the neighbours."""
    middles = (steps[:-1] + steps[1:]) / 2
    half = (steps[1] - steps[0]) / 2 if len(steps) > 1 else 0.5
    return np.array([max(0, steps[0] - half), *middles, steps[-1] + half])


def _column(records, key):
    return np.array([record[key] for record in records])
