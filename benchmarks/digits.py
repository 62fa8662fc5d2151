"""What training the digits costs: five residual nets from scratch, as chapter 07 does.

The nets of `identity-edu experiment digits_accuracy`, one after the other on all
threads, beside the matrix products that their steps contain, alone and in turn.

Promised: all five in less than 60 seconds on two cores.
"""

import statistics
import time

import numpy as np
from children import measure_both_ways

from identity_edu import data
from identity_edu.experiments import digits_accuracy, write_result

PROMISED_SECONDS = 60.0


def measure():
    """Train each seed's net, and run its bare products after it.

    Returns
    -------
    dict
        Seconds in all and for each net, the median ratio to the products, and the mean
        held-out accuracy.
    """
    seconds, ratios, accuracies = [], [], []
    for seed in digits_accuracy.SEEDS:
        start = time.perf_counter()
        _, accuracy, _ = digits_accuracy.trained(seed)
        seconds.append(time.perf_counter() - start)
        start = time.perf_counter()
        _bare_products()
        ratios.append(seconds[-1] / (time.perf_counter() - start))
        accuracies.append(accuracy)
    return {
        "seconds": sum(seconds),
        "seconds_by_net": seconds,
        "ratio_to_products": statistics.median(ratios),
        "mean_test_accuracy": statistics.mean(accuracies),
    }


def _bare_products():
    """Run what all steps multiply: two matrices a block, once forward, twice back."""
    width, batch = digits_accuracy.WIDTHS[0], digits_accuracy.BATCH_SIZE
    n_batches = -(-len(data.split_digits()[0]) // batch)
    H, W = np.ones((batch, width)), np.ones((width, width))
    n_matrices = 2 * (len(digits_accuracy.WIDTHS) - 1)
    for _ in range(digits_accuracy.N_EPOCHS * n_batches * n_matrices):
        H @ W.T
        H @ W
        H.T @ H


def main():
    """Measure with both settings, print the table and write the results file."""
    settings = measure_both_ways(__file__, measure)
    for setting, found in settings.items():
        ratio = found["ratio_to_products"]
        print(
            f"{setting}: OpenBLAS for {found['architecture']}, "
            f"{found['num_threads']} threads: {found['seconds']:.1f} s for five nets "
            f"(promised {PROMISED_SECONDS:.0f}), {ratio:.1f} times the bare products; "
            f"{found['mean_test_accuracy']:.1%} held out"
        )
    path = write_result(
        "benchmark_digits",
        {"promised_seconds": PROMISED_SECONDS, "settings": settings},
        command="python benchmarks/digits.py",
        seeds=digits_accuracy.SEEDS,
        script=__file__,
    )
    print(path)


if __name__ == "__main__":
    main()
