"""Compute rdzip/entropy/normal_table.bin, upper-tail quantiles of the normal distribution (docs/reference/random.md).

Arithmetic: Python's decimal with 70 digits, correctly rounded, the same everywhere. Without options the table is
written and its SHA-256 printed; with --check it is compared with the stored one. Takes a few seconds.
"""

from __future__ import annotations

import argparse
import hashlib
import struct
import sys
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from pathlib import Path
from statistics import NormalDist

STEP_BITS = 8
TABLE_BITS = 24
DIGITS = 70
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899")
PATH = Path(__file__).resolve().parents[1] / "rdzip" / "entropy" / "normal_table.bin"


def density(z: Decimal) -> Decimal:
    """Standard normal density at z."""
    return (-z * z / 2).exp() / (2 * PI).sqrt()


def upper_tail(z: Decimal) -> Decimal:
    """Probability above z >= 0: 1/2 - density(z) * (z + z**3 / 3 + z**5 / (3 * 5) + ...), all terms positive."""
    term = total = z
    divisor = 1
    while term > Decimal(10) ** -DIGITS:
        divisor += 2
        term = term * z * z / divisor
        total += term
    return Decimal(1) / 2 - density(z) * total


def quantile(tail: Decimal) -> Decimal:
    """The z >= 0 above which there is the probability `tail`, by Newton's method from a float."""
    if tail == Decimal(1) / 2:
        return Decimal(0)
    z = Decimal(-NormalDist().inv_cdf(float(tail)))
    for _ in range(8):
        step = (upper_tail(z) - tail) / density(z)
        z += step
        if abs(step) < Decimal(10) ** -25:  # the next step, its square, is below every digit that counts
            return z
    raise ArithmeticError(f"no convergence at {tail}")


def entries() -> list[int]:
    """The table in integers; each is checked to be far enough from a half for the rounding to be certain."""
    found = []
    for index in range((32 << STEP_BITS) + 1):
        octave, step = divmod(index, 1 << STEP_BITS)
        tail = Decimal((1 << STEP_BITS) + step) * Decimal(2) ** (octave - 33 - STEP_BITS)
        scaled = quantile(tail) * (1 << TABLE_BITS)
        nearest = scaled.to_integral_value(ROUND_HALF_EVEN)
        if abs(abs(scaled - nearest) - Decimal("0.5")) < Decimal(10) ** -12:
            raise ArithmeticError(f"entry {index} is too close to a half to be rounded")
        found.append(int(nearest))
    return found


def main() -> int:
    """Write or check the table; exit status 1 when the stored one differs."""
    parser = argparse.ArgumentParser(description="Compute the table of normal quantiles.")
    parser.add_argument("--check", action="store_true", help="compare with the stored table, write nothing")
    options = parser.parse_args()
    with localcontext() as context:
        context.prec = DIGITS
        values = entries()
    data = struct.pack(f"<{len(values)}i", *values)
    sys.stdout.write(f"{len(values)} entries, sha-256 {hashlib.sha256(data).hexdigest()}\n")
    if options.check:
        same = PATH.read_bytes() == data
        sys.stdout.write("equal to the stored table\n" if same else f"{PATH} differs\n")
        return 0 if same else 1
    PATH.write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
