"""Roots of rotations, and products of near-identity layers, with all their digits."""

import numpy as np
import pytest

from identity_edu import data, linalg

HALF_TURN = np.pi


def planes(rng, d, angles):
    """A rotation by the given angles in random orthogonal planes."""
    S, D = data.random_rotation(rng, d), np.eye(d)
    for i, t in enumerate(angles):
        c, s = np.cos(t), np.sin(t)
        D[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [[c, -s], [s, c]]
    return S @ D @ S.T


ROTATIONS = {
    "identity": lambda rng: np.eye(5),
    "one dimension": lambda rng: np.eye(1),
    "random": lambda rng: data.random_rotation(rng, 12),
    "random, odd": lambda rng: data.random_rotation(rng, 33),
    "minus identity": lambda rng: -np.eye(8),
    "half turns": lambda rng: planes(rng, 9, [HALF_TURN] * 3),
    "tiny angles": lambda rng: planes(rng, 9, [5e-10, 1e-5, 1e-3]),
    "almost half turns": lambda rng: planes(
        rng, 11, HALF_TURN - np.array([5e-10, 0, 1e-13, 1e-5, 1e-7])
    ),
    "every distance from a half turn": lambda rng: planes(
        rng, 40, HALF_TURN - 10.0 ** -np.arange(20)
    ),
    "repeated angles": lambda rng: planes(rng, 16, [2.6, 2.6, 2.6 + 1e-9, 3.0] * 2),
    "angles all along the cut": lambda rng: planes(
        rng, 120, np.linspace(0.75, 1.0, 60) * np.pi
    ),
    "many angles just short of a half turn": lambda rng: planes(
        rng, 200, np.pi - rng.choice([1e-12, 4e-12, 1e-9, 0.1], 100)
    ),
    "cyclic permutation": lambda rng: np.eye(7)[np.roll(np.arange(7), 1)],
    "two swaps": lambda rng: np.eye(4)[[1, 0, 3, 2]],
}


@pytest.mark.parametrize("q", [1, 2, 3, 64, 10**6])
@pytest.mark.parametrize("name", ROTATIONS)
def test_root_of_a_rotation_gives_it_back_and_is_as_small_as_promised(rng, name, q):
    Q = ROTATIONS[name](rng)
    rotation = linalg.rotation_angles(Q)
    root = linalg.rotation_root_minus_identity(rotation, q)
    back = linalg.layer_power(root, q)
    assert np.linalg.norm(back - Q, 2) <= 1e-12
    promised = 2 * np.sin(rotation.max_angle / (2 * q))
    assert np.linalg.norm(root, 2) == pytest.approx(promised, rel=1e-10, abs=1e-13 / q)
    turned = np.eye(len(Q)) + root
    np.testing.assert_allclose(
        turned @ turned.T, np.eye(len(Q)), atol=50 * len(Q) * 1e-15
    )


def test_angles_are_those_of_the_complex_eigenvalues(rng):
    Q = data.random_rotation(rng, 20)
    rotation = linalg.rotation_angles(Q)
    angles = np.concatenate([rotation.theta, *[abs(rotation.phi)] * 2])
    expected = np.abs(np.angle(np.linalg.eigvals(Q)))
    np.testing.assert_allclose(np.sort(angles), np.sort(expected), atol=1e-12)


def test_small_angles_keep_their_digits(rng):
    angle = 3.7e-11
    rotation = linalg.rotation_angles(planes(rng, 6, [angle]))
    assert rotation.max_angle == pytest.approx(angle, rel=1e-5)


@pytest.mark.parametrize("d", [1, 2, 5, 8])
def test_reflection_is_refused(rng, d):
    Q = data.random_rotation(rng, d)
    Q[:, 0] *= -1
    with pytest.raises(ValueError, match=r"rotation \(det = \+1\) is required"):
        linalg.rotation_angles(Q)


def test_root_number_below_one_is_refused(rng):
    with pytest.raises(ValueError, match="got q = 0"):
        linalg.rotation_root_minus_identity(linalg.rotation_angles(np.eye(2)), 0)


@pytest.mark.parametrize("size", [1e-3, 0.3, 5.0])
@pytest.mark.parametrize("n", [0, 1, 2, 7, 12])
def test_power_of_a_layer_agrees_with_repeated_products(rng, n, size):
    A = size * rng.standard_normal((4, 4))
    expected = np.linalg.matrix_power(np.eye(4) + A, n)
    error = np.linalg.norm(linalg.layer_power(A, n) - expected)
    assert error <= 1e-13 * np.linalg.norm(expected)


def test_power_of_a_layer_keeps_digits_that_adding_one_would_lose():
    small, n = 1.1e-9, 10**9
    exact = np.exp(n * np.log1p(small))
    kept = linalg.layer_power(np.array([[small]]), n)[0, 0]
    assert kept == pytest.approx(exact, rel=1e-13)
    assert abs((1 + small) ** n - exact) > 1e-9 * exact


def test_negative_power_is_refused():
    with pytest.raises(ValueError, match="at least 0; got -1"):
        linalg.layer_power(np.eye(2), -1)


def test_composition_of_small_parts_is_the_product_less_the_identity(rng):
    A, B, eye = *rng.standard_normal((2, 3, 3)), np.eye(3)
    got = linalg.compose_minus_identity(B, A)
    np.testing.assert_allclose(got, (eye + B) @ (eye + A) - eye, atol=1e-14)


def test_spectral_norm_takes_stacks(rng):
    A = rng.standard_normal((3, 2, 4, 5))
    expected = [[np.linalg.norm(M, 2) for M in row] for row in A]
    np.testing.assert_allclose(linalg.spectral_norm(A), expected, rtol=1e-12)
    assert linalg.spectral_norm(A[0, 0]).shape == ()


def test_input_rotation_is_not_modified(rng):
    Q = data.random_rotation(rng, 6)
    before = Q.copy()
    linalg.rotation_root_minus_identity(linalg.rotation_angles(Q), 3)
    np.testing.assert_array_equal(Q, before)


@pytest.mark.parametrize("name", ROTATIONS)
def test_single_precision_stays_single_and_exact_to_its_digits(rng, name):
    Q = ROTATIONS[name](rng).astype(np.float32)
    rotation = linalg.rotation_angles(Q)
    root = linalg.rotation_root_minus_identity(rotation, 5)
    assert root.dtype == np.float32
    assert 0 <= rotation.max_angle <= np.pi
    assert np.linalg.norm(linalg.layer_power(root, 5) - Q, 2) <= 2e-5
