"""The nearest isometry: nothing is nearer, and four formulas for it agree."""

import numpy as np
import pytest

from identity_edu import ops, procrustes
from identity_edu.backend import to_numpy

SHAPES = {"square": (6, 6), "tall": (9, 4), "wide": (3, 8), "one": (1, 1)}
SHAPES |= {"column": (5, 1), "row": (1, 5), "stacked": (2, 3, 7, 5)}
FORMS = {"svd": procrustes.nearest_isometry, "products": procrustes.newton_schulz}
EPS = {np.float32: 1.2e-7, np.float64: 2.3e-16}

each_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
each_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


def orthonormal(rng, m, n):
    """A random matrix with orthonormal columns, or rows where it is wide."""
    Q = np.linalg.qr(rng.standard_normal((max(m, n), min(m, n))))[0]
    return Q if m >= n else Q.T


def conditioned(rng, m, n, s):
    """A matrix with the given singular values, and its nearest isometry."""
    U, V = orthonormal(rng, m, len(s)), orthonormal(rng, len(s), n)
    return (U * s) @ V, U @ V


def departure(Q, scale=1.0):
    """How far the Gram matrix on the smaller side is from scale^2 I."""
    Q = Q if Q.shape[-2] >= Q.shape[-1] else Q.swapaxes(-1, -2)
    G = Q.swapaxes(-1, -2).conj() @ Q / scale**2
    return np.linalg.norm(G - np.eye(G.shape[-1]), axis=(-2, -1)).max()


def polar_form(K):
    """K (K^T K)^(-1/2) of a tall K, one matrix at a time, by its definition."""
    values, V = np.linalg.eigh(K.T @ K)
    return K @ V @ np.diag(values**-0.5) @ V.T


# The nearest isometry


@each_form
@each_shape
def test_the_result_is_an_isometry_of_the_given_scale(rng, form, shape):
    Q = form(rng.standard_normal(shape), scale=1.7)
    assert Q.shape == shape
    assert departure(Q, 1.7) <= 1e-12


@each_form
@pytest.mark.parametrize("name", ["square", "tall", "wide"])
def test_no_candidate_is_nearer(rng, form, name):
    m, n = SHAPES[name]
    K, scale = rng.standard_normal((m, n)), 1.7
    Q = form(K, scale=scale)
    nearest = np.linalg.norm(K - Q)
    for size in 10.0 ** np.linspace(-8, 2, 1000):  # from next to Q to anywhere
        moved = Q / scale + size * rng.standard_normal((m, n))
        moved = moved if m >= n else moved.T
        candidate, upper = np.linalg.qr(moved)
        candidate = scale * candidate * np.sign(np.diag(upper))
        candidate = candidate if m >= n else candidate.T
        assert departure(candidate, scale) <= 1e-12
        assert np.linalg.norm(K - candidate) >= nearest * (1 - 1e-12)


@each_form
def test_the_distance_is_that_of_the_singular_values_from_the_scale(rng, form):
    s = np.array([3.0, 2.0, 0.5])
    K, exact = conditioned(rng, 5, 3, s)
    Q = form(K, scale=0.8)
    np.testing.assert_allclose(Q, 0.8 * exact, atol=1e-13)
    assert np.linalg.norm(K - Q) == pytest.approx(np.linalg.norm(s - 0.8), rel=1e-12)


@each_form
@pytest.mark.parametrize("name", ["square", "tall", "wide"])
def test_the_polar_form_agrees(rng, form, name):
    K = rng.standard_normal(SHAPES[name])
    expected = polar_form(K) if K.shape[0] >= K.shape[1] else polar_form(K.T).T
    np.testing.assert_allclose(form(K), expected, rtol=1e-10, atol=1e-12)


@each_form
def test_a_stack_is_done_matrix_by_matrix(rng, form):
    K = rng.standard_normal((2, 3, 7, 5)) * 10.0 ** rng.uniform(-9, 9, (2, 3, 1, 1))
    Q = form(K)
    for index in np.ndindex(2, 3):
        np.testing.assert_allclose(Q[index], form(K[index]), atol=1e-12)


@each_form
@each_shape
def test_complex_matrices_have_a_nearest_isometry_too(rng, form, shape):
    K = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    Q = form(K)
    tall = Q if shape[-2] >= shape[-1] else Q.swapaxes(-1, -2)
    assert departure(tall) <= 1e-12
    # K Q^H is Hermitian and positive exactly at the nearest one
    H = K @ Q.swapaxes(-1, -2).conj() if shape[-2] <= shape[-1] else None
    H = Q.swapaxes(-1, -2).conj() @ K if H is None else H
    np.testing.assert_allclose(H, H.swapaxes(-1, -2).conj(), atol=1e-12)
    assert np.linalg.eigvalsh(H).min() >= -1e-12


@each_form
@pytest.mark.parametrize("factor", [1e-300, 1e-160, 1e160, 1e300])
def test_the_size_of_the_matrix_does_not_matter(rng, form, factor):
    K = rng.standard_normal((4, 3))
    np.testing.assert_allclose(form(factor * K), form(K), atol=1e-13)


@each_form
def test_an_isometry_stays_where_it_is(rng, form):
    Q = 1.3 * orthonormal(rng, 8, 5)
    np.testing.assert_allclose(form(Q, scale=1.3), Q, atol=1e-14)


@each_form
@pytest.mark.parametrize("dtype", EPS)
def test_dtype_is_kept_and_inputs_are_not_modified(rng, form, xp, dtype):
    K = xp.asarray(rng.standard_normal((64, 32)).astype(dtype))
    before = K.copy()
    Q = form(K, scale=np.float64(1.5))
    assert isinstance(Q, xp.ndarray)
    assert Q.dtype == dtype
    assert bool((before == K).all())
    assert departure(to_numpy(Q).astype(float), 1.5) <= 64 * EPS[dtype]


@each_form
def test_whole_numbers_are_promoted(form):
    np.testing.assert_allclose(form([[3, 0], [0, 4]]), np.eye(2), atol=1e-15)
    assert form(np.ones((0, 3, 2))).shape == (0, 3, 2)


@each_form
@pytest.mark.parametrize(
    ("K", "options", "message"),
    [
        (np.ones(3), {}, r"a matrix or a stack of them is required; got \(3,\)"),
        (np.ones((3, 0)), {}, r"a matrix or a stack of them is required; got \(3, 0\)"),
        ([[1, np.nan]], {}, "every entry must be finite; got NaN"),
        ([[1, np.inf]], {}, "every entry must be finite; got NaN or infinity"),
        (np.eye(2), {"scale": 0}, "scale must be positive and finite; got 0"),
        (np.eye(2), {"scale": np.nan}, "scale must be positive and finite; got nan"),
    ],
)
def test_what_has_no_nearest_isometry_is_refused(form, K, options, message):
    with pytest.raises(ValueError, match=message):
        form(K, **options)


def test_a_rank_deficient_matrix_has_many_nearest_isometries(rng):
    K = rng.standard_normal((5, 2)) @ rng.standard_normal((2, 4))
    Q = procrustes.nearest_isometry(K)
    assert departure(Q) <= 1e-12
    s = np.linalg.svd(K, compute_uv=False)
    distance = np.linalg.norm(np.r_[s[:2] - 1, 1, 1])
    assert np.linalg.norm(K - Q) == pytest.approx(distance, rel=1e-12)


# Newton-Schulz


@pytest.mark.parametrize("name", ["linear", "geometric", "one small"])
@pytest.mark.parametrize("shape", [(64, 64), (128, 64), (64, 128), (3, 64)])
def test_products_equal_the_svd_at_condition_1e4(rng, shape, name):
    s = spectrum(name, min(shape), 1e4)
    K, _ = conditioned(rng, *shape, s)
    difference = procrustes.newton_schulz(K) - procrustes.nearest_isometry(K)
    assert np.linalg.norm(difference, 2) <= 1e-10


def spectrum(name, r, condition):
    """Singular values from 1 down to 1 / condition."""
    smallest = 1 / condition
    if name == "one small":
        return np.r_[np.ones(r - 1), smallest]
    spaced = np.linspace if name == "linear" else np.geomspace
    return spaced(1, smallest, r)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("condition", [1e6, 1e8, 1e10, 1e12])
@pytest.mark.parametrize("shape", [(64, 64), (128, 64), (64, 128)])
def test_both_forms_are_off_by_some_condition_number_of_roundings(
    rng, form, shape, condition
):
    K, exact = conditioned(rng, *shape, spectrum("geometric", 64, condition))
    Q = form(K)
    assert departure(Q) <= 1e-13  # an isometry, whatever the condition
    # K itself is rounded: its exact factor is as far away. Measured: at most 0.25.
    assert np.linalg.norm(Q - exact, 2) <= condition * EPS[np.float64]


def test_single_precision_has_a_tolerance_of_its_own(rng):
    K, exact = conditioned(rng, 64, 64, spectrum("geometric", 64, 1e4))
    Q = procrustes.newton_schulz(K.astype(np.float32))
    assert departure(Q) <= 64 * EPS[np.float32]
    assert np.linalg.norm(Q - exact, 2) <= 1e4 * EPS[np.float32]


def test_a_small_singular_value_hides_from_change_and_residual(rng):
    """Neither may end the iteration while one direction is still on its way."""
    s, changes, residuals = np.r_[np.ones(63), 1e-10], [], []
    for _ in range(20):
        moved = 1.5 * s - 0.5 * s**3
        changes.append(np.linalg.norm(moved - s))
        s = moved
        residuals.append(np.linalg.norm(1 - s**2))
    assert max(changes) <= 1e-6
    assert np.ptp(residuals) <= 1e-10  # as good as constant, and far from 0
    assert min(residuals) >= 0.99
    K, exact = conditioned(rng, 64, 64, np.r_[np.ones(63), 1e-10])
    assert departure(procrustes.newton_schulz(K)) <= 1e-13
    assert np.linalg.norm(procrustes.newton_schulz(K) - exact, 2) <= 1e-5


@pytest.mark.parametrize("tol", [1e-12, 1e-6, 1e-2, 0.9])
@pytest.mark.parametrize("shape", [(30, 20), (20, 30)])
def test_the_tolerance_bounds_the_residual(rng, shape, tol):
    for condition in 10.0 ** np.linspace(0, 3, 40):
        K, _ = conditioned(rng, *shape, spectrum("geometric", 20, condition))
        assert departure(procrustes.newton_schulz(K, tol=tol)) <= tol + 1e-14


def test_a_coarse_tolerance_takes_fewer_steps(rng):
    K, exact = conditioned(rng, 20, 20, spectrum("geometric", 20, 100))
    rough = procrustes.newton_schulz(K, tol=0.5)
    assert 1e-3 < np.linalg.norm(rough - exact, 2) < 0.5


@pytest.mark.parametrize("tol", [0, 1e-17, 1, -1, float("nan")])
def test_an_unreachable_tolerance_is_refused(tol):
    with pytest.raises(ValueError, match=r"tol must be in \[2.2e-16, 1\) in float64"):
        procrustes.newton_schulz(np.eye(2), tol=tol)


@pytest.mark.parametrize("dtype", EPS)
@pytest.mark.parametrize("shape", [(2, 2), (3, 3), (8, 8), (64, 3), (3, 64), (64, 64)])
def test_rounding_is_never_taken_for_a_singular_value(rng, shape, dtype):
    m, n = shape
    r = min(shape) - 1
    for factor in (np.asarray, np.round):
        for _ in range(20):
            A, B = rng.standard_normal((m, r)), rng.standard_normal((r, n))
            K = (factor(4 * A) @ factor(4 * B)).astype(dtype)
            with pytest.raises(ValueError, match="full rank"):
                procrustes.newton_schulz(K)
    K = rng.standard_normal(shape).astype(dtype)
    K[..., -1] = K[..., 0]
    if m >= n:
        with pytest.raises(ValueError, match=f"got 1 of {n} below that"):
            procrustes.newton_schulz(K)


@pytest.mark.parametrize(
    ("dtype", "limit"), [(np.float64, 3.6e-15), (np.float32, 2e-6)]
)
def test_the_limit_of_the_condition_is_where_the_message_says(dtype, limit):
    for shape in ((2, 2), (4, 2), (2, 4)):
        K = np.eye(*shape, dtype=dtype)
        K[1, 1] = 1.3 * limit
        np.testing.assert_allclose(
            procrustes.newton_schulz(K), np.eye(*shape), atol=10 * EPS[dtype]
        )
        K[1, 1] = limit / 2.5  # a step is a factor of 1.5
        with pytest.raises(
            ValueError, match=rf"above {16 * np.finfo(dtype).eps:.1e} of the largest"
        ):
            procrustes.newton_schulz(K)


def test_missing_directions_are_counted(rng):
    K, _ = conditioned(rng, 12, 9, np.r_[np.ones(6), 0, 0, 0])
    stack = np.stack([np.eye(12)[:, :9], K])
    message = "in float64 every singular value above 3.6e-15 of the largest; got 3 of 9"
    with pytest.raises(ValueError, match=message):
        procrustes.newton_schulz(stack)
    with pytest.raises(ValueError, match="got 4 of 4 below that"):
        procrustes.newton_schulz(np.zeros((6, 4)))


# The published iteration


@pytest.mark.parametrize(("condition", "left"), [(50, 0.55), (200, 0.15)])
def test_ten_published_steps_leave_small_singular_values_behind(rng, condition, left):
    K, exact = conditioned(rng, 64, 64, spectrum("linear", 64, condition))
    s = np.linalg.svd(procrustes.gram_newton_schulz(K), compute_uv=False)
    assert s.min() == pytest.approx(left, abs=0.005)
    enough = procrustes.gram_newton_schulz(K, 20)
    assert np.linalg.norm(enough - exact, 2) <= 1e-10
    turned = procrustes.gram_newton_schulz(K[:20].T, 3)
    np.testing.assert_allclose(procrustes.gram_newton_schulz(K[:20], 3), turned.T)


@pytest.mark.parametrize("shape", [(16, 16), (20, 8), (8, 20), (3, 5, 7, 4)])
def test_ten_published_steps_are_enough_for_well_conditioned_matrices(rng, shape):
    K = procrustes.nearest_isometry(rng.standard_normal(shape))
    K = 1e-3 * (K + 0.05 * rng.standard_normal(shape))
    got = procrustes.gram_newton_schulz(K)
    np.testing.assert_allclose(got, procrustes.nearest_isometry(K), atol=1e-12)


def test_the_published_iteration_stalls_where_the_direct_one_does_not(rng):
    K, exact = conditioned(rng, 64, 64, spectrum("geometric", 64, 1e4))
    for n_steps in (50, 100, 200):
        error = np.linalg.norm(procrustes.gram_newton_schulz(K, n_steps) - exact, 2)
        assert 1e-10 <= error <= 1e-7
    assert np.linalg.norm(procrustes.newton_schulz(K) - exact, 2) <= 1e-12


def test_ten_steps_hide_a_gram_matrix_of_the_wrong_side(rng):
    K, exact = conditioned(rng, 32, 64, spectrum("linear", 32, 5))
    G = K.T @ K
    assert np.linalg.matrix_rank(G) == 32 < len(G)

    def error(n_steps):
        return abs(K @ procrustes.gram_inverse_root(G, n_steps) - exact).max()

    assert error(10) <= 1e-4  # looks converged ...
    assert error(20) <= 1e-8
    assert error(40) > 1e-6  # ... while rounding grows by one half a step
    assert abs(procrustes.gram_newton_schulz(K, 40) - exact).max() <= 1e-13


def test_the_inverse_root_is_one(rng):
    A = rng.standard_normal((3, 9, 5))
    G = A.swapaxes(-1, -2) @ A
    Z = procrustes.gram_inverse_root(G, 40)
    np.testing.assert_allclose(
        Z @ G @ Z, np.broadcast_to(np.eye(5), G.shape), atol=1e-9
    )
    np.testing.assert_allclose(Z, Z.swapaxes(-1, -2), atol=1e-10)
    n = np.sqrt(np.linalg.norm(G[0]))
    np.testing.assert_allclose(procrustes.gram_inverse_root(G, 0)[0], np.eye(5) / n)


def test_the_published_iteration_keeps_its_contract(rng):
    K = rng.standard_normal((6, 4)).astype(np.float32)
    before = K.copy()
    assert procrustes.gram_newton_schulz(K).dtype == np.float32
    assert procrustes.gram_inverse_root(K.T @ K).dtype == np.float32
    np.testing.assert_array_equal(before, K)
    for form in (procrustes.gram_newton_schulz, procrustes.gram_inverse_root):
        with pytest.raises(ValueError, match="finite"):
            form(np.full((2, 2), np.nan))
        with pytest.raises(ValueError, match="a matrix or a stack"):
            form(np.ones(3))


# Whitening


@pytest.mark.parametrize("shape", [(10, 64), (6, 6), (1, 4), (64, 10), (2, 3, 5)])
def test_whitening_is_the_nearest_isometry(rng, shape):
    W = rng.standard_normal(shape)
    got = procrustes.whiten(W)
    np.testing.assert_allclose(got, procrustes.nearest_isometry(W), atol=1e-10)
    assert departure(got) <= 1e-11  # the condition number is squared


def test_white_rows_have_white_outputs(rng):
    W = rng.standard_normal((10, 64)) + 1.0
    X = rng.standard_normal((5, 64))
    scores = ops.dense(np.eye(64), procrustes.whiten(W))
    np.testing.assert_allclose(scores.T @ scores, np.eye(10), atol=1e-12)
    carried = ops.dense(X[:, :10], procrustes.whiten(W).T)  # the way back
    np.testing.assert_allclose(
        np.linalg.norm(carried, axis=1), np.linalg.norm(X[:, :10], axis=1), rtol=1e-12
    )


def test_zero_phase_means_a_symmetric_positive_change(rng):
    W = rng.standard_normal((5, 5))
    change = procrustes.whiten(W) @ np.linalg.inv(W)
    np.testing.assert_allclose(change, change.T, atol=1e-11)
    assert np.linalg.eigvalsh(change).min() > 0


def test_whitening_keeps_its_contract(rng):
    W = rng.standard_normal((4, 7)).astype(np.float32)
    before = W.copy()
    assert procrustes.whiten(W).dtype == np.float32
    np.testing.assert_array_equal(before, W)
    sizes = np.array([1e-9, 1.0, 1e9])[:, None, None]
    np.testing.assert_allclose(
        procrustes.whiten(sizes * W.astype(float)),
        np.broadcast_to(procrustes.nearest_isometry(W.astype(float)), (3, 4, 7)),
        atol=1e-10,
    )
    for factor in (1e-300, 1e300):
        np.testing.assert_allclose(
            procrustes.whiten(factor * W.astype(float)),
            procrustes.whiten(W.astype(float)),
            atol=1e-12,
        )
    for wrong in (np.ones((2, 3)), np.zeros((3, 2)), np.diag([1, 1e-9])):
        with pytest.raises(ValueError, match=r"full rank.*below 1.7e\+07 in float64"):
            procrustes.whiten(wrong)
    with pytest.raises(ValueError, match="finite"):
        procrustes.whiten([[np.inf, 1]])


# The scale of a transition


CHANNELS = [(64, 128), (128, 256), (3, 64), (16, 16), (1, 16), (64, 32)]


def mean_backward(rng, K, n=4000):
    """Mean of ||K^T g||^2 / ||g||^2 over Gaussian g, and its standard error."""
    g = rng.standard_normal((n, len(K)))
    ratios = ((g @ K) ** 2).sum(1) / (g**2).sum(1)
    return ratios.mean(), ratios.std() / np.sqrt(n)


@pytest.mark.parametrize(("c_in", "c_out"), CHANNELS)
def test_the_stated_scale_preserves_the_mean_backward_norm(rng, c_in, c_out):
    scale = procrustes.transition_scale(c_in, c_out)
    K = procrustes.nearest_isometry(rng.standard_normal((c_out, c_in)), scale=scale)
    assert (K**2).sum() / c_out == pytest.approx(1, rel=1e-12)  # the exact mean
    mean, error = mean_backward(rng, K)
    assert abs(mean - 1) <= 4 * error + 1e-12
    if c_in > 1:
        assert mean == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("c_in", "c_out"), CHANNELS)
def test_the_forward_price_is_the_scale_squared(rng, c_in, c_out):
    scale = procrustes.transition_scale(c_in, c_out)
    K = procrustes.nearest_isometry(rng.standard_normal((c_out, c_in)), scale=scale)
    x = rng.standard_normal((20, c_in))
    if c_out >= c_in:
        assert scale**2 == pytest.approx(c_out / c_in, rel=1e-15)
        ratios = ((x @ K.T) ** 2).sum(1) / (x**2).sum(1)
        np.testing.assert_allclose(ratios, c_out / c_in, rtol=1e-12)
    else:  # every g keeps its norm
        g = rng.standard_normal((20, c_out))
        np.testing.assert_allclose(((g @ K) ** 2).sum(1), (g**2).sum(1), rtol=1e-12)


def test_scale_one_halves_the_mean_where_the_channels_double(rng):
    K = procrustes.nearest_isometry(rng.standard_normal((128, 64)))
    assert mean_backward(rng, K)[0] == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize("channels", [(0, 3), (3, 0), (-1, 2)])
def test_a_transition_needs_channels(channels):
    with pytest.raises(ValueError, match="channels must be at least 1; got"):
        procrustes.transition_scale(*channels)
