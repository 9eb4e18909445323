"""Conversions of integer luma and chroma to red, green and blue, in fixed point. No numpy here.

A matrix is what JFIF, BT.601 and BT.709 state: red = y (Y - black) + red (Cr - 128), green = y (Y - black) +
green_blue (Cb - 128) + green_red (Cr - 128), blue = y (Y - black) + blue (Cb - 128), rounded to nearest.
"""

from __future__ import annotations

from typing import NamedTuple

BITS = 24
"""Bits behind the point of coefficients, but those of `JPEG`."""


class Matrix(NamedTuple):
    """Coefficients in 2**-bits, and what users are told of them.

    - name: what the picture was
    - black: the luma of black
    - y, red, green_blue, green_red, blue: coefficients
    - bits: behind the point
    - forward: luma and chroma from red, green and blue, in 2**-BITS, three rows of three; only encoders use them
    """

    name: str
    black: int
    y: int
    red: int
    green_blue: int
    green_red: int
    blue: int
    bits: int
    forward: tuple[tuple[int, ...], ...]


JPEG_FORWARD = ((5016388, 9848226, 1912603), (-2830919, -5557689, 8388608), (8388608, -7024412, -1364196))
MATRICES = (
    Matrix("BT.601, full range, of a JPEG", 0, 65536, 91881, -22554, -46802, 116130, 16, JPEG_FORWARD),
    Matrix("BT.601, full range", 0, 16777216, 23521657, -5773649, -11981219, 29729227, 24, JPEG_FORWARD),
    Matrix(
        "BT.601, limited range",
        16,
        19535115,
        26776886,
        -6572681,
        -13639334,
        33843539,
        24,
        ((4308192, 8457888, 1642588), (-2486768, -4882049, 7368816), (7368816, -6170464, -1198352)),
    ),
    Matrix(
        "BT.709, limited range",
        16,
        19535115,
        30077204,
        -3577718,
        -8940735,
        35440221,
        24,
        ((3063283, 10305079, 1040306), (-1688522, -5680295, 7368816), (7368816, -6693139, -675678)),
    ),
    Matrix(
        "BT.709, full range",
        0,
        16777216,
        26420760,
        -3142780,
        -7853822,
        31131802,
        24,
        ((3566836, 11999065, 1211315), (-1922201, -6466407, 8388608), (8388608, -7619421, -769187)),
    ),
)
"""By the numbers that files have. 0 is JFIF's in the fixed point of the usual decoder: coefficients of five digits
behind the point, in 2**-16. Of the others coefficients are rounded from the luma coefficients of red and blue (.299,
.114 or .2126, .0722) and the levels of luma and chroma (255, 255 or 219, 224)."""
