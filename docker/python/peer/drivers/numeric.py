"""`numeric` on the wire: a value in PostgreSQL's binary format, looked up where it was met before.

Source of the format: `numeric_send` in PostgreSQL's `utils/adt/numeric.c`: four 16-bit fields (digits, weight of the
first, sign, decimals shown), then digits in base 10,000.
"""

import struct
from decimal import Decimal

_MOST = 100_000
_NEGATIVE = 0x4000


def encode(value: int | Decimal) -> bytes:
    """An int, or a Decimal of at most two decimals."""
    in_hundredths = int(value * 100)
    whole, fraction = divmod(abs(in_hundredths), 100)
    digits = []
    while whole:
        whole, digit = divmod(whole, 10_000)
        digits.insert(0, digit)
    weight = len(digits) - 1
    if fraction:
        digits.append(fraction * 100)  # the first digit behind the point counts ten-thousandths
    sign = _NEGATIVE if in_hundredths < 0 else 0
    return struct.pack(f">HhHH{len(digits)}H", len(digits), weight, sign, 2, *digits)


class Numerics(dict[int | Decimal, bytes]):
    """Encodes by looking up, in C, what was encoded before."""

    def __missing__(self, value: int | Decimal) -> bytes:
        encoded = encode(value)
        if len(self) < _MOST:
            self[value] = encoded
        return encoded
