"""What chapter 02 claims about gradient tests beyond the backward functions."""

from dataclasses import replace

import numpy as np
import pytest

from identity_edu import ops, relu
from identity_edu.experiments import load_result


def moved(net, V, t):
    return replace(net, params={k: w + t * V[k] for k, w in net.params.items()})


@pytest.mark.parametrize("n_examples", [1, 16, 64])
def test_the_nearest_kink_is_where_the_rate_of_a_right_gradient_appears(
    rng, n_examples
):
    net = relu.init_net(rng, [6, 8, 8], n_outputs=3, init="he")
    V = {k: rng.standard_normal(w.shape) for k, w in net.params.items()}
    X = rng.standard_normal((n_examples, 6))
    output, cache = relu.forward(net, X)
    grad = relu.backward(net, cache, -np.sin(output))
    slope = sum(np.sum(grad[k] * V[k]) for k in V)
    here, ahead = (
        np.array([block[0][1] for block in c[:-1]])
        for c in (cache, relu.forward(moved(net, V, 1e-7), X)[1])
    )
    nearest = np.min(np.abs(here / ((ahead - here) / 1e-7)))
    # The distance is exact to first order only: keep a factor 2 below it.
    steps = nearest / 2 / np.array([1.0, 2.0, 4.0])
    errors = []
    for h in steps:
        plus, minus = (
            np.cos(relu.evaluate(moved(net, V, t), X)).sum() for t in (h, -h)
        )
        errors.append(abs((plus - minus) / (2 * h) - slope))
    order = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert order == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("step", [0.2, 1.0, 30.0])
def test_one_kink_at_a_distance_leaves_half_an_error_that_does_not_fall(step):
    kink = 0.1
    ahead, behind = ops.relu(np.array([step - kink, -step - kink]))
    quotient = (ahead - behind) / (2 * step)
    assert quotient == pytest.approx((1 - kink / step) / 2, rel=1e-12)


def test_at_a_kink_the_sweep_differs_from_the_slope_of_a_smooth_function():
    params = {
        "b.U": np.array([[1.0], [-1.0]]),
        "b.s": np.zeros(2),
        "b.V": np.array([[1.0, -1.0]]),
    }
    net = relu.Net((relu.residual_block("b", 1, 1, skip=False),), params)
    found = []
    for x in (-0.5, 0.0, 0.5):
        output, cache = relu.forward(net, np.array([[x]]))
        [(delta, _)] = relu.backward_sweep(net, cache, np.ones((1, 1)))
        assert output.item() == x
        found.append(delta.item())
    assert found == [1.0, 0.0, 1.0]


def test_a_backward_step_of_normalised_rows_is_its_own_adjoint(rng):
    x, v, u = rng.standard_normal((3, 5))
    length = np.linalg.norm(x)
    y = x / length
    forth, back = ((w - y * (y @ w)) / length for w in (v, u))
    assert forth @ u == pytest.approx(v @ back, rel=1e-12)
    h = 1e-6
    quotient = (x + h * v) / np.linalg.norm(x + h * v)
    quotient = quotient - (x - h * v) / np.linalg.norm(x - h * v)
    np.testing.assert_allclose(quotient / (2 * h), forth, atol=1e-8)


def test_all_slopes_were_measured_at_a_few_forward_passes_at_every_size():
    cost = load_result("benchmark_gradient_cost")["values"]
    assert max(cost["n_parameters"]) > 1000 * min(cost["n_parameters"])
    assert max(cost["backward"]) < 6
    sizes = np.array(cost["n_parameters"][: len(cost["quotients"])])
    assert (np.array(cost["quotients"]) > 1.5 * sizes).all()
