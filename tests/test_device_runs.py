"""Runs on a device: the same batches, lines and checkpoints; here on a processor."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from emulator import EmulatedDevice, compiler
from threadpoolctl import threadpool_info
from typer.testing import CliRunner

from identity_edu import cli, data
from identity_edu import device as device_module
from identity_edu.allconv import Architecture, Stage
from identity_edu.allconv.device_step import DeviceStep, load_examples
from identity_edu.device import CudaDevice
from identity_edu.experiments import results
from identity_edu.launch import PaperDevice
from identity_edu.train import backends, recipes, start, telemetry
from identity_edu.train.backends import Backend
from identity_edu.train.device_plan import plan
from identity_edu.train.device_run import DeviceRun
from identity_edu.train.device_telemetry import DeviceTelemetry
from identity_edu.train.device_trainer import SERIES, DeviceTrainer
from identity_edu.train.examples import DataSet, training_batch
from identity_edu.train.files import RunError
from identity_edu.train.folder import RunFolder

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C++ compiler with C++20")

SMALL = Architecture(image=(8, 8, 1), stages=(Stage(1, 8), Stage(1, 16, 2)), stem=8)
RECIPE = recipes.Recipe(
    "digits",
    SMALL,
    n_steps=9,
    drops=(5, 8),
    batch_size=4,
    pad=1,
    flip=True,
    log_every=3,
    telemetry_every=2,
    checkpoint_every=4,
    evaluate_every=5,
)
FLOAT, BRIEF = Backend("cupy", "fp32"), Backend("cupy", "bf16")
LINES = ("log", "telemetry", "held_out")


class Killed(BaseException):
    """Stands for the end of the process: nothing of ours may catch it."""


def few_digits(*_):
    x, labels, x_test, labels_test = data.split_digit_images()
    x, x_test = x - 0.3, x_test - 0.3  # no images of zeros: see the plain net below
    return DataSet(x[:18], labels[:18], x_test[:6], labels_test[:6])


@pytest.fixture(autouse=True, scope="module")
def _small_and_emulated():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(start, "load_data_set", few_digits)
        patched.setattr(backends, "CudaDevice", EmulatedDevice)
        patched.setattr(telemetry, "MOST_STEPS", 2)
        yield


def begun(path, recipe=RECIPE, *, backend=FLOAT):
    return start.begin(path, recipe, seed=3, threads=1, backend=backend)


def lines(path, name):
    text = (path / f"{name}.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def timeless(path):
    """Return all that a run wrote, without seconds."""
    content = {name: lines(path, name) for name in LINES}
    for line in content["log"]:
        del line["images_per_second"]
    with np.load(path / "checkpoint.npz") as arrays:
        content |= {k: arrays[k].tolist() for k in arrays.files if k != "record"}
    result = json.loads((path / "result.json").read_text())
    return content | {"accuracy": result["held_out_accuracy"]}


def assert_alike(found, expected, rtol, where=""):
    """Compare what JSON holds, number by number."""
    assert type(found) is type(expected), where
    if isinstance(found, dict):
        assert list(found) == list(expected), where
        for key, value in expected.items():
            assert_alike(found[key], value, rtol, f"{where}/{key}")
    elif isinstance(found, list):
        assert len(found) == len(expected), where
        for i, pair in enumerate(zip(found, expected, strict=True)):
            assert_alike(*pair, rtol, f"{where}/{i}")
    elif isinstance(found, float):
        assert found == pytest.approx(expected, rel=rtol, abs=1e-7), where
    else:
        assert found == expected, where


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folders = {}
    for backend in (Backend(), FLOAT, BRIEF):
        folder = tmp_path_factory.mktemp("run") / "it"
        begun(folder, backend=backend).train()
        folders[backend] = folder
    return folders


@pytest.mark.parametrize("pad", [0, 2])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_a_device_draws_the_batches_of_the_host_to_the_bit(rng, pad, flip, n_channels):
    shape = (18, 8, 8, n_channels)
    x = rng.integers(0, 256, shape, np.uint8)
    mean, std = rng.random((2, n_channels)).astype(np.float32) + 0.1
    examples = DataSet(x, np.arange(18), x, np.arange(18), (mean, std))
    table = replace(SMALL, image=shape[1:], n_classes=18)
    recipe = replace(RECIPE, architecture=table, pad=pad, flip=flip)
    trainer = DeviceTrainer(EmulatedDevice(), recipe, examples, precision="fp32")
    device, step = trainer.device, trainer.on_device
    for first in (0, 3, 4, 9):  # four steps are an epoch; two images are left over
        step.begin(plan(18, recipe, seed=0, first=first, n_steps=1), [0.1])
        step.replay()
        x_host, labels = training_batch(examples, recipe, seed=0, step=first)
        np.testing.assert_array_equal(device.download(step.net.states[0]), x_host)
        np.testing.assert_array_equal(device.download(step.labels), labels)


def test_too_few_examples_are_refused():
    with pytest.raises(ValueError, match="at most the 3 examples; got 4"):
        plan(3, RECIPE, seed=0, first=0, n_steps=1)


def test_a_run_in_float32_is_the_one_that_numpy_makes(uninterrupted):
    on_host, on_device = (timeless(uninterrupted[b]) for b in (Backend(), FLOAT))
    assert [line["step"] for line in on_device["log"]] == [3, 6, 9]
    assert [line["step"] for line in on_device["telemetry"]] == [0, 2, 4, 6, 8]
    assert [line["step"] for line in on_device["held_out"]] == [5, 9]
    assert_alike(on_device, on_host, rtol=2e-4)


def test_a_run_in_bf16_stays_close(uninterrupted):
    on_host, on_device = (timeless(uninterrupted[b]) for b in (Backend(), BRIEF))
    loss, same = ([line["loss"] for line in c["log"]] for c in (on_device, on_host))
    assert loss == pytest.approx(same, rel=0.02)
    assert loss != same


@pytest.mark.parametrize("backend", [FLOAT, BRIEF], ids=["fp32", "bf16"])
@pytest.mark.parametrize("cut", [3, 5, 8])
def test_a_killed_run_goes_on_to_the_bit(cut, backend, uninterrupted, tmp_path):
    run = begun(tmp_path / "it", backend=backend)

    def report(step, _):
        if step >= cut:
            raise Killed

    with pytest.raises(Killed):
        run.train(report)
    start.resume(tmp_path / "it", threads=1).train()
    assert timeless(tmp_path / "it") == timeless(uninterrupted[backend])


def test_a_series_longer_than_the_device_holds_is_split(tmp_path, monkeypatch):
    recipe = replace(RECIPE, n_steps=7, telemetry_every=50, log_every=50)
    begun(tmp_path / "whole", recipe).train()
    monkeypatch.setattr("identity_edu.train.device_trainer.SERIES", 3)
    begun(tmp_path / "split", recipe).train()
    assert timeless(tmp_path / "whole") == timeless(tmp_path / "split")
    assert SERIES >= 20  # the usual one holds the steps between two lines


def test_projected_transitions_are_those_of_the_host(tmp_path):
    recipe = recipes.with_net(replace(RECIPE, n_steps=5), "procrustes")
    for backend in (Backend(), FLOAT):
        begun(tmp_path / backend.name, recipe, backend=backend).train()
    found, expected = (timeless(tmp_path / name) for name in ("cupy", "numpy"))
    assert_alike(found, expected, rtol=2e-4)
    W = np.array(found["params/transitions.0.W"])[0, 0]
    # The last step ends with an odd number, one after the last projection.
    assert W.shape == (8, 16)


def test_a_plain_net_trains_too(tmp_path):
    # Without margins of zeros. Behind them activations are exactly zero here; on the
    # host Winograd's rounding makes some a little more, and lets a gradient pass.
    recipe = recipes.with_net(replace(RECIPE, n_steps=3, pad=0), "plain")
    for backend in (Backend(), FLOAT):
        begun(tmp_path / backend.name, recipe, backend=backend).train()
    found, expected = (timeless(tmp_path / name) for name in ("cupy", "numpy"))
    assert_alike(found, expected, rtol=2e-4)


def test_the_settings_name_backend_and_device_and_a_resumed_run_keeps_them(tmp_path):
    begun(tmp_path / "it", backend=BRIEF)
    settings = json.loads((tmp_path / "it" / "run.json").read_text())
    assert settings["backend"] == {"name": "cupy", "precision": "bf16"}
    assert settings["history"][0]["environment"]["device"] == "emulated device"
    run = start.resume(tmp_path / "it", threads=1)
    assert run.where == "bf16 on emulated device"


def test_another_device_is_named(tmp_path, monkeypatch):
    begun(tmp_path / "it").folder.unlock()
    monkeypatch.setattr(EmulatedDevice, "name", "another one")
    notes = " ".join(start.resume(tmp_path / "it", threads=1).notes)
    assert "device was emulated device and is another one: the bits may differ" in notes


def test_a_run_from_before_there_was_a_choice_is_numpys():
    assert backends.from_plain(None) == Backend()


@pytest.mark.parametrize("record", [{}, {"name": "cupy"}, 3, {"name": 1, "x": 2}])
def test_a_damaged_backend_is_named(record):
    with pytest.raises(ValueError, match="must have exactly"):
        backends.from_plain(record)


def test_memory_is_asked_for_before_anything_is_allocated(monkeypatch):
    device = EmulatedDevice(memory_bytes=100_000)
    monkeypatch.setattr(device, "empty", lambda *_: pytest.fail("it allocates"))
    with pytest.raises(RunError, match=r"needs 0\.\d\d GB .*; 0\.00 GB are free"):
        DeviceTrainer(device, RECIPE, few_digits())


def test_what_is_asked_for_is_what_is_allocated():
    paper, device = PaperDevice(), EmulatedDevice(memory_bytes=10**9)
    examples = few_digits()
    for where in (paper, device):
        trainer = DeviceTrainer.__new__(DeviceTrainer)
        trainer.recipe, trainer.examples = RECIPE, examples
        trainer.net, trainer.dtype = net_of(RECIPE), backends.PRECISIONS["bf16"]
        made = trainer._step_on(where)
    assert made is not None
    assert paper.n_bytes == 10**9 - device.free_bytes()


def net_of(recipe):
    from identity_edu import allconv

    return allconv.init_net(np.random.default_rng(0), recipe.architecture)


def test_a_loss_that_is_not_finite_names_step_and_rate(tmp_path):
    recipe = replace(RECIPE, learning_rate=1e30, telemetry_every=50)
    with pytest.raises(RunError, match=r"it is (nan|inf) at step \d, learning rate 1e"):
        begun(tmp_path / "it", recipe).train()


def test_all_is_compiled_before_a_folder_is_made(tmp_path, monkeypatch):
    def refuse(*_):
        raise RuntimeError("step.cu does not compile")

    monkeypatch.setattr(EmulatedDevice, "capture", refuse)
    with pytest.raises(RunError, match=r"step\.cu does not compile"):
        begun(tmp_path / "it")
    assert not (tmp_path / "it").exists()


def test_nothing_is_compiled_once_the_clock_runs(tmp_path, monkeypatch):
    run = begun(tmp_path / "it")
    monkeypatch.setattr(EmulatedDevice, "capture", lambda *_: pytest.fail("too late"))
    run.train()


@pytest.mark.parametrize("at", [3, 6])
def test_a_device_that_fails_leaves_a_run_that_goes_on(
    at, tmp_path, monkeypatch, uninterrupted
):
    run = begun(tmp_path / "it")
    begin = DeviceStep.begin

    def fail(step, plan, rates):
        if run.trainer.n_steps >= at:
            raise RuntimeError("cudaErrorECCUncorrectable: uncorrectable ECC error")
        begin(step, plan, rates)

    with monkeypatch.context() as patched:
        patched.setattr(DeviceStep, "begin", fail)
        stays = "The checkpoint of step 4 stays" if at > 4 else "no checkpoint yet"
        with pytest.raises(RunError, match=rf"\(cudaErrorECC.*{stays}.*--resume"):
            run.train()
    start.resume(tmp_path / "it", threads=1).train()
    assert timeless(tmp_path / "it") == timeless(uninterrupted[FLOAT])


def test_telemetry_aside_has_one_thread_of_blas_for_each_of_its_own(
    tmp_path, monkeypatch
):
    measure, seen = DeviceTelemetry.measure_norms, []

    def watched(telemetry, norms):
        pools = [p for p in threadpool_info() if p["user_api"] == "blas"]
        seen.extend(pool["num_threads"] for pool in pools)
        return measure(telemetry, norms)

    monkeypatch.setattr(DeviceTelemetry, "measure_norms", watched)
    recipe = replace(RECIPE, n_steps=3)
    start.begin(tmp_path / "it", recipe, threads=2, backend=FLOAT).train()
    assert set(seen) <= {1}


@pytest.mark.parametrize(
    ("name", "precision", "message"),
    [
        ("jax", "fp32", "one of numpy, cupy; got 'jax'"),
        ("cupy", "fp16", "one of bf16, fp32; got 'fp16'"),
        ("numpy", "bf16", "'numpy' has precision fp32 alone; got 'bf16'"),
    ],
)
def test_backends_that_do_not_exist_are_refused(name, precision, message):
    with pytest.raises(ValueError, match=message):
        Backend(name, precision)


def test_a_device_is_looked_at_less_often():
    slower = backends.at_a_devices_pace(recipes.CIFAR10)
    assert (slower.telemetry_every, slower.checkpoint_every) == (4000, 4000)
    assert replace(slower, telemetry_every=500, checkpoint_every=500) == recipes.CIFAR10


def test_the_command_trains_and_resumes_on_a_device(tmp_path):
    def invoke(*words):
        return CliRunner().invoke(cli.app, ["train", *map(str, words)])

    size = ("--width", 0.25, "--blocks", 1, "--batch-size", 4, "--steps", 3)
    folder = tmp_path / "it"
    done = invoke("digits", "--backend", "cupy", "--run", folder, *size)
    assert done.exit_code == 0, done.stderr
    assert "3 steps of 4 images, bf16 on emulated device." in done.stdout
    assert "Held-out accuracy" in done.stdout
    again = invoke("--resume", folder)
    assert "Held-out accuracy" in again.stdout
    refused = invoke("--resume", folder, "--precision", "fp32")
    assert refused.exit_code == 1
    assert "got --precision too" in refused.stderr


def test_uint8_and_float_examples_are_loaded_as_they_are(rng):
    device = EmulatedDevice()
    x = rng.integers(0, 256, (4, 2, 2, 3), np.uint8)
    stored = load_examples(device, x, np.arange(4), (np.zeros(3), np.ones(3)))
    assert (stored.images.dtype, stored.levels) == (np.uint8, 255)
    stored = load_examples(device, x / 255, np.arange(4))
    assert (stored.images.dtype, stored.levels) == (np.float32, 1)


def test_a_step_on_paper_has_the_launches_of_one_on_a_device():
    steps = []
    for device in (PaperDevice(), EmulatedDevice()):
        stored = load_examples(device, np.zeros((4, 8, 8, 1)), np.zeros(4, int))
        options = {"batch_size": 4, "series": 1}
        steps.append(DeviceStep(device, net_of(RECIPE), (stored,) * 2, **options))
    one, other = steps
    described = [
        [(x.kernel, x.grid, x.block, x.shared_bytes, x.flops, x.bytes) for x in made]
        for made in (one.launches, other.launches)
    ]
    assert described[0] == described[1]


def invoke(*words):
    return CliRunner().invoke(cli.app, [str(word) for word in words])


@pytest.fixture
def short(monkeypatch):
    """Let the recipe of the digits be the one of these tests."""
    monkeypatch.setitem(recipes.RECIPES, "digits", RECIPE)


def failing(method, error, monkeypatch, *, at):
    """Let the device step's method fail the given time that it is called."""
    real, calls = getattr(DeviceStep, method), iter(range(1, 100))

    def fail(self, *args, **options):
        if next(calls) == at:
            raise error
        return real(self, *args, **options)

    monkeypatch.setattr(DeviceStep, method, fail)


@pytest.mark.usefixtures("short")
def test_a_device_run_of_a_recipe_is_recorded_with_its_device(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    folder, command = tmp_path / "it", ("train", "digits", "--backend", "cupy")
    assert invoke(*command, "--seed", 3, "--run", folder).exit_code == 0
    assert json.loads((folder / "run.json").read_text())["recipe"] != RECIPE
    done = invoke("record", folder)
    assert done.exit_code == 0, done.stderr
    found = results.load_result("digits_run")
    options = "--backend cupy --precision bf16 --seed 3"
    assert found["command"] == f"identity-edu train digits {options}"
    assert found["values"]["device"] == "emulated device"
    assert invoke("plot", folder).exit_code == 0


@pytest.mark.usefixtures("short")
def test_a_device_that_fails_on_the_way_ends_in_one_line_that_says_how_to_go_on(
    tmp_path, monkeypatch
):
    folder, seeded = tmp_path / "it", ("--seed", 3, "--threads", 1)
    begin = ("train", "digits", "--backend", "cupy", *seeded, "--run")
    assert invoke(*begin, tmp_path / "whole", "--checkpoint-every", 2).exit_code == 0
    with monkeypatch.context() as patched:
        error = RuntimeError("cudaErrorECCUncorrectable: an error in memory")
        failing("history", error, patched, at=4)
        failed = invoke(*begin, folder, "--checkpoint-every", 2)
    assert failed.exit_code == 1
    message = failed.stderr.splitlines()[-1]
    assert message == (
        "the device failed (cudaErrorECCUncorrectable: an error in memory). The "
        "checkpoint of step 4 stays. "
        f"Go on with: identity-edu train --resume {folder}"
    )
    assert invoke("train", "--resume", folder).exit_code == 0
    assert timeless(folder) == timeless(tmp_path / "whole")


@pytest.mark.usefixtures("short")
def test_a_device_that_fails_at_once_leaves_a_run_that_can_begin(tmp_path, monkeypatch):
    folder = tmp_path / "it"
    with monkeypatch.context() as patched:
        failing("begin", RuntimeError("out of order"), patched, at=1)
        failed = invoke("train", "digits", "--backend", "cupy", "--run", folder)
    assert "There is no checkpoint yet. Go on with" in failed.stderr
    again = invoke("train", "--resume", folder)
    assert again.exit_code == 0, again.stderr
    assert "this begins at step 0" in again.stdout


def test_a_device_that_cannot_be_set_up_is_refused_in_one_line(tmp_path, monkeypatch):
    def refuse(*_):
        raise RuntimeError("libnvrtc is not found\n  listdir(this):\n  listdir(that):")

    monkeypatch.setattr(EmulatedDevice, "capture", refuse)
    folder = tmp_path / "it"
    failed = invoke("train", "digits", "--backend", "cupy", "--run", folder)
    assert failed.exit_code == 1
    assert failed.stderr == "libnvrtc is not found\n"
    assert "Setting up the device. It compiles the kernels" in failed.stdout
    assert not folder.exists()


def test_the_threads_of_the_host_change_no_bit_and_are_not_said_to(
    uninterrupted, tmp_path
):
    begun(tmp_path / "it").folder.unlock()
    run = start.resume(tmp_path / "it", threads=2)
    assert not any("threads" in note for note in run.notes)
    run.train()
    assert timeless(tmp_path / "it") == timeless(uninterrupted[FLOAT])


def test_a_resumed_command_says_what_computes(tmp_path):
    begun(tmp_path / "it", backend=BRIEF).folder.unlock()
    done = invoke("train", "--resume", tmp_path / "it")
    assert done.exit_code == 0, done.stderr
    assert "goes on after 0 steps, bf16 on emulated device." in done.stdout
    assert "Setting up the device" in done.stdout


def test_a_run_of_a_gpu_goes_on_where_there_is_one_alone(tmp_path, monkeypatch):
    begun(tmp_path / "it").folder.unlock()
    before = (tmp_path / "it" / "run.json").read_bytes()
    monkeypatch.setattr(backends, "CudaDevice", CudaDevice)
    monkeypatch.setattr(device_module, "gpu_status", lambda: "CuPy found no GPU")
    failed = invoke("train", "--resume", tmp_path / "it")
    assert failed.exit_code == 1
    assert failed.stderr == 'backend "cupy" needs a usable GPU: CuPy found no GPU.\n'
    assert (tmp_path / "it" / "run.json").read_bytes() == before


@pytest.mark.parametrize("backend", [FLOAT, BRIEF], ids=["fp32", "bf16"])
def test_slow_telemetry_changes_nothing(backend, uninterrupted, tmp_path, monkeypatch):
    class Slow(DeviceTelemetry):
        def measure_norms(self, norms):
            time.sleep(0.1)
            return super().measure_norms(norms)

    monkeypatch.setattr(DeviceRun, "_telemetry", Slow)
    begun(tmp_path / "it", backend=backend).train()
    assert timeless(tmp_path / "it") == timeless(uninterrupted[backend])


class Broken(DeviceTelemetry):
    """Fails in its thread, at the third line."""

    n_lines = 0

    def measure_norms(self, norms):
        self.n_lines += 1
        if self.n_lines == 3:
            raise RuntimeError("broken in its thread")
        return super().measure_norms(norms)


class OnAFullDisk(RunFolder):
    """Has no room for the third line of telemetry."""

    def append(self, name, record):
        if (name, record["step"]) == ("telemetry", 4):
            raise RunError("the disk is full")
        super().append(name, record)


@pytest.mark.parametrize("where", ["thread", "disk"])
def test_telemetry_that_fails_stops_a_run_which_goes_on_to_the_bit(
    where, uninterrupted, tmp_path, monkeypatch
):
    with monkeypatch.context() as patched:
        if where == "thread":
            patched.setattr(DeviceRun, "_telemetry", Broken)
        else:
            patched.setattr(start, "RunFolder", OnAFullDisk)
        with pytest.raises((RunError, RuntimeError), match=r"broken in|disk is full"):
            begun(tmp_path / "it").train()
    assert [line["step"] for line in lines(tmp_path / "it", "telemetry")] == [0, 2]
    start.resume(tmp_path / "it", threads=1).train()
    assert timeless(tmp_path / "it") == timeless(uninterrupted[FLOAT])


# Sudden death. The command runs in a process of its own, on the emulated device.

ON_THE_EMULATOR = """
import sys
sys.path.insert(0, {tests!r})
import test_device_runs as here
here.start.load_data_set = here.few_digits
here.backends.CudaDevice = here.EmulatedDevice
here.backends.at_a_devices_pace = lambda recipe: recipe
here.telemetry.MOST_STEPS = 2
here.recipes.RECIPES["digits"] = here.replace(here.RECIPE, n_steps={n_steps})
here.cli.app()
"""
DEADLINE = 120.0


def launch(n_steps, *words):
    """Start the command."""
    script = ON_THE_EMULATOR.format(tests=str(Path(__file__).parent), n_steps=n_steps)
    return subprocess.Popen(
        [sys.executable, "-c", script, "train", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )


def wait_until_it_writes(process, log):
    """Wait until there is another line; return whether the process still runs."""
    size, end = log.stat().st_size if log.exists() else 0, time.monotonic() + DEADLINE
    while not log.exists() or log.stat().st_size <= size:
        if process.poll() is not None:
            return False
        assert time.monotonic() < end
        time.sleep(0.005)
    return True


def run_and_kill(folder, command, n_steps, n_kills, seed):
    """Kill a run at random moments, and go on with it to its end."""
    moments = random.Random(seed)
    process = launch(n_steps, *command, "--run", folder)
    for _ in range(n_kills):
        if not wait_until_it_writes(process, folder / "telemetry.jsonl"):
            break
        time.sleep(moments.uniform(0, 0.3))
        number = moments.choice((signal.SIGTERM, signal.SIGKILL))
        process.send_signal(number)
        said, _ = process.communicate(timeout=DEADLINE)
        assert "Traceback" not in said
        assert process.returncode in {0, -number, 128 + number}, said
        process = launch(n_steps, "--resume", folder)
    said, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, said


def check_sudden_death(tmp_path, net, precision, n_steps, n_kills):
    command = ("digits", "--backend", "cupy", "--precision", precision, "--net", net)
    folders = tmp_path / "whole", tmp_path / "killed"
    run_and_kill(folders[0], (*command, "--threads", 1), n_steps, 0, seed=1)
    run_and_kill(folders[1], (*command, "--threads", 1), n_steps, n_kills, seed=1)
    whole, killed = map(timeless, folders)
    assert whole == killed
    assert whole["log"][-1]["step"] == n_steps


@pytest.mark.slow
def test_a_device_run_killed_at_random_moments_ends_with_the_same_bits(tmp_path):
    check_sudden_death(tmp_path, "residual", "bf16", 30, n_kills=2)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("net", recipes.NETS)
def test_a_device_run_killed_twenty_times_ends_with_the_same_bits(
    net, precision, tmp_path
):
    check_sudden_death(tmp_path, net, precision, 200, n_kills=20)


@pytest.mark.usefixtures("short")
def test_a_run_on_a_device_has_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for options in ((), ("--backend", "cupy"), ("--backend", "cupy", "--net", "plain")):
        assert invoke("train", "digits", "--steps", 1, *options).exit_code == 0
    names = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert names == ["digits-0", "digits-cupy-0", "digits-plain-cupy-0"]
