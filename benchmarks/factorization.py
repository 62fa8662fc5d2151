"""What a near-identity factorization costs beside one SVD of the same map.

The SVD, both routes of the package and SciPy's real Schur route alternate in one
process, for several widths, once with each BLAS setting (`children`).

Promised for the default method, in SVDs: at most 3 at width 64, 2.5 at 256, 2.6 at
1024.
"""

import os
import statistics
import time

import numpy as np
from children import VARIABLE, measure_both_ways
from scipy.linalg import schur

from identity_edu import data
from identity_edu.experiments import write_result
from identity_edu.factorization import near_identity_factorization
from identity_edu.factors import Factor, share_layers, stretch_factor

SEED = 51
N_LAYERS = 8
RUNS = {64: 200, 256: 40, 1024: 7}  # width, and how often each is timed
PROMISED = {64: 3.0, 256: 2.5, 1024: 2.6}


def schur_route(R, n_layers):
    """Factor R by its polar form, with the planes taken from SciPy's real Schur form.

    Parameters
    ----------
    R : array, shape (d, d)
        With positive determinant.
    n_layers : int >= 2

    Returns
    -------
    array, shape (l, d, d)
        As `near_identity_factorization`.
    """
    U, s, Vt = np.linalg.svd(R)
    T, S = schur(U @ Vt, output="real")
    a, b, theta = _schur_planes(T)
    rotation = Factor(
        amount=float(abs(theta).max()),
        layers_needed=lambda tau: int(
            np.ceil(abs(theta).max() / (2 * np.arcsin(min(tau / 2, 1.0))))
        ),
        norm=lambda q: 2.0 * float(np.sin(abs(theta).max() / (2 * q))),
        root_minus_identity=lambda q: _root(S, a, b, theta / q),
    )
    factors = [stretch_factor(Vt.T, s), rotation]
    p, q = share_layers(factors, n_layers)
    A = np.empty((n_layers, *R.shape))
    A[:p] = factors[0].root_minus_identity(p)
    A[p:] = rotation.root_minus_identity(q)
    return A


def _schur_planes(T):
    """Read the planes off a real Schur form: its blocks, and the -1's in pairs."""
    first = np.flatnonzero(abs(np.diag(T, -1)) > 1e-14)
    second = first + 1
    cosine = (T[first, first] + T[second, second]) / 2
    sine = (T[second, first] - T[first, second]) / 2
    single = np.setdiff1d(np.arange(len(T)), np.concatenate([first, second]))
    negative = single[np.diag(T)[single] < 0]
    a = np.concatenate([first, negative[0::2]])
    b = np.concatenate([second, negative[1::2]])
    half_turns = np.full(len(negative) // 2, np.pi)
    return a, b, np.concatenate([np.arctan2(sine, cosine), half_turns])


def _root(S, a, b, angle):
    """Turn every plane by its angle, less the identity."""
    cosine_minus_1, sine = -2.0 * np.sin(angle / 2) ** 2, np.sin(angle)
    moved = np.zeros_like(S)
    moved[:, a] = S[:, a] * cosine_minus_1 + S[:, b] * sine
    moved[:, b] = S[:, b] * cosine_minus_1 - S[:, a] * sine
    return moved @ S.T


PEERS = {
    "svd of R": np.linalg.svd,
    "polar": lambda R: near_identity_factorization(R, N_LAYERS),
    "paper's svd route": lambda R: near_identity_factorization(
        R, N_LAYERS, method="svd"
    ),
    "real schur (scipy)": lambda R: schur_route(R, N_LAYERS),
}


def measure():
    """Time all peers in turn, in this process.

    Returns
    -------
    dict
        For each width and peer the median and minimum in seconds and the median ratio
        to the SVD.
    """
    rng = np.random.default_rng(SEED)
    found = {"widths": {}}
    for d, n_runs in RUNS.items():
        R = data.random_map(rng, d, condition=10.0)
        seconds = {name: [] for name in PEERS}
        for name, peer in PEERS.items():
            error = _reconstruction_error(peer(R), R) if name != "svd of R" else 0.0
            if error > 1e-11:
                raise ArithmeticError(f"{name} at width {d} has error {error:.0e}.")
        for _ in range(n_runs):
            for name, peer in PEERS.items():
                start = time.perf_counter()
                peer(R)
                seconds[name].append(time.perf_counter() - start)
        found["widths"][str(d)] = _summary(seconds)
    return found


def _reconstruction_error(A, R):
    """Multiply the layers out, and compare."""
    product = np.eye(len(R))
    for A_i in A:
        product = product + A_i @ product
    return np.linalg.norm(product - R) / np.linalg.norm(R)


def _summary(seconds):
    """Return medians, minima, and the median of the run-by-run ratios to the SVD."""
    svd = seconds["svd of R"]
    return {
        name: {
            "median_seconds": statistics.median(times),
            "min_seconds": min(times),
            "median_ratio": statistics.median(
                t / u for t, u in zip(times, svd, strict=True)
            ),
            "min_over_min": min(times) / min(svd),
        }
        for name, times in seconds.items()
    }


def print_table(setting, found):
    """Print one row for each width and peer.

    Parameters
    ----------
    setting : str
    found : dict
        From `measure`, and about the BLAS.
    """
    threads = f"{found['num_threads']} threads"
    print(f"{setting}: OpenBLAS for {found['architecture']}, {threads}")
    for d, peers in found["widths"].items():
        for name, row in peers.items():
            limit = f"  (promised {PROMISED[int(d)]})" if name == "polar" else ""
            print(
                f"  d = {d:>4}  {name:<19} median {row['median_seconds'] * 1e3:9.2f} ms"
                f"  min {row['min_seconds'] * 1e3:9.2f} ms"
                f"  {row['median_ratio']:5.2f} SVDs{limit}"
            )


def main():
    """Measure with both settings, print the table and write the results file."""
    values = {
        "n_layers": N_LAYERS,
        "promised_ratio": {str(d): limit for d, limit in PROMISED.items()},
        "coretype_as_found": os.environ.get(VARIABLE, ""),
        "settings": measure_both_ways(__file__, measure),
    }
    for setting, found in values["settings"].items():
        print_table(setting, found)
    path = write_result(
        "benchmark_factorization",
        values,
        command="python benchmarks/factorization.py",
        seeds=[SEED],
        script=__file__,
    )
    print(path)


if __name__ == "__main__":
    main()
