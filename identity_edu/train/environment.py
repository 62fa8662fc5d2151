"""What the bits of a run depend on beside its recipe: versions, kernels, threads."""

import platform

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from identity_edu import __version__


def environment():
    """Describe what computes here.

    Returns
    -------
    dict of str to str
        Versions of this package, Python and NumPy, and each BLAS with the processor
        that its kernels are for.
    """
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return {
        "identity_edu": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": ", ".join(
            f"{pool['internal_api']} {pool['version']}, kernels for "
            f"{pool.get('architecture', 'unknown')}"
            for pool in pools
        ),
    }


def blas_threads(n):
    """Give BLAS this many threads, inside a ``with`` block.

    Parameters
    ----------
    n : int >= 1

    Returns
    -------
    context manager
    """
    return threadpool_limits(limits=n, user_api="blas")


def differences(before, now):
    """Say what differs between two environments.

    Parameters
    ----------
    before, now : dict of str to str

    Returns
    -------
    list of str
        A sentence for each key that differs.
    """
    return [
        f"{key} was {before.get(key)} and is {value}: the bits may differ."
        for key, value in now.items()
        if before.get(key) != value
    ]
