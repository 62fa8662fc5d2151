"""The examples of a recipe, and the batch of every step as a function of its number.

Epoch e visits the images in an order drawn from (seed, e), whole batches only; step t
shifts and mirrors its batch by draws from (seed, t). So a run that goes on at step t
sees what it would have seen, and no state of a generator has to be kept.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from identity_edu import data
from identity_edu.data import augment, cifar, fetch

# First words after the seed of each stream: never 0, which a seed sequence ignores.
INIT, ORDER, AUGMENT, TELEMETRY = 1, 2, 3, 4


@dataclass(frozen=True)
class DataSet:
    """Images in two parts, and the statistics that standardise them.

    Attributes
    ----------
    x_train, x_test : array, shape (n, height, width, channels)
        uint8, to be standardised batch by batch; or float32, as the net takes them.
    labels_train, labels_test : array of int, shape (n,)
    statistics : tuple of array, optional
        Mean and standard deviation of each channel of `x_train`, if that is uint8.
    """

    x_train: np.ndarray
    labels_train: np.ndarray
    x_test: np.ndarray
    labels_test: np.ndarray
    statistics: tuple[np.ndarray, np.ndarray] | None = None

    def digest(self):
        """Return a hash of all images and labels, by which a resumed run knows them."""
        digest = hashlib.sha256()
        for array in (self.x_train, self.labels_train, self.x_test, self.labels_test):
            digest.update(np.ascontiguousarray(array))
        return f"sha256:{digest.hexdigest()}"


def load_data_set(name, source=None):
    """Load the examples of a recipe.

    Parameters
    ----------
    name : {"digits", "cifar10", "cifar100"}
    source : path, optional
        Folder of the official CIFAR files; unless given, where ``identity-edu fetch``
        puts them. The digits are part of the package.

    Returns
    -------
    DataSet

    Raises
    ------
    ValueError
        If there is no such recipe, a file is damaged, or the digits get a folder.
    FileNotFoundError
        If the folder lacks a file.
    """
    if name == "digits":
        if source is not None:
            raise ValueError(f"the digits are in the package; got a folder {source}.")
        x_train, labels_train, x_test, labels_test = data.split_digit_images()
        mean, std = x_train.mean(), x_train.std()
        x_train, x_test = (x_train - mean) / std, (x_test - mean) / std
        return DataSet(x_train, labels_train, x_test, labels_test)
    images = cifar.read_cifar(fetch.data_home() if source is None else source, name)
    return DataSet(
        images.x_train,
        images.labels_train,
        images.x_test,
        images.labels_test,
        augment.channel_statistics(images.x_train),
    )


def training_batch(examples, recipe, *, seed, step):
    """Return the batch of one step: chosen, standardised, shifted and mirrored.

    Parameters
    ----------
    examples : DataSet
    recipe : identity_edu.train.recipes.Recipe
    seed, step : int >= 0

    Returns
    -------
    tuple of array
        ``(x, labels)``, float32 and int, `recipe.batch_size` of them.

    Raises
    ------
    ValueError
        If there are fewer examples than a batch holds.
    """
    n, size = len(examples.x_train), recipe.batch_size
    if n < size:
        raise ValueError(f"batch_size must be at most the {n} examples; got {size}.")
    epoch, position = divmod(step, n // size)
    chosen = _order(seed, epoch, n)[position * size :][:size]
    x = standardised(examples, examples.x_train[chosen])
    if recipe.pad or recipe.flip:
        rng = np.random.default_rng([seed, AUGMENT, step])
        x = augment.augment(x, rng, pad=recipe.pad, flip=recipe.flip)
    return x, examples.labels_train[chosen]


def standardised(examples, x):
    """Return images as the net takes them.

    Parameters
    ----------
    examples : DataSet
    x : array, shape (n, height, width, channels)
        Of either part.

    Returns
    -------
    array of float32, same shape
    """
    if examples.statistics is None:
        return x
    return augment.standardise(x, *examples.statistics)


@lru_cache(maxsize=2)
def _order(seed, epoch, n):
    """Return the order of one epoch, drawn once and not for each of its steps."""
    return np.random.default_rng([seed, ORDER, epoch]).permutation(n)
