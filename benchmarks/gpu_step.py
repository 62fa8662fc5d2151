"""The paper's CIFAR net, one training step on a GPU: ours against PyTorch at its best.

Forward, backward and SGD with momentum and weight decay, of all 13.5 million weights,
in bf16 with float32 sums and masters. Ours is one CUDA graph that draws its batch,
shifts and mirrors it too; the same launches are also started one by one, to show what
the graph saves. PyTorch has its batch ready on the device, and is measured in every way
that `gpu_torch` knows; a way that fails says why. All start from the same weights, and
their first losses must agree.

For each batch size, a process of its own builds all of them and then lets them take
turns: N_STEPS steps each, N_ROUNDS times, on the host's clock from rest to rest.
Compiled kernels of PyTorch stay in its cache: a second run builds faster.

Promised: at batch size 128 at least as fast as the best of PyTorch, and 4.5 ms on an
H200.
"""

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import time

import numpy as np
from gpu_setup import REQUIRE, device_or_exit, facts, seconds_of

from identity_edu import allconv
from identity_edu.allconv.device_step import DeviceStep, load_examples
from identity_edu.data.augment import channel_statistics, standardise
from identity_edu.experiments import write_result
from identity_edu.experiments.results import sources_hash
from identity_edu.train.recipes import CIFAR10 as RECIPE

BATCHES = (128, 512)
N_STEPS, N_ROUNDS = 20, 15
SECONDS = 900.0  # for all compilers, of one batch size
SEED = 0
RATE = 1e-5  # labels are random: there is nothing to learn
ABSENT = "PyTorch with CUDA is not installed"
CLOSE = 2e-2  # of first losses in bf16, relative
OURS, ONE_BY_ONE = "ours", "ours, launched one by one"
PROMISED = {"ratio": 1.0, "milliseconds": 4.5}


def measure(device, torch_device, batch, *, architecture, seconds, sizes):
    """Measure all ways to take a step with one batch size.

    Parameters
    ----------
    device : identity_edu.device.CudaDevice
    torch_device : str or None
        None: without PyTorch.
    batch : int >= 1
    architecture : identity_edu.allconv.Architecture
    seconds : float > 0
        For building PyTorch's ways.
    sizes : tuple of int
        Steps in a turn, and turns.

    Returns
    -------
    dict
        ``"rows"``, and ``"failed"`` with one line each.

    Raises
    ------
    RuntimeError
        If the first losses differ.
    """
    net, pixels, labels = _problem(architecture, batch)
    contenders = _ours(device, net, pixels, labels, sizes[0])
    failed = [] if torch_device else [{"who": "torch", "batch": batch, "error": ABSENT}]
    for built in _theirs(torch_device, net, pixels, labels, seconds):
        if built.error is None:
            contenders.append(vars(built) | {"prepare": bool, "wait": _wait(device)})
        else:
            failed.append({"who": built.who, "batch": batch, "error": built.error})
    _require_equal_losses(contenders)
    rows = _alternate(contenders, sizes)
    return {"rows": [{"batch": batch, **row} for row in rows], "failed": failed}


def _problem(architecture, batch):
    rng = np.random.default_rng(SEED)
    net = allconv.init_net(rng, architecture)
    pixels = rng.integers(256, size=(4 * batch, *architecture.image), dtype=np.uint8)
    return net, pixels, rng.integers(architecture.n_classes, size=4 * batch)


def _ours(device, net, pixels, labels, n_steps):
    """Return our step as a graph, and the same launches one by one."""
    batch, before = len(pixels) // 4, device.free_bytes()
    examples = load_examples(device, pixels, labels, channel_statistics(pixels))
    step = DeviceStep(
        device,
        net,
        (examples, examples),
        batch_size=batch,
        series=n_steps,
        pad=RECIPE.pad,
        momentum=RECIPE.momentum,
        weight_decay=RECIPE.weight_decay,
    )
    step.net.load(net.params, {k: np.zeros_like(W) for k, W in net.params.items()})
    plan = np.full((1, batch, 4), RECIPE.pad, np.int32)  # in the middle: no shift
    plan[0, :, 0], plan[0, :, 3] = range(batch), 0
    step.begin(plan, [RATE])
    step.replay()
    first = float(step.history(1)[0][0])
    megabytes = (before - device.free_bytes()) / 1e6
    rng = np.random.default_rng(SEED)
    edges = (len(pixels), 2 * RECIPE.pad + 1, 2 * RECIPE.pad + 1, 2)
    plans = rng.integers(edges, size=(n_steps, batch, 4))
    rates = np.full(n_steps, RATE)
    shared = {
        "prepare": lambda: step.begin(plans, rates),
        "wait": device.synchronize,
        "first_loss": first,
        "megabytes": megabytes,
    }
    by_hand = {"who": ONE_BY_ONE, "start": lambda: device.run(step.launches)}
    return [{"who": OURS, "start": step.replay} | shared, by_hand | shared]


def _theirs(torch_device, net, pixels, labels, seconds):
    """Yield PyTorch's ways, as long as there is time to build them."""
    if torch_device is None:
        return
    import gpu_torch

    batch = len(pixels) // 4
    x = standardise(pixels[:batch], *channel_statistics(pixels))
    problem = gpu_torch.Problem(
        net,
        x,
        labels[:batch],
        RATE,
        RECIPE.momentum,
        RECIPE.weight_decay,
        torch_device,
    )
    end = time.monotonic() + seconds
    for who in gpu_torch.WAYS:
        begun = time.monotonic()
        built = gpu_torch.build(who, problem, max(end - begun, 1.0))
        took = time.monotonic() - begun
        told = f"{who}, batch {batch}: {built.error or 'ready'} in {took:.0f} s"
        print(told, file=sys.stderr)
        yield built


def _wait(device):
    """Return what waits for PyTorch's work, and on a GPU for everybody's."""
    import torch

    return torch.cuda.synchronize if torch.cuda.is_available() else device.synchronize


def _require_equal_losses(contenders):
    losses = {one["who"]: one["first_loss"] for one in contenders}
    if not np.allclose(list(losses.values()), losses[OURS], rtol=CLOSE):
        raise RuntimeError(f"the nets differ: first losses {losses}.")


def _alternate(contenders, sizes):
    """Let all take their steps in turn; the first turn does not count."""
    n_steps, n_rounds = sizes
    seconds = {one["who"]: [] for one in contenders}
    for _ in range(n_rounds + 1):
        for one in contenders:
            one["prepare"]()
            seconds[one["who"]].append(seconds_of(one["start"], one["wait"], n_steps))
    return [
        {
            "who": one["who"],
            "milliseconds": 1e3 * statistics.median(seconds[one["who"]][1:]),
            "minimum": 1e3 * min(seconds[one["who"]][1:]),
            "first_loss": one["first_loss"],
            "megabytes": one["megabytes"],
        }
        for one in contenders
    ]


def _child(batch, seconds):
    """Measure one batch size in a process of its own; it tells of its way on stderr."""
    command = [sys.executable, __file__, f"--batch={batch}", f"--seconds={seconds}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    what = f"the process ended with status {done.returncode}; see above"
    return {"rows": [], "failed": [{"who": "all", "batch": batch, "error": what}]}


def summary(found):
    """Compare: ratios to ours, and how long the whole recipe would take.

    Parameters
    ----------
    found : list of dict
        From `measure`, of every batch size.

    Returns
    -------
    dict
        ``"rows"`` and ``"failed"`` of all; ``"best_of_torch"``, by batch size the
        fastest and how many times our time it takes; and by name
        ``"projection_64000_minutes"``, for the recipe's steps at its batch size.
    """
    rows = [row for part in found for row in part["rows"]]
    best = {}
    for batch in sorted({row["batch"] for row in rows}):
        times = {r["who"]: r["milliseconds"] for r in rows if r["batch"] == batch}
        torch_times = {w: t for w, t in times.items() if w.startswith("torch")}
        if torch_times:
            who = min(torch_times, key=torch_times.get)
            best[str(batch)] = {"who": who, "ratio": torch_times[who] / times[OURS]}
    minutes = RECIPE.n_steps / 60e3
    return {
        "rows": rows,
        "failed": [one for part in found for one in part["failed"]],
        "best_of_torch": best,
        "projection_64000_minutes": {
            row["who"]: minutes * row["milliseconds"]
            for row in rows
            if row["batch"] == RECIPE.batch_size
        },
    }


def _print(values):
    print(f"{values['device']}, driver {values['driver']}, PyTorch {values['torch']}")
    for row in values["rows"]:
        memory = "" if row["megabytes"] is None else f"{row['megabytes']:8.0f} MB"
        print(
            f"batch {row['batch']:4} {row['who']:35} {row['milliseconds']:8.3f} ms, "
            f"at best {row['minimum']:8.3f} {memory}"
        )
    for one in values["failed"]:
        print(f"batch {one['batch']:4} {one['who']:35} failed: {one['error']}")
    for batch, best in values["best_of_torch"].items():
        print(f"batch {batch}: {best['who']} takes {best['ratio']:.2f} times our time")
    print(f"promised at batch {RECIPE.batch_size}: {PROMISED}")
    for who, minutes in values["projection_64000_minutes"].items():
        print(f"{RECIPE.n_steps} steps, {who}: {minutes:.1f} minutes")


def _torch():
    """Describe PyTorch, and name the device that it has, or None."""
    if importlib.util.find_spec("torch") is None:
        return "not installed", None
    import torch

    if not torch.cuda.is_available():
        return f"{torch.__version__}, without CUDA", None
    libraries = f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"
    return f"{torch.__version__}, {libraries}", "cuda"


def main():
    """Measure, print the table and write the results file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--batch", type=int, help="only this one; prints JSON")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="to compile")
    parser.add_argument(REQUIRE, action="store_true", help="fail without a GPU")
    given, sources = parser.parse_args(), sources_hash(__file__)
    device, (version, torch_device) = device_or_exit(__file__), _torch()
    if given.batch:
        found = measure(
            device,
            torch_device,
            given.batch,
            architecture=allconv.CIFAR10,
            seconds=given.seconds,
            sizes=(N_STEPS, N_ROUNDS),
        )
        print(json.dumps(found))
        return
    found = summary([_child(batch, given.seconds) for batch in BATCHES])
    values = facts(device) | {"torch": version, "promised": PROMISED} | found
    _print(values)
    path = write_result(
        "benchmark_gpu_step",
        values,
        command="python benchmarks/gpu_step.py",
        seeds=[SEED],
        script=__file__,
        sources=sources,
    )
    print(path)
    if not all(any(r["batch"] == n for r in values["rows"]) for n in BATCHES):
        sys.exit("a batch size was not measured.")


if __name__ == "__main__":
    main()
