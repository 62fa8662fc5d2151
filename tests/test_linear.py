"""Linear residual nets: risk, gradient, and how steep the slopes must be."""

from functools import partial

import numpy as np
import pytest

from identity_edu import data, linear, misprints
from identity_edu.numerics import convergence_order


def problem(rng, n_layers, d, tau):
    """A net inside the ball, a target and a covariance."""
    R, Sigma = data.linear_problem(rng, d)
    return data.random_layers(rng, n_layers, d, tau=tau), R, Sigma


def loop_gradient(A, R, Sigma):
    """Evaluate Lemma 2.4 layer by layer, building both products afresh."""
    layers = [np.eye(len(R)) + A_i for A_i in A]
    E = linear.network_map(A) - R
    grads = []
    for i in range(len(A)):
        before, after = np.eye(len(R)), np.eye(len(R))
        for layer in layers[:i]:
            before = layer @ before
        for layer in layers[i + 1 :]:
            after = layer @ after
        grads.append(2 * after.T @ E @ Sigma @ before.T)
    return np.array(grads)


GRID = pytest.mark.parametrize(
    ("n_layers", "d"), [(1, 1), (1, 4), (2, 3), (5, 1), (5, 6), (32, 4)]
)


@GRID
def test_layers_multiply_with_the_first_one_nearest_the_input(rng, n_layers, d):
    A, _, _ = problem(rng, n_layers, d, tau=0.5)
    x = rng.standard_normal(d)
    h = x
    for A_i in A:
        h = h + A_i @ h
    np.testing.assert_allclose(linear.network_map(A) @ x, h, rtol=1e-10, atol=1e-12)


@GRID
def test_risk_is_a_weighted_distance_plus_the_noise_floor(rng, n_layers, d):
    A, R, Sigma = problem(rng, n_layers, d, tau=0.3)
    E = linear.network_map(A) - R
    distance = np.linalg.norm(E @ np.linalg.cholesky(Sigma)) ** 2
    assert linear.excess_risk(A, R, Sigma) == pytest.approx(distance, rel=1e-10)
    mean, standard_error = linear.population_risk_sample(A, R, Sigma, 20_000, rng)
    assert abs(mean - distance - d) <= 4 * standard_error
    assert standard_error < 0.1 * mean


@GRID
def test_gradient_agrees_with_the_formula_layer_by_layer(rng, n_layers, d):
    A, R, Sigma = problem(rng, n_layers, d, tau=0.4)
    got, expected = linear.excess_risk_gradient(A, R, Sigma), loop_gradient(A, R, Sigma)
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("tau", [0.1, 0.4])
@pytest.mark.parametrize(("n_layers", "d"), [(2, 1), (3, 4), (4, 5), (8, 2)])
def test_gradient_is_exact_to_second_order(rng, n_layers, d, tau):
    A, R, Sigma = problem(rng, n_layers, d, tau)
    V = rng.standard_normal(A.shape) / np.sqrt(A.size)
    risk = partial(linear.excess_risk, R=R, Sigma=Sigma)
    grad = linear.excess_risk_gradient(A, R, Sigma)
    order, errors = convergence_order(risk, grad, A, V)
    assert order == pytest.approx(2.0, abs=0.1), f"errors {errors}, order {order:.2f}"


def test_printed_gradient_is_wrong_where_layers_do_not_commute(rng):
    A, R, Sigma = problem(rng, n_layers=5, d=4, tau=0.5)
    exact = linear.excess_risk_gradient(A, R, Sigma)
    off = np.linalg.norm(misprints.gradient_as_printed(A, R, Sigma) - exact)
    assert off > 0.05 * np.linalg.norm(exact)


def test_printed_gradient_is_right_where_layers_commute_or_are_two(rng):
    diagonal = np.stack([np.diag(a) for a in rng.uniform(-0.3, 0.3, (5, 4))])
    two, R, Sigma = problem(rng, n_layers=2, d=4, tau=0.5)
    for A in (diagonal, two):
        printed = misprints.gradient_as_printed(A, R, Sigma)
        exact = linear.excess_risk_gradient(A, R, Sigma)
        np.testing.assert_allclose(printed, exact, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("tau", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("n_layers", [1, 3, 10])
def test_gradient_dominates_excess_risk_inside_the_ball(rng, n_layers, tau):
    for _ in range(450):  # 9 cells of the grid, 4,050 points
        A, R, Sigma = problem(rng, n_layers, int(rng.integers(1, 8)), tau)
        slope = np.sum(linear.excess_risk_gradient(A, R, Sigma) ** 2)
        assert slope >= linear.gradient_norm_bound(A, R, Sigma) * (1 - 1e-12)


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("tau", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("n_layers", [1, 2, 6])
def test_bound_is_tight_when_every_layer_shrinks_alike(n_layers, tau, scale):
    R, Sigma = np.diag([3.0, 2.0, 1.5]), scale * np.eye(3)
    A = np.stack([-tau * np.eye(3)] * n_layers)
    slope = np.sum(linear.excess_risk_gradient(A, R, Sigma) ** 2)
    bound = linear.gradient_norm_bound(A, R, Sigma)
    assert slope / bound == pytest.approx(1.0, rel=1e-12)


def test_printed_bound_is_violated_at_the_tight_example():
    A, R, eye = np.stack([-0.3 * np.eye(3)] * 6), np.diag([3.0, 2.0, 1.5]), np.eye(3)
    slope = np.sum(linear.excess_risk_gradient(A, R, eye) ** 2)
    printed = misprints.gradient_norm_bound_as_printed(A, R, eye)
    assert slope / printed == pytest.approx(0.7**5, rel=1e-12)


def test_bound_promises_nothing_at_norm_one_unless_there_is_one_layer(rng):
    R, Sigma = data.linear_problem(rng, 3)
    hiding = np.stack([-np.eye(3), -np.eye(3)])
    assert linear.gradient_norm_bound(hiding, R, Sigma) == 0.0
    assert linear.gradient_norm_bound(1.5 * hiding, R, Sigma) == 0.0
    assert not linear.excess_risk_gradient(hiding, R, Sigma).any()
    assert linear.excess_risk(hiding, R, Sigma) > 0.1
    assert linear.gradient_norm_bound(3 * hiding[:1], R, Sigma) > 0.0


def test_bound_is_zero_for_a_singular_covariance(rng):
    A, R, _ = problem(rng, 3, 4, 0.5)
    Sigma = np.diag([1.0, 1.0, 1.0, 0.0])
    assert linear.gradient_norm_bound(A, R, Sigma) == 0.0


def test_max_spectral_norm_is_that_of_the_largest_layer(rng):
    A = data.random_layers(rng, 7, 5, tau=0.6)
    norms = [np.linalg.norm(A_i, 2) for A_i in A]
    assert linear.max_spectral_norm(A) == pytest.approx(max(norms), rel=1e-12)
    assert linear.max_spectral_norm(A) == pytest.approx(0.6, rel=1e-12)


def test_descent_reaches_a_rotation_times_a_stretch_from_zero():
    turn = np.array([[np.cos(1.2), -np.sin(1.2)], [np.sin(1.2), np.cos(1.2)]])
    R, start = turn @ np.diag([1.5, 0.8]), np.zeros((16, 2, 2))
    run = linear.gradient_descent(
        start, R, np.eye(2), step_size=0.01, n_steps=2000, tol=1e-20
    )
    assert run.outcome == "converged"
    assert run.excess_risk[-1] <= 1e-20
    assert run.excess_risk[-1] == linear.excess_risk(run.A, R, np.eye(2))
    assert len(run.excess_risk) == len(run.max_spectral_norm) < 2000
    assert not start.any()


def test_descent_says_when_it_diverges_and_when_it_runs_out_of_steps(rng):
    A, R, Sigma = problem(rng, 4, 3, 0.1)
    wild = linear.gradient_descent(A, R, Sigma, step_size=1e3, n_steps=50)
    assert wild.outcome == "diverged"
    assert len(wild.excess_risk) < 50
    short = linear.gradient_descent(A, R, Sigma, step_size=1e-3, n_steps=7)
    assert short.outcome == "out of steps"
    assert len(short.excess_risk) == 8
    assert (np.diff(short.excess_risk) < 0).all()
    none = linear.gradient_descent(A, R, Sigma, step_size=1e-3, n_steps=0)
    np.testing.assert_array_equal(none.A, A)


@pytest.mark.parametrize(
    "function",
    [
        linear.excess_risk,
        linear.excess_risk_gradient,
        linear.gradient_norm_bound,
        partial(linear.population_risk_sample, n=10, rng=np.random.default_rng(0)),
        partial(linear.gradient_descent, step_size=0.1, n_steps=1),
    ],
)
def test_shapes_that_do_not_fit_are_refused(function):
    eye = np.eye(3)
    with pytest.raises(ValueError, match=r"must be \(d, d\); got \(3, 3\), \(2, 2\)"):
        function(np.zeros((2, 3, 3)), np.eye(2), eye)
    with pytest.raises(ValueError, match=r"\(l, d, d\); got \(3, 3\)"):
        function(eye, eye, eye)
    with pytest.raises(ValueError, match=r"at least one .* got \(0, 3, 3\)"):
        function(np.zeros((0, 3, 3)), eye, eye)


def test_numbers_out_of_range_are_refused(rng):
    A, R, Sigma = problem(rng, 2, 3, 0.1)
    with pytest.raises(ValueError, match="n of at least 2; got 1"):
        linear.population_risk_sample(A, R, Sigma, 1, rng)
    for step_size in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match=f"must be positive; got {step_size}"):
            linear.gradient_descent(A, R, Sigma, step_size=step_size, n_steps=5)
    with pytest.raises(ValueError, match="at least 0; got -1"):
        linear.gradient_descent(A, R, Sigma, step_size=0.1, n_steps=-1)


def test_inputs_stay_as_they_are_and_float32_stays_float32(rng, xp):
    arrays = [xp.asarray(a, dtype=xp.float32) for a in problem(rng, 3, 4, 0.5)]
    before = [a.copy() for a in arrays]
    grad = linear.excess_risk_gradient(*arrays)
    assert grad.dtype == linear.network_map(arrays[0]).dtype == xp.float32
    assert linear.excess_risk(*arrays).dtype == xp.float32
    linear.gradient_norm_bound(*arrays)
    linear.gradient_descent(*arrays, step_size=1e-3, n_steps=3)
    for a, b in zip(arrays, before, strict=True):
        assert bool((a == b).all())


def test_integers_are_promoted_rather_than_truncated():
    A, R = np.zeros((2, 2, 2), dtype=int), np.array([[2, 1], [0, 1]])
    grad = linear.excess_risk_gradient(A, R, np.array([[1.5, 0], [0, 1]]))
    assert grad.dtype == np.float64
    np.testing.assert_array_equal(grad[0], [[-3.0, -2.0], [0.0, 0.0]])
