r"""Numbers of 16 bits with the range of float32: bfloat16, by integer arithmetic.

A bf16 is the upper half of a float32: the sign, all 8 bits of the exponent, and 7 of
the 23 bits of the fraction, so that between :math:`2^e` and :math:`2^{e+1}` there are
128 numbers, :math:`2^{e-7}` apart. NumPy has no such dtype; here the bits are kept as
uint16, as the kernels for a GPU keep them. Chapter 12.
"""

import numpy as np

from identity_edu.backend import array_namespace

HALF = 0x7FFF  # of the last bit that stays, less one
QUIET = 0x0040  # a bit that marks a NaN and survives the cut


def to_bf16_bits(x):
    """Round float32 to bf16: to the nearest number, of two equally near the even one.

    Parameters
    ----------
    x : array of float32

    Returns
    -------
    array of uint16, same shape
        What is larger than all bf16 numbers becomes infinite; NaN stays NaN, and every
        sign stays, that of zero too.

    Raises
    ------
    TypeError
        If `x` is not float32: rounding twice would not always be rounding once.

    Notes
    -----
    Adding just under half of the last bit that stays, and one more where that bit is
    odd, carries exactly where the nearest number is the upper one. A carry out of the
    fraction raises the exponent, as it must.
    """
    xp = array_namespace(x)
    if getattr(x, "dtype", None) != np.float32:
        raise TypeError(f"x must be an array of float32; got {_kind(x)}.")
    bits = x.view(np.uint32)
    is_odd = (bits >> 16) & 1
    rounded = ((bits + is_odd + HALF) >> 16).astype(np.uint16)
    cut = (bits >> 16).astype(np.uint16)
    return xp.where(xp.isnan(x), cut | QUIET, rounded)


def from_bf16_bits(bits):
    """Return the float32 that bf16 bits stand for, exactly.

    Parameters
    ----------
    bits : array of uint16

    Returns
    -------
    array of float32, same shape

    Raises
    ------
    TypeError
        If `bits` is not uint16.
    """
    array_namespace(bits)
    if getattr(bits, "dtype", None) != np.uint16:
        raise TypeError(f"bits must be an array of uint16; got {_kind(bits)}.")
    return (bits.astype(np.uint32) << 16).view(np.float32)


def rounded_to_bf16(x):
    """Replace every number by the nearest one that bf16 has.

    Parameters
    ----------
    x : array of float32

    Returns
    -------
    array of float32, same shape
        Not `x` itself.

    Raises
    ------
    TypeError
        If `x` is not float32.
    """
    return from_bf16_bits(to_bf16_bits(x))


def _kind(x):
    return getattr(x, "dtype", type(x).__name__)
