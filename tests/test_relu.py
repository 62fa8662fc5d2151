"""Residual ReLU nets: what a block computes, how a net is drawn, what it predicts."""

import numpy as np
import pytest

from identity_edu import relu
from identity_edu.nets import Net


def one_block(n_in, n_out, **options):
    """Return a net of one block with parameters of the paper's names."""
    rng = np.random.default_rng(7)
    shapes = {"U": (5, n_in), "s": (5,), "V": (n_out, 5)}
    params = {f"b.{k}": rng.standard_normal(shape) for k, shape in shapes.items()}
    return Net((relu.residual_block("b", n_in, n_out, **options),), params)


def branch(net, x):
    U, s, V = net.params.values()
    return V @ np.maximum(U @ x + s, 0.0)


@pytest.mark.parametrize(
    ("n_in", "n_out", "skip"),
    [
        (3, 3, lambda x: x),
        (3, 5, lambda x: np.concatenate([x, [0.0, 0.0]])),
        (3, 2, lambda x: x[:2]),
    ],
)
def test_a_block_adds_its_branch_to_the_fitted_input(rng, n_in, n_out, skip):
    x = rng.standard_normal(n_in)
    net = one_block(n_in, n_out)
    np.testing.assert_allclose(
        relu.forward(net, x[None])[0][0], skip(x) + branch(net, x), rtol=1e-12
    )
    plain = one_block(n_in, n_out, skip=False)
    np.testing.assert_allclose(
        relu.forward(plain, x[None])[0][0], branch(net, x), rtol=1e-12
    )


def test_a_net_has_a_block_for_each_pair_of_widths():
    net = relu.init_net(np.random.default_rng(0), [4, 6, 6, 3], n_outputs=2)
    shapes = {name: array.shape for name, array in net.params.items()}
    assert shapes == {
        **{"blocks.0.U": (6, 4), "blocks.0.s": (6,), "blocks.0.V": (6, 6)},
        **{"blocks.1.U": (6, 6), "blocks.1.s": (6,), "blocks.1.V": (6, 6)},
        **{"blocks.2.U": (3, 6), "blocks.2.s": (3,), "blocks.2.V": (3, 3)},
        **{"readout.W": (2, 3), "readout.b": (2,)},
    }
    assert len(net.blocks) == 4
    assert len(relu.init_net(np.random.default_rng(0), [4, 6]).blocks) == 1


@pytest.mark.parametrize("init", ["near_identity", "he"])
def test_entries_have_the_stated_spread(init):
    net = relu.init_net(np.random.default_rng(0), [200, 300], n_outputs=100, init=init)
    stated = {"near_identity": (1 / 300, 1 / 300), "he": (200**-0.5, (2 / 300) ** 0.5)}
    for name, std in zip("UV", stated[init], strict=True):
        entries = net.params[f"blocks.0.{name}"]
        assert entries.std() == pytest.approx(std, rel=0.02)
        assert abs(entries.mean()) <= 4 * std / entries.size**0.5
    assert net.params["readout.W"].std() == pytest.approx(300**-0.5, rel=0.02)
    assert not net.params["blocks.0.s"].any()
    assert not net.params["readout.b"].any()


def test_he_keeps_the_mean_squared_norm_through_a_plain_block(rng):
    x = rng.standard_normal((1, 30))
    squares = [
        np.sum(
            relu.forward(relu.init_net(rng, [30, 30], skip=False, init="he"), x)[0] ** 2
        )
        for _ in range(2000)
    ]
    error = np.std(squares) / len(squares) ** 0.5
    assert abs(np.mean(squares) - np.sum(x**2)) <= 4 * error


def test_near_identity_blocks_stay_near_the_identity(rng):
    X = rng.standard_normal((20, 64))
    output, _ = relu.forward(relu.init_net(rng, [64] * 11), X)
    moved = np.linalg.norm(output - X, axis=1) / np.linalg.norm(X, axis=1)
    assert 0 < moved.max() < 0.1


def test_the_same_generator_draws_the_same_net():
    first, second = (
        relu.init_net(np.random.default_rng(5), [4, 6], n_outputs=2) for _ in range(2)
    )
    for name, array in first.params.items():
        np.testing.assert_array_equal(array, second.params[name])


def test_prediction_is_the_index_of_the_largest_output(rng):
    net = relu.init_net(rng, [4, 4], n_outputs=3)
    X = rng.standard_normal((50, 4))
    expected = relu.forward(net, X)[0].argmax(axis=1)
    np.testing.assert_array_equal(relu.predict(net, X, batch_size=7), expected)


def test_what_is_no_net_is_refused(rng):
    for widths in ([4], [], [4, 0]):
        with pytest.raises(ValueError, match="two or more widths, each at least 1"):
            relu.init_net(rng, widths)
    with pytest.raises(ValueError, match="one of he, near_identity; got 'xavier'"):
        relu.init_net(rng, [4, 4], init="xavier")
