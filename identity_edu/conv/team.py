"""Threads that share a list of chunks, each with scratch memory that it keeps.

NumPy lets go of the interpreter lock inside matrix products and elementwise loops, so
plain threads run on all cores. Each takes a fixed, contiguous part of the list: the
order of every sum, and so every bit of the result, depends on the number of threads
and on nothing else.
"""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from itertools import pairwise

import numpy as np

from identity_edu.backend import one_blas_thread


class Workspace:
    """Named float32 scratch arrays that are allocated once and grow as needed."""

    def __init__(self):
        self._flat = {}

    def array(self, name, shape):
        """Return an uninitialised array; its content lasts until the next call.

        Parameters
        ----------
        name : str
            Arrays of one name share memory.
        shape : tuple of int

        Returns
        -------
        array, float32
        """
        size = math.prod(shape)
        if name not in self._flat or self._flat[name].size < size:
            self._flat[name] = np.empty(size, np.float32)
        return self._flat[name][:size].reshape(shape)


class Team:
    """A fixed number of threads, each with a `Workspace`, and one that they share.

    Parameters
    ----------
    n_threads : int >= 1, optional
        Unless given, the cores that this process may use.

    Raises
    ------
    ValueError
        If `n_threads` is less than 1.
    """

    def __init__(self, n_threads=None):
        n_threads = available_cores() if n_threads is None else n_threads
        if n_threads < 1:
            raise ValueError(f"n_threads must be at least 1; got {n_threads}.")
        self.n_threads = n_threads
        self.shared = Workspace()
        self.workspaces = [Workspace() for _ in range(n_threads)]
        self._pool = ThreadPoolExecutor(n_threads) if n_threads > 1 else None

    def run(self, task, items):
        """Call ``task(item, workspace)`` for every item, and wait for the last.

        Parameters
        ----------
        task : callable
            Writes where no other item's call does.
        items : sequence
        """
        parts = self._parts(items)
        with one_blas_thread():
            if self._pool is None:
                _run_part(task, parts[0], self.workspaces[0])
                return
            # A thread does not see the caller's np.errstate unless it gets its context.
            done = [
                self._pool.submit(copy_context().run, _run_part, task, part, workspace)
                for part, workspace in zip(parts, self.workspaces, strict=True)
            ]
            for future in done:
                future.result()

    def _parts(self, items):
        """Split a list into one contiguous part for each thread."""
        ends = [len(items) * i // self.n_threads for i in range(self.n_threads + 1)]
        return [items[a:b] for a, b in pairwise(ends)]


def available_cores():
    """Return how many cores this process may run on.

    Returns
    -------
    int
    """
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def _run_part(task, items, workspace):
    for item in items:
        task(item, workspace)
