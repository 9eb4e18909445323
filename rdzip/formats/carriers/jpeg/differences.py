"""Patches of entropy-coded data: intervals between restart markers, each with its own differences."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Any

from rdzip.formats.carriers.raw.patches import difference

MOST_INTERVALS = 2000
"""Intervals between the first and the last difference, up to which these are compared with each other."""
COST = 8
"""Bytes of a skeleton that a difference takes, about, besides those that it inserts."""
_MARKERS = re.compile(rb"(?=\xff[\xd0-\xd7])")


def inserted(patch: list[Any]) -> int:
    """Return about how many bytes a patch takes."""
    return sum(len(part) + COST for part in patch[2::3])


def shortest(data: bytes, expected: bytes) -> list[Any]:
    """Return the shortest patch that is found to make the data of expected ones."""
    plain = difference(data, expected)
    if inserted(plain) <= 64:
        return plain
    return min(plain, _by_intervals(_MARKERS.split(data), _MARKERS.split(expected)), key=inserted)


def _by_intervals(data: list[bytes], expected: list[bytes]) -> list[Any]:
    """Return the patch of intervals, each of which begins with its marker."""
    patch = _Patch()
    if len(data) == len(expected):
        for one, other in zip(data, expected, strict=True):
            patch.add(difference(one, other), len(other))
        return patch.steps
    first = 0
    while first < min(len(data), len(expected)) and data[first] == expected[first]:
        first += 1
    same = 0
    while same < min(len(data), len(expected)) - first and data[-1 - same] == expected[-1 - same]:
        same += 1
    patch.add([], sum(map(len, expected[:first])))
    ours, theirs = data[first : len(data) - same], expected[first : len(expected) - same]
    if max(len(ours), len(theirs)) > MOST_INTERVALS:
        patch.add(difference(b"".join(ours), b"".join(theirs)), sum(map(len, theirs)))
        return patch.steps
    # Numbers of markers may differ, so that bytes behind them count.
    matcher = SequenceMatcher(None, [one[2:] for one in theirs], [one[2:] for one in ours], autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            for one, other in zip(ours[c:d], theirs[a:b], strict=True):
                patch.add(difference(one, other), len(other))
        else:
            before, after = b"".join(theirs[a:b]), b"".join(ours[c:d])
            patch.add(difference(after, before), len(before))
    return patch.steps


class _Patch:
    """A patch, part by part."""

    def __init__(self) -> None:
        self.steps: list[Any] = []
        self.skipped = 0

    def add(self, part: list[Any], length: int) -> None:
        """Add the patch of the next bytes that are expected, and how many these are."""
        used = 0
        for skip, removed, bytes_in in zip(part[::3], part[1::3], part[2::3], strict=True):
            self.steps += [self.skipped + skip, removed, bytes_in]
            self.skipped, used = 0, used + skip + removed
        self.skipped += length - used
