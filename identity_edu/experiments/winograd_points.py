"""How much a Winograd tile's rounding errors depend on its interpolation points.

For several sets of points the largest error of a tile of convolution outputs, in
float32 and with the transformed numbers rounded to float16, relative to the largest
output; and the prediction, how much larger the terms are than their sum. Shown in
chapter 10.
"""

import numpy as np

from identity_edu.conv.cook_toom import winograd_matrices

SEEDS = [10, 11, 12, 13, 14, 15, 16]
TAPS, CHANNELS, N_TILES = 3, 64, 32
NOISE = 0.1  # of the pixels of a smooth tile, relative to their common value
# The finite points; infinity belongs to every set.
POINT_SETS = {
    2: [(0, 1, -1), (0, 1 / 2, -1 / 2), (0, 2, -2), (0, 1, 2)],
    4: [
        (0, 3 / 4, -3 / 4, 5 / 4, -5 / 4),
        (0, 1, -1, 2, -2),
        (0, 1 / 2, -1 / 2, 1, -1),
        (0, 1 / 2, -1 / 2, 2, -2),
        (0, 1, 2, 3, 4),
    ],
    6: [
        (0, 1 / 2, -1 / 2, 1, -1, 2, -2),
        (0, 1 / 2, -1 / 2, 1, -1, 3 / 2, -3 / 2),
        (0, 1, -1, 2, -2, 3, -3),
    ],
}
NAMED = {
    "half": (0, 1 / 2, -1 / 2),
    "two": (0, 2, -2),
    "usual": (0, 1, -1, 2, -2),
    "ours": (0, 3 / 4, -3 / 4, 5 / 4, -5 / 4),
}


def measure():
    """Return prediction and errors of every point set, and the definition's errors."""
    runs = [
        _case(n_outputs, finite)
        for n_outputs, sets in POINT_SETS.items()
        for finite in sets
    ]
    return {
        "n_taps": TAPS,
        "n_channels": CHANNELS,
        "n_tiles": N_TILES,
        "cases": runs,
        "smooth": _smooth_case(),
        "direct": [_tile_error(None, seed, np.float32) for seed in SEEDS],
        "direct_float16": [_tile_error(None, seed, np.float16) for seed in SEEDS],
    }


def cancellation(points):
    r"""Return how much larger the terms of each output are than the output.

    Output k of one axis is the sum of the terms
    :math:`A^\top_{ki} (Gg)_i (B^\top d)_i`. For independent taps and inputs of mean 0
    and variance 1 this is the root of the sum of their squares, relative to that of
    the output, both in expectation.

    Parameters
    ----------
    points : sequence of float
        As for `winograd_matrices` with three taps.

    Returns
    -------
    array, shape (m,)
        At a place of a square tile it is the product over both axes.
    """
    AT, G, BT = winograd_matrices(points, n_taps=TAPS)
    return np.sqrt(AT**2 @ ((G**2).sum(1) * (BT**2).sum(1)) / TAPS)


def summary(values):
    """Return the numbers that the chapter's text names.

    Parameters
    ----------
    values : dict
        From `measure`.

    Returns
    -------
    dict of str to float
        Errors are medians over the seeds; ``law`` is the measured error over the
        predicted one, over all sets of points.
    """
    unit = np.median(values["direct"])
    cases = {tuple(case["points"]): case for case in values["cases"]}
    law = [np.median(c["errors"]) / c["predicted"] / unit for c in cases.values()]
    numbers = {"direct-error": unit, "law-low": min(law), "law-high": max(law)}
    for name, points in NAMED.items():
        case = cases[points]
        BT = winograd_matrices((*points, np.inf))[2]
        numbers[f"cond-{name}"] = np.linalg.cond(BT)
        numbers[f"error-{name}"] = np.median(case["errors"])
        numbers[f"growth-{name}"] = case["predicted"]
    smooth = values["smooth"]
    promised = smooth["predicted"] * np.median(smooth["direct"])
    return numbers | {"smooth-factor": promised / np.median(smooth["errors"])}


def _case(n_outputs, finite):
    points = (*finite, np.inf)
    errors = [_tile_error(points, seed, np.float32) for seed in SEEDS]
    short = [_tile_error(points, seed, np.float16) for seed in SEEDS]
    return {
        "n_outputs": n_outputs,
        "points": list(finite),
        "predicted": cancellation(points).max() ** 2,
        "errors": errors,
        "errors_float16": short,
    }


def _smooth_case():
    """Measure the usual points on tiles whose pixels are nearly alike."""
    points = (0, 1, -1, 2, -2, np.inf)
    return {
        "noise": NOISE,
        "predicted": cancellation(points).max() ** 2,
        "errors": [_tile_error(points, s, np.float32, smooth=True) for s in SEEDS],
        "direct": [_tile_error(None, s, np.float32, smooth=True) for s in SEEDS],
    }


def _tile_error(points, seed, dtype, *, smooth=False):
    """Return the largest error of random tiles, relative to the largest output.

    Products and sums are float32; `dtype` is what the factors are rounded to. Without
    points the definition is measured, on the largest tiles.
    """
    n_outputs = 6 if points is None else len(points) - TAPS + 1
    rng = np.random.default_rng(seed)
    size = n_outputs + TAPS - 1
    d = rng.standard_normal((size, size, N_TILES, CHANNELS))
    if smooth:
        d = rng.standard_normal((N_TILES, CHANNELS)) + NOISE * d
    g = rng.standard_normal((TAPS, TAPS, CHANNELS, CHANNELS)) / TAPS / CHANNELS**0.5
    d, g = d.astype(np.float32), g.astype(np.float32)
    exact = _definition(d.astype(np.float64), g.astype(np.float64), n_outputs)
    if points is None:
        y = _definition(_rounded(d, dtype), _rounded(g, dtype), n_outputs)
    else:
        matrices = winograd_matrices(points, n_taps=TAPS)
        AT, G, BT = (matrix.astype(np.float32) for matrix in matrices)
        U, V = _both_axes(G, g), _both_axes(BT, d)
        y = _both_axes(AT, _rounded(V, dtype) @ _rounded(U, dtype))
    return float(np.abs(y - exact).max() / np.abs(exact).max())


def _definition(d, g, n_outputs):
    """Sum the taps of every output, (m, m, tiles, channels)."""
    return sum(
        d[a : a + n_outputs, b : b + n_outputs] @ g[a, b]
        for a in range(TAPS)
        for b in range(TAPS)
    )


def _both_axes(matrix, tile):
    """Apply a matrix to the first two axes."""
    half = np.tensordot(matrix, tile, axes=(1, 0))
    return np.tensordot(matrix, half, axes=(1, 1)).swapaxes(0, 1)


def _rounded(array, dtype):
    """Round to a dtype and come back; beyond its range, to its largest number."""
    limit = np.finfo(dtype).max
    return np.clip(array, -limit, limit).astype(dtype).astype(array.dtype)
