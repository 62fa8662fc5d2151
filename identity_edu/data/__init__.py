"""Data for every chapter: synthetic problems drawn from a `Generator`, real digits."""

from identity_edu.data.digits import load_digits, split_digits
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
    "split_digits",
]
