"""The experiments on gradient norms along training write what has happened."""

import json
from dataclasses import replace

import numpy as np
import pytest

from identity_edu import nets
from identity_edu.data import cifar
from identity_edu.experiments import norms_along_training, transitions_cifar10
from identity_edu.experiments.norms_along_training import (
    KINDS,
    keeps_shape,
    recipe_of,
    summary,
    trained,
)
from identity_edu.ops import softmax_cross_entropy_backward
from identity_edu.train import recipes, start
from identity_edu.train.examples import load_data_set, training_batch
from identity_edu.train.files import RunError
from identity_edu.train.run import Outcome, Run
from identity_edu.train.trainer import Trainer


def small_recipe(kind, *, per_stage=2, rate=0.01, n_steps=6):
    recipe = recipe_of(kind, per_stage, rate, n_steps=n_steps)
    return replace(recipe, telemetry_every=3, log_every=3, batch_size=8)


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_ratios_are_those_of_the_start(kind, tmp_path):
    recipe = small_recipe(kind)
    run = trained(recipe, 3, tmp_path / "run", threads=1)
    assert run["step"] == [0, 3]
    assert len(run["loss"]) == 2
    examples = load_data_set("digits")
    net = Trainer(recipe, examples, seed=3).net
    x, labels = training_batch(examples, recipe, seed=3, step=0)
    scores, cache = nets.forward(net, x)
    norms = {}
    nets.backward(
        net,
        cache,
        softmax_cross_entropy_backward(scores, labels),
        lambda i, g: norms.update({i: np.linalg.norm(g)}),
    )
    found = run["gradient_ratio"][0]
    assert len(found) == len(net.blocks) - 2
    expected = [norms[i] / norms[i + 1] for i in range(1, len(net.blocks) - 1)]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    values = summary(recipe, run, is_whole=True)
    keeps = keeps_shape(recipe.architecture)
    deviation = np.abs(np.array(expected)[keeps] - 1).mean()
    assert values["deviation"][0] == pytest.approx(deviation, rel=1e-3, abs=1e-6)
    assert values["end_to_end"][0] == pytest.approx(np.prod(expected), rel=1e-3)
    assert len(values["transitions"][0]) == 3
    assert 0 <= values["accuracy"] <= 1


def test_the_kinds_differ_in_skips_and_projections():
    kinds = {kind: small_recipe(kind) for kind in KINDS}
    skips = {kind: recipe.architecture.skip for kind, recipe in kinds.items()}
    assert skips == {k: k != "plain" for k in KINDS}
    assert kinds["procrustes"].project_every == 2
    once = kinds["projected once"]
    assert once.project_every > once.n_steps
    assert replace(once, project_every=2) == kinds["procrustes"]
    never = kinds["never projected"]
    assert replace(never, project_every=2) == kinds["procrustes"]
    assert never.project_every == 0


def test_a_run_whose_loss_overflows_has_no_accuracy(tmp_path):
    recipe = small_recipe("residual", rate=1e6)
    assert trained(recipe, 3, tmp_path / "run", threads=1)["accuracy"] is None


def test_no_other_error_passes_for_an_overflow(tmp_path, monkeypatch):
    def full(_run):
        raise RunError("the disk is full")

    monkeypatch.setattr(Run, "save", full)
    with pytest.raises(RunError, match="the disk is full"):
        trained(small_recipe("residual"), 3, tmp_path / "run", threads=1)


def test_a_folder_with_another_run_is_refused(tmp_path):
    recipe = small_recipe("residual")
    trained(recipe, 3, tmp_path / "run", threads=1)
    for other, seed in ((recipe, 4), (replace(recipe, learning_rate=0.02), 3)):
        with pytest.raises(RunError, match=f"and seed {seed} is required; .*another"):
            trained(other, seed, tmp_path / "run")


def test_a_block_that_no_gradient_reaches_has_no_ratio(tmp_path):
    recipe = small_recipe("plain")
    run = start.begin(tmp_path / "run", recipe, seed=3, threads=1)
    run.trainer.net.params["blocks.3.W1"][...] = 0
    run.train()
    found = trained(recipe, 3, tmp_path / "run", threads=1)
    assert np.isnan(found["gradient_ratio"][0]).any()
    values = summary(recipe, found, is_whole=True)
    assert values["end_to_end"][0] is None
    json.dumps(values, allow_nan=False)


def test_the_rate_is_the_one_whose_short_run_ends_lowest(monkeypatch):
    monkeypatch.setattr(norms_along_training, "N_RATE_STEPS", 4)
    monkeypatch.setattr(norms_along_training, "RATES", [1e6, 0.02, 1e-9])
    monkeypatch.setattr(norms_along_training, "N_LAST", 1)
    rate, losses = norms_along_training.best_rate("procrustes", 2)
    assert losses[0] is None
    assert rate == [1e6, 0.02, 1e-9][int(np.argmin([np.inf, *losses[1:]]))]


@pytest.fixture
def tiny_cifar(tmp_path, rng, monkeypatch):
    """Put generated files where CIFAR-10 is looked for, and return a tiny recipe."""
    images = cifar.generated_images(rng, "cifar10", n_train=40, n_test=10)
    monkeypatch.setenv("IDENTITY_EDU_DATA", str(tmp_path / "data"))
    cifar.write_cifar(tmp_path / "data", images, "cifar10")
    monkeypatch.setattr(transitions_cifar10, "FOLDER", tmp_path / "runs")
    monkeypatch.setattr(transitions_cifar10, "SEEDS", [0, 1])
    changes = {"batch_size": 10, "telemetry_every": 2, "log_every": 2}
    return recipes.adapted(recipes.CIFAR10, width=0.1, n_blocks=2, n_steps=4, **changes)


def test_the_same_runs_on_cifar_and_goes_on_where_it_was(tiny_cifar, tmp_path, capsys):
    first = transitions_cifar10.measure(tiny_cifar)
    assert set(first["kinds"]) == set(recipes.NETS)
    for kind in first["kinds"].values():
        assert [len(run["loss"]) for run in kind["runs"]] == [2, 2]
    assert first["kinds"]["plain"]["rate"] < first["kinds"]["residual"]["rate"]
    assert "procrustes, seed 1: 100%" in capsys.readouterr().err
    # What is finished is read, not trained again.
    logs = sorted((tmp_path / "runs").rglob("log.jsonl"))
    times = [path.stat().st_mtime_ns for path in logs]
    assert len(logs) == 6
    again = transitions_cifar10.measure(tiny_cifar)
    assert [path.stat().st_mtime_ns for path in logs] == times
    for kind, values in first["kinds"].items():
        assert [r["loss"] for r in again["kinds"][kind]["runs"]] == [
            r["loss"] for r in values["runs"]
        ]


def test_a_stopped_experiment_says_that_it_goes_on(tiny_cifar, monkeypatch):
    monkeypatch.setattr(Run, "train", lambda _run, _report: Outcome(2, signal=15))
    with pytest.raises(
        RunError, match=r"stopped after 2 steps in .*residual-0; the same"
    ):
        transitions_cifar10.measure(tiny_cifar)
