"""Nets as data: one forward, one backward, for every net of the book."""

from functools import partial

import numpy as np
import pytest

from identity_edu import nets, ops, relu
from identity_edu.numerics import convergence_order

KINDS = {
    "residual": {"widths": [4, 4, 4]},
    "wider": {"widths": [4, 6, 3]},
    "with a read-out": {"widths": [4, 4, 4], "n_outputs": 3},
    "plain": {"widths": [4, 5, 4], "skip": False},
    "deep": {"widths": [4] * 13, "n_outputs": 2},
}


def net_away_from_kinks(rng, widths, **options):
    """Draw a net and inputs, with every pre-activation off its kink by a wide gap.

    Thresholds of size 2, half of them positive, over branches that are small: each
    ReLU keeps its side under the moves that the tests make.
    """
    net = relu.init_net(rng, widths, init="he", **options)
    for name, array in net.params.items():
        if name.endswith(".s"):
            array[:] = np.where(np.arange(array.size) % 2, -2.0, 2.0)
        elif name.endswith((".U", ".V") if options.get("skip", True) else ".U"):
            array *= 0.25
    return net, 0.5 * rng.uniform(-1, 1, (5, widths[0]))


def bent_loss(net, X):
    return np.cos(nets.forward(net, X)[0]).sum()


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_of_a_whole_net_is_exact_to_second_order(rng, kind):
    net, X = net_away_from_kinks(rng, **KINDS[kind])
    output, cache = nets.forward(net, X)
    grad = nets.backward(net, cache, -np.sin(output))
    assert list(grad) == list(net.params)
    for name, array in net.params.items():

        def loss(moved, name=name):
            return bent_loss(nets.Net(net.blocks, net.params | {name: moved}), X)

        direction = rng.uniform(-1, 1, array.shape)
        order, errors = convergence_order(loss, grad[name], array, direction)
        assert order == pytest.approx(2.0, abs=0.1), f"{name}: errors {errors}"


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_at_the_input_is_exact_to_second_order(rng, kind):
    net, X = net_away_from_kinks(rng, **KINDS[kind])
    output, cache = nets.forward(net, X)
    *_, (delta, _) = nets.backward_sweep(net, cache, -np.sin(output))
    direction = rng.uniform(-1, 1, X.shape)
    order, errors = convergence_order(partial(bent_loss, net), delta, X, direction)
    assert order == pytest.approx(2.0, abs=0.1), f"errors {errors}"


def loop_forward(net, x):
    """Run a residual net of one width on one column, as the paper writes it."""
    h = x
    for i in range(len(net.blocks)):
        U, s, V = (net.params[f"blocks.{i}.{name}"] for name in "UsV")
        h = h + V @ np.maximum(U @ h + s, 0.0)
    return h


def test_forward_is_the_papers_recursion(rng):
    net, X = net_away_from_kinks(rng, [4] * 5)
    output, cache = nets.forward(net, X)
    expected = np.array([loop_forward(net, x) for x in X])
    np.testing.assert_allclose(output, expected, rtol=1e-12)
    states = nets.block_states(output, cache)
    assert len(states) == 5
    np.testing.assert_array_equal(states[0], X)
    np.testing.assert_array_equal(states[-1], output)


def test_sweep_meets_the_blocks_from_the_last_to_the_first(rng):
    net, X = net_away_from_kinks(rng, [4, 6, 3], n_outputs=2)
    output, cache = nets.forward(net, X)
    states = nets.block_states(output, cache)
    steps = list(nets.backward_sweep(net, cache, np.ones_like(output)))
    names = [sorted({key.rpartition(".")[0] for key in grad}) for _, grad in steps]
    assert names == [["readout"], ["blocks.1"], ["blocks.0"]]
    shapes = [delta.shape for delta, _ in steps]
    assert shapes == [h.shape for h in reversed(states[:-1])]


def test_the_identity_path_returns_the_gradient_unchanged(rng):
    net = relu.init_net(rng, [4] * 10)
    for i in range(9):
        net.params[f"blocks.{i}.V"][:] = 0.0
    X = rng.standard_normal((5, 4))
    output, cache = nets.forward(net, X)
    np.testing.assert_array_equal(output, X)
    delta = rng.standard_normal(X.shape)
    for swept, _ in nets.backward_sweep(net, cache, delta):
        np.testing.assert_array_equal(swept, delta)


def test_a_parameter_that_is_used_twice_collects_both_gradients(rng):
    W, X = rng.standard_normal((4, 4)), rng.standard_normal((5, 4))
    layer = nets.Layer(ops.dense, ops.dense_backward, ("W",))
    shared = nets.Net((nets.Block((layer,)), nets.Block((layer, layer))), {"W": W})
    output, cache = nets.forward(shared, X)
    np.testing.assert_allclose(output, (X + X @ W.T) @ (np.eye(4) + W.T @ W.T))
    grad = nets.backward(shared, cache, -np.sin(output))["W"]

    def loss(W):
        return bent_loss(nets.Net(shared.blocks, {"W": W}), X)

    order, _ = convergence_order(loss, grad, W, 0.1 * rng.standard_normal(W.shape))
    assert order == pytest.approx(2.0, abs=0.1)


def test_a_skip_may_have_parameters_of_its_own(rng):
    params = {name: rng.standard_normal((3, 4)) for name in ("branch", "skip")}
    branch, skip = (nets.Layer(ops.dense, ops.dense_backward, (n,)) for n in params)
    net = nets.Net((nets.Block((branch,), skip=(skip,)),), params)
    X, delta = rng.standard_normal((5, 4)), rng.standard_normal((5, 3))
    output, cache = nets.forward(net, X)
    np.testing.assert_allclose(output, X @ (params["branch"] + params["skip"]).T)
    grad = nets.backward(net, cache, delta)
    for name in params:
        np.testing.assert_allclose(grad[name], delta.T @ X, rtol=1e-12)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 1000])
def test_evaluation_in_batches_equals_the_forward_pass(rng, batch_size):
    net, X = net_away_from_kinks(rng, [4, 6, 3], n_outputs=2)
    output, _ = nets.forward(net, X)
    found = nets.evaluate(net, X, batch_size=batch_size)
    np.testing.assert_allclose(found, output, rtol=1e-12, atol=1e-14)
    assert nets.evaluate(net, X[:0], batch_size=batch_size).shape == (0, 2)


def test_parameters_are_counted():
    net = relu.init_net(np.random.default_rng(0), [4, 6, 6], n_outputs=3)
    assert nets.n_parameters(net) == (24 + 6 + 36) + (36 + 6 + 36) + (18 + 3)


def test_inputs_of_another_dtype_are_refused(rng):
    net, X = net_away_from_kinks(rng, [4, 4])
    for run in (nets.forward, nets.evaluate):
        with pytest.raises(
            TypeError, match=r"got float32, and blocks\.0\.U is float64"
        ):
            run(net, X.astype(np.float32))
    with pytest.raises(ValueError, match="batch_size must be at least 1; got 0"):
        nets.evaluate(net, X, batch_size=0)
    with pytest.raises(ValueError, match=r"\(n, d\), \(r, d\)"):
        nets.forward(net, X[:, :3])


def test_integers_are_promoted(rng):
    net, _ = net_away_from_kinks(rng, [4, 4])
    X = np.arange(8).reshape(2, 4)
    np.testing.assert_array_equal(
        nets.forward(net, X)[0], nets.forward(net, X.astype(float))[0]
    )


def test_nothing_is_modified_and_float32_stays_float32(rng, xp):
    net, X = net_away_from_kinks(rng, [4, 6, 3], n_outputs=2)
    params = {k: xp.asarray(a, dtype=xp.float32) for k, a in net.params.items()}
    net, X = nets.Net(net.blocks, params), xp.asarray(X, dtype=xp.float32)
    before = {k: a.copy() for k, a in params.items()}
    output, cache = nets.forward(net, X)
    grad = nets.backward(net, cache, output)
    assert output.dtype == xp.float32
    for name, array in params.items():
        assert bool((array == before[name]).all())
        assert grad[name].dtype == xp.float32
        assert grad[name].shape == array.shape
