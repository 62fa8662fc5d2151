"""What chapter 07 says about residual ReLU nets, and what its experiments found."""

import numpy as np
import pytest
from scipy.integrate import quad

from identity_edu import data, experiments, ops, relu
from identity_edu.experiments import digits_accuracy, digits_depth, digits_starts

SLACK = 1e-12


def norm(M):
    return np.linalg.norm(M, 2)


def random_net(rng, d, deltas):
    """Draw a net of width d whose blocks have the given products of norms."""
    net = relu.init_net(rng, [d] * (len(deltas) + 1))
    for i, delta in enumerate(deltas):
        U, s, V = (net.params[f"blocks.{i}.{name}"] for name in "UsV")
        s += norm(U) * rng.standard_normal(d)
        V *= delta / (norm(V) * norm(U))
    return net


def branch(h, U, s, V):
    return ops.relu(h @ U.T + s) @ V.T


def kappa(theta):
    return (np.sin(theta) + (np.pi - theta) * np.cos(theta)) / np.pi


# Theorem 7.1


def test_distances_stay_within_the_products(rng):
    """And the bounds come close: pairs are drawn both near and far."""
    closest = np.inf
    for _ in range(1500):
        d, n_blocks = int(rng.integers(1, 9)), int(rng.integers(1, 13))
        deltas = rng.uniform(0, 1, n_blocks)
        net = random_net(rng, d, deltas)
        pair = rng.standard_normal((2, d))
        pair[1] = pair[0] + 10 ** rng.uniform(-3, 1) * pair[1]
        before, after = (
            np.linalg.norm(h[0] - h[1]) for h in (pair, relu.evaluate(net, pair))
        )
        low, high = np.prod(1 - deltas), np.prod(1 + deltas)
        rounding = SLACK * np.abs(pair).max() * high
        assert low * before - rounding <= after <= high * before + rounding
        closest = min(closest, high * before / after, after / (low * before))
    assert closest < 1.01


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("delta", [0.1, 0.5, 0.9])
def test_both_sides_are_attained(rng, sign, delta):
    net = random_net(rng, 4, [0.0] * 3)
    for i in range(3):
        net.params[f"blocks.{i}.U"][:] = np.eye(4)
        net.params[f"blocks.{i}.s"][:] = 0
        net.params[f"blocks.{i}.V"][:] = sign * delta * np.eye(4)
    x, other = rng.uniform(1, 2, (2, 4))
    h = relu.evaluate(net, np.stack([x, other]))
    factor = np.linalg.norm(h[0] - h[1]) / np.linalg.norm(x - other)
    assert factor == pytest.approx((1 + sign * delta) ** 3, rel=1e-12)


def test_every_output_is_reached_once_and_the_error_falls_like_a_power(rng):
    """From outputs drawn at random, not computed from an input."""
    for _ in range(300):
        d, delta = int(rng.integers(1, 9)), rng.uniform(0, 0.9)
        net = random_net(rng, d, [delta])
        U, s, V = net.params.values()
        y, *starts = 3 * rng.standard_normal((3, d))
        ends = starts
        for _ in range(400):
            ends = [y - branch(k, U, s, V) for k in ends]
        size = np.abs(ends).max() + np.abs(y).max()
        np.testing.assert_allclose(ends[0], ends[1], atol=SLACK * size)
        reached = relu.evaluate(net, ends[0][None])[0]
        np.testing.assert_allclose(reached, y, atol=SLACK * size)
        k = starts[0]
        for m in range(12):
            bound = delta**m * np.linalg.norm(starts[0] - ends[0])
            assert np.linalg.norm(k - ends[0]) <= bound + SLACK * size
            k = y - branch(k, U, s, V)


def test_appended_zeros_keep_distances_and_dropped_entries_do_not(rng):
    net = relu.init_net(rng, [3, 5])
    net.params["blocks.0.V"] *= 0.5 / norm(net.params["blocks.0.V"])
    net.params["blocks.0.U"] /= norm(net.params["blocks.0.U"])
    pair = rng.standard_normal((2, 3))
    h = relu.evaluate(net, pair)
    factor = np.linalg.norm(h[0] - h[1]) / np.linalg.norm(pair[0] - pair[1])
    assert 0.5 <= factor <= 1.5
    narrow = relu.init_net(rng, [3, 2])
    narrow.params["blocks.0.V"][:] = 0
    pair[1] = pair[0] + [0, 0, 1]
    h = relu.evaluate(narrow, pair)
    np.testing.assert_array_equal(h[0], h[1])


def test_the_near_identity_start_has_branch_norms_near_a_sixteenth(rng):
    net = relu.init_net(rng, [64] * 51)
    norms = [norm(W) for W in net.params.values() if W.ndim > 1]
    deltas = np.multiply(norms[::2], norms[1::2])
    assert 0.04 < deltas.min() < deltas.max() < 0.08


# Where it stops


def test_at_delta_one_a_block_merges_two_digits():
    X, _ = data.load_digits()
    pair, w = X[[3, 8]], X[3] - X[8]
    U, s, V = w[None] / (w @ w), -(w @ X[8]) / (w @ w), -w[:, None]
    assert norm(U) * norm(V) == pytest.approx(1, rel=1e-14)
    y = pair + branch(pair, U, s, V)
    np.testing.assert_allclose(y, X[[8, 8]], atol=1e-14)


def test_a_damped_iteration_undoes_a_block_that_the_plain_one_does_not():
    k, damped = 3.0, 3.0
    for m in range(50):
        assert k == (3.0 if m % 2 == 0 else -3.0)
        k = 3 - 2 * max(k, 0)
        damped += 0.5 * (3 - damped - 2 * max(damped, 0))
    assert damped == pytest.approx(1, abs=1e-14)


# The arc-cosine law


@pytest.mark.parametrize("theta", [0.0, 0.3, 1.0, 2.0, 3.1])
def test_the_arc_cosine_law_is_the_mean_over_the_angle(theta):
    """The integral of step 2 as it stands, without step 3."""

    def product(phi):
        return max(np.cos(phi), 0) * max(np.cos(phi - theta), 0)

    kinks = [np.pi / 2, theta - np.pi / 2, 3 * np.pi / 2]
    integral, _ = quad(product, -np.pi, np.pi, points=kinks)
    assert 4 / (2 * np.pi) * integral == pytest.approx(kappa(theta), abs=1e-9)


@pytest.mark.parametrize("theta", [0.2, 1.2, 2.8])
def test_random_plain_blocks_follow_the_arc_cosine_law_on_average(rng, theta):
    """Within five standard errors of the mean over 3,000 blocks."""
    x = np.array([[2.0, 0.0, 0.0], [3 * np.cos(theta), 3 * np.sin(theta), 0.0]])
    products, squares = [], []
    for _ in range(3000):
        net = relu.init_net(rng, [3, 3], skip=False, init="he")
        h = relu.evaluate(net, x)
        products.append(h[0] @ h[1])
        squares.append(h[0] @ h[0])
    for sample, expected in ((products, 6 * kappa(theta)), (squares, 4.0)):
        error = np.std(sample) / np.sqrt(len(sample))
        assert abs(np.mean(sample) - expected) < 5 * error


def test_inputs_become_parallel_like_one_over_the_depth_squared():
    theta, n_blocks = 1.2, 3000
    for _ in range(n_blocks):
        gap = 1 - kappa(theta)
        theta = 2 * np.arcsin(np.sqrt(gap / 2))
    assert gap * n_blocks**2 / (4.5 * np.pi**2) == pytest.approx(1, abs=0.02)


def test_the_map_raises_every_cosine_by_the_integral_of_its_angle():
    theta = np.linspace(0.01, np.pi, 400)
    assert (kappa(theta) > np.cos(theta)).all()
    slope = np.gradient(kappa(theta), np.cos(theta))[1:-1]
    np.testing.assert_allclose(slope, 1 - theta[1:-1] / np.pi, atol=1e-3)


# The experiments


def test_small_residual_nets_read_97_per_cent_of_the_held_out_digits():
    values = experiments.load_result("digits_accuracy")["values"]
    assert len(values["test_accuracy"]) == 5
    assert np.mean(values["test_accuracy"]) >= 0.97
    assert values["mean_test_accuracy"] == np.mean(values["test_accuracy"])
    assert np.min(values["branch_bounds"]) > 1


def test_the_residual_nets_learn_where_the_plain_ones_do_not_at_any_rate():
    values = experiments.load_result("digits_depth")["values"]
    deep = np.array(values["depths"]) >= 50
    plain, residual = (
        np.array(values["accuracy"][kind])[deep] for kind in ("plain", "residual")
    )
    assert plain.max() < 0.5
    assert (np.sort(residual, axis=2)[:, :, 0].max(axis=1) > 0.95).all()
    rates = np.array(values["rates"])
    best = rates[residual.mean(axis=2).argmax(axis=1)]
    assert (rates[0] < best).all()
    assert (best < rates[-1]).all()


@pytest.mark.parametrize("kind", ["plain", "residual"])
def test_a_course_repeats_what_the_grid_recorded(kind):
    """One cell of the table, measured again: another machine rounds differently."""
    values = experiments.load_result("digits_depth")["values"]
    i, j = values["depths"].index(2), values["rates"].index(1e-2)
    seed = digits_depth.SEEDS[0]
    found = digits_depth.course(kind, 2, 1e-2, seed, values["n_epochs"], 1)
    assert len(found) == values["n_epochs"]
    assert found[-1] == pytest.approx(values["accuracy"][kind][i][j][0], abs=0.02)


def test_a_run_that_overflows_stops_and_counts_as_failed():
    assert digits_depth.course("plain", 10, 10.0, 0, 2, 1) == []
    assert digits_depth._last("plain", 10, 10.0, 0) == 0.0


def test_one_epoch_of_the_small_net_learns_something_in_both_parts():
    on_train, on_test, bounds = digits_accuracy.trained(0, n_epochs=1)
    assert min(on_train, on_test) > 0.5
    assert len(bounds) == 4


def test_a_mirrored_start_keeps_lengths_and_angles_in_half_of_the_dimensions(rng):
    net = digits_starts.mirrored_start(rng)
    states = relu.block_states(*relu.forward(net, rng.standard_normal((6, 64))))[1:-1]
    first = states[0] @ states[0].T
    assert np.linalg.matrix_rank(np.concatenate(states), tol=1e-8) == 32
    for H in states:
        np.testing.assert_allclose(H @ H.T, first, rtol=1e-9, atol=1e-9)


def test_an_orthogonal_start_has_orthogonal_matrices(rng):
    params = digits_starts.orthogonal_start(rng).params
    for i in (0, 49):
        U, V = params[f"blocks.{i}.U"], params[f"blocks.{i}.V"]
        np.testing.assert_allclose(U @ U.T, np.eye(64), atol=1e-12)
        np.testing.assert_allclose(V @ V.T, 2 * np.eye(64), atol=1e-12)


def test_the_start_and_not_the_missing_skip_alone_decides():
    accuracy = experiments.load_result("digits_starts")["values"]["accuracy"]
    assert np.max(accuracy["residual, plain start"]) == 0
    assert np.max(accuracy["plain, orthogonal"]) < 0.5
    assert np.max(np.min(accuracy["plain, mirrored"], axis=1)) > 0.95


def test_branch_bounds_and_the_way_back_of_a_briefly_trained_net(monkeypatch):
    monkeypatch.setattr(digits_starts, "N_EPOCHS", 1)
    bounds, error = digits_starts.bounds_after_training(4, 0.02, 0)
    assert bounds.shape == (4,)
    assert (bounds < 1).all()
    assert error < 1e-12
