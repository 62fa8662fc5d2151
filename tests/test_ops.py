"""Each function and its backward: exact derivatives, adjoints, refusals."""

from functools import partial

import numpy as np
import pytest

from identity_edu import ops
from identity_edu.numerics import convergence_order, difference_gradient

LABELS = np.array([0, 2, 1, 2, 0])


def away_from_kinks(rng, shape, gap=0.5):
    """Draw numbers whose distance from 0 is at least `gap`."""
    values = rng.standard_normal(shape)
    return values + np.sign(values) * gap


def functions(rng):
    """Every array function: forward, backward, and its array arguments."""
    X, W, b = (rng.standard_normal(s) for s in ((5, 4), (3, 4), (3,)))
    return {
        "dense": (ops.dense, ops.dense_backward, (X, W, b)),
        "dense without b": (ops.dense, ops.dense_backward, (X, W)),
        "relu": (ops.relu, ops.relu_backward, (away_from_kinks(rng, (5, 4)),)),
        "append": (partial(ops.resize, width=6), ops.resize_backward, (X,)),
        "cut": (partial(ops.resize, width=2), ops.resize_backward, (X,)),
    }


NAMES = sorted(functions(np.random.default_rng(0)))


def gradients(backward, delta, arguments):
    """Return the gradients as a tuple, also where there is one only."""
    result = backward(delta, *arguments)
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_exact_to_second_order(rng, name):
    f, backward, arguments = functions(rng)[name]
    # The cosine bends what is linear or quadratic: those have no error to measure.
    grads = gradients(backward, -np.sin(f(*arguments)), arguments)
    assert len(grads) == len(arguments)
    for i, (grad, argument) in enumerate(zip(grads, arguments, strict=True)):

        def loss(moved, i=i):
            return np.cos(f(*arguments[:i], moved, *arguments[i + 1 :])).sum()

        direction = rng.uniform(-1, 1, argument.shape)  # crosses no kink at h = 0.1
        order, errors = convergence_order(loss, grad, argument, direction)
        assert order == pytest.approx(2.0, abs=0.1), f"argument {i}: errors {errors}"


@pytest.mark.parametrize("name", NAMES)
def test_backward_is_the_adjoint_of_the_derivative(rng, name):
    f, backward, arguments = functions(rng)[name]
    delta = rng.standard_normal(f(*arguments).shape)
    for i, grad in enumerate(gradients(backward, delta, arguments)):
        direction = rng.uniform(-1, 1, arguments[i].shape)
        # Each is linear in each argument (relu: on one side of its kinks), so the
        # difference of two values is the derivative.
        moved = (*arguments[:i], arguments[i] + 0.1 * direction, *arguments[i + 1 :])
        change = (f(*moved) - f(*arguments)) / 0.1
        left, right = np.sum(change * delta), np.sum(grad * direction)
        assert left == pytest.approx(right, rel=1e-10, abs=1e-12)


LOSSES = {
    "squared": (ops.squared_loss, ops.squared_loss_backward),
    "cross-entropy": (ops.softmax_cross_entropy, ops.softmax_cross_entropy_backward),
}


@pytest.mark.parametrize("scale", [0.3, 3.0, 1e-3])
def test_cross_entropy_gradient_is_exact_to_second_order(rng, scale):
    scores = scale * rng.standard_normal((5, 3))
    loss = partial(ops.softmax_cross_entropy, labels=LABELS)
    grad = ops.softmax_cross_entropy_backward(scores, LABELS)
    direction = rng.standard_normal(scores.shape)
    order, errors = convergence_order(loss, grad, scores, direction)
    assert order == pytest.approx(2.0, abs=0.1), f"errors {errors}"


def test_squared_loss_gradient_is_exact(rng):
    Y_hat, Y = rng.standard_normal((2, 5, 3))
    bent = partial(lambda Z, Y: np.cos(ops.squared_loss(Z, Y)), Y=Y)
    grad = -np.sin(ops.squared_loss(Y_hat, Y)) * ops.squared_loss_backward(Y_hat, Y)
    order, errors = convergence_order(bent, grad, Y_hat, 0.1 * (Y - Y_hat + 1))
    assert order == pytest.approx(2.0, abs=0.1), f"errors {errors}"
    by_differences = difference_gradient(partial(ops.squared_loss, Y=Y), Y_hat)
    np.testing.assert_allclose(
        ops.squared_loss_backward(Y_hat, Y), by_differences, rtol=1e-6, atol=1e-9
    )


def test_dense_is_the_papers_map_row_by_row(rng):
    X, W, b = (rng.standard_normal(s) for s in ((5, 4), (3, 4), (3,)))
    for x, y in zip(X, ops.dense(X, W, b), strict=True):
        np.testing.assert_allclose(y, W @ x + b, rtol=1e-12)


def test_dense_backward_sums_over_the_rows(rng):
    delta, X, W, b = (rng.standard_normal(s) for s in ((5, 3), (5, 4), (3, 4), (3,)))
    grad_X, grad_W, grad_b = ops.dense_backward(delta, X, W, b)
    rows = [
        ops.dense_backward(d[None], x[None], W, b)
        for d, x in zip(delta, X, strict=True)
    ]
    np.testing.assert_allclose(grad_X, np.concatenate([r[0] for r in rows]), rtol=1e-12)
    np.testing.assert_allclose(grad_W, sum(r[1] for r in rows), rtol=1e-12)
    np.testing.assert_allclose(grad_b, sum(r[2] for r in rows), rtol=1e-12)


def test_relu_keeps_what_is_positive_and_passes_gradients_there():
    X = np.array([[-2.0, 0.0, 3.0]])
    np.testing.assert_array_equal(ops.relu(X), [[0.0, 0.0, 3.0]])
    np.testing.assert_array_equal(ops.relu_backward(X + 9, X), [[0.0, 0.0, 12.0]])


def test_resize_appends_zeros_or_keeps_the_first_entries():
    X = np.array([[1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(ops.resize(X, 5), [[1, 2, 3, 0, 0]])
    np.testing.assert_array_equal(ops.resize(X, 2), [[1, 2]])
    same = ops.resize(X, 3)
    np.testing.assert_array_equal(same, X)
    assert not np.shares_memory(same, X)


def test_softmax_gives_probabilities_that_no_shift_changes(rng):
    scores = rng.standard_normal((5, 3))
    p = ops.softmax(scores)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-14)
    np.testing.assert_allclose(p, ops.softmax(scores + 7.0), rtol=1e-12)
    plain = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(p, plain, rtol=1e-12)


def test_cross_entropy_is_the_mean_log_loss_in_nats(rng):
    scores = rng.standard_normal((5, 3))
    chosen = ops.softmax(scores)[np.arange(5), LABELS]
    expected = -np.log(chosen).mean()
    assert ops.softmax_cross_entropy(scores, LABELS) == pytest.approx(expected)
    even = np.zeros((5, 3))
    assert ops.softmax_cross_entropy(even, LABELS) == pytest.approx(np.log(3))
    grad = ops.softmax_cross_entropy_backward(scores, LABELS)
    np.testing.assert_allclose(grad.sum(axis=1), 0.0, atol=1e-15)


def test_large_scores_neither_overflow_nor_lose_the_loss():
    scores = np.array([[1000.0, 0.0], [-1000.0, 0.0]])
    labels = np.array([1, 1])
    assert ops.softmax_cross_entropy(scores, labels) == pytest.approx(500.0)
    grad = ops.softmax_cross_entropy_backward(scores, labels)
    np.testing.assert_allclose(grad, [[0.5, -0.5], [0.0, 0.0]], atol=1e-300)


def test_shapes_that_do_not_fit_are_refused():
    X, W = np.ones((5, 4)), np.ones((3, 4))
    with pytest.raises(ValueError, match=r"got \(5, 4\), \(3, 5\)"):
        ops.dense(X, np.ones((3, 5)))
    with pytest.raises(ValueError, match=r"got \(5, 4\), \(3, 4\), \(1,\)"):
        ops.dense(X, W, np.ones(1))  # would broadcast
    with pytest.raises(ValueError, match=r"got \(4,\)"):
        ops.dense(np.ones(4), W)
    with pytest.raises(ValueError, match=r"grad_Y must be \(5, 3\); got \(5, 1\)"):
        ops.dense_backward(np.ones((5, 1)), X, W)
    with pytest.raises(
        ValueError, match=r"must both be \(n, r\).*\(5, 4\) and \(5, 1\)"
    ):
        ops.squared_loss(X, np.ones((5, 1)))
    with pytest.raises(ValueError, match="n at least 1"):
        ops.squared_loss_backward(np.ones((0, 2)), np.ones((0, 2)))


@pytest.mark.parametrize(
    "f", [ops.softmax_cross_entropy, ops.softmax_cross_entropy_backward]
)
def test_labels_that_are_none_are_refused(f):
    scores = np.zeros((5, 3))
    with pytest.raises(ValueError, match=r"one integer label for each row.*float64"):
        f(scores, LABELS.astype(float))
    with pytest.raises(ValueError, match=r"labels \(4,\)"):
        f(scores, LABELS[:4])
    with pytest.raises(ValueError, match=r"scores \(0, 3\)"):
        f(scores[:0], LABELS[:0])


@pytest.mark.parametrize("name", NAMES)
def test_inputs_stay_as_they_are_and_float32_stays_float32(rng, xp, name):
    f, backward, arguments = functions(rng)[name]
    arrays = [xp.asarray(a, dtype=xp.float32) for a in arguments]
    before = [a.copy() for a in arrays]
    Y = f(*arrays)
    assert Y.dtype == xp.float32
    for grad, a in zip(gradients(backward, Y, arrays), arrays, strict=True):
        assert grad.dtype == xp.float32
        assert grad.shape == a.shape
    for a, b in zip(arrays, before, strict=True):
        assert bool((a == b).all())


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_losses_keep_float32_and_their_inputs(rng, xp, name):
    loss, backward = LOSSES[name]
    scores = xp.asarray(rng.standard_normal((5, 3)), dtype=xp.float32)
    target = xp.asarray(LABELS) if name == "cross-entropy" else scores[::-1]
    before = scores.copy()
    assert loss(scores, target).dtype == xp.float32
    assert backward(scores, target).dtype == xp.float32
    assert bool((scores == before).all())
