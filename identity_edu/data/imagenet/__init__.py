"""ImageNet (ILSVRC 2012) where it lies, in any of the three layouts people have.

Nothing is moved, unpacked or written. `open_imagenet` finds the images and their
labels, in the same order whatever the layout; `batches` decodes and crops them.
"""

from identity_edu.data.imagenet.dataset import ImageNet, find_layout, open_imagenet
from identity_edu.data.imagenet.images import (
    batches,
    center_crop,
    decode,
    random_box,
    resized_crop,
)

__all__ = [
    "ImageNet",
    "batches",
    "center_crop",
    "decode",
    "find_layout",
    "open_imagenet",
    "random_box",
    "resized_crop",
]
