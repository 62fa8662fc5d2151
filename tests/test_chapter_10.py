"""What chapter 10 proves about short filters, and what its measurements found."""

import numpy as np
import pytest

from identity_edu import experiments
from identity_edu.conv import winograd_matrices
from identity_edu.experiments import winograd_points

POINTS = (0, 1, -1, 0.5, -0.5, 2, -2, np.inf)
SIZES = [(1, 1), (2, 2), (2, 3), (4, 3), (6, 3), (3, 5), (1, 4)]


def drawn_matrices(rng, m, r):
    chosen = rng.permutation(len(POINTS))[: m + r - 1]
    return winograd_matrices(tuple(POINTS[i] for i in chosen), n_taps=r)


# Theorem 10.1


@pytest.mark.parametrize(("m", "r"), SIZES)
def test_m_plus_r_minus_1_products_give_the_filter_and_both_gradients(rng, m, r):
    """With and without infinity among the points, against loops."""
    for _ in range(5):
        AT, G, BT = drawn_matrices(rng, m, r)
        g, d, z = (rng.standard_normal(k) for k in (r, m + r - 1, m))
        y, grad_g, grad_d = np.zeros(m), np.zeros(r), np.zeros(m + r - 1)
        for k, j in np.ndindex(m, r):
            y[k] += g[j] * d[k + j]
            grad_g[j] += z[k] * d[k + j]
            grad_d[k + j] += z[k] * g[j]
        assert len(G) == m + r - 1
        A, B = AT.T, BT.T
        for ours, right in (
            (AT @ ((G @ g) * (BT @ d)), y),
            (G.T @ ((A @ z) * (BT @ d)), grad_g),
            (B @ ((G @ g) * (A @ z)), grad_d),
        ):
            np.testing.assert_allclose(ours, right, rtol=1e-10, atol=1e-10)


def test_on_a_square_36_products_give_16_outputs(rng):
    AT, G, BT = winograd_matrices()
    d, g = rng.standard_normal((6, 6)), rng.standard_normal((3, 3))
    products = (G @ g @ G.T) * (BT @ d @ BT.T)
    right = [[np.sum(g * d[i : i + 3, j : j + 3]) for j in range(4)] for i in range(4)]
    assert products.size == 36
    np.testing.assert_allclose(AT @ products @ AT.T, right, atol=1e-12)


def test_two_outputs_of_two_taps_take_the_three_products_of_the_chapter(rng):
    g, d = rng.standard_normal(2), rng.standard_normal(3)
    AT, G, BT = winograd_matrices((0, 1, np.inf), n_taps=2)
    by_hand = (d[0] - d[1]) * g[0], d[1] * (g[0] + g[1]), (d[2] - d[1]) * g[1]
    np.testing.assert_allclose((G @ g) * (BT @ d), by_hand, rtol=1e-12)
    np.testing.assert_allclose(AT, [[1, 1, 0], [0, 1, 1]])


# Proposition 10.1 and the law


def test_terms_are_as_large_as_their_variances_say(rng):
    points = (0, 1, -1, 2, -2, np.inf)
    AT, G, BT = winograd_matrices(points)
    g, d = rng.choice([-1.0, 1.0], (3, 40_000)), rng.choice([-1.0, 1.0], (6, 40_000))
    terms = AT[:, :, None] * ((G @ g) * (BT @ d))
    ratio = (terms**2).sum(axis=1).mean(axis=1) / (terms.sum(axis=1) ** 2).mean(axis=1)
    # 40,000 draws: standard errors are below 1 per cent.
    np.testing.assert_allclose(
        np.sqrt(ratio), winograd_points.cancellation(points), rtol=0.04
    )


def test_inverse_points_reverse_the_outputs():
    ahead = winograd_points.cancellation((0, 0.5, -0.5, 1, -1, np.inf))
    back = winograd_points.cancellation((np.inf, 2, -2, 1, -1, 0))
    np.testing.assert_allclose(ahead, back[::-1], rtol=1e-12)


def test_errors_follow_the_law_over_five_powers_of_ten():
    found = experiments.load_result("winograd_points")["values"]
    cases = found["cases"]
    predicted = np.array([case["predicted"] for case in cases])
    errors = np.array([np.median(case["errors"]) for case in cases])
    assert len(cases) == 12
    assert predicted.max() > 1e5 * predicted.min()
    ratio = errors / predicted / np.median(found["direct"])
    assert ((ratio > 0.5) & (ratio < 2)).all()


def test_the_condition_number_does_not_tell_two_equally_good_sets_apart():
    values = experiments.load_result("winograd_points")["values"]
    by_points = {tuple(c["points"]): np.median(c["errors"]) for c in values["cases"]}
    half, two = (0, 0.5, -0.5), (0, 2, -2)
    conditions = [
        np.linalg.cond(winograd_matrices((*p, np.inf))[2]) for p in (half, two)
    ]
    assert conditions[1] > 5 * conditions[0]
    assert 0.7 < by_points[two] / by_points[half] < 1.4


def test_ours_overtakes_pytorch_and_the_highest_rate_seen_elsewhere():
    settings = experiments.load_result("benchmark_convolution")["values"]["settings"]
    found = list(settings.values())[-1]
    outputs = [(x["flops"], x["passes"]["output"]) for x in found["layers"]]
    torch_rates = [flops / times["torch_minimum"] for flops, times in outputs]
    limit = max(*found["product_rates"].values(), *torch_rates)
    ours = []
    for layer in found["layers"]:
        if layer["batch"] == 128:
            times = layer["passes"]["output"]
            assert times["ours_minimum"] < times["torch_minimum"]
            ours.append(layer["flops"] / times["ours_minimum"])
    assert max(ours) > 1.2 * limit


def test_smooth_tiles_lose_less_than_the_law_says():
    smooth = experiments.load_result("winograd_points")["values"]["smooth"]
    promised = smooth["predicted"] * np.median(smooth["direct"])
    assert np.median(smooth["errors"]) < promised / 4
