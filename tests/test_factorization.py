"""Near-identity factorization: exact, as small as promised, and honest about limits."""

import math

import numpy as np
import pytest
from test_linalg import ROTATIONS, planes

from identity_edu import data, misprints
from identity_edu.factorization import (
    Part,
    compose_parts,
    flip_determinant,
    log_condition,
    near_identity_factorization,
    near_identity_parts,
    norm_bound,
)
from identity_edu.factors import rotation_factor, share_layers, stretch_factor
from identity_edu.linear import network_map

METHODS = pytest.mark.parametrize("method", ["polar", "svd"])


def check(R, n_layers, method, error=1e-11):
    """Hold a factorization to everything the construction promises; return its norm."""
    parts = near_identity_parts(R, n_layers, method=method)
    assert sum(part.count for part in parts) == n_layers
    s = np.linalg.svd(R, compute_uv=False)
    gamma = np.abs(np.log(s)).max()
    assert np.linalg.norm(compose_parts(parts) - R) <= error * s[0]
    actual = max(np.linalg.norm(part.residual, 2) for part in parts)
    promised = max(part.norm for part in parts)
    assert actual <= promised * (1 + 1e-9) + 1e-15
    if n_layers >= 3 * gamma + 12:
        assert actual <= (4 * math.pi + 3 * gamma) / (n_layers - 4)
    return actual


@METHODS
@pytest.mark.parametrize("d", range(1, 34))
def test_every_width_depth_and_condition_is_exact_and_small(rng, d, method):
    for n_layers in (1, 2, 3, 4, 5, 8, 21, 64, 257, 1024):
        for condition in (1.0, 10.0, 10 ** rng.uniform(0, 8), 1e8):
            check(data.random_map(rng, d, condition=condition), n_layers, method)


@METHODS
@pytest.mark.parametrize(("d", "condition"), [(512, 100.0), (512, 1e8), (1024, 10.0)])
def test_large_maps_are_exact_and_small(rng, d, condition, method):
    # QR of a Gaussian matrix is enough here, and cheaper than random_map's two.
    Q = np.linalg.qr(rng.standard_normal((d, d)))[0]
    Q[:, 0] *= np.linalg.slogdet(Q)[0]
    stretch = condition ** np.linspace(0.5, -0.5, d)
    check(Q * stretch, 64, method)


@METHODS
@pytest.mark.parametrize("n_layers", [5, 32, 10**6])
@pytest.mark.parametrize("name", ROTATIONS)
def test_special_rotations_are_exact_and_small(rng, name, n_layers, method):
    check(ROTATIONS[name](rng), n_layers, method)


@METHODS
@pytest.mark.parametrize("scale", [1e-200, 1e-12, 1e-5, 1e5, 1e150])
def test_scaled_rotations_are_exact_relative_to_their_size(rng, scale, method):
    R = scale * planes(rng, 5, [2.0, 0.3])
    check(R, 100, method)


def test_a_contraction_stays_inside_the_unit_ball(rng):
    R = 1e-3 * planes(rng, 4, [3.0, 3.0])
    assert check(R, 4, "polar") < 1
    assert check(R, 16, "polar") <= 0.5


@METHODS
@pytest.mark.parametrize("n_layers", [1, 2, 3, 8])
def test_half_turns_in_single_precision_get_whole_layers(rng, n_layers, method):
    for angles in ([np.pi, 3.0], [np.pi, np.pi], [np.pi, np.pi - 1e-3, 2.9]):
        R = planes(rng, 8, angles).astype(np.float32)
        parts = near_identity_parts(R, n_layers, method=method)
        assert sum(p.count for p in parts) == n_layers
        assert {p.residual.dtype for p in parts} == {np.dtype(np.float32)}
        assert np.linalg.norm(compose_parts(parts) - R) <= 1e-5


@METHODS
@pytest.mark.parametrize("n_layers", [5, 32, 10**6])
def test_repeated_singular_values_and_definite_maps_are_exact_and_small(
    rng, n_layers, method
):
    definite = data.random_covariance(rng, 6, condition=1e4)
    repeated = planes(rng, 6, [1.0, 2.0]) @ np.diag([3.0, 3, 3, 1, 1, 0.5])
    for R in (2 * np.eye(5), definite, repeated, np.diag([1e4, 1, 1, 1e-4])):
        check(R, n_layers, method)


@METHODS
def test_a_million_layers_multiplied_one_by_one_give_the_map_back(rng, method):
    R, n_layers = data.random_map(rng, 3, condition=50.0), 10**6
    A = near_identity_factorization(R, n_layers, method=method)
    assert A.shape == (n_layers, 3, 3)
    assert np.linalg.norm(network_map(A) - R, 2) <= 1e-10 * np.linalg.norm(R, 2)


@METHODS
@pytest.mark.parametrize("n_layers", [1, 2, 3, 17])
def test_layers_are_the_parts_in_the_order_in_which_the_input_meets_them(
    rng, n_layers, method
):
    R = data.random_map(rng, 4, condition=30.0)
    A = near_identity_factorization(R, n_layers, method=method)
    parts = near_identity_parts(R, n_layers, method=method)
    expected = np.concatenate([np.stack([p.residual] * p.count) for p in parts])
    np.testing.assert_array_equal(A, expected)
    np.testing.assert_allclose(network_map(A), R, atol=1e-12 * np.linalg.norm(R, 2))


def test_polar_is_never_worse_than_svd(rng):
    for _ in range(300):
        d, n_layers = int(rng.integers(1, 12)), int(rng.integers(3, 100))
        R = data.random_map(rng, d, condition=10 ** rng.uniform(0, 6))
        norms = {
            method: max(p.norm for p in near_identity_parts(R, n_layers, method=method))
            for method in ("polar", "svd")
        }
        assert norms["polar"] <= norms["svd"] * (1 + 1e-9)


@METHODS
@pytest.mark.parametrize("n_layers", [3, 10, 1000])
def test_no_factorization_beats_the_lower_bound(rng, n_layers, method):
    R = data.random_map(rng, 5, condition=100.0)
    s = np.linalg.svd(R, compute_uv=False)
    least = max(s[0] ** (1 / n_layers) - 1, 1 - s[-1] ** (1 / n_layers))
    assert check(R, n_layers, method) >= least * (1 - 1e-12)


def test_polar_meets_the_lower_bound_for_a_multiple_of_the_identity():
    n_layers = 32
    assert check(2 * np.eye(4), n_layers, "polar") == pytest.approx(
        2 ** (1 / n_layers) - 1, rel=1e-12
    )


def test_the_identity_needs_no_residual():
    assert not near_identity_factorization(np.eye(4), 6).any()


@METHODS
def test_too_few_layers_do_all_the_work_in_one(rng, method):
    R = data.random_map(rng, 3, condition=4.0)
    A = near_identity_factorization(R, 1, method=method)
    np.testing.assert_array_equal(A[0], R - np.eye(3))


def test_shares_are_the_best_integer_split(rng):
    R = data.random_map(rng, 6, condition=500.0)
    U, s, Vt = np.linalg.svd(R)
    if np.linalg.slogdet(U)[0] < 0:
        U[:, -1] *= -1
        Vt[-1] *= -1
    factors = [rotation_factor(Vt), stretch_factor(np.eye(6), s), rotation_factor(U)]
    for n_layers in (3, 4, 7, 20, 31):
        splits = [
            (i, j, n_layers - i - j)
            for i in range(1, n_layers - 1)
            for j in range(1, n_layers - i)
        ]

        def worst(split):
            return max(f.norm(c) for f, c in zip(factors, split, strict=True))

        got = share_layers(factors, n_layers)
        assert sum(got) == n_layers
        assert worst(got) == pytest.approx(min(map(worst, splits)), rel=1e-12)
    with pytest.raises(ValueError, match="at least 3 layers are required; got 2"):
        share_layers(factors, 2)


def test_log_condition_takes_the_worse_side():
    assert log_condition(np.diag([math.e, 1.0])) == pytest.approx(1.0)
    assert log_condition(np.diag([math.e, math.exp(-3)])) == pytest.approx(3.0)
    assert log_condition(-np.eye(3)) == pytest.approx(0.0, abs=1e-15)


def test_norm_bound_is_the_formula():
    R = np.diag([math.e, 1.0])
    assert norm_bound(R, 50) == pytest.approx((4 * math.pi + 3) / 50, rel=1e-12)


def test_flipping_the_determinant_makes_the_map_factorable(rng):
    R = data.random_map(rng, 5, det_sign=-1)
    flipped = flip_determinant(R)
    assert np.linalg.slogdet(flipped)[0] == -np.linalg.slogdet(R)[0] == 1
    assert log_condition(flipped) == pytest.approx(log_condition(R), rel=1e-12)
    A = near_identity_factorization(flipped, 40)
    x, b = rng.standard_normal(5), rng.standard_normal()
    np.testing.assert_allclose(
        network_map(A) @ np.append(x, b), np.append(R @ x, -b), atol=1e-12
    )


def test_printed_theorem_cannot_hold_for_a_negative_determinant():
    R, n_layers = np.diag([1.0, 1.0, -1.0]), 100
    promised = misprints.norm_bound_as_printed(R, n_layers)
    assert promised < 1  # so every det(I + A_i) > 0, and det R > 0: a contradiction
    with pytest.raises(ValueError, match="det R > 0 is required"):
        near_identity_factorization(R, n_layers)


FUNCTIONS = {
    "factorization": lambda R: near_identity_factorization(R, 4),
    "svd": lambda R: near_identity_factorization(R, 4, method="svd"),
    "parts": lambda R: near_identity_parts(R, 4),
    "bound": lambda R: norm_bound(R, 4),
    "log condition": log_condition,
    "flip": flip_determinant,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_maps_that_are_not_square_or_not_finite_are_refused(name):
    function = FUNCTIONS[name]
    for bad in (np.zeros((2, 3)), np.zeros(4), np.zeros((2, 2, 2)), np.zeros((0, 0))):
        with pytest.raises(ValueError, match="must be square") as error:
            function(bad)
        assert str(bad.shape) in str(error.value)
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="must be finite"):
            function(np.array([[1.0, bad], [0.0, 1.0]]))


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n != "flip"])
def test_singular_maps_are_refused(name):
    semi_definite = np.diag([2.0, 1.0, 0.0])
    rank_one = np.outer([1.0, 2.0, 3.0], [1.0, 1.0, 1.0])
    for bad in (semi_definite, rank_one, np.zeros((2, 2))):
        with pytest.raises(ValueError, match=r"must be invertible.*singular value"):
            FUNCTIONS[name](bad)


@pytest.mark.parametrize("name", ["factorization", "svd", "parts", "bound"])
def test_negative_determinant_is_refused_and_the_augmentation_is_named(name):
    with pytest.raises(ValueError, match=r"det R > 0 .* flip_determinant\(R\)"):
        FUNCTIONS[name](np.diag([1.0, -1.0]))


@pytest.mark.parametrize("n_layers", [0, -3])
def test_fewer_than_one_layer_is_refused(n_layers):
    for function in (near_identity_factorization, near_identity_parts, norm_bound):
        with pytest.raises(ValueError, match=f"at least 1; got {n_layers}"):
            function(np.eye(2), n_layers)


def test_unknown_method_is_refused():
    with pytest.raises(ValueError, match="got 'qr'"):
        near_identity_parts(np.eye(2), 4, method="qr")


@METHODS
def test_inputs_stay_as_they_are_and_float32_stays_float32(rng, method, xp):
    R = xp.asarray(data.random_map(rng, 8, condition=5.0), dtype=xp.float32)
    before = R.copy()
    A = near_identity_factorization(R, 16, method=method)
    assert A.dtype == xp.float32
    assert bool((R == before).all())
    assert float(abs(network_map(A) - R).max()) < 1e-5
    assert isinstance(near_identity_parts(R, 16, method=method)[0], Part)


@METHODS
def test_integers_are_promoted(method):
    A = near_identity_factorization(np.array([[0, -1], [1, 0]]), 4, method=method)
    np.testing.assert_allclose(network_map(A), [[0.0, -1.0], [1.0, 0.0]], atol=1e-15)
