"""3 x 3 convolutions in NumPy beside PyTorch's, on the same cores, in float32.

For the three stages of the all-convolutional net and two batch sizes: the output, the
gradient of the input and the gradient of the weights, ours (Winograd, kernel transforms
included) and PyTorch's (channels last) in turn. Then where our time goes, what bare
matrix products reach, and how few channels are too few.

Promised: a forward pass of every stage faster than PyTorch's at batch 128, where
OPENBLAS_CORETYPE does not force older kernels.
"""

import importlib.util
import statistics
import sys
import time

import numpy as np
from children import measure_both_ways

from identity_edu import conv
from identity_edu.conv import winograd
from identity_edu.conv.layout import PaddedImages
from identity_edu.conv.team import Team
from identity_edu.experiments import write_result

SEED = 10
STAGES = {"32 x 32 x 64": (32, 64), "16 x 16 x 128": (16, 128), "8 x 8 x 256": (8, 256)}
BATCHES, N_ROUNDS = (32, 128), 9
PASSES = ("output", "gradient of input", "gradient of weights")
PARTS = ("transform in", "products", "transform out")
CHANNELS, CHANNEL_SIDE, CHANNEL_BATCH = (2, 4, 8, 16, 32, 64, 128), 16, 32
LARGE = 2048  # side of the matrices of a product that no cache holds
PAUSE = 0.04  # seconds for which PyTorch's idle threads would take a core from ours
RTOL = 1e-4


def measure():
    """Run everything in this process.

    Returns
    -------
    dict
        Seconds (medians and minima), flops of the definition, and rates in flop/s.
    """
    import torch

    team, rng = Team(), np.random.default_rng(SEED)
    torch.set_num_threads(team.n_threads)
    return {
        "n_threads": team.n_threads,
        "torch": torch.__version__,
        "product_rates": _products(torch, team),
        "layers": [
            _layer(name, *size, n, team, rng)
            for n in BATCHES
            for name, size in STAGES.items()
        ],
        "channels": [_by_channels(c, team, rng) for c in CHANNELS],
    }


def _layer(name, side, c, n, team, rng):
    """Time the three passes of one layer, and the parts of our forward pass."""
    ours, theirs = _passes(_problem(side, c, n, rng), team)
    found = {key: _alternate(ours[key], theirs[key]) for key in PASSES}
    parts = [_parts(side, c, n, team) for _ in range(N_ROUNDS)]
    return {
        "stage": name,
        "batch": n,
        "flops": 2 * 9 * c * c * n * side**2,
        "passes": found,
        "parts": {key: statistics.median(p[key] for p in parts) for key in PARTS},
        "product_flops": 2 * c * c * winograd.N_PLACES * n * (side // 4) ** 2,
    }


def _problem(side, c, n, rng):
    """Draw an input, a kernel and a gradient."""
    x, grad_y = rng.standard_normal((2, n, side, side, c), dtype=np.float32)
    W = rng.standard_normal((3, 3, c, c), dtype=np.float32) / np.float32(3 * c**0.5)
    return x, W, grad_y


def _passes(problem, team):
    """Return our passes and PyTorch's, by name, after seeing that they agree."""
    x, W, grad_y = problem
    padded, arriving = (PaddedImages(*a.shape).load(a) for a in (x, grad_y))
    y, grad_x = PaddedImages(*x.shape), PaddedImages(*x.shape)
    grad_W = np.empty_like(W)

    def output():
        winograd.convolve(padded, winograd.transform_kernel(W, team), y, team)
        return y.images()

    def input_gradient():
        U = winograd.transform_kernel(W, team, transposed=True)
        winograd.convolve(arriving, U, grad_x, team)
        return grad_x.images()

    def weight_gradient():
        winograd.weight_gradient(padded, arriving, grad_W, team)
        return grad_W

    ours = dict(zip(PASSES, (output, input_gradient, weight_gradient), strict=True))
    theirs = _torch_passes(problem)
    for key, images in theirs.items():
        axes = (2, 3, 1, 0) if key == PASSES[2] else (0, 2, 3, 1)
        wanted = images().numpy().transpose(axes)
        error = np.abs(ours[key]() - wanted).max() / np.abs(wanted).max()
        if error > RTOL:
            raise RuntimeError(f"{key}: the two differ by {error:.1e}.")
    time.sleep(PAUSE)
    return ours, theirs


def _torch_passes(problem):
    import torch

    x, W, grad_y = (torch.from_numpy(a) for a in problem)
    x, grad_y = x.permute(0, 3, 1, 2), grad_y.permute(0, 3, 1, 2)  # channels last
    kernel = W.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
    options = (None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1)
    backward = torch.ops.aten.convolution_backward
    wanted = ([True, False, False], [False, True, False])
    return {
        PASSES[0]: lambda: torch.conv2d(x, kernel, padding=1),
        PASSES[1]: lambda: backward(grad_y, x, kernel, *options, wanted[0])[0],
        PASSES[2]: lambda: backward(grad_y, x, kernel, *options, wanted[1])[1],
    }


def _alternate(ours, theirs):
    """Time two functions in turn."""
    seconds = {"ours": [], "torch": []}
    for _ in range(N_ROUNDS):
        seconds["ours"].append(_seconds(ours))
        seconds["torch"].append(_seconds(theirs))
        time.sleep(PAUSE)
    medians = {f"{key}_median": statistics.median(s) for key, s in seconds.items()}
    minima = {f"{key}_minimum": min(s) for key, s in seconds.items()}
    ratio = medians["torch_median"] / medians["ours_median"]
    return medians | minima | {"ratio": ratio}


def _parts(side, c, n, team):
    """Return the seconds of each part of a forward pass, all threads' mean."""
    x, y = PaddedImages(n, side, side, c), PaddedImages(n, side, side, c)
    x.interior[...] = 1
    U = np.ones((winograd.N_PLACES, c, c), np.float32)
    stamps = []

    def task(chunk, workspace):
        now = [time.perf_counter()]
        V = winograd.to_tiles(winograd.BT, x.windows, chunk, c, workspace)
        now.append(time.perf_counter())
        M = workspace.array("M", (winograd.N_PLACES, V.shape[1], c))
        np.matmul(V, U, out=M)
        now.append(time.perf_counter())
        winograd.from_tiles(M, y.tiles, chunk, workspace)
        now.append(time.perf_counter())
        stamps.append(np.diff(now))

    for _ in range(2):  # the first run touches the memory
        stamps.clear()
        team.run(task, winograd.chunks(x, team.n_threads))
    means = np.sum(stamps, axis=0) / team.n_threads
    return dict(zip(PARTS, means.tolist(), strict=True))


def _products(torch, team):
    """Return the best flop/s of matrix products: one large one, and many small ones."""
    a = np.ones((LARGE, LARGE), np.float32)
    t = torch.from_numpy(a)
    large = _alternate(lambda: a @ a, lambda: t @ t)
    found = {
        "large": 2 * LARGE**3 / large["ours_minimum"],
        "large, PyTorch": 2 * LARGE**3 / large["torch_minimum"],
    }
    for _, c in STAGES.values():
        shape = (winograd.N_PLACES, winograd.CHUNK_TILES, c)
        V, U = np.ones(shape, np.float32), np.ones((shape[0], c, c), np.float32)

        def task(_, workspace, V=V, U=U):
            np.matmul(V, U, out=workspace.array("M", V.shape))

        items = range(4 * team.n_threads)
        best = min(_seconds(lambda t=task, n=items: team.run(t, n)) for _ in range(30))
        found[f"small, {c} channels"] = 2 * V.size * c * len(items) / best
    return found


def _by_channels(c, team, rng):
    """Time one layer with c channels: ours, PyTorch's, and NumPy's definition."""
    problem = _problem(CHANNEL_SIDE, c, CHANNEL_BATCH, rng)
    ours, theirs = _passes(problem, team)
    x, W, _ = problem
    found = _alternate(ours["output"], theirs["output"])
    whole = {
        body: min(_seconds(lambda b=body: conv.conv2d(x, W, body=b)) for _ in range(5))
        for body in conv.BODIES
    }
    parts = [_parts(CHANNEL_SIDE, c, CHANNEL_BATCH, team) for _ in range(N_ROUNDS)]
    medians = {key: statistics.median(p[key] for p in parts) for key in PARTS}
    share = 1 - medians["products"] / sum(medians.values())
    return found | {"channels": c, "transform_share": share, "bodies": whole}


def _seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main():
    """Measure with both settings, print the tables and write the results file."""
    settings = measure_both_ways(__file__, measure)
    for setting, found in settings.items():
        peak = max(found["product_rates"].values())
        rates = (f"{k} {rate / 1e9:.0f}" for k, rate in found["product_rates"].items())
        print(
            f"{setting}: OpenBLAS for {found['architecture']}, {found['n_threads']} "
            f"threads; GF/s of products: {', '.join(rates)}"
        )
        for layer in found["layers"]:
            _print_layer(layer, peak)
        for row in found["channels"]:
            definition = row["bodies"]["direct"] / row["bodies"]["winograd"]
            print(
                f"  {row['channels']:3} channels: PyTorch / ours {row['ratio']:.2f}, "
                f"definition / ours {definition:.2f}, transforms "
                f"{row['transform_share']:.0%}"
            )
    path = write_result(
        "benchmark_convolution",
        {"channel_side": CHANNEL_SIDE, "settings": settings},
        command="python benchmarks/convolution.py",
        seeds=[SEED],
        script=__file__,
    )
    print(path)


def _print_layer(layer, peak):
    """Print ratios, and the definition's work by the best time, relative to a rate."""
    ratios = (f"{layer['passes'][key]['ratio']:.2f}" for key in PASSES)
    times = layer["passes"]["output"]
    rates = [
        layer["flops"] / times[f"{key}_minimum"] / peak for key in ("ours", "torch")
    ]
    total = sum(layer["parts"].values())
    shares = (f"{layer['parts'][key] / total:.0%}" for key in PARTS)
    print(
        f"  {layer['stage']:14} batch {layer['batch']:3}: PyTorch / ours "
        f"{' '.join(ratios)}; of the best product's rate {rates[0]:.2f}, PyTorch "
        f"{rates[1]:.2f}; in, products, out {' '.join(shares)}"
    )


if __name__ == "__main__":
    if importlib.util.find_spec("torch") is None:
        sys.exit("PyTorch is not installed: there is nothing to compare with.")
    main()
