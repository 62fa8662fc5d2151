"""Layers are shared out among rotations and stretches as well as can be."""

import itertools

import numpy as np
import pytest

from identity_edu import data
from identity_edu.factors import rotation_factor, share_layers, stretch_factor


def rotation(angle):
    turn = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return rotation_factor(np.array(turn))


def stretch(gamma):
    return stretch_factor(np.eye(2), np.exp(np.array([gamma, -gamma / 2])))


def largest_norm(factors, counts):
    return max(f.norm(c) for f, c in zip(factors, counts, strict=True))


def smallest_norm_of_all_splits(factors, n_layers):
    """Try every way to share out the layers."""
    choices = itertools.product(range(1, n_layers + 1), repeat=len(factors) - 1)
    splits = [(*c, n_layers - sum(c)) for c in choices if sum(c) < n_layers]
    return min(largest_norm(factors, counts) for counts in splits)


CASES = {
    "rotation and stretch": [stretch(1.3), rotation(2.5)],
    "stretch far larger": [stretch(9.0), rotation(0.01)],
    "rotation far larger": [stretch(1e-3), rotation(np.pi)],
    "two equal rotations": [rotation(1.0), stretch(0.7), rotation(1.0)],
    "three of one kind": [stretch(0.5), stretch(0.5), stretch(0.5)],
    "one alone": [rotation(3.0)],
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("n_layers", [3, 4, 5, 7, 12, 30])
def test_no_other_split_has_a_smaller_largest_norm(case, n_layers):
    factors = CASES[case]
    counts = share_layers(factors, n_layers)
    assert sum(counts) == n_layers
    assert min(counts) >= 1
    best = smallest_norm_of_all_splits(factors, n_layers)
    assert largest_norm(factors, counts) <= best * (1 + 1e-9)  # the bisection stops


@pytest.mark.parametrize("n_layers", [10**3, 10**6, 10**9])
def test_many_layers_are_shared_in_proportion_to_what_there_is_to_do(n_layers):
    """Both norms tend to amount / count, which the best split makes equal."""
    gamma, theta = 1.3, 2.5
    p, q = share_layers([stretch(gamma), rotation(theta)], n_layers)
    assert p + q == n_layers
    assert p / n_layers == pytest.approx(
        gamma / (gamma + theta), abs=3 / n_layers + 1e-3
    )


def test_fewer_layers_than_factors_are_refused_with_both_numbers():
    with pytest.raises(ValueError, match="at least 2 layers are required; got 1"):
        share_layers([stretch(1.0), rotation(1.0)], 1)


@pytest.mark.parametrize("count", [1, 2, 7, 1000])
@pytest.mark.parametrize("d", [1, 2, 5])
def test_a_root_has_the_norm_that_is_promised_and_its_power_is_the_factor(
    rng, d, count
):
    Q = data.random_rotation(rng, d)
    s = np.exp(rng.uniform(-2.0, 2.0, d))
    V = data.random_rotation(rng, d)
    for factor, whole in (
        (rotation_factor(Q), Q),
        (stretch_factor(V, s), (V * s) @ V.T),
    ):
        residual = factor.root_minus_identity(count)
        norm = np.linalg.norm(residual, 2)
        # A power of I + residual has lost the residual's digits below eps.
        power = np.linalg.matrix_power(np.eye(d) + residual, count)
        np.testing.assert_allclose(power, whole, atol=1e-15 * count * 50 * d)
        assert norm <= factor.norm(count) * (1 + 1e-9) + 1e-14


@pytest.mark.parametrize("tau", [1e-4, 0.1, 0.7, 1.9])
def test_layers_needed_suffice_and_one_less_does_not(tau):
    for factor in (rotation(2.5), rotation(np.pi), stretch(1.3), stretch(9.0)):
        count = factor.layers_needed(tau)
        assert factor.norm(count) <= tau * (1 + 1e-9)
        if count > 1:
            assert factor.norm(count - 1) > tau * (1 - 1e-9)
