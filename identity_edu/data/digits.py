"""Real handwritten digits, bundled: 1,797 images of 8 x 8 pixels in ten classes.

Licence and citation stand in ``digits.md`` beside the data.
"""

import math
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("digits.npz")
TEST_SHARE = 0.2
SPLIT_SEED = 1797
SIDE = 8


def load_digits():
    """Return all digits, one image per row.

    Returns
    -------
    tuple
        ``(X, labels)``: float64 of shape (1797, 64), grey values from 0 (paper) to 1
        (ink) in steps of 1/16, row after row of the image; and int64 of shape
        (1797,), from 0 to 9.

    References
    ----------
    Alpaydin & Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine
    Learning Repository; CC BY 4.0.
    """
    with np.load(FILE, allow_pickle=False) as file:
        images, labels = file["images"], file["labels"]
    return images.reshape(len(images), -1) / 16.0, labels.astype(np.int64)


def split_digits():
    """Return the digits in two parts, always the same: four fifths and one fifth.

    Returns
    -------
    tuple of array
        ``(X_train, labels_train, X_test, labels_test)``, 1,437 and 360 examples. The
        order is a fixed shuffle, so that no part of the file is left out.
    """
    X, labels = load_digits()
    order = np.random.default_rng(SPLIT_SEED).permutation(len(X))
    test, train = np.split(order, [math.ceil(TEST_SHARE * len(X))])
    return X[train], labels[train], X[test], labels[test]


def split_digit_images():
    """Return the two parts of `split_digits` as images with one channel.

    Returns
    -------
    tuple of array
        ``(x_train, labels_train, x_test, labels_test)``: images are float32 of shape
        (n, 8, 8, 1), from 0 (paper) to 1 (ink); every grey value is exact.
    """
    X_train, labels_train, X_test, labels_test = split_digits()
    x_train, x_test = (
        X.reshape(-1, SIDE, SIDE, 1).astype(np.float32) for X in (X_train, X_test)
    )
    return x_train, labels_train, x_test, labels_test
