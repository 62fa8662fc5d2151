"""The all-convolutional residual net: its table, its gradient, and its fast runner."""

from dataclasses import asdict, replace
from functools import partial

import numpy as np
import pytest

from identity_edu import allconv, conv, nets, ops
from identity_edu.allconv import Architecture, Stage
from identity_edu.conv.team import Team
from identity_edu.numerics import central_difference, convergence_order
from identity_edu.runner import Runner

SMALL = Architecture(image=(8, 8, 2), stages=(Stage(2, 8), Stage(1, 12, 2)), stem=8)
ODD = Architecture(
    image=(7, 5, 3), stages=(Stage(1, 9), Stage(2, 6, 2), Stage(1, 6, 3)), n_classes=4
)
PLAIN, TRANSITIONS, ODD_TRANSITIONS = (
    replace(SMALL, skip=False),
    replace(SMALL, transition="convolution"),
    replace(ODD, transition="convolution"),
)
FUSED = {
    "small": SMALL,
    "digits": allconv.DIGITS,
    "narrow cifar": allconv.CIFAR10.scaled(width=0.25, n_blocks=1),
    "few channels": allconv.CIFAR10.scaled(width=0.05, n_blocks=2),
    "no multiples of 4": Architecture((18, 6, 3), (Stage(1, 8), Stage(2, 9, 3)), 3, 8),
    "stride in the stem": Architecture((16, 8, 1), (Stage(1, 20),), stem_stride=2),
    "plain": PLAIN,
    "transitions": TRANSITIONS,
    "transitions without skips": replace(TRANSITIONS, skip=False),
    "a transition at stride 1": Architecture(
        (8, 8, 1), (Stage(1, 8), Stage(1, 12)), stem=6, transition="convolution"
    ),
}


def batch(rng, architecture, n, dtype=np.float64):
    x = rng.standard_normal((n, *architecture.image)).astype(dtype)
    return x, rng.integers(architecture.n_classes, size=n)


def loss_and_gradient(runner, x, labels):
    scores = runner.forward(x)
    grad = runner.backward(ops.softmax_cross_entropy_backward(scores, labels))
    return scores, {name: array.copy() for name, array in grad.items()}


def relative_errors(grad, exact):
    """Return the relative L2 error of every layer's gradient."""
    return [
        np.linalg.norm(grad[name] - exact[name]) / np.linalg.norm(exact[name])
        for name in exact
    ]


# The table


def test_the_cifar_net_is_the_papers_table():
    rows = allconv.CIFAR10.convolutions()
    assert len(rows) == 55
    assert allconv.CIFAR10.n_weights() == 13_538_736
    assert rows[0] == ("stem.W", 3, 16, 1, (32, 32), 3)
    shapes = [(r.c_in, r.c_out, r.stride, r.size[0]) for r in rows[1:]]
    expected = []
    for c_in, c_out, stride, side in (
        (16, 64, 1, 32),
        (64, 128, 2, 32),
        (128, 256, 2, 16),
    ):
        expected.append((c_in, c_out, stride, side))
        expected += [(c_out, c_out, 1, side // stride)] * 17
    assert shapes == expected
    assert allconv.CIFAR100.convolutions() == rows
    assert allconv.CIFAR100.n_classes == 100


def test_the_imagenet_net_has_34_layers_and_the_papers_number_of_weights():
    rows = allconv.IMAGENET.convolutions()
    assert len(rows) + 1 == 34  # and the projection
    assert allconv.IMAGENET.n_weights() == 35_452_107
    assert allconv.IMAGENET.n_weights() == pytest.approx(35.7e6, rel=0.01)
    assert rows[-1].size == (7, 7)


def test_the_plain_net_has_the_same_table():
    assert PLAIN.convolutions() == SMALL.convolutions()


def test_a_transition_stands_wherever_a_stage_changes_the_shape():
    parts = replace(allconv.CIFAR10, transition="convolution").parts()
    kinds = [part.kind for part in parts]
    assert kinds == ["stem"] + 3 * (["transition"] + 9 * ["residual"])
    transitions = [p.convolutions[0] for p in parts if p.kind == "transition"]
    assert transitions == [
        ("transitions.0.W", 16, 64, 1, (32, 32), 1),
        ("transitions.1.W", 64, 128, 2, (32, 32), 1),
        ("transitions.2.W", 128, 256, 2, (16, 16), 1),
    ]
    for part in parts:
        if part.kind == "residual":
            assert all(row.keeps_shape for row in part.convolutions)
    shrinking = Architecture(
        (8, 8, 1), (Stage(1, 6, 2), Stage(1, 9), Stage(1, 9)), stem=6
    )
    parts = replace(shrinking, transition="convolution").parts()
    kinds = "stem transition residual transition residual residual"
    assert [part.kind for part in parts] == kinds.split()
    unchanged = Architecture(
        (4, 4, 1), (Stage(2, 3),), stem=3, transition="convolution"
    )
    assert [part.kind for part in unchanged.parts()] == ["stem", "residual", "residual"]


def test_an_unknown_transition_is_refused():
    with pytest.raises(ValueError, match="one of shortcut, convolution; got 'pool'"):
        replace(SMALL, transition="pool")


@pytest.mark.parametrize(
    "architecture", [SMALL, ODD, ODD_TRANSITIONS, allconv.CIFAR10.scaled(width=0.2)]
)
def test_a_net_has_the_kernels_of_its_table(rng, architecture):
    net = allconv.init_net(rng, architecture)
    assert nets.n_parameters(net) == architecture.n_weights()
    rows = architecture.convolutions()
    assert list(net.params) == [row.name for row in rows]
    for row in rows:
        W = net.params[row.name]
        assert W.shape == (row.kernel, row.kernel, row.c_in, row.c_out)
        assert W.dtype == np.float32
    assert len(net.blocks) == len(architecture.parts()) + 1


def test_an_architecture_survives_a_trip_through_plain_data():
    fields = asdict(allconv.CIFAR10)
    fields["stages"] = tuple(Stage(**stage) for stage in fields["stages"])
    assert Architecture(**fields) == allconv.CIFAR10


def test_scaling_changes_widths_and_blocks_alone():
    scaled = allconv.CIFAR10.scaled(width=0.5, n_blocks=3)
    assert [(s.n_blocks, s.channels, s.stride) for s in scaled.stages] == [
        (3, 32, 1),
        (3, 64, 2),
        (3, 128, 2),
    ]
    assert scaled.stem == 8
    assert allconv.CIFAR10.scaled() == allconv.CIFAR10
    assert min(s.channels for s in allconv.CIFAR10.scaled(width=1e-9).stages) == 1
    for wrong in ({"width": 0}, {"n_blocks": 0}, {"width": float("nan")}):
        with pytest.raises(ValueError, match="width must be positive and finite, n_bl"):
            allconv.CIFAR10.scaled(**wrong)


# The start


def he_deviation(row):
    """Return He's deviation, with the taps inside the image counted one by one."""
    ones = np.ones((1, *row.size, 1))
    inside = conv.conv2d(ones, np.ones((3, 3, 1, 1)), stride=row.stride).mean()
    return ((2 if row.name.endswith("W2") else 1) / (inside * row.c_out)) ** 0.5


@pytest.mark.parametrize("init", allconv.INITS)
def test_kernels_start_with_the_stated_deviation(rng, init):
    net = allconv.init_net(rng, allconv.CIFAR10.scaled(n_blocks=1), init=init)
    rows = {row.name: row for row in net.architecture.convolutions()}
    for name, W in net.params.items():
        c = W.shape[3]
        near = init == "near_identity" and name != "stem.W"
        std = 1 / (9 * c) if near else 1 / (3 * c**0.5)
        if init == "he" and name != "stem.W":
            std = he_deviation(rows[name])
        assert W.std() == pytest.approx(std, rel=4 / (2 * W.size) ** 0.5)
        assert abs(W.mean()) <= 4 * std / W.size**0.5


def test_a_transition_starts_by_handing_on_the_gradients_mean_square(rng):
    net = allconv.init_net(
        rng,
        Architecture((8, 8, 1), (Stage(1, 256),), stem=64, transition="convolution"),
    )
    K = net.params["transitions.0.W"][0, 0]
    # The mean of ||K^T g||^2 / ||g||^2 over all g is that of K's squares, per output.
    assert (K**2).sum() / 256 == pytest.approx(1, rel=4 * (2 / K.size) ** 0.5)


def test_taps_inside_the_image_are_counted_at_every_stride():
    for side in (1, 2, 5, 8):
        for stride in (1, 2, 3):
            row = allconv.Convolution("W2", 1, 1, stride, (side, 4))
            ones = np.ones((1, side, 4, 1))
            inside = conv.conv2d(ones, np.ones((3, 3, 1, 1)), stride=stride)
            assert row.n_taps == pytest.approx(inside.mean(), rel=1e-12)


def test_one_seed_gives_one_net_in_either_precision():
    single, double = (
        allconv.init_net(np.random.default_rng(5), SMALL, dtype=dtype)
        for dtype in (np.float32, np.float64)
    )
    for name, W in double.params.items():
        np.testing.assert_array_equal(single.params[name], W.astype(np.float32))
    np.testing.assert_array_equal(single.readout, double.readout.astype(np.float32))


def test_an_unknown_start_is_refused(rng):
    with pytest.raises(ValueError, match="near_identity, usual, he; got 'zero'"):
        allconv.init_net(rng, SMALL, init="zero")


# The gradient


@pytest.mark.parametrize("architecture", [SMALL, ODD, PLAIN, ODD_TRANSITIONS])
@pytest.mark.parametrize("init", allconv.INITS)
def test_the_gradient_of_the_net_is_its_slope_in_every_kernel(rng, architecture, init):
    net = allconv.init_net(rng, architecture, init=init, dtype=np.float64)
    x, _ = batch(rng, architecture, 3)
    runner = Runner(net)
    scores = runner.forward(x)
    grad = runner.backward(-np.sin(scores))
    for name, W in net.params.items():

        def loss(moved, name=name):
            changed = nets.Net(net.blocks, net.params | {name: moved})
            return np.cos(nets.forward(changed, x)[0]).sum()

        # So short that no pre-activation changes its sign.
        direction = rng.standard_normal(W.shape) * np.abs(W).max()
        exact = (grad[name] * direction).sum()
        found = central_difference(loss, W, direction, 1e-6)
        assert found == pytest.approx(exact, rel=1e-5, abs=1e-8), name


def test_the_gradient_along_a_bent_line_has_order_two(rng):
    # Every pre-activation is positive: the net is smooth, and the cosine bends it.
    architecture = Architecture((4, 4, 1), (Stage(2, 3),), stem=3, n_classes=2)
    net = allconv.init_net(rng, architecture, dtype=np.float64)
    for W in net.params.values():
        W[:] = 0.15 + 0.05 * np.abs(W)
    x = rng.uniform(0.5, 1.0, (2, 4, 4, 1))
    runner = Runner(net)
    grad = runner.backward(-np.sin(runner.forward(x)))
    for name, W in net.params.items():

        def loss(moved, name=name):
            changed = nets.Net(net.blocks, net.params | {name: moved})
            return np.cos(nets.forward(changed, x)[0]).sum()

        direction = 0.3 * rng.uniform(-1, 1, W.shape)
        order, errors = convergence_order(loss, grad[name], W, direction)
        assert order == pytest.approx(2.0, abs=0.1), f"{name}: errors {errors}"


def loop_shortcut(x, stride, channels):
    """Average and append, one pixel at a time."""
    n, h, w, c = x.shape
    y = np.zeros((n, -(-h // stride), -(-w // stride), channels))
    before = (channels - c) // 2
    for p, q in np.ndindex(y.shape[1:3]):
        square = x[:, p * stride : (p + 1) * stride, q * stride : (q + 1) * stride]
        y[:, p, q, before : before + c] = square.mean(axis=(1, 2))
    return y


@pytest.mark.parametrize("size", [(4, 4), (5, 7), (1, 1)])
@pytest.mark.parametrize(
    ("stride", "channels"), [(1, 3), (1, 8), (2, 3), (2, 6), (3, 7)]
)
def test_the_shortcut_averages_and_appends(rng, size, stride, channels):
    x = rng.standard_normal((2, *size, 3))
    y = allconv.shortcut(x, stride=stride, channels=channels)
    np.testing.assert_allclose(y, loop_shortcut(x, stride, channels), atol=1e-15)
    delta = rng.standard_normal(y.shape)
    back = allconv.shortcut_backward(delta, x, stride=stride)
    assert back.shape == x.shape
    assert (back * x).sum() == pytest.approx((delta * y).sum(), rel=1e-12)


def test_the_shortcut_cuts_channels_as_it_appends_them(rng):
    x = rng.standard_normal((2, 4, 4, 7))
    y = allconv.shortcut(x, stride=1, channels=4)
    np.testing.assert_array_equal(y, x[..., 1:5])
    delta = rng.standard_normal(y.shape)
    back = allconv.shortcut_backward(delta, x, stride=1)
    np.testing.assert_array_equal(back[..., 1:5], delta)
    assert not back[..., [0, 5, 6]].any()


def test_the_average_and_its_backward_are_adjoint(rng):
    x, delta = rng.standard_normal((2, 5, 4, 3)), rng.standard_normal((2, 3))
    y = allconv.global_average(x)
    np.testing.assert_allclose(y, x.reshape(2, 20, 3).mean(axis=1), rtol=1e-12)
    back = allconv.global_average_backward(delta, x)
    assert (back * x).sum() == pytest.approx((delta * y).sum(), rel=1e-12)


# The fast runner


@pytest.mark.parametrize("name", FUSED)
@pytest.mark.parametrize("n_threads", [1, 2])
def test_the_fast_runner_computes_the_same_net(rng, name, n_threads):
    architecture = FUSED[name]
    make = partial(allconv.init_net, architecture=architecture, init="usual")
    exact = make(np.random.default_rng(3), dtype=np.float64)
    net = make(np.random.default_rng(3))
    x, labels = batch(rng, architecture, 5, np.float32)
    runner = allconv.runner(net, batch_size=5, n_threads=n_threads)
    assert isinstance(runner, allconv.FusedRunner)
    scores, grad = loss_and_gradient(runner, x, labels)
    reference = Runner(exact)
    expected, exact_grad = loss_and_gradient(reference, x.astype(float), labels)
    np.testing.assert_allclose(scores, expected, atol=1e-5 * np.abs(expected).max())
    assert list(grad) == list(net.params)
    assert max(relative_errors(grad, exact_grad)) <= 5e-5
    for state, right in zip(
        runner.block_states(), reference.block_states(), strict=True
    ):
        assert state.shape == right.shape
        np.testing.assert_allclose(state, right, atol=1e-5 * np.abs(right).max())


@pytest.mark.parametrize(
    "init",
    [
        pytest.param(init, marks=[] if init == "near_identity" else pytest.mark.slow)
        for init in allconv.INITS
    ],
)
def test_the_whole_cifar_nets_gradient_is_accurate_in_float32(rng, init):
    make = partial(allconv.init_net, architecture=allconv.CIFAR10, init=init)
    exact = make(np.random.default_rng(3), dtype=np.float64)
    net = make(np.random.default_rng(3))
    x, labels = batch(rng, allconv.CIFAR10, 2, np.float32)
    _, grad = loss_and_gradient(allconv.runner(net, batch_size=2), x, labels)
    _, exact_grad = loss_and_gradient(Runner(exact), x.astype(float), labels)
    errors = relative_errors(grad, exact_grad)
    assert np.median(errors) <= 5e-5
    # A ReLU whose input is as small as the rounding error may take the other side.
    assert max(errors) <= 5e-3


@pytest.mark.parametrize("architecture", [PLAIN, TRANSITIONS], ids=["plain", "1 x 1"])
def test_both_runners_show_the_gradient_at_every_block(rng, architecture):
    net = allconv.init_net(rng, architecture, init="he")
    x, labels = batch(rng, architecture, 3, np.float32)
    seen = []
    for runner in (Runner(net), allconv.runner(net, batch_size=5, n_threads=2)):
        scores = runner.forward(x)
        grad_scores, shown = ops.softmax_cross_entropy_backward(scores, labels), {}
        runner.backward(grad_scores, lambda i, g, to=shown: to.update({i: g.copy()}))
        seen.append(shown)
    expected, found = seen
    n = len(net.blocks)
    assert list(expected) == list(range(n, -1, -1))
    assert list(found) == list(range(n, 0, -1))
    for i, gradient in found.items():
        largest = np.abs(expected[i]).max()
        np.testing.assert_allclose(gradient, expected[i], atol=1e-5 * largest)
    np.testing.assert_array_equal(found[n], grad_scores)


def test_a_smaller_batch_gives_the_same_rows_and_its_own_gradient(rng):
    net = allconv.init_net(rng, SMALL, init="usual")
    x, labels = batch(rng, SMALL, 6, np.float32)
    runner = allconv.runner(net, batch_size=6, n_threads=2)
    scores, _ = loss_and_gradient(runner, x, labels)
    few_scores, few = loss_and_gradient(runner, x[:2], labels[:2])
    np.testing.assert_allclose(few_scores, scores[:2], rtol=1e-5, atol=1e-6)
    assert [len(state) for state in runner.block_states()] == [2] * 6
    exact = allconv.runner(net, batch_size=2, n_threads=1)
    _, expected = loss_and_gradient(exact, x[:2], labels[:2])
    assert max(relative_errors(few, expected)) <= 1e-5


def test_passes_do_not_remember_earlier_ones(rng):
    net = allconv.init_net(rng, SMALL, init="usual")
    x, labels = batch(rng, SMALL, 6, np.float32)
    runner = allconv.runner(net, batch_size=6, n_threads=2)
    first_scores, first = loss_and_gradient(runner, x, labels)
    first_scores = first_scores.copy()
    runner.evaluate(100 * batch(rng, SMALL, 11, np.float32)[0])
    loss_and_gradient(runner, *batch(rng, SMALL, 3, np.float32))
    scores, grad = loss_and_gradient(runner, x, labels)
    np.testing.assert_array_equal(scores, first_scores)
    for name, array in grad.items():
        np.testing.assert_array_equal(array, first[name])


@pytest.mark.parametrize("n", [0, 1, 6, 7, 13])
def test_evaluation_takes_any_number_of_images(rng, n):
    net = allconv.init_net(rng, SMALL)
    x, _ = batch(rng, SMALL, n, np.float32)
    runner = allconv.FusedRunner(net, batch_size=6, team=Team(2))
    found, expected = runner.evaluate(x), Runner(net).evaluate(x)
    assert found.shape == expected.shape == (n, 10)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_definitions_run_what_the_fast_runner_cannot(rng):
    assert not allconv.can_fuse(allconv.init_net(rng, SMALL, dtype=np.float64))
    assert not allconv.can_fuse(allconv.init_net(rng, ODD))
    narrowing = Architecture((4, 4, 1), (Stage(1, 8),), stem=16)
    assert not allconv.can_fuse(allconv.init_net(rng, narrowing))
    net = allconv.init_net(rng, SMALL)
    assert allconv.can_fuse(net)
    assert not allconv.can_fuse(nets.Net(net.blocks, net.params))
    odd = allconv.init_net(rng, ODD)
    runner = allconv.runner(odd, batch_size=3)
    assert type(runner) is Runner
    scores, grad = loss_and_gradient(runner, *batch(rng, ODD, 3, np.float32))
    assert scores.shape == (3, 4)
    assert {array.dtype for array in grad.values()} == {np.dtype(np.float32)}


def test_batches_that_do_not_fit_are_refused(rng):
    net = allconv.init_net(rng, SMALL)
    runner = allconv.FusedRunner(net, batch_size=4, team=Team(1))
    x, _ = batch(rng, SMALL, 5, np.float32)
    for wrong in (x, x[:, :7], x[0]):
        with pytest.raises(ValueError, match=r"\(n, 8, 8, 2\), n at most 4; got"):
            runner.forward(wrong)
    with pytest.raises(TypeError, match="x must be float32; got float64"):
        runner.forward(x[:4].astype(float))


def test_nothing_is_modified(rng):
    net = allconv.init_net(rng, SMALL)
    x, labels = batch(rng, SMALL, 4, np.float32)
    before = [a.copy() for a in (x, net.readout, *net.params.values())]
    loss_and_gradient(allconv.runner(net, batch_size=4), x, labels)
    for array, copy in zip((x, net.readout, *net.params.values()), before, strict=True):
        np.testing.assert_array_equal(array, copy)
