"""`identity-edu train` and `plot`: messages, exit codes, signals, and sudden death."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from identity_edu import cli
from identity_edu.cli import progress
from identity_edu.data import cifar
from identity_edu.experiments import results
from identity_edu.train import checkpoint, recipes, start
from identity_edu.train.environment import blas_threads
from identity_edu.train.folder import RunFolder

SMALL = ["--width=0.125", "--blocks=1", "--threads=1", "--telemetry-every=50"]
DEADLINE = 60.0


def invoke(*arguments):
    return CliRunner().invoke(cli.app, ["train", *map(str, arguments)])


def launch(*arguments):
    """Start the command as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "identity_edu", "train", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )


def wait_for_line(process, path, more_than=0):
    """Wait until the log of a run is longer than it was."""
    log, end = path / "log.jsonl", time.monotonic() + DEADLINE
    while not (log.exists() and log.stat().st_size > more_than):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def in_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


# A run from beginning to end


@pytest.mark.usefixtures("in_empty_folder")
def test_training_resuming_and_plotting_from_the_command_line(tmp_path):
    done = invoke("digits", *SMALL, "--steps", 44, "--seed", 2)
    assert done.exit_code == 0, done.output
    drops = recipes.adapted(recipes.DIGITS, n_steps=44).drops
    assert f"falls after {' and '.join(map(str, drops))} steps" in done.output
    assert "44 steps of 32 images, 1 threads" in done.output
    assert "% after 44 steps" in done.output
    assert "step 44/44, loss" in done.stderr
    folder = tmp_path / "runs" / "digits-2"
    assert sorted(p.name for p in folder.iterdir()) == [
        ".lock",
        "checkpoint.npz",
        "held_out.jsonl",
        "log.jsonl",
        "result.json",
        "run.json",
        "telemetry.jsonl",
    ]
    again = invoke("digits", *SMALL, "--seed", 2)
    assert again.exit_code == 1
    assert "holds a run already" in again.stderr
    assert "identity-edu train --resume runs/digits-2" in again.stderr
    assert "another --seed" in again.stderr
    resumed = invoke("--resume", "runs/digits-2")
    assert resumed.exit_code == 0
    assert resumed.output == done.stdout.splitlines(keepends=True)[-1]
    drawn = CliRunner().invoke(cli.app, ["plot", "runs/digits-2"])
    assert drawn.exit_code == 0
    assert drawn.output == "runs/digits-2/run.png\n"
    assert (folder / "run.png").read_bytes().startswith(b"\x89PNG")


def test_the_options_reach_the_recipe(tmp_path):
    options = {
        "--steps": 5,
        "--batch-size": 8,
        "--learning-rate": 0.01,
        "--checkpoint-every": 4,
        "--telemetry-every": 3,
        "--seed": 7,
        "--run": tmp_path / "run",
    }
    given = [part for pair in options.items() for part in pair]
    assert invoke("digits", *SMALL[:3], *given).exit_code == 0
    settings = RunFolder(tmp_path / "run").settings()
    recipe = recipes.from_plain(settings["recipe"])
    assert settings["seed"] == 7
    assert settings["history"][0]["threads"] == 1
    assert (recipe.n_steps, recipe.batch_size) == (5, 8)
    assert recipe.learning_rate == 0.01
    assert (recipe.checkpoint_every, recipe.telemetry_every) == (4, 3)
    assert {stage.n_blocks for stage in recipe.architecture.stages} == {1}
    wide = recipes.DIGITS.architecture.stages[0].channels
    assert recipe.architecture.stages[0].channels == wide // 8


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_trains_on_files_of_the_official_format(name, tmp_path, rng):
    images = cifar.generated_images(rng, name, n_train=40, n_test=10)
    cifar.write_cifar(tmp_path / "data", images, name)
    options = ["--width", 0.125, "--blocks", 1, "--batch-size", 10, "--steps", 3]
    place = ["--data", tmp_path / "data", "--run", tmp_path / "run", "--threads", 1]
    done = invoke(name, *options, *place)
    assert done.exit_code == 0, done.output
    assert RunFolder(tmp_path / "run").result()["n_steps"] == 3


def test_cifar_without_its_files_says_how_to_fetch_them(tmp_path):
    done = invoke("cifar10", "--data", tmp_path, "--run", tmp_path / "run")
    assert done.exit_code == 1
    assert "`identity-edu fetch cifar10` brings it" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("in_empty_folder")
@pytest.mark.parametrize("net", ["plain", "procrustes"])
def test_another_kind_of_net_has_a_folder_of_its_own(net):
    done = invoke("digits", *SMALL, "--net", net, "--steps", 3)
    assert done.exit_code == 0, done.output
    settings = RunFolder(Path("runs") / f"digits-{net}-0").settings()
    changes = {"width": 0.125, "n_blocks": 1, "n_steps": 3, "telemetry_every": 50}
    expected = recipes.adapted(recipes.with_net(recipes.DIGITS, net), **changes)
    assert recipes.from_plain(settings["recipe"]) == expected


# What is refused


@pytest.mark.usefixtures("in_empty_folder")
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "NAME must be one of digits, cifar10, cifar100; got None"),
        (["mnist"], 2, "NAME must be one of digits, cifar10, cifar100; got 'mnist'"),
        (["digits", "--net", "dense"], 2, "--net must be one of residual, plain, proc"),
        (["digits", "--steps", 0], 2, "--steps"),
        (["digits", "--threads", 0], 2, "--threads"),
        (["digits", "--width", 0], 1, "width must be positive"),
        (["digits", "--learning-rate", -1], 1, "learning_rate must be positive"),
        (["digits", "--batch-size", 5000], 1, "at most the 1437 examples; got 5000"),
        (
            ["digits", "--backend", "gpu"],
            2,
            "--backend must be one of numpy, cupy",
        ),
        (["digits", "--precision", "fp16"], 2, "--precision must be one of bf16, fp32"),
        (["digits", "--precision", "bf16"], 2, "--precision bf16 needs --backend cupy"),
        (["--resume", "nowhere"], 1, "nowhere holds no run"),
        (["digits", "--resume", "x", "--steps", 3], 1, "got NAME, --steps too"),
        (["--resume", "x", "--net", "plain"], 1, "got --net too"),
        (["--resume", "x", "--backend", "numpy"], 1, "got --backend too"),
        (["--resume", "x", "--precision", "fp32"], 1, "got --precision too"),
    ],
)
def test_a_wrong_command_gets_one_line(arguments, code, message, tmp_path):
    done = invoke(*arguments)
    assert done.exit_code == code
    assert message in done.stderr
    assert "Traceback" not in done.output
    assert not (tmp_path / "runs").exists()


def test_a_gpu_is_refused_with_a_reason(monkeypatch):
    from identity_edu import device

    monkeypatch.setattr(device, "gpu_status", lambda: "CuPy found no GPU")
    done = invoke("digits", "--backend", "cupy")
    assert done.exit_code == 1
    assert done.stderr == 'backend "cupy" needs a usable GPU: CuPy found no GPU.\n'


@pytest.mark.usefixtures("in_empty_folder")
def test_a_loss_that_explodes_ends_in_one_line():
    done = invoke("digits", *SMALL, "--steps", 5, "--learning-rate", "1e30")
    assert done.exit_code == 1
    assert "the loss must stay finite" in done.stderr
    assert "smaller --learning-rate" in done.stderr


def test_plot_refuses_what_is_no_run_or_has_no_lines(tmp_path):
    done = CliRunner().invoke(cli.app, ["plot", str(tmp_path)])
    assert done.exit_code == 1
    assert f"{tmp_path} holds no run" in done.stderr
    start.begin(tmp_path / "run", recipes.DIGITS, threads=1)
    done = CliRunner().invoke(cli.app, ["plot", str(tmp_path / "run")])
    assert done.exit_code == 1
    assert "has no line in its log yet" in done.stderr


def test_plot_writes_where_it_is_told(tmp_path):
    invoke("digits", *SMALL, "--steps", 3, "--run", tmp_path / "run")
    target = tmp_path / "figure.png"
    arguments = ["plot", str(tmp_path / "run"), "--output", str(target)]
    assert CliRunner().invoke(cli.app, arguments).exit_code == 0
    assert target.exists()
    missing = [*arguments[:3], str(tmp_path / "absent" / "figure.png")]
    done = CliRunner().invoke(cli.app, missing)
    assert done.exit_code == 1
    assert "No such file or directory" in done.stderr


# Signals and sudden death


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (15, 143)])
def test_a_signal_ends_the_command_with_a_checkpoint_and_advice(number, code, tmp_path):
    path = tmp_path / "a run"
    process = launch("digits", *SMALL, "--steps", 10**6, "--run", path)
    wait_for_line(process, path)
    process.send_signal(number)
    output, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == code, errors
    _, record = checkpoint.load(path / checkpoint.NEWEST)
    assert f"Stopped after {record['n_steps']} steps" in output
    assert f"identity-edu train --resume '{path}'" in output
    assert "Traceback" not in errors
    log = RunFolder(path).lines("log")
    assert log[-1]["step"] + record["tally"]["n_steps"] == record["n_steps"]


def kill_again_and_again(path, n_kills, seed):
    """Kill a run at random moments; each time it must go on, to the bit."""
    moments = random.Random(seed)
    command = ["digits", *SMALL, "--steps", 10**6, "--checkpoint-every", 3]
    process = launch(*command, "--run", path)
    found = []
    for _ in range(n_kills):
        log = path / "log.jsonl"
        wait_for_line(process, path, log.stat().st_size if log.exists() else 0)
        time.sleep(moments.uniform(0, 0.2))
        process.kill()
        process.communicate()
        arrays, record, _ = checkpoint.load_newest(path)
        done = RunFolder(path).lines("log")[-1]["step"]
        # A line comes after its step, a checkpoint at the latest two steps later.
        assert record["n_steps"] >= done - 3
        found.append((record["n_steps"], arrays))
        process = launch("--resume", path)
    process.kill()
    process.communicate()
    return found


def check_against_an_uninterrupted_run(path, found):
    assert [n for n, _ in found] == sorted(n for n, _ in found)
    recipe = recipes.from_plain(RunFolder(path).settings()["recipe"])
    run = start.begin(path.parent / "whole", recipe, threads=1)
    with blas_threads(1):
        for n_steps, arrays in found:
            while run.trainer.n_steps < n_steps:
                run.trainer.step()
            for name, array in run.trainer.state().items():
                np.testing.assert_array_equal(arrays[name], array)


def test_a_run_killed_at_random_moments_goes_on_to_the_bit(tmp_path):
    path = tmp_path / "run"
    check_against_an_uninterrupted_run(path, kill_again_and_again(path, 3, seed=1))


@pytest.mark.slow
def test_a_run_killed_twenty_times_goes_on_to_the_bit(tmp_path):
    path = tmp_path / "run"
    check_against_an_uninterrupted_run(path, kill_again_and_again(path, 20, seed=2))


# Progress


MEANS = {"loss": 0.5, "accuracy": 0.25, "images_per_second": 99.6}


def test_lines_come_first_last_and_every_few_seconds(capsys):
    now = [0.0]
    lines = progress.Lines(10, 4, clock=lambda: now[0])
    with lines:
        for step, second in enumerate([2, 3, 6, 8, 9, 10], start=5):
            now[0] = float(second)
            lines(step, MEANS)
    shown = capsys.readouterr().err.splitlines()
    assert shown == [
        "step 5/10, loss 0.5000, accuracy 25.0 %, 100 images/s, 0:00:10 left",
        "step 8/10, loss 0.5000, accuracy 25.0 %, 100 images/s, 0:00:04 left",
        "step 10/10, loss 0.5000, accuracy 25.0 %, 100 images/s, 0:00:00 left",
    ]


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress.progress(10, 4) as show:
        assert isinstance(show, progress.Bar)
        for step in range(5, 11):
            show(step, MEANS)
    shown = capsys.readouterr().err
    assert "10/10" in shown
    assert "loss 0.5000, accuracy 25.0 %, 100 images/s" in shown


def test_without_a_terminal_there_are_lines():
    with progress.progress(10, 4) as show:
        assert isinstance(show, progress.Lines)


# The book's row


@pytest.fixture
def finished_run(tmp_path, monkeypatch):
    """Train an unchanged, very short recipe to its end."""
    recipe = recipes.adapted(recipes.DIGITS, width=0.125, n_blocks=1, n_steps=2)
    monkeypatch.setitem(recipes.RECIPES, "digits", recipe)
    start.begin(tmp_path / "run", recipe, seed=3, threads=1, source=None).train()
    return tmp_path / "run"


def test_a_finished_run_is_recorded_for_the_book(finished_run, tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    done = CliRunner().invoke(cli.app, ["record", str(finished_run)])
    assert done.exit_code == 0, done.output
    found = results.load_result("digits_run")
    assert found["command"] == "identity-edu train digits --seed 3"
    assert found["seeds"] == [3]
    accuracy = RunFolder(finished_run).result()["held_out_accuracy"]
    assert found["values"]["held_out_accuracy"] == accuracy


def test_another_kind_of_net_is_recorded_under_its_own_name(
    finished_run, tmp_path, monkeypatch
):
    del finished_run  # the short recipe is what it leaves
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    recipe = recipes.with_net(recipes.RECIPES["digits"], "procrustes")
    start.begin(tmp_path / "other", recipe, seed=3, threads=1).train()
    done = CliRunner().invoke(cli.app, ["record", str(tmp_path / "other")])
    assert done.exit_code == 0, done.output
    found = results.load_result("digits_procrustes_run")
    assert found["command"] == "identity-edu train digits --net procrustes --seed 3"


def test_a_run_that_is_changed_or_unfinished_is_not_recorded(
    finished_run, tmp_path, monkeypatch
):
    monkeypatch.undo()  # the recipe is no longer the short one
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    done = CliRunner().invoke(cli.app, ["record", str(finished_run)])
    assert done.exit_code == 1
    assert "another width, length or rate" in done.output
    (finished_run / "result.json").unlink()
    done = CliRunner().invoke(cli.app, ["record", str(finished_run)])
    assert done.exit_code == 1
    assert "has not finished" in done.output
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("redirection", ["2>&-", "2>&1 | head -1", "2>&1 | true"])
def test_training_goes_on_when_nobody_reads_its_progress(tmp_path, redirection):
    command = (
        f"{sys.executable} -m identity_edu train digits {' '.join(SMALL)} --steps 30 "
        f"--run {tmp_path / 'run'} >{os.devnull} {redirection}"
    )
    if "|" in redirection:
        command = command.replace(f">{os.devnull} ", "")
    subprocess.run(command, shell=True, timeout=DEADLINE, check=False)
    end = time.monotonic() + DEADLINE
    while RunFolder(tmp_path / "run").result() is None:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_damaged_files_of_a_run_are_named_in_one_line(finished_run):
    log, result = finished_run / "log.jsonl", finished_run / "result.json"
    log.write_text(log.read_text() + '{"step": 601}\n')
    done = CliRunner().invoke(cli.app, ["plot", str(finished_run)])
    assert done.exit_code == 1
    assert f"a line of a file in {finished_run} lacks 'loss'" in done.output
    result.write_text("{}")
    done = invoke("--resume", finished_run)
    assert done.exit_code == 1
    assert "a run writes; it lacks ['held_out_accuracy'," in done.output
