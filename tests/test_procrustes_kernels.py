"""Kernels brought near to isometries by alternation, and poolings that are exact."""

from functools import partial
from itertools import islice, pairwise

import numpy as np
import pytest

from identity_edu import conv, procrustes
from identity_edu.backend import to_numpy
from identity_edu.conv.spectrum import circular_singular_values, operator_matrix
from identity_edu.numerics import convergence_order

WITHIN = 0.05  # of the mean


def gaussian_kernel(rng, k, c_in, c_out):
    return rng.standard_normal((k, k, c_in, c_out)) / np.sqrt(k * k * c_in)


def tap(rng, k, c_in, c_out):
    """A kernel of one tap that is an isometry of scale sqrt(c_out / c_in)."""
    W = np.zeros((k, k, c_in, c_out))
    K = procrustes.nearest_isometry(rng.standard_normal((c_out, c_in)))
    W[k // 2, k // 2] = np.sqrt(c_out / c_in) * K.T
    return W


def spreads(W, size, rounds):
    """The spread after each of the given numbers of rounds."""
    kernels = list(islice(procrustes.alternating_projection(W, size), max(rounds)))
    return [procrustes.spread(kernels[n - 1], size) for n in rounds]


def one_round(W, size, scale):
    """A round of the alternation by the definition: all frequencies, one by one."""
    k = len(W)
    A = np.fft.fft2(W, s=size, axes=(0, 1))
    for f in np.ndindex(*size):
        U, _, Vh = np.linalg.svd(A[f], full_matrices=False)
        A[f] = scale * U @ Vh
    full = np.fft.ifft2(A, axes=(0, 1))
    assert abs(full.imag).max() <= 1e-12
    return full.real[:k, :k]


# The alternation


@pytest.mark.parametrize("size", [(6, 5), (5, 8), (3, 3), (7, 4)])
@pytest.mark.parametrize("channels", [(2, 3), (3, 2), (1, 4), (4, 4)])
def test_a_round_is_its_definition(rng, size, channels):
    W = gaussian_kernel(rng, 3, *channels)
    expected = one_round(W, size, procrustes.transition_scale(*channels))
    got = procrustes.project_kernel(W, size)
    np.testing.assert_allclose(got, expected, atol=1e-12)
    expected = one_round(one_round(W, size, 0.7), size, 0.7)
    got = procrustes.project_kernel(W, size, scale=0.7, n_rounds=2)
    np.testing.assert_allclose(got, expected, atol=1e-11)


@pytest.mark.parametrize("channels", [(3, 4), (16, 32), (4, 4), (6, 2)])
def test_a_1x1_kernel_is_done_after_one_round(rng, channels):
    W = gaussian_kernel(rng, 1, *channels)
    got = procrustes.project_kernel(W, (8, 8))
    scale = procrustes.transition_scale(*channels)
    expected = scale * procrustes.nearest_isometry(W[0, 0].T)
    np.testing.assert_allclose(got[0, 0].T, expected, atol=1e-13)
    assert procrustes.spread(got, (1, 1)) <= 1e-13
    np.testing.assert_allclose(procrustes.project_kernel(got, (3, 3)), got, atol=1e-13)


def test_a_1x1_transition_of_stride_2_preserves_the_mean_backward_norm(rng):
    W = procrustes.project_kernel(gaussian_kernel(rng, 1, 16, 32), (8, 8))
    x, g = rng.standard_normal((300, 8, 8, 16)), rng.standard_normal((300, 4, 4, 32))
    seen = x[:, ::2, ::2]
    y = conv.conv2d(x, W, stride=2)
    assert (y**2).sum() == pytest.approx(2 * (seen**2).sum(), rel=1e-12)
    back = conv.conv2d_backward(g, x, W, stride=2)[0]
    assert (back**2).sum() == pytest.approx((g**2).sum(), rel=0.01)


@pytest.mark.parametrize("channels", [(1, 16), (3, 64)])
def test_the_alternation_reaches_an_isometry_where_taps_can_have_ranges_of_their_own(
    rng, channels
):
    W = gaussian_kernel(rng, 3, *channels)
    after = spreads(W, (8, 8), [1, 5, 10, 20, 40, 80])
    assert after[2] <= WITHIN
    assert after == sorted(after, reverse=True)
    assert after[0] >= 0.1
    # a constant factor a round: from 20 to 40 and from 40 to 80
    assert after[4] <= 0.2 * after[3]
    assert after[5] <= 0.05 * after[4]


def test_more_outputs_than_inputs_take_forty_rounds(rng):
    W = gaussian_kernel(rng, 3, 32, 64)
    after = spreads(W, (8, 8), [1, 5, 40])
    assert after[0] > 0.4
    assert 0.2 < after[1] < 0.35
    assert 0.02 < after[2] <= WITHIN + 0.005


def test_a_square_kernel_far_from_an_isometry_stays_away_and_says_so(rng):
    W = gaussian_kernel(rng, 3, 16, 16)
    assert min(spreads(W, (8, 8), [1, 5, 40, 80])) > 0.4


def zeros_of_the_determinant(W, n=64):
    """Count the places where det A_f turns once around 0, by its phase on a grid."""
    phase = np.angle(np.linalg.det(np.fft.fft2(W, s=(n, n), axes=(0, 1))))
    ahead = [np.roll(phase, -1, axis) - phase for axis in (0, 1)]
    down, right = [(a + np.pi) % (2 * np.pi) - np.pi for a in ahead]
    turned = down + np.roll(right, -1, 0) - np.roll(down, -1, 1) - right
    return int(abs(np.rint(turned / (2 * np.pi))).sum())


def test_what_keeps_a_square_kernel_away_are_zeros_of_its_determinant(rng):
    far = gaussian_kernel(rng, 3, 16, 16)
    near = 0.3 * far + tap(rng, 3, 16, 16)
    assert zeros_of_the_determinant(procrustes.project_kernel(far, (8, 8))) > 0
    far = procrustes.project_kernel(far, (8, 8), n_rounds=40)
    assert zeros_of_the_determinant(far) > 0
    assert procrustes.spread(near, (8, 8)) > 0.3
    assert zeros_of_the_determinant(near) == 0
    assert spreads(near, (8, 8), [1])[0] <= WITHIN


@pytest.mark.parametrize("channels", [(3, 4), (8, 8), (4, 3), (2, 20)])
def test_no_round_moves_away_from_the_isometries(rng, channels):
    W, size = gaussian_kernel(rng, 3, *channels), (6, 7)
    scale = procrustes.transition_scale(*channels)
    kernels = islice(procrustes.alternating_projection(W, size), 15)
    distances = [
        np.linalg.norm(circular_singular_values(V, size) - scale) for V in (W, *kernels)
    ]
    for before, after in pairwise(distances):
        assert after <= before * (1 + 1e-12)


@pytest.mark.parametrize(("c_in", "c_out"), [(1, 9), (3, 64), (2, 18)])
def test_taps_with_orthogonal_ranges_make_an_isometry(rng, c_in, c_out):
    columns = procrustes.nearest_isometry(rng.standard_normal((c_out, 9 * c_in)))
    W = columns.T.reshape(3, 3, c_in, c_out) * np.sqrt(c_out / c_in) / 3
    assert procrustes.spread(W, (6, 5)) <= 1e-12
    s = circular_singular_values(W, (6, 5))
    np.testing.assert_allclose(s, np.sqrt(c_out / c_in), rtol=1e-12)
    np.testing.assert_allclose(procrustes.project_kernel(W, (6, 5)), W, atol=1e-12)


@pytest.mark.parametrize("channels", [(3, 5), (4, 4)])
def test_a_single_orthogonal_tap_is_a_fixed_point(rng, channels):
    W = tap(rng, 3, *channels)
    np.testing.assert_allclose(procrustes.project_kernel(W, (4, 6)), W, atol=1e-13)


def test_an_isometry_on_a_small_image_is_one_on_every_larger_image(rng):
    W = procrustes.project_kernel(gaussian_kernel(rng, 3, 1, 16), (5, 5), n_rounds=250)
    assert procrustes.spread(W, (5, 5)) <= 1e-9
    for size in ((5, 9), (8, 8), (32, 32), (17, 6)):
        assert procrustes.spread(W, size) <= 1e-8
    W = procrustes.project_kernel(gaussian_kernel(rng, 3, 1, 2), (3, 3), n_rounds=3000)
    assert procrustes.spread(W, (3, 3)) <= 1e-3 < procrustes.spread(W, (8, 8))


# The spread


def test_the_spread_is_that_of_the_dense_circular_map(rng):
    W, size = gaussian_kernel(rng, 3, 2, 4), (5, 4)
    A = operator_matrix(W, size, padding="circular")
    s = np.linalg.svd(A, compute_uv=False)
    assert procrustes.spread(W, size) == pytest.approx(
        abs(s / s.mean() - 1).max(), rel=1e-12
    )
    assert procrustes.spread(7 * W, size) == pytest.approx(procrustes.spread(W, size))


def test_the_spread_of_two_singular_values_is_known():
    W = np.diag([1.0, 3.0])[None, None]
    assert procrustes.spread(W, (4, 4)) == pytest.approx(0.5, rel=1e-14)


# The contract


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 3, 5])
def test_dtype_is_kept_and_inputs_are_not_modified(rng, xp, k, dtype):
    W = xp.asarray(gaussian_kernel(rng, k, 2, 6).astype(dtype))
    before = W.copy()
    got = procrustes.project_kernel(W, (6, 5), n_rounds=2, scale=np.float64(1.5))
    assert isinstance(got, xp.ndarray)
    assert got.dtype == dtype
    assert got.shape == W.shape
    assert got.flags.c_contiguous
    assert bool((before == W).all())
    double = procrustes.project_kernel(
        to_numpy(W).astype(float), (6, 5), n_rounds=2, scale=1.5
    )
    np.testing.assert_allclose(
        to_numpy(got), double, atol=1e-5 if dtype == np.float32 else 1e-11
    )
    assert isinstance(procrustes.spread(W, (6, 5)), float)


FAULTS = [
    (np.ones((3, 3, 2)), (8, 8), r"W must be \(k, k, c_in, c_out\), k odd; got"),
    (np.ones((3, 5, 2, 2)), (8, 8), r"k odd; got \(3, 5, 2, 2\)"),
    (np.ones((2, 2, 2, 2)), (8, 8), r"k odd; got \(2, 2, 2, 2\)"),
    (np.ones((3, 3, 0, 2)), (8, 8), r"k odd; got \(3, 3, 0, 2\)"),
    (np.ones((3, 3, 2, 2)), (8, 2), r"each at least 3; got \(8, 2\)"),
    (np.ones((3, 3, 2, 2)), (8,), r"height and width, each at least 3; got \(8,\)"),
    (np.full((3, 3, 1, 1), np.nan), (8, 8), "W must be finite; got NaN"),
]


@pytest.mark.parametrize(("W", "size", "message"), FAULTS)
def test_what_is_no_kernel_on_an_image_is_refused_at_once(W, size, message):
    for function in (
        procrustes.project_kernel,
        procrustes.alternating_projection,
        procrustes.spread,
    ):
        with pytest.raises(ValueError, match=message):
            function(W, size)


def test_wrong_numbers_are_refused():
    W = np.ones((3, 3, 1, 1))
    with pytest.raises(ValueError, match="n_rounds must be at least 1; got 0"):
        procrustes.project_kernel(W, (4, 4), n_rounds=0)
    with pytest.raises(ValueError, match="scale must be positive and finite; got -1"):
        procrustes.project_kernel(W, (4, 4), scale=-1)
    with pytest.raises(ValueError, match="not zero; got zeros alone"):
        procrustes.spread(0 * W, (4, 4))


# Copies of the channels


@pytest.mark.parametrize("times", [1, 2, 3])
def test_copies_are_an_isometry_at_the_scale_of_a_transition(rng, times):
    K = procrustes.copy_channels(np.eye(5).reshape(5, 1, 1, 5), times=times)
    K = K.reshape(5, 5 * times).T  # row i was the image of the unit vector i
    np.testing.assert_array_equal(K, np.tile(np.eye(5), (times, 1)))
    np.testing.assert_array_equal(K.T @ K, times * np.eye(5))
    scale = procrustes.transition_scale(5, 5 * times)
    assert scale**2 == pytest.approx(times, rel=1e-15)
    np.testing.assert_allclose(
        procrustes.nearest_isometry(K, scale=scale), K, atol=1e-14
    )
    x = rng.standard_normal((2, 3, 4, 5))
    y = procrustes.copy_channels(x, times=times)
    assert (y**2).sum() == pytest.approx(times * (x**2).sum(), rel=1e-13)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_the_way_back_through_copies_is_the_adjoint(rng, times):
    x, g = rng.standard_normal((2, 3, 4, 5)), rng.standard_normal((2, 3, 4, 5 * times))
    y = procrustes.copy_channels(x, times=times)
    back = procrustes.copy_channels_backward(g, x, times=times)
    assert back.shape == x.shape
    assert (y * g).sum() == pytest.approx((x * back).sum(), rel=1e-12)
    expected = sum(g[..., 5 * i : 5 * i + 5] for i in range(times))
    np.testing.assert_allclose(back, expected, rtol=1e-12)


def test_two_copies_halve_no_mean_backward_norm(rng):
    x, g = np.zeros((500, 2, 2, 8)), rng.standard_normal((500, 2, 2, 16))
    back = procrustes.copy_channels_backward(g, x)
    ratios = (back**2).sum((1, 2, 3)) / (g**2).sum((1, 2, 3))
    assert abs(ratios.mean() - 1) <= 4 * ratios.std() / np.sqrt(500)


# L2 pooling


SIZES = [(4, 6, 2), (5, 5, 2), (7, 4, 3), (1, 1, 2), (3, 8, 1), (2, 3, 5)]
each_size = pytest.mark.parametrize(("height", "width", "side"), SIZES)


def pooled_by_loops(x, side):
    n, h, w, c = x.shape
    y = np.zeros((n, -(-h // side), -(-w // side), c))
    for j, p, q, channel in np.ndindex(x.shape):
        y[j, p // side, q // side, channel] += x[j, p, q, channel] ** 2
    return np.sqrt(y)


@each_size
def test_l2_pooling_is_the_length_of_every_square(rng, height, width, side):
    x = rng.standard_normal((2, height, width, 3))
    y = procrustes.l2_pool(x, side=side)
    np.testing.assert_allclose(y, pooled_by_loops(x, side), rtol=1e-12)


@each_size
def test_l2_pooling_preserves_both_norms_exactly(rng, height, width, side):
    x = rng.standard_normal((2, height, width, 3))
    y = procrustes.l2_pool(x, side=side)
    g = rng.standard_normal(y.shape)
    back = procrustes.l2_pool_backward(g, x, side=side)
    for i in range(2):
        norms = [np.linalg.norm(a[i]) for a in (x, y, g, back)]
        assert norms[1] == pytest.approx(norms[0], rel=1e-13)
        assert norms[3] == pytest.approx(norms[2], rel=1e-13)


@each_size
def test_the_gradient_of_l2_pooling_is_exact_to_second_order(rng, height, width, side):
    x = rng.uniform(1, 2, (2, height, width, 3)) * rng.choice([-1, 1], 3)
    c = rng.standard_normal(procrustes.l2_pool(x, side=side).shape)

    def f(x):
        y = procrustes.l2_pool(x, side=side)
        return float((c * (y + y**3 / 9)).sum())  # a lone pixel's length is linear

    y = procrustes.l2_pool(x, side=side)
    grad = procrustes.l2_pool_backward(c * (1 + y**2 / 3), x, side=side)
    assert grad.shape == x.shape
    order, errors = convergence_order(f, grad, x, rng.standard_normal(x.shape))
    assert order == pytest.approx(2.0, abs=0.1), errors


def test_a_square_of_zeros_passes_no_gradient(rng):
    x = rng.standard_normal((1, 4, 4, 2))
    x[0, :2, :2, 1] = 0
    g = rng.standard_normal((1, 2, 2, 2))
    back = procrustes.l2_pool_backward(g, x)
    assert np.isfinite(back).all()
    np.testing.assert_array_equal(back[0, :2, :2, 1], 0)
    g[0, 0, 0, 1] = 0
    assert np.linalg.norm(back) == pytest.approx(np.linalg.norm(g), rel=1e-13)


@pytest.mark.parametrize("factor", [1e-30, 1e30])
def test_squares_that_single_precision_cannot_hold_do_no_harm(rng, factor):
    x = (factor * rng.standard_normal((1, 4, 4, 2))).astype(np.float32)
    g = rng.standard_normal((1, 2, 2, 2)).astype(np.float32)
    y = procrustes.l2_pool(x).astype(float)
    np.testing.assert_allclose(y, pooled_by_loops(x.astype(float), 2), rtol=1e-5)
    back = procrustes.l2_pool_backward(g, x)
    assert np.linalg.norm(back) == pytest.approx(np.linalg.norm(g), rel=1e-5)


POOLINGS = {
    "copies": (procrustes.copy_channels, procrustes.copy_channels_backward, "times"),
    "pool": (procrustes.l2_pool, procrustes.l2_pool_backward, "side"),
}


@pytest.mark.parametrize("name", POOLINGS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_transition_without_parameters_keeps_its_contract(rng, xp, name, dtype):
    forward, backward, option = POOLINGS[name]
    x = xp.asarray(rng.standard_normal((2, 5, 4, 3)).astype(dtype))
    y = forward(x)
    g = xp.ones_like(y)
    kept = x.copy()
    back = backward(g, x)
    assert isinstance(back, xp.ndarray)
    assert y.dtype == back.dtype == dtype
    assert back.shape == x.shape
    assert bool((x == kept).all())
    assert bool((g == 1).all())
    assert forward(np.ones((0, 4, 4, 2))).shape[0] == 0
    wrong = partial(backward, g[:, 1:], x)
    with pytest.raises(ValueError, match=r"grad_y must be \(2, .*; got \(2, "):
        wrong()
    for function in (forward, partial(backward, g)):
        with pytest.raises(ValueError, match=r"x must be \(n, h, w, c\); got \(5, 4"):
            function(x[0])
    for function in (forward, partial(backward, g)):
        with pytest.raises(ValueError, match=f"{option} must be at least 1; got 0"):
            function(x, **{option: 0})
