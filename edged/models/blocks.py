"""Random weights in valid blocks of ggml's types.

All bits are random save the scales, which are set so that the weights have the deviation asked
for: activations, and with them the logits, stay finite through any number of layers. Layouts are
those of ggml-common.h; a test reads the blocks back.
"""

from __future__ import annotations

import struct
from math import floor, log2
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from edged.models.ggml import TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

# A prime, so that the rows of a tensor filled with one pool again and again differ.
POOL_BLOCKS = 4093
SIZES = MappingProxyType({each.name: (each.block, each.size) for each in TYPES.values()})
_SIGN_EXPONENT = 1.53  # deviation of random signs and mantissas, over their power of two
_F16_BIAS, _WIDE_BIAS = 15, 127  # of exponents; bf16 and f32 have the wide one
_MXFP4_DIVISOR = 2.93  # deviation at an exponent of 127


class _Scale(NamedTuple):
    """Where a block's scale is, a little-endian f16.

    Attributes:
        at: Its offset in bytes.
        divisor: It is the wanted deviation over this; measured on random blocks.
        min_at: Offset of the minimum that is taken off; None where there is none.
        ratio: Minimum over scale, which centres the weights on zero.
    """

    at: int
    divisor: float
    min_at: int | None = None
    ratio: float = 0.0


_SCALES = MappingProxyType(
    {
        "q2_K": _Scale(80, 13.8, 82, 1.5),
        "q3_K": _Scale(108, 43.4),
        "q4_K": _Scale(0, 258, 2, 7.5),
        "q5_K": _Scale(0, 529, 2, 15.5),
        "q6_K": _Scale(208, 1366),
        "q4_0": _Scale(0, 4.6),
        "q4_1": _Scale(0, 4.6, 2, -7.5),
        "q5_0": _Scale(0, 9.2),
        "q5_1": _Scale(0, 9.2, 2, -15.5),
        "q8_0": _Scale(0, 74),
        "iq2_xxs": _Scale(0, 53.3),
        "iq2_xs": _Scale(0, 55.9),
        "iq2_s": _Scale(0, 56.5),
        "iq3_xxs": _Scale(0, 142),
        "iq3_s": _Scale(0, 140),
        "iq4_nl": _Scale(0, 67.4),
        "iq4_xs": _Scale(0, 1246),
    }
)
KINDS = frozenset({*_SCALES, "f32", "f16", "bf16", "mxfp4"})


def nbytes(kind: str, weights: int) -> int:
    """Bytes of so many weights, whole blocks of a type."""
    block, size = SIZES[kind]
    return weights // block * size


def pool(kind: str, deviation: float, source: Callable[[int], bytes]) -> bytes:
    """POOL_BLOCKS blocks.

    Args:
        kind: One of KINDS.
        deviation: Standard deviation of the weights.
        source: Gives as many random bytes as it is asked for.
    """
    _, size = SIZES[kind]
    data = bytearray(source(POOL_BLOCKS * size))
    if kind in _SCALES:
        _scale(data, size, _SCALES[kind], deviation)
    elif kind == "f16":
        _float16(data, floor(log2(deviation / _SIGN_EXPONENT)) + _F16_BIAS)
    elif kind == "mxfp4":
        data[0::size] = bytes([round(log2(deviation / _MXFP4_DIVISOR)) + _WIDE_BIAS]) * POOL_BLOCKS
    else:
        _wide(data, size, floor(log2(deviation / _SIGN_EXPONENT)) + _WIDE_BIAS)
    return bytes(data)


def _scale(data: bytearray, size: int, layout: _Scale, deviation: float) -> None:
    scale = deviation / layout.divisor
    _put(data, size, layout.at, scale)
    if layout.min_at is not None:
        _put(data, size, layout.min_at, scale * layout.ratio)


def _put(data: bytearray, size: int, at: int, value: float) -> None:
    for byte, number in enumerate(struct.pack("<e", value)):
        data[at + byte :: size] = bytes([number]) * POOL_BLOCKS


def _float16(data: bytearray, exponent: int) -> None:
    """Random signs and mantissas: the upper byte is sign, 5 bits of exponent, 2 of mantissa."""
    table = bytes(byte & 0b1000_0011 | exponent << 2 for byte in range(256))
    data[1::2] = data[1::2].translate(table)


def _wide(data: bytearray, size: int, exponent: int) -> None:
    """The same for 8 bits of exponent, over the two upper bytes."""
    high = bytes(byte & 0b1000_0000 | exponent >> 1 for byte in range(256))
    low = bytes(byte & 0b0111_1111 | exponent << 7 & 0x80 for byte in range(256))
    data[size - 1 :: size] = data[size - 1 :: size].translate(high)
    data[size - 2 :: size] = data[size - 2 :: size].translate(low)
