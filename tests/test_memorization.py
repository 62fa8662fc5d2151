"""The memorising net: exact where it is built, refused where a margin fails."""

import re
import tracemalloc

import numpy as np
import pytest
from scipy import stats

from identity_edu import data, memorization, relu
from identity_edu.nets import Net


def sample(rng, n, d, n_classes=10):
    """Random unit inputs with random labels."""
    X = memorization.unit_rows(rng.standard_normal((n, d)))
    return X, rng.integers(n_classes, size=n)


def output_error(net, X, labels, n_classes):
    """Return the largest distance of an output from its label's unit vector."""
    expected = np.eye(n_classes)[labels]
    return np.abs(relu.evaluate(net, X) - expected).max()


# One block


@pytest.mark.parametrize(
    ("n", "k", "moved"), [(1, 3, 1), (6, 2, 2), (40, 16, 5), (40, 16, 16), (9, 20, 9)]
)
def test_a_block_moves_its_points_and_no_other(rng, n, k, moved):
    H = memorization.unit_rows(rng.standard_normal((n, k)))
    subset = rng.permutation(n)[:moved]
    targets = 3.0 * rng.standard_normal((moved, k))
    block = memorization.memorizing_block(H, subset, targets)
    params = {"b.U": block.U, "b.s": block.s, "b.V": block.V}
    out, _ = relu.forward(Net((relu.residual_block("b", k, k),), params), H)
    np.testing.assert_allclose(out[subset], targets, rtol=1e-10, atol=1e-12)
    rest = np.setdiff1d(np.arange(n), subset)
    np.testing.assert_array_equal(out[rest], H[rest])


def test_margins_are_those_of_all_pairs(rng):
    H = rng.standard_normal((50, 30))  # lengths differ
    subset = np.array([3, 17, 49, 20])
    block = memorization.memorizing_block(H, subset, np.zeros((4, 30)))
    G = H @ H.T
    own = np.diag(G).copy()
    np.fill_diagonal(G, -np.inf)
    np.testing.assert_allclose(block.margins, (own - G.max(axis=1))[subset], rtol=1e-10)
    np.testing.assert_allclose(-block.s, own[subset] - block.margins / 2, rtol=1e-10)


def test_a_block_sees_rivals_in_every_tile_of_rows(rng):
    n, k = 5000, 40  # three tiles
    H = memorization.unit_rows(rng.standard_normal((n, k)))
    for rival in (0, 2047, 2048, 4999):
        crowded = H.copy()
        crowded[rival] = 1.5 * H[2500]
        with pytest.raises(memorization.MarginError) as refusal:
            memorization.memorizing_block(crowded, np.array([2500]), np.zeros((1, k)))
        assert refusal.value.pair == (2500, rival)
        assert refusal.value.margin == pytest.approx(-0.5)


def test_equal_points_name_each_other(rng):
    H = memorization.unit_rows(rng.standard_normal((9, 5)))
    H[6] = H[2]
    for point, twin in ((2, 6), (6, 2)):
        with pytest.raises(memorization.MarginError) as refusal:
            memorization.memorizing_block(H, np.array([point]), np.zeros((1, 5)))
        assert refusal.value.pair == (point, twin)
        assert refusal.value.margin == pytest.approx(0.0, abs=1e-14)


def test_targets_of_another_width_start_from_the_fitted_point(rng):
    H = memorization.unit_rows(rng.standard_normal((4, 3)))
    for r in (2, 5):
        targets = rng.standard_normal((4, r))
        block = memorization.memorizing_block(H, np.arange(4), targets)
        params = {"b.U": block.U, "b.s": block.s, "b.V": block.V}
        out, _ = relu.forward(Net((relu.residual_block("b", 3, r),), params), H)
        np.testing.assert_allclose(out, targets, rtol=1e-10, atol=1e-12)


def test_subsets_that_name_no_points_are_refused(rng):
    H = rng.standard_normal((5, 3))
    make = memorization.memorizing_block
    with pytest.raises(ValueError, match="one comes twice"):
        make(H, np.array([1, 1]), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="lie in 0 to 4; got 0 to 5"):
        make(H, np.array([0, 5]), np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"got \(5, 3\), \(2,\), \(1, 3\)"):
        make(H, np.array([0, 1]), np.zeros((1, 3)))


# The whole net


@pytest.mark.parametrize(
    "width",
    [64, *(pytest.param(width, marks=pytest.mark.slow) for width in (92, 128))],
)
def test_ten_thousand_random_labels_are_memorised_exactly(width):
    rng = np.random.default_rng(10)
    X, labels = sample(rng, 10_000, 128)
    net, margin = memorization.memorize(X, labels, n_classes=10, width=width, rng=rng)
    counts = {64: 1_298_942, 92: 1_862_806, 128: 2_587_774}
    assert memorization.n_parameters(net) == counts[width]
    assert margin > 0.05
    assert output_error(net, X, labels, 10) <= 1e-10
    np.testing.assert_array_equal(memorization.predict(net, X), labels)


@pytest.mark.parametrize("seed", range(3))
def test_a_width_too_small_is_refused_and_the_advice_works(seed):
    rng = np.random.default_rng(seed)
    X, labels = sample(rng, 10_000, 128)
    with pytest.raises(ValueError, match="at width 40, example") as refusal:
        memorization.memorize(X, labels, n_classes=10, width=40, rng=rng)
    message = str(refusal.value)
    i, j = map(int, re.findall(r"example (\d+)", message))
    assert i != j
    assert 0 <= min(i, j) <= max(i, j) < 10_000
    margin = float(re.search(r"margin is ([-\de.]+)\. ", message)[1])
    assert margin < 1e-7
    width = int(re.search(r"Try width=(\d+)\.$", message)[1])
    net, _ = memorization.memorize(X, labels, n_classes=10, width=width, rng=rng)
    np.testing.assert_array_equal(memorization.predict(net, X), labels)


def outcome(seed, width):
    """Say whether a net was refused; if it was built, it must be exact."""
    rng = np.random.default_rng(seed)
    X, labels = sample(rng, 2000, 128)
    settings = {"n_classes": 10, "width": width, "rng": rng}
    try:
        net, _ = memorization.memorize(X, labels, **settings)
    except ValueError as refusal:
        return "refused" if "Try width" in str(refusal) else str(refusal)
    assert output_error(net, X, labels, 10) <= 1e-10
    return "exact"


def test_at_the_edge_of_the_width_a_net_is_exact_or_refused():
    assert {outcome(seed, width=40) for seed in range(8)} == {"exact", "refused"}


@pytest.mark.parametrize("n_classes", [1, 2, 3, 100])
@pytest.mark.parametrize("n", [1, 2, 7, 33, 300])
def test_any_labels_are_memorised_exactly(rng, n, n_classes):
    X, labels = sample(rng, n, 200, n_classes)
    net, margin = memorization.memorize(
        X, labels, n_classes=n_classes, width=48, rng=rng
    )
    assert margin > 0.01
    assert output_error(net, X, labels, n_classes) <= 1e-10
    chunks = [48] * (n // 48) + [n % 48] * (n % 48 > 0)
    found = [len(net.params[f"blocks.{i}.s"]) for i in range(len(chunks))]
    assert found == chunks


def test_one_point_stands_alone(rng):
    net, margin = memorization.memorize(
        np.ones((1, 5)), np.array([2]), n_classes=3, width=4, rng=rng
    )
    assert margin == np.inf
    np.testing.assert_allclose(
        relu.evaluate(net, np.ones((1, 5))), [[0, 0, 1]], atol=1e-12
    )


def test_the_margin_is_that_of_the_points_as_each_block_meets_them(rng):
    X, labels = sample(rng, 100, 200, n_classes=3)
    net, margin = memorization.memorize(X, labels, n_classes=3, width=48, rng=rng)
    states = relu.block_states(*relu.forward(net, X))[1:-1]  # behind the projection
    found = []
    for start, H in zip(range(0, 100, 48), states, strict=False):
        scores = H[start : start + 48] @ H.T
        own = np.arange(len(scores))
        squares = scores[own, start + own].copy()
        scores[own, start + own] = -np.inf
        found.append((squares - scores.max(axis=1)).min())
    assert margin == pytest.approx(min(found), rel=1e-9)
    moved_first = memorization.unit_rows(states[1][:48])
    np.testing.assert_allclose(moved_first, states[-1][:48], rtol=1e-9)


def test_at_the_inputs_width_nothing_is_distorted_and_the_advice_says_so(rng):
    X, labels = data.load_digits()
    X = memorization.unit_rows(X)
    with pytest.raises(ValueError, match=r"at width 63, .* Try width=64\.$"):
        memorization.memorize(X, labels, n_classes=10, width=63, rng=rng)


@pytest.mark.parametrize("kind", ["true", "random"])
def test_all_digits_are_memorised_with_true_and_with_random_labels(rng, kind):
    X, labels = data.load_digits()
    X = memorization.unit_rows(X)
    if kind == "random":
        labels = rng.integers(10, size=len(labels))
    net, margin = memorization.memorize(X, labels, n_classes=10, width=64, rng=rng)
    assert 0.004 < margin < 0.005  # half the smallest squared distance
    assert output_error(net, X, labels, 10) <= 1e-10


def test_float32_is_memorised_to_its_own_precision(rng, xp):
    X, labels = sample(rng, 2000, 128)
    X = xp.asarray(X, dtype=xp.float32)
    net, _ = memorization.memorize(X, labels, n_classes=10, width=92, rng=rng)
    assert {a.dtype for a in net.params.values()} == {np.dtype(np.float32)}
    out = relu.evaluate(net, X)
    assert float(abs(out - xp.eye(10, dtype=xp.float32)[labels]).max()) < 1e-4


def test_equal_examples_need_equal_labels(rng):
    X, labels = sample(rng, 30, 40)
    X[17], labels[17], labels[4] = X[4], 3, 3
    X[4, 0] = X[17, 0] = 0.0
    X[17, 0] = -0.0
    net, _ = memorization.memorize(X, labels, n_classes=10, width=40, rng=rng)
    assert output_error(net, X, labels, 10) <= 1e-10
    labels[17] = 5
    with pytest.raises(ValueError, match=r"examples 4 and 17 are equal .* 3 and 5"):
        memorization.memorize(X, labels, n_classes=10, width=40, rng=rng)


def test_a_point_behind_another_cannot_be_helped_by_width(rng):
    X, labels = sample(rng, 30, 100)
    X[3], labels[3] = X[1], labels[1]  # the indices named are those of the sample
    X[8] = 0.5 * X[21]
    with pytest.raises(
        ValueError, match=r"example 8 must .* example 21 by .* No width helps"
    ):
        memorization.memorize(X, labels, n_classes=10, width=60, rng=rng)


def test_surrogate_vectors_that_coincide_are_refused(rng):
    X, labels = sample(rng, 30, 40)
    with pytest.raises(ValueError, match=r"in R\^1, .* do not: try width 2"):
        memorization.memorize(X, labels, n_classes=10, width=1, rng=rng)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"X": np.ones((3, 2, 2))},
            r"must be \(n, d\) and \(n,\), n >= 1; got \(3, 2, 2\)",
        ),
        ({"labels": np.array([0, 1])}, r"got \(3, 2\) and \(2,\)"),
        ({"X": np.ones((0, 2)), "labels": np.zeros(0, int)}, r"got \(0, 2\)"),
        ({"labels": np.array([0, 1, 3])}, "from 0 to 2; got int64 from 0 to 3"),
        ({"labels": np.array([0, 1, -1])}, "got int64 from -1 to 1"),
        ({"labels": np.array([0.0, 1.0, 2.0])}, "integers .* got float64"),
        ({"n_classes": 0}, "at least 1; got 0 and 2"),
        ({"width": 0}, "at least 1; got 3 and 0"),
        ({"X": np.array([[1.0, np.nan], [1, 0], [0, 1]])}, "X must be finite"),
    ],
)
def test_what_is_no_sample_is_refused(rng, change, message):
    sample = {"X": np.array([[1.0, 0], [0, 1], [-1, 0]]), "labels": np.arange(3)}
    settings = sample | {"n_classes": 3, "width": 2, "rng": rng} | change
    X, labels = settings.pop("X"), settings.pop("labels")
    with pytest.raises(ValueError, match=message):
        memorization.memorize(X, labels, **settings)


def test_inputs_stay_as_they_are(rng):
    X, labels = sample(rng, 50, 40)
    X_before, labels_before = X.copy(), labels.copy()
    memorization.memorize(X, labels, n_classes=10, width=40, rng=rng)
    np.testing.assert_array_equal(X, X_before)
    np.testing.assert_array_equal(labels, labels_before)


def test_memory_grows_with_the_net_and_not_with_all_pairs(rng):
    n, k = 6000, 64
    X, labels = sample(rng, n, 128)
    tracemalloc.start()
    net, _ = memorization.memorize(X, labels, n_classes=10, width=k, rng=rng)
    memorization.predict(net, X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    numbers = 2 * n * k + 2 * n * k + 4 * 2048 * k  # the net, the points twice, tiles
    assert peak < 1.5 * 8 * numbers < 0.1 * 8 * n * n


# The pieces


def test_a_projection_keeps_squared_lengths_on_average(rng):
    x = rng.standard_normal(50)
    squares = [
        np.sum((memorization.random_projection(rng, 50, 20) @ x) ** 2)
        for _ in range(2000)
    ]
    error = np.std(squares) / len(squares) ** 0.5
    assert abs(np.mean(squares) - x @ x) <= 4 * error


@pytest.mark.parametrize("k", [50, 80])
def test_a_projection_to_more_dimensions_loses_nothing(rng, k):
    A_0 = memorization.random_projection(rng, 50, k)
    np.testing.assert_allclose(A_0.T @ A_0, np.eye(50), atol=1e-13)


def test_surrogate_labels_are_unit_vectors_and_uniform(rng):
    q = memorization.surrogate_labels(rng, 5000, 3)
    np.testing.assert_allclose(np.linalg.norm(q, axis=1), 1.0, rtol=1e-14)
    # A coordinate of a uniform point on the sphere of R^3 is uniform on [-1, 1].
    assert stats.kstest(q[:, 0], stats.uniform(-1, 2).cdf).pvalue > 1e-3


def test_unit_rows_refuse_a_zero_row():
    np.testing.assert_allclose(
        memorization.unit_rows([[3, 4], [0, 2]]), [[0.6, 0.8], [0, 1]]
    )
    with pytest.raises(ValueError, match="row 1 must not be zero"):
        memorization.unit_rows([[3, 4], [0, 0]])


@pytest.mark.parametrize("rho", [0.2, 0.9, 2.0, 3.5])
@pytest.mark.parametrize("k", [3, 10, 40])
def test_margins_fail_no_more_often_than_the_bound_says(rng, k, rho):
    n_trials, d = 4000, 45
    x = np.eye(d)[0]
    y = (1 - rho / 2) * x + np.sqrt(rho - rho**2 / 4) * np.eye(d)[1]
    A_0 = rng.standard_normal((n_trials, k, d)) / np.sqrt(k)
    margins = np.sum((A_0 @ x) * (A_0 @ (x - y)), axis=1)
    c = np.sqrt(rho / (4 - rho))
    exact = stats.t(k).sf(c * np.sqrt(k))
    assert exact <= 0.5 * (1 - rho / 4) ** (k / 2)
    error = np.sqrt(exact * (1 - exact) / n_trials)
    assert abs(np.mean(margins <= 0) - exact) <= 4 * error + 1e-12


@pytest.mark.parametrize("mu", [0.0, 0.1, 0.3])
def test_kept_margins_obey_the_bound(rng, mu):
    n_trials, k, rho = 4000, 12, 1.0
    x, w = np.eye(20)[0], 0.5 * np.eye(20)[0] + np.sqrt(0.75) * np.eye(20)[1]
    A_0 = rng.standard_normal((n_trials, k, 20)) / np.sqrt(k)
    squares = np.sum((A_0 @ x) ** 2, axis=1)
    margins = np.sum((A_0 @ x) * (A_0 @ w), axis=1) / squares
    c_squared = (rho / 2 - mu) ** 2 / (rho - rho**2 / 4)
    bound = 0.5 * (1 + c_squared) ** (-k / 2)
    assert np.mean(margins <= mu) <= bound + 4 * np.sqrt(bound / n_trials)
    q = memorization.surrogate_labels(rng, n_trials, k)
    scores = np.sum((A_0 @ x) * q, axis=1) / squares
    bound = (1 + (1 - mu) ** 2) ** (-k / 2)
    assert np.mean(scores >= 1 - mu) <= bound + 4 * np.sqrt(bound / n_trials)


def test_sufficient_width_follows_its_formula_and_suffices(rng):
    k = memorization.sufficient_width(1000, 1.0, n_classes=10)
    pairs = (1000 * 999 / 2 + 1000 * 10) / 0.01
    assert k == int(np.ceil(2 * np.log(pairs) / -np.log(0.75)))
    base = 1 + (0.5 - 0.1) ** 2 / 0.75
    kept = memorization.sufficient_width(1000, 1.0, n_classes=10, margin=0.1)
    assert kept == int(np.ceil(2 * np.log(pairs) / np.log(base)))
    far = memorization.sufficient_width(
        1000, 3.9, n_classes=10
    )  # the surrogates decide
    assert far == int(np.ceil(2 * np.log(pairs) / np.log(2)))
    X, labels = sample(rng, 1000, 300)
    rho = 2 - 2 * np.sort(X @ X.T, axis=1)[:, -2].max()
    k = memorization.sufficient_width(1000, rho, n_classes=10, margin=0.1)
    assert k < 300
    _, margin = memorization.memorize(X, labels, n_classes=10, width=k, rng=rng)
    assert margin > 0.05
    widths = [
        memorization.sufficient_width(n, 0.01, n_classes=2) for n in (10**3, 10**6)
    ]
    assert widths[1] - widths[0] == pytest.approx(16 / 0.01 * np.log(10**3), rel=0.02)


def test_sufficient_width_refuses_numbers_out_of_range():
    width = memorization.sufficient_width
    for rho in (0.0, 4.0, np.nan):
        with pytest.raises(ValueError, match=r"rho must be in \(0, 4\)"):
            width(10, rho, n_classes=2)
    with pytest.raises(ValueError, match=r"margin must be in \[0, rho/2\)"):
        width(10, 0.4, n_classes=2, margin=0.2)
    with pytest.raises(ValueError, match="failure must be in"):
        width(10, 0.4, n_classes=2, failure=0.0)
    with pytest.raises(ValueError, match="at least 1; got 0, 2"):
        width(0, 0.4, n_classes=2)
