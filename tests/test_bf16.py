"""Rounding to 16 bits by integers gives the nearest number, and keeps what it must."""

import numpy as np
import pytest

from identity_edu.backend import to_numpy
from identity_edu.bf16 import from_bf16_bits, rounded_to_bf16, to_bf16_bits

FINITE = np.arange(0x7F80, dtype=np.uint16)  # all that are not negative, in order


def nearest_even(x):
    """Search the sorted table of all bf16 numbers, in float64: an independent way."""
    table = (FINITE.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    size = np.abs(x.astype(np.float64))
    above = np.searchsorted(table, size).clip(1, len(table) - 1)
    low, high = size - table[above - 1], table[above] - size
    index = np.where(
        (low < high) | ((low == high) & (above % 2 == 1)), above - 1, above
    )
    return np.copysign(table[index], x).astype(np.float32)


def test_rounding_finds_the_nearest_number_and_the_even_one_of_two(rng, xp):
    x = rng.standard_normal(20_000) * 10.0 ** rng.uniform(-44, 38, 20_000)
    lower = FINITE[rng.integers(0, len(FINITE) - 1, 5_000)].astype(np.uint32) << 16
    ties = np.concatenate([lower + 0x8000, lower + 0x7FFF, lower + 0x8001, lower])
    x = np.concatenate([x.astype(np.float32), ties.view(np.float32)])
    x = np.concatenate([x, -x])
    x = x[np.abs(x) < 3.38e38]  # below the largest bf16 number
    ours = to_numpy(rounded_to_bf16(xp.asarray(x)))
    np.testing.assert_array_equal(ours.view(np.uint32), nearest_even(x).view(np.uint32))


def test_every_bf16_number_survives_both_ways():
    bits = np.arange(0x10000, dtype=np.uint16)
    is_nan = (bits & 0x7F80 == 0x7F80) & (bits & 0x7F != 0)
    again = to_bf16_bits(from_bf16_bits(bits))
    np.testing.assert_array_equal(again[~is_nan], bits[~is_nan])
    assert np.isnan(from_bf16_bits(again[is_nan])).all()


def test_what_is_no_number_stays_none():
    quiet = np.array([0x7F800001, 0xFF800001, 0x7FFFFFFF, 0xFFFFFFFF], np.uint32)
    rounded = rounded_to_bf16(quiet.view(np.float32))
    assert np.isnan(rounded).all()
    np.testing.assert_array_equal(np.signbit(rounded), [False, True, False, True])


def test_infinity_zero_and_their_signs_stay():
    x = np.array([np.inf, -np.inf, 0.0, -0.0], np.float32)
    np.testing.assert_array_equal(rounded_to_bf16(x).view(np.uint32), x.view(np.uint32))
    assert np.isinf(rounded_to_bf16(np.array(3.4e38, np.float32)))


def test_shapes_stay_also_of_views_and_the_input_is_not_modified(rng):
    x = rng.standard_normal((6, 4)).astype(np.float32)
    before = x.copy()
    for view in (x, x.T, x[::2, 1:], x[:0], x[0, 0, None].reshape(())):
        assert rounded_to_bf16(view).shape == view.shape
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("x", [np.zeros(2), np.zeros(2, np.float16), [1.0], 1.0])
def test_other_numbers_are_refused_with_what_arrived(x):
    with pytest.raises(TypeError, match="must be an array of float32; got"):
        to_bf16_bits(x)
    with pytest.raises(TypeError, match="must be an array of uint16; got"):
        from_bf16_bits(x)
