"""What chapter 14 says about transitions that keep a gradient's norm."""

import numpy as np
import pytest

from identity_edu import allconv, procrustes
from identity_edu.conv.spectrum import circular_singular_values, operator_matrix
from identity_edu.experiments import load_result


def excess_by_formula(K, other, scale):
    """The second sum of the theorem, over the scale."""
    U, s, Vt = np.linalg.svd(K, full_matrices=False)
    D = other - scale * U @ Vt
    return (s * ((D @ Vt.T) ** 2).sum(axis=0)).sum() / scale


@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (5, 3), (4, 4), (64, 32)])
@pytest.mark.parametrize("scale", [0.3, 1.0, 2.0])
def test_every_other_isometry_is_farther_by_the_formula(rng, shape, scale):
    K = rng.standard_normal(shape)
    nearest = procrustes.nearest_isometry(K, scale=scale)
    s = np.linalg.svd(K, compute_uv=False)
    least = ((s - scale) ** 2).sum()
    assert ((K - nearest) ** 2).sum() == pytest.approx(least, rel=1e-12)
    for size in (1e-3, 1.0, 1e3):
        moved = K + size * rng.standard_normal(shape)
        other = procrustes.nearest_isometry(moved, scale=scale)
        found = ((K - other) ** 2).sum()
        expected = least + excess_by_formula(K, other, scale)
        assert found == pytest.approx(expected, rel=1e-12)


def test_a_direction_that_is_not_used_may_be_turned_for_nothing(rng):
    K = rng.standard_normal((5, 2)) @ rng.standard_normal((2, 3))
    U, _, Vt = np.linalg.svd(K, full_matrices=False)
    distances = [np.linalg.norm(K - (U * [1, 1, sign]) @ Vt) for sign in (1, -1)]
    assert distances[0] == pytest.approx(distances[1], rel=1e-12)


def behind(K, g):
    return ((g @ K) ** 2).sum(axis=1)


@pytest.mark.parametrize(("n", "d"), [(1, 2), (4, 8), (3, 64), (16, 16), (64, 128)])
def test_the_mean_is_kept_at_the_scale_and_an_isometry_spreads_least(rng, n, d):
    g = rng.standard_normal((20_000, d))
    g /= np.linalg.norm(g, axis=1, keepdims=True)
    K = rng.standard_normal((d, n))
    K *= np.sqrt(d / (K**2).sum())
    Q = procrustes.nearest_isometry(K, scale=procrustes.transition_scale(n, d))
    variance = {}
    for name, A in {"any": K, "isometry": Q}.items():
        squares = behind(A, g)
        s = np.linalg.svd(A, compute_uv=False)
        variance[name] = (2 * (s**4).sum() + d**2) / (d * (d + 2)) - 1
        error = 4 * np.sqrt(variance[name] / len(g)) + 1e-12
        assert abs(squares.mean() - 1) <= error
        assert squares.var() == pytest.approx(variance[name], rel=0.1, abs=1e-12)
    assert variance["isometry"] == pytest.approx(2 / (d + 2) * (d / n - 1), abs=1e-12)
    if d > n:  # a gradient orthogonal to the range comes back as nothing
        complement = np.linalg.svd(Q)[0][:, n:].T
        assert behind(Q, complement).max() <= 1e-20
    assert variance["isometry"] <= variance["any"] + 1e-12
    assert behind(Q, g).max() <= (d / n) * (1 + 1e-12)
    assert behind(Q, Q.T).max() == pytest.approx((d / n) ** 2, rel=1e-10)


def test_a_random_transition_keeps_the_mean_too(rng):
    K = rng.standard_normal((500, 128, 64)) / 8
    sums = (K**2).sum(axis=(1, 2)) / 128
    assert abs(sums.mean() - 1) <= 4 * sums.std() / 500**0.5


def test_the_published_iteration_is_the_direct_one_from_a_smaller_start(rng):
    s = np.linspace(1, 0.02, 64)
    U, V = np.linalg.qr(rng.standard_normal((2, 64, 64)))[0]
    path = s / np.linalg.norm(s**2) ** 0.5
    for n_steps in range(12):
        got = procrustes.gram_newton_schulz((U * s) @ V, n_steps)
        found = np.linalg.svd(got, compute_uv=False)
        np.testing.assert_allclose(found, np.sort(path)[::-1], atol=1e-10)
        path = 1.5 * path - 0.5 * path**3


def test_the_first_changes_of_a_small_singular_value_are_below_the_rule():
    s = 1e-6
    assert 0.5 * s - 0.5 * s**3 < 1e-5
    for _ in range(34):
        s = 1.5 * s - 0.5 * s**3
    assert 0.5 < s < 1


@pytest.mark.parametrize("stride", [1, 2])
def test_a_shortcut_scaled_as_in_the_exercise_keeps_the_mean(rng, stride):
    g = rng.standard_normal((400, 4, 4, 16))
    x = rng.standard_normal((400, 4 * stride, 4 * stride, 4))
    a = stride * 2
    back = a * allconv.shortcut_backward(g, x, stride=stride)
    assert (back**2).sum() / (g**2).sum() == pytest.approx(1, abs=0.03)
    still = np.ones_like(x)
    for picture, expected in ((still, 4), (x, 4 / stride**2)):
        y = a * allconv.shortcut(picture, stride=stride, channels=16)
        assert (y**2).sum() / (picture**2).sum() == pytest.approx(expected, rel=0.05)


def test_the_two_parts_of_a_gradient_are_as_in_the_exercise(rng):
    Q = procrustes.nearest_isometry(rng.standard_normal((6, 4)), scale=1.3)
    G = rng.standard_normal((6, 4))
    off = Q @ (Q.T @ G + G.T @ Q) / (2 * 1.3**2)
    along = G - off
    np.testing.assert_allclose(Q.T @ along, -(along.T @ Q), atol=1e-13)
    assert (off * along).sum() == pytest.approx(0, abs=1e-12)
    gaps = []
    for step in (1e-3, 1e-4):
        moved = Q + step * along
        gaps.append(np.linalg.norm(moved.T @ moved - 1.3**2 * np.eye(4)))
    assert gaps[0] / gaps[1] == pytest.approx(100, rel=1e-3)


def test_zeros_beyond_the_border_spoil_an_isometry_of_the_circle(rng):
    W = rng.standard_normal((3, 3, 1, 16))
    W = procrustes.project_kernel(W, (8, 8), n_rounds=40)
    assert procrustes.spread(W, (8, 8)) <= 0.01
    s = np.linalg.svd(operator_matrix(W, (8, 8)), compute_uv=False)
    assert s.min() < 0.75 * circular_singular_values(W, (8, 8)).min()


# The experiment


def finished(kind, i):
    row = load_result("norms_along_training")["values"]["runs"][kind][i]
    return [run for run in row["runs"] if run["accuracy"]]


def losses(kind, i):
    return np.array([run["loss"][-1] for run in finished(kind, i)])


@pytest.mark.parametrize("kind", ["procrustes", "projected once", "never projected"])
@pytest.mark.parametrize("i", [0, 1, 2])
def test_convolutions_end_below_shortcuts_whether_projected_or_not(kind, i):
    assert np.median(losses(kind, i)) < 0.8 * np.median(losses("residual", i))


def test_the_projection_costs_with_6_blocks_and_gains_with_27():
    assert losses("procrustes", 0).min() > losses("never projected", 0).max()
    assert losses("procrustes", 2).max() < losses("never projected", 2).min()


def test_the_plain_net_ends_lowest_with_6_blocks_and_highest_with_27():
    others = ["residual", "procrustes", "projected once", "never projected"]
    plain = [np.median(losses("plain", i)) for i in (0, 2)]
    assert plain[0] < min(np.median(losses(kind, 0)) for kind in others)
    assert plain[1] > max(np.median(losses(kind, 2)) for kind in others)


@pytest.mark.parametrize("i", [0, 1, 2])
def test_the_first_transition_ends_nearer_to_one_where_it_is_left_alone(i):
    away = {
        kind: abs(np.median([r["transitions"][-1][0] for r in finished(kind, i)]) - 1)
        for kind in ("procrustes", "projected once")
    }
    assert away["projected once"] < away["procrustes"]


@pytest.mark.parametrize("i", [0, 1, 2])
def test_a_projected_transition_stays_below_its_scale_and_leaves_one(i):
    limits = np.array([2, 2**0.5, 2**0.5])
    for run in finished("procrustes", i):
        ratios = np.array(run["transitions"])
        assert np.all(ratios <= 1.05 * limits)  # it drifts for one step in two
        assert np.all(abs(ratios[0] - 1) < 0.4)
        assert ratios[-1, 0] > 1.5
