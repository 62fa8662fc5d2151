"""What chapter 01 claims about blocks near the identity, and about a chain of them."""

import math

import numpy as np
import pytest

from identity_edu import ops, relu
from identity_edu.experiments import two_inputs
from identity_edu.nets import Block, Layer, Net

SLACK = 1e-12  # of lengths; rounding of a product of a few small matrices
NETS = [(skip, init) for skip in (True, False) for init in ("he", "near_identity")]


def norm(M):
    return np.linalg.norm(M, 2)


def block_of(U, s, V):
    d = len(V)
    params = {"b.U": U, "b.s": s, "b.V": V}
    return Net((relu.residual_block("b", d, d),), params)


def random_block(rng, delta):
    """Draw U, s and V of any small sizes, with norms whose product is delta."""
    d, k = rng.integers(1, 9, 2)
    U, V = rng.standard_normal((k, d)), rng.standard_normal((d, k))
    V *= delta / (norm(U) * norm(V))
    return block_of(U, norm(U) * rng.standard_normal(k), V)


def random_rows(rng, net):
    """Draw two inputs and one gradient for both outputs, of any size."""
    d = next(iter(net.params.values())).shape[1]
    return rng.standard_normal((2, d)) * 10 ** rng.uniform(-3, 3), np.tile(
        rng.standard_normal(d), (2, 1)
    )


def factors(net, X, G):
    """Return by what a net multiplies the distance of two rows, and each gradient."""
    output, cache = relu.forward(net, X)
    *_, (back, _) = relu.backward_sweep(net, cache, G)
    apart = np.linalg.norm(output[0] - output[1]) / np.linalg.norm(X[0] - X[1])
    return np.append(np.linalg.norm(back, axis=1) / np.linalg.norm(G, axis=1), apart)


def products(net, n_blocks):
    """Return the theorem's floor and ceiling for a net of `init_net`'s names."""
    names = [f"blocks.{i}" for i in range(n_blocks)]
    delta = np.array(
        [norm(net.params[f"{n}.U"]) * norm(net.params[f"{n}.V"]) for n in names]
    )
    assert delta.max() < 1
    return np.prod(1 - delta), np.prod(1 + delta)


def test_a_block_near_the_identity_keeps_distances_and_gradients(rng):
    for _ in range(1500):
        delta = rng.uniform(0, 1)
        net = random_block(rng, delta)
        found = factors(net, *random_rows(rng, net))
        assert (found >= 1 - delta - SLACK).all()
        assert (found <= 1 + delta + SLACK).all()


def test_whole_nets_keep_distances_and_gradients_within_the_products(rng):
    for _ in range(60):
        d, n_blocks = int(rng.integers(6, 24)), int(rng.integers(2, 101))
        net = relu.init_net(rng, [d] * (n_blocks + 1))
        for name, array in net.params.items():
            if name.endswith("s"):
                array += 0.1 * rng.standard_normal(d)
            else:
                array *= rng.uniform(0.3, 0.6)  # norms below 1 at any of these widths
        low, high = products(net, n_blocks)
        found = factors(net, *random_rows(rng, net))
        assert (found >= low * (1 - 1e-10)).all()
        assert (found <= high * (1 + 1e-10)).all()


def test_any_branch_that_stretches_little_keeps_distances_and_gradients(rng):
    for _ in range(200):
        d, k, m = rng.integers(1, 7, 3)
        delta = rng.uniform(0, 1)
        weights = [rng.standard_normal(shape) for shape in ((k, d), (m, k), (d, m))]
        weights[0] *= delta / math.prod(norm(W) for W in weights)
        dense = [Layer(ops.dense, ops.dense_backward, (name,)) for name in "abc"]
        between = Layer(ops.relu, ops.relu_backward)
        branch = (dense[0], between, dense[1], between, dense[2])
        net = Net((Block(branch),), dict(zip("abc", weights, strict=True)))
        found = factors(net, *random_rows(rng, net))
        assert (abs(found - 1) <= delta + SLACK).all()


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("d", [1, 2, 7])
def test_the_bounds_are_attained(rng, d, sign):
    for delta in (0.01, 0.5, 0.99):
        net = block_of(np.eye(d), np.zeros(d), sign * delta * np.eye(d))
        found = factors(net, rng.uniform(1, 2, (2, d)), rng.standard_normal((2, d)))
        np.testing.assert_allclose(found, 1 + sign * delta, rtol=1e-12)


@pytest.mark.parametrize("d", [1, 2, 7])
def test_a_branch_of_norm_one_can_cancel_the_identity(rng, d):
    net = block_of(np.eye(d), np.zeros(d), -np.eye(d))
    found = factors(net, rng.uniform(1, 2, (2, d)), rng.standard_normal((2, d)))
    np.testing.assert_array_equal(found, 0.0)


def test_a_plain_block_has_a_ceiling_and_no_floor(rng):
    for _ in range(200):
        delta = rng.uniform(0, 2)
        params = random_block(rng, delta).params
        d = len(params["b.V"])
        net = Net((relu.residual_block("b", d, d, skip=False),), params)
        assert (factors(net, *random_rows(rng, net)) <= delta + SLACK).all()
    net.params["b.s"][:] = -1e9  # no entry passes the ReLU
    assert not factors(net, *random_rows(rng, net)).any()


def test_bounds_through_many_blocks_stay_constant_or_grow_like_the_depth():
    depth = 10.0 ** np.arange(1, 8)
    for c in (0.5, 1.0, 5.0):
        tops, ends = (1 + c / depth) ** depth, (1 - c / depth) ** depth
        assert (np.diff(tops) > 0).all()
        assert (tops <= math.exp(c)).all()
        assert (ends <= math.exp(-c)).all()
        assert tops[-1] == pytest.approx(math.exp(c), rel=1e-5)
        assert ends[-1] == pytest.approx(math.exp(-c), rel=1e-5)
    delta = np.log(2 * depth) / depth
    for sign in (1, -1):
        share = (1 + sign * delta) ** depth / (2 * depth) ** sign
        assert (np.diff(share) > 0).all()  # both approach 2 l and 1 / (2 l) from below
        assert share[-1] == pytest.approx(1, rel=1e-4)


def test_large_branches_double_the_mean_squared_length(rng):
    x = rng.standard_normal((1, 20))
    nets = (relu.init_net(rng, [20, 20], init="he") for _ in range(2000))
    squares = [np.sum(relu.forward(net, x)[0] ** 2) for net in nets]
    error = np.std(squares) / len(squares) ** 0.5
    assert abs(np.mean(squares) - 2 * np.sum(x**2)) <= 4 * error


def test_the_size_of_the_weights_changes_no_direction_in_a_plain_net(rng):
    X = rng.standard_normal((3, 12))
    net = relu.init_net(rng, [12] * 31, skip=False, init="he")
    large, _ = relu.forward(net, X)
    for array in net.params.values():
        array *= 0.3
    small, _ = relu.forward(net, X)
    np.testing.assert_allclose(small, 0.3**60 * large, rtol=1e-10)


def test_branches_taken_k_times_add_at_most_their_term_of_the_exponential(rng):
    d, n_blocks, c = 5, 12, 1.0
    J = rng.standard_normal((n_blocks, d, d))
    J *= c / n_blocks / np.linalg.norm(J, 2, axis=(1, 2))[:, None, None]
    by_count = [np.eye(d)] + [np.zeros((d, d))] * n_blocks
    for matrix in J:
        taken = [np.zeros((d, d)), *(part @ matrix for part in by_count[:-1])]
        by_count = [a + b for a, b in zip(by_count, taken, strict=True)]
    for k, part in enumerate(by_count):
        assert norm(part) <= c**k / math.factorial(k)
    whole = np.linalg.multi_dot(np.eye(d) + J)
    np.testing.assert_allclose(sum(by_count), whole, rtol=1e-12, atol=1e-14)
    assert math.e - sum(1 / math.factorial(k) for k in range(5)) < 0.01


@pytest.mark.parametrize(("skip", "init"), NETS)
def test_two_inputs_are_compared_as_the_chapter_says(rng, skip, init):
    """The share, from one batch with opposite demands instead of two runs."""
    d, n_blocks, degrees = 9, 4, (10, 90, 170)
    net = relu.init_net(rng, [d] * (n_blocks + 1), skip=skip, init=init)
    seed = np.random.default_rng(3)
    angles, shares = two_inputs.compare(net, np.random.default_rng(3), degrees)
    x, across, g = np.linalg.qr(seed.standard_normal((d, 3)))[0].T
    np.testing.assert_allclose(angles[:, 0], degrees, rtol=1e-12)
    for degree, found_angles, found in zip(degrees, angles, shares, strict=True):
        turn = math.radians(degree)
        X = np.stack([x, math.cos(turn) * x + math.sin(turn) * across])
        output, _ = relu.forward(net, X)
        cosine = output[0] @ output[1] / math.prod(np.linalg.norm(output, axis=1))
        assert math.cos(math.radians(found_angles[-1])) == pytest.approx(cosine)
        pulls = [
            block_gradients(net, relu.forward(net, x[None])[1], sign * g[None])
            for x, sign in zip(X, (1.0, -1.0), strict=True)
        ]
        expected = np.linalg.norm(pulls[0] + pulls[1], axis=1) / 2
        np.testing.assert_allclose(found, expected, rtol=1e-9)
        cosines = np.sum(pulls[0] * pulls[1], axis=1)
        np.testing.assert_allclose(found**2, (1 + cosines) / 2, atol=1e-12)


def block_gradients(net, cache, G):
    """Return the direction of every block's U and V gradient, the first block first."""
    sweep = [grad for _, grad in relu.backward_sweep(net, cache, G)]
    flat = [
        np.concatenate([part.ravel() for name, part in grad.items() if name[-1] != "s"])
        for grad in reversed(sweep)
    ]
    return np.array([v / np.linalg.norm(v) for v in flat])
