"""The paper's CIFAR net, one training step: ours in NumPy against PyTorch's on the CPU.

Forward, backward and SGD with momentum and weight decay, of all 13.5 million weights,
on two threads. PyTorch runs in float32 with its images stored channels last, its
fastest way here. Both nets start from the same weights, and their losses must agree.
Steps alternate, after a pause in which PyTorch's idle threads stop spinning. Afterwards
PyTorch runs alone with bfloat16 autocast, a lower precision, for comparison. The peak
memory of each is that of a fresh process which takes steps with it and nothing else.

Promised, with the processor's own kernels: 1.6 times PyTorch's float32 speed at batch
size 128 and 1.4 times at 32; 0.8 times at 32 where OpenBLAS is held to kernels for
Haswell; and no more memory than PyTorch.
"""

import json
import resource
import statistics
import subprocess
import sys
import time

import numpy as np
from children import measure_both_ways

from identity_edu import allconv
from identity_edu.experiments import write_result
from identity_edu.optim import SGD
from identity_edu.train import loop

N_THREADS = 2
BATCH_SIZES = {32: 15, 128: 7}  # and how many steps count, after two that do not
LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 0.05, 0.9, 1e-4
PROMISED = {"128": 1.6, "32": 1.4, "32, Haswell": 0.8}
PAUSE_SECONDS = 0.15
MEMORY = "--memory-of"
SEED = 0
PEER = "PyTorch float32"


def measure():
    """Alternate the steps for every batch size.

    Returns
    -------
    dict
        By batch size: seconds of every step by name of the implementation, medians,
        minima, ratios to PyTorch's float32, images per second, and the losses.
    """
    return {str(n): _measure_batch(n, steps) for n, steps in BATCH_SIZES.items()}


def _measure_batch(n, n_steps):
    seconds, losses = _alternate(("ours", PEER), n, n_steps)
    if not np.allclose(losses["ours"], losses[PEER], rtol=1e-4):
        raise RuntimeError(f"the losses differ: {losses}.")
    seconds |= _alternate(("PyTorch bfloat16",), n, n_steps // 3)[0]
    median = {name: statistics.median(times) for name, times in seconds.items()}
    smallest = {name: min(times) for name, times in seconds.items()}
    return {
        "seconds": seconds,
        "median_seconds": median,
        "images_per_second": {name: n / time for name, time in median.items()},
        "ratio": {name: median[PEER] / time for name, time in median.items()},
        "ratio_of_minima": {
            name: smallest[PEER] / time for name, time in smallest.items()
        },
        "losses": losses,
    }


def _alternate(names, n, n_steps):
    """Take steps in turn; return the seconds, but for two steps, and all losses."""
    steps = {name: MAKERS[name](n) for name in names}
    seconds, losses = ({name: [] for name in names} for _ in range(2))
    for _ in range(n_steps + 2):
        for name, step in steps.items():
            start = time.perf_counter()
            losses[name].append(step())
            seconds[name].append(time.perf_counter() - start)
            time.sleep(PAUSE_SECONDS)
    return {name: times[2:] for name, times in seconds.items()}, losses


def _problem(n):
    rng = np.random.default_rng(SEED)
    net = allconv.init_net(rng, allconv.CIFAR10)
    x = rng.standard_normal((n, *allconv.CIFAR10.image), dtype=np.float32)
    return net, x, rng.integers(allconv.CIFAR10.n_classes, size=n)


def _our_step(n):
    net, x, labels = _problem(n)
    runner = allconv.runner(net, batch_size=n, n_threads=N_THREADS)
    sgd = SGD(net.params, LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)

    return lambda: loop.step(runner, x, labels, sgd)[0]


def _torch_step(n, *, autocast=False):
    import torch

    torch.set_num_threads(N_THREADS)
    net, x, labels = _problem(n)
    kernels = {
        name: torch.tensor(W.transpose(3, 2, 0, 1).copy())
        .contiguous(memory_format=torch.channels_last)
        .requires_grad_()
        for name, W in net.params.items()
    }
    optimiser = torch.optim.SGD(
        kernels.values(), LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY
    )
    x = torch.tensor(x.transpose(0, 3, 1, 2).copy())
    x = x.contiguous(memory_format=torch.channels_last)
    labels, readout = torch.tensor(labels), torch.tensor(net.readout)

    def step():
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            scores = _torch_forward(kernels, x, readout)
        loss = torch.nn.functional.cross_entropy(scores.float(), labels)
        loss.backward()
        optimiser.step()
        return loss.item()

    return step


def _torch_forward(kernels, x, readout):
    """Run the net as a PyTorch user would write it."""
    from torch.nn import functional

    stem, *rows = allconv.CIFAR10.convolutions()
    h = functional.conv2d(x, kernels[stem.name], padding=1)
    for first, second in zip(rows[::2], rows[1::2], strict=True):
        a = functional.conv2d(
            h, kernels[first.name], stride=first.stride, padding=1
        ).relu_()
        branch = functional.conv2d(a, kernels[second.name], padding=1)
        if first.stride > 1:
            h = functional.avg_pool2d(h, first.stride)
        if missing := first.c_out - first.c_in:
            h = functional.pad(h, (0, 0, 0, 0, missing // 2, missing - missing // 2))
        h = h + branch
    return h.mean((2, 3)) @ readout.T


def _torch_bfloat16_step(n):
    return _torch_step(n, autocast=True)


MAKERS = {
    "ours": _our_step,
    PEER: _torch_step,
    "PyTorch bfloat16": _torch_bfloat16_step,
}


def peak_memory():
    """Measure the peak resident memory of three steps, each way in its own process.

    Returns
    -------
    dict of str to dict of str to float
        By batch size and implementation, in megabytes.
    """
    return {
        str(n): {name: _child_memory(name, n) for name in ("ours", PEER)}
        for n in BATCH_SIZES
    }


def _child_memory(name, n):
    command = [sys.executable, __file__, MEMORY, name, str(n)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def _print_own_memory(name, n):
    step = MAKERS[name](n)
    for _ in range(3):
        step()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    sys.exit()


def main():
    """Measure with both settings, print the table and write the results file."""
    if MEMORY in sys.argv:
        _print_own_memory(sys.argv[-2], int(sys.argv[-1]))
    settings = measure_both_ways(__file__, measure)
    memory = peak_memory()
    for setting, found in settings.items():
        print(f"{setting}: OpenBLAS for {found['architecture']}")
        for n in map(str, BATCH_SIZES):
            for name, ratio in found[n]["ratio"].items():
                speed = found[n]["images_per_second"][name]
                print(f"  batch {n:>3} {name:<17} {speed:6.1f} images/s {ratio:5.2f}")
    for n, by_name in memory.items():
        used = ", ".join(f"{name} {size:.0f} MB" for name, size in by_name.items())
        print(f"peak memory at batch {n}: {used}")
    path = write_result(
        "benchmark_training_step",
        {
            "promised_ratio": PROMISED,
            "n_threads": N_THREADS,
            "settings": settings,
            "peak_memory_mb": memory,
        },
        command="python benchmarks/training_step.py",
        seeds=[SEED],
        script=__file__,
    )
    print(path)


if __name__ == "__main__":
    main()
