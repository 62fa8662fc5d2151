"""Telemetry measures what it says: against dense matrices and the net's definition."""

from dataclasses import replace

import numpy as np
import pytest

from identity_edu import allconv, nets, relu
from identity_edu.allconv import Architecture, Stage
from identity_edu.conv import direct, operator_matrix, operator_norm
from identity_edu.ops import softmax_cross_entropy_backward
from identity_edu.train import recipes
from identity_edu.train.examples import load_data_set
from identity_edu.train.telemetry import Telemetry
from identity_edu.train.trainer import Trainer

SMALL = Architecture(
    image=(6, 5, 2), stages=(Stage(1, 3), Stage(1, 4, 2)), n_classes=3, stem=3
)


@pytest.fixture
def net(rng):
    return allconv.init_net(rng, SMALL, init="usual", dtype=np.float64)


@pytest.fixture
def x(rng):
    return rng.standard_normal((4, *SMALL.image))


def backward_pass(net, x, watch):
    scores, cache = nets.forward(net, x)
    delta = softmax_cross_entropy_backward(scores, np.arange(len(x)) % 3)
    grad = nets.backward(net, cache, delta, watch)
    return nets.block_states(scores, cache), grad, cache, delta


def measured(net, x, times=1):
    telemetry = Telemetry(net, x, np.random.default_rng(5))
    states, grad, _, _ = backward_pass(net, x, telemetry.watch)
    for _ in range(times):
        record = telemetry.measure(states, grad)
    return record, grad, states


def exact_norm(net, row):
    A = operator_matrix(net.params[row.name], row.size, stride=row.stride)
    return np.linalg.norm(A, 2)


# Spectral norms


@pytest.mark.parametrize("transition", ["shortcut", "convolution"])
@pytest.mark.parametrize("times", [1, 5])
def test_the_spectral_norm_is_that_of_the_dense_operator(rng, x, transition, times):
    architecture = replace(SMALL, transition=transition)
    net = allconv.init_net(rng, architecture, init="usual", dtype=np.float64)
    record, _, _ = measured(net, x, times)
    rows = architecture.convolutions()
    assert {row.name for row in rows} == record["spectral_norm"].keys()
    for row in rows:
        exact, estimate = exact_norm(net, row), record["spectral_norm"][row.name]
        assert 0.99 * exact <= estimate <= exact * (1 + 1e-12)


def test_the_norm_of_a_reshaped_kernel_is_another():
    """The operator repeats its kernel at every pixel: its norm is larger."""
    W = np.ones((3, 3, 1, 1))
    reshaped = np.linalg.norm(W.reshape(9, 1), 2)
    assert reshaped == 3.0
    assert np.linalg.norm(operator_matrix(W, (6, 6)), 2) > 2.5 * reshaped


def test_dense_layers_are_measured_without_their_thresholds(rng):
    net = relu.init_net(rng, [4, 4], n_outputs=3)
    net.params["blocks.0.s"][...] = rng.standard_normal(4)
    x = rng.standard_normal((5, 4))
    record, _, _ = measured(net, x)
    for name, W in net.params.items():
        if W.ndim == 2:
            exact = np.linalg.norm(W, 2)
            assert record["spectral_norm"][name] == pytest.approx(exact, rel=1e-6)


def test_a_direction_that_has_overtaken_the_old_one_is_not_missed(rng):
    """The old vector is an eigenvector still: it has no residual at all."""
    net = relu.init_net(rng, [60, 60], n_outputs=3)
    values = np.concatenate([[1.0, 0.9], np.linspace(0, 0.6, 58)])
    V = net.params["blocks.0.V"]
    V[...] = np.diag(values)
    telemetry = Telemetry(net, rng.standard_normal((5, 60)), rng)
    states, grad, _, _ = backward_pass(
        net, rng.standard_normal((5, 60)), nets.look_away
    )
    for _ in range(10):
        telemetry.measure(states, grad)
    for largest in (1.02, 1.05, 1.3, 2.0):
        V[1, 1] = largest
        estimate = telemetry.measure(states, grad)["spectral_norm"]["blocks.0.V"]
        assert estimate == pytest.approx(largest, rel=0.01)


def test_a_later_measurement_needs_fewer_products_than_the_first(net, x, monkeypatch):
    """The weights drift a little, as they do in training."""
    telemetry = Telemetry(net, x, np.random.default_rng(5))
    states, grad, _, _ = backward_pass(net, x, telemetry.watch)
    counts, conv2d = [0], direct.conv2d

    def counted(*args, **kwargs):
        counts[-1] += 1
        return conv2d(*args, **kwargs)

    monkeypatch.setattr(direct, "conv2d", counted)
    for _ in range(4):
        telemetry.measure(states, grad)
        counts.append(0)
        for W in net.params.values():
            W *= 1 + 1e-3 * np.random.default_rng(1).standard_normal(W.shape)
    assert max(counts[1:4]) < 0.8 * counts[0]


@pytest.mark.parametrize("scale", [1e-30, 1e25])
def test_the_squares_of_weights_may_be_out_of_range(rng, x, scale):
    x = x.astype(np.float32)
    net = allconv.init_net(rng, SMALL, init="usual")
    telemetry = Telemetry(net, x, np.random.default_rng(5))
    states, grad, _, _ = backward_pass(net, x, telemetry.watch)
    expected = Telemetry(net, x, np.random.default_rng(5)).measure(states, grad)
    for W in net.params.values():
        W *= np.float32(scale)
    norms = telemetry.measure(states, grad)["spectral_norm"]
    for name, value in expected["spectral_norm"].items():
        assert norms[name] == pytest.approx(scale * value, rel=1e-3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_norm_of_weights_that_are_not_finite_is_not_either(net, x, bad):
    telemetry = Telemetry(net, x, np.random.default_rng(5))
    states, grad, _, _ = backward_pass(net, x, telemetry.watch)
    net.params["blocks.0.W1"][0, 0, 0, 0] = bad
    with np.errstate(invalid="ignore"):
        norms = telemetry.measure(states, grad)["spectral_norm"]
    assert not np.isfinite(norms["blocks.0.W1"])
    assert np.isfinite(norms["blocks.0.W2"])


def worst_error(every, n_steps, checked, seed=0):
    """Train the digits net; return the largest error of an estimate, and its place."""
    trainer = Trainer(recipes.DIGITS, load_data_set("digits"), seed=seed)
    telemetry = Telemetry(
        trainer.net, trainer.examples.x_train[:1], np.random.default_rng(7)
    )
    errors = []

    def observe(grad):
        record = telemetry.measure(trainer.runner.block_states(), grad)
        if trainer.n_steps in checked:
            for row in trainer.net.architecture.convolutions():
                W = trainer.net.params[row.name]
                exact = operator_norm(W, row.size, stride=row.stride)
                error = 1 - record["spectral_norm"][row.name] / exact
                errors.append((error, trainer.n_steps, row.name))

    for step in range(n_steps + 1):
        trainer.step(observe if step % every == 0 else None)
    assert len(errors) == 13 * len(checked)
    assert min(errors)[0] > -1e-5  # rounding in float32
    return max(errors)


@pytest.mark.slow
def test_along_training_the_estimate_stays_within_one_per_cent():
    error = worst_error(50, 400, checked=(0, 50, 100, 150, 200, 300, 400))
    assert error[0] < 0.01, error


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("every", [11, 50, 200])
def test_over_the_whole_recipe_the_estimate_stays_within_one_per_cent(every, seed):
    n_steps = recipes.DIGITS.n_steps - recipes.DIGITS.n_steps % every
    error = worst_error(every, n_steps, range(0, n_steps + 1, every), seed)
    assert error[0] < 0.01, error


# Blocks


def test_the_distance_is_that_of_the_branch_from_zero(net, x):
    record, _, states = measured(net, x)
    assert list(record["distance"]) == ["blocks.0", "blocks.1"]
    for i, stride in ((0, 1), (1, 2)):
        h = states[i + 1]
        inner = direct.conv2d(h, net.params[f"blocks.{i}.W1"], stride=stride)
        branch = direct.conv2d(np.maximum(inner, 0), net.params[f"blocks.{i}.W2"])
        expected = np.sqrt((branch**2).sum() / (h**2).sum())
        assert record["distance"][f"blocks.{i}"] == pytest.approx(expected, rel=1e-10)


def test_a_block_that_is_its_skip_has_distance_and_norm_zero(net, x):
    net.params["blocks.0.W2"][...] = 0
    record, _, _ = measured(net, x)
    assert record["distance"]["blocks.0"] == 0
    assert record["spectral_norm"]["blocks.0.W2"] == 0
    assert record["gradient_ratio"]["blocks.0"] == pytest.approx(1, rel=1e-12)
    assert record["state_ratio"]["blocks.0"] == pytest.approx(1, rel=1e-12)


def test_the_ratios_are_those_of_the_backward_sweep_and_of_the_states(net, x):
    record, _, states = measured(net, x)
    _, _, cache, delta = backward_pass(net, x, nets.look_away)
    gradients = [delta, *(d for d, _ in nets.backward_sweep(net, cache, delta))][::-1]
    names = ["stem", "blocks.0", "blocks.1", "output"]
    for i, name in enumerate(names):
        expected = np.sqrt((gradients[i] ** 2).sum() / (gradients[i + 1] ** 2).sum())
        assert record["gradient_ratio"][name] == pytest.approx(expected, rel=1e-12)
        expected = np.sqrt((states[i + 1] ** 2).sum() / (states[i] ** 2).sum())
        assert record["state_ratio"][name] == pytest.approx(expected, rel=1e-12)
    assert list(record["gradient_ratio"]) == list(record["state_ratio"]) == names


@pytest.mark.parametrize("n", [1, 3, 4])
def test_the_fast_runner_shows_the_same_ratios_but_for_the_first_block(rng, n):
    architecture = replace(SMALL, image=(8, 4, 2))
    net = allconv.init_net(rng, architecture, init="usual")
    x = rng.standard_normal((n, *architecture.image), dtype=np.float32)
    telemetry = Telemetry(net, x, np.random.default_rng(5))
    states, grad, _, delta = backward_pass(net, x, telemetry.watch)
    slow = telemetry.measure(states, grad)
    runner = allconv.runner(net, batch_size=4, n_threads=1)
    runner.forward(x)
    grad = runner.backward(delta, telemetry.watch)
    fast = telemetry.measure(runner.block_states(), grad)
    assert slow["gradient_ratio"].pop("stem") > 0
    for kind in ("gradient_ratio", "state_ratio", "distance"):
        assert fast[kind] == pytest.approx(slow[kind], rel=1e-4)


def test_gradients_of_an_earlier_pass_are_not_shown_again(net, x):
    telemetry = Telemetry(net, x, np.random.default_rng(5))
    states, grad, _, _ = backward_pass(net, x, telemetry.watch)
    assert len(telemetry.measure(states, grad)["gradient_ratio"]) == 4
    assert telemetry.measure(states, grad)["gradient_ratio"] == {}


def test_a_block_with_a_zero_denominator_is_left_out(net, x):
    """Nothing arrives from a dead stem: a fact to look at, and no error."""
    net.params["stem.W"][...] = 0
    record, _, _ = measured(net, x)
    assert record["state_ratio"] == {"stem": 0.0}
    assert record["distance"] == {}
    telemetry = Telemetry(net, x, np.random.default_rng(5))
    for i in range(5):
        telemetry.watch(i, np.zeros((2, 3)) if i > 1 else np.ones((2, 3)))
    states, grad, _, _ = backward_pass(net, x, nets.look_away)
    assert telemetry.measure(states, grad)["gradient_ratio"] == {"stem": 1.0}


def test_the_gradient_norm_is_that_of_each_array(net, x):
    record, grad, _ = measured(net, x)
    for name, value in record["gradient_norm"].items():
        expected = np.sqrt((grad[name] ** 2).sum())
        assert value == pytest.approx(expected, rel=1e-12)


# Contract


def test_measuring_changes_neither_net_nor_states(net, x):
    before = {name: array.copy() for name, array in net.params.items()}
    _, _, states = measured(net, x)
    copies = [state.copy() for state in states]
    for name, array in net.params.items():
        np.testing.assert_array_equal(array, before[name])
    for state, copy in zip(states, copies, strict=True):
        np.testing.assert_array_equal(state, copy)


def test_restored_vectors_give_the_same_numbers(net, x):
    states, grad, _, _ = backward_pass(net, x, nets.look_away)
    first = Telemetry(net, x, np.random.default_rng(5))
    first.measure(states, grad)
    second = Telemetry(net, x, np.random.default_rng(5))
    second.restore(first.vectors)
    assert second.measure(states, grad) == first.measure(states, grad)


@pytest.mark.parametrize("size", [1e-30, 1e-21])
def test_the_squares_of_small_float32_gradients_do_not_vanish(net, x, size):
    telemetry = Telemetry(net, x, np.random.default_rng(5))
    states, grad, _, _ = backward_pass(net, x, nets.look_away)
    for i in range(5):
        telemetry.watch(i, np.full((2, 3), size * 2.0**i, np.float32))
    ratios = telemetry.measure(states, grad)["gradient_ratio"]
    assert list(ratios.values()) == pytest.approx([0.5] * 4, rel=1e-6)
