"""Our CUDA kernels, each by itself: milliseconds, rates, and how much is left to gain.

Every kernel of the CIFAR net's training step, on the arrays that the step has for it;
the four programs of chapter 12 for one convolution; and what ReLU and skip cost after a
convolution instead of in it.

Launches of one kind take turns on the arrays that the step gives them. Each row says
how many megabytes pass before an array comes again: below the size of a cache (50 MB on
an H200) they are warm, as some are in the step too. Ladder and epilogues take turns on
more than any cache holds.

The least time is the longer of two: the operations at the rate of a large matrix
product, measured in the same run, and the fewest bytes at the rate of a large copy.
"""

import re

import numpy as np
from gpu_peaks import measured_peaks
from gpu_programs import epilogue_rows, ladder_rows
from gpu_setup import device_or_exit, facts
from gpu_timing import LONGEST_GRAPH, SEED, Effort, time_launches

from identity_edu import allconv
from identity_edu.allconv.device_step import DeviceStep, load_examples
from identity_edu.conv import cuda as conv
from identity_edu.conv.roofline import Chip, least_seconds
from identity_edu.experiments import write_result
from identity_edu.experiments.results import sources_hash

BATCHES = (128, 512)
STAGES = {64: 32, 128: 16, 256: 8}  # channels, and the side of their images
LADDER_BATCH = 128
CONVOLUTION = re.compile(r"(?:conv3x3|plain)_(\w+)<")
# Among the arguments of a pass: the images that c_in and c_out are of, and from the
# fourth on, what its epilogue takes.
IMAGES = {"forward": (0, 2), "input_gradient": (2, 0), "weight_gradient": (0, 1)}
ENDS = {"forward": ("added", "relu"), "input_gradient": ("added", "mask")}
PASSES = ("forward", "input_gradient", "weight_gradient", None)


def step_rows(device, architecture, batch, effort):
    """Time every kind of launch of one training step.

    Parameters
    ----------
    device : identity_edu.device.CudaDevice
    architecture : identity_edu.allconv.Architecture
    batch : int >= 1
    effort : gpu_timing.Effort

    Returns
    -------
    list of dict
        In the order of the step. ``"launches"`` is how many of the kind it has, and
        ``"share"`` their part of the sum of all times.
    """
    step, plan = _step(device, architecture, batch, effort)
    rows = []
    for group in _kinds(step.launches):
        step.begin(plan, [0.0])  # kernels keep their values
        times = time_launches(device, group, effort)
        per = {key: value / len(group) for key, value in times.items()}
        shared = {"step": None, "batch": batch, "launches": len(group)}
        rows.append(shared | describe(group[0]) | per | {"turns_mb": _megabytes(group)})
    total = sum(row["milliseconds"] * row["launches"] for row in rows)
    return [
        row | {"share": row["milliseconds"] * row["launches"] / total} for row in rows
    ]


def _step(device, architecture, batch, effort):
    """Take one real step, so that every array holds what it would hold."""
    rng = np.random.default_rng(SEED)
    net = allconv.init_net(rng, architecture)
    pixels = rng.integers(256, size=(batch, *architecture.image), dtype=np.uint8)
    labels = rng.integers(architecture.n_classes, size=batch)
    moments = np.full(architecture.image[2], 0.5), np.full(architecture.image[2], 0.29)
    examples = load_examples(device, pixels, labels, moments)
    # Each launch of end_step goes on in arrays of this length; `begin` goes back.
    series = LONGEST_GRAPH * (effort.n_replays + 1) + 3
    step = DeviceStep(device, net, (examples,) * 2, batch_size=batch, series=series)
    step.net.load(net.params, {k: np.zeros_like(W) for k, W in net.params.items()})
    plan = np.zeros((1, batch, 4), np.int32)
    plan[0, :, 0] = range(batch)
    step.begin(plan, [0.01])
    step.replay()
    return step, plan


def _kinds(launches):
    """Group launches that do the same on arrays of the same shapes."""
    groups = {}
    for launch in launches:
        args = (a.item() if _is_number(a) else (a.shape, a.dtype) for a in launch.args)
        groups.setdefault((launch.kernel, launch.grid, *args), []).append(launch)
    return list(groups.values())


def _is_number(argument):
    return isinstance(argument, np.generic)


def _megabytes(launches):
    """Add up the arrays that launches of one kind take turns on."""
    arrays = {
        a.data.ptr: a.nbytes for one in launches for a in one.args if not _is_number(a)
    }
    return sum(arrays.values()) / 1e6


def describe(launch):
    """Say what a launch of a step computes.

    Parameters
    ----------
    launch : identity_edu.launch.Launch

    Returns
    -------
    dict
        ``"channels"`` are those of a convolution's output, and None elsewhere.
    """
    args, name = launch.args, launch.kernel.name
    found = {"kernel": name, "flops": launch.flops, "bytes": launch.bytes}
    match = CONVOLUTION.match(name)
    if match is None:
        return found | {"pass": None, "channels": None}
    before, after = (args[i].shape for i in IMAGES[match[1]])
    ends = zip(ENDS.get(match[1], ()), args[3:], strict=False)
    return found | {
        "pass": match[1],
        "channels_in": before[3],
        "channels": after[3],
        "side": before[1],
        "stride": -(-before[1] // after[1]),
        "epilogue": [end for end, a in ends if not _is_number(a) or a != 0],
    }


def judged(rows, chip):
    """Add to each row what the chip would need, and the share that this is.

    Parameters
    ----------
    rows : list of dict
    chip : identity_edu.conv.roofline.Chip
        With rates as measured.

    Returns
    -------
    list of dict
    """
    result = []
    for row in rows:
        milliseconds = row["milliseconds"]
        least = 1e3 * least_seconds(row["flops"], row["bytes"], chip)
        more = {
            "tflops": row["flops"] / milliseconds / 1e9,
            "least_milliseconds": least,
            "share_of_least": least / milliseconds,
        }
        result.append(row | more)
    return result


def measure(device, effort, peak):
    """Measure everything.

    Parameters
    ----------
    device : identity_edu.device.CudaDevice
    effort : gpu_timing.Effort
    peak : dict
        From `gpu_peaks.measured_peaks`.

    Returns
    -------
    dict
        The values of the results file.
    """
    rates = 1e12 * peak["tflops_bf16_matmul"], peak["bytes_per_second_copy"]
    chip = Chip(device.name, *rates)
    shapes = [conv.Shape(LADDER_BATCH, s, s, c, c) for c, s in STAGES.items()]
    rows = [row for shape in shapes for row in ladder_rows(device, shape, effort)]
    for batch in BATCHES:
        rows += step_rows(device, allconv.CIFAR10, batch, effort)
    ends = [row for shape in shapes for row in epilogue_rows(device, shape, effort)]
    return facts(device) | {
        "peak": peak,
        "rows": judged(rows, chip),
        "epilogues": ends,
        "effort": effort._asdict(),
    }


def print_tables(values):
    """Print what was measured.

    Parameters
    ----------
    values : dict
        From `measure`.
    """
    peak = values["peak"]
    print(
        f"{values['device']}, driver {values['driver']}; by {peak['by']}: product "
        f"{peak['tflops_bf16_matmul']:.0f} TF/s, copy "
        f"{peak['bytes_per_second_copy'] / 1e12:.2f} TB/s"
    )
    print("step batch times      ms   least   TF/s  of least  kernel")
    for row in values["rows"]:
        sizes = f"{row['bytes'] / 1e6:.1f} MB"
        if row["channels"]:
            sizes = f"{row.get('channels_in', row['channels'])} to {row['channels']}"
        words = " ".join([row["kernel"], sizes, *row.get("epilogue", ())])
        print(
            f"{row['step'] or '':>4} {row['batch']:5} {row.get('launches', ''):>5} "
            f"{row['milliseconds']:7.4f} {row['least_milliseconds']:7.4f} "
            f"{row['tflops']:6.1f} {row['share_of_least']:9.0%}  {words}"
        )
    for batch in BATCHES:
        chosen = [r for r in values["rows"] if r["batch"] == batch and not r["step"]]
        by_pass = {p: sum(_total(r) for r in chosen if r["pass"] == p) for p in PASSES}
        parts = ", ".join(f"{p or 'the rest'} {ms:.2f}" for p, ms in by_pass.items())
        print(f"batch {batch}, ms of a step by kernel: {parts}")
    for row in values["epilogues"]:
        print(
            f"{row['epilogue']} at {row['channels']} channels: "
            f"{row['fused']['milliseconds']:.4f} ms in the convolution, "
            f"{row['unfused']['milliseconds']:.4f} after it ({row['ratio']:.2f} x)"
        )


def _total(row):
    return row["milliseconds"] * row["launches"]


def main():
    """Measure, print the tables and write the results file."""
    device, sources = device_or_exit(__file__), sources_hash(__file__)
    values = measure(device, Effort(), measured_peaks())
    print_tables(values)
    path = write_result(
        "benchmark_gpu_kernels",
        values,
        command="python benchmarks/gpu_kernels.py",
        seeds=[SEED],
        script=__file__,
        sources=sources,
    )
    print(path)


if __name__ == "__main__":
    main()
