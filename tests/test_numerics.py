"""A derivative is judged by the order at which its difference errors fall."""

import numpy as np
import pytest

from identity_edu.numerics import (
    central_difference,
    convergence_order,
    difference_gradient,
)


def waves(x):
    """A smooth function without a vanishing third derivative."""
    return np.sum(np.sin(2.0 * x) + np.exp(x))


def waves_gradient(x):
    return 2.0 * np.cos(2.0 * x) + np.exp(x)


@pytest.mark.parametrize("shape", [(1,), (5,), (2, 3), (2, 2, 2)])
def test_a_right_gradient_shows_order_two(rng, shape):
    x, direction = rng.uniform(-1.0, 1.0, (2, *shape))
    order, errors = convergence_order(waves, waves_gradient(x), x, direction)
    assert order == pytest.approx(2.0, abs=0.1)
    assert len(errors) == 3
    assert errors[0] > errors[1] > errors[2]


@pytest.mark.parametrize("factor", [0.99, 1.01, 2.0, -1.0])
def test_a_gradient_off_by_one_percent_shows_no_order(rng, factor):
    x, direction = rng.uniform(0.5, 1.0, (2, 4))
    steps = (1e-2, 1e-3, 1e-4)  # below them the error of the step hides 1 %
    wrong = factor * waves_gradient(x)
    order, errors = convergence_order(waves, wrong, x, direction, steps)
    assert abs(order) < 0.1
    assert errors.min() > 0


def test_the_order_is_the_slope_of_the_errors_that_are_returned(rng):
    x, direction = rng.uniform(-1.0, 1.0, (2, 4))
    steps = (0.2, 0.1, 0.05, 0.025)
    grad = waves_gradient(x)
    order, errors = convergence_order(waves, grad, x, direction, steps)
    exact = grad @ direction
    by_hand = [abs(central_difference(waves, x, direction, h) - exact) for h in steps]
    np.testing.assert_allclose(errors, by_hand, rtol=1e-10)
    ratios = np.diff(np.log(errors)) / np.diff(np.log(steps))
    assert ratios.min() <= order <= ratios.max()


def test_a_central_difference_is_exact_on_quadratics(rng):
    A, x, direction = rng.standard_normal((4, 4)), *rng.standard_normal((2, 4))
    exact = direction @ (A + A.T) @ x
    for step in (1e-2, 1.0, 10.0):
        slope = central_difference(lambda y: y @ A @ y, x, direction, step)
        assert slope == pytest.approx(exact, rel=1e-10)


def test_the_leading_error_is_the_third_derivative_over_six():
    x, direction, step = np.array([0.3]), np.array([1.0]), 1e-2
    slope = central_difference(lambda y: np.exp(y[0]), x, direction, step)
    error = (slope - np.exp(0.3)) / (step**2 * np.exp(0.3) / 6)
    assert error == pytest.approx(1.0, rel=1e-4)  # next term: step^2 / 20


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 3), (2, 2, 2)])
def test_the_difference_gradient_agrees_with_the_formula(rng, shape):
    x = rng.uniform(-1.0, 1.0, shape)
    before = x.copy()
    grad = difference_gradient(waves, x)
    assert grad.shape == shape
    # The step of 1e-4 leaves an error of about step^2 times a third derivative of 8.
    np.testing.assert_allclose(grad, waves_gradient(x), atol=1e-7)
    np.testing.assert_array_equal(x, before)


def test_the_difference_gradient_does_not_call_at_the_point_itself():
    calls = []

    def record(y):
        calls.append(y.copy())
        return y.sum()

    grad = difference_gradient(record, np.zeros((2, 2)), step=0.5)
    np.testing.assert_allclose(grad, np.ones((2, 2)), rtol=1e-12)
    assert len(calls) == 8
    assert {float(np.abs(y).sum()) for y in calls} == {0.5}


@pytest.mark.parametrize("step", [0.0, -1e-3, float("nan")])
def test_a_step_that_is_not_positive_is_refused(step):
    with pytest.raises(ValueError, match="step must be positive; got"):
        central_difference(waves, np.ones(2), np.ones(2), step)


def test_a_direction_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"one shape; got \(2,\) and \(1,\)"):
        central_difference(waves, np.ones(2), np.ones(1), 0.1)


def test_one_step_has_no_order():
    with pytest.raises(ValueError, match="at least two steps are required; got 1"):
        convergence_order(waves, np.ones(2), np.ones(2), np.ones(2), steps=(0.1,))
