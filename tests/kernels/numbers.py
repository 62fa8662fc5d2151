"""Numbers for kernels, and how near what they store must come to float64."""

import numpy as np

from identity_edu.bf16 import from_bf16_bits, to_bf16_bits
from identity_edu.launch import BF16

FLOAT = np.dtype(np.float32)
TYPES = {BF16: "bf16", FLOAT: "float"}
UNWRITTEN = 0xFF  # every byte of what no kernel wrote: not a number
SIGN, REST = 0x8000, 0x7FFF
LOST = 2.0**-20  # by a sum in float32, as part of the largest


def stored_as(x, dtype):
    """Round float32 to what a dtype stores."""
    return to_bf16_bits(x) if dtype == BF16 else x


def numbers(rng, shape, dtype):
    """Draw normal numbers, rounded to what a dtype stores."""
    return stored_as(rng.standard_normal(shape).astype(np.float32), dtype)


def exact(host):
    """Return what was stored, as float64."""
    return (from_bf16_bits(host) if host.dtype == BF16 else host).astype(np.float64)


def unwritten(device, shape, dtype):
    """Return an array on the device that tells where nobody wrote."""
    n_bytes = np.dtype(dtype).itemsize * int(np.prod(shape))
    host = np.full(n_bytes, UNWRITTEN, np.uint8).view(dtype)
    return device.upload(host.reshape(shape))


def nearest_bf16(x):
    """Round float64 to bf16 at once, ties to even; return the bits."""
    fraction, exponent = np.frexp(x)
    rounded = np.ldexp(np.rint(np.ldexp(fraction, 8)), exponent - 8)
    return to_bf16_bits(rounded.astype(np.float32))


def steps_off(host, expected):
    """Count the numbers of bf16 between what was stored and the nearest to float64."""
    places = [
        np.where(bits & SIGN, -(bits & REST), bits & REST)
        for bits in (host.astype(int), nearest_bf16(expected).astype(int))
    ]
    return abs(places[0] - places[1])


def assert_stored(host, expected, rtol=1e-5):
    """Compare with float64: float32 by relative L2, bf16 to one unit in the last place.

    A sum in float32 can end on the other side of the middle between two numbers of
    bf16: then the neighbour of the nearest number is stored, and no further one. Where
    terms cancel, a unit of bf16 can be less than what float32 loses in any order; there
    the error must be within float32's.
    """
    assert host.shape == expected.shape
    got = exact(host)
    assert np.isfinite(got).all(), f"{np.isnan(got).sum()} of {got.size} not written"
    if host.dtype == BF16:
        off = steps_off(host, expected)
        off[abs(got - expected) <= LOST * abs(expected).max()] = 0
        assert off.max() <= 1, f"{off.max()} steps off at {np.argmax(off)}"
    else:
        size = np.linalg.norm(expected)
        error = np.linalg.norm(got - expected) / (size or 1)
        assert error <= rtol, f"relative error {error:.1e}"
