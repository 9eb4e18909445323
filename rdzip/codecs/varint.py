"""Small numbers at the head of payloads: LEB128 varints."""

from __future__ import annotations

from collections.abc import Sequence

from rdzip.errors import CoderError, InputError

NUMBER_BITS = 28
"""Bits of a number in a payload: four bytes of seven."""
DAMAGED = "the head of the coded data is damaged: the file is corrupt"


def write_numbers(numbers: Sequence[int]) -> bytes:
    """LEB128 varints, one after the other; InputError unless they are below 2**28."""
    out = bytearray()
    for number in numbers:
        if not 0 <= number < 1 << NUMBER_BITS:
            raise InputError(
                f"expected numbers below {1 << NUMBER_BITS} in coded data, found {number}: code less at once"
            )
        while number > 127:
            out.append(number & 127 | 128)
            number >>= 7
        out.append(number)
    return bytes(out)


def read_numbers(payload: bytes | memoryview, at: int, count: int) -> tuple[list[int], int]:
    """``count`` shortest varints below 2**28 from a position, and the position after them; CoderError for others."""
    numbers = []
    for _ in range(count):
        value = 0
        for shift in range(0, NUMBER_BITS + 7, 7):
            if at >= len(payload) or shift == NUMBER_BITS or (shift and not payload[at]):
                raise CoderError(DAMAGED)
            value |= (payload[at] & 127) << shift
            at += 1
            if payload[at - 1] < 128:
                break
        numbers.append(value)
    return numbers, at
