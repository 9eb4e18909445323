"""docs/reference/carriers.md is enough to close JPEGs: code from that page alone gives the same bytes."""

from __future__ import annotations

import hashlib
import io
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.jpegs import by_pillow, in_scans, odd_files
from PIL import Image
from reference import dct, files
from reference.carriers_jpeg import jpeg
from reference.container import Reader

from rdzip.codecs.dct.coefficients import Coefficients
from rdzip.formats.carriers.table import CARRIERS, JPEG

GOLDEN = Path(__file__).parents[2] / "golden" / "0.1" / "carried"


def plainly(picture: Coefficients) -> Any:
    return [(c.coefficients.tolist(), c.quantisation.tolist(), c.sampling) for c in picture.components]


def twice(data: bytes) -> tuple[Any, Any]:
    """The skeleton, and the file that the second closer makes."""
    opened = CARRIERS[JPEG].open(data)
    return opened.skeleton, jpeg([plainly(picture) for picture in opened.pictures], opened.skeleton)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("restart", [{}, {"restart_marker_blocks": 2}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize("progressive", [False, True])
def test_what_pillow_writes(mode: str, restart: dict[str, int], progressive: bool) -> None:
    for optimize in (False, True):
        for quality in (20, 98):
            options: dict[str, Any] = {"optimize": optimize, "quality": quality, **restart}
            data = by_pillow(mode, (67, 45), progressive=progressive, **options)
            assert twice(data)[1] == data


def odd() -> Iterator[tuple[str, bytes]]:
    small = by_pillow("RGB", (160, 120), quality=95)
    data = by_pillow("RGB", (90, 60), subsampling=2)
    app = b"\xff\xe1" + struct.pack(">H", 8 + len(small)) + b"Exif\0\0" + small
    yield "thumbnail", data[:2] + app + data[2:]
    out, image = io.BytesIO(), Image.open(io.BytesIO(small))
    image.save(out, "MPO", save_all=True, append_images=[image.rotate(90)], quality=90)
    yield "MPF", out.getvalue()
    yield "behind", data + small + b"movie" * 9
    yield "fill bytes", data[:2] + b"\xff\xff\xff" + data[2:]
    yield "truncated", data[: 3 * len(data) // 4]
    yield "scans", in_scans(by_pillow("RGB", (67, 45), subsampling=1), [[0], [2, 1]])
    yield "all alone", in_scans(by_pillow("RGB", (67, 45), subsampling=2), [[1], [0], [2]])
    long = by_pillow("L", (600, 500), progressive=True, quality=2)
    yield "long runs", long


@pytest.mark.parametrize("which", [name for name, _ in odd()])
def test_odd_files(which: str) -> None:
    data = dict(odd())[which]
    skeleton, again = twice(data)
    assert again == data
    images = sum(isinstance(piece, list) for piece in skeleton[0]) + (len(skeleton) > 4)
    assert images == (which in ("thumbnail", "MPF", "behind"))


@pytest.mark.parametrize("data", [one[1] for one in odd_files()], ids=[one[0] for one in odd_files()])
def test_files_that_are_not_as_they_should(data: bytes) -> None:
    assert twice(data)[1] == data


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("jpeg-*.rdz")), ids=lambda path: path.stem)
def test_golden_files_by_second_decoders_alone(path: Path) -> None:
    """From the container to the JPEG, by nothing of rdzip."""
    entry = json.loads((GOLDEN / "index.json").read_text())[path.stem]
    reader = Reader(path.read_bytes())
    reader.take(9)
    assert files.cbor(reader.take(reader.varint())) == {7: 3}
    reader.check(8)
    sections = []
    while kind := reader.take(1)[0]:
        sections.append((kind, reader.take(reader.varint())))
        reader.take(4)
    skeleton = Reader(next(body for kind, body in sections if kind == 11))
    number, counted = divmod(skeleton.varint(), 2)
    assert not counted or skeleton.varint() == 0
    digest = skeleton.take(4)
    if number == 0:
        data = b""
        while skeleton.at < len(skeleton.data):
            data += files.unpacked(skeleton.take(skeleton.varint()))
    else:
        assert number == JPEG
        images = [dct.decode(body) for kind, body in sections if kind == 12]
        data = jpeg(images, files.cbor(files.unpacked(skeleton.data[skeleton.at :])))
    assert hashlib.sha256(data).digest()[:4] == digest
    assert hashlib.sha256(data).hexdigest() == entry["restored_sha256"]


def test_real_files(shared_data: Path) -> None:
    found = sorted((shared_data / "files" / "jpeg-odd").glob("*small*.jpg"))
    if len(found) < 3:
        pytest.skip("no files/jpeg-odd")
    for path in found:
        assert twice(path.read_bytes())[1] == path.read_bytes()
