"""Every figure of the book. The only part of the package that imports matplotlib.

A function here takes arrays that a chapter has measured and returns a figure; it
computes nothing. Colours are the Okabe-Ito palette, which colour-blind readers can
tell apart, and lines differ in dash or marker as well.
"""

from identity_edu.plots.linear import (
    difference_errors,
    gradient_by_layer,
    landscapes,
    slope_cloud,
    slopes_along_descent,
)
from identity_edu.plots.style import COLOURS, new_figure, use_book_style

__all__ = [
    "COLOURS",
    "difference_errors",
    "gradient_by_layer",
    "landscapes",
    "new_figure",
    "slope_cloud",
    "slopes_along_descent",
    "use_book_style",
]
