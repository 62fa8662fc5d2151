"""Synthetic problems are what they say: spectra, norms, moments, and the same twice."""

import numpy as np
import pytest

from identity_edu import data

EPS = np.finfo(float).eps
SIZES = pytest.mark.parametrize("d", [1, 2, 3, 8, 33])


@SIZES
def test_a_random_rotation_is_a_rotation(rng, d):
    for _ in range(20):
        Q = data.random_rotation(rng, d)
        assert np.abs(Q.T @ Q - np.eye(d)).max() <= 50 * d * EPS
        assert abs(np.linalg.det(Q) - 1.0) <= 50 * d * EPS


def test_random_rotations_are_uniform_in_their_first_moments(rng):
    """Under Haar measure on SO(3): E tr Q = 0, E (tr Q)^2 = 1, E Q_ij^2 = 1/3."""
    n, d = 4000, 3
    Q = np.array([data.random_rotation(rng, d) for _ in range(n)])
    trace = np.trace(Q, axis1=1, axis2=2)
    assert abs(trace.mean()) <= 4 * trace.std() / np.sqrt(n)
    squares = trace**2
    assert abs(squares.mean() - 1.0) <= 4 * squares.std() / np.sqrt(n)
    entries = Q.reshape(n, -1)
    for moment, value in ((entries, 0.0), (entries**2, 1 / d)):
        errors = moment.std(axis=0) / np.sqrt(n)
        assert (np.abs(moment.mean(axis=0) - value) <= 4 * errors).all()


@SIZES
@pytest.mark.parametrize("condition", [1.0, 10.0, 1e6])
@pytest.mark.parametrize("det_sign", [1, -1])
def test_a_random_map_has_the_singular_values_it_promises(rng, d, condition, det_sign):
    R = data.random_map(rng, d, condition=condition, det_sign=det_sign)
    s = np.linalg.svd(R, compute_uv=False)
    even = np.exp(np.linspace(0.5, -0.5, d) * np.log(condition))
    np.testing.assert_allclose(s, even, atol=50 * d * EPS * s[0])
    assert np.linalg.slogdet(R)[0] == pytest.approx(det_sign)


def test_the_log_condition_of_a_random_map_is_half_the_log_of_its_condition(rng):
    s = np.linalg.svd(data.random_map(rng, 6, condition=100.0), compute_uv=False)
    assert np.abs(np.log(s)).max() == pytest.approx(np.log(100.0) / 2, rel=1e-12)


@SIZES
@pytest.mark.parametrize("condition", [1.0, 10.0, 1e4])
def test_a_random_covariance_is_symmetric_with_the_promised_spectrum(rng, d, condition):
    Sigma = data.random_covariance(rng, d, condition=condition)
    assert Sigma.shape == (d, d)
    np.testing.assert_allclose(Sigma, Sigma.T, atol=50 * d * EPS * condition**0.5)
    even = np.exp(np.linspace(-0.5, 0.5, d) * np.log(condition))
    if d == 1:
        even = np.array([condition**0.5])
    values = np.linalg.eigvalsh(Sigma)
    np.testing.assert_allclose(values, even, atol=50 * d * EPS * values[-1])


@pytest.mark.parametrize(("n_layers", "d"), [(1, 1), (1, 5), (7, 1), (9, 4)])
@pytest.mark.parametrize("tau", [0.0, 0.3, 2.0])
def test_the_largest_random_layer_has_norm_tau_and_none_more(rng, n_layers, d, tau):
    A = data.random_layers(rng, n_layers, d, tau=tau)
    assert A.shape == (n_layers, d, d)
    norms = np.linalg.svd(A, compute_uv=False)[:, 0]
    assert norms.max() == pytest.approx(tau, rel=50 * d * EPS)
    if tau and n_layers > 1:
        assert norms.min() < 0.999 * tau


def test_a_linear_problem_has_one_condition_number_and_det_positive(rng):
    R, Sigma = data.linear_problem(rng, 5, condition=50.0)
    assert np.linalg.cond(R) == pytest.approx(50.0, rel=1e-10)
    assert np.linalg.cond(Sigma) == pytest.approx(50.0, rel=1e-10)
    assert np.linalg.det(R) > 0


@pytest.mark.parametrize("d", [1, 3])
def test_sampled_examples_have_the_promised_moments(rng, d):
    n = 40_000
    R, Sigma = data.linear_problem(rng, d)
    X, Y = data.sample_regression(R, Sigma, n, rng)
    assert X.shape == Y.shape == (n, d)
    noise = Y - X @ R.T
    eye, zero = np.eye(d), np.zeros((d, d))
    for left, right, expected in (
        (X, X, Sigma),
        (noise, noise, eye),
        (noise, X, zero),
        (Y, X, R @ Sigma),
    ):
        products = left[:, :, None] * right[:, None, :]
        errors = products.std(axis=0) / np.sqrt(n)
        assert (np.abs(products.mean(axis=0) - expected) <= 4 * errors).all()
    for values in (X, noise):
        assert (np.abs(values.mean(axis=0)) <= 4 * values.std(axis=0) / n**0.5).all()


def test_a_singular_covariance_confines_the_inputs(rng):
    axis = np.array([3.0, 4.0]) / 5.0
    X, _ = data.sample_regression(np.eye(2), np.outer(axis, axis), 100, rng)
    off_axis = X @ np.array([-4.0, 3.0]) / 5.0
    assert np.abs(off_axis).max() <= 1e-7  # sqrt(eps) of a variance that rounds to 0
    assert X.std() > 0.1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_examples_follow_the_map_in_dtype_and_namespace(rng, xp, dtype):
    R, Sigma = (xp.asarray(M, dtype=dtype) for M in data.linear_problem(rng, 3))
    X, Y = data.sample_regression(R, Sigma, 5, rng)
    assert isinstance(X, xp.ndarray)
    assert X.dtype == Y.dtype == np.dtype(dtype)


DRAWS = {
    "rotation": lambda rng: data.random_rotation(rng, 4),
    "map": lambda rng: data.random_map(rng, 4, det_sign=-1),
    "covariance": lambda rng: data.random_covariance(rng, 4),
    "layers": lambda rng: data.random_layers(rng, 3, 4, tau=0.5),
    "problem": lambda rng: data.linear_problem(rng, 4),
    "sample": lambda rng: data.sample_regression(np.eye(4), np.eye(4), 3, rng),
}


@pytest.mark.parametrize("name", DRAWS)
def test_the_same_seed_gives_the_same_data_and_another_seed_other_data(name):
    first, again, other = (DRAWS[name](np.random.default_rng(s)) for s in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


@pytest.mark.parametrize("name", DRAWS)
def test_the_global_seed_is_left_alone(name):
    before = np.random.get_state()[1].tolist()  # noqa: NPY002 - it must stay
    DRAWS[name](np.random.default_rng(5))
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002 - as it was


@pytest.mark.parametrize(
    "options", [{"condition": 0.5}, {"condition": np.nan}, {"det_sign": 0}]
)
def test_an_impossible_map_is_refused(rng, options):
    with pytest.raises(ValueError, match="condition >= 1 and det_sign of 1 or -1"):
        data.random_map(rng, 3, **options)
