"""Files through carriers: groups of pictures, what is chosen, damage, and what Python gives."""

from __future__ import annotations

import io
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import rdzip
from rdzip.errors import FormatError, InputError
from rdzip.formats import container
from rdzip.formats.carriers import carrier as carriers
from rdzip.formats.carriers import table
from rdzip.formats.carriers.carrier import NotCarriedError, Opened, Row
from rdzip.formats.container import Section, SectionType
from rdzip.formats.images.picture import Picture, from_array
from rdzip.pipeline.file import compress_file, groups, stacked, unstacked
from rdzip.pipeline.request import Request
from rdzip.pipeline.restore import outline

EXACT = Request(effort=1)


def pages(*shapes: tuple[int, ...]) -> bytes:
    """A file of the format that `toy` carries: pages of bytes."""
    rng = np.random.default_rng(3)
    parts = [b"TOY"]
    for shape in shapes:
        parts += [bytes(shape), rng.integers(0, 40, shape, dtype=np.uint8).tobytes()]
    return b"".join(parts)


def open_toy(data: bytes) -> Opened:
    found, at = [], 3
    while at < len(data):
        shape = tuple(data[at : at + 2])
        size = shape[0] * shape[1]
        found.append(from_array(np.frombuffer(data[at + 2 : at + 2 + size], np.uint8).reshape(shape)))
        at += 2 + size
    if data[-1] == 255:
        raise NotCarriedError("it ends in 255")
    return Opened(found, len(found))


def close_toy(pictures: Sequence[Picture], skeleton: Any) -> bytes:
    if skeleton != len(pictures):
        raise FormatError("header is inconsistent: pages")
    return b"TOY" + b"".join(bytes(one.shape) + one.samples.tobytes() for one in pictures)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Row:
    """A carrier of pages, for the time of a test."""
    row = Row(77, "toy", ".toy", "toy", lambda start: start[:3] == b"TOY")
    module, imported = SimpleNamespace(open=open_toy, close=close_toy), carriers.import_module
    monkeypatch.setattr(carriers, "import_module", lambda name: module if name == "toy" else imported(name))
    monkeypatch.setitem(table.CARRIERS, 77, row)
    return row


@pytest.mark.parametrize(
    "shapes", [[(5, 7)], [(5, 7)] * 3, [(5, 7), (5, 7), (9, 2), (5, 7)], [(1, 1), (1, 2)]], ids=str
)
def test_pages_come_back(toy: Row, shapes: list[tuple[int, ...]]) -> None:
    data = pages(*shapes)
    done = compress_file(data, EXACT)
    assert done.report.returned is not None
    if done.report.returned.carrier == "toy":  # else its bytes alone are shorter
        assert rdzip.info(done.data)["carrier"] == "toy"
    assert rdzip.restore(done.data) == data


def test_groups(toy: Row) -> None:
    data = pages((30, 40), (30, 40), (20, 60), (20, 60), (20, 60), (30, 40))
    done = compress_file(data, Request(codec="classic"))
    facts = rdzip.info(done.data)
    assert (facts["kind"], facts["groups"], facts["exact"]) == ("file", [2, 3, 1], "file")
    assert rdzip.restore(done.data) == data
    assert outline(done.data).pictures[3].shape == (20, 60)
    with pytest.raises(FormatError, match="3 pictures have 7200 pixels, at most 7199 are"):
        rdzip.restore(done.data, max_pixels=7199)
    assert rdzip.restore(done.data, max_pixels=7200) == data
    with pytest.raises(InputError, match="pictures of one shape"):
        rdzip.decompress_array(done.data)
    same = compress_file(pages((30, 40), (30, 40)), Request(codec="classic"))
    assert rdzip.info(same.data)["kind"] == "image"
    assert rdzip.decompress_array(same.data).shape == (2, 30, 40)
    assert [image.size for image in rdzip.decompress(same.data)] == [(40, 30), (40, 30)]


def test_stacks() -> None:
    pictures = [from_array(np.full((2, 3), n, np.uint8)) for n in range(4)]
    (group,) = groups(pictures)
    back = unstacked(stacked(group), 4)
    assert all(np.array_equal(one.samples, other.samples) for one, other in zip(pictures, back, strict=True))
    with pytest.raises(FormatError, match="3 pictures in 8 rows"):
        unstacked(stacked(group), 3)


def test_what_no_carrier_makes_again(toy: Row) -> None:
    data = pages((30, 40))[:-1] + b"\xff"
    done = compress_file(data, EXACT)
    assert done.report.returned is not None
    assert (done.report.codec, done.report.returned.carrier) == ("bytes", "bytes")
    assert rdzip.restore(done.data) == data


def test_a_carrier_that_closes_otherwise_costs_bytes_only(toy: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    data = pages((30, 40), (20, 60))
    monkeypatch.setattr(Row, "close", lambda self, pictures, skeleton: b"something else")
    done = compress_file(data, Request())
    assert done.report.returned is not None
    assert done.report.returned.carrier == "bytes"
    monkeypatch.undo()
    assert rdzip.restore(done.data) == data


def test_bytes_are_never_much_larger() -> None:
    rng = np.random.default_rng(0)
    for data in (b"", b"x", bytes(1000), rng.bytes(100), rng.bytes(1 << 20), b"ab" * 400_000):
        packed = rdzip.compress(data)
        assert len(packed) <= len(data) + 64
        assert rdzip.restore(packed) == data
    assert len(packed) < 1000


def test_damage_is_noticed(toy: Row) -> None:
    packed = compress_file(pages((30, 40), (20, 60)), Request(codec="classic")).data
    parsed = container.unpack(packed)
    skeleton, first, second = parsed.sections
    assert skeleton.type == SectionType.SKELETON
    broken = [
        [first, second],
        [skeleton, first],
        [skeleton, second, first],
        [Section(11, bytes(skeleton.body)[:3]), first, second],
        [Section(11, b""), first, second],
        [Section(11, b"\x7c" + bytes(skeleton.body)[1:]), first, second],
        [Section(11, bytes(skeleton.body)[:-1] + b"\x05"), first, second],
        [skeleton, first, Section(5, packed)],
    ]
    for sections in broken:
        data = container.pack(parsed.header, sections)  # type: ignore[arg-type]
        with pytest.raises(FormatError):
            rdzip.restore(data)
    wrong = bytearray(bytes(skeleton.body))
    wrong[5] ^= 1
    with pytest.raises(FormatError, match="its hash differs"):
        rdzip.restore(container.pack(parsed.header, [Section(11, bytes(wrong)), first, second]))  # type: ignore[arg-type]


def test_pillow_reads_what_comes_back() -> None:
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(pixels).save(file, "JPEG", dpi=(72, 72))
    packed = rdzip.compress(file.getvalue())
    rdzip.register_pillow()
    with Image.open(io.BytesIO(packed)) as image, Image.open(file) as source:
        assert (image.mode, image.size, image.info["dpi"]) == ("RGB", (30, 20), (72, 72))
        assert image.tobytes() == source.tobytes()
    frames = io.BytesIO()
    Image.new("RGB", (9, 9)).save(frames, "GIF", save_all=True, append_images=[Image.new("RGB", (9, 9), (9, 90, 200))])
    found = rdzip.decompress(rdzip.compress(frames.getvalue()))
    assert found.n_frames == 2
    with pytest.raises(InputError, match="a file without"):
        rdzip.decompress(rdzip.compress(b"no image"))
    with pytest.raises(FormatError, match="holds a picture"):
        rdzip.restore(rdzip.compress(pixels))
