"""CIFAR-10 and CIFAR-100: the official files, read, written and imitated."""

from identity_edu.data.cifar.generated import generated_images
from identity_edu.data.cifar.read import FORMATS, Images, read_cifar
from identity_edu.data.cifar.write import pack_cifar, write_cifar

__all__ = [
    "FORMATS",
    "Images",
    "generated_images",
    "pack_cifar",
    "read_cifar",
    "write_cifar",
]
