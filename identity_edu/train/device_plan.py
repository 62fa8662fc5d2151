"""The batches of a series of steps, as numbers that a device draws them by.

The same draws as `identity_edu.train.examples.training_batch` makes for a step, without
its images: a run sees the same batches whatever computes it.
"""

from functools import lru_cache

import numpy as np

from identity_edu.train.examples import AUGMENT, ORDER


def plan(n_examples, recipe, *, seed, first, n_steps):
    """Draw which images steps see, and where they are cut out.

    Parameters
    ----------
    n_examples : int >= 1
    recipe : identity_edu.train.recipes.Recipe
    seed, first : int >= 0
        The first step.
    n_steps : int >= 1

    Returns
    -------
    array of int32, shape (n_steps, batch_size, 4)
        Number of the image, rows and columns cut off the padded image above and left,
        and 1 where it is mirrored.

    Raises
    ------
    ValueError
        If there are fewer examples than a batch holds.
    """
    size = recipe.batch_size
    if n_examples < size:
        raise ValueError(
            f"batch_size must be at most the {n_examples} examples; got {size}."
        )
    result = np.zeros((n_steps, size, 4), np.int32)
    for row, step in zip(result, range(first, first + n_steps), strict=True):
        epoch, position = divmod(step, n_examples // size)
        row[:, 0] = _order(seed, epoch, n_examples)[position * size :][:size]
        row[:, 1:3] = recipe.pad
        if recipe.pad or recipe.flip:
            rng = np.random.default_rng([seed, AUGMENT, step])
            row[:, 1:3] = rng.integers(0, 2 * recipe.pad + 1, (2, size)).T
            if recipe.flip:
                row[:, 3] = rng.random(size) < 0.5
    return result


@lru_cache(maxsize=2)
def _order(seed, epoch, n):
    """Return the order of one epoch, drawn once and not for each of its steps."""
    return np.random.default_rng([seed, ORDER, epoch]).permutation(n)
