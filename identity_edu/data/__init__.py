"""Data for every chapter: synthetic problems drawn from a `Generator`, real digits.

Larger data sets have modules of their own: `data.cifar`, `data.imagenet`, `data.fetch`
brings the first, and `data.augment` prepares images for a net.
"""

from identity_edu.data.digits import load_digits, split_digit_images, split_digits
from identity_edu.data.linear_problems import (
    linear_problem,
    random_covariance,
    random_layers,
    random_map,
    random_rotation,
    sample_regression,
)

__all__ = [
    "linear_problem",
    "load_digits",
    "random_covariance",
    "random_layers",
    "random_map",
    "random_rotation",
    "sample_regression",
    "split_digit_images",
    "split_digits",
]
