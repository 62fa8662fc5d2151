"""Is what a GPU computes right? Checks of kernels, epilogues, graphs and training.

Each takes a device and returns what it found, or raises with what is wrong.
"""

import sys
from pathlib import Path

import numpy as np
from gpu_programs import alone
from gpu_setup import TESTS, one_line

from identity_edu.bf16 import from_bf16_bits, to_bf16_bits
from identity_edu.conv import cuda as conv
from identity_edu.data import augment, cifar
from identity_edu.launch import BF16, Kernel, Launch
from identity_edu.train.device_trainer import DeviceTrainer
from identity_edu.train.examples import DataSet
from identity_edu.train.trainer import Trainer

SEED = 3
ONE_TILE = Path(__file__).parent / "cuda" / "one_tile.cu"
# Losses of 20 steps, relative: float32 differs from NumPy's in the order of sums, bf16
# in all but 8 bits of every activation.
CLOSE = {"fp32": 1e-4, "bf16": 5e-3}


def one_product(device):
    """Multiply 16 x 16 by 16 x 8 on a tensor core.

    Parameters
    ----------
    device : identity_edu.device.CudaDevice

    Returns
    -------
    dict
        The relative error.

    Raises
    ------
    RuntimeError
        If it is above 1e-6: products of bf16 are exact in float32, sums nearly.
    """
    rng = np.random.default_rng(SEED)
    a, b = (
        to_bf16_bits(rng.standard_normal((16, 16), dtype=np.float32)) for _ in range(2)
    )
    c = device.zeros((16, 8), np.float32)
    args = device.upload(a), device.upload(b), c
    shared_bytes = a.nbytes + b.nbytes
    one_tile = Kernel(ONE_TILE, "one_tile")
    device.run([Launch(one_tile, (1, 1, 1), 32, args, shared_bytes)])
    a, b = (from_bf16_bits(bits).astype(float) for bits in (a, b))
    error = _distance(device.download(c), (a @ b)[:, :8])
    _require(error < 1e-6, f"relative error {error:.1e}")
    return {"relative_error": error}


def every_kernel(device, most=None):
    """Run each kernel on its cases, against float64.

    Parameters
    ----------
    device : identity_edu.device.CudaDevice
    most : int, optional
        Cases of each kernel; all unless given.

    Returns
    -------
    dict
        Number of cases by kernel.
    """
    if str(TESTS) not in sys.path:
        sys.path.append(str(TESTS))
    from kernels.cases import KERNELS

    failed, counts = [], {}
    for name, kernel in KERNELS.items():
        cases = kernel.cases[:most]
        counts[name] = len(cases)
        for case in cases:
            try:
                kernel.check(device, case)
            except AssertionError as error:
                failed.append(f"{name} on {case}: {one_line(error)}")
    _require(not failed, f"{len(failed)} failed, first {failed[:1]}")
    return {"cases": counts}


def ends_inside_and_after(device, shape):
    """Compare ReLU and skip in a convolution with the same after it, to the bit.

    After it means: the sums stored in float32, and finished by the host; and for ReLU
    also by a kernel of its own on bf16, since rounding keeps the sign.

    Parameters
    ----------
    device : identity_edu.device.CudaDevice
    shape : identity_edu.conv.cuda.Shape

    Returns
    -------
    dict
        How many numbers were compared.
    """
    rng = np.random.default_rng(SEED)
    x, W, added = (
        device.upload(_drawn(rng, size))
        for size in (shape.input, shape.kernel, shape.output)
    )
    sums = device.empty(shape.output, np.float32)
    inside, after = (device.empty(shape.output, BF16) for _ in range(2))
    device.run([conv.forward(shape, x, W, sums), conv.forward(shape, x, W, after)])
    host = device.download(sums)
    skipped = from_bf16_bits(device.download(added))
    for options, finished in (
        ({"relu": True}, np.maximum(host, 0)),
        ({"added": added}, host + skipped),
        ({"added": added, "relu": True}, np.maximum(host + skipped, 0)),
    ):
        device.run([conv.forward(shape, x, W, inside, **options)])
        differ = np.count_nonzero(device.download(inside) != to_bf16_bits(finished))
        _require(differ == 0, f"{differ} numbers differ with {list(options)}")
    device.run([conv.forward(shape, x, W, inside, relu=True), alone("relu", after)])
    differ = np.count_nonzero(device.download(inside) != device.download(after))
    _require(differ == 0, f"{differ} numbers differ from a kernel of its own")
    return {"numbers": 4 * inside.size}


def generated_examples(recipe, n):
    """Return generated images for a recipe, cut to its size.

    Parameters
    ----------
    recipe : identity_edu.train.recipes.Recipe
    n : int >= 1

    Returns
    -------
    identity_edu.train.examples.DataSet
    """
    rng = np.random.default_rng(SEED)
    images = cifar.generated_images(rng, "cifar10", n, n)
    height, width, _ = recipe.architecture.image
    x = images.x_train[:, :height, :width]
    labels = images.labels_train
    return DataSet(x, labels, x, labels, augment.channel_statistics(x))


def graph_and_launches(device, recipe, n_steps=3):
    """Take steps as a graph, and as launches one by one: the same bits.

    Parameters
    ----------
    device : identity_edu.device.CudaDevice
    recipe : identity_edu.train.recipes.Recipe
    n_steps : int >= 1

    Returns
    -------
    dict
        How many numbers were compared.
    """
    examples, states = generated_examples(recipe, 2 * recipe.batch_size), []
    for is_graph in (True, False):
        trainer = DeviceTrainer(device, recipe, examples, precision="bf16")
        if not is_graph:
            step = trainer.on_device
            step.replay = lambda step=step, **_: device.run(step.launches)
        loss, _ = trainer.advance(n_steps)
        arrays = {name: array.copy() for name, array in trainer.state().items()}
        states.append(arrays | {"loss": np.array(loss)})
    for name, array in states[0].items():
        equal = array.tobytes() == states[1][name].tobytes()
        _require(equal, f"{name} differs after {n_steps} steps")
    return {"numbers": sum(array.size for array in states[0].values())}


def curve(device, recipe, precision):
    """Train beside NumPy on the same batches, and compare all losses.

    Parameters
    ----------
    device : identity_edu.device.CudaDevice
    recipe : identity_edu.train.recipes.Recipe
        Of few steps.
    precision : {"fp32", "bf16"}

    Returns
    -------
    dict
        Both curves, and the largest relative difference.
    """
    examples = generated_examples(recipe, 4 * recipe.batch_size)
    numpy = Trainer(recipe, examples)
    ours = DeviceTrainer(device, recipe, examples, precision=precision)
    losses = np.array(
        [[numpy.step()[0], ours.advance(1)[0]] for _ in range(recipe.n_steps)]
    )
    worst = float(np.max(np.abs(losses[:, 1] / losses[:, 0] - 1)))
    close = CLOSE[precision]
    _require(worst < close, f"losses differ by {worst:.1e}, relative; at most {close}")
    return {"worst": worst, "numpy": losses[:, 0], "ours": losses[:, 1]}


def _drawn(rng, shape):
    return to_bf16_bits(rng.standard_normal(shape, dtype=np.float32))


def _distance(found, expected):
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def _require(is_right, what):
    if not is_right:
        raise RuntimeError(what)
