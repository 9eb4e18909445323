"""Batches that lie or are damaged are refused in one line, and take no memory."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest
from helpers.latent_stub import some

import rdzip
from rdzip import hub
from rdzip.errors import FormatError, RdzipError
from rdzip.formats import container
from rdzip.formats.batch.items import of_pictures
from rdzip.formats.batch.tables import pack_lengths, pack_names, unpack_lengths
from rdzip.formats.container import Section, SectionType
from rdzip.formats.images.picture import Picture
from rdzip.pipeline.batch_compress import compress_batch
from rdzip.pipeline.batch_decompress import decompress_batch
from rdzip.pipeline.request import Compute, Request

pytestmark = pytest.mark.usefixtures("stubbed")


def packed(header: dict[int, Any], *sections: tuple[SectionType, bytes]) -> bytes:
    return container.pack(header, [Section(kind, body) for kind, body in sections])


def chain_parts(data: bytes) -> tuple[dict[int, Any], list[tuple[SectionType, bytes]]]:
    parsed = container.unpack(data)
    header: Any = parsed.header
    return header, [(SectionType(section.type), bytes(section.body)) for section in parsed.sections]


@pytest.mark.parametrize(
    "change",
    [
        {0: [11, 6, 7]}, {0: [10, 6, 8]}, {0: [10, 7, 6]}, {0: [10, 6]}, {0: [0, 6, 7]}, {0: [10, 6, 7, 5]}, {0: None},
        {0: [1 << 30, 6, 7]}, {0: [10, 6, 7], 9: 2}, {9: 0}, {9: 11}, {9: "x"}, {8: 1}, {8: 2}, {8: 9}, {10: "|O"},
        {10: "<u2"}, {10: 3}, {11: 1}, {12: True}, {13: 2}, {13: 255}, {1: 2}, {7: 3}, {7: 1}, {20: 0}, {3: None},
        {3: ["grey", bytes(8), 5]}, {3: ["grey", b"short", 5]}, {2: bytes(8)},
    ],
)  # fmt: skip
def test_headers_that_lie(grey: str, change: dict[int, Any]) -> None:
    header, sections = chain_parts(rdzip.compress(some((10, 6, 7)), model=grey, segment=4))
    header = {key: value for key, value in {**header, **change}.items() if value is not None}
    bad = packed(header, *sections)
    with pytest.raises(RdzipError) as caught:
        decompress_batch(bad)
    assert "\n" not in str(caught.value)


def test_segments_that_lie(grey: str) -> None:
    header, sections = chain_parts(rdzip.compress(some((10, 6, 7)), model=grey, segment=4))
    body = sections[0][1]
    bad = [
        sections[:2],
        [*sections, sections[0]],
        [sections[2], *sections[:2]],
        [sections[1], sections[0], sections[2]],
        [(SectionType.CHAIN, body[:8]), *sections[1:]],
        [(SectionType.CHAIN, b""), *sections[1:]],
        [(SectionType.CHAIN, body[:-1]), *sections[1:]],
        [(SectionType.CHAIN, bytes(8) + body[8:]), *sections[1:]],
        [(SectionType.CHAIN, body[:8] + b"\x63" + body[9:]), *sections[1:]],
        [(SectionType.CHAIN, body[:9] + b"\x00" + body[10:]), *sections[1:]],
        [(SectionType.MEMBER, body), *sections[1:]],
        [*sections, (SectionType.NAMES, pack_names(["a"] * 1, ["PNG"]))],
        [*sections, (SectionType.SEQUENCES, pack_lengths([1] * 10, "<i8"))],
        [*sections, (SectionType.COLOUR, b"\0\0")],
    ]
    for parts in bad:
        with pytest.raises(FormatError) as caught:
            decompress_batch(packed(header, *parts))
        assert "\n" not in str(caught.value)


def test_huge_claims_take_no_memory(grey: str) -> None:
    header, sections = chain_parts(rdzip.compress(some((10, 6, 7)), model=grey))
    for shape, segment in (([1 << 31 - 1, 6, 7], None), ([1 << 22, 8, 8], None), ([1 << 28, 1, 1], 1)):
        lie = {**header, 0: shape, **({9: segment} if segment else {})}
        with pytest.raises(FormatError):
            decompress_batch(packed(lie, *sections))
        with pytest.raises(FormatError):
            decompress_batch(packed(lie, *sections), Compute(max_pixels=1000))
    with pytest.raises(FormatError, match="at most 419 are allowed"):
        decompress_batch(packed(header, *sections), Compute(max_pixels=419))
    decompress_batch(packed(header, *sections), Compute(max_pixels=420))


@pytest.mark.parametrize("lengths", [[3, 1], [3, 1, 8], [0, 0, 0], [3, 0, 8], [3, 1, 1 << 40], "x", [3, 7, 1]])
def test_lengths_that_lie(rolls: str, lengths: Any) -> None:
    data = rdzip.compress([some((n, 5), 2) for n in (3, 1, 7)], model=rolls)
    header, sections = chain_parts(data)
    sections[0] = (SectionType.SEQUENCES, pack_lengths(lengths, "<i8"))
    with pytest.raises(FormatError):
        decompress_batch(packed(header, *sections))


@pytest.mark.parametrize("kind", ["", "<f8", "i8", 7, None, [], b"<i8"])
def test_types_of_lengths_that_lie(kind: Any) -> None:
    with pytest.raises(FormatError, match="the type of lengths"):
        unpack_lengths(pack_lengths([3, 1], kind), 2)


@pytest.mark.parametrize(("kind", "most"), [("|i1", 127), ("|u1", 255), ("<i2", 32767), ("<i8", (1 << 31) - 1)])
def test_lengths_fit_their_type(kind: str, most: int) -> None:
    assert unpack_lengths(pack_lengths([0, most], kind), 2) == ([0, most], kind)
    with pytest.raises(FormatError, match="lengths of sequences"):
        unpack_lengths(pack_lengths([0, most + 1], kind), 2)


@pytest.mark.parametrize("names", [["a", "b"], ["a", "b", "../c"], ["a", "b", "B"], ["a", "b", 3], ["a", "b", ["c"]]])
def test_names_that_lie(colour: str, names: list[Any]) -> None:
    from rdzip.formats import cbor
    from rdzip.formats.packing import pack_bytes

    pictures = [(f"{i}.png", Picture(some((5, 6, 3), seed=i), "RGB")) for i in range(3)]
    header, sections = chain_parts(compress_batch(of_pictures(pictures), Request(model=colour)).data)
    assert sections[0][0] == SectionType.NAMES
    sections[0] = (SectionType.NAMES, pack_bytes(cbor.dumps(names)))
    with pytest.raises(FormatError):
        decompress_batch(packed(header, *sections))


def test_models_and_payloads_that_do_not_fit(grey: str, colour: str) -> None:
    header, sections = chain_parts(rdzip.compress(some((10, 6, 7)), model=grey))
    with pytest.raises(FormatError, match="archive"):
        rdzip.decompress_array(container.pack({7: 1}, []))
    rdzip.compress(some((2, 4, 5, 3)), model=colour)
    other, _ = chain_parts(rdzip.compress(some((2, 4, 5, 3)), model=colour))
    with pytest.raises(FormatError, match="expected items of"):
        decompress_batch(packed({**header, 3: other[3]}, *sections))
    with pytest.raises(FormatError, match="has no latents"):
        decompress_batch(packed({**header, 3: ["photo", bytes.fromhex(hub.resolve("photo").sha256)[:8], 5]}, *sections))


@pytest.mark.parametrize("kind", ["chain", "pictures", "sequences", "images"])
def test_every_damage_is_refused_or_harmless(grey: str, rolls: str, colour: str, kind: str) -> None:
    if kind == "chain":
        data = rdzip.compress(some((3, 6, 7), 3), model=grey, segment=2)
    elif kind == "pictures":
        data = rdzip.compress(some((3, 6, 7), 3), codec="classic")
    elif kind == "sequences":
        data = rdzip.compress([some((n, 5), 2) for n in (3, 1)], model=rolls)
    else:
        pictures = [(f"{i}.png", Picture(some((5, 6, 3), 2, seed=i), "RGB")) for i in range(2)]
        data = compress_batch(of_pictures(pictures), Request(model=colour)).data
    good = decompress_batch(data).batch.samples
    for at in range(len(data)):
        for bad in (data[:at], data[:at] + bytes([data[at] ^ 0x5A]) + data[at + 1 :]):
            with contextlib.suppress(RdzipError):
                assert rdzip.info(bad)["kind"] == "batch"
            try:
                found = decompress_batch(bad).batch
            except RdzipError:
                continue
            assert np.array_equal(found.samples, good)


@pytest.mark.parametrize("kind", ["chain", "sequences", "images"])
def test_damage_behind_the_checksums_is_refused(grey: str, rolls: str, colour: str, kind: str) -> None:
    """Sections are changed and get sound checksums, as a hostile writer would give them."""
    rng = np.random.default_rng(0)
    if kind == "chain":
        data = rdzip.compress(some((3, 6, 7), 3), model=grey, segment=2)
    elif kind == "sequences":
        data = rdzip.compress([some((n, 5), 2) for n in (3, 1)], model=rolls)
    else:
        pictures = [(f"{i}.png", Picture(some((5, 6, 3), 2, seed=i), "RGB")) for i in range(2)]
        data = compress_batch(of_pictures(pictures), Request(model=colour)).data
    header, sections = chain_parts(data)
    good = decompress_batch(data).batch.samples
    for _ in range(300):
        number = int(rng.integers(len(sections)))
        body = bytearray(sections[number][1])
        body[int(rng.integers(len(body)))] ^= int(rng.integers(1, 256))
        parts = [*sections]
        parts[number] = (
            sections[number][0],
            bytes(body[: int(rng.integers(len(body) + 1))] if rng.random() < 0.3 else body),
        )
        try:
            found = decompress_batch(packed(header, *parts)).batch
        except FormatError:
            continue
        assert np.array_equal(found.samples, good)
