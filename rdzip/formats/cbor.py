"""The part of CBOR (RFC 8949) that .rdz headers use: definite lengths, integers below 2**64, bytes, text, arrays, maps,
false, true, null, float64.

A general decoder builds dates, big numbers, regular expressions and shared references out of hostile bytes; this one
builds nothing but plain
values, checks each length against the bytes that are there, limits the nesting and the number of values (a list of
nothing is a byte, and takes 64 in memory), and refuses every encoding but the shortest, so that a value has exactly one
form.
"""

from __future__ import annotations

import struct
from typing import Any

from rdzip.errors import FormatError

MAX_DEPTH = 8
MAX_VALUES = 1 << 18
"""Values in one, itself and those within counted, unless told otherwise."""


def dumps(value: Any) -> bytes:
    """Return the one encoding of `value` (int, float, bytes, str, bool, None, list, tuple, dict of int or str)."""
    out = bytearray()
    _write(out, value, 0)
    return bytes(out)


def loads(data: bytes, most: int = MAX_VALUES) -> Any:
    """Return the value that `data` encodes; FormatError if it is not one whole value of this subset in its shortest
    form, or has more than `most` values in it.
    """
    value, end = _Reader(data, most).read(0, 0)
    if end != len(data):
        raise FormatError(f"header is inconsistent: {len(data) - end} bytes follow its value; the file is corrupt")
    return value


def _head(out: bytearray, major: int, count: int) -> None:
    if count < 24:
        out.append(major << 5 | count)
        return
    for code, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if count < 1 << 8 * size:
            out.append(major << 5 | code)
            out += count.to_bytes(size, "big")
            return
    raise ValueError(f"expected an integer below 2**64, found {count}")


def _write(out: bytearray, value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError(f"expected at most {MAX_DEPTH} levels of nesting")
    if isinstance(value, bool) or value is None:
        out.append({False: 0xF4, True: 0xF5, None: 0xF6}[value])
    elif isinstance(value, int):
        _head(out, *((0, value) if value >= 0 else (1, -1 - value)))
    elif isinstance(value, float):
        out += b"\xfb" + struct.pack(">d", value)
    elif isinstance(value, bytes | bytearray | memoryview):
        _head(out, 2, len(value))
        out += value
    elif isinstance(value, str):
        text = value.encode("utf-8", "surrogateescape")
        _head(out, 3, len(text))
        out += text
    elif isinstance(value, list | tuple):
        _head(out, 4, len(value))
        for item in value:
            _write(out, item, depth + 1)
    elif isinstance(value, dict):
        _head(out, 5, len(value))
        for key, item in value.items():
            _write(out, key, depth + 1)
            _write(out, item, depth + 1)
    else:
        raise TypeError(f"expected a plain value, found {type(value).__name__}")


def _corrupt(what: str) -> FormatError:
    return FormatError(f"header is inconsistent: {what}; the file is corrupt")


class _Reader:
    """Values at positions of some bytes, `left` of them at most."""

    def __init__(self, data: bytes, left: int) -> None:
        self._data, self._left = data, left

    def read(self, at: int, depth: int) -> tuple[Any, int]:
        """Return (value at `at`, position after it); depth: of nesting."""
        if depth > MAX_DEPTH:
            raise _corrupt(f"more than {MAX_DEPTH} levels of nesting")
        self._left -= 1
        if self._left < 0:
            raise _corrupt("more values than its length allows")
        first = self._take(at, 1)[0]
        at += 1
        major, low = first >> 5, first & 31
        if major == 7:
            return self._simple(at, low)
        count = low
        if low >= 24:
            if low > 27:
                raise _corrupt("an indefinite or reserved length")
            size = 1 << (low - 24)
            count = int.from_bytes(self._take(at, size), "big")
            at += size
            if count < (24 if low == 24 else 1 << 4 * size):
                raise _corrupt("a number that is not in its shortest form")
        if major == 0:
            return count, at
        if major == 1:
            return -1 - count, at
        if major == 2:
            return self._take(at, count), at + count
        if major == 3:
            try:
                return self._take(at, count).decode("utf-8", "surrogateescape"), at + count
            except UnicodeDecodeError as error:
                raise _corrupt("text that is not UTF-8") from error
        if count > min(len(self._data) - at, self._left):
            raise _corrupt("an array or map longer than the header")
        if major == 4:
            items = []
            for _ in range(count):
                item, at = self.read(at, depth + 1)
                items.append(item)
            return items, at
        if major == 5:
            return self._map(at, count, depth)
        raise _corrupt("a tagged value")

    def _take(self, at: int, size: int) -> bytes:
        if size > len(self._data) - at:
            raise _corrupt("a value reaches beyond its end")
        return self._data[at : at + size]

    def _simple(self, at: int, low: int) -> tuple[Any, int]:
        if low == 27:
            return struct.unpack(">d", self._take(at, 8))[0], at + 8
        if low not in (20, 21, 22):
            raise _corrupt("a simple value that the format does not use")
        return {20: False, 21: True, 22: None}[low], at

    def _map(self, at: int, count: int, depth: int) -> tuple[dict[Any, Any], int]:
        result: dict[Any, Any] = {}
        for _ in range(count):
            key, at = self.read(at, depth + 1)
            if not isinstance(key, int | str) or isinstance(key, bool):
                raise _corrupt("a map key that is neither an integer nor text")
            if key in result:
                raise _corrupt("a map key that occurs twice")
            result[key], at = self.read(at, depth + 1)
        return result, at


def count(value: Any) -> int:
    """Return how many values there are in `value`, itself and those within counted."""
    if isinstance(value, list | tuple):
        return 1 + sum(map(count, value))
    if isinstance(value, dict):
        return 1 + len(value) + sum(map(count, value.values()))
    return 1
