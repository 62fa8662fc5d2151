"""Gradient descent with momentum: the recursion, the decay, the schedule."""

import numpy as np
import pytest

from identity_edu.optim import SGD, step_decay


def params(xp=np):
    return {"W": xp.asarray([[1.0, -2.0]]), "b": xp.asarray([0.5])}


GRAD = {"W": np.array([[0.1, 0.2]]), "b": np.array([-0.3])}


def test_steps_follow_the_recursion_written_out():
    p, optimiser = params(), None
    optimiser = SGD(p, 0.1, momentum=0.9, weight_decay=0.01)
    W, b, v_W, v_b = np.array([[1.0, -2.0]]), np.array([0.5]), 0.0, 0.0
    for _ in range(5):
        optimiser.step(GRAD)
        v_W = 0.9 * v_W + GRAD["W"] + 0.01 * W
        v_b = 0.9 * v_b + GRAD["b"]  # thresholds do not decay
        W, b = W - 0.1 * v_W, b - 0.1 * v_b
        np.testing.assert_allclose(p["W"], W, rtol=1e-14)
        np.testing.assert_allclose(p["b"], b, rtol=1e-14)
    assert optimiser.n_steps == 5


def test_without_momentum_a_step_is_the_gradient_times_the_rate():
    p = params()
    SGD(p, 0.5, momentum=0.0).step(GRAD)
    np.testing.assert_allclose(p["W"], [[0.95, -2.1]], rtol=1e-14)


def test_decay_acts_on_the_named_parameters_alone():
    p, zero = params(), {k: np.zeros_like(v) for k, v in GRAD.items()}
    SGD(p, 0.1, weight_decay=1.0, decayed=["b"]).step(zero)
    np.testing.assert_array_equal(p["W"], params()["W"])
    np.testing.assert_allclose(p["b"], [0.45])


def test_parameters_change_in_place_and_gradients_do_not():
    p = params()
    W, grad = p["W"], {k: v.copy() for k, v in GRAD.items()}
    SGD(p, 0.1, weight_decay=0.1).step(grad)
    assert p["W"] is W
    assert not np.array_equal(W, params()["W"])
    for name, g in grad.items():
        np.testing.assert_array_equal(g, GRAD[name])


def test_a_projection_is_called_after_every_step_with_the_steps_done():
    seen = []

    def projection(params, n_steps):
        seen.append((n_steps, params["W"].copy()))
        params["W"][...] = 1.0

    p = params()
    optimiser = SGD(p, 0.1, momentum=0.0, projection=projection)
    optimiser.step(GRAD)
    optimiser.step(GRAD)
    assert [n for n, _ in seen] == [1, 2]
    # Called after the update, and what it writes is where the next step begins.
    np.testing.assert_allclose(seen[0][1], params()["W"] - 0.1 * GRAD["W"])
    np.testing.assert_allclose(seen[1][1], 1.0 - 0.1 * GRAD["W"])
    np.testing.assert_array_equal(p["W"], np.ones((1, 2)))


def test_momentum_descends_a_quadratic_faster_than_plain_steps():
    curvature = np.array([1.0, 0.01])
    ends = {}
    for momentum in (0.0, 0.9):
        p = {"x": np.ones(2)}
        optimiser = SGD(p, 1.0, momentum=momentum)
        for _ in range(300):
            optimiser.step({"x": curvature * p["x"]})
        ends[momentum] = np.abs(p["x"]).max()
    assert ends[0.9] < 1e-3 * ends[0.0]


def test_a_schedule_is_asked_at_every_step():
    p = {"x": np.zeros(1)}
    optimiser = SGD(p, lambda step: [1.0, 0.1, 0.01][step], momentum=0.0)
    for expected in (1.0, 0.1, 0.01):
        assert optimiser.learning_rate == expected
        optimiser.step({"x": np.ones(1)})
    np.testing.assert_allclose(p["x"], [-1.11])


def test_step_decay_falls_at_its_drops():
    rates = [step_decay(t, initial=0.05, drops=(3, 5)) for t in range(7)]
    np.testing.assert_allclose(rates, [0.05] * 3 + [0.005] * 2 + [0.0005] * 2)
    assert step_decay(9, initial=0.05, drops=()) == 0.05
    assert step_decay(4, initial=1.0, drops=(4,), factor=0.5) == 0.5


def test_numbers_and_names_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"momentum must be in \[0, 1\); got 1"):
        SGD(params(), 0.1, momentum=1)
    with pytest.raises(ValueError, match="weight_decay must be at least 0; got -1"):
        SGD(params(), 0.1, weight_decay=-1)
    with pytest.raises(ValueError, match=r"decayed must name parameters; \['w'\]"):
        SGD(params(), 0.1, decayed=["W", "w"])
    with pytest.raises(ValueError, match=r"the parameters' keys; see \['b'\]"):
        SGD(params(), 0.1).step({"W": GRAD["W"]})


def test_float32_stays_float32(xp):
    p = {k: xp.asarray(v, dtype=xp.float32) for k, v in params(xp).items()}
    grad = {k: xp.asarray(v, dtype=xp.float32) for k, v in GRAD.items()}
    optimiser = SGD(p, 0.1, weight_decay=1e-4)
    optimiser.step(grad)
    assert p["W"].dtype == optimiser.velocity["W"].dtype == xp.float32
