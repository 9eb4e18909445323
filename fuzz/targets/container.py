"""Containers, archives and their index, packed sections: everything of a file that is read without a codec."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress

from helpers.packed import pack_archive

import rdzip
from fuzz import seal
from fuzz.targets import cbor as values
from rdzip.errors import RdzipError
from rdzip.formats import cbor, container, packing
from rdzip.formats.archive import Archive
from rdzip.formats.container import Section

CODE = "python"
MAX_LEN = 2048
RAW = b"\0\0"
"""Codec and layout of raw samples."""


def image(pixels: bytes = bytes(12)) -> bytes:
    """A small file."""
    return container.pack({0: [3, 4], 1: 2, 2: b"12345678"}, [Section(1, RAW + pixels)])


def seeds() -> Iterator[bytes]:
    """Files of every kind of section, archives, archives in archives."""
    for header in values.HEADERS:
        yield container.pack(header, [Section(1, RAW + bytes(12)), Section(200, b"unknown")])
    packed = [packing.pack_bytes(cbor.dumps(value)) for value in values.OTHERS]
    sections = [Section(kind, body) for kind, body in zip((4, 4, 6, 9, 10), packed, strict=False)]
    yield container.pack(values.HEADERS[1], [Section(3, b"\3" + packing.pack_bytes(bytes(range(48)))), *sections])
    yield container.pack({0: [3, 4], 2: bytes(8)}, [Section(4, packing.pack_bytes(cbor.dumps({"a": bytes(999)})))])
    batch = {0: [2, 3, 4], 1: 2, 7: 2, 8: 1, 9: 1}
    yield container.pack(batch, [Section(9, packed[3]), Section(5, image()), Section(5, image())])
    reference = ["tiny", b"12345678", 5]
    chain = bytes(8) + bytes.fromhex("010100000a0001010100000001")
    yield container.pack(
        {0: [2, 6, 7], 3: reference, 7: 2}, [Section(8, chain), Section(128, cbor.dumps(values.OTHERS[5]))]
    )
    yield container.pack({0: [2, 88], 3: reference, 7: 2, 8: 2}, [Section(8, chain), Section(10, packed[4])])
    yield container.pack(
        {0: [9, 9], 3: reference, 14: b"12345678"}, [Section(1, bytes.fromhex("03010a1401010100000001"))]
    )
    yield container.pack(
        {0: [9, 9], 3: reference, 2: b"12345678"}, [Section(1, bytes.fromhex("020140000000010100000a00010101"))]
    )
    archive = pack_archive([("a.png", image()), ("b/c.png", image(b"x" * 12))])
    yield archive
    yield pack_archive([("x.rdz", archive), *((f"{i}.png", image()) for i in range(6))])


def mutate(data: bytes, max_size: int, seed: int, mutate: seal.Mutate) -> bytes:
    """Of a file's parts."""
    return seal.mutate_rdz(data, max_size, seed, mutate)


def one(data: bytes) -> None:
    """All that looks at a file without decoding it."""
    if len(data) % 8:
        data = seal.seal(data)
    with suppress(RdzipError):
        rdzip.info(data)
    with suppress(RdzipError):
        archive = Archive(io.BytesIO(data))
        for name in archive.names:
            with suppress(RdzipError):
                rdzip.info(archive.read(name))
    parsed = container.unpack(data)
    if len(container.pack(parsed.header, parsed.sections)) == len(data):
        assert container.pack(parsed.header, parsed.sections) == data, "another encoding of the same file was read"
    for section in parsed.sections:
        with suppress(RdzipError):
            plain = packing.unpack_bytes(section.body)
            assert packing.unpack_bytes(packing.pack_bytes(plain)) == plain
