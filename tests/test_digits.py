"""The bundled digits are the published ones, and their split is fixed."""

import numpy as np
import pytest

from identity_edu import data


def test_digits_are_those_of_the_published_copy():
    datasets = pytest.importorskip(
        "sklearn.datasets", reason="scikit-learn is not installed"
    )
    published = datasets.load_digits()
    X, labels = data.load_digits()
    np.testing.assert_array_equal(16 * X, published.data)
    np.testing.assert_array_equal(labels, published.target)


def test_digits_have_the_stated_shape_range_and_types():
    X, labels = data.load_digits()
    assert X.shape == (1797, 64)
    assert X.dtype == np.float64
    assert labels.dtype == np.int64
    assert X.min() == 0.0
    assert X.max() == 1.0
    assert set(labels) == set(range(10))


def test_the_split_is_fixed_and_loses_no_example():
    X, labels = data.load_digits()
    X_train, y_train, X_test, y_test = data.split_digits()
    assert (len(X_train), len(X_test)) == (len(y_train), len(y_test)) == (1437, 360)
    ours = np.column_stack([np.concatenate([X_train, X_test]), np.r_[y_train, y_test]])
    theirs = np.column_stack([X, labels])
    np.testing.assert_array_equal(
        ours[np.lexsort(ours.T)], theirs[np.lexsort(theirs.T)]
    )
    again = data.split_digits()
    np.testing.assert_array_equal(again[2], X_test)
    assert np.bincount(y_test).min() >= 25  # every digit is tested


def test_no_digit_of_the_test_part_is_in_the_training_part():
    X_train, _, X_test, _ = data.split_digits()
    rows = {row.tobytes() for row in X_train}
    assert not any(row.tobytes() in rows for row in X_test)


def test_callers_cannot_spoil_the_digits_for_each_other():
    X, labels = data.load_digits()
    X[:], labels[:] = 7.0, 7
    fresh, fresh_labels = data.load_digits()
    assert fresh.max() == 1.0
    assert fresh_labels.max() == 9
