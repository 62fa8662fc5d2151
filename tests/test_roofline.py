"""The arithmetic of the roofline: against brute force, and against the known totals."""

import math

import numpy as np
import pytest

from identity_edu.allconv import CIFAR10
from identity_edu.allconv.architecture import Convolution
from identity_edu.conv import roofline
from identity_edu.conv.roofline import H200, PASSES, Chip, Product, least_seconds

ROWS = CIFAR10.convolutions()
SMALL = [
    Convolution("a", 1, 1, 1, (1, 1)),
    Convolution("b", 3, 5, 1, (4, 5)),
    Convolution("c", 2, 3, 2, (5, 6)),
    Convolution("d", 4, 2, 3, (7, 8)),
    Convolution("e", 3, 2, 2, (4, 4), 1),
    Convolution("f", 3, 2, 2, (7, 1), 5),
]


def taps_to_outputs(row):
    """Return, for all pixels of one image, how many taps take each to some output.

    Rows and columns of outputs are counted as if they went on beyond the border.
    """
    r, found = row.kernel // 2, np.zeros(row.size, int)
    for p, q in np.ndindex(*row.size):
        for a, b in np.ndindex(row.kernel, row.kernel):
            found[p, q] += (p + r - a) % row.stride == (q + r - b) % row.stride == 0
    return found


# Work


def test_a_step_of_the_net_for_cifar_is_11_84_gflop_for_each_image():
    forward = sum(roofline.work(row, 1) for row in ROWS)
    assert len(ROWS) == 55
    assert forward == 3_945_627_648
    assert round(3 * forward / 1e9, 2) == 11.84
    assert round(128 * 3 * forward / 1e12, 3) == 1.515


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("row", SMALL, ids=lambda row: row.name)
def test_work_counts_every_tap_of_every_output(row, batch):
    n = sum(
        2 * row.c_in * row.c_out * row.kernel**2
        for _ in range(batch)
        for _p in range(0, row.size[0], row.stride)
        for _q in range(0, row.size[1], row.stride)
    )
    assert roofline.work(row, batch) == n


@pytest.mark.parametrize("which", PASSES)
def test_each_pass_of_the_net_is_products_with_the_same_work(which):
    for row in ROWS:
        made = roofline.products(row, 128, which)
        assert sum(p.flops for p in made) == roofline.work(row, 128)


@pytest.mark.parametrize("row", SMALL, ids=lambda row: row.name)
def test_classes_of_pixels_meet_the_taps_that_reach_them(row):
    """The largest class first: no pixel is in two, and what no tap reaches in none."""
    taps = taps_to_outputs(row)
    made = roofline.products(row, 2, "input_gradient")
    counts = [(p.M // 2, p.K // row.c_out) for p in made]
    assert all(p.N == row.c_in for p in made)
    assert sum(n * k for n, k in counts) == taps.sum()
    assert sum(n for n, _ in counts) == np.count_nonzero(taps)


def test_at_stride_2_the_four_classes_have_1_2_2_and_4_taps():
    row = Convolution("", 8, 16, 2, (6, 4))
    made = roofline.products(row, 5, "input_gradient")
    assert [p.K // 16 for p in made] == [1, 2, 2, 4]
    assert {p.M for p in made} == {5 * 3 * 2}


def test_a_product_is_named_by_what_it_makes():
    row = Convolution("", 8, 16, 2, (6, 4))
    assert roofline.products(row, 5, "forward") == [Product(5 * 3 * 2, 16, 72)]
    assert roofline.products(row, 5, "weight_gradient") == [Product(72, 16, 30)]
    with pytest.raises(
        ValueError, match="one of forward, input_gradient, weight_gradient; got"
    ):
        roofline.products(row, 5, "sideways")


# Bytes


@pytest.mark.parametrize("row", SMALL, ids=lambda row: row.name)
def test_the_fewest_bytes_are_those_of_the_three_arrays(row):
    x = np.zeros((3, *row.size, row.c_in), np.float32)
    W = np.zeros((row.kernel, row.kernel, row.c_in, row.c_out), np.float32)
    y = np.zeros((3, *roofline.output_size(row), row.c_out), np.float32)
    assert y.shape[1:3] == x[:, :: row.stride, :: row.stride].shape[1:3]
    n_bytes = x.nbytes + W.nbytes + y.nbytes
    assert roofline.fewest_bytes(row, 3, roofline.FLOAT32) == n_bytes
    assert roofline.fewest_bytes(row, 3) == n_bytes / 2
    ratio = roofline.work(row, 3) / n_bytes
    assert roofline.intensity(row, 3, roofline.FLOAT32) == ratio


def test_a_step_moves_33_mb_for_each_image_with_all_fused():
    """In bf16, weights and their update included, at 128 images."""
    batch, residual = 128, [p for p in CIFAR10.parts() if p.kind == "residual"]
    convolutions = 3 * sum(roofline.fewest_bytes(row, batch) for row in ROWS)
    rest = sum(
        roofline.elementwise_bytes(p.convolutions[1], batch, is_fused=True)
        for p in residual
    )
    # Weights and momentum, read and written in float32.
    update = 4 * roofline.FLOAT32 * CIFAR10.n_weights()
    assert round((convolutions + rest + update) / batch / 1e6) == 33


def test_elementwise_work_alone_moves_eleven_arrays_and_fused_three():
    row = Convolution("", 4, 4, 1, (3, 5))
    array = 2 * (7 * 3 * 5 * 4)
    assert roofline.elementwise_bytes(row, 7, is_fused=False) == 11 * array
    assert roofline.elementwise_bytes(row, 7, is_fused=True) == 3 * array


@pytest.mark.parametrize("tile", [(1, 1), (2, 3), (4, 4), (5, 2), (100, 1), (9, 9)])
@pytest.mark.parametrize("size", [(1, 1, 1), (4, 6, 5), (7, 5, 3)])
def test_blocks_ask_for_their_rows_and_columns(size, tile):
    (M, N, K), (m, n) = size, tile
    asked = 0
    for i in range(0, M, m):
        for j in range(0, N, n):
            asked += (min(m, M - i) + min(n, N - j)) * K
    assert Product(M, N, K).tiled_bytes(m, n) == 2 * asked
    assert Product(M, N, K).tiled_bytes(m, n, 4) == 4 * asked


@pytest.mark.parametrize("tile", [(0, 1), (1, 0), (-1, 2)])
def test_a_tile_without_rows_or_columns_is_refused(tile):
    with pytest.raises(ValueError, match=f"got {tile[0]} x {tile[1]}"):
        Product(2, 2, 2).tiled_bytes(*tile)


# Time


def test_at_the_ridge_both_bounds_are_equal():
    chip = Chip("", 600.0, 3.0)
    assert chip.ridge == 200
    assert least_seconds(chip.ridge, 1, chip) == 1 / 3
    assert least_seconds(1200, 1, chip) == 2
    assert least_seconds(100, 1, chip) == 1 / 3
    assert least_seconds(0, 0, chip) == 0


def test_the_named_chips_are_what_their_data_sheets_say():
    assert H200.flops_per_second == 989e12
    assert H200.bytes_per_second == 4.8e12
    assert math.isclose(roofline.A100.ridge, 153.0, rel_tol=1e-3)


@pytest.mark.parametrize("rate", [0, -1.0, math.inf, math.nan])
def test_a_chip_needs_positive_rates(rate):
    with pytest.raises(ValueError, match=f"positive and finite; got {rate}"):
        Chip("", rate, 1.0)
    with pytest.raises(ValueError, match=f"positive and finite; got {rate}"):
        Chip("", 1.0, rate)


def test_negative_work_is_refused():
    with pytest.raises(ValueError, match="must not be negative; got -1 and 2"):
        least_seconds(-1, 2, H200)
