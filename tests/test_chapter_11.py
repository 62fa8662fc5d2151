"""What chapter 11 says about starting the all-convolutional net, and training it."""

from dataclasses import replace

import numpy as np
import pytest

from identity_edu import allconv, nets, ops
from identity_edu.conv import direct
from identity_edu.experiments import allconv_starts, digits_allconv, load_result
from identity_edu.train import recipes

N_DRAWS = 400


def branch(h, W1, W2, stride=1):
    return direct.conv2d(ops.relu(direct.conv2d(h, W1, stride=stride)), W2)


def bound(k, c, std, stride):
    seen = -(-k // stride)
    return seen**2 * k**2 * (c * std**2) ** 2 / 2


def drawn_squares(rng, h, k, c, std, stride):
    """Return ||F(h)||^2 / ||h||^2 and <Ph, F(h)> / ||h||^2 over many draws."""
    Ph = allconv.shortcut(h, stride=stride, channels=c)
    squares, mixed = [], []
    for _ in range(N_DRAWS):
        W1 = std * rng.standard_normal((k, k, h.shape[3], c))
        W2 = std * rng.standard_normal((k, k, c, c))
        F = branch(h, W1, W2, stride)
        squares.append((F**2).sum())
        mixed.append((Ph * F).sum())
    return np.array([squares, mixed]) / (h**2).sum()


def within(sample, value):
    """Five standard errors."""
    return abs(sample.mean() - value) < 5 * sample.std() / len(sample) ** 0.5


@pytest.mark.parametrize(("k", "c"), [(1, 3), (3, 4), (5, 2)])
def test_a_random_block_adds_what_the_theorem_says(rng, k, c):
    std = 0.3
    side = (k + 1) // 2
    inner = np.zeros((1, 2 * k + 1, 2 * k + 1, c))
    edge = slice(k - 1, k + 2)
    inner[:, edge, edge] = rng.standard_normal((1, 3, 3, c))
    squares, mixed = drawn_squares(rng, inner, k, c, std, stride=1)
    assert within(squares, bound(k, c, std, 1))
    assert within(mixed, 0)
    smallest = rng.standard_normal((1, side, side, c))
    low = bound(k, c, std, 1) * ((k + 1) / (2 * k)) ** 4
    assert within(drawn_squares(rng, smallest, k, c, std, 1)[0], low)
    image = rng.standard_normal((2, 6, 6, c))
    error = 5 / N_DRAWS**0.5
    for stride in (1, 2, 3):
        squares, mixed = drawn_squares(rng, image, k, 2 * c, std, stride)
        above = squares.mean() - error * squares.std()
        assert above <= bound(k, 2 * c, std, stride)
        assert within(mixed, 0)


def test_the_starts_of_the_paper_have_the_ratios_that_the_chapter_quotes():
    for c in (64, 128, 256):
        near = bound(3, c, 1 / (9 * c), 1)
        assert near**0.5 == pytest.approx(1 / (2**0.5 * 9 * c), rel=1e-12)
        assert bound(3, c, 1 / (3 * c**0.5), 1) == pytest.approx(0.5, rel=1e-12)
    channels = np.repeat([64, 128, 256], 9)
    assert np.prod(1 + 1 / (2 * 81 * channels**2.0)) - 1 < 2e-5


def test_a_shortcut_shortens_by_its_stride(rng):
    for stride in (1, 2, 4):
        h = rng.standard_normal((2, 8, 8, 3))
        Ph = allconv.shortcut(h, stride=stride, channels=5)
        assert np.linalg.norm(Ph) <= np.linalg.norm(h) / stride * (1 + 1e-12)


def test_the_table_makes_55_convolutions_and_the_weights_of_the_paper():
    assert len(allconv.CIFAR10.convolutions()) == 55
    assert allconv.CIFAR10.n_weights() == 13_538_736


def small_net(rng, factor=1.0):
    table = replace(allconv.CIFAR10, image=(8, 8, 1)).scaled(width=0.1, n_blocks=1)
    net = allconv.init_net(rng, table, init="usual", dtype=np.float64)
    for name, array in net.params.items():
        if name != "stem.W":
            array *= factor
    return net


def gradients(net, x, labels):
    scores, cache = nets.forward(net, x)
    start = ops.softmax_cross_entropy_backward(scores, labels)
    deltas = [delta for delta, _ in nets.backward_sweep(net, cache, start)]
    states = nets.block_states(scores, cache)
    return nets.backward(net, cache, start), states, [*deltas[::-1], start]


def test_both_kernels_pair_with_their_gradients_to_one_number(rng):
    """The pairing of the branch with the gradient at the block's output."""
    net = small_net(rng)
    x = rng.standard_normal((5, 8, 8, 1))
    grad, states, deltas = gradients(net, x, np.arange(5))
    for i, block in enumerate(net.blocks[1:-1]):
        first, second = (
            (net.params[f"blocks.{i}.{name}"] * grad[f"blocks.{i}.{name}"]).sum()
            for name in ("W1", "W2")
        )
        h, out, delta = states[i + 1], states[i + 2], deltas[i + 2]
        for layer in block.skip:
            h = layer.forward(h)
        assert first == pytest.approx(second, rel=1e-9)
        assert first == pytest.approx(((out - h) * delta).sum(), rel=1e-9)


@pytest.mark.parametrize("factor", [1e-3, 0.1, 1.0, 10.0])
def test_no_step_grows_faster_than_the_proposition_allows(rng, factor):
    net = small_net(rng, factor)
    x = rng.standard_normal((5, 8, 8, 1))
    grad, states, deltas = gradients(net, x, np.arange(5))
    for i in range(3):
        kernels = [net.params[f"blocks.{i}.{name}"] for name in ("W1", "W2")]
        slopes = [grad[f"blocks.{i}.{name}"] for name in ("W1", "W2")]
        speed = -2 * sum((W * g).sum() for W, g in zip(kernels, slopes, strict=True))
        size = sum((W**2).sum() for W in kernels)
        M = np.linalg.norm(states[i + 1]) * np.linalg.norm(deltas[i + 2])
        assert abs(speed) <= 2 * 9 * M * size


def test_blocks_at_zero_have_no_gradient(rng):
    net = small_net(rng, 0.0)
    grad, _, _ = gradients(net, rng.standard_normal((5, 8, 8, 1)), np.arange(5))
    assert grad.pop("stem.W").any()
    assert not any(g.any() for g in grad.values())


def test_a_zero_second_kernel_keeps_the_shortcut_and_has_a_gradient(rng):
    net = small_net(rng)
    for i in range(3):
        net.params[f"blocks.{i}.W2"][:] = 0
    grad, _, _ = gradients(net, rng.standard_normal((5, 8, 8, 1)), np.arange(5))
    for i in range(3):
        assert not grad[f"blocks.{i}.W1"].any()
        assert grad[f"blocks.{i}.W2"].any()


# The experiments


def test_the_digits_are_read_at_98_and_a_half_per_cent_or_better():
    values = load_result("digits_allconv")["values"]
    accuracy = [run["accuracy"] for run in values["runs"]]
    assert len(accuracy) == 5
    assert np.mean(accuracy) == values["mean_accuracy"] >= 0.985
    for run in values["runs"]:
        assert np.max(run["distance"][0]) < 0.01
        assert np.max(run["distance"][-1]) > 0.3


def test_a_short_run_repeats_how_the_recorded_one_began():
    values = load_result("digits_allconv")["values"]
    n_steps = values["every"]
    recipe = replace(recipes.DIGITS, n_steps=n_steps)
    run = digits_allconv.trained(recipe, digits_allconv.SEEDS[0])
    assert run["loss"][0] == pytest.approx(values["runs"][0]["loss"][0], abs=1e-3)
    np.testing.assert_allclose(
        run["distance"][0], values["runs"][0]["distance"][0], rtol=1e-3
    )


def test_a_tenth_of_the_start_costs_about_the_same_number_of_steps_each_time():
    waits = np.mean(load_result("allconv_starts")["values"]["waits"], axis=1)
    first, second = np.diff(waits)
    assert first > 50
    assert second > 50
    assert 0.5 < second / first < 2


def test_the_large_start_overflows_at_rates_that_the_small_one_survives():
    values = load_result("allconv_starts")["values"]
    near, usual = (
        np.isfinite(np.array(values["loss"][init][-1], float)).all(axis=1)
        for init in ("near_identity", "usual")
    )
    assert near.sum() > usual.sum()


def test_a_course_stops_where_the_loss_overflows():
    found = allconv_starts.losses("usual", 9, 1.0, 110, n_steps=20)
    assert len(found) < 20
    assert allconv_starts.losses("near_identity", 1, 0.01, 110, n_steps=0) == []
