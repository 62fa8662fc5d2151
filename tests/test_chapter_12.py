"""What chapter 12 proves about tiles and bf16, and what its measurements found."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from emulator import EmulatedDevice, compiler

from identity_edu import allconv, nets
from identity_edu.allconv import device_step
from identity_edu.bf16 import rounded_to_bf16
from identity_edu.conv import cuda, roofline
from identity_edu.conv.cuda.launches import tile_sizes
from identity_edu.conv.roofline import H200, Product
from identity_edu.experiments import bf16_stream, load_result
from identity_edu.launch import BF16

ROWS = allconv.CIFAR10.convolutions()
needs_compiler = pytest.mark.skipif(
    compiler() is None, reason="needs a C++ compiler: g++, on Linux"
)


# Theorem 12.1


@pytest.mark.parametrize("most", [1, 4, 9, 16, 36, 144])
def test_no_shape_of_tiles_reads_less_than_the_theorem_says(most):
    """All shapes of tiles; equality for the square ones, which divide the product."""
    product = Product(144, 288, 7)
    bound = 2 * np.prod(product) / most**0.5
    for m, n in itertools.product(range(1, most + 1), repeat=2):
        if m * n <= most:
            assert product.tiled_bytes(m, n, itemsize=1) >= bound * (1 - 1e-12)
    side = round(most**0.5)
    assert product.tiled_bytes(side, side, itemsize=1) == pytest.approx(bound)


def test_scattered_outputs_need_no_less_than_their_rows_and_columns(rng):
    M, N, K = 12, 15, 5
    for t in (1, 5, 16, 50):
        for _ in range(50):
            chosen = rng.choice(M * N, t, replace=False)
            rows, columns = np.unique(chosen // N), np.unique(chosen % N)
            assert (len(rows) + len(columns)) * K >= 2 * K * t**0.5 * (1 - 1e-12)


@needs_compiler
@pytest.mark.parametrize("c_out", [64, 128])
def test_the_kernel_asks_for_what_its_tiles_must_fetch(c_out):
    """Whole tiles of rows, one of columns; copied zeros beyond the border included."""
    device = EmulatedDevice()
    shape = cuda.Shape(4, 8, 8, 32, c_out)
    x, W, y = (
        device.zeros(size, BF16) for size in (shape.input, shape.kernel, shape.output)
    )
    device.run([cuda.forward(shape, x, W, y)])
    (count,) = device.counts
    product = Product(4 * 8 * 8, c_out, 9 * 32)  # channels fill a slab of TILE_K
    asked = count.copied_bytes + count.zero_bytes
    assert asked == product.tiled_bytes(*tile_sizes(c_out))
    assert 2048 * 2 * count.multiply_adds == product.flops


def test_all_but_three_convolutions_are_bounded_by_arithmetic():
    below = [row for row in ROWS if roofline.intensity(row, 128) < H200.ridge]
    assert [row.name for row in below] == ["stem.W", "blocks.0.W1", "blocks.9.W1"]


def test_a_step_is_a_list_that_does_the_work_of_the_table():
    """On paper: 228 launches; the stem's 3 channels are filled up to 8."""
    paper = SimpleNamespace(zeros=np.zeros, empty=np.empty, upload=np.array)
    net = allconv.init_net(np.random.default_rng(0), allconv.CIFAR10)
    images, labels = np.zeros((9, 32, 32, 3), np.uint8), np.zeros(9, int)
    moments = np.zeros(3), np.ones(3)
    stored = device_step.load_examples(paper, images, labels, moments)
    step = device_step.DeviceStep(paper, net, (stored,) * 2, batch_size=16, series=1)
    flops = sum(launch.flops for launch in step.launches)
    stem = roofline.work(ROWS[0], 16)
    table = 3 * sum(roofline.work(row, 16) for row in ROWS)
    # No one needs the gradient of the images: two passes of the stem.
    assert flops == table - 3 * stem + 2 * stem * 8 / 3


# Proposition 12.1


def nearest(x):
    """Round float64 to bf16 in one step, by integer arithmetic on its own bits."""
    bits = x.view(np.uint64)
    half, odd = np.uint64((1 << 44) - 1), (bits >> np.uint64(45)) & np.uint64(1)
    return ((bits + half + odd) >> np.uint64(45) << np.uint64(45)).view(np.float64)


def test_bf16_cannot_add_a_512th_and_always_adds_a_256th(rng):
    """All numbers of three binades, either sign of both, up to the very edge."""
    x = np.ldexp(1 + np.arange(128) / 128, rng.integers(-30, 30, (3, 1)))
    x = np.concatenate([x, -x]).ravel()
    np.testing.assert_array_equal(nearest(x), x)
    for sign, share in itertools.product((-1, 1), (1.0, 0.999, 0.5, 1e-3, 0.0)):
        np.testing.assert_array_equal(nearest(x + sign * share * np.abs(x) / 512), x)
    for sign, share in itertools.product((-1, 1), (1 + 1e-9, 1.001, 1.5)):
        assert (nearest(x + sign * share * np.abs(x) / 256) != x).all()


def test_the_packages_rounding_is_that_of_the_proposition(rng):
    x = rng.standard_normal(10_000).astype(np.float32)
    np.testing.assert_array_equal(rounded_to_bf16(x), nearest(x.astype(float)))


# The exercises


def test_sums_in_bf16_stick_where_the_solution_says():
    for start, term, end in ((1, 1 / 512, 1), (0, 1 / 512, 0.5), (0, 1, 256)):
        x = np.float32(start)
        for _ in range(1000):
            x = rounded_to_bf16(np.array(x + np.float32(term)))
        assert x == end


def test_four_images_bring_the_last_stage_to_the_arithmetic():
    row = ROWS[-1]
    assert roofline.intensity(row, 3) < H200.ridge < roofline.intensity(row, 4)
    assert roofline.intensity(row, 10**6) < 1152.1


def test_winograds_products_take_longer_than_the_definition():
    row = next(row for row in ROWS if row.c_in == row.c_out == 64)
    flops, n_bytes = 2 * 36 * 64 * 64 * 64, 2 * 2 * 36 * 64 * 64
    assert flops * 4 == roofline.work(row, 1)
    ours = roofline.least_seconds(flops, n_bytes, H200)
    assert round(1e9 * ours) == 123
    assert round(1e9 * roofline.work(row, 1) / H200.flops_per_second) == 76


# The experiment


def test_a_net_in_bf16_has_a_stream_of_bf16_numbers(rng):
    table = allconv.DIGITS.scaled(width=0.25)
    net = bf16_stream.in_bf16(allconv.init_net(rng, table, init="usual"))
    x = rounded_to_bf16(rng.standard_normal((2, 8, 8, 1)).astype(np.float32))
    output, cache = nets.forward(net, x)
    after = [*nets.block_states(output, cache)[2:-1:2]]
    assert len(after) == len(table.parts())
    for h in after:
        np.testing.assert_array_equal(h, rounded_to_bf16(h))
    seen = {}
    nets.backward(net, cache, output, seen.__setitem__)
    for i in range(1, len(net.blocks) - 1, 2):
        np.testing.assert_array_equal(seen[i], rounded_to_bf16(seen[i]))


def test_a_net_in_bf16_computes_with_rounded_kernels_in_both_directions(rng):
    net = allconv.init_net(rng, allconv.DIGITS.scaled(width=0.25), init="usual")
    x = rounded_to_bf16(rng.standard_normal((2, 8, 8, 1)).astype(np.float32))
    params = {name: rounded_to_bf16(W) for name, W in net.params.items()}
    grads = []
    for plain in (net, nets.Net(net.blocks, params)):
        rounded = bf16_stream.in_bf16(plain)
        output, cache = nets.forward(rounded, x)
        grads.append(nets.backward(rounded, cache, np.ones_like(output)))
    for name, grad in grads[0].items():
        np.testing.assert_array_equal(grad, grads[1][name])


def test_full_channels_freeze_near_the_identity_and_empty_ones_hear():
    numbers = bf16_stream.summary(load_result("bf16_stream")["values"])
    assert numbers["stem-high"] < 0.25
    assert numbers["near-first"] > 0.7
    assert numbers["near-last"] > numbers["near-first"]
    assert numbers["wide-changed"] < 0.35
    assert numbers["near-lost"] < numbers["wide-lost"] < 1


def test_gradients_survive_bf16():
    numbers = bf16_stream.summary(load_result("bf16_stream")["values"])
    assert numbers["gradient-middle"] < 0.01
    assert numbers["gradient-inner"] < 0.02
    assert numbers["gradient-stem"] < 0.1


def test_weights_in_bf16_fall_behind_the_more_the_smaller_the_rate():
    found = load_result("bf16_stream")["values"]
    kept, rounded = (np.array(runs) for runs in found["travel"].values())
    behind = kept / rounded
    assert (behind[1:] > 1).all()
    assert (np.diff(behind.mean(axis=1)[1:]) > 0).all()
    assert behind[-1].min() > 8
    rates = np.array(found["rates"])[2:, None]  # before, the first steps grow
    proportional = kept[2:] / rates
    np.testing.assert_allclose(proportional / proportional[-1], 1, atol=0.1)


def test_the_loss_follows_that_of_float32_unless_weights_are_rounded():
    numbers = bf16_stream.summary(load_result("bf16_stream")["values"])
    assert abs(numbers["loss-bf16"] / numbers["loss-float32"] - 1) < 0.1
    assert numbers["loss-weights"] > 1.1 * numbers["loss-float32"]


def test_a_short_run_repeats_the_recorded_distance():
    found = load_result("bf16_stream")["values"]
    for kind, runs in found["travel"].items():
        again = bf16_stream.travelled(kind, found["rates"][-1], bf16_stream.SEEDS[0])
        assert again == pytest.approx(runs[-1][0], rel=0.05)
