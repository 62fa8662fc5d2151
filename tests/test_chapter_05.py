"""What chapter 05 claims beyond the factorization itself."""

import math

import numpy as np
import pytest

from identity_edu import data, linear
from identity_edu.factorization import near_identity_factorization, near_identity_parts
from identity_edu.linalg import rotation_angles


def turn(alpha):
    return np.array([[np.cos(alpha), -np.sin(alpha)], [np.sin(alpha), np.cos(alpha)]])


def angles_between(X, Y):
    """Angle between each row of X and the same row of Y."""
    unit_X, unit_Y = (Z / np.linalg.norm(Z, axis=1, keepdims=True) for Z in (X, Y))
    chord = np.linalg.norm(unit_X - unit_Y, axis=1)
    return 2 * np.arcsin(np.minimum(chord / 2, 1.0))


@pytest.mark.parametrize("method", ["polar", "svd"])
def test_whole_layers_keep_the_bound_of_the_theorem(rng, method):
    rotations = {"polar": 1, "svd": 2}[method]
    spare = rotations + 1  # at most one layer is lost to rounding for each factor
    for _ in range(300):
        d, condition = int(rng.integers(1, 12)), 10 ** rng.uniform(0, 8)
        gamma = math.log(condition) / 2
        least = math.ceil(spare + rotations * math.pi + 1.5 * gamma)
        n_layers = least + int(rng.integers(0, 200))
        R = data.random_map(rng, d, condition=condition)
        parts = near_identity_parts(R, n_layers, method=method)
        norm = max(np.linalg.norm(part.residual, 2) for part in parts)
        sharp = (rotations * math.pi + 1.5 * gamma) / (n_layers - spare)
        assert norm <= sharp * (1 + 1e-9)
        assert sharp <= (4 * math.pi + 3 * gamma) / n_layers * (1 + 1e-12)


@pytest.mark.parametrize("theta", [1e-6, 0.3, 2.0, np.pi])
@pytest.mark.parametrize("q", [1, 2, 5, 1000])
def test_a_plane_rotation_splits_into_chords(theta, q):
    distance = np.linalg.norm(turn(theta / q) - np.eye(2), 2)
    assert distance == pytest.approx(2 * math.sin(theta / (2 * q)), abs=1e-15)
    root = np.linalg.matrix_power(turn(theta / q), q)
    np.testing.assert_allclose(root, turn(theta), atol=1e-12)


def test_no_layer_turns_a_vector_by_more_than_the_arcsine_of_its_norm(rng):
    for tau in (0.01, 0.3, 0.9):
        A = data.random_layers(rng, 50, 4, tau=tau)
        X = rng.standard_normal((50, 4))
        turned = X + np.einsum("ijk,ik->ij", A, X)
        assert angles_between(X, turned).max() <= math.asin(tau)
        alpha = math.asin(tau)
        nearest = math.cos(alpha) * turn(alpha)  # and this layer does turn by that much
        assert np.linalg.norm(nearest - np.eye(2), 2) == pytest.approx(tau, rel=1e-12)


@pytest.mark.parametrize("method", ["polar", "svd"])
def test_no_factorization_turns_with_less_than_the_lower_bound(rng, method):
    for _ in range(50):
        d, n_layers = int(rng.integers(2, 8)), int(rng.integers(3, 60))
        R = data.random_map(rng, d, condition=10 ** rng.uniform(0, 4))
        A = near_identity_factorization(R, n_layers, method=method)
        X = rng.standard_normal((200, d))
        theta = angles_between(X, X @ R.T).max()
        least = math.sin(min(theta / n_layers, math.pi / 2))
        assert linear.max_spectral_norm(A) >= least * (1 - 1e-12)


def test_the_largest_angle_is_the_most_that_a_vector_turns_and_is_subadditive(rng):
    for d in (2, 3, 6, 11):
        U, W = data.random_rotation(rng, d), data.random_rotation(rng, d)
        largest = {
            name: rotation_angles(Q).max_angle
            for name, Q in {"U": U, "W": W, "UW": U @ W}.items()
        }
        X = rng.standard_normal((500, d))
        assert angles_between(X, X @ U.T).max() <= largest["U"] + 1e-12
        assert largest["UW"] <= largest["U"] + largest["W"] + 1e-12


def test_layers_inside_the_unit_ball_have_positive_determinants(rng):
    A = data.random_layers(rng, 200, 5, tau=0.999)
    assert (np.linalg.det(np.eye(5) + A) > 0).all()
    assert np.linalg.det(linear.network_map(A[:7])) > 0
