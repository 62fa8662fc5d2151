"""The all-convolutional residual net: its table, its nets, and a fast way to run them.

`runner` gives a training loop what it needs. Chapter 11.
"""

from identity_edu.allconv.architecture import (
    CIFAR10,
    CIFAR100,
    DIGITS,
    IMAGENET,
    Architecture,
    Convolution,
    Stage,
)
from identity_edu.allconv.fused import FusedRunner, can_fuse, runner
from identity_edu.allconv.net import (
    INITS,
    AllConvNet,
    global_average,
    global_average_backward,
    init_net,
    readout_block,
    residual_block,
)
from identity_edu.allconv.shortcut import shortcut, shortcut_backward

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "DIGITS",
    "IMAGENET",
    "INITS",
    "AllConvNet",
    "Architecture",
    "Convolution",
    "FusedRunner",
    "Stage",
    "can_fuse",
    "global_average",
    "global_average_backward",
    "init_net",
    "readout_block",
    "residual_block",
    "runner",
    "shortcut",
    "shortcut_backward",
]
