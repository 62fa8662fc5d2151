"""The GPU benchmarks, run without a GPU: emulated kernels, and PyTorch on the CPU.

What they time is meaningless here. That they run to the end, that checks can fail, and
that PyTorch's net is ours, is not.
"""

import importlib
import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from emulator import EmulatedDevice, compiler, nvrtc

from identity_edu import allconv
from identity_edu.allconv.device_step import DeviceStep, load_examples
from identity_edu.backend import gpu_status
from identity_edu.conv.cuda import Shape
from identity_edu.conv.roofline import Chip
from identity_edu.experiments.results import FOLDER
from identity_edu.launch import cuda_source
from identity_edu.train import recipes

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
TINY = allconv.Architecture(
    image=(4, 4, 3), stages=(allconv.Stage(1, 8), allconv.Stage(1, 16, 2)), stem=8
)
SHAPE = Shape(1, 5, 5, 8, 16)
RECIPE = replace(
    recipes.adapted(recipes.CIFAR10, batch_size=4, n_steps=4), architecture=TINY
)
TRAIN = ("--width=0.0625", "--blocks=1", "--batch-size=4", "--threads=1")
TRAIN += ("--learning-rate=0.001",)

needs_compiler = pytest.mark.skipif(compiler() is None, reason="no C++ compiler")
# PyTorch's own compiler uses what PyTorch has deprecated.
torch_may_warn = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def load(monkeypatch):
    """Import a benchmark by its name."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@pytest.fixture
def effort(load):
    return load("gpu_timing").Effort(milliseconds=0.0, n_replays=2, rotated=5000)


@pytest.fixture
def torch_steps(load):
    """Return the module of PyTorch's step, or skip."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    return load("gpu_torch")


def zeros_like(params):
    return {name: np.zeros_like(W) for name, W in params.items()}


# Kernels


@needs_compiler
def test_every_launch_of_a_step_is_timed_as_one_of_its_kind(load, effort):
    module = load("gpu_kernels")
    rows = module.step_rows(EmulatedDevice(), TINY, 2, effort)
    step, _ = module._step(EmulatedDevice(), TINY, 2, effort)
    assert sum(row["launches"] for row in rows) == len(step.launches)
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    work = sum(row["launches"] * row["flops"] for row in rows)
    assert work == sum(launch.flops for launch in step.launches)
    kinds = {
        (r["pass"], r["channels_in"], r["channels"], r["stride"], *r["epilogue"])
        for r in rows
        if r["pass"]
    }
    assert {
        ("forward", 8, 8, 1),
        ("forward", 8, 8, 1, "relu"),
        ("forward", 8, 8, 1, "added"),
        ("input_gradient", 16, 16, 1, "mask"),
        ("input_gradient", 8, 16, 2, "added"),
        ("weight_gradient", 8, 16, 2),
    } <= kinds


@needs_compiler
def test_timing_leaves_the_weights_and_the_arrays_behind_them_alone(load, effort):
    module = load("gpu_kernels")
    step, plan = module._step(EmulatedDevice(), TINY, 2, effort)
    before = {name: w.master for name, w in step.net.weights.items()}
    before = {name: step.device.download(array) for name, array in before.items()}
    for group in module._kinds(step.launches):
        step.begin(plan, [0.0])
        module.time_launches(step.device, group, effort)
    for name, w in step.net.weights.items():
        np.testing.assert_array_equal(step.device.download(w.master), before[name])


@needs_compiler
def test_the_tables_of_kernels_hold_what_the_book_reads(load, effort, capsys):
    module, programs = load("gpu_kernels"), load("gpu_programs")
    device, shape = EmulatedDevice(), Shape(2, 4, 4, 8, 8)
    rows = programs.ladder_rows(device, shape, effort)
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    rows += module.step_rows(device, TINY, 2, effort)
    ends = programs.epilogue_rows(device, shape, effort)
    assert [row["epilogue"] for row in ends] == ["relu", "added"]
    peak = {"tflops_bf16_matmul": 1.0, "bytes_per_second_copy": 1e12, "by": "none"}
    rows = module.judged(rows, Chip("none", 1e12, 1e12))
    for row in rows:
        keys = "step", "kernel", "pass", "channels", "batch", "milliseconds", "tflops"
        assert row.keys() >= set(keys)
        most = max(row["flops"], row["bytes"]) / 1e9
        assert row["least_milliseconds"] == pytest.approx(most)
    values = {"device": "none", "driver": "none", "peak": peak, "rows": rows}
    module.print_tables(json.loads(json.dumps(values | {"epilogues": ends})))
    assert "tensor_forward<64> 8 to 8" in capsys.readouterr().out


@pytest.mark.skipif(nvrtc.library() is None, reason="NVRTC is not installed")
@pytest.mark.parametrize("target", ["sm_80", "sm_90a"])
@pytest.mark.parametrize("path", sorted((BENCHMARKS / "cuda").glob("*.cu")), ids=str)
def test_the_benchmarks_own_kernels_compile(path, target):
    assert nvrtc.compile_source(cuda_source(path), target).cubin


def test_peaks_are_measured_by_pytorch(load, torch_steps):
    found = load("gpu_peaks").by_torch("cpu", side=16, n_bytes=64)
    assert found.keys() == {"tflops_bf16_matmul", "bytes_per_second_copy", "by"}
    assert found["tflops_bf16_matmul"] > 0


# The step


def torch_losses(torch_steps, net, x, labels, n_steps):
    problem = torch_steps.Problem(net, x, labels, 0.05, 0.9, 1e-2, "cpu", False)
    step = problem.step()
    return [float(step()) for _ in range(n_steps)]


@needs_compiler
@torch_may_warn
def test_the_net_in_pytorch_learns_as_ours_does_from_the_same_batch(torch_steps):
    rng = np.random.default_rng(0)
    net = allconv.init_net(rng, TINY)
    x = rng.standard_normal((3, *TINY.image), dtype=np.float32)
    labels = rng.integers(10, size=3)
    device, n_steps = EmulatedDevice(), 4
    examples = load_examples(device, x, labels)
    step = DeviceStep(
        device,
        net,
        (examples, examples),
        batch_size=3,
        series=n_steps,
        weight_decay=1e-2,
        dtype=np.float32,
    )
    step.net.load(net.params, zeros_like(net.params))
    plan = np.zeros((n_steps, 3, 4), np.int32)
    plan[..., 0] = range(3)
    step.begin(plan, np.full(n_steps, 0.05))
    for _ in range(n_steps):
        step.replay()
    ours = step.history(n_steps)[0]
    theirs = torch_losses(torch_steps, net, x, labels, n_steps)
    assert ours[-1] < ours[0]
    np.testing.assert_allclose(theirs, ours, rtol=1e-4)


def measured(load, torch_steps, monkeypatch, ways):
    monkeypatch.setattr(torch_steps, "WAYS", ways)
    device, options = EmulatedDevice(), {"seconds": 300.0, "sizes": (2, 2)}
    return load("gpu_step").measure(device, "cpu", 2, architecture=TINY, **options)


@needs_compiler
@torch_may_warn
def test_both_take_their_turns_and_what_fails_is_named(
    load, torch_steps, monkeypatch, capsys
):
    ways = {
        "torch eager": torch_steps.WAYS["torch eager"],
        "torch cuda graph": torch_steps.WAYS["torch cuda graph"],
        "torch compile": torch_steps._with(torch_steps._compile(backend="eager")),
    }
    found = measured(load, torch_steps, monkeypatch, ways)
    module = load("gpu_step")
    assert [row["who"] for row in found["rows"]] == [
        module.OURS,
        module.ONE_BY_ONE,
        "torch eager",
        "torch compile",
    ]
    (failed,) = found["failed"]
    assert failed["who"] == "torch cuda graph"
    assert "CUDA" in failed["error"]
    other = {"rows": [{**row, "batch": 128} for row in found["rows"]], "failed": []}
    values = json.loads(json.dumps(module.summary([found, other])))
    assert values["best_of_torch"].keys() == {"2", "128"}
    minutes = values["projection_64000_minutes"]
    milliseconds = found["rows"][0]["milliseconds"]
    assert minutes["ours"] == pytest.approx(64_000 * milliseconds / 60e3)
    module._print(values | {"device": "none", "driver": "none", "torch": "none"})
    assert "torch cuda graph" in capsys.readouterr().out


@needs_compiler
def test_without_pytorch_ours_is_measured_alone_and_that_is_told(load):
    options = {"architecture": TINY, "seconds": 1.0, "sizes": (1, 1)}
    found = load("gpu_step").measure(EmulatedDevice(), None, 2, **options)
    assert len(found["rows"]) == 2
    assert found["failed"][0]["error"] == "PyTorch with CUDA is not installed"


@pytest.mark.slow
@needs_compiler
@torch_may_warn
def test_pytorchs_compiler_takes_the_whole_net_at_once(load, torch_steps, monkeypatch):
    name = "torch compile default"
    found = measured(load, torch_steps, monkeypatch, {name: torch_steps.WAYS[name]})
    assert found["rows"][-1]["who"] == name
    assert not found["failed"]


@needs_compiler
def test_nets_that_differ_are_not_compared(load):
    contenders = [{"who": w, "first_loss": x} for w, x in (("ours", 1.0), ("b", 1.1))]
    with pytest.raises(RuntimeError, match=r"the nets differ.*1\.1"):
        load("gpu_step")._require_equal_losses(contenders)


def test_what_takes_too_long_to_build_is_given_up(torch_steps, monkeypatch):
    monkeypatch.setitem(torch_steps.WAYS, "late", lambda _: signal.pause())
    problem = torch_steps.Problem(None, None, None, 0.1, 0.9, 0.0, "cpu")
    before = signal.getsignal(signal.SIGALRM)
    built = torch_steps.build("late", problem, 0.01)
    assert built.error == "TimeoutError: not ready after 0 s"
    assert signal.getsignal(signal.SIGALRM) is before


# Checks


@needs_compiler
def test_every_check_passes_on_the_emulated_device(load):
    checks = load("gpu_checks").on_a_device(
        EmulatedDevice(), recipes_of=RECIPE, shape=SHAPE, most=1
    )
    for name, check in checks.items():
        found = json.dumps(check(), default=np.ndarray.tolist)
        assert len(found) > 2, name


class Liar(EmulatedDevice):
    """A device that gets one number wrong, and each time another way."""

    n_lies = 0

    def download(self, array):
        host = super().download(array)
        self.n_lies += 1
        host.flat[0] = np.asarray(host.flat[0] * 3 + self.n_lies).astype(host.dtype)
        return host


@needs_compiler
@pytest.mark.parametrize("i", range(6))
def test_no_check_passes_on_a_device_that_is_wrong(load, capsys, i):
    module = load("gpu_checks")
    checks = module.on_a_device(Liar(), recipes_of=RECIPE, shape=SHAPE, most=1)
    name, check = list(checks.items())[i]
    result = module.run(name, check)
    assert not result["passed"]
    assert f"{name}: FAILED" in capsys.readouterr().out


@needs_compiler
def test_the_compilers_time_is_told_by_source(load):
    found = load("gpu_checks").compiler(EmulatedDevice(), RECIPE)["seconds"]
    assert found.keys() >= {"conv3x3_forward.cu", "descend.cu", "step.cu"}


def test_a_run_that_is_killed_ends_as_one_that_is_not(load):
    found = load("gpu_recipe").in_two_ways(40, 120, seconds=60.0, options=TRAIN)
    killed, alone = found["killed_and_resumed"], found["left_alone"]
    assert 0 < killed["killed_at"] < 120
    assert killed["n_steps"] == alone["n_steps"] == 120


def test_a_run_that_cannot_begin_says_why(load):
    with pytest.raises(RuntimeError, match=r"no checkpoint came: status 1, width.*-1"):
        load("gpu_recipe").at_full_length(5, seconds=60.0, options=("--width=-1",))


def test_two_runs_that_differ_in_one_number_are_not_equal(load, tmp_path):
    checkpoint = importlib.import_module("identity_edu.train.checkpoint")
    for name, value in (("a", 0.0), ("b", 1.0)):
        (tmp_path / name).mkdir()
        arrays = {"W": np.array([1.0, value])}
        checkpoint.save(tmp_path / name, arrays, {"n_steps": 1})
    with pytest.raises(RuntimeError, match="W differs in 1 of 2"):
        load("gpu_recipe").require_equal(tmp_path / "a", tmp_path / "b")


# Without a GPU, and the one command


@pytest.mark.skipif(gpu_status().startswith("ready"), reason="there is a GPU")
@pytest.mark.parametrize(
    ("name", "options", "status"),
    [
        ("gpu_checks", [], 0),
        ("gpu_kernels", [], 0),
        ("gpu_step", [], 0),
        ("gpu_step", ["--require"], 1),
        ("gpu_all", [], 1),
    ],
)
def test_without_a_gpu_one_line_says_so(name, options, status):
    command = [sys.executable, str(BENCHMARKS / f"{name}.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert done.stdout.startswith(f"{name}.py: not measured; ")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_a_part_that_fails_or_does_not_end_is_told(load):
    run = load("gpu_all").run
    assert run([sys.executable, "-c", ""], 60.0) == "passed"
    assert run([sys.executable, "-c", "exit(3)"], 60.0) == "failed with status 3"
    waits = "import signal; signal.pause()"
    assert run([sys.executable, "-c", waits], 0.1) == "not done after 0 s"


def test_results_are_of_the_kernels_as_they_are(load):
    digest = load("gpu_setup").kernels_digest()
    paths = sorted(FOLDER.glob("benchmark_gpu_*.json"))
    assert {"benchmark_gpu_counts.json", "benchmark_gpu_compiled.json"} <= {
        path.name for path in paths
    }
    for path in paths:
        record = json.loads(path.read_text())
        assert record["values"]["kernels_digest"] == digest, record["command"]
