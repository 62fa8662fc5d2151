"""Decode images of any size, and cut out squares of one size for a net.

Both crops are one resampling of a box of the image (bilinear, averaging where it
shrinks), so that no larger picture is made on the way.
"""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np

SHARE_OF_SIDE = 224 / 256  # of the shorter side, for the central crop
AREAS = (0.08, 1.0)  # random crops: share of the image's area
RATIOS = (3 / 4, 4 / 3)  # random crops: width over height
N_TRIES = 10


def decode(content, place="the image"):
    """Decode an image file, whatever its colours and its name claim.

    A few of ImageNet's files are CMYK, grey, or PNG though called JPEG.

    Parameters
    ----------
    content : bytes
    place : str
        Named in the error.

    Returns
    -------
    array of uint8, shape (height, width, 3)
        Red, green, blue.

    Raises
    ------
    ValueError
        If it cannot be decoded whole.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{place} cannot be decoded: {error}") from error


def center_crop(image, size):
    """Cut out the central square, 7/8 of the shorter side, at a given size.

    At size 224 this is the usual "resize the shorter side to 256, crop 224".

    Parameters
    ----------
    image : array of uint8, shape (height, width, 3)
    size : int >= 1
        Pixels on a side.

    Returns
    -------
    array of uint8, shape (size, size, 3)
    """
    height, width, _ = image.shape
    side = SHARE_OF_SIDE * min(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    return _resample(image, (left, top, left + side, top + side), size)


def resized_crop(image, size, rng):
    """Cut out a random box, and stretch it to a square of a given size.

    Parameters
    ----------
    image : array of uint8, shape (height, width, 3)
    size : int >= 1
        Pixels on a side.
    rng : numpy.random.Generator

    Returns
    -------
    array of uint8, shape (size, size, 3)
    """
    return _resample(image, random_box(*image.shape[:2], rng), size)


def random_box(height, width, rng):
    """Draw a box of 8 to 100 % of an image's area, 3:4 to 4:3 in shape.

    Shapes are uniform in their logarithm. When ten draws do not fit into the image,
    the largest central box of an allowed shape is taken.

    Parameters
    ----------
    height, width : int >= 1
    rng : numpy.random.Generator

    Returns
    -------
    tuple of int
        ``(left, top, right, bottom)``, in pixels.

    References
    ----------
    Szegedy et al. (2015), Going Deeper with Convolutions, section 6.
    """
    for _ in range(N_TRIES):
        area = height * width * rng.uniform(*AREAS)
        ratio = np.exp(rng.uniform(*np.log(RATIOS)))
        w, h = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
        if 0 < w <= width and 0 < h <= height:
            left = int(rng.integers(width - w + 1))
            top = int(rng.integers(height - h + 1))
            return left, top, left + w, top + h
    w = min(width, max(1, round(height * RATIOS[1])))
    h = min(height, max(1, round(width / RATIOS[0])))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


def batches(dataset, order, *, batch_size, size=224, rng=None, n_threads=1):
    """Decode images a batch at a time, as squares of one size.

    Parameters
    ----------
    dataset : ImageNet
    order : array of int, shape (n,)
        Which images, and in which order.
    batch_size : int >= 1
        The last batch holds what is left.
    size : int >= 1
        Pixels on a side.
    rng : numpy.random.Generator, optional
        With it: random crops, mirrored half of the time (to train). Without: the
        central crop (to test).
    n_threads : int >= 1
        To decode with. The result does not depend on it.

    Yields
    ------
    tuple of array
        ``(x, labels)``: uint8 of shape (b, size, size, 3), and int64 of shape (b,).

    Raises
    ------
    ValueError
        If `batch_size` is below 1, or an image cannot be decoded.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1; got {batch_size}.")

    def crop(i, seed):
        if seed is None:
            return center_crop(dataset.image(i), size)
        own = np.random.default_rng(seed)
        x = resized_crop(dataset.image(i), size, own)
        return x[:, ::-1] if own.random() < 0.5 else x

    with ThreadPoolExecutor(n_threads) as pool:
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            # A seed for each image: threads may take turns as they like.
            seeds = rng.integers(2**63, size=len(batch)) if rng else [None] * len(batch)
            x = np.stack(list(pool.map(crop, batch, seeds)))
            yield x, dataset.labels[batch]


def _resample(image, box, size):
    from PIL import Image

    picture = Image.fromarray(image)
    return np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR, box))
