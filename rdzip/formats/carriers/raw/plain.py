"""Samples as decimal numbers in text, where the white space between them is regular.

A layout is [numbers in a line, white space after each but the last of a line, white space after a line, white space
after the last, places to which numbers are filled up with spaces, white space before the first]. Left out or 0 at the
end: nothing; numbers in a line 0: as many as a row has. White space between or after a line: 0 for the usual (a space,
a line feed), 1 for none.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.formats.carriers.carrier import NotCarriedError
from rdzip.formats.carriers.raw.checks import fields, integer, octets, require, shortened

WHITE = b" \t\n\v\f\r"
DIGITS = 5
SPACES = re.compile(rb"[ \t\n\v\f\r]*")
MOST = 64
"""Bytes of white space between two numbers."""


def read(
    data: bytes, at: int, shape: tuple[int, int], maxval: int, *, bits: bool = False
) -> tuple[NDArray[np.uint16], list[Any], int]:
    """Return numbers [rows, numbers of a row], their layout, and where the text ends.

    - data, at: the file, and where the text begins
    - shape: rows, and numbers of a row
    - maxval: the largest number that may be
    - bits: whether each digit is a number

    NotCarriedError where the layout is not regular.
    """
    row, count = shape[1], shape[0] * shape[1]
    if count > len(data) - at:
        raise NotCarriedError("its samples are cut short")
    text = np.frombuffer(data, np.uint8, offset=at)
    digit = (text >= 48) & (text <= 57)
    white = np.isin(text, np.frombuffer(WHITE, np.uint8))
    foreign = np.flatnonzero(~(digit | white))
    end = int(foreign[0]) if len(foreign) else len(text)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], digit[:end], [False]])))
    starts, ends = edges[::2], edges[1::2]
    if bits:
        starts = np.flatnonzero(digit[:end])
        ends = starts + 1
    if len(starts) < count:
        raise NotCarriedError("its plain samples are cut short, or have comments")
    starts, ends = starts[:count], ends[:count]
    if int((ends - starts).max()) > DIGITS:
        raise NotCarriedError("its plain samples have too many digits")
    numbers = np.zeros(count, np.int64)
    for i in range(DIGITS):
        here = starts + i < ends
        numbers[here] = 10 * numbers[here] + text[starts[here] + i] - 48
    if int(numbers.max()) > maxval:
        raise NotCarriedError("its plain samples go beyond its maxval")
    samples = numbers.astype(np.uint16).reshape(shape)
    after = SPACES.match(data, at + int(ends[-1]))
    stop = after.end() if after else at + int(ends[-1])
    lines = data.find(b"\n", at + int(starts[0]), stop)
    first = int(np.searchsorted(starts, lines - at)) if lines >= 0 else count
    for filled in (False, True):
        layout = _layout(data, at, (starts, ends), min(max(1, first), count), row, stop, filled)
        if write(samples, maxval, layout) == data[at:stop]:
            return samples, layout, stop
    raise NotCarriedError("its plain samples are not laid out regularly")


def _layout(
    data: bytes, at: int, words: tuple[NDArray[Any], NDArray[Any]], line: int, row: int, stop: int, filled: bool
) -> list[Any]:
    """The layout that the first line has.

    data, at: the text, from there on. words: where the numbers start and end. line: numbers of the first line. row:
    numbers of a row. stop: where the text ends. filled: whether numbers are filled up to the same places.
    """
    starts, ends = words
    count = len(starts)
    lengths = ends - starts
    places = int(ends[1] - ends[0]) - 1 if filled and line > 1 else 0
    gap = data[at + int(ends[0]) : at + int(starts[1])] if line > 1 else b" "
    between = b" " if places else gap
    ending = data[at + int(ends[line - 1]) : at + int(starts[line])] if line < count else b"\n"
    lead = data[at : at + int(starts[0])]
    if places:
        own = data[at + int(starts[line]) : at + int(ends[line])] if line < count else b""
        ending = ending[: len(ending) - max(0, places - len(own))] if own else ending
        lead = lead[: len(lead) - max(0, places - int(lengths[0]))]
    last = data[at + int(ends[-1]) : stop]
    if max(len(between), len(ending), len(lead), len(last)) > MOST:
        raise NotCarriedError("its plain samples have much white space")
    return shortened(
        [
            0 if line == min(row, count) else line,
            0 if between == b" " else between or 1,
            0 if ending == b"\n" else ending or 1,
            last,
            places,
            lead,
        ]
    )


def write(samples: NDArray[Any], maxval: int, layout: Any) -> bytes:
    """Return the text of samples [rows, numbers of a row]; FormatError for what is no layout."""
    line, between, ending, last, places, lead = fields(layout or [], 6)
    count = samples.size
    line = integer(line) or samples.shape[1]
    places = integer(places, DIGITS + MOST)
    gap, end = (
        usual if given == 0 else b"" if given == 1 else octets(given)
        for given, usual in ((between, b" "), (ending, b"\n"))
    )
    lead, last = octets(lead or b""), octets(last or b"")
    require(max(len(gap), len(end), len(lead), len(last)) <= MOST, "a layout has much white space")
    require(int(samples.max()) <= maxval, "a picture has samples beyond its maxval")
    table = [str(i).rjust(places).encode() for i in range(int(samples.max()) + 1)]
    words = [table[i] for i in samples.ravel().tolist()]
    text = end.join(gap.join(words[i : i + line]) for i in range(0, count, line))
    return lead + text + last
