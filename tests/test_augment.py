"""Standardised images have mean 0 and deviation 1; augmented ones are their parts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity_edu import data
from identity_edu.data.augment import augment, channel_statistics, standardise

EPS = np.finfo(np.float32).eps


def images(rng, n=50, height=32, width=32, n_channels=3):
    x = rng.integers(0, 256, (n, height, width, n_channels))
    return (x // np.arange(1, n_channels + 1)).astype(np.uint8)  # unlike channels


def augment_by_loops(x, rng, pad, flip):
    """Draw as `augment` does, and move one pixel at a time."""
    n, height, width, _ = x.shape
    tops, lefts = rng.integers(0, 2 * pad + 1, (2, n, 1))[..., 0]
    mirrored = rng.random((n, 1))[:, 0] < 0.5 if flip else np.zeros(n, bool)
    result = np.zeros_like(x)
    for i in range(n):
        for r in range(height):
            for c in range(width):
                row = r + tops[i] - pad
                column = (width - 1 - c if mirrored[i] else c) + lefts[i] - pad
                if 0 <= row < height and 0 <= column < width:
                    result[i, r, c] = x[i, row, column]
    return result


# Statistics


@pytest.mark.parametrize("n", [1, 999, 1000, 1001, 2003])
def test_channel_statistics_are_the_moments_in_float64(rng, n):
    x = images(rng, n, 3, 5)
    mean, std = channel_statistics(x)
    assert mean.dtype == std.dtype == np.float32
    exact = x.astype(np.float64) / 255.0
    np.testing.assert_allclose(mean, exact.mean(axis=(0, 1, 2)), rtol=EPS)
    np.testing.assert_allclose(std, exact.std(axis=(0, 1, 2)), rtol=EPS)


def test_the_statistics_of_one_level_are_exact():
    mean, std = channel_statistics(np.full((3, 2, 2, 1), 255, np.uint8))
    assert (mean[0], std[0]) == (1.0, 0.0)


def test_standardised_images_have_mean_0_and_deviation_1(rng):
    x = images(rng)
    z = standardise(x, *channel_statistics(x))
    assert z.dtype == np.float32
    assert z.shape == x.shape
    wide = z.astype(np.float64)
    # Values up to 2, each rounded a few times in float32.
    assert np.abs(wide.mean(axis=(0, 1, 2))).max() <= 10 * EPS
    assert np.abs(wide.std(axis=(0, 1, 2)) - 1.0).max() <= 10 * EPS


def test_standardising_is_the_formula(rng):
    x, mean, std = images(rng, 4), [0.1, 0.2, 0.3], [0.5, 0.25, 2.0]
    exact = (x / 255.0 - mean) / std
    np.testing.assert_allclose(standardise(x, mean, std), exact, atol=10 * EPS)


def test_images_are_left_as_they_are(rng):
    x = images(rng, 4)
    before = x.copy()
    standardise(x, *channel_statistics(x))
    augment(x, rng)[:] = 0
    augment(x, rng, pad=0, flip=False)[:] = 0
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize(
    "function", [channel_statistics, lambda x: standardise(x, 0, 1)]
)
def test_only_bytes_are_taken_for_levels(rng, function):
    with pytest.raises(
        TypeError, match="x must be uint8, levels 0 to 255; got float32"
    ):
        function(images(rng, 1).astype(np.float32))
    with pytest.raises(
        ValueError, match=r"\(n, height, width, channels\); got \(32, 32"
    ):
        function(images(rng, 1)[0])


def test_statistics_of_nothing_are_refused():
    with pytest.raises(
        ValueError, match=r"at least one pixel; got shape \(0, 2, 2, 3\)"
    ):
        channel_statistics(np.zeros((0, 2, 2, 3), np.uint8))


def test_a_channel_that_never_changes_is_refused(rng):
    x = images(rng, 2)
    x[..., 1] = 7
    with pytest.raises(ValueError, match="std must be positive in each channel"):
        standardise(x, *channel_statistics(x))


def test_statistics_of_other_channels_are_refused(rng):
    with pytest.raises(
        ValueError, match=r"must have shape \(3,\); got \(1,\) and \(1,\)"
    ):
        standardise(images(rng, 2), [0.5], [0.5])


# Augmentation


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(*[st.integers(1, 6)] * 3, st.integers(1, 4)),
    pad=st.integers(0, 5),
    flip=st.booleans(),
)
def test_augmenting_is_moving_pixels(seed, shape, pad, flip):
    x = np.random.default_rng(seed).integers(1, 256, shape).astype(np.uint8)
    fast = augment(x, np.random.default_rng(seed), pad=pad, flip=flip)
    slow = augment_by_loops(x, np.random.default_rng(seed), pad, flip)
    np.testing.assert_array_equal(fast, slow)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_the_dtype_and_the_randomness_do_not_depend_on_each_other(rng, dtype):
    x = images(rng, 20)
    expected = augment(x, np.random.default_rng(3)).astype(dtype)
    result = augment(x.astype(dtype), np.random.default_rng(3))
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, expected)


def test_nothing_is_changed_without_padding_and_flip(rng):
    x = images(rng)
    np.testing.assert_array_equal(augment(x, rng, pad=0, flip=False), x)


def test_one_generator_gives_one_result_and_goes_on(rng):
    x = images(rng)
    first, second = np.random.default_rng(1), np.random.default_rng(1)
    once, again = augment(x, first), augment(x, second)
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(augment(x, first), once)


def test_every_position_and_both_directions_are_equally_likely(rng):
    n, pad = 16_000, 1
    x = np.zeros((n, 3, 3, 1), np.uint8)
    x[:, 1, 1], x[:, 1, 2] = 1, 2  # an arrow to the right from the middle
    result = augment(x, rng, pad=pad)[..., 0]
    tail = (result == 1).reshape(n, 9).argmax(axis=1)
    counts = np.bincount(tail, minlength=9)
    # Each of 9 places has probability 1/9, mirrored or not: 4 standard errors.
    assert np.abs(counts - n / 9).max() <= 4 * np.sqrt(n * 1 / 9 * 8 / 9)
    middle = result[tail == 4]
    n_right = (middle[:, 1, 2] == 2).sum()
    n_left = (middle[:, 1, 0] == 2).sum()
    assert n_left + n_right == len(middle)
    assert abs(n_left - n_right) <= 4 * np.sqrt(len(middle))


def test_each_image_is_drawn_on_its_own(rng):
    x = np.repeat(images(rng, 1), 40, axis=0)
    result = augment(x, rng)
    assert len(np.unique(result.reshape(40, -1), axis=0)) > 20


def test_what_is_cut_off_is_replaced_by_zeros(rng):
    x = np.ones((200, 8, 8, 1), np.float32)
    ones = augment(x, rng, pad=4).sum(axis=(1, 2, 3))
    assert ones.min() >= 4 * 4  # the part of the image that always stays
    assert ones.max() <= 64


@pytest.mark.parametrize(("shape", "pad"), [((3, 8, 8), 4), ((1, 8, 8, 1), -1)])
def test_other_shapes_and_paddings_are_refused(rng, shape, pad):
    message = r"x must be \(n, height, width, channels\) and pad at least 0; got shape"
    with pytest.raises(ValueError, match=message):
        augment(np.zeros(shape), rng, pad=pad)


def test_no_images_stay_no_images(rng):
    assert augment(np.zeros((0, 8, 8, 3), np.uint8), rng).shape == (0, 8, 8, 3)


# The digits as images


def test_digit_images_are_the_split_digits():
    X_train, labels_train, X_test, labels_test = data.split_digits()
    x_train, y_train, x_test, y_test = data.split_digit_images()
    assert x_train.shape == (1437, 8, 8, 1)
    assert x_test.shape == (360, 8, 8, 1)
    assert x_train.dtype == x_test.dtype == np.float32
    np.testing.assert_array_equal(x_train.reshape(-1, 64), X_train)
    np.testing.assert_array_equal(x_test.reshape(-1, 64), X_test)
    np.testing.assert_array_equal(y_train, labels_train)
    np.testing.assert_array_equal(y_test, labels_test)
