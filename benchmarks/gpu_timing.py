"""How launches are timed: as graphs of many, on arrays that take turns.

A time is that of a CUDA graph of many launches, divided by their number: the gaps that
a host leaves do not count. Where one launch after another reads the same arrays, a
cache answers in place of the memory, so that each launch gets the next of many sets.
"""

import math
from typing import NamedTuple

import numpy as np

from identity_edu.bf16 import from_bf16_bits, to_bf16_bits
from identity_edu.launch import BF16

SEED = 12
LONGEST_GRAPH = 64  # launches


class Effort(NamedTuple):
    """How long to look.

    Attributes
    ----------
    milliseconds : float
        That a graph shall take, if `LONGEST_GRAPH` allows.
    n_replays : int >= 1
        Of the graph.
    rotated : int
        Bytes of the sets in `Turns`: more than any cache holds.
    """

    milliseconds: float = 2.0
    n_replays: int = 25
    rotated: int = 2**28


def time_launches(device, launches, effort):
    """Time launches that follow each other without a gap.

    Parameters
    ----------
    device : identity_edu.device.CudaDevice
    launches : list of Launch
    effort : Effort

    Returns
    -------
    dict of str to float
        Milliseconds for all of them once: ``"milliseconds"``, the median over replays,
        and ``"minimum"``.
    """
    once = device.capture(launches)
    once.replay()  # the first run touches the memory
    taken = min(device.milliseconds(once.replay, 2))
    repeats = math.ceil(effort.milliseconds / max(taken, 1e-6))
    repeats = max(1, min(repeats, LONGEST_GRAPH // len(launches)))
    graph = device.capture(launches * repeats)
    graph.replay()
    times = device.milliseconds(graph.replay, effort.n_replays) / repeats
    return {"milliseconds": float(np.median(times)), "minimum": float(min(times))}


class Turns:
    """Arrays of one convolution, so many times that no cache holds them all.

    Normal numbers, not zeros, on which a chip would stay cooler and be faster.

    Parameters
    ----------
    device : identity_edu.device.CudaDevice
    shape : identity_edu.conv.cuda.Shape
    effort : Effort

    Attributes
    ----------
    sets : list of tuple of device array
        ``(x, W, y, added)``, all bf16; `y` is to be written.
    """

    def __init__(self, device, shape, effort):
        rng = np.random.default_rng(SEED)
        x, W, added = (
            to_bf16_bits(rng.standard_normal(size, dtype=np.float32))
            for size in (shape.input, shape.kernel, shape.output)
        )
        each = x.nbytes + W.nbytes + 2 * added.nbytes
        self._device, self._effort, upload = device, effort, device.upload
        self.sets = [
            (upload(x), upload(W), device.empty(shape.output, BF16), upload(added))
            for _ in range(-(-effort.rotated // each) or 1)
        ]

    def time(self, make):
        """Time what is launched for one set, and return what it leaves in y.

        Parameters
        ----------
        make : callable
            ``make(x, W, y, added)`` returns a list of launches.

        Returns
        -------
        tuple
            Times as of `time_launches`, for one set; and y, as float32.
        """
        made = [make(*one) for one in self.sets]
        flat = [launch for launches in made for launch in launches]
        times = time_launches(self._device, flat, self._effort)
        y = from_bf16_bits(self._device.download(self.sets[-1][2]))
        return {key: value / len(made) for key, value in times.items()}, y
