"""Norms through residual blocks: measured as they are, and bounded as proved."""

import math
from functools import partial
from itertools import chain

import numpy as np
import pytest

from identity_edu import allconv, data, factorization, nets, ops, relu
from identity_edu import norm_preservation as norms
from identity_edu.conv import conv2d
from identity_edu.experiments import block_norm_margins as margins
from identity_edu.experiments import load_result

SLACK = 1e-12
SMALL = allconv.Architecture(
    image=(6, 5, 2),
    stem=4,
    stages=(allconv.Stage(2, 4), allconv.Stage(2, 6, 2)),
    n_classes=3,
)
DRAWN = {
    "linear": margins.random_linear,
    "relu": margins.random_relu,
    "convolution": margins.random_convolution,
}
ALIGNED = {"relu": margins.aligned_relu, "convolution": margins.aligned_convolution}
each_aligned = pytest.mark.parametrize("kind", ALIGNED)


def whole_net(rng, kind):
    """Draw a net of several blocks with a batch of its inputs and output gradients."""
    if kind == "dense":
        net = relu.init_net(rng, [5, 5, 7, 7, 4], n_outputs=3, init="he")
        X = rng.standard_normal((3, 5))
    else:
        net = allconv.init_net(rng, SMALL, init="usual", dtype=np.float64)
        X = rng.standard_normal((3, 6, 5, 2))
    return net, X, rng.standard_normal((3, 3))


each_net = pytest.mark.parametrize("kind", ["dense", "convolutional"])


def scaled(net, h, delta):
    """Scale the last weights of a one-block net until its bound is delta."""
    *_, last = net.params
    (now,) = norms.block_bounds(net, h)
    return nets.Net(net.blocks, net.params | {last: net.params[last] * (delta / now)})


def negated(net):
    *_, last = net.params
    return nets.Net(net.blocks, net.params | {last: -net.params[last]})


def without_identity(net):
    return nets.Net((nets.Block(net.blocks[0].branch, skip=None),), net.params)


def squared_ratio(net, h, g):
    return norms.backward_ratios(norms.backward_norms(net, h, g))[0] ** 2


def linear_net(A):
    """Describe prod (I + A_i) as a net of dense branches."""
    params = {f"A.{i}": A_i for i, A_i in enumerate(A)}
    layers = (nets.Layer(ops.dense, ops.dense_backward, (name,)) for name in params)
    return nets.Net(tuple(nets.Block((layer,)) for layer in layers), params)


# Measured


@each_net
def test_backward_norms_are_those_of_difference_quotients(rng, kind):
    net, X, g = whole_net(rng, kind)
    found = norms.backward_norms(net, X, g)
    states = nets.block_states(*nets.forward(net, X))
    assert found.shape == (len(net.blocks) + 1, 3)
    for i, h in enumerate(states):
        rest = nets.Net(net.blocks[i:], net.params)
        for j in range(len(X)):
            gradient = np.empty(h[j].size)
            for entry in range(h[j].size):
                step = np.zeros(h[j].size)
                step[entry] = 1e-6
                pair = np.stack([h[j] + s * step.reshape(h[j].shape) for s in (1, -1)])
                ahead, behind = nets.evaluate(rest, pair)
                gradient[entry] = (ahead - behind) @ g[j] / 2e-6
            # Straight pieces: rounding over the step of 1e-6 is the only error.
            assert found[i, j] == pytest.approx(np.linalg.norm(gradient), rel=1e-7)


@each_net
def test_forward_norms_are_those_of_the_nets_that_end_earlier(rng, kind):
    net, X, _ = whole_net(rng, kind)
    found = norms.forward_norms(net, X)
    assert found.shape == (len(net.blocks) + 1, 3)
    for i in range(len(net.blocks) + 1):
        state = nets.evaluate(nets.Net(net.blocks[:i], net.params), X)
        expected = [math.sqrt(math.fsum((x**2).ravel())) for x in state]
        np.testing.assert_allclose(found[i], expected, rtol=1e-12)


@each_net
def test_ratios_multiply_to_the_norms_at_the_ends(rng, kind):
    net, X, g = whole_net(rng, kind)
    back, ahead = norms.backward_norms(net, X, g), norms.forward_norms(net, X)
    np.testing.assert_allclose(back[-1], np.linalg.norm(g, axis=1), rtol=1e-14)
    product = norms.backward_ratios(back).prod(axis=0)
    np.testing.assert_allclose(product * back[-1], back[0], rtol=1e-12)
    product = norms.forward_ratios(ahead).prod(axis=0)
    np.testing.assert_allclose(product * ahead[0], ahead[-1], rtol=1e-12)


def test_ratios_are_of_neighbouring_rows_each_way():
    column = np.array([[6.0], [3.0], [1.0]])
    np.testing.assert_array_equal(norms.backward_ratios(column), [[2.0], [3.0]])
    np.testing.assert_array_equal(norms.forward_ratios(column), [[0.5], [1 / 3]])


def test_a_norm_of_zero_has_no_ratio():
    column = np.array([[0.0], [0.0], [2.0], [0.0], [0.0]])
    found = norms.backward_ratios(column)[:, 0]
    np.testing.assert_array_equal(found, [math.nan, 0, math.nan, math.nan])
    found = norms.forward_ratios(column)[:, 0]
    np.testing.assert_array_equal(found, [math.nan, math.nan, 0, math.nan])


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_the_squares_of_a_float32_gradient_neither_vanish_nor_overflow(rng, scale):
    net, X, g = whole_net(rng, "dense")
    params = {name: array.astype(np.float32) for name, array in net.params.items()}
    net, X, g = nets.Net(net.blocks, params), X.astype("f"), g.astype("f")
    usual = norms.backward_norms(net, X, g)
    found = norms.backward_norms(net, X, g * np.float32(scale))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found / np.float32(scale), usual, rtol=1e-5)


def test_a_gradient_of_zero_stays_zero(rng):
    net, X, g = whole_net(rng, "dense")
    g[1] = 0.0
    found = norms.backward_norms(net, X, g)
    assert not found[:, 1].any()
    assert (found[:, [0, 2]] > 0).all()


def test_an_identity_keeps_every_norm_exactly(rng):
    net, h = margins.random_relu(rng)
    net.params["block.V"][:] = 0.0
    g = rng.standard_normal(h.shape)
    back, ahead = norms.backward_norms(net, h, g), norms.forward_norms(net, h)
    np.testing.assert_array_equal(norms.backward_ratios(back), [[1.0]])
    np.testing.assert_array_equal(norms.forward_ratios(ahead), [[1.0]])


@pytest.mark.parametrize("n_layers", [1, 2, 5])
def test_linear_backward_norms_are_those_of_the_products(rng, n_layers):
    A, g = rng.standard_normal((n_layers, 4, 4)), rng.standard_normal((3, 4))
    found = norms.linear_backward_norms(A, g)
    assert found.shape == (n_layers + 1, 3)
    for i in range(n_layers + 1):
        rest = np.eye(4)
        for A_i in A[i:]:
            rest = (np.eye(4) + A_i) @ rest
        expected = [np.linalg.norm(rest.T @ g_j) for g_j in g]
        np.testing.assert_allclose(found[i], expected, rtol=1e-12)


def test_the_linear_form_is_the_net_of_dense_branches(rng):
    A, g = rng.standard_normal((4, 5, 5)), rng.standard_normal((3, 5))
    found = norms.backward_norms(linear_net(A), rng.standard_normal((3, 5)), g)
    np.testing.assert_allclose(norms.linear_backward_norms(A, g), found, rtol=1e-12)
    expected = np.linalg.norm(A, 2, axis=(1, 2))
    bounds = norms.block_bounds(linear_net(A), g)
    np.testing.assert_allclose(bounds, expected, rtol=1e-12)


# Bounded: one block


@pytest.mark.parametrize("delta", [0.01, 0.1, 0.5, 0.95, 3.0])
@pytest.mark.parametrize("kind", DRAWN)
def test_every_backward_ratio_lies_within_delta_of_one(rng, kind, delta):
    for _ in range(10):
        net, h = DRAWN[kind](rng)
        net = scaled(net, h, delta)
        s = np.linalg.svd(margins.backward_map(net, h), compute_uv=False)
        assert s[-1] >= 1 - delta - SLACK
        assert s[0] <= 1 + delta + SLACK
        g = rng.standard_normal((4, *h.shape[1:]))
        back = norms.backward_norms(net, np.repeat(h, 4, axis=0), g)
        ratios = norms.backward_ratios(back)
        assert s[-1] - SLACK <= ratios.min() <= ratios.max() <= s[0] + SLACK


@pytest.mark.parametrize("kind", DRAWN)
def test_without_the_identity_the_ratio_falls_below_the_bound(rng, kind):
    for _ in range(10):
        net, h = DRAWN[kind](rng)
        net = without_identity(scaled(net, h, 0.4))
        s = np.linalg.svd(margins.backward_map(net, h), compute_uv=False)
        assert s[0] <= 0.4 + SLACK
        assert s[0] < 1 - 0.4


@pytest.mark.parametrize("delta", [0.05, 0.5, 0.95])
@each_aligned
def test_aligned_blocks_reach_both_ends_of_the_bound(rng, kind, delta):
    for sign, end in ((-1, -2), (1, 2)):
        net, h = ALIGNED[kind](rng, sign)
        map_ = margins.backward_map(scaled(net, h, delta), h)
        reached = np.linalg.norm(map_, end)
        # Lanczos stops at a residual, not at the last digit of the norm.
        assert reached == pytest.approx(1 + sign * delta, abs=1e-10)


@each_aligned
def test_at_delta_one_a_block_loses_a_gradient(rng, kind):
    net, h = ALIGNED[kind](rng, -1)
    net = scaled(net, h, 1.0)
    map_ = margins.backward_map(net, h)
    lost = np.linalg.svd(map_)[0][:, -1].reshape(h.shape)
    assert norms.backward_norms(net, h, lost)[0, 0] <= 1e-10
    (bound,) = norms.block_bounds(net, h)
    assert norms.composed_bound(float(bound), 1)[0] <= 1e-10


@pytest.mark.parametrize("init", ["near_identity", "usual"])
def test_the_blocks_of_a_whole_net_keep_their_bounds(rng, init):
    net = allconv.init_net(rng, SMALL, init=init, dtype=np.float64)
    x = rng.standard_normal((4, 6, 5, 2))
    delta = norms.block_bounds(net, x)
    # stem, two blocks, one that changes shape, one more, read-out
    np.testing.assert_array_equal(np.isnan(delta), [1, 0, 0, 1, 0, 1])
    back = norms.backward_norms(net, x, rng.standard_normal((4, 3)))
    off = abs(norms.backward_ratios(back) - 1).max(axis=1)
    keeps = ~np.isnan(delta)
    assert (off[keeps] <= delta[keeps] * (1 + SLACK)).all()


# Bounded: delta itself


def test_a_dense_block_is_bounded_by_its_two_spectral_norms(rng):
    net, h = margins.random_relu(rng)
    U, V = net.params["block.U"], net.params["block.V"]
    expected = np.sqrt(
        np.linalg.eigvalsh(U.T @ U)[-1] * np.linalg.eigvalsh(V.T @ V)[-1]
    )
    np.testing.assert_allclose(norms.block_bounds(net, h), [expected], rtol=1e-10)


def test_a_convolution_counts_as_the_operator_on_its_own_images(rng):
    net, _ = margins.random_convolution(rng)
    c, found = net.params["W1"].shape[2], {}
    for size in [(1, 1), (3, 7), (8, 5)]:
        n = math.prod(size) * c
        pixels, expected = np.eye(n).reshape(n, *size, c), 1.0
        for W in net.params.values():
            expected *= np.linalg.norm(conv2d(pixels, W).reshape(n, -1), 2)
        found[size] = norms.block_bounds(net, np.zeros((1, *size, c)))[0]
        # Lanczos stops at a residual, not at the last digit of the norm.
        assert found[size] == pytest.approx(expected, rel=1e-8)
    assert found[1, 1] < found[3, 7] < found[8, 5]


def test_a_skip_that_is_no_identity_has_no_delta(rng):
    net = relu.init_net(rng, [4, 4, 6, 6, 3], n_outputs=2)
    delta = norms.block_bounds(net, np.zeros((2, 4)))
    np.testing.assert_array_equal(np.isnan(delta), [0, 1, 0, 1, 1])
    plain = relu.init_net(rng, [4, 4], skip=False)
    assert np.isnan(norms.block_bounds(plain, np.zeros((1, 4)))).all()


def test_delta_multiplies_norms_and_one_slope_less_than_layers():
    assert norms.branch_bound([0.5]) == 0.5
    assert norms.branch_bound([0.5], lipschitz=7.0) == 0.5
    assert norms.branch_bound([0.5, 4.0, 3.0]) == 6.0
    assert norms.branch_bound([0.5, 4.0, 3.0], lipschitz=2.0) == 24.0
    assert norms.branch_bound([2, 3], lipschitz=0) == 0.0
    many = norms.branch_bound([[0.5, 1.0], [4.0, 2.0]], lipschitz=0.1)
    np.testing.assert_allclose(many, [0.2, 0.2], rtol=1e-15)


# Many blocks


@pytest.mark.parametrize("condition", [1.0, 10.0, 1000.0])
@pytest.mark.parametrize("n_layers", [20, 64, 400])
def test_a_deep_linear_net_keeps_norms_within_c_over_its_depth(
    rng, n_layers, condition
):
    R = data.random_map(rng, 6, condition=condition)
    A = factorization.near_identity_factorization(R, n_layers)
    b = factorization.norm_bound(R, n_layers)
    assert n_layers >= 2 + math.pi + 1.5 * factorization.log_condition(R)
    back = norms.linear_backward_norms(A, rng.standard_normal((20, 6)))
    assert abs(norms.backward_ratios(back) - 1).max() <= b * (1 + SLACK)
    lower, upper = norms.composed_bound(b, n_layers)
    ends = back[0] / back[-1]
    assert lower <= ends.min() <= ends.max() <= upper


@pytest.mark.parametrize("n_blocks", [0, 1, 2, 7])
def test_the_composed_bound_is_reached_by_equal_layers(rng, n_blocks):
    g = rng.standard_normal((1, 3))
    for sign in (-1, 1):
        A = np.tile(sign * 0.3 * np.eye(3), (n_blocks, 1, 1))
        back = norms.linear_backward_norms(A, g)
        end = norms.composed_bound(0.3, n_blocks)[(sign + 1) // 2]
        assert back[0, 0] / back[-1, 0] == pytest.approx(end, rel=1e-12)


@pytest.mark.parametrize("c", [0.5, 3.0])
def test_c_over_depth_composes_to_a_constant(c):
    lower, upper = norms.composed_bound(c / 1e9, 10**9)
    assert lower == pytest.approx(math.exp(-c), rel=1e-8)
    assert upper == pytest.approx(math.exp(c), rel=1e-8)


def test_a_logarithm_over_depth_composes_to_a_multiple_of_the_depth():
    for n_blocks in (10**6, 10**7):
        delta = math.log(2 * n_blocks) / n_blocks
        lower, upper = norms.composed_bound(delta, n_blocks)
        # Off by exp(-+ L delta^2 / 2), which is 1 +- 1.1e-4 at a million blocks.
        assert upper / (2 * n_blocks) == pytest.approx(1, abs=2e-4)
        assert lower * (2 * n_blocks) == pytest.approx(1, abs=2e-4)
    shallow = [norms.composed_bound(math.log(2 * n) / n, n)[1] for n in (10, 100)]
    assert shallow == pytest.approx([13.7, 175], rel=5e-3)


def test_from_delta_one_on_the_lower_bound_is_void():
    assert norms.composed_bound(1.0, 3) == (0.0, pytest.approx(8.0))
    assert norms.composed_bound(2.5, 2) == (0.0, pytest.approx(12.25))
    assert norms.composed_bound(2.5, 0) == (1.0, 1.0)
    assert norms.composed_bound(1.0, 10_000) == (0.0, math.inf)


def test_the_measured_margins_of_3000_blocks_keep_the_bound():
    values = load_result("block_norm_margins")["values"]
    assert values["n_blocks"] * len(values["kinds"]) == 3000
    for found in values["kinds"].values():
        assert found["worst_random"] <= found["worst"] <= 1 + SLACK
        assert found["n_violations"] == 0
        plain = found["plain"]
        # With delta below one half the branch alone is always too small.
        n_below_half = values["n_blocks"] - plain["n_from_half"]
        assert plain["n_violations"] == n_below_half + plain["n_violations_from_half"]
        assert plain["n_violations_from_half"] > 0.5 * plain["n_from_half"]
    for block in chain(*values["tight"].values()):
        assert 1 - block["smallest"] == pytest.approx(block["delta"], rel=1e-9)
        assert block["largest"] - 1 == pytest.approx(block["delta"], rel=1e-9)
    for block in chain(*values["vanishing"].values()):
        assert block["delta"] >= 1 - 1e-9
        assert block["ratio"] <= 1e-12


# The mean over random weights: the first order cancels


@pytest.mark.parametrize("kind", DRAWN)
def test_over_both_signs_of_the_last_weights_the_first_order_cancels(rng, kind):
    for _ in range(5):
        net, h = DRAWN[kind](rng)
        net, g = scaled(net, h, 0.9), rng.standard_normal(h.shape)
        both = (squared_ratio(net, h, g) + squared_ratio(negated(net), h, g)) / 2
        branch = squared_ratio(without_identity(net), h, g)
        np.testing.assert_allclose(both, 1 + branch, rtol=1e-12)


def within_four_standard_errors(values, expected):
    error = np.std(values, ddof=1) / len(values) ** 0.5
    return abs(np.mean(values) - expected) <= 4 * error


@pytest.mark.parametrize(("init", "law"), [("near_identity", 1 / 128), ("he", 1.0)])
def test_a_dense_block_at_its_start_adds_its_law_to_the_mean_square(rng, init, law):
    # E ||J^T g||^2 = k d std_U^2 std_V^2 / 2 ||g||^2 for every h and g; here k = d = 8
    h, g = rng.standard_normal((1, 8)), rng.standard_normal((1, 8))
    drawn = (relu.init_net(rng, [8, 8], init=init) for _ in range(4000))
    found = [squared_ratio(without_identity(net), h, g)[0] for net in drawn]
    assert within_four_standard_errors(found, law)


@pytest.mark.parametrize("std", [1 / (3 * 3**0.5), 1 / (9 * 3)])
def test_a_block_of_convolutions_at_its_start_adds_one_half_but_for_borders(rng, std):
    # Without borders c^2 k^4 std^4 / 2, 1/2 at the usual start; at a border a pixel is
    # seen by fewer taps. The gradients are white noise: with others, pixels of one
    # channel share weights, and their slopes are not independent of these.
    rows, columns = (np.array([2] + [3] * (side - 2) + [2]) for side in (4, 5))
    taps = rows[:, None] * columns
    law = 0.5 * 3**2 * std**4 * np.mean(taps.astype(float) ** 2)
    net, h = margins.random_convolution(rng)
    block, h, found = net.blocks[0], rng.standard_normal((1, 4, 5, 3)), []
    for _ in range(3000):
        params = {n: std * rng.standard_normal((3, 3, 3, 3)) for n in ("W1", "W2")}
        net = without_identity(nets.Net((block,), params))
        back = norms.backward_norms(net, h, rng.standard_normal(h.shape))
        found.append(back[0, 0] ** 2 / h.size)
    assert within_four_standard_errors(found, law)


# Contracts


def test_no_input_is_modified(rng):
    net, X, g = whole_net(rng, "convolutional")
    A, column = rng.standard_normal((2, 3, 3)), np.array([[0.0], [1.0]])
    g_rows, list_ = rng.standard_normal((2, 3)), [2.0, 3.0]
    arrays = [X, g, A, column, g_rows, *net.params.values()]
    before = [array.copy() for array in arrays]
    norms.forward_norms(net, X)
    norms.backward_norms(net, X, g)
    norms.block_bounds(net, X)
    norms.linear_backward_norms(A, g_rows)
    norms.backward_ratios(column)
    norms.forward_ratios(column)
    norms.branch_bound(list_)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)
    assert list_ == [2.0, 3.0]


def test_float32_stays_float32(rng):
    net = allconv.init_net(rng, SMALL)
    x, g = np.ones((1, 6, 5, 2), np.float32), np.ones((1, 3), np.float32)
    back, ahead = norms.backward_norms(net, x, g), norms.forward_norms(net, x)
    found = [back, ahead, norms.backward_ratios(back), norms.forward_ratios(ahead)]
    found.append(norms.linear_backward_norms(np.ones((1, 3, 3), np.float32), g))
    found.append(norms.branch_bound(np.ones((2, 3), np.float32), lipschitz=0.5))
    assert {array.dtype for array in found} == {np.dtype(np.float32)}
    assert norms.block_bounds(net, x).dtype == np.float64


def test_integers_and_a_batch_of_none_are_taken(rng):
    found = norms.linear_backward_norms([[[0, 1], [0, 0]]], [[3, 4]])
    np.testing.assert_allclose(found, [[math.sqrt(58)], [5.0]])
    net, X, g = whole_net(rng, "dense")
    assert norms.backward_norms(net, X[:0], g[:0]).shape == (6, 0)
    assert norms.forward_norms(net, X[:0]).shape == (6, 0)


def test_a_gradient_of_another_shape_is_refused(rng):
    net, X, g = whole_net(rng, "dense")
    for wrong in (g[:2], g[:, :1], g[0]):
        with pytest.raises(ValueError, match=r"must be \(3, 3\), as the net's output"):
            norms.backward_norms(net, X, wrong)


def test_an_input_of_another_dtype_is_refused(rng):
    net, X, g = whole_net(rng, "dense")
    calls = (
        norms.forward_norms,
        norms.block_bounds,
        partial(norms.backward_norms, grad_output=g),
    )
    for call in calls:
        with pytest.raises(TypeError, match="must have the dtype of the net's"):
            call(net, X.astype(np.float32))


@pytest.mark.parametrize(
    ("A", "g"),
    [((3, 3), (2, 3)), ((1, 3, 2), (2, 3)), ((1, 3, 3), (3,)), ((1, 3, 3), (2, 4))],
)
def test_a_stack_that_does_not_fit_is_refused(A, g):
    with pytest.raises(ValueError, match=r"must be \(l, d, d\) and \(n, d\); got"):
        norms.linear_backward_norms(np.ones(A), np.ones(g))


@pytest.mark.parametrize("empty", [[], 3.0])
def test_a_branch_without_a_layer_is_refused(empty):
    with pytest.raises(ValueError, match="one norm or more is required; got shape"):
        norms.branch_bound(empty)


@pytest.mark.parametrize(
    ("layers", "lipschitz"),
    [([1, -1], 1), ([1], -0.5), ([math.nan], 1), ([1], math.nan)],
)
def test_a_negative_norm_is_refused(layers, lipschitz):
    with pytest.raises(ValueError, match="norms and lipschitz must be at least 0; got"):
        norms.branch_bound(layers, lipschitz=lipschitz)


@pytest.mark.parametrize(("delta", "n_blocks"), [(-0.1, 2), (0.1, -1), (math.nan, 1)])
def test_a_composition_of_negative_size_is_refused(delta, n_blocks):
    with pytest.raises(ValueError, match="delta and n_blocks must be at least 0; got"):
        norms.composed_bound(delta, n_blocks)


def test_a_branch_of_other_layers_has_no_bound():
    bent = nets.Layer(np.sin, lambda delta, h: delta * np.cos(h))
    fixed = nets.Layer(partial(ops.dense, W=np.eye(2)), lambda delta, _: delta)
    add = nets.Layer(np.add, lambda delta, h, b: (delta, delta.sum(axis=0)), ("b",))
    for layer, name in ((bent, "sin"), (fixed, "dense"), (add, "add")):
        net = nets.Net((nets.Block((layer,)),), {"b": np.ones(2)})
        with pytest.raises(ValueError, match=f"and of ReLUs; got {name}"):
            norms.block_bounds(net, np.ones((1, 2)))


def test_bounds_need_an_example(rng):
    net, X, _ = whole_net(rng, "dense")
    with pytest.raises(ValueError, match="X must hold one example or more; got none"):
        norms.block_bounds(net, X[:0])
