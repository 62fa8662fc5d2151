"""What the paper prints about memorising fails, and the repaired forms hold."""

import numpy as np
import pytest

from identity_edu import memorization, misprints


def two_points(rho, factor):
    """Return two vectors of squared norm 1 + rho at squared distance factor * rho."""
    sine = np.sqrt(factor * rho / (4 * (1 + rho)))
    cosine = np.sqrt(1 - sine**2)
    return np.sqrt(1 + rho) * np.array([[cosine, sine], [cosine, -sine]])


def through(block, H):
    U, s, V = block
    return H + np.maximum(H @ U.T + s, 0) @ V.T


@pytest.mark.parametrize("rho", [0.01, 0.1, 0.15])
def test_lemma_b1_needs_six_rho_where_three_are_printed(rho):
    targets, bystander = np.array([[0.0, 1.0]]), 1
    for factor, is_left_alone in ((3, False), (5.9, False), (6.1, True), (7, True)):
        H = two_points(rho, factor)
        assert np.sum((H[0] - H[1]) ** 2) == pytest.approx(factor * rho)
        np.testing.assert_allclose(np.sum(H**2, axis=1), 1 + rho)
        U, s, V = misprints.memorizing_block_as_printed(H, [0], targets, rho)
        np.testing.assert_allclose(U[0] @ H[1] + s[0], (3 - factor / 2) * rho)
        out = through((U, s, V), H)
        np.testing.assert_allclose(out[0], targets[0], atol=1e-12)
        assert np.array_equal(out[bystander], H[bystander]) == is_left_alone


def test_the_printed_counterexample_leaves_a_pre_activation_of_015():
    H = two_points(0.1, 3)
    U, s, _ = misprints.memorizing_block_as_printed(H, [0], np.eye(2)[:1], 0.1)
    assert U[0] @ H[1] + s[0] == pytest.approx(0.15)


@pytest.mark.parametrize("rho", [0.01, 0.1, 0.15])
def test_a_threshold_for_each_row_needs_no_constant(rho):
    H, targets = two_points(rho, 3), np.array([[0.0, 1.0]])
    block = memorization.memorizing_block(H, np.array([0]), targets)
    out = through((block.U, block.s, block.V), H)
    np.testing.assert_allclose(out[0], targets[0], atol=1e-12)
    np.testing.assert_array_equal(out[1], H[1])


@pytest.mark.parametrize("rho", [0.0, 0.05, 0.1])
def test_scores_stay_below_the_bound_that_gives_the_six(rng, rho):
    H = memorization.unit_rows(rng.standard_normal((60, 3)))
    H *= np.sqrt(1 + rho * rng.uniform(-1, 1, (60, 1)))
    squares = np.sum((H[:, None] - H) ** 2, axis=2)
    assert (H @ H.T <= 1 + rho - squares / 2 + 1e-12).all()


@pytest.mark.parametrize(("d", "k"), [(50, 20), (200, 64)])
def test_the_printed_projection_makes_squared_lengths_k_times_too_large(rng, d, k):
    x = memorization.unit_rows(rng.standard_normal((1, d)))[0]
    squares = [
        np.sum((misprints.random_projection_as_printed(rng, d, k) @ x) ** 2)
        for _ in range(1000)
    ]
    error = np.std(squares) / len(squares) ** 0.5
    assert abs(np.mean(squares) - k) <= 4 * error
    assert min(squares) > 1.5  # never within rho' < 1/2 of length 1


def test_the_printed_block_behind_the_printed_projection_moves_bystanders(rng):
    n, d, k = 200, 512, 256
    X = memorization.unit_rows(rng.standard_normal((n, d)))
    subset, targets = np.arange(8), memorization.surrogate_labels(rng, 8, k)
    moved = {}
    for name, A_0 in {
        "printed": misprints.random_projection_as_printed(rng, d, k),
        "right": memorization.random_projection(rng, d, k),
    }.items():
        H = X @ A_0.T
        block = misprints.memorizing_block_as_printed(H, subset, targets, 0.2)
        moved[name] = np.sum(np.any(through(block, H)[8:] != H[8:], axis=1))
    assert moved["printed"] > n / 2
    assert moved["right"] == 0
