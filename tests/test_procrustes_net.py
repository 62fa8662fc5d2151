"""The Procrustes net, its projection, and training with it."""

from dataclasses import replace

import numpy as np
import pytest

from identity_edu import allconv, nets, procrustes
from identity_edu.allconv import Architecture, Stage
from identity_edu.train import recipes, start
from identity_edu.train.examples import load_data_set
from identity_edu.train.trainer import Trainer

TABLE = Architecture((8, 8, 1), (Stage(1, 12), Stage(2, 20, 2)), stem=4)
RECIPE = recipes.with_net(
    replace(recipes.DIGITS, architecture=TABLE, batch_size=16), "procrustes"
)


def isometry_error(W):
    """Return how far a 1 x 1 kernel is from its scaled isometry, relative."""
    K, gain = W[0, 0].T, W.shape[3] / W.shape[2]
    return np.abs(K.T @ K - gain * np.eye(len(K.T))).max() / gain


def test_every_transition_starts_as_a_scaled_isometry(rng):
    net = procrustes.procrustes_net(rng, TABLE, dtype=np.float64)
    assert net.architecture.transition == "convolution"
    for name in ("transitions.0.W", "transitions.1.W"):
        assert isometry_error(net.params[name]) <= 1e-12
    size = net.architecture.parts()[0].convolutions[0].size
    assert procrustes.spread(net.params["stem.W"], size) <= 0.05
    np.testing.assert_allclose(net.readout @ net.readout.T, np.eye(10), atol=1e-12)


def test_the_read_out_that_runs_is_the_whitened_one(rng):
    net = procrustes.procrustes_net(rng, TABLE, dtype=np.float64)
    x = rng.standard_normal((3, 8, 8, 1))
    scores, cache = nets.forward(net, x)
    last = cache[-1][0][0]
    expected = last.mean(axis=(1, 2)) @ net.readout.T
    np.testing.assert_allclose(scores, expected, rtol=1e-12)


def test_residual_blocks_start_as_any_other_nets(rng):
    table = replace(TABLE, transition="convolution")
    ours = procrustes.procrustes_net(np.random.default_rng(3), TABLE)
    free = allconv.init_net(np.random.default_rng(3), table)
    assert list(ours.params) == list(free.params)
    for name in ours.params:
        is_block = name.startswith("blocks.")
        assert np.array_equal(ours.params[name], free.params[name]) == is_block


def test_a_random_gradient_keeps_its_mean_square_through_every_transition(rng):
    net = procrustes.procrustes_net(rng, TABLE, dtype=np.float64)
    for block in net.blocks:
        (layer, *others) = block.branch
        if others or not layer.params[0].startswith("transitions"):
            continue
        W = net.params[layer.params[0]]
        h = rng.standard_normal((2000, 4, 4, W.shape[2]))
        y = layer.forward(h, W)
        g = rng.standard_normal(y.shape)
        back, _ = layer.backward(g, h, W)
        assert (back**2).sum() / (g**2).sum() == pytest.approx(1, abs=0.01)


def test_the_projection_acts_on_its_schedule_and_on_its_kernels_alone(rng):
    table = replace(TABLE, transition="convolution")
    net = allconv.init_net(rng, table, dtype=np.float64)
    before = {name: W.copy() for name, W in net.params.items()}
    projection = procrustes.projection_of(table, every=3)
    assert list(projection.sizes) == ["stem.W", "transitions.0.W", "transitions.1.W"]
    for n_steps in (1, 2, 4):
        projection(net.params, n_steps)
        assert all(np.array_equal(net.params[n], W) for n, W in before.items())
    arrays = dict(net.params)
    projection(net.params, 3)
    for name, W in net.params.items():
        assert W is arrays[name]
        assert np.array_equal(W, before[name]) == name.startswith("blocks.")
    assert isometry_error(net.params["transitions.1.W"]) <= 1e-12


def test_a_kernel_that_has_overflowed_stays_and_the_others_are_projected(rng):
    table = replace(TABLE, transition="convolution")
    net = allconv.init_net(rng, table, dtype=np.float64)
    broken = net.params["transitions.0.W"]
    broken[0, 0, 1, 2] = np.inf
    before = broken.copy()
    procrustes.projection_of(table).project(net.params)
    np.testing.assert_array_equal(broken, before)
    assert isometry_error(net.params["transitions.1.W"]) <= 1e-12


def test_a_schedule_without_a_next_step_is_refused():
    with pytest.raises(ValueError, match="every must be at least 1; got 0"):
        procrustes.Projection({}, every=0)


@pytest.mark.parametrize("seed", range(8))
def test_a_square_read_out_is_whitened_too(seed):
    """In float32, one in five of this size is too ill-conditioned for `whiten`."""
    table = Architecture((4, 4, 1), (Stage(1, 100),), n_classes=100, stem=4)
    net = procrustes.procrustes_net(np.random.default_rng(seed), table)
    assert net.readout.dtype == np.float32
    np.testing.assert_allclose(net.readout @ net.readout.T, np.eye(100), atol=1e-5)


# Training


def test_a_recipe_that_projects_projects_every_transition():
    trainer = Trainer(RECIPE, load_data_set("digits"))
    kept = trainer.optimiser.projection.sizes
    assert list(kept) == ["stem.W", "transitions.0.W", "transitions.1.W"]


def test_transitions_are_isometries_after_every_second_step():
    trainer = Trainer(RECIPE, load_data_set("digits"), seed=3)
    W = trainer.net.params["transitions.0.W"]
    assert isometry_error(W) <= 1e-5
    for _ in range(6):
        trainer.step()
        is_even = trainer.n_steps % recipes.PROJECT_EVERY == 0
        assert (isometry_error(W) <= 1e-5) == is_even


def test_a_projected_run_that_overflows_says_so_as_any_other():
    recipe = replace(RECIPE, learning_rate=1e38, project_every=1)
    trainer = Trainer(recipe, load_data_set("digits"), seed=3)

    def train():
        for _ in range(20):
            trainer.step()

    with pytest.raises(FloatingPointError, match="the loss must stay finite; it is"):
        train()


def test_a_resumed_projected_run_is_the_uninterrupted_one(tmp_path):
    recipe = replace(RECIPE, n_steps=9, checkpoint_every=4, telemetry_every=3)
    whole = start.begin(tmp_path / "whole", recipe, seed=3, threads=1)
    whole.train()
    run = start.begin(tmp_path / "cut", recipe, seed=3, threads=1)
    for _ in range(5):  # one more than the checkpoint: an odd step is lost
        run.trainer.step()
        if run.trainer.n_steps == 4:
            run.save()
    run.folder.unlock()
    again = start.resume(tmp_path / "cut")
    assert again.trainer.n_steps == 4
    again.train()
    for name, W in whole.trainer.state().items():
        np.testing.assert_array_equal(again.trainer.state()[name], W)


def test_the_three_kinds_of_net_differ_in_what_they_name():
    base = recipes.DIGITS
    assert recipes.with_net(base, "residual") == base
    plain = recipes.with_net(base, "plain")
    assert plain == replace(
        base, architecture=replace(base.architecture, skip=False), init="he"
    )
    assert recipes.with_net(base, "procrustes").project_every == 2
    with pytest.raises(ValueError, match="residual, plain, procrustes; got 'dense'"):
        recipes.with_net(base, "dense")
    with pytest.raises(ValueError, match="transition is 'convolution'; got 2 and 'sh"):
        replace(base, project_every=2)
    with pytest.raises(ValueError, match="project_every must be at least 0; got -1"):
        replace(base, project_every=-1)
