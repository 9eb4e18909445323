"""Packed bytes: both forms of the same bytes are read, and nothing else."""

from __future__ import annotations

import lzma

import pytest

from rdzip.errors import FormatError
from rdzip.formats import packing
from rdzip.formats.container import write_varint


@pytest.mark.parametrize("data", [b"", b"a", bytes(300), bytes(range(256))])
def test_both_forms(data: bytes) -> None:
    stream = lzma.compress(data, lzma.FORMAT_RAW, filters=packing._FILTERS)
    coded = b"\1" + write_varint(len(data)) + stream
    assert packing.unpack_bytes(b"\0" + data) == packing.unpack_bytes(coded) == data
    assert packing.unpack_bytes(packing.pack_bytes(data)) == data
    wrong = [b"", b"\2" + data, coded[:-1], coded + b"\0", b"\1" + write_varint(len(data) + 1) + stream]
    for body in [*wrong, b"\1" + write_varint(max(len(data) - 1, 0)) + stream] if data else wrong:
        with pytest.raises(FormatError):
            packing.unpack_bytes(body)
