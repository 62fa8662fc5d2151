"""What chapter 06 says about gradient descent from the identity."""

from functools import partial
from itertools import pairwise

import numpy as np
import pytest

from identity_edu import data, linear
from identity_edu.experiments import descent_escape

I2, J = np.eye(2), np.array([[0.0, -1.0], [1.0, 0.0]])
TARGETS = np.array([1.5 * np.exp(0.9j), 1j, 0.7 * np.exp(2.8j), -0.8, 1.6])


def as_blocks(z):
    """Write complex numbers as 2 x 2 blocks on the diagonal."""
    z = np.asarray(z, dtype=complex)
    return np.kron(np.diag(z.real), I2) + np.kron(np.diag(z.imag), J)


def flow(A, R, Sigma, time, n_steps):
    """Follow the gradient flow with the classical Runge-Kutta method."""
    h, slope = time / n_steps, partial(linear.excess_risk_gradient, R=R, Sigma=Sigma)
    for _ in range(n_steps):
        k1 = -slope(A)
        k2 = -slope(A + 0.5 * h * k1)
        k3 = -slope(A + 0.5 * h * k2)
        k4 = -slope(A + h * k3)
        A = A + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return A


def imbalance(A):
    W = np.eye(A.shape[1]) + A
    return np.array([b.T @ b - a @ a.T for a, b in pairwise(W)])


def closest_to_zero(r):
    """Return the distance of the segment from 1 to r from 0, by sampling."""
    return np.abs(1 + np.linspace(0, 1, 100_001) * (r - 1)).min()


@pytest.mark.parametrize("n_layers", [1, 2, 5, 8])
@pytest.mark.parametrize("step_times_depth", [0.02, 0.2])
def test_layers_of_a_normal_target_stay_equal_and_follow_the_recursion(
    rng, n_layers, step_times_depth
):
    eta = step_times_depth / n_layers
    Q = data.random_rotation(rng, 2 * len(TARGETS))
    R, z = Q @ as_blocks(TARGETS) @ Q.T, np.ones(len(TARGETS), dtype=complex)
    A = np.zeros((n_layers, *R.shape))
    for _ in range(8):
        run = linear.gradient_descent(A, R, np.eye(len(R)), step_size=eta, n_steps=5)
        A = run.A
        for _ in range(5):
            z = z - 2 * eta * np.conj(z) ** (n_layers - 1) * (z**n_layers - TARGETS)
        expected = Q @ as_blocks(z - 1) @ Q.T
        np.testing.assert_allclose(A, [expected] * n_layers, rtol=1e-10, atol=1e-10)
    share = 2 * np.sum(np.abs(z**n_layers - TARGETS) ** 2)
    assert run.excess_risk[-1] == pytest.approx(share, rel=1e-9)


@pytest.mark.parametrize("n_layers", [1, 2, 4, 16])
def test_the_flow_walks_straight_and_no_slower_than_promised(n_layers):
    R, A, elapsed = as_blocks(TARGETS), np.zeros((n_layers, 10, 10)), 0.0
    delta = np.array([closest_to_zero(r) for r in TARGETS])
    for _ in range(5):
        A = flow(A, R, np.eye(10), 0.4 / n_layers, 40)
        elapsed += 0.4 / n_layers
        P = linear.network_map(A)
        u = np.diag(P[::2, ::2]) + 1j * np.diag(P[1::2, ::2])
        share = (u - 1) / (TARGETS - 1)
        np.testing.assert_allclose(share.imag, 0.0, atol=1e-6)
        assert ((share.real > 0) & (share.real <= 1)).all()
        rate = 2 * n_layers * delta ** (2 - 2 / n_layers)
        promised = np.abs(1 - TARGETS) * np.exp(-rate * elapsed)
        assert (np.abs(u - TARGETS) <= promised * (1 + 1e-6)).all()
        if n_layers > 1:
            assert u[3].real > 0


@pytest.mark.parametrize("n_layers", [1, 3, 8])
def test_speed_of_a_walk_is_the_formula(n_layers):
    h, slope = 1e-5, partial(linear.excess_risk_gradient, Sigma=I2)
    for r in TARGETS:
        A = np.stack([as_blocks([0.1 + 0.2j])] * n_layers)
        step = -h * slope(A, as_blocks([r]))
        change = linear.network_map(A + step) - linear.network_map(A - step)
        u = (1.1 + 0.2j) ** n_layers
        speed = -2 * n_layers * np.abs(u) ** (2 - 2 / n_layers) * (u - r)
        expected = as_blocks([speed])
        np.testing.assert_allclose(change / (2 * h), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("share_of_bound", [0.05, 0.5, 1.0])
@pytest.mark.parametrize("n_layers", [2, 3, 5, 8, 33])
@pytest.mark.parametrize("r", [-0.1, -1.0, -3.0])
def test_a_negative_eigenvalue_is_never_reached_below_the_step_bound(
    r, n_layers, share_of_bound
):
    eta, start = share_of_bound / (2 * (1 - r)), np.zeros((n_layers, 1, 1))
    R, one = np.array([[r]]), np.eye(1)
    # Two layers reach zero so fast that rounding, which makes them unequal, grows too.
    n_steps = 300 if n_layers > 2 else 10
    run = linear.gradient_descent(start, R, one, step_size=eta, n_steps=n_steps)
    assert (run.excess_risk >= r**2 * (1 - 1e-12)).all()
    assert (-1 - 1e-12 <= run.A).all()
    assert (run.A <= 0).all()


def test_a_negative_eigenvalue_is_out_of_reach_among_others(rng):
    Q = data.random_rotation(rng, 4)
    R = Q @ np.diag([1.5, 0.7, -0.6, -0.9]) @ Q.T
    start = np.zeros((6, 4, 4))
    run = linear.gradient_descent(start, R, np.eye(4), step_size=0.02, n_steps=600)
    assert run.excess_risk.min() >= 0.6**2 + 0.9**2
    assert run.excess_risk[-1] <= 0.6**2 + 0.9**2 + 0.05


def test_an_imbalance_as_small_as_rounding_frees_two_layers_but_not_three():
    one = np.eye(1)
    for n_layers, outcome in ((2, "converged"), (3, "out of steps")):
        start = np.zeros((n_layers, 1, 1))
        start[0] = 1e-15
        run = linear.gradient_descent(
            start, -one, one, step_size=0.1, n_steps=2000, tol=1e-20
        )
        assert run.outcome == outcome


@pytest.mark.parametrize("n_layers", [4, 6, 10])
def test_no_step_takes_an_even_network_across_zero(rng, n_layers):
    for eta in 10 ** rng.uniform(-2, 1, 40):
        start, one = np.zeros((n_layers, 1, 1)), np.eye(1)
        with np.errstate(over="ignore", invalid="ignore"):
            run = linear.gradient_descent(start, -one, one, step_size=eta, n_steps=50)
        assert run.excess_risk[np.isfinite(run.excess_risk)].min() >= 1 - 1e-12


@pytest.mark.parametrize(("n_layers", "r"), [(3, -0.5), (5, -0.2)])
def test_an_odd_network_leaps_as_soon_as_the_step_exceeds_the_bound(n_layers, r):
    start, R, one = np.zeros((n_layers, 1, 1)), np.array([[r]]), np.eye(1)
    descend = partial(linear.gradient_descent, start, R, one, n_steps=5000, tol=1e-16)
    bound = 1 / (2 * (1 - r))
    assert descend(step_size=1.1 * bound).outcome == "converged"
    assert descend(step_size=0.99 * bound).outcome == "out of steps"


@pytest.mark.parametrize(("n_layers", "d"), [(2, 1), (2, 3), (3, 2), (6, 4)])
def test_the_flow_from_zero_keeps_the_determinant_and_the_risk_up(rng, n_layers, d):
    for _ in range(4):
        R = data.random_map(rng, d, condition=4.0, det_sign=-1)
        Sigma = data.random_covariance(rng, d, condition=3.0)
        barrier = np.linalg.eigvalsh(Sigma)[0] * np.linalg.svd(R)[1][-1] ** 2
        A = np.zeros((n_layers, d, d))
        for _ in range(6):
            A = flow(A, R, Sigma, 1.0 / n_layers, 60)
            assert (np.linalg.det(np.eye(d) + A) > 0).all()
            assert linear.excess_risk(A, R, Sigma) >= barrier * (1 - 1e-12)


def test_the_barrier_is_approached_when_the_covariance_is_the_identity(rng):
    R = data.random_map(rng, 3, condition=4.0, det_sign=-1)
    start = np.zeros((4, 3, 3))
    run = linear.gradient_descent(start, R, np.eye(3), step_size=0.02, n_steps=4000)
    barrier = np.linalg.svd(R)[1][-1] ** 2
    assert barrier <= run.excess_risk[-1] <= 1.01 * barrier


@pytest.mark.parametrize(("n_layers", "d"), [(2, 1), (3, 4), (6, 2)])
def test_the_flow_conserves_the_balance_of_neighbouring_layers(rng, n_layers, d):
    A = data.random_layers(rng, n_layers, d, tau=0.4)
    R, Sigma = data.linear_problem(rng, d)
    later = flow(A, R, Sigma, 0.5 / n_layers, 200)
    assert np.abs(later - A).max() > 1e-2
    np.testing.assert_allclose(imbalance(later), imbalance(A), atol=1e-7)


def test_descent_loses_the_balance_in_proportion_to_its_step(rng):
    R, drifts = data.random_map(rng, 3, condition=4.0), []
    for n_steps in (200, 2000):
        run = linear.gradient_descent(
            np.zeros((4, 3, 3)), R, np.eye(3), step_size=2 / n_steps, n_steps=n_steps
        )
        drifts.append(np.abs(imbalance(run.A)).max())
    assert np.log10(drifts[0] / drifts[1]) == pytest.approx(1.0, abs=0.1)


def sharpness(A):
    """Largest eigenvalue of the Hessian at a minimum, from central differences."""
    columns = []
    for index in np.ndindex(*A.shape):
        Z = np.zeros(A.shape)
        Z[index] = 1e-5
        change = linear.network_map(A + Z) - linear.network_map(A - Z)
        columns.append(change.ravel() / 2e-5)
    return 2 * np.linalg.norm(np.array(columns), 2) ** 2


@pytest.mark.parametrize(("n_layers", "d"), [(1, 3), (3, 2), (5, 3), (16, 1)])
def test_sharpness_of_a_balanced_minimum(rng, n_layers, d):
    U = [data.random_rotation(rng, d) for _ in range(n_layers + 1)]
    D = np.diag(rng.uniform(0.7, 1.4, d))
    A = np.stack([U[i + 1] @ D @ U[i].T - np.eye(d) for i in range(n_layers)])
    R = linear.network_map(A)
    np.testing.assert_allclose(imbalance(A), 0.0, atol=1e-12)
    expected = 2 * n_layers * np.linalg.norm(R, 2) ** (2 - 2 / n_layers)
    assert sharpness(A) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("n_layers", "d"), [(1, 3), (2, 2), (5, 3), (9, 2)])
def test_no_minimum_is_flatter_than_a_balanced_one(rng, n_layers, d):
    for tau in (0.1, 0.5, 0.9):
        A = data.random_layers(rng, n_layers, d, tau=tau)
        largest = np.linalg.norm(linear.network_map(A), 2)
        least = 2 * n_layers * largest ** (2 - 2 / n_layers)
        assert sharpness(A) >= least * (1 - 1e-8)


@pytest.mark.parametrize("n_layers", [1, 4, 16])
def test_descent_converges_below_the_largest_stable_step_and_not_above(rng, n_layers):
    Q = data.random_rotation(rng, 3)
    R = Q @ np.diag([1.8, 1.0, 0.6]) @ Q.T
    largest = 1 / (n_layers * 1.8 ** (2 - 2 / n_layers))
    start = np.zeros((n_layers, 3, 3))
    descend = partial(linear.gradient_descent, start, R, np.eye(3), n_steps=1500)
    assert descend(step_size=0.95 * largest).excess_risk[-1] <= 1e-16
    above = descend(step_size=1.05 * largest).excess_risk
    assert above[-1] >= 1e-3


@pytest.mark.parametrize("n_layers", [4, 8, 32])
def test_constant_of_the_wait_is_the_integral_along_the_line(n_layers):
    # x = sinh(t) makes the integrand fall exponentially: the trapezium rule is exact.
    t = np.linspace(-60, 60, 40_001)
    values = np.cosh(t) ** (2 / n_layers - 1)
    integral = np.sum(values) * (t[1] - t[0])
    tail = 1e-10 if n_layers > 4 else 1e-8
    assert descent_escape.passing_constant(n_layers) == pytest.approx(
        integral, rel=tail
    )


def test_height_of_a_line_is_where_it_crosses_the_axis():
    start = as_blocks([0.2 + 0.3j])[None]  # from 1.2 + 0.3i to -1
    share = 1.2 / 2.2
    height = descent_escape.passing_height(start)
    assert height == pytest.approx(0.3 * (1 - share), rel=1e-12)


def test_a_stable_step_can_leap_to_a_small_negative_target():
    r, n_layers, step_size = -0.1, 101, 0.9
    assert 1 / (2 * (1 + abs(r))) < step_size < 1 / (n_layers * abs(r) ** (2 - 2 / 101))
    run = linear.gradient_descent(
        np.zeros((n_layers, 1, 1)),
        np.array([[r]]),
        np.eye(1),
        step_size=step_size,
        n_steps=400,
        tol=1e-20,
    )
    assert run.outcome == "converged"


def test_a_defective_target_is_learned_where_minus_the_identity_is_not():
    defective = np.array([[-1.0, 0.3], [0.0, -1.0]])
    runs = [
        linear.gradient_descent(
            np.zeros((8, 2, 2)), R, np.eye(2), step_size=0.02, n_steps=20_000, tol=1e-16
        )
        for R in (defective, -np.eye(2))
    ]
    assert runs[0].outcome == "converged"
    assert runs[1].excess_risk.min() >= 2.0


@pytest.mark.parametrize("factor", [1.5, 2.5])
def test_an_exceptional_start_converges_above_the_largest_stable_step(factor):
    R, n_layers = np.diag([1.0, 0.5]), 8  # the eigenvalue 1 has nothing to learn
    run = linear.gradient_descent(
        np.zeros((n_layers, 2, 2)),
        R,
        np.eye(2),
        step_size=factor / n_layers,
        n_steps=5000,
        tol=1e-20,
    )
    assert run.outcome == "converged"
