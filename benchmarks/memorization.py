"""What memorising an image-sized sample costs beside its bare matrix products.

50,000 unit inputs of dimension 3,072 with random labels, width 96: construction and
verification (the whole net run on every input), then the matrix products that these
contain, alone, in turn. Memory is the growth of the process's peak while it builds and
verifies, beyond the inputs.

Promised: at most 3 times the bare products, at most 0.4 GB, output error at most 1e-8.
"""

import resource
import statistics
import time

import numpy as np
from children import measure_both_ways

from identity_edu import memorization, relu
from identity_edu.experiments import write_result

SEED = 81
N, D, WIDTH, N_CLASSES = 50_000, 3072, 96, 10
RUNS = 2
PROMISED = {"ratio": 3.0, "gigabytes": 0.4, "output_error": 1e-8}


def random_images(rng):
    """Draw unit rows in place: the inputs are all that this allocates.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    array, shape (N, D)
    """
    X = rng.standard_normal((N, D))
    for rows in np.split(X, 50):
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return X


def peak_gigabytes():
    """Return the most memory that this process has held so far.

    Returns
    -------
    float
        In units of 1e9 bytes.
    """
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def measure():
    """Build, verify, and run the bare products, in turn.

    Returns
    -------
    dict
        Seconds of each part, their ratio, memory, margin and output error.
    """
    rng = np.random.default_rng(SEED)
    X, labels = random_images(rng), rng.integers(N_CLASSES, size=N)
    before, runs = peak_gigabytes(), []
    for run in range(RUNS):
        times = [time.perf_counter()]
        net, margin = memorization.memorize(
            X, labels, n_classes=N_CLASSES, width=WIDTH, rng=rng
        )
        times.append(time.perf_counter())
        outputs = relu.evaluate(net, X)
        times.append(time.perf_counter())
        if run == 0:
            grown = peak_gigabytes() - before
        error = np.abs(outputs - np.eye(N_CLASSES)[labels]).max()
        start = time.perf_counter()
        _bare_products(X, net)
        times.append(times[-1] + time.perf_counter() - start)
        runs.append(np.diff(times))
    built, verified, bare = (
        statistics.median(float(r[i]) for r in runs) for i in range(3)
    )
    return {
        "build_seconds": built,
        "verify_seconds": verified,
        "bare_seconds": bare,
        "ratio": statistics.median(float((r[0] + r[1]) / r[2]) for r in runs),
        "gigabytes": grown,
        "margin": margin,
        "output_error": float(error),
        "n_parameters": memorization.n_parameters(net),
    }


def _bare_products(X, net):
    """Run the products alone: scores to build; then scores and steps to verify."""
    A_0 = net.params["input.W"].T
    H = X @ A_0
    X @ A_0
    scores, steps = np.empty_like(H), np.empty_like(H)
    for i in range(-(-N // WIDTH)):
        U, V = net.params[f"blocks.{i}.U"], net.params[f"blocks.{i}.V"]
        np.matmul(H, U.T, out=scores[:, : len(U)])
        np.matmul(H, U.T, out=scores[:, : len(U)])
        np.matmul(scores[:, : len(U)], V.T, out=steps)


def main():
    """Measure with both settings, print the table and write the results file."""
    settings = measure_both_ways(__file__, measure)
    for setting, found in settings.items():
        threads = f"{found['num_threads']} threads"
        print(f"{setting}: OpenBLAS for {found['architecture']}, {threads}")
        for name in ("build_seconds", "verify_seconds", "bare_seconds"):
            print(f"  {name:<16} {found[name]:8.2f}")
        for name, limit in PROMISED.items():
            print(f"  {name:<16} {found[name]:8.2g}  (promised at most {limit:g})")
    path = write_result(
        "benchmark_memorization",
        {"promised": PROMISED, "settings": settings},
        command="python benchmarks/memorization.py",
        seeds=[SEED],
        script=__file__,
    )
    print(path)


if __name__ == "__main__":
    main()
