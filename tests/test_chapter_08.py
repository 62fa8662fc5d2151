"""Claims of chapter 08 that no other test checks."""

import math

import numpy as np
import pytest
from scipy import stats

from identity_edu import data, experiments, memorization, relu
from identity_edu.experiments import memorization_growth as growth
from identity_edu.experiments import memorization_price as price


def cap(rho, k):
    """Return how often a random unit vector of R^(k+1) lies above sqrt(rho)/2."""
    return 0.5 * stats.beta(k / 2, 0.5).cdf(1 - rho / 4)


# The width theorem


@pytest.mark.parametrize("rho", [0.009, 0.5, 1.0, 2.0, 3.9])
@pytest.mark.parametrize("k", [2, 3, 10, 63])
def test_a_failing_margin_is_a_cap_of_the_sphere(k, rho):
    student = stats.t(k).sf(math.sqrt(k * rho / (4 - rho)))
    assert cap(rho, k) == pytest.approx(student, rel=1e-9)
    assert student <= 0.5 * (1 - rho / 4) ** (k / 2)


def test_the_gaussian_integral_of_step_5_and_its_inequality_hold():
    g, weight = np.polynomial.hermite_e.hermegauss(80)
    for a in (0.0, 1.0, 3.0):
        integral = np.sum(weight * np.exp(a * g - g**2)) / math.sqrt(2 * math.pi)
        assert integral == pytest.approx(math.exp(a**2 / 6) / math.sqrt(3), rel=1e-6)
    assert math.exp(1 / 3) / 3 < 0.5
    b = np.linspace(0.001, 1, 500)
    left = np.exp(b**2 / (1 + 2 * b**2)) / (1 + 2 * b**2)
    assert (left <= 1 / (1 + b**2)).all()


@pytest.mark.parametrize("k", [2, 6, 20])
def test_a_surrogate_beats_a_point_no_more_often_than_step_5_says(rng, k):
    g = rng.standard_normal((40_000, k))
    share = np.mean(math.sqrt(k) * g[:, 0] >= np.sum(g**2, axis=1))
    bound = (math.exp(1 / 3) / 3) ** (k / 2)
    assert share <= bound + 4 * math.sqrt(bound / len(g))


def test_sixteen_over_rho_log_n_is_the_limit_of_the_width():
    n, rho = 10**100, 1e-4
    k = memorization.sufficient_width(n, rho, n_classes=2)
    assert k == pytest.approx(16 / rho * math.log(n), rel=0.02)


# The experiments


@pytest.mark.parametrize(("k", "d"), [(20, 512), (49, 100), (5, 30)])
def test_expected_failures_are_those_of_student_averaged_over_angles(rng, k, d):
    X = memorization.unit_rows(rng.standard_normal((20_000, d)))
    rho = 2 - 2 * X[:, 0]  # squared distances from a fixed unit vector
    tails, n = cap(rho, k), 1000
    pairs = n * (n - 1) / 2 + n * (k - 1) / 2
    error = 4 * np.std(tails) / math.sqrt(len(tails))
    found = growth.expected_failures(n, k, d) / pairs
    assert abs(found - np.mean(tails)) <= error + 1e-4 * found
    bounds = (1 - rho / 4) ** (k / 2)
    error = 4 * np.std(bounds) / math.sqrt(len(bounds))
    found = growth.failure_bound(n, k, d) - n * growth.N_CLASSES * 2 ** (-k / 2)
    assert abs(found / (n * (n - 1) / 2) - np.mean(bounds)) <= error


def test_the_search_stops_at_the_first_width_that_holds():
    width, margin, size = growth.smallest_width(100, 512, 0)
    values = experiments.load_result("memorization_growth")["values"]
    assert (width, size) == (values["widths"][0][0], values["parameters"][0][0])
    assert margin == pytest.approx(values["margins"][0][0])
    assert size == width * 512 + 2 * width * 100 + 100 + 10 * width + 110


def test_measured_widths_grow_like_log_n_and_stay_below_the_guarantee():
    values = experiments.load_result("memorization_growth")["values"]
    widths = np.array([np.mean(row) for row in values["widths"]])
    assert (widths <= values["guaranteed"]["width"]).all()
    assert (np.abs(widths / values["expected"]["width"] - 1) < 0.2).all()
    slope, _ = np.polyfit(np.log(values["n"]), widths, 1)
    straight = np.polyval(
        np.polyfit(np.log(values["n"]), widths, 1), np.log(values["n"])
    )
    assert np.abs(widths - straight).max() < 3
    assert 4 < slope < 8


def test_margins_read_off_a_net_are_those_that_were_measured(rng):
    X = memorization.unit_rows(rng.standard_normal((40, 30)))
    labels = rng.integers(3, size=40)
    net, margin = memorization.memorize(X, labels, n_classes=3, width=30, rng=rng)
    assert price.relative_margin(net, 2) == pytest.approx(margin, rel=1e-9)


def test_kept_margins_are_above_what_the_theorem_promises():
    values = experiments.load_result("memorization_price")["values"]
    for rho, margins in zip(values["rho"], values["margins"], strict=True):
        for width, margin in zip(values["widths"], margins, strict=True):
            for mu in np.arange(0, min(rho / 2, 1), 0.01):
                enough = memorization.sufficient_width(
                    values["n"], rho, n_classes=price.N_CLASSES, margin=mu
                )
                assert margin > mu or width < enough


def test_rounding_grows_like_one_over_the_margin():
    values = experiments.load_result("memorization_price")["values"]
    logs = np.log(values["pair_margins"]), np.log(values["pair_errors"])
    slope, _ = np.polyfit(*logs, 1)
    assert slope == pytest.approx(-1, abs=0.05)
    margin, error = price.close_pairs(0.01, 0)
    assert margin == pytest.approx(0.01**2 / 2, rel=1e-4)
    assert error < 1e-14 / margin


# What it says about learning


def test_a_written_net_is_perfect_on_seen_digits_and_guesses_at_others():
    runs = [price.digit_accuracies(seed) for seed in range(3)]
    assert all(run["written_seen"] == run["random_seen"] == 1 for run in runs)
    assert np.mean([run["written_new"] for run in runs]) < 0.2
    assert min(run["neighbour_new"] for run in runs) > 0.95
    assert all(run["n_moved"] < run["n_new"] / 2 for run in runs)
    assert all(run["n_read"] < run["n_new"] / 20 for run in runs)
    assert all(0 < run["way_moved"] < 0.5 for run in runs)


@pytest.mark.parametrize("width", [63, 64])
def test_independent_entries_lose_thousands_of_digit_pairs_at_once(rng, width):
    X = memorization.unit_rows(data.load_digits()[0])
    Z = X @ rng.standard_normal((width, 64)).T / math.sqrt(width)
    scores = Z @ Z.T
    fails = scores >= np.diag(scores)[:, None]
    assert fails.sum() - len(X) > 2000  # less the points themselves


def test_at_a_width_found_by_the_search_about_one_draw_in_three_holds(rng):
    held = 0
    for _ in range(200):
        X = memorization.unit_rows(rng.standard_normal((100, 512)))
        try:
            memorization.memorize(
                X, np.arange(100) % 10, n_classes=10, width=19, rng=rng
            )
        except ValueError:
            continue
        held += 1
    assert 0.2 < held / 200 < 0.5


def test_the_closest_digits_fail_more_than_one_time_in_three_at_width_63():
    X = memorization.unit_rows(data.load_digits()[0])
    rho = 2 - 2 * np.sort((X @ X.T)[np.triu_indices(len(X), 1)])[-1]
    share = stats.t(63).sf(np.sqrt(63 * rho / (4 - rho)))
    assert 1 / 3 < share < 0.4


def test_a_digit_that_no_row_notices_gets_the_same_output_for_any_labels():
    X, labels, X_new, _ = data.split_digits()
    X, X_new = memorization.unit_rows(X), memorization.unit_rows(X_new)
    thrown = np.random.default_rng(1).permutation(labels)
    outputs, unnoticed = [], np.ones(len(X_new), dtype=bool)
    for y in (labels, thrown):
        net, _ = memorization.memorize(
            X, y, n_classes=10, width=64, rng=np.random.default_rng(0)
        )
        out, cache = relu.forward(net, X_new)
        outputs.append(out)
        for branch_inputs, _ in cache[1:]:
            unnoticed &= ~(branch_inputs[-1] > 0).any(axis=1)
    assert unnoticed.sum() > 200
    np.testing.assert_array_equal(outputs[0][unnoticed], outputs[1][unnoticed])


# Where it stops


@pytest.mark.parametrize("seed", range(3))
def test_digits_need_every_dimension(seed):
    X, labels = data.load_digits()
    X, rng = memorization.unit_rows(X), np.random.default_rng(seed)
    with pytest.raises(ValueError, match="at width 63"):
        memorization.memorize(X, labels, n_classes=10, width=63, rng=rng)
    memorization.memorize(X, labels, n_classes=10, width=64, rng=rng)


def test_a_threshold_for_each_row_holds_where_no_single_one_does():
    rng = np.random.default_rng(2)
    X = memorization.unit_rows(rng.standard_normal((1000, 512)))
    H = X @ memorization.random_projection(rng, 512, 48).T
    block = memorization.memorizing_block(H, np.arange(48), H[:48])
    own = np.sum(block.U**2, axis=1)
    assert block.margins.min() > 0.2
    assert (own - block.margins).max() > own.min()
