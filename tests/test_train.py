"""The training loop: what an epoch is, what it reports, when it stops."""

import numpy as np
import pytest

from identity_edu import relu, train
from identity_edu.ops import softmax_cross_entropy
from identity_edu.optim import SGD


def blobs(rng, n=30):
    """Three classes that a line can separate."""
    labels = np.arange(n) % 3
    centres = np.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 3.0]])
    return centres[labels] + 0.3 * rng.standard_normal((n, 2)), labels


def run(seed, rate=0.05, **options):
    rng = np.random.default_rng(seed)
    X, labels = blobs(rng)
    net = relu.init_net(rng, [2, 2], n_outputs=3)
    settings = {"n_epochs": 3, "batch_size": 8, "rng": rng} | options
    optimiser = SGD(net.params, rate)
    return net, list(train.epochs(net, (X, labels), optimiser, **settings)), optimiser


def test_training_learns_what_is_easy():
    _, reports, _ = run(0, n_epochs=40)
    assert reports[-1].accuracy == 1.0
    assert reports[-1].loss < 0.05 < reports[0].loss


def test_every_epoch_visits_every_example_once():
    _, reports, optimiser = run(0)
    assert [r.number for r in reports] == [1, 2, 3]
    assert optimiser.n_steps == 3 * 4  # batches of 8, 8, 8 and 6


def test_an_epoch_reports_the_means_over_its_examples():
    # At rate 0 nothing changes, so the report is the loss and accuracy of the net.
    net, reports, _ = run(0, rate=0.0)
    X, labels = blobs(np.random.default_rng(0))
    scores, _ = relu.forward(net, X)
    for report in reports:
        assert report.loss == pytest.approx(softmax_cross_entropy(scores, labels))
        assert report.accuracy == np.mean(scores.argmax(axis=1) == labels)


def test_one_seed_gives_one_run():
    first, second, other = run(1), run(1), run(2)
    assert first[1] == second[1] != other[1]
    for name, array in first[0].params.items():
        np.testing.assert_array_equal(array, second[0].params[name])


def test_the_order_of_the_examples_is_drawn_anew():
    ends = []
    for seed in (3, 4):
        net, _, optimiser = run(0, n_epochs=0)
        order = np.random.default_rng(seed)
        examples = blobs(np.random.default_rng(0))
        settings = {"n_epochs": 1, "batch_size": 8, "rng": order}
        list(train.epochs(net, examples, optimiser, **settings))
        ends.append(net.params["readout.W"])
    assert not np.array_equal(*ends)


def test_a_loss_that_is_not_finite_stops_with_step_and_rate():
    with pytest.raises(FloatingPointError, match=r"at step \d+, learning rate 1e\+200"):
        run(0, rate=1e200)


def test_no_epochs_leave_the_net_as_it_is():
    net, reports, _ = run(0, n_epochs=0)
    assert reports == []
    again = relu.init_net(_after_blobs(0), [2, 2], n_outputs=3)
    np.testing.assert_array_equal(net.params["readout.W"], again.params["readout.W"])


def _after_blobs(seed):
    rng = np.random.default_rng(seed)
    blobs(rng)
    return rng
