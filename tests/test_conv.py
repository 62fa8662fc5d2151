"""The definition of a convolution, and the one door to every body of it."""

from functools import partial

import numpy as np
import pytest

from identity_edu import conv
from identity_edu.conv import cook_toom, direct
from identity_edu.numerics import convergence_order

# n, h, w, c_in, c_out, kernel, stride
SHAPES = [
    (1, 1, 1, 1, 1, 1, 1),
    (1, 1, 1, 1, 1, 3, 2),
    (2, 5, 4, 3, 2, 3, 1),
    (2, 5, 4, 3, 2, 3, 2),
    (3, 6, 7, 2, 4, 3, 3),
    (1, 8, 8, 1, 5, 5, 2),
    (2, 3, 9, 2, 2, 7, 1),
    (2, 4, 6, 3, 2, 1, 2),
]
each_shape = pytest.mark.parametrize("shape", SHAPES)


def problem(rng, shape, dtype=np.float64):
    """Draw images, a kernel and a gradient of the output, all of unit variance."""
    n, h, w, c_in, c_out, k, stride = shape
    x = rng.standard_normal((n, h, w, c_in)).astype(dtype)
    W = (rng.standard_normal((k, k, c_in, c_out)) / np.sqrt(k * k * c_in)).astype(dtype)
    grad_y = rng.standard_normal((n, -(-h // stride), -(-w // stride), c_out))
    return x, W, grad_y.astype(dtype)


def loop_convolution(x, W, stride):
    """Write the sum out, one number at a time, without a border."""
    n, h, w, c_in = x.shape
    k, r = len(W), len(W) // 2
    y = np.zeros((n, -(-h // stride), -(-w // stride), W.shape[3]))
    for p, q in np.ndindex(y.shape[1:3]):
        for a, b, c in np.ndindex(k, k, c_in):
            row, column = stride * p + a - r, stride * q + b - r
            if 0 <= row < h and 0 <= column < w:
                y[:, p, q] += np.outer(x[:, row, column, c], W[a, b, c])
    return y


@each_shape
def test_the_definition_is_the_sum_written_out(rng, shape):
    x, W, _ = problem(rng, shape)
    y = direct.conv2d(x, W, stride=shape[-1])
    expected = loop_convolution(x, W, shape[-1])
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@each_shape
def test_both_gradients_are_adjoint_to_the_convolution(rng, shape):
    x, W, grad_y = problem(rng, shape)
    stride = shape[-1]
    grad_x, grad_W = direct.conv2d_backward(grad_y, x, W, stride=stride)
    pairing = (direct.conv2d(x, W, stride=stride) * grad_y).sum()
    # The convolution is linear in the image, and linear in the kernel.
    scale = np.abs(x).sum() * np.abs(W).sum()
    assert abs((grad_x * x).sum() - pairing) <= 1e-14 * scale
    assert abs((grad_W * W).sum() - pairing) <= 1e-14 * scale
    other = rng.standard_normal(x.shape)
    pairing = (direct.conv2d(other, W, stride=stride) * grad_y).sum()
    assert abs((grad_x * other).sum() - pairing) <= 1e-14 * scale
    other = rng.standard_normal(W.shape)
    pairing = (direct.conv2d(x, other, stride=stride) * grad_y).sum()
    assert abs((grad_W * other).sum() - pairing) <= 1e-13 * scale


@each_shape
def test_both_gradients_are_exact_to_second_order(rng, shape):
    x, W, _ = problem(rng, shape)
    f = partial(direct.conv2d, stride=shape[-1])
    grad_x, grad_W = direct.conv2d_backward(-np.sin(f(x, W)), x, W, stride=shape[-1])
    for loss, grad, point in (
        (lambda moved: np.cos(f(moved, W)).sum(), grad_x, x),
        (lambda moved: np.cos(f(x, moved)).sum(), grad_W, W),
    ):
        direction = rng.uniform(-1, 1, point.shape)
        order, errors = convergence_order(loss, grad, point, direction)
        assert order == pytest.approx(2.0, abs=0.1), f"errors {errors}"


def test_a_middle_tap_of_the_identity_leaves_images_alone(rng):
    x, W, _ = problem(rng, (2, 5, 4, 3, 3, 3, 1))
    W[:] = 0
    W[1, 1] = np.eye(3)
    np.testing.assert_array_equal(conv.conv2d(x, W), x)


@pytest.mark.parametrize("body", conv.BODIES)
def test_inputs_are_not_modified_and_float32_stays_float32(rng, body):
    x, W, grad_y = problem(rng, (2, 5, 6, 3, 4, 3, 1), np.float32)
    before = [a.copy() for a in (x, W, grad_y)]
    y = conv.conv2d(x, W, body=body)
    grads = conv.conv2d_backward(grad_y, x, W, body=body)
    for array, copy in zip((x, W, grad_y), before, strict=True):
        np.testing.assert_array_equal(array, copy)
    assert {a.dtype for a in (y, *grads)} == {np.dtype(np.float32)}


def test_the_definition_serves_both_array_libraries(rng, xp):
    x, W, grad_y = problem(rng, (2, 5, 4, 3, 2, 3, 2))
    y = direct.conv2d(xp.asarray(x), xp.asarray(W), stride=2)
    grads = direct.conv2d_backward(*map(xp.asarray, (grad_y, x, W)), stride=2)
    expected = direct.conv2d(x, W, stride=2)
    assert bool(xp.allclose(y, xp.asarray(expected), rtol=1e-10))
    for found, right in zip(
        grads, direct.conv2d_backward(grad_y, x, W, stride=2), strict=True
    ):
        assert bool(xp.allclose(found, xp.asarray(right), rtol=1e-10))


def test_integers_are_promoted(rng):
    x, W = np.arange(16).reshape(1, 4, 4, 1), np.arange(9).reshape(3, 3, 1, 1)
    y = conv.conv2d(x, W)
    assert y.dtype == np.float64
    np.testing.assert_array_equal(y, loop_convolution(x, W, 1))


# Which body


@pytest.mark.parametrize(
    ("shape", "dtype", "body"),
    [
        ((2, 8, 8, 32, 32, 3, 1), np.float32, "winograd"),
        ((1, 10, 10, 32, 40, 3, 1), np.float32, "winograd"),
        ((1, 9, 11, 32, 40, 3, 1), np.float32, "direct"),
        ((2, 8, 8, 32, 32, 3, 1), np.float64, "direct"),
        ((2, 8, 8, 32, 32, 3, 2), np.float32, "direct"),
        ((2, 8, 8, 32, 32, 5, 1), np.float32, "direct"),
        ((2, 8, 8, 3, 32, 3, 1), np.float32, "direct"),
        ((2, 8, 8, 32, 3, 3, 1), np.float32, "direct"),
    ],
)
def test_the_body_that_fits_is_chosen_and_used(rng, monkeypatch, shape, dtype, body):
    x, W, _ = problem(rng, shape, dtype)
    assert conv.choose_body(x, W, stride=shape[-1]) == body
    used = []
    for name, function in (("winograd", "convolve"), ("direct", "conv2d")):
        module = getattr(conv, name)
        real = getattr(module, function)
        monkeypatch.setattr(
            module,
            function,
            lambda *a, real=real, name=name, **k: used.append(name) or real(*a, **k),
        )
    conv.conv2d(x, W, stride=shape[-1])
    assert used == [body]


def test_the_choice_can_be_overridden(rng):
    x, W, grad_y = problem(rng, (2, 5, 4, 2, 3, 3, 1), np.float32)
    exact = conv.conv2d(x, W, body="direct")
    np.testing.assert_array_equal(exact, direct.conv2d(x, W))
    quick = conv.conv2d(x, W, body="winograd")
    assert 0 < np.abs(quick - exact).max() < 1e-5
    quick_grads = conv.conv2d_backward(grad_y, x, W, body="winograd")
    for a, b in zip(quick_grads, direct.conv2d_backward(grad_y, x, W), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_body_that_does_not_fit_is_refused(rng):
    x, W, grad_y = problem(rng, (2, 5, 4, 2, 3, 3, 1))
    with pytest.raises(ValueError, match="float32, 3 x 3 kernels and stride 1; got"):
        conv.conv2d(x, W, body="winograd")
    with pytest.raises(ValueError, match="body must be one of direct, winograd; got"):
        conv.conv2d_backward(grad_y, x, W, body="fft")
    x, W = x.astype(np.float32), W.astype(np.float32)
    with pytest.raises(ValueError, match="stride 2"):
        conv.conv2d(x, W, body="winograd", stride=2)


@pytest.mark.parametrize("module", [conv, direct])
def test_shapes_that_no_convolution_takes_are_refused(rng, module):
    x, W, grad_y = problem(rng, (2, 5, 4, 2, 3, 3, 1))
    for wrong in (W[:2, :2], W[:, :1], W[:, :, :1], W[0]):
        with pytest.raises(ValueError, match=r"\(k, k, c_in, c_out\), k odd; got"):
            module.conv2d(x, wrong)
    with pytest.raises(ValueError, match="stride must be at least 1; got 0"):
        module.conv2d(x, W, stride=0)
    with pytest.raises(ValueError, match=r"grad_y must be \(2, 3, 2, 3\); got \(2, 5,"):
        module.conv2d_backward(grad_y, x, W, stride=2)


# The matrices

POINT_SETS = {
    "F(2, 3)": (0, 1, -1, np.inf),
    "F(4, 3), classical": (0, 1, -1, 2, -2, np.inf),
    "F(4, 3), ours": cook_toom.POINTS,
    "F(3, 3), no infinity": (0, 1, -1, 2, 0.5),
    "F(1, 3)": (0, 1, np.inf),
}


@pytest.mark.parametrize("name", POINT_SETS)
def test_the_matrices_compute_every_short_convolution(rng, name):
    points = POINT_SETS[name]
    AT, G, BT = conv.winograd_matrices(points)
    m = len(points) - 2
    assert AT.shape == (m, m + 2)
    g, d = rng.standard_normal(3), rng.standard_normal(m + 2)
    expected = np.correlate(d, g)
    np.testing.assert_allclose(AT @ ((G @ g) * (BT @ d)), expected, atol=1e-13)


@pytest.mark.parametrize("n_taps", [1, 2, 4, 5])
def test_the_matrices_serve_filters_of_any_length(rng, n_taps):
    AT, G, BT = conv.winograd_matrices(cook_toom.POINTS, n_taps=n_taps)
    g, d = rng.standard_normal(n_taps), rng.standard_normal(6)
    np.testing.assert_allclose(
        AT @ ((G @ g) * (BT @ d)), np.correlate(d, g), atol=1e-13
    )


@pytest.mark.parametrize("points", [(0, 1), (0, 1, 1, -1), (0, np.inf, np.inf, 1)])
def test_points_that_do_not_determine_a_polynomial_are_refused(points):
    with pytest.raises(ValueError, match="at least 3 different points are required"):
        conv.winograd_matrices(points)
