"""The singular values of convolutions, against matrices written entry by entry."""

import numpy as np
import pytest

from identity_edu import conv
from identity_edu.backend import to_numpy
from identity_edu.conv import (
    circular_norm,
    circular_singular_values,
    direct,
    operator_matrix,
    operator_norm,
    spectrum,
)

SHAPES = {  # size, k, c_in, c_out
    "square": ((5, 5), 3, 2, 2),
    "even": ((6, 4), 3, 2, 3),
    "odd by even": ((5, 4), 3, 3, 2),
    "even by odd": ((4, 7), 5, 1, 2),
    "one channel": ((6, 5), 3, 1, 1),
    "1 x 1 kernel": ((3, 4), 1, 3, 2),
    "wider than the image": ((2, 3), 7, 2, 3),
    "wider one way": ((9, 2), 5, 2, 1),
    "one pixel": ((1, 1), 3, 2, 2),
    "one row": ((1, 6), 3, 2, 2),
}
SMOOTH = np.outer([1, 2, 1], [1, 2, 1])[:, :, None, None] / 16.0
ROUGH = np.outer([-1, 2, -1], [-1, 2, -1])[:, :, None, None] / 1.0

each_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


def kernel(rng, shape):
    size, k, c_in, c_out = shape
    return rng.standard_normal((k, k, c_in, c_out)), size


# The matrix


@each_shape
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_the_matrix_is_the_convolution(rng, shape, stride):
    W, size = kernel(rng, shape)
    x = rng.standard_normal((1, *size, W.shape[2]))
    A = operator_matrix(W, size, stride=stride)
    y = direct.conv2d(x, W, stride=stride)
    np.testing.assert_allclose(A @ x.ravel(), y.ravel(), atol=1e-12)


@each_shape
@pytest.mark.parametrize("stride", [1, 2])
def test_the_circular_matrix_sees_the_image_again_outside_it(rng, shape, stride):
    W, size = kernel(rng, shape)
    r = len(W) // 2
    x = rng.standard_normal((1, *size, W.shape[2]))
    around = np.pad(x, ((0, 0), (r, r), (r, r), (0, 0)), mode="wrap")
    full = direct.conv2d(around, W)[:, r : r + size[0], r : r + size[1]]
    A = operator_matrix(W, size, stride=stride, padding="circular")
    expected = full[:, ::stride, ::stride].ravel()
    np.testing.assert_allclose(A @ x.ravel(), expected, atol=1e-12)


@each_shape
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("module", [conv, direct])
def test_the_input_gradient_is_the_transposed_matrix(rng, shape, stride, module):
    W, size = kernel(rng, shape)
    x = np.zeros((1, *size, W.shape[2]))
    y = direct.conv2d(x, W, stride=stride)
    y = rng.standard_normal(y.shape)
    back = module.conv2d_input_gradient(y, x, W, stride=stride)
    A = operator_matrix(W, size, stride=stride)
    assert back.shape == x.shape
    np.testing.assert_allclose(back.ravel(), A.T @ y.ravel(), atol=1e-12)


@pytest.mark.parametrize("body", ["direct", "winograd"])
def test_the_input_gradient_is_the_first_of_the_backward_pass(rng, body):
    W = rng.standard_normal((3, 3, 5, 4), dtype=np.float32)
    x = rng.standard_normal((3, 7, 6, 5), dtype=np.float32)
    y = rng.standard_normal((3, 7, 6, 4), dtype=np.float32)
    alone = conv.conv2d_input_gradient(y, x, W, body=body)
    both = conv.conv2d_backward(y, x, W, body=body)
    np.testing.assert_array_equal(alone, both[0])
    assert alone.dtype == np.float32


def test_a_gradient_of_another_dtype_is_left_to_the_definition(rng):
    W = rng.standard_normal((3, 3, 32, 32), dtype=np.float32)
    x = rng.standard_normal((1, 12, 12, 32), dtype=np.float32)
    y = rng.standard_normal((1, 12, 12, 32))
    expected = direct.conv2d_input_gradient(y, x, W)
    assert expected.dtype == np.float64
    np.testing.assert_array_equal(conv.conv2d_input_gradient(y, x, W), expected)
    np.testing.assert_array_equal(conv.conv2d_backward(y, x, W)[0], expected)


def test_an_input_gradient_of_a_wrong_shape_or_body_is_refused(rng):
    W, x = rng.standard_normal((3, 3, 2, 4)), np.zeros((1, 5, 4, 2))
    for module in (conv, direct):
        with pytest.raises(ValueError, match=r"grad_y must be \(1, 3, 2, 4\); got"):
            module.conv2d_input_gradient(np.zeros((1, 5, 4, 4)), x, W, stride=2)
    with pytest.raises(ValueError, match="body must be one of"):
        conv.conv2d_input_gradient(np.zeros((1, 5, 4, 4)), x, W, body="fft")


# The Fourier transform


@each_shape
def test_the_transform_gives_the_singular_values_of_the_circular_matrix(rng, shape):
    W, size = kernel(rng, shape)
    values = circular_singular_values(W, size)
    assert values.shape == (*size, min(W.shape[2:]))
    assert (np.diff(values, axis=2) <= 0).all()
    A = operator_matrix(W, size, padding="circular")
    exact = np.linalg.svd(A, compute_uv=False)
    assert len(exact) == values.size  # a rectangular matrix has just as many
    np.testing.assert_allclose(
        np.sort(values.ravel())[::-1], exact, atol=1e-12 * exact[0]
    )
    assert circular_norm(W, size) == pytest.approx(exact[0], rel=1e-12)


@pytest.mark.parametrize("size", [(4, 5), (5, 4), (6, 6), (3, 3)])
def test_each_frequency_has_its_own_singular_values(rng, size):
    """Not only their set: a wave of one frequency is stretched by its matrix."""
    W = rng.standard_normal((3, 3, 2, 3))
    values = circular_singular_values(W, size)
    for u, v in np.ndindex(*size):
        symbol = sum(
            W[a, b] * np.exp(2j * np.pi * (u * a / size[0] + v * b / size[1]))
            for a, b in np.ndindex(3, 3)
        )
        exact = np.linalg.svd(symbol, compute_uv=False)
        np.testing.assert_allclose(values[u, v], exact, rtol=1e-12)


# Zero padding


@each_shape
@pytest.mark.parametrize("stride", [1, 2])
def test_lanczos_gives_the_norm_of_the_matrix_with_zeros_outside(rng, shape, stride):
    W, size = kernel(rng, shape)
    exact = np.linalg.norm(operator_matrix(W, size, stride=stride), 2)
    assert operator_norm(W, size, stride=stride) == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("size", [(8, 8), (32, 32), (31, 64), (96, 96)])
def test_lanczos_reaches_it_where_the_largest_are_close_together(size):
    """The norms of this kernel on an image are known: it is a product of two."""
    exact = np.prod([(1 + np.cos(np.pi / (side + 1))) / 2 for side in size])
    assert operator_norm(SMOOTH, size) == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("stride", [1, 2])
def test_lanczos_reaches_it_where_many_channels_share_the_norm(rng, stride):
    """Every singular value of the smooth kernel comes eight times, or nearly."""
    Q, _ = np.linalg.qr(rng.standard_normal((8, 8)))
    for spread in (0.0, 1e-7, 1e-4, 1e-2):
        W = SMOOTH * (Q * (1 + spread * np.arange(8)))
        exact = np.linalg.norm(operator_matrix(W, (11, 9), stride=stride), 2)
        assert operator_norm(W, (11, 9), stride=stride) == pytest.approx(
            exact, rel=1e-6
        )


def test_lanczos_finds_the_largest_in_a_start_that_has_little_of_it(rng):
    """A residual of 1e-6 is reached while the second is still taken for the first."""
    first, second = np.diag([1.0, 0.0]), np.diag([0.0, 1 - 2e-4])
    W = SMOOTH * first + SMOOTH * second
    start = rng.standard_normal((8, 8, 2)) * [1e-3, 1]
    exact = ((1 + np.cos(np.pi / 9)) / 2) ** 2
    assert operator_norm(W, (8, 8), start=start) == pytest.approx(exact, rel=1e-6)
    assert operator_norm(W, (8, 8), start=start, tol=1e-6) < exact * (1 - 1e-6)


def test_more_steps_than_are_kept_at_once_go_on_where_they_ended(monkeypatch):
    monkeypatch.setattr(spectrum, "STEPS", 8)
    monkeypatch.setattr(spectrum, "ROUNDS", 200)
    exact = ((1 + np.cos(np.pi / 33)) / 2) ** 2
    assert operator_norm(SMOOTH, (32, 32)) == pytest.approx(exact, rel=1e-6)
    monkeypatch.setattr(spectrum, "ROUNDS", 2)
    with pytest.raises(RuntimeError, match="after 16 steps it is"):
        operator_norm(SMOOTH, (32, 32))


@each_shape
@pytest.mark.parametrize("stride", [1, 2])
def test_a_circle_larger_by_r_bounds_the_norm_with_zeros_outside(rng, shape, stride):
    W, size = kernel(rng, shape)
    wider = tuple(side + len(W) // 2 for side in size)
    norm = operator_norm(W, size, stride=stride)
    assert norm <= circular_norm(W, wider) * (1 + 1e-12)


def test_a_circle_of_the_same_size_is_no_bound_and_can_be_far_off_on_either_side():
    # Four pixels wide, with zeros outside, nothing sees all nine ones.
    ones = np.ones((3, 3, 1, 1))
    assert circular_norm(ones, (4, 4)) == pytest.approx(9, rel=1e-12)
    exact = (1 + 2 * np.cos(np.pi / 5)) ** 2
    assert operator_norm(ones, (4, 4)) == pytest.approx(exact, rel=1e-6)
    # The fastest wave, which this kernel stretches most, does not fit on three pixels.
    assert circular_norm(ROUGH, (3, 3)) == pytest.approx(9, rel=1e-12)
    exact = (2 + 2 * np.cos(np.pi / 4)) ** 2
    assert operator_norm(ROUGH, (3, 3)) == pytest.approx(exact, rel=1e-6)
    assert exact > 1.29 * 9
    assert circular_norm(ROUGH, (4, 4)) == pytest.approx(16, rel=1e-12)


def test_both_norms_meet_on_large_images(rng):
    W = rng.standard_normal((3, 3, 2, 2))
    gaps = [
        circular_norm(W, (n + 1, n + 1)) / operator_norm(W, (n, n)) - 1
        for n in (4, 16, 64)
    ]
    assert gaps[0] > gaps[1] > gaps[2] > 0
    assert gaps[2] < 0.01


# Contract


def test_a_start_of_another_size_is_refused(rng):
    W = rng.standard_normal((3, 3, 2, 2))
    for shape in ((9, 9, 2), (5, 5), (1, 5, 5, 2)):
        with pytest.raises(ValueError, match=r"start must be \(5, 5, 2\); got"):
            operator_norm(W, (5, 5), start=np.ones(shape))


@pytest.mark.parametrize("shape", [(3, 3, 0, 2), (3, 3, 2, 0)])
def test_a_kernel_without_channels_is_refused(shape):
    for function in (operator_norm, circular_norm, operator_matrix):
        with pytest.raises(ValueError, match=r"W must be .*; got"):
            function(np.ones(shape), (5, 5))


def test_the_norm_scales_with_the_kernel_and_is_zero_with_it(rng):
    W = rng.standard_normal((3, 3, 2, 3))
    norm = operator_norm(W, (5, 4))
    for scale in (1e-170, 1e170):  # whose squares are out of range
        assert operator_norm(scale * W, (5, 4)) == pytest.approx(scale * norm, rel=1e-6)
    assert operator_norm(0 * W, (5, 4)) == 0.0


def test_a_start_is_used_and_not_changed(rng):
    W = rng.standard_normal((3, 3, 2, 3))
    start = rng.standard_normal((5, 4, 2))
    before = start.copy()
    expected = operator_norm(W, (5, 4))
    assert operator_norm(W, (5, 4), start=start) == pytest.approx(expected, rel=1e-6)
    np.testing.assert_array_equal(start, before)
    with pytest.raises(ValueError, match="start must be finite and not zero"):
        operator_norm(W, (5, 4), start=0 * start)


def test_single_precision_and_integers_are_taken(rng, xp):
    W = rng.standard_normal((3, 3, 2, 3)).astype(np.float32)
    exact = np.linalg.norm(operator_matrix(W.astype(float), (5, 4)), 2)
    there = xp.asarray(W)
    assert operator_matrix(there, (5, 4)).dtype == np.float32
    assert circular_singular_values(there, (5, 4)).dtype == np.float32
    values = to_numpy(circular_singular_values(there, (5, 4)))
    np.testing.assert_allclose(values, circular_singular_values(W, (5, 4)), rtol=1e-4)
    assert operator_norm(there, (5, 4)) == pytest.approx(exact, rel=1e-6)
    assert isinstance(operator_norm(there, (5, 4)), float)
    assert operator_norm(np.ones((3, 3, 1, 1), int), (1, 1)) == pytest.approx(1)


FUNCTIONS = (operator_matrix, circular_singular_values, circular_norm, operator_norm)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_kernels_and_sizes_of_no_convolution_are_refused(rng, function):
    W = rng.standard_normal((3, 3, 2, 3))
    before = W.copy()
    for wrong in (W[:2, :2], W[:, :1], W[0]):
        with pytest.raises(ValueError, match=r"\(k, k, c_in, c_out\), k odd; got"):
            function(wrong, (5, 4))
    for size in ((5,), (5, 0), (5, 4, 3)):
        with pytest.raises(ValueError, match="size must be two numbers, at least 1"):
            function(W, size)
    np.testing.assert_array_equal(W, before)


def test_what_else_cannot_be_is_refused(rng):
    W = rng.standard_normal((3, 3, 2, 3))
    with pytest.raises(
        ValueError, match=r"padding must be one of zeros, circular; got"
    ):
        operator_matrix(W, (5, 4), padding="reflect")
    for function in (operator_matrix, operator_norm):
        with pytest.raises(ValueError, match="stride must be at least 1; got 0"):
            function(W, (5, 4), stride=0)
    W[0, 0, 0, 0] = np.inf
    with pytest.raises(ValueError, match="W must be finite"):
        operator_norm(W, (5, 4))
