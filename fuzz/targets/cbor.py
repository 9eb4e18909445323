"""CBOR, and everything that is made of a CBOR value: headers, metadata, indices, names, lengths, origins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from rdzip.errors import RdzipError
from rdzip.formats import archive, cbor, metadata
from rdzip.formats.batch import tables as batch_tables
from rdzip.formats.batch.header import BatchHeader
from rdzip.formats.header import ImageHeader, model_of
from rdzip.hub import origin

CODE = "python"
MAX_LEN = 512
PLAIN: list[Any] = [
    0, 23, 24, 255, 256, 65535, 65536, 1 << 32, (1 << 64) - 1, -1, -(1 << 64), 1.5, True, False, None, b"", b"abc", "",
    "a/b.png", [], [1, [2, [3]]], {}, {0: 1, "a": [b"x"]},
]  # fmt: skip
HEADERS: list[dict[int, Any]] = [
    {0: [3, 4], 2: b"12345678"},
    {0: [3, 4], 1: 4, 2: b"12345678", 4: 2, 5: 2, 6: "GIF"},
    {0: [3, 4], 3: ["photo", b"12345678", 5], 14: b"12345678"},
    {0: [3, 4], 1: 7, 2: b"12345678", 15: [3, 8]},
    {7: 1},
    {0: [9, 3, 4], 7: 2, 9: 4, 10: "<u2", 11: True},
    {0: [1, 3, 4, 3], 3: ["photo", b"12345678", 5], 7: 2, 12: True, 13: 255},
    {0: [2, 3, 4, 3], 7: 2, 8: 1},
    {0: [2, 88], 7: 2, 8: 3},
]
OTHERS: list[Any] = [
    {"png": [[b"tEXt", b"a\0b"], [b"IDAT", b""]], "depth": 2},
    {"tiff": [[270, 2, "a"], [282, 5, [[72, 1]]]], "info": {"dpi": [72.0, 72.0], "exif": b"Exif\0\0"}},
    [["a.png", 14, 70], ["b/c.png", 91, 3]],
    ["a.png", ["b.jpg", "JPEG"]],
    [[3, 0, 2], b"\0\7"],
    ["org/name", b"c" * 20, "a.safetensors", b"h" * 32, 1000],
]
READERS: list[Callable[[Any, bytes], object]] = [
    lambda value, _: ImageHeader.from_map(value).to_map() if isinstance(value, dict) else None,
    lambda value, _: BatchHeader.from_map(value).to_map() if isinstance(value, dict) else None,
    lambda _, data: metadata.info_of(metadata.unpack(data), "L"),
    lambda value, _: archive._members(value, 14, 94),
    lambda value, data: batch_tables.unpack_names(b"\0" + data, len(value) if isinstance(value, list) else 0),
    lambda value, data: batch_tables.unpack_lengths(b"\0" + data, 3),
    lambda value, _: origin.from_list(value),
    lambda value, _: model_of(value),
]


def seeds() -> Iterator[bytes]:
    """Values of every kind, and those that files hold."""
    for value in (*PLAIN, *HEADERS, *OTHERS):
        yield cbor.dumps(value)


def one(data: bytes) -> None:
    """A value has one encoding; whoever reads it refuses it or takes it."""
    value = cbor.loads(data)
    assert cbor.dumps(value) == data, "another encoding of the same value was read"
    for reader in READERS:
        with suppress(RdzipError):
            reader(value, data)
    if isinstance(value, dict):
        with suppress(RdzipError):
            header = ImageHeader.from_map(value)
            assert ImageHeader.from_map(header.to_map()) == header
        with suppress(RdzipError):
            batch = BatchHeader.from_map(value)
            assert BatchHeader.from_map(batch.to_map()) == batch
