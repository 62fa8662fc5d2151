"""The training loop: what an epoch is, what it reports, when it stops."""

import json
from dataclasses import replace

import numpy as np
import pytest

from identity_edu import allconv, data, relu, train
from identity_edu.allconv import Architecture, Stage
from identity_edu.data import cifar
from identity_edu.ops import softmax_cross_entropy
from identity_edu.optim import SGD
from identity_edu.train import recipes
from identity_edu.train.examples import load_data_set, training_batch
from identity_edu.train.loop import block_names
from identity_edu.train.trainer import Trainer

SMALL = Architecture(image=(8, 8, 1), stages=(Stage(1, 16, 2),), stem=8)


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


def test_the_first_block_that_is_not_finite_is_named():
    rng = np.random.default_rng(0)
    X, labels = blobs(rng)
    net = relu.init_net(rng, [2, 2, 2], n_outputs=3)
    net.params["blocks.1.V"][...] = np.nan
    settings = {"n_epochs": 1, "batch_size": 8, "rng": rng}
    with pytest.raises(FloatingPointError, match=r"is the output of blocks\.1\."):
        list(train.epochs(net, (X, labels), SGD(net.params, 0.1), **settings))


def test_blocks_are_named_after_their_parameters():
    net = allconv.init_net(np.random.default_rng(0), SMALL)
    assert block_names(net) == ["stem", "blocks.0", "output"]


# Recipes


def test_the_recipe_of_cifar_is_that_of_the_paper():
    paper = {
        "batch_size": 128,
        "momentum": 0.9,
        "weight_decay": 1e-4,
        "learning_rate": 0.05,
        "drops": (30_000, 50_000),
        "init": "near_identity",
        "pad": 4,
        "flip": True,
    }
    for recipe in (recipes.CIFAR10, recipes.CIFAR100):
        plain = recipes.to_plain(recipe)
        assert {key: plain[key] for key in paper} == paper
        rates = [recipe.rate(step) for step in (0, 29_999, 30_000, 50_000, 63_999)]
        assert rates == pytest.approx([0.05, 0.05, 0.005, 0.0005, 0.0005])
    assert recipes.CIFAR10.architecture.n_weights() == 13_538_736


def test_the_decay_acts_on_every_convolution():
    net = allconv.init_net(np.random.default_rng(0), SMALL)
    assert SGD(net.params, 0.1, weight_decay=1e-4).decayed == set(net.params)


def test_a_shorter_run_drops_its_rate_in_proportion():
    short = recipes.adapted(recipes.CIFAR10, n_steps=640)
    assert (short.n_steps, short.drops) == (640, (300, 500))


def test_options_change_their_field_and_no_other():
    changed = recipes.adapted(
        recipes.CIFAR10, width=0.5, n_blocks=2, batch_size=8, learning_rate=None
    )
    assert [s.channels for s in changed.architecture.stages] == [32, 64, 128]
    assert [s.n_blocks for s in changed.architecture.stages] == [2, 2, 2]
    assert changed.batch_size == 8
    same = {"architecture": recipes.CIFAR10.architecture, "batch_size": 128}
    assert replace(changed, **same) == recipes.CIFAR10


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_a_recipe_survives_json(name):
    recipe = recipes.RECIPES[name]
    assert recipes.from_plain(json.loads(json.dumps(recipes.to_plain(recipe)))) == (
        recipe
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1; got 0"),
        ({"log_every": 0}, "log_every must be at least 1; got 0"),
        ({"learning_rate": 0.0}, "learning_rate must be positive and finite; got 0.0"),
        (
            {"learning_rate": float("nan")},
            "learning_rate must be positive and finite; got nan",
        ),
        ({"pad": -1}, "pad must be at least 0; got -1"),
        ({"width": 0.0}, "width must be positive"),
    ],
)
def test_a_recipe_refuses_what_makes_no_sense(changes, message):
    with pytest.raises(ValueError, match=message):
        recipes.adapted(recipes.DIGITS, **changes)


def test_a_record_with_other_fields_is_no_recipe():
    plain = recipes.to_plain(recipes.DIGITS)
    with pytest.raises(ValueError, match=r"exactly its fields; see \['speed'\]"):
        recipes.from_plain(plain | {"speed": 1})
    del plain["init"]
    with pytest.raises(ValueError, match=r"exactly its fields; see \['init'\]"):
        recipes.from_plain(plain)


# Batches


@pytest.fixture(scope="module")
def digits():
    return load_data_set("digits")


def test_an_epoch_visits_whole_batches_of_different_images(digits):
    n = len(digits.x_train)
    few = replace(digits, labels_train=np.arange(n))
    size = recipes.DIGITS.batch_size
    seen = [
        training_batch(few, recipes.DIGITS, seed=0, step=step)[1]
        for step in range(2 * (n // size))
    ]
    first, second = np.concatenate(seen[: n // size]), seen[n // size]
    assert len(np.unique(first)) == len(first) == size * (n // size)
    assert not np.array_equal(second, seen[0])


def test_a_batch_is_a_function_of_seed_and_step(digits):
    def batch(seed, step):
        return training_batch(digits, recipes.DIGITS, seed=seed, step=step)

    late = batch(1, 50)
    for x, labels in (batch(1, 0), batch(2, 50)):
        assert not np.array_equal(x, late[0])
        assert not np.array_equal(labels, late[1])
    np.testing.assert_array_equal(batch(1, 50)[0], late[0])
    np.testing.assert_array_equal(batch(1, 50)[1], late[1])


def test_every_step_shifts_its_images_anew(digits):
    one = np.repeat(digits.x_train[:1], 32, axis=0)
    same = replace(digits, x_train=one, labels_train=digits.labels_train[:32])
    first, second = (
        training_batch(same, recipes.DIGITS, seed=0, step=step)[0] for step in (0, 1)
    )
    assert not np.array_equal(first, second)


def test_images_are_standardised_by_the_training_part(digits):
    assert digits.x_train.dtype == np.float32
    assert digits.x_train.mean() == pytest.approx(0, abs=1e-5)
    assert digits.x_train.std() == pytest.approx(1, rel=1e-5)
    raw, *_, raw_test, _ = data.split_digit_images()
    expected = (raw_test - raw.mean()) / raw.std()
    np.testing.assert_allclose(digits.x_test, expected, rtol=1e-6)


def test_coloured_images_are_standardised_batch_by_batch(rng, tmp_path):
    images = cifar.generated_images(rng, "cifar10", n_train=20, n_test=10)
    cifar.write_cifar(tmp_path, images, "cifar10")
    few = load_data_set("cifar10", tmp_path)
    assert few.x_train.dtype == np.uint8
    plain = recipes.adapted(recipes.CIFAR10, pad=0, flip=False, batch_size=20)
    x, _ = training_batch(few, plain, seed=0, step=0)
    assert x.dtype == np.float32
    np.testing.assert_allclose(x.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(axis=(0, 1, 2)), 1, rtol=1e-5)
    assert few.digest() != load_data_set("digits").digest()


def test_too_few_images_for_a_batch_are_refused(digits):
    large = recipes.adapted(recipes.DIGITS, batch_size=2000)
    with pytest.raises(ValueError, match="at most the 1437 examples; got 2000"):
        training_batch(digits, large, seed=0, step=0)


# Trainer


def test_a_trainer_learns_the_digits(digits):
    start = {"init": "usual", "learning_rate": 0.05, "drops": ()}
    recipe = replace(recipes.DIGITS, architecture=SMALL, **start)
    trainer = Trainer(recipe, digits)
    losses = [trainer.step()[0] for _ in range(300)]
    assert np.mean(losses[-10:]) < 1.5 < np.mean(losses[:10])
    assert trainer.held_out_accuracy() > 0.5
    assert trainer.held_out_accuracy(is_stopped=lambda: True) is None


def test_another_seed_is_another_start_and_another_order(digits):
    recipe = replace(recipes.DIGITS, architecture=SMALL)
    first, again, other = (Trainer(recipe, digits, seed=s) for s in (0, 0, 1))
    for name, array in first.net.params.items():
        np.testing.assert_array_equal(array, again.net.params[name])
        assert not np.array_equal(array, other.net.params[name])
    np.testing.assert_array_equal(first.net.readout, again.net.readout)
    assert first.step() == again.step()


def test_images_of_another_shape_are_refused(digits):
    with pytest.raises(ValueError, match=r"must be \(32, 32, 3\); got \(8, 8, 1\)"):
        Trainer(recipes.CIFAR10, digits)
