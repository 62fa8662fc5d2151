"""What chapter 13 says about the norms of gradients on their way back."""

import math

import numpy as np
import pytest

from identity_edu import allconv, data, factorization
from identity_edu import norm_preservation as norms
from identity_edu.conv.spectrum import operator_matrix
from identity_edu.experiments import load_result, trained_block_bounds
from identity_edu.experiments import norms_along_training as along

SLACK = 1e-12


def ratios(matrix, g):
    """Return ||M^T g|| / ||g|| for gradients in rows."""
    return np.linalg.norm(g @ matrix, axis=1) / np.linalg.norm(g, axis=1)


def test_three_jacobians_of_one_norm_and_where_the_gradient_points():
    angle = np.linspace(0, 2 * math.pi, 400)
    g, eye = np.stack([np.cos(angle), np.sin(angle)], axis=1), np.eye(2)
    shrink = ratios(eye - 0.1 * eye, g)
    np.testing.assert_allclose(shrink, 0.9, rtol=SLACK)
    stretch = ratios(eye + 0.1 * np.diag([1.0, -1.0]), g)
    assert stretch.min() == pytest.approx(0.9, abs=1e-4)
    assert stretch.max() == pytest.approx(1.1, abs=1e-4)
    turn = ratios(eye + 0.1 * np.array([[0.0, -1.0], [1.0, 0.0]]), g)
    np.testing.assert_allclose(turn, 1.01**0.5, rtol=SLACK)


@pytest.mark.parametrize("shape", [(5, 5), (3, 6), (6, 3)])
def test_a_fixed_skip_shifts_the_bound(rng, shape):
    for _ in range(20):
        P, J = rng.standard_normal((2, *shape))
        delta, g = np.linalg.norm(J, 2), rng.standard_normal((10, shape[0]))
        # P^T takes R^m to R^n: it loses something where m > n.
        s = np.linalg.svd(P, compute_uv=False)
        low = s[-1] if shape[0] <= shape[1] else 0.0
        found = ratios(P + J, g)
        assert low - delta - SLACK <= found.min()
        assert found.max() <= s[0] + delta + SLACK


@pytest.mark.parametrize("n_layers", [12, 64, 1024])
def test_the_ratio_from_end_to_end_is_that_of_the_map(rng, n_layers):
    R = data.random_map(rng, 6, condition=100)
    U, s, _ = np.linalg.svd(R)
    A = factorization.near_identity_factorization(R, n_layers)
    back = norms.linear_backward_norms(A, U.T)
    np.testing.assert_allclose(back[0] / back[-1], s, rtol=1e-9)
    each = norms.backward_ratios(back)
    assert each[:, 0].max() >= s[0] ** (1 / n_layers) * (1 - SLACK)
    assert each[:, -1].min() <= s[-1] ** (1 / n_layers) * (1 + SLACK)


@pytest.mark.parametrize("c", [0.5, 1.0, 3.0])
def test_a_logarithmic_rate_composes_to_a_power_of_the_depth(c):
    for n_blocks in (10, 1000, 100_000):
        exponent = c * math.log(2 * n_blocks)
        _, upper = norms.composed_bound(exponent / n_blocks, n_blocks)
        assert upper <= (2 * n_blocks) ** c * (1 + 1e-9)
        assert upper >= math.exp(exponent - exponent**2 / (2 * n_blocks)) * (1 - 1e-9)


@pytest.mark.parametrize(("c_in", "c_out", "s"), [(3, 6, 1), (4, 8, 2), (2, 3, 2)])
def test_a_shortcut_hands_back_the_old_channels_over_the_stride(rng, c_in, c_out, s):
    g = rng.standard_normal((2, 4, 4, c_out))
    before = (c_out - c_in) // 2
    old = g[..., before : before + c_in]
    x = np.zeros((2, 4 * s, 4 * s, c_in))
    back = allconv.shortcut_backward(g, x, stride=s)
    assert np.linalg.norm(back) == pytest.approx(np.linalg.norm(old) / s, rel=1e-12)


def test_the_shape_changes_of_a_start_hand_on_a_sixteenth(rng):
    table = allconv.CIFAR10.scaled(width=0.25, n_blocks=2)
    found = []
    for _ in range(10):
        net = allconv.init_net(rng, table, dtype=np.float64)
        x, g = rng.standard_normal((2, 32, 32, 3)), rng.standard_normal((2, 10))
        back = norms.backward_norms(net, x, g)
        found.append(norms.backward_ratios(back)[1:-1])
    mean = np.mean(found, axis=(0, 2))
    expected = [0.5, 1, 1 / 8**0.5, 1, 1 / 8**0.5, 1]
    np.testing.assert_allclose(mean, expected, rtol=0.1)


# The exercises


@pytest.mark.parametrize("padding", ["zeros", "circular"])
def test_a_reshaped_kernel_is_within_k_of_the_norm(rng, padding):
    for c_in, c_out in [(1, 1), (2, 3), (4, 2)]:
        W = rng.standard_normal((3, 3, c_in, c_out))
        reshaped = np.linalg.norm(W.reshape(-1, c_out), 2)
        norm = np.linalg.norm(operator_matrix(W, (4, 3), padding=padding), 2)
        assert reshaped * (1 - SLACK) <= norm <= 3 * reshaped * (1 + SLACK)
    copies = np.eye(9).reshape(3, 3, 1, 9)
    assert np.linalg.norm(copies.reshape(-1, 9), 2) == pytest.approx(1)
    assert np.linalg.norm(operator_matrix(copies, (3, 3), padding=padding), 2) == (
        pytest.approx(3)
    )


@pytest.mark.parametrize("delta", [0.3, 4.0])
def test_a_turning_block_never_shrinks_a_gradient(rng, delta):
    J = rng.standard_normal((6, 6))
    J = J - J.T
    J *= delta / np.linalg.norm(J, 2)
    s = np.linalg.svd(np.eye(6) + J, compute_uv=False)
    assert s[-1] >= 1 - SLACK
    assert s[0] == pytest.approx((1 + delta**2) ** 0.5, rel=1e-12)


def test_the_jacobian_of_a_normalisation_is_the_root_of_d_over_the_length(rng):
    h, d = rng.standard_normal(7), 7
    step = 1e-5 * np.eye(d)
    ahead, behind = (
        d**0.5 * (h + z) / np.linalg.norm(h + z, axis=1, keepdims=True)
        for z in (step, -step)
    )
    norm = np.linalg.norm((ahead - behind) / 2e-5, 2)
    assert norm == pytest.approx(d**0.5 / np.linalg.norm(h), rel=1e-8)


# The experiments


def test_three_thousand_blocks_keep_the_bound():
    kinds = load_result("block_norm_margins")["values"]["kinds"]
    assert len(kinds) == 3
    for found in kinds.values():
        assert found["n_violations"] == 0
        assert found["worst"] <= 1 + SLACK
        assert found["plain"]["n_violations"] > 800


@pytest.mark.parametrize("moment", ["before", "after"])
def test_trained_blocks_lie_within_bounds_that_may_be_void(moment):
    found = load_result("trained_block_bounds")["values"]["residual"][moment]
    delta, low, high = (np.array(found[k]) for k in ("delta", "smallest", "largest"))
    assert (low >= 1 - delta - SLACK).all()
    assert (high <= 1 + delta + SLACK).all()
    if moment == "before":
        assert delta.max() < 0.05
    else:
        assert (delta > 1).sum() >= 8


def test_bounds_of_a_start_are_measured_again_as_they_were_recorded():
    module = trained_block_bounds
    values = load_result("trained_block_bounds")["values"]["residual"]
    recipe = along.recipe_of("residual", module.PER_STAGE, module.RATES["residual"])
    examples = module.load_data_set(recipe.name)
    net = module.Trainer(recipe, examples, seed=module.SEEDS[0]).net
    x = module.standardised(examples, examples.x_test[:1])
    found = norms.block_bounds(net, x)
    found = found[np.isfinite(found)]
    np.testing.assert_allclose(found, values["before"]["delta"], rtol=1e-5)


def test_the_more_residual_blocks_the_nearer_each_ratio_is_to_one():
    values = load_result("norms_along_training")["values"]
    ends = {}
    for kind in ("residual", "plain"):
        depths = values["runs"][kind]
        last = [[run["deviation"][-1] for run in depth["runs"]] for depth in depths]
        ends[kind] = np.median(last, axis=1)
    assert (np.diff(ends["residual"]) < 0).all()
    assert (ends["residual"] < ends["plain"]).all()
