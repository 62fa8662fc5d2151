"""Run a benchmark in fresh processes, with the BLAS setting as found and without it.

OpenBLAS picks its kernels when it is loaded, and the variable OPENBLAS_CORETYPE can
force older ones: so each setting needs a process of its own.
"""

import json
import os
import subprocess
import sys

from threadpoolctl import threadpool_info

VARIABLE = "OPENBLAS_CORETYPE"
CHILD = "--child"


def blas_found():
    """Describe the BLAS that NumPy uses in this process.

    Returns
    -------
    dict
        Its architecture, its number of threads and its version.
    """
    pools = [p for p in threadpool_info() if p["user_api"] == "blas"]
    pool = next(p for p in pools if "numpy" in p["filepath"])
    return {key: pool.get(key) for key in ("architecture", "num_threads", "version")}


def measure_both_ways(script, measure):
    """Measure in two child processes, one for each setting.

    The script calls this in its parent process and in its children; a child prints
    what it measured and ends here.

    Parameters
    ----------
    script : str
        The benchmark's own file.
    measure : callable
        Returns a dict that JSON can hold.

    Returns
    -------
    dict of str to dict
        By name of the setting, what was measured, with `blas_found` in it.
    """
    if CHILD in sys.argv:
        print(json.dumps(blas_found() | measure()))
        sys.exit()
    settings = {"as found": None, f"without {VARIABLE}": VARIABLE}
    return {name: _child(script, removed) for name, removed in settings.items()}


def _child(script, removed):
    environment = {k: v for k, v in os.environ.items() if k != removed}
    done = subprocess.run(
        [sys.executable, script, CHILD],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)
