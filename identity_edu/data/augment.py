"""Standardise images, and draw each one shifted and mirrored.

Images are NHWC: `x` is (n, height, width, channels).
"""

import numpy as np

CHUNK = 1000  # images counted at once: memory stays bounded
LEVELS = 256


def channel_statistics(x):
    """Return the mean and standard deviation of each channel, exactly.

    An image of uint8 has 256 levels, so a count of each level says all: the moments
    are sums over 256 numbers, and the images are never copied as floats.

    Parameters
    ----------
    x : array of uint8, shape (n, height, width, channels)

    Returns
    -------
    tuple of array
        ``(mean, std)``, float32 of shape (channels,), with levels 0 to 255 as 0 to 1.
        The deviation is that of the population (no correction of n to n - 1).

    Raises
    ------
    TypeError
        If `x` is not uint8.
    ValueError
        If `x` has not four axes, or holds no pixel.
    """
    _check_images(x)
    if x.size == 0:
        raise ValueError(f"x must hold at least one pixel; got shape {x.shape}.")
    counts = np.zeros((x.shape[-1], LEVELS), np.int64)
    for start in range(0, len(x), CHUNK):
        for channel, row in enumerate(counts):
            levels = x[start : start + CHUNK, ..., channel]
            row += np.bincount(levels.ravel(), minlength=LEVELS)
    level = np.arange(LEVELS) / (LEVELS - 1)
    share = counts / counts.sum(axis=1, keepdims=True)
    mean = share @ level
    variance = (share * (level - mean[:, None]) ** 2).sum(axis=1)
    return mean.astype(np.float32), np.sqrt(variance).astype(np.float32)


def standardise(x, mean, std):
    """Subtract each channel's mean and divide by its deviation.

    Parameters
    ----------
    x : array of uint8, shape (n, height, width, channels)
    mean, std : array, shape (channels,)
        From `channel_statistics`: of the training images, also for test images.

    Returns
    -------
    array of float32, shape of x

    Raises
    ------
    TypeError
        If `x` is not uint8.
    ValueError
        If `x` has not four axes, `mean` or `std` not one number a channel, or a
        deviation is not positive (a channel that never changes).
    """
    _check_images(x)
    mean, std = np.asarray(mean, np.float32), np.asarray(std, np.float32)
    if not mean.shape == std.shape == x.shape[-1:]:
        raise ValueError(
            f"mean and std must have shape {x.shape[-1:]}; got {mean.shape} and "
            f"{std.shape}."
        )
    if not (std > 0).all():
        raise ValueError(f"std must be positive in each channel; got {std}.")
    result = x.astype(np.float32)
    result /= np.float32(LEVELS - 1)
    result -= mean
    result /= std
    return result


def augment(x, rng, *, pad=4, flip=True):
    """Draw each image shifted by up to `pad` pixels, and mirrored half of the time.

    Zeros are put around the image, and a part of its own size is cut out, all
    positions being equally likely. Zeros around standardised images are the mean
    colour, around raw ones black. Hardt & Ma say no more than "standard augmentation";
    that our recipes standardise first is a choice of ours.

    Parameters
    ----------
    x : array, shape (n, height, width, channels)
        Of any dtype.
    rng : numpy.random.Generator
        Draws the positions of all images, then which are mirrored.
    pad : int >= 0
        Pixels on each side; 0 shifts nothing.
    flip : bool
        Whether to mirror left and right, each image with probability 1/2.

    Returns
    -------
    array, shape and dtype of x
        A copy.

    Raises
    ------
    ValueError
        If `x` has not four axes or `pad` is negative.

    References
    ----------
    He, Zhang, Ren & Sun (2016), Deep Residual Learning, section 4.2: pad by 4, crop,
    flip.
    """
    x = np.asarray(x)
    if x.ndim != 4 or pad < 0:
        raise ValueError(
            "x must be (n, height, width, channels) and pad at least 0; "
            f"got shape {x.shape} and {pad}."
        )
    n, height, width, _ = x.shape
    top, left = rng.integers(0, 2 * pad + 1, (2, n, 1))
    rows, columns = top + np.arange(height), left + np.arange(width)
    if flip:
        is_mirrored = rng.random((n, 1)) < 0.5
        columns = np.where(is_mirrored, columns[:, ::-1], columns)
    margin = (pad, pad)
    padded = np.pad(x, ((0, 0), margin, margin, (0, 0)))
    return padded[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]


def _check_images(x):
    if x.dtype != np.uint8:
        raise TypeError(f"x must be uint8, levels 0 to 255; got {x.dtype}.")
    if x.ndim != 4:
        raise ValueError(f"x must be (n, height, width, channels); got {x.shape}.")
