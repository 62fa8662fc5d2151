"""How long ``import identity_edu`` takes in a fresh interpreter.

The time of an empty interpreter alternates with it, so that what the machine does
besides falls on both alike. Promised: less than 0.3 s for the import.
"""

import statistics
import subprocess
import sys
import time

from identity_edu.experiments import write_result

N_RUNS = 20
STATEMENTS = {
    "empty interpreter": "pass",
    "identity_edu": "import identity_edu",
    "identity_edu.linear": "import identity_edu.linear",
}


def measure():
    """Return seconds for each statement: all runs, and their median.

    Returns
    -------
    dict
        Whole processes, start and end of the interpreter included.
    """
    seconds = {name: [] for name in STATEMENTS}
    for _ in range(N_RUNS):
        for name, statement in STATEMENTS.items():
            seconds[name].append(_seconds(statement))
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    alone = medians["identity_edu"] - medians["empty interpreter"]
    return {
        "n_runs": N_RUNS,
        "promised_seconds": 0.3,
        "median_seconds": medians,
        "import_alone_seconds": alone,
        "all_seconds": seconds,
    }


def _seconds(statement):
    """Time one fresh interpreter."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    values = measure()
    for name, median in values["median_seconds"].items():
        print(f"{name:<20} {median:.3f} s")
    path = write_result(
        "benchmark_import_time",
        values,
        command="python benchmarks/import_time.py",
        seeds=[],
        script=__file__,
    )
    print(path)
