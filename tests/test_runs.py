"""A run can be stopped anywhere and goes on to the bit; its files are whole."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from identity_edu import allconv, data
from identity_edu.allconv import Architecture, Stage
from identity_edu.ops import softmax_cross_entropy
from identity_edu.train import (
    checkpoint,
    environment,
    files,
    recipes,
    start,
    telemetry,
)
from identity_edu.train.examples import DataSet, training_batch
from identity_edu.train.files import RunError
from identity_edu.train.folder import RunFolder
from identity_edu.train.trainer import Trainer

TINY = Architecture(
    image=(8, 8, 1), stages=(Stage(1, 4), Stage(1, 8, 2)), n_classes=10, stem=4
)
# Nine batches of 16 in 50 images: epochs of three steps, and two images left over.
RECIPE = recipes.Recipe(
    "digits",
    TINY,
    n_steps=9,
    drops=(5, 8),
    batch_size=16,
    pad=1,
    flip=True,
    log_every=2,
    telemetry_every=2,
    checkpoint_every=3,
    evaluate_every=4,
)
LINES = ("log", "telemetry", "held_out")


class Killed(BaseException):
    """Stands for the end of the process: nothing of ours may catch it."""


def few_digits(*_):
    x, labels, x_test, labels_test = data.split_digit_images()
    return DataSet(x[:50], labels[:50], x_test[:30], labels_test[:30])


@pytest.fixture(autouse=True, scope="module")
def _small_and_alone():
    """Train on few digits, on a machine that would give a run one thread."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(start, "load_data_set", few_digits)
        patched.setattr(start, "available_cores", lambda: 1)
        patched.setattr(telemetry, "MOST_STEPS", 2)
        yield


def begun(path, recipe=RECIPE, **options):
    return start.begin(path, recipe, **{"seed": 3, "threads": 1} | options)


def killed_after(run, n_steps):
    """Train until a step is done, and stop as if by ``kill -9``."""

    def report(step, _):
        if step == n_steps:
            raise Killed

    with pytest.raises(Killed):
        run.train(report)


def signalled_after(run, n_steps, number=signal.SIGTERM):
    def report(step, _):
        if step == n_steps:
            os.kill(os.getpid(), number)

    return run.train(report)


def content(path):
    """Return what a run has written, without what depends on the clock."""
    arrays, record = checkpoint.load(path / checkpoint.NEWEST)
    lines = {name: RunFolder(path).lines(name) for name in LINES}
    for line in lines["log"]:
        assert line.pop("images_per_second") > 0
    record["tally"].pop("seconds")
    record.pop("seconds")
    return {n: (a.dtype, a.shape, a.tobytes()) for n, a in arrays.items()}, (
        lines,
        record,
        RunFolder(path).result()["held_out_accuracy"],
    )


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "whole"
    outcome = begun(path).train()
    assert (outcome.n_steps, outcome.signal) == (9, None)
    return content(path)


# Resuming


@pytest.mark.parametrize("cut", [1, 3, 4, 8, 9])
def test_a_killed_run_goes_on_to_the_bit(cut, uninterrupted, tmp_path):
    path = tmp_path / "cut"
    killed_after(begun(path), cut)
    run = start.resume(path)
    assert run.trainer.n_steps == 3 * (cut // 3)
    run.train()
    assert content(path) == uninterrupted


@pytest.mark.parametrize(
    ("cut", "number"),
    [(1, signal.SIGINT), (4, signal.SIGTERM), (8, signal.SIGINT)],
)
def test_a_signal_stops_after_the_step_and_loses_nothing(
    cut, number, uninterrupted, tmp_path, capfd
):
    path = tmp_path / "cut"
    outcome = signalled_after(begun(path), cut, number)
    assert (outcome.n_steps, outcome.signal, outcome.accuracy) == (cut, number, None)
    assert "once more, and it stops at once" in capfd.readouterr().err
    assert not RunFolder(path).result()
    run = start.resume(path)
    assert run.trainer.n_steps == cut
    run.train()
    assert content(path) == uninterrupted


def test_many_interruptions_leave_no_trace(uninterrupted, tmp_path):
    path = tmp_path / "cut"
    signalled_after(begun(path), 2)
    killed_after(start.resume(path), 5)
    killed_after(start.resume(path), 4)
    signalled_after(start.resume(path), 7)
    start.resume(path).train()
    assert content(path) == uninterrupted


def test_a_signal_during_the_last_measurement_only_postpones_it(
    uninterrupted, tmp_path
):
    path = tmp_path / "cut"
    outcome = signalled_after(begun(path), 9)
    assert outcome.signal == signal.SIGTERM
    start.resume(path).train()
    assert content(path) == uninterrupted


def test_a_second_signal_ends_the_process_at_once(tmp_path, monkeypatch):
    def leave(code):
        raise Killed(code)

    monkeypatch.setattr(os, "_exit", leave)

    def report(step, _):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Killed, match="130"):
        begun(tmp_path / "run").train(report)


def test_signals_do_afterwards_what_they_did_before(tmp_path):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    begun(tmp_path / "run").train()
    after = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    assert after == before


def test_telemetry_and_checkpoints_change_nothing_of_the_training(tmp_path):
    often = {f"{name}_every": 1 for name in ("telemetry", "checkpoint", "evaluate")}
    rarely = dict.fromkeys(often, 100)
    ends = []
    for number, changes in enumerate((often, rarely)):
        run = begun(tmp_path / str(number), replace(RECIPE, **changes))
        run.train()
        ends.append(run.trainer.state())
    for name, array in ends[0].items():
        np.testing.assert_array_equal(array, ends[1][name])


def test_a_run_without_a_checkpoint_begins_again_and_says_so(uninterrupted, tmp_path):
    path = tmp_path / "cut"
    killed_after(begun(path), 2)
    run = start.resume(path)
    assert run.notes == ["There is no checkpoint yet: this begins at step 0."]
    run.train()
    assert content(path) == uninterrupted


def test_a_damaged_checkpoint_gives_way_to_the_one_before(uninterrupted, tmp_path):
    path = tmp_path / "cut"
    killed_after(begun(path), 7)
    damage(path / checkpoint.NEWEST)
    run = start.resume(path)
    assert f"{path / checkpoint.NEWEST} is no whole checkpoint" in run.notes[0]
    assert run.notes[1] == (
        "It is kept as checkpoint.damaged.npz; using checkpoint.previous.npz of step 3 "
        "instead."
    )
    run.train()
    assert content(path) == uninterrupted


def test_without_a_whole_checkpoint_both_are_named(tmp_path):
    path = tmp_path / "cut"
    killed_after(begun(path), 7)
    damage(path / checkpoint.NEWEST)
    damage(path / checkpoint.PREVIOUS)
    with pytest.raises(RunError, match="No other is left") as caught:
        start.resume(path)
    assert str(path / checkpoint.NEWEST) in str(caught.value)
    assert str(path / checkpoint.PREVIOUS) in str(caught.value)


def damage(path):
    path.write_bytes(path.read_bytes()[:-100])


def test_the_threads_of_a_run_are_kept_unless_others_are_asked_for(
    tmp_path, monkeypatch
):
    path = tmp_path / "run"
    signalled_after(begun(path, threads=None), 3)
    assert start.resume(path).notes == []
    monkeypatch.setattr(start, "available_cores", lambda: 6)
    run = start.resume(path)
    run.folder.unlock()
    assert run.threads == 1
    assert run.notes[0].startswith("The run has 1 threads, and 6 cores are here")
    run = start.resume(path, threads=2)
    assert run.threads == 2
    assert run.notes == ["With 2 threads, not 1: the bits may differ."]
    threads = [entry["threads"] for entry in RunFolder(path).settings()["history"]]
    assert threads == [1, 1, 1, 2]


def test_another_environment_is_named(tmp_path, monkeypatch):
    signalled_after(begun(tmp_path / "run"), 1)
    there = environment.environment() | {"numpy": "1.0"}
    monkeypatch.setattr(start, "environment", lambda: there)
    now = environment.environment()["numpy"]
    assert start.resume(tmp_path / "run").notes == [
        f"numpy was {now} and is 1.0: the bits may differ."
    ]


def test_other_data_are_refused(tmp_path, monkeypatch):
    signalled_after(begun(tmp_path / "run"), 1)
    few = start.load_data_set("digits", None)
    changed = replace(few, labels_test=few.labels_test[::-1])
    monkeypatch.setattr(start, "load_data_set", lambda name, source: changed)
    with pytest.raises(RunError, match="begun on other data: the digest"):
        start.resume(tmp_path / "run")


def test_a_checkpoint_of_another_net_is_refused(tmp_path):
    signalled_after(begun(tmp_path / "run"), 1)
    wide = replace(RECIPE, architecture=TINY.scaled(width=2))
    signalled_after(begun(tmp_path / "wide", wide), 1)
    other = (tmp_path / "wide" / checkpoint.NEWEST).read_bytes()
    (tmp_path / "run" / checkpoint.NEWEST).write_bytes(other)
    with pytest.raises(RunError, match=r"of another net: params/stem.W must be"):
        start.resume(tmp_path / "run")


# What must stop a run


@pytest.mark.parametrize("block", ["stem", "blocks.0", "blocks.1"])
def test_a_loss_that_is_not_finite_names_step_rate_and_block(block, tmp_path):
    path = tmp_path / "run"
    run = begun(path, threads=2)

    def report(step, _):
        if step == 4:
            name = "stem.W" if block == "stem" else f"{block}.W2"
            run.trainer.net.params[name][...] = np.inf

    with pytest.raises(RunError) as caught:
        run.train(report)
    message = str(caught.value)
    assert "at step 4, learning rate 0.05" in message
    assert f"the first that is not finite is the output of {block}." in message
    assert "The checkpoint of step 3 stays." in message
    assert checkpoint.load(path / checkpoint.NEWEST)[1]["n_steps"] == 3


def test_an_input_that_is_not_finite_is_named(tmp_path):
    run = begun(tmp_path / "run")
    run.trainer.examples.x_train[...] = np.nan
    with pytest.raises(RunError, match="not finite is the input"):
        run.train()


def test_a_rate_that_is_too_large_stops_the_run(tmp_path):
    with pytest.raises(RunError, match="the loss must stay finite"):
        begun(tmp_path / "run", replace(RECIPE, learning_rate=1e30)).train()


def test_a_checkpoint_never_holds_what_is_not_finite(tmp_path):
    path = tmp_path / "run"
    run = begun(path)

    def report(step, _):
        if step == 5:
            run.trainer.net.params["stem.W"][0, 0, 0, 0] = np.nan
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(RunError, match=r"stem.W is not after step 4"):
        run.train(report)
    assert checkpoint.load(path / checkpoint.NEWEST)[1]["n_steps"] == 3


FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="no device is always full")


@needs_full
def test_a_full_disk_stops_the_run_and_spares_its_checkpoints(tmp_path):
    path = tmp_path / "run"
    run = begun(path)

    def report(step, _):
        if step == 5:
            (path / f"{checkpoint.NEWEST}.part").symlink_to(FULL)

    with pytest.raises(RunError, match=r"the disk is full: .*checkpoint.npz could"):
        run.train(report)
    assert checkpoint.load(path / checkpoint.NEWEST)[1]["n_steps"] == 3
    assert sorted(p.name for p in path.iterdir() if ".part" in p.name) == []
    run = start.resume(path)
    assert run.trainer.n_steps == 3
    assert run.train().n_steps == 9


@needs_full
def test_a_full_disk_stops_a_line_of_the_log(tmp_path):
    run = begun(tmp_path / "run")
    (tmp_path / "run" / "log.jsonl").symlink_to(FULL)
    with pytest.raises(RunError, match=r"the disk is full: .*log.jsonl"):
        run.train()


# Checkpoints


ARRAYS = {"params/W": np.arange(6.0).reshape(2, 3), "empty": np.zeros((0, 2))}


def test_a_checkpoint_gives_back_what_it_was_given(tmp_path):
    checkpoint.save(tmp_path, ARRAYS, {"n_steps": 4, "tally": {"loss": 0.1}})
    arrays, record, notes = checkpoint.load_newest(tmp_path)
    assert record == {
        "schema": checkpoint.SCHEMA,
        "n_steps": 4,
        "tally": {"loss": 0.1},
    }
    assert not notes
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)


def test_every_truncation_is_recognised(tmp_path):
    checkpoint.save(tmp_path, ARRAYS, {"n_steps": 4})
    path = tmp_path / checkpoint.NEWEST
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        with pytest.raises(RunError, match=f"{path} is no whole checkpoint"):
            checkpoint.load(path)


def test_a_changed_byte_is_recognised_unless_it_changes_nothing(tmp_path):
    checkpoint.save(tmp_path, ARRAYS, {"n_steps": 4})
    path = tmp_path / checkpoint.NEWEST
    whole = path.read_bytes()
    n_refused = 0
    for place in range(0, len(whole), 3):
        changed = bytearray(whole)
        changed[place] ^= 0xFF
        path.write_bytes(changed)
        try:
            arrays, _ = checkpoint.load(path)
        except RunError:
            n_refused += 1
        else:  # a byte that only an archiver reads, such as the date
            for name, array in ARRAYS.items():
                np.testing.assert_array_equal(arrays[name], array)
    assert n_refused > 100


def test_an_array_exchanged_in_a_valid_file_is_recognised(tmp_path):
    checkpoint.save(tmp_path, ARRAYS, {"n_steps": 4})
    path = tmp_path / checkpoint.NEWEST
    with np.load(path) as file:
        arrays = dict(file)
    arrays["params/W"][0, 0] += 1
    np.savez(path, **arrays)
    with pytest.raises(RunError, match="its digest differs"):
        checkpoint.load(path)


def test_another_schema_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SCHEMA", "identity_edu.checkpoint/0")
    checkpoint.save(tmp_path, ARRAYS, {"n_steps": 4})
    monkeypatch.undo()
    with pytest.raises(RunError, match=r"must have schema .*/1'; got .*/0'"):
        checkpoint.load(tmp_path / checkpoint.NEWEST)


def test_killed_at_any_call_of_the_system_a_checkpoint_stays(tmp_path, monkeypatch):
    """From the k-th call on, the process is dead: no call happens any more."""
    found = []
    for k in range(20):
        folder = tmp_path / str(k)
        folder.mkdir()
        for n_steps in (1, 2):
            checkpoint.save(folder, ARRAYS, {"n_steps": n_steps})
        with monkeypatch.context() as patched:
            let_die_at(patched, k)
            try:
                checkpoint.save(folder, ARRAYS, {"n_steps": 3})
                is_dead = False
            except Killed:
                is_dead = True
        _, record, _ = checkpoint.load_newest(folder)
        found.append(record["n_steps"])
        checkpoint.save(folder, ARRAYS, {"n_steps": 4})
        assert checkpoint.load_newest(folder)[1]["n_steps"] == 4
        if not is_dead:
            break
    assert found == sorted(found)
    assert set(found) == {2, 3}
    assert len(found) > 4


def let_die_at(patched, k):
    """Let the calls that change files work k times, and never again."""
    left = [k]

    def mortal(call):
        def wrapper(*arguments, **options):
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return call(*arguments, **options)

        return wrapper

    patched.setattr(os, "fsync", mortal(os.fsync))
    patched.setattr(os, "replace", mortal(os.replace))
    patched.setattr(np, "savez", mortal(np.savez))
    patched.setattr(Path, "open", mortal(Path.open))
    patched.setattr(Path, "unlink", mortal(Path.unlink))


def test_the_lines_reach_the_disk_before_the_checkpoint_that_counts_on_them(
    tmp_path, monkeypatch
):
    calls = []
    monkeypatch.setattr(RunFolder, "sync", lambda self: calls.append("lines"))
    monkeypatch.setattr(checkpoint, "save", lambda *_: calls.append("checkpoint"))
    begun(tmp_path / "run").train()
    assert calls == 3 * ["lines", "checkpoint"]


# The folder


def test_a_run_is_never_overwritten(tmp_path):
    begun(tmp_path / "run")
    with pytest.raises(RunError) as caught:
        begun(tmp_path / "run")
    assert "holds a run already" in str(caught.value)
    assert "identity-edu train --resume" in str(caught.value)
    assert "--run FOLDER" in str(caught.value)


def test_a_folder_of_something_else_is_no_run(tmp_path):
    with pytest.raises(RunError, match=r"holds no run: it has no run\.json"):
        start.resume(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="is a file"):
        begun(tmp_path / "file")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ("[1]", "must hold an object; got list"),
        ("{}", "must have schema 'identity_edu.run/1'; got None"),
    ],
)
def test_unreadable_settings_are_named(text, message, tmp_path):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(RunError, match=message):
        start.resume(tmp_path)


def test_the_settings_say_what_is_trained_and_on_what(tmp_path):
    begun(tmp_path / "run")
    settings = RunFolder(tmp_path / "run").settings()
    assert recipes.from_plain(settings["recipe"]) == RECIPE
    assert settings["seed"] == 3
    assert settings["data"]["digest"].startswith("sha256:")
    (entry,) = settings["history"]
    assert (entry["step"], entry["threads"]) == (0, 1)
    assert entry["environment"]["numpy"] == np.__version__
    assert "blas" in entry["environment"]


def test_a_last_line_that_was_cut_short_does_not_count(tmp_path):
    folder = RunFolder(tmp_path)
    folder.append("log", {"step": 2})
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')
    assert folder.lines("log") == [{"step": 2}]
    folder.cut_back(2)
    assert (tmp_path / "log.jsonl").read_text() == '{"step": 2}\n'


@pytest.mark.parametrize("line", ["oops", "3", "{}", '{"step": "a"}', '{"step": 2'])
def test_any_other_unreadable_line_is_named(line, tmp_path):
    (tmp_path / "telemetry.jsonl").write_text(f'{{"step": 0}}\n{line}\n')
    with pytest.raises(RunError, match=r"telemetry.jsonl, line 2: .* Remove that"):
        RunFolder(tmp_path).lines("telemetry")


def test_lines_of_the_future_are_cut(tmp_path):
    folder = RunFolder(tmp_path)
    for step in (2, 4, 6):
        folder.append("log", {"step": step})
        folder.append("telemetry", {"step": step})
    folder.cut_back(4)
    assert folder.lines("log") == [{"step": 2}, {"step": 4}]
    assert folder.lines("telemetry") == [{"step": 2}]
    assert folder.lines("held_out") == []


def test_a_failure_of_another_kind_keeps_its_name(tmp_path):
    with pytest.raises(FileNotFoundError):
        files.write_json(tmp_path / "absent" / "x.json", {})
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "x.json", {"nan": float("nan")})
    assert not list(tmp_path.iterdir())


# The log


def test_the_log_holds_means_over_its_steps(tmp_path):
    # At this rate nothing changes: every loss is one of the net as it was drawn.
    run = begun(tmp_path / "run", replace(RECIPE, learning_rate=1e-30))
    losses, rights = [], []
    for step in range(9):
        x, labels = training_batch(run.trainer.examples, RECIPE, seed=3, step=step)
        scores = run.trainer.runner.evaluate(x)
        losses.append(float(softmax_cross_entropy(scores, labels)))
        rights.append(np.mean(scores.argmax(axis=1) == labels))
    run.train()
    log = RunFolder(tmp_path / "run").lines("log")
    assert [line["step"] for line in log] == [2, 4, 6, 8, 9]
    for line, start_step in zip(log, (0, 2, 4, 6, 8), strict=True):
        steps = slice(start_step, line["step"])
        assert line["loss"] == pytest.approx(np.mean(losses[steps]), rel=1e-5)
        assert line["accuracy"] == pytest.approx(np.mean(rights[steps]))


def test_the_rate_of_a_line_is_that_of_its_last_step(tmp_path):
    begun(tmp_path / "run").train()
    log = RunFolder(tmp_path / "run").lines("log")
    rates = {line["step"]: line["learning_rate"] for line in log}
    expected = {2: 0.05, 4: 0.05, 6: 0.005, 8: 0.005, 9: 0.0005}
    assert rates == pytest.approx(expected)


def test_the_held_out_part_is_measured_on_the_way_and_at_the_end(tmp_path):
    run = begun(tmp_path / "run")
    outcome = run.train()
    lines = RunFolder(tmp_path / "run").lines("held_out")
    assert [line["step"] for line in lines] == [4, 8, 9]
    assert lines[-1]["accuracy"] == outcome.accuracy
    few = run.trainer.examples
    scores = allconv.runner(run.trainer.net, batch_size=16).evaluate(few.x_test)
    assert outcome.accuracy == np.mean(scores.argmax(axis=1) == few.labels_test)


def test_every_number_of_the_recipe_reaches_the_trainer():
    odd = replace(RECIPE, init="usual", momentum=0.25, weight_decay=0.125)
    trainer = Trainer(odd, few_digits(), seed=3)
    assert trainer.optimiser.momentum == 0.25
    assert trainer.optimiser.weight_decay == 0.125
    assert trainer.optimiser.decayed == trainer.net.params.keys()
    near = Trainer(RECIPE, few_digits(), seed=3)
    name = "blocks.0.W1"  # 1 / (k sqrt(c)) and 1 / (k^2 c), from the same draws
    ratio = trainer.net.params[name] / near.net.params[name]
    np.testing.assert_allclose(ratio, 3 * 4**0.5, rtol=1e-5)


def test_telemetry_that_overflows_before_the_loss_names_step_rate_and_block(tmp_path):
    recipe = replace(RECIPE, learning_rate=100.0, telemetry_every=1, drops=())
    message = r"at step \d, learning rate 100, the [a-z ]+ of blocks.\d is inf"
    with pytest.raises(RunError, match=message):
        begun(tmp_path / "run", recipe).train()


def test_the_seconds_of_a_run_add_up_over_its_parts(tmp_path):
    path = tmp_path / "run"
    signalled_after(begun(path), 4)
    run = start.resume(path)
    assert run.seconds == checkpoint.load(path / checkpoint.NEWEST)[1]["seconds"] > 0


def test_a_damaged_checkpoint_never_replaces_the_whole_one(tmp_path):
    for n_steps in (1, 2):
        checkpoint.save(tmp_path, ARRAYS, {"n_steps": n_steps})
    damage(tmp_path / checkpoint.NEWEST)
    checkpoint.load_newest(tmp_path)
    checkpoint.save(tmp_path, ARRAYS, {"n_steps": 3})
    (tmp_path / checkpoint.NEWEST).unlink()  # what a kill between two renames leaves
    assert checkpoint.load_newest(tmp_path)[1]["n_steps"] == 1


def test_a_folder_in_which_another_trains_is_refused(tmp_path):
    run = begun(tmp_path / "run")
    with pytest.raises(RunError, match="another process trains in"):
        start.resume(tmp_path / "run")
    run.train()
    start.resume(tmp_path / "run")


def test_a_recipe_that_was_changed_by_hand_is_refused(tmp_path):
    path = tmp_path / "run"
    signalled_after(begun(path), 4)
    text = (path / "run.json").read_text()
    (path / "run.json").write_text(text.replace('"momentum": 0.9', '"momentum": 0.8'))
    assert (path / "run.json").read_text() != text
    with pytest.raises(RunError, match="a run keeps its recipe and seed"):
        start.resume(path)


def test_a_run_from_before_there_were_kinds_of_nets_goes_on(tmp_path):
    whole, path = begun(tmp_path / "whole"), tmp_path / "run"
    whole.train()
    killed_after(begun(path), 7)
    arrays, record = checkpoint.load(path / checkpoint.NEWEST)
    settings = json.loads((path / "run.json").read_text())
    for kept in (record["recipe"], settings["recipe"]):
        del kept["project_every"]
        del kept["architecture"]["skip"], kept["architecture"]["transition"]
    (path / "run.json").write_text(json.dumps(settings))
    checkpoint.save(path, arrays, record)
    resumed = start.resume(path)
    assert 0 < resumed.trainer.n_steps <= 7
    resumed.train()
    for name, array in whole.trainer.state().items():
        np.testing.assert_array_equal(resumed.trainer.state()[name], array)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"recipe": {', '"recipe": 3, "other": {'),
        ('"history": [', '"history": [], "other": ['),
        ('"architecture": {', '"architecture": null, "other": {'),
        ('"threads": 1', '"threads": "1"'),
        ('"seed": 3', '"seed": "3"'),
    ],
)
def test_settings_that_are_damaged_are_refused_by_name(tmp_path, old, new):
    path = tmp_path / "run"
    begun(path).train()
    text = (path / "run.json").read_text()
    assert old in text
    (path / "run.json").write_text(text.replace(old, new, 1))
    with pytest.raises(RunError, match=r"run\.json"):
        start.resume(path)
