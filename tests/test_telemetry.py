"""Telemetry measures what it says: against dense matrices and the net's definition."""

import numpy as np
import pytest

from identity_edu import allconv, nets, relu
from identity_edu.allconv import Architecture, Stage
from identity_edu.conv import direct
from identity_edu.ops import softmax_cross_entropy_backward
from identity_edu.train.telemetry import Telemetry

SMALL = Architecture(
    image=(6, 5, 2), stages=(Stage(1, 3), Stage(1, 4, 2)), n_classes=3, stem=3
)


@pytest.fixture
def net(rng):
    return allconv.init_net(rng, SMALL, init="usual", dtype=np.float64)


@pytest.fixture
def x(rng):
    return rng.standard_normal((4, *SMALL.image))


def measured(net, x, times=1):
    telemetry = Telemetry(net, x, np.random.default_rng(5))
    scores, cache = nets.forward(net, x)
    delta = softmax_cross_entropy_backward(scores, np.arange(len(x)) % 3)
    grad = nets.backward(net, cache, delta)
    states = nets.block_states(scores, cache)
    for _ in range(times):
        record = telemetry.measure(states, grad)
    return record, grad, states


def dense_operator(W, size, stride):
    """Write a convolution with zero padding as a matrix, entry by entry."""
    k, _, c_in, c_out = W.shape
    h, w = size
    h_out, w_out = -(-h // stride), -(-w // stride)
    A = np.zeros((h_out, w_out, c_out, h, w, c_in))
    for i, j in np.ndindex(h_out, w_out):
        for a, b in np.ndindex(k, k):
            row, column = stride * i + a - k // 2, stride * j + b - k // 2
            if 0 <= row < h and 0 <= column < w:
                A[i, j, :, row, column] += W[a, b].T
    return A.reshape(h_out * w_out * c_out, -1)


def test_the_spectral_norm_is_that_of_the_dense_operator_at_the_true_size(net, x):
    record, _, _ = measured(net, x, times=60)
    rows = SMALL.convolutions()
    assert {row[0] for row in rows} == record["spectral_norm"].keys()
    for name, _, _, stride, size in rows:
        A = dense_operator(net.params[name], size, stride)
        exact = np.linalg.norm(A, 2)
        # Two nearly equal singular values slow the iteration down; it stays between.
        assert record["spectral_norm"][name] == pytest.approx(exact, rel=3e-3)


def test_the_first_estimate_is_below_the_norm_and_near_it(net, x):
    record, _, _ = measured(net, x)
    for name, _, _, stride, size in SMALL.convolutions():
        exact = np.linalg.norm(dense_operator(net.params[name], size, stride), 2)
        assert 0.9 * exact <= record["spectral_norm"][name] <= exact * (1 + 1e-12)


def test_the_norm_of_a_reshaped_kernel_is_another():
    """The operator repeats its kernel at every pixel: its norm is larger."""
    W = np.ones((3, 3, 1, 1))
    reshaped = np.linalg.norm(W.reshape(9, 1), 2)
    assert reshaped == 3.0
    assert np.linalg.norm(dense_operator(W, (6, 6), 1), 2) > 2.5 * reshaped


def test_the_distance_is_that_of_the_branch_from_zero(net, x):
    record, _, states = measured(net, x)
    assert list(record["distance"]) == ["blocks.0", "blocks.1"]
    for i, stride in ((0, 1), (1, 2)):
        h = states[i + 1]
        inner = direct.conv2d(h, net.params[f"blocks.{i}.W1"], stride=stride)
        branch = direct.conv2d(np.maximum(inner, 0), net.params[f"blocks.{i}.W2"])
        expected = np.sqrt((branch**2).sum() / (h**2).sum())
        assert record["distance"][f"blocks.{i}"] == pytest.approx(expected, rel=1e-10)


def test_a_block_that_is_its_skip_has_distance_and_norm_zero(net, x):
    net.params["blocks.0.W2"][...] = 0
    record, _, _ = measured(net, x)
    assert record["distance"]["blocks.0"] == 0
    assert record["spectral_norm"]["blocks.0.W2"] == 0


def test_the_gradient_norm_is_that_of_each_array(net, x):
    record, grad, _ = measured(net, x)
    for name, value in record["gradient_norm"].items():
        expected = np.sqrt((grad[name] ** 2).sum())
        assert value == pytest.approx(expected, rel=1e-12)


def test_dense_layers_are_measured_without_their_thresholds(rng):
    net = relu.init_net(rng, [4, 4], n_outputs=3)
    net.params["blocks.0.s"][...] = rng.standard_normal(4)
    x = rng.standard_normal((5, 4))
    record, _, _ = measured(net, x, times=60)
    for name, W in net.params.items():
        if W.ndim == 2:
            exact = np.linalg.norm(W, 2)
            assert record["spectral_norm"][name] == pytest.approx(exact, rel=1e-6)


def test_measuring_changes_neither_net_nor_states(net, x):
    before = {name: array.copy() for name, array in net.params.items()}
    _, _, states = measured(net, x)
    copies = [state.copy() for state in states]
    for name, array in net.params.items():
        np.testing.assert_array_equal(array, before[name])
    for state, copy in zip(states, copies, strict=True):
        np.testing.assert_array_equal(state, copy)


def test_restored_vectors_give_the_same_numbers(net, x):
    scores, cache = nets.forward(net, x)
    states = nets.block_states(scores, cache)
    grad = net.params
    first = Telemetry(net, x, np.random.default_rng(5))
    first.measure(states, grad)
    second = Telemetry(net, x, np.random.default_rng(6))
    second.restore(first.vectors)
    assert second.measure(states, grad) == first.measure(states, grad)
