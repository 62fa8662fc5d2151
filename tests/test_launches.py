"""Launches cover what they must compute, count it, and refuse what does not fit."""

import math
from itertools import product

import numpy as np
import pytest
from kernels.cases import PLAIN, TENSOR
from kernels.nets import NETS, outlined

from identity_edu.allconv import CIFAR10, CIFAR100
from identity_edu.conv import cuda
from identity_edu.conv.cuda import Shape, launches
from identity_edu.launch import (
    BF16,
    NULL,
    Kernel,
    Launch,
    PaperDevice,
    by_source,
    cuda_source,
)

outline = PaperDevice().empty  # of a shape and a dtype, and no numbers
FLOAT = np.dtype(np.float32)
TYPES = [BF16, FLOAT]
LARGE = [
    Shape(128, 32, 32, 64, 64),
    Shape(128, 32, 32, 64, 128, stride=2),
    Shape(512, 8, 8, 256, 256),
    Shape(500, 32, 32, 8, 16),
    Shape(64, 17, 33, 24, 40, stride=2),
    Shape(128, 32, 32, 64, 128, side=1, stride=2),
]
SHAPES = [*TENSOR, *PLAIN, *LARGE]
# Where kernels count in 32 bits, and a grid ends.
MOST_INDEX, MOST_BLOCKS = 2**31 - 1, (2**31 - 1, 2**16 - 1, 2**16 - 1)


def arrays(shape, dtype, **others):
    """Return outlines of all arrays of a convolution, some of them replaced."""
    sizes = {
        "x": shape.input,
        "W": shape.kernel,
        "y": shape.output,
        "added": shape.output,
        "grad_y": shape.output,
        "grad_x": shape.input,
        "skip": shape.input,
        "mask": shape.input,
        "parts": (launches.n_parts(shape, dtype), *shape.kernel),
    }
    made = {name: outline(size, dtype) for name, size in sizes.items()}
    made["parts"] = outline(sizes["parts"], FLOAT)
    return made | others


def forward(shape, a):
    return cuda.forward(shape, a["x"], a["W"], a["y"], added=a["added"])


def input_gradient(shape, a):
    given = a["grad_y"], a["W"], a["grad_x"]
    return cuda.input_gradient(shape, *given, added=a["skip"], mask=a["mask"])


def weight_gradient(shape, a):
    return cuda.weight_gradient(shape, a["x"], a["grad_y"], a["parts"])


def tile(shape, dtype, columns):
    """Return rows, columns and depth of a kernel's tile."""
    if launches.uses_tensor_cores(shape, dtype):
        return *launches.tile_sizes(columns), launches.TILE_K
    return launches.PLAIN_TILE, launches.PLAIN_TILE, launches.PLAIN_DEPTH


# What a launch covers


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_blocks_cover_every_number_and_none_is_idle(shape, dtype):
    a, pixels_in = arrays(shape, dtype), math.prod(shape.input[:3])
    rows_of = {
        forward: (math.prod(shape.output[:3]), shape.c_out),
        input_gradient: (pixels_in, shape.c_in),
        weight_gradient: (shape.side**2 * shape.c_in, shape.c_out),
    }
    for launch, (rows, columns) in rows_of.items():
        made, (tile_m, tile_n, _) = launch(shape, a), tile(shape, dtype, columns)
        if launch is input_gradient and launches.uses_tensor_cores(shape, dtype):
            assert made.grid[2] == shape.stride**2
            rows = shape.n * math.prod(-(-s // shape.stride) for s in shape.input[1:3])
        assert made.grid[:2] == (-(-rows // tile_m), -(-columns // tile_n))
        assert all(n <= most for n, most in zip(made.grid, MOST_BLOCKS, strict=True))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(1, 1), (1, 4), (5, 8), (7, 3), (2, 2)])
def test_the_first_parity_has_the_most_pixels_and_all_have_each_once(size, stride):
    classes = [[len(range(i, s, stride)) for i in range(stride)] for s in size]
    counts = [a * b for a, b in product(*classes)]
    assert sum(counts) == math.prod(size)
    assert max(counts) == math.prod(-(-s // stride) for s in size)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_parts_of_a_weight_gradient_cover_all_pixels_once(shape, dtype):
    made = weight_gradient(shape, arrays(shape, dtype))
    n, each = launches.n_parts(shape, dtype), int(made.args[-1])
    if launches.uses_tensor_cores(shape, dtype):
        each *= launches.TILE_K
    pixels = math.prod(shape.output[:3])
    assert made.grid[2] == n
    assert (n - 1) * each < pixels <= n * each  # none is empty, none is left out
    assert n == 1 or math.prod(made.grid) <= launches.WEIGHT_BLOCKS


def test_parts_depend_on_the_shape_alone():
    shape = Shape(128, 32, 32, 64, 64)
    assert launches.n_parts(shape, BF16) == launches.n_parts(shape, np.uint16)
    # Three tiles of 576 rows: 88 blocks each; 4096 steps of 32 pixels, 47 in each part.
    assert launches.n_parts(shape, BF16) == 88


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_flops_and_bytes_are_those_of_the_product(shape, dtype):
    a = arrays(shape, dtype)
    flops = 2 * math.prod(shape.output) * shape.side**2 * shape.c_in
    x, W, y = (math.prod(s) for s in (shape.input, shape.kernel, shape.output))
    numbers = {
        forward: x + W + 2 * y,
        input_gradient: y + W + 3 * x,
        weight_gradient: x + y,
    }
    for launch, n in numbers.items():
        made = launch(shape, a)
        own = 4 * W if launch is weight_gradient else 0  # the sum of the parts, float32
        assert (made.flops, made.bytes) == (flops, n * dtype.itemsize + own)


# Which kernel


@pytest.mark.parametrize(
    ("shape", "dtype", "expected"),
    [
        (Shape(1, 1, 1, 8, 8), BF16, True),
        (Shape(1, 1, 1, 8, 8, stride=2), BF16, True),
        (Shape(1, 1, 1, 8, 8), FLOAT, False),
        (Shape(1, 1, 1, 8, 8, stride=3), BF16, False),
        (Shape(1, 1, 1, 8, 8, side=1), BF16, False),
        (Shape(1, 1, 1, 8, 8, side=5), BF16, False),
        (Shape(1, 1, 1, 12, 8), BF16, False),
        (Shape(1, 1, 1, 8, 12), BF16, False),
        (Shape(1, 1, 1, 4, 4), BF16, False),
    ],
)
def test_tensor_cores_take_what_they_can(shape, dtype, expected):
    assert cuda.uses_tensor_cores(shape, dtype) is expected
    names = [f(shape, arrays(shape, dtype)).kernel for f in (forward, weight_gradient)]
    for kernel in names:
        assert kernel.name.startswith("conv3x3" if expected else "plain")
        assert kernel.path.is_file()


def test_null_stands_for_what_is_not_given():
    shape = Shape(1, 3, 3, 8, 8)
    a = arrays(shape, BF16)
    made = cuda.forward(shape, a["x"], a["W"], a["y"], relu=True)
    assert made.args[3] is NULL
    assert made.args[4] == 1
    made = cuda.input_gradient(shape, a["grad_y"], a["W"], a["grad_x"], mask=a["mask"])
    assert made.args[3] is NULL
    assert made.args[4] is a["mask"]


# What is refused

SMALL = Shape(2, 5, 4, 8, 16)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize(
    ("launch", "name"),
    [
        *((forward, name) for name in ("x", "W", "y", "added")),
        *((input_gradient, n) for n in ("grad_y", "W", "grad_x", "skip", "mask")),
        *((weight_gradient, name) for name in ("x", "grad_y")),
    ],
)
def test_an_array_of_another_shape_or_dtype_is_refused(launch, name, dtype):
    made = arrays(SMALL, dtype)
    launch(SMALL, made)
    shape, (one, *rest) = made[name].shape, made[name].shape
    word = "added" if name == "skip" else name
    for other in [(one + 1, *rest), (one, *rest[::-1]), shape[1:], (*shape, 1)]:
        if other != shape:
            with pytest.raises(ValueError, match=rf"^{word} must be .* for Shape\("):
                launch(SMALL, made | {name: outline(other, dtype)})
    for other in (np.float64, np.int16, np.float16):
        with pytest.raises(ValueError, match=rf"got .*{np.dtype(other)}\.$"):
            launch(SMALL, made | {name: outline(shape, other)})


@pytest.mark.parametrize(
    ("launch", "name"),
    [
        *((forward, name) for name in ("W", "added")),
        *((input_gradient, name) for name in ("W", "skip", "mask")),
        (weight_gradient, "grad_y"),
    ],
)
def test_types_do_not_mix(launch, name):
    for dtype, other in (TYPES, TYPES[::-1]):
        made = arrays(SMALL, dtype)
        with pytest.raises(ValueError, match=f"of {dtype} for .* of {other}"):
            launch(SMALL, made | {name: outline(made[name].shape, other)})


@pytest.mark.parametrize(
    ("launch", "name"), [(forward, "y"), (input_gradient, "grad_x")]
)
def test_only_tensor_cores_store_another_type_than_they_read(launch, name):
    for shape in (SMALL, Shape(2, 5, 4, 7, 16)):
        made = arrays(shape, BF16)
        wide = made | {name: outline(made[name].shape, FLOAT)}
        if cuda.uses_tensor_cores(shape, BF16):
            assert launch(shape, wide).kernel.name.endswith(", float>")
        else:
            with pytest.raises(ValueError, match=f"{name} must be .* of uint16"):
                launch(shape, wide)
        made = arrays(shape, FLOAT)
        with pytest.raises(ValueError, match=f"{name} must be .* of float32"):
            launch(shape, made | {name: outline(made[name].shape, BF16)})


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_parts_must_have_room(dtype):
    made = arrays(SMALL, dtype)
    n = made["parts"].size
    weight_gradient(SMALL, made | {"parts": outline((n + 1,), FLOAT)})
    for size, other in ((n - 1, FLOAT), (n, BF16), (n, np.float64)):
        with pytest.raises(ValueError, match=rf"{n} numbers of float32; got {size} of"):
            weight_gradient(SMALL, made | {"parts": outline((size,), other)})


@pytest.mark.parametrize(
    "numbers",
    [
        (0, 1, 1, 8, 8),
        (1, 0, 1, 8, 8),
        (1, 1, -3, 8, 8),
        (1, 1, 1, 0, 8),
        (1, 1, 1, 8, 0),
        (1, 1, 1, 8, 8, 2),
        (1, 1, 1, 8, 8, 0),
        (1, 1, 1, 8, 8, -1),
        (1, 1, 1, 8, 8, 3, 0),
    ],
)
def test_a_shape_of_nothing_is_refused(numbers):
    with pytest.raises(ValueError, match=r"at least 1, and side odd; got \{'n'"):
        Shape(*numbers)


@pytest.mark.parametrize(
    "numbers",
    [
        (2**18, 32, 32, 8, 8),  # images of 2**31 numbers
        (2**16, 64, 64, 1, 8),  # outputs
        (1, 1, 1, 2**16, 2**15, 1),  # the kernel
    ],
)
def test_what_indices_cannot_count_is_refused(numbers):
    with pytest.raises(ValueError, match=f"at most {MOST_INDEX} numbers; got {2**31}"):
        Shape(*numbers)
    n, *rest = numbers
    Shape(n - 1, *rest) if n > 1 else Shape(1, 1, 1, 2**16 - 1, 2**15, 1)


# A whole step


@pytest.mark.parametrize("table", [CIFAR10, CIFAR100], ids=["cifar10", "cifar100"])
@pytest.mark.parametrize("batch_size", [128, 512])
def test_a_step_of_the_paper_s_net_is_one_list(table, batch_size):
    step = outlined(table, batch_size, BF16)
    plain = [one for one in step.launches if one.kernel.name.startswith("plain")]
    assert not plain  # the images have 8 channels, 5 of them zeros
    # 55 convolutions: each once forward, once for its kernel, with the step on it, and
    # all but the first once for the images; three skips that change shape, forward and
    # back; and the batch, the scores and the line.
    assert len(step.launches) == 55 * 3 + 54 + 3 * 2 + 3
    flops = [
        2 * 9 * max(8, row.c_in) * row.c_out * batch_size * math.prod(_output(row))
        for row in table.convolutions()
    ]
    assert sum(one.flops for one in step.launches) == 3 * sum(flops) - flops[0]
    for one in (*step.launches, *step.observed):
        assert all(n <= most for n, most in zip(one.grid, MOST_BLOCKS, strict=True))


def _output(row):
    return [-(-s // row.stride) for s in row.size]


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("name", NETS)
def test_an_observed_step_computes_the_same_and_more(name, dtype):
    step = outlined(NETS[name], 5, dtype)
    names = [[one.kernel.name for one in s] for s in (step.launches, step.observed)]
    extra = ("sum_squares", "shortcut_forward")
    plain, observed = ([n for n in some if not n.startswith(extra)] for some in names)
    assert plain == observed
    assert len(step.observed) > len(step.launches)


# Sources and groups


def test_kernels_are_grouped_by_source_each_once(tmp_path):
    a, b = tmp_path / "a.cu", tmp_path / "b.cu"
    kernels = [Kernel(a, "f"), Kernel(b, "g"), Kernel(a, "h"), Kernel(a, "f")]
    made = [Launch(kernel, (1, 1, 1), 1, ()) for kernel in kernels]
    assert by_source(made) == {a: [kernels[0], kernels[2]], b: [kernels[1]]}


LINES = ["int inner;", "int outer;", "int own;"]


def test_a_source_holds_each_of_its_headers_once(tmp_path):
    (tmp_path / "inner.cuh").write_text("int inner;\n")
    (tmp_path / "outer.cuh").write_text('#include "inner.cuh"\nint outer;\n')
    source = tmp_path / "a.cu"
    source.write_text('#include "outer.cuh"\n#include "inner.cuh"\nint own;\n')
    assert cuda_source(source).split() == [
        "int",
        "inner;",
        "int",
        "outer;",
        "int",
        "own;",
    ]
    other = cuda_source(source, {"inner.cuh": "int other;"})
    assert other.split() == ["int", "other;", "int", "outer;", "int", "own;"]
