"""What chapter 09 says about convolutions as linear maps."""

from itertools import product

import numpy as np
import pytest

from identity_edu import ops
from identity_edu.conv import direct

SHAPES = [(1, 1, 1, 1), (3, 3, 1, 1), (2, 4, 3, 2), (5, 3, 2, 4)]  # h, w, c_in, c_out


def on_a_circle(x, taps):
    """The sum of the theorem, by rolling: taps has one matrix for each offset."""
    moved = {a: np.roll(x, (-a[0], -a[1]), axis=(0, 1)) for a in taps}
    return sum(moved[a] @ taps[a] for a in taps)


def dense_matrix(function, shape):
    """The matrix of a linear map, one column for each input number."""
    size = int(np.prod(shape))
    inputs = np.eye(size).reshape(size, *shape)
    return np.stack([function(x[None]).ravel() for x in inputs], axis=1)


# Theorem 9.1


@pytest.mark.parametrize(("h", "w", "c_in", "c_out"), SHAPES)
def test_the_mean_over_all_shifts_of_any_matrix_is_a_convolution(
    rng, h, w, c_in, c_out
):
    T = rng.standard_normal((h, w, c_out, h, w, c_in))
    shifts = list(product(range(h), range(w)))
    mean = sum(np.roll(T, (a, b, a, b), axis=(0, 1, 3, 4)) for a, b in shifts)
    mean /= len(shifts)
    taps = {a: mean[0, 0, :, a[0], a[1]].T for a in shifts}
    x = rng.standard_normal((h, w, c_in))
    by_matrix = np.einsum("pqoijc,ijc->pqo", mean, x)
    np.testing.assert_allclose(on_a_circle(x, taps), by_matrix, atol=1e-12)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_a_convolution_on_a_circle_commutes_with_shifts(rng, k):
    r, x = k // 2, rng.standard_normal((1, 6, 7, 2))
    W = rng.standard_normal((k, k, 2, 3))
    frame = ((0, 0), (r, r), (r, r), (0, 0))

    def layer(x):
        wide = direct.conv2d(np.pad(x, frame, "wrap"), W)
        return wide[:, r : r + 6, r : r + 7]

    taps = {(a - r, b - r): W[a, b] for a in range(k) for b in range(k)}
    np.testing.assert_allclose(layer(x)[0], on_a_circle(x[0], taps), atol=1e-12)
    for q in ((1, 0), (0, 1), (2, -3)):
        moved = np.roll(x, q, axis=(1, 2))
        there = np.roll(layer(x), q, axis=(1, 2))
        np.testing.assert_allclose(layer(moved), there, atol=1e-12)


# Theorem 9.2


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("shape", SHAPES)
def test_both_backward_steps_are_the_transposes_of_dense_matrices(
    rng, shape, k, stride
):
    h, w, c_in, c_out = shape
    x = rng.standard_normal((2, h, w, c_in))
    W = rng.standard_normal((k, k, c_in, c_out))
    g = rng.standard_normal(direct.conv2d(x, W, stride=stride).shape)
    grad_x, grad_W = direct.conv2d_backward(g, x, W, stride=stride)
    in_x = dense_matrix(lambda u: direct.conv2d(u, W, stride=stride), x.shape[1:])
    in_W = dense_matrix(lambda u: direct.conv2d(x, u[0], stride=stride), W.shape)
    back = (g.reshape(2, -1) @ in_x).reshape(x.shape)
    np.testing.assert_allclose(grad_x, back, rtol=1e-10, atol=1e-12)
    there = (g.ravel() @ in_W).reshape(W.shape)
    np.testing.assert_allclose(grad_W, there, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_at_stride_one_the_input_gradient_is_a_convolution_with_turned_taps(rng, k):
    x, W = rng.standard_normal((2, 4, 5, 3)), rng.standard_normal((k, k, 3, 2))
    g = rng.standard_normal((2, 4, 5, 2))
    turned = W[::-1, ::-1].swapaxes(2, 3)
    grad_x, _ = direct.conv2d_backward(g, x, W)
    np.testing.assert_allclose(direct.conv2d(g, turned), grad_x, atol=1e-12)


def test_the_smallest_case_is_the_matrix_that_the_chapter_prints():
    W = np.zeros((3, 3, 1, 1))
    W[1, :, 0, 0] = 1, 10, 100
    x = np.array([1.0, 2, 4, 8]).reshape(1, 1, 4, 1)
    y = [
        direct.conv2d(z, W).ravel() for z in (x, np.roll(x, 1) * [[[0], [1], [1], [1]]])
    ]
    assert y[0].tolist() == [210, 421, 842, 84]
    assert y[1].tolist() == [100, 210, 421, 42]
    M = dense_matrix(lambda u: direct.conv2d(u, W), (1, 4, 1))
    assert M[1].tolist() == [1, 10, 100, 0]
    back = dense_matrix(lambda u: direct.conv2d(u, W[:, ::-1]), (1, 4, 1))
    assert M.T.tolist() == back.tolist()


# The identity as a kernel


def test_the_identity_in_the_middle_tap_is_the_identity_at_stride_one(rng):
    W = np.zeros((3, 3, 4, 4))
    W[1, 1] = np.eye(4)
    x = rng.standard_normal((2, 5, 6, 4))
    np.testing.assert_array_equal(direct.conv2d(x, W), x)
    np.testing.assert_array_equal(direct.conv2d_backward(x, x, W)[0], x)


def test_four_unit_taps_at_stride_two_lose_nothing(rng):
    W = np.zeros((3, 3, 1, 4))
    W[1:, 1:, 0] = np.eye(4).reshape(2, 2, 4)
    x = rng.standard_normal((2, 6, 8, 1))
    y = direct.conv2d(x, W, stride=2)
    assert np.linalg.norm(y) == pytest.approx(np.linalg.norm(x), rel=1e-14)
    back, _ = direct.conv2d_backward(y, x, W, stride=2)
    np.testing.assert_array_equal(back, x)


def test_the_norm_is_at_most_the_sum_of_the_norms_of_the_taps(rng):
    closest = np.inf
    for _ in range(60):
        k, stride = int(rng.choice([1, 3])), int(rng.integers(1, 3))
        h, w, c_in, c_out = rng.integers(1, 6, size=4)
        W = rng.standard_normal((k, k, c_in, c_out)) + rng.choice([0, 3])
        M = dense_matrix(
            lambda u, W=W, s=stride: direct.conv2d(u, W, stride=s), (h, w, c_in)
        )
        bound = np.linalg.norm(W, 2, axis=(2, 3)).sum()
        norm = np.linalg.norm(M, 2)
        assert norm <= bound * (1 + 1e-12)
        closest = min(closest, bound / norm)
    assert closest < 1.01


def test_the_near_identity_start_has_sums_of_tap_norms_near_a_quarter(rng):
    for k in (1, 3, 5):
        W = rng.standard_normal((k, k, 64, 64)) / (k**2 * 64)
        assert np.linalg.norm(W, 2, axis=(2, 3)).sum() == pytest.approx(0.25, rel=0.1)


def test_two_in_a_row_are_one_away_from_the_edge_only(rng):
    x = rng.standard_normal((1, 6, 7, 2))
    W, V = rng.standard_normal((3, 3, 2, 3)), rng.standard_normal((3, 3, 3, 2))
    U = np.zeros((5, 5, 2, 2))
    for a in np.ndindex(3, 3):
        for b in np.ndindex(3, 3):
            U[a[0] + b[0], a[1] + b[1]] += W[a] @ V[b]
    gap = np.abs(direct.conv2d(direct.conv2d(x, W), V) - direct.conv2d(x, U))
    agrees = gap.max(axis=(0, 3)) < 1e-10
    inside = np.zeros((6, 7), bool)
    inside[1:-1, 1:-1] = True
    np.testing.assert_array_equal(agrees, inside)


# Where it stops


@pytest.mark.parametrize("r", [1, 2])
@pytest.mark.parametrize("q", [(0, 1), (1, 0), (-2, 1)])
def test_zeros_around_reach_one_radius_further_with_every_layer(rng, q, r):
    side = 14
    x = rng.standard_normal((side, side, 3))
    moved = np.zeros_like(x)
    for p in np.ndindex(side, side):
        old = p[0] - q[0], p[1] - q[1]
        if min(old) >= 0 and max(old) < side:
            moved[p] = x[old]
    x, moved = x[None], moved[None]
    for depth in range(1, 4):
        W = rng.standard_normal((2 * r + 1, 2 * r + 1, 3, 3))
        x, moved = (ops.relu(direct.conv2d(h, W)) for h in (x, moved))
        far = range(depth * r, side - depth * r)
        wrong = 0
        for p in np.ndindex(side, side):
            old = p[0] - q[0], p[1] - q[1]
            if min(old) >= 0 and max(old) < side:
                same = np.allclose(moved[0][p], x[0][old], rtol=1e-9, atol=1e-9)
                wrong += not same
                assert same or not {*p, *old} <= set(far)
        assert wrong > 0


def test_stride_two_commutes_with_moves_by_two_and_not_by_one(rng):
    x = np.pad(rng.standard_normal((1, 8, 8, 1)), ((0, 0), (4, 4), (4, 4), (0, 0)))
    W = rng.standard_normal((3, 3, 1, 4))
    y = direct.conv2d(x, W, stride=2)
    for q, agrees in ((1, False), (2, True), (3, False)):
        z = direct.conv2d(np.roll(x, q, axis=2), W, stride=2)
        gaps = [np.abs(z - np.roll(y, m, axis=2)).max() for m in range(4)]
        assert bool(min(gaps) < 1e-12) is agrees
