"""Bytes as what they differ in from bytes that are expected.

A patch is a list [skip, removed, inserted, skip, removed, inserted, ...]: of the expected bytes, ``skip`` are taken,
``removed`` are left out, and the byte string ``inserted`` comes instead; what then is left is taken. Empty: nothing
differs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rdzip.formats.carriers.raw.checks import integer, octets, require

JOINED = 3
"""Equal bytes between two differences, up to which these are one."""


def difference(data: bytes, expected: bytes) -> list[Any]:
    """Return the patch that makes ``data`` of ``expected``: of bytes of equal length runs, else all between what is the
    same at both ends.
    """
    if data == expected:
        return []
    shared = min(len(data), len(expected))
    one, two = (np.frombuffer(b, np.uint8) for b in (data, expected))
    if len(data) != len(expected):
        unequal = np.flatnonzero(one[:shared] != two[:shared])
        first = int(unequal[0]) if len(unequal) else shared
        most = shared - first
        unequal = np.flatnonzero(one[len(one) - most :][::-1] != two[len(two) - most :][::-1])
        same = int(unequal[0]) if len(unequal) else most
        return [first, len(expected) - same - first, data[first : len(data) - same]]
    places = np.flatnonzero(one != two)
    breaks = np.flatnonzero(np.diff(places) > JOINED + 1)
    starts, ends = places[np.append(0, breaks + 1)], places[np.append(breaks, len(places) - 1)] + 1
    patch: list[Any] = []
    at = 0
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        patch += [start - at, end - start, data[start:end]]
        at = end
    return patch


def patched(patch: Any, expected: bytes) -> bytes:
    """Return the data that a patch makes of ``expected``; FormatError for what is no patch."""
    patch = patch or []
    require(isinstance(patch, list) and len(patch) % 3 == 0, "a skeleton has no patch")
    parts: list[bytes] = []
    at = 0
    for i in range(0, len(patch), 3):
        skip, removed = integer(patch[i]), integer(patch[i + 1])
        require(at + skip + removed <= len(expected), "a patch reaches beyond what it changes")
        parts += [expected[at : at + skip], octets(patch[i + 2])]
        at += skip + removed
    return b"".join([*parts, expected[at:]])
