"""Lanczos finds the ends of a symmetric spectrum, and its residual says how well."""

import numpy as np
import pytest

from identity_edu.backend import to_numpy
from identity_edu.lanczos import Ritz, extreme_eigenpair


def symmetric(rng, values):
    """Return a matrix with these eigenvalues and random eigenvectors."""
    Q, _ = np.linalg.qr(rng.standard_normal((len(values), len(values))))
    A = (Q * values) @ Q.T
    return (A + A.T) / 2


def found(A, start, **options):
    return extreme_eigenpair(lambda v: A @ v, start, **options)


@pytest.mark.parametrize("which", ["largest", "smallest"])
@pytest.mark.parametrize("n", [1, 2, 3, 40, 200])
def test_both_ends_are_those_of_a_dense_eigensolver(rng, n, which):
    A = symmetric(rng, rng.standard_normal(n))
    ritz = found(A, rng.standard_normal(n), which=which, n_steps=n, tol=0)
    values, vectors = np.linalg.eigh(A)
    end = {"largest": -1, "smallest": 0}[which]
    assert ritz.value == pytest.approx(values[end], rel=1e-12)
    assert abs(vectors[:, end] @ ritz.vector) == pytest.approx(1, abs=1e-9)


def test_the_smallest_is_the_most_negative_and_not_the_nearest_to_zero(rng):
    A = symmetric(rng, [-3.0, -0.1, 0.0, 0.2, 8.0])
    ritz = found(A, rng.standard_normal(5), which="smallest")
    assert ritz.value == pytest.approx(-3, rel=1e-12)


@pytest.mark.parametrize("n_steps", [1, 2, 5, 20])
def test_the_residual_is_the_one_it_says_and_bounds_the_distance(rng, n_steps):
    values = np.sort(rng.standard_normal(60))
    A = symmetric(rng, values)
    ritz = found(A, rng.standard_normal(60), n_steps=n_steps, tol=0)
    measured = np.linalg.norm(A @ ritz.vector - ritz.value * ritz.vector)
    assert ritz.n_steps == n_steps
    assert ritz.residual == pytest.approx(measured, rel=1e-9)
    assert abs(values - ritz.value).min() <= measured
    assert ritz.value <= values[-1] * (1 + 1e-12)


def test_it_needs_far_fewer_products_than_the_power_iteration(rng):
    values = np.linspace(0, 1, 500)
    A, start = symmetric(rng, values), rng.standard_normal(500)
    v = start
    for _ in range(60):
        v = A @ v / np.linalg.norm(A @ v)
    lanczos = found(A, start, n_steps=60, tol=0).value
    assert 1 - lanczos < 0.01 * (1 - v @ A @ v)


def test_the_basis_stays_orthogonal_where_one_pass_of_lanczos_loses_it(rng):
    """Without reorthogonalisation, isolated eigenvalues come back as ghosts.

    Then T has more copies of the largest than there are, and the vector a wrong length.
    """
    values = np.concatenate([np.linspace(0, 1e-3, 195), [1, 2, 3, 5, 8]])
    seen = []

    def apply(v):
        seen.append(v)
        return A @ v

    A = symmetric(rng, values)
    start = rng.standard_normal(200)
    extreme_eigenpair(apply, start, which="smallest", n_steps=60, tol=0)
    Q = np.array(seen)
    assert len(Q) == 60
    np.testing.assert_allclose(Q @ Q.T, np.eye(60), atol=1e-13)


def test_it_stops_as_soon_as_the_tolerance_is_reached(rng):
    A = symmetric(rng, np.linspace(0, 1, 300) ** 4)
    start = rng.standard_normal(300)
    steps = []
    for tol in (1e-1, 1e-3, 1e-6):
        ritz = found(A, start, n_steps=300, tol=tol)
        assert ritz.residual <= tol * ritz.value
        steps.append(ritz.n_steps)
        if ritz.n_steps < 10:  # taken apart in every step so far
            before = found(A, start, n_steps=ritz.n_steps - 1, tol=0)
            assert before.residual > tol * before.value
    assert steps[0] < steps[1] < steps[2] < 300


def test_the_tolerance_is_measured_against_the_largest_value_of_either_sign(rng):
    """An end near zero is not asked for more digits than the map has."""
    A = symmetric(rng, np.concatenate([[-100.0], np.linspace(-1, 1e-9, 99)]))
    ritz = found(A, rng.standard_normal(100), n_steps=100, tol=1e-3)
    assert 1e-3 * abs(ritz.value) < ritz.residual <= 1e-3 * 100


def test_a_good_start_saves_steps(rng):
    A = symmetric(rng, np.linspace(0, 1, 400))
    cold = found(A, rng.standard_normal(400), n_steps=400, tol=1e-4)
    near = A + 1e-6 * symmetric(rng, rng.standard_normal(400))
    assert found(near, cold.vector, tol=1e-4).n_steps < cold.n_steps / 10


def test_an_eigenvector_is_recognised_in_one_step_and_the_zero_map_too(rng):
    A = np.diag([3.0, 2.0, 1.0])
    ritz = found(A, np.array([0.0, 5.0, 0.0]))
    assert (ritz.value, ritz.residual, ritz.n_steps) == (2.0, 0.0, 1)
    zero = found(np.zeros((4, 4)), rng.standard_normal(4))
    assert (zero.value, zero.residual, zero.n_steps) == (0.0, 0.0, 1)


def test_a_start_in_an_invariant_subspace_ends_the_iteration_there(rng):
    A = np.diag([9.0, 4.0, 3.0, 2.0, 1.0])
    ritz = found(A, np.array([0, 1.0, 1.0, 0, 0]))
    assert ritz.value == pytest.approx(4, rel=1e-14)
    assert ritz.n_steps <= 3


def test_an_iteration_that_has_nowhere_to_go_ends_between_two_looks_at_it_too():
    """A path of eleven points, from its end: every product is exact."""
    A = np.zeros((40, 40))
    A[range(10), range(1, 11)] = A[range(1, 11), range(10)] = 1
    ritz = found(A, np.eye(40)[0], n_steps=40, tol=0)
    assert (ritz.n_steps, ritz.residual) == (11, 0.0)
    assert ritz.value == pytest.approx(2 * np.cos(np.pi / 12), rel=1e-14)


def test_without_a_tolerance_it_ends_with_the_space_or_at_rounding(rng):
    A = symmetric(rng, 2.0 ** -np.arange(100))
    assert found(A[:3, :3], np.ones(3), tol=0).n_steps == 3
    ritz = found(A, rng.standard_normal(100), n_steps=100, tol=0)
    assert ritz.n_steps < 50
    assert ritz.value == pytest.approx(1, rel=1e-14)


def test_the_vector_has_the_shape_and_dtype_of_the_start(rng, xp):
    values = np.array([5.0, 1, 0.5, -1, -2, 3])
    A = xp.asarray(symmetric(rng, values), dtype=xp.float32)
    start = xp.asarray(rng.standard_normal((2, 3)), dtype=xp.float32)
    ritz = extreme_eigenpair(lambda v: (A @ v.ravel()).reshape(2, 3), start)
    assert isinstance(ritz, Ritz)
    assert (ritz.vector.shape, ritz.vector.dtype) == ((2, 3), xp.float32)
    assert isinstance(ritz.vector, xp.ndarray)
    assert isinstance(ritz.value, float)
    assert ritz.value == pytest.approx(5, rel=1e-5)
    assert np.linalg.norm(to_numpy(ritz.vector)) == pytest.approx(1, rel=1e-6)


def test_the_start_is_not_modified_and_a_map_may_return_its_argument(rng):
    start = rng.standard_normal((3, 4))
    before = start.copy()
    ritz = extreme_eigenpair(lambda v: v, start)
    np.testing.assert_array_equal(start, before)
    assert (ritz.value, ritz.n_steps) == (pytest.approx(1, rel=1e-14), 1)
    np.testing.assert_allclose(ritz.vector, start / np.linalg.norm(start), rtol=1e-14)


def test_what_it_cannot_work_with_is_refused():
    A, start = np.eye(3), np.ones(3)
    with pytest.raises(ValueError, match="one of largest, smallest; got 'both'"):
        found(A, start, which="both")
    with pytest.raises(ValueError, match="n_steps must be at least 1; got 0"):
        found(A, start, n_steps=0)
    for wrong in (np.zeros(3), np.array([1, np.nan, 0]), np.array([1, np.inf, 0])):
        with pytest.raises(ValueError, match="start must be finite and not zero; its"):
            found(A, wrong)
    with pytest.raises(FloatingPointError, match="must be finite; it is not in step 1"):
        found(np.full((3, 3), np.nan), start)
