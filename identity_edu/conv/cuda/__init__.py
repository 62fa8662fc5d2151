"""CUDA kernels for convolutions, and how they are launched for a given shape.

The sources are the ``.cu`` files beside this one; `launches` chooses among them.
Nothing here needs a GPU: a launch is a description. Chapter 12.
"""

from identity_edu.conv.cuda.launches import (
    CHUNK,
    FOLDER,
    forward,
    input_gradient,
    n_parts,
    tile_sizes,
    uses_tensor_cores,
    weight_gradient,
)
from identity_edu.conv.cuda.shape import Shape

__all__ = [
    "CHUNK",
    "FOLDER",
    "Shape",
    "forward",
    "input_gradient",
    "n_parts",
    "tile_sizes",
    "uses_tensor_cores",
    "weight_gradient",
]
