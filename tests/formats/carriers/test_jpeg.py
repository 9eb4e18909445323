"""JPEGs come back byte for byte: every kind that is carried, odd and damaged ones, and hostile skeletons."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.carrier_support import carried_or_not, close_hostile, cost, mutants
from helpers.jpegs import by_pillow, odd_files, scan_start
from helpers.needs import NO_DATA
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from reference.carriers_jpeg import optimal as reference_optimal

from rdzip.codecs.dct.coefficients import Coefficients
from rdzip.formats import packing
from rdzip.formats.carriers.carrier import NotCarriedError, Opened
from rdzip.formats.carriers.jpeg.tables import huffman, optimal
from rdzip.formats.carriers.table import CARRIERS, carrier_of

JPEG = 11


def carried(data: bytes) -> Opened:
    """Open a JPEG, which must close to the same bytes, also by a skeleton that was packed and unpacked."""
    row = carrier_of(data)
    assert row is not None
    assert row.number == JPEG
    opened = row.open(data)
    assert row.close(opened.pictures, packing.unpack_value(packing.pack_value(opened.skeleton))) == data
    assert all(isinstance(one, Coefficients) for one in opened.pictures)
    return opened


@given(
    mode=st.sampled_from(["L", "RGB", "CMYK"]),
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    quality=st.integers(1, 100),
    subsampling=st.integers(0, 2),
    progressive=st.booleans(),
    optimize=st.booleans(),
    restart=st.sampled_from([{}, {"restart_marker_blocks": 1}, {"restart_marker_rows": 1}]),
    seed=st.integers(0, 9),
)
@settings(deadline=None, max_examples=60)
def test_what_pillow_writes(
    mode: str,
    size: tuple[int, int],
    quality: int,
    subsampling: int,
    progressive: bool,
    optimize: bool,
    restart: dict[str, int],
    seed: int,
) -> None:
    options: dict[str, Any] = {"quality": quality, "progressive": progressive, "optimize": optimize, **restart}
    if mode == "RGB":
        options["subsampling"] = subsampling
    data = by_pillow(mode, size, seed, **options)
    opened = carried(data)
    assert len(opened.pictures) == 1
    if not progressive and not optimize:
        assert cost(opened) <= 130


@pytest.mark.parametrize("quality", [1, 50, 95])
def test_coefficients_are_those_of_the_image(quality: int) -> None:
    """What they decode to, by a DCT in floats, is what Pillow decodes, but for rounding."""
    data = by_pillow("L", (40, 24), quality=quality)
    (component,) = carried(data).pictures[0].components
    assert component.coefficients.shape == (3, 5, 64)
    assert component.sampling == (1, 1)
    u = np.arange(8)
    basis = np.cos((2 * u[:, None] + 1) * u[None, :] * np.pi / 16) * np.where(u == 0, np.sqrt(0.125), 0.5)
    blocks = (component.coefficients * component.quantisation.astype(np.int64)).reshape(3, 5, 8, 8)
    samples = np.einsum("yv,ijvu,xu->iyjx", basis, blocks, basis).reshape(24, 40) + 128
    with Image.open(io.BytesIO(data)) as image:
        assert np.abs(np.clip(samples, 0, 255) - np.asarray(image)).max() <= 1.5


def test_progressive_and_baseline_files_have_the_same_coefficients() -> None:
    one, other = (carried(by_pillow("RGB", (67, 45), progressive=flag)) for flag in (False, True))
    assert len(other.skeleton[2]) > len(one.skeleton[2])
    for a, b in zip(one.pictures[0].components, other.pictures[0].components, strict=True):
        rows, columns = min(a.coefficients.shape, b.coefficients.shape)[:2]
        own = -(-45 // (8 * (3 - a.sampling[1]))), -(-67 // (8 * (3 - a.sampling[0])))
        inside = np.s_[: min(rows, own[0]), : min(columns, own[1])]
        assert np.array_equal(a.coefficients[inside], b.coefficients[inside])


def test_thumbnails_and_files_behind_are_images_of_their_own() -> None:
    small = by_pillow("RGB", (160, 120), quality=95)
    assert len(small) > 2048
    large = by_pillow("RGB", (200, 100))
    app = b"\xff\xe1" + struct.pack(">H", 8 + len(small)) + b"Exif\0\0" + small
    inside = large[:2] + app + large[2:]
    assert len(carried(inside).pictures) == 2
    behind = carried(inside + small)
    assert len(behind.pictures) == 3
    assert cost(behind) < 500
    assert len(carried(inside + b"movie" * 9).pictures) == 2
    cut = large[:2] + app[:-9].replace(struct.pack(">H", 8 + len(small)), struct.pack(">H", len(small) - 1)) + large[2:]
    carried(cut)


@pytest.mark.parametrize("progressive", [False, True])
def test_files_that_are_odd(progressive: bool) -> None:
    data = by_pillow("RGB", (90, 60), quality=80, progressive=progressive, restart_marker_blocks=4)
    at = scan_start(data)
    carried(data[:2] + b"\xff\xff\xff" + data[2:])  # fill bytes
    carried(data[:2] + b"\xff\xfe\0\5abc" + data[2:] + b"\0" * 99)
    first = data.index(b"\xff\xd0", at)
    wrong = data[:first] + b"\xff\xd3" + data[first + 2 :]
    assert carried_or_not(CARRIERS[JPEG], wrong)
    for changed in (data[:first] + data[first + 2 :], data[:first] + b"\xff\xd0" + data[first:]):
        carried_or_not(CARRIERS[JPEG], changed)
    for end in (at, at + 1, at + 40, len(data) // 2, len(data) - 3, len(data) - 2, len(data) - 1):
        carried_or_not(CARRIERS[JPEG], data[:end])


@pytest.mark.parametrize(("data", "most"), [one[1:] for one in odd_files()], ids=[one[0] for one in odd_files()])
def test_what_decoders_take_is_coefficients_for_the_most_part(data: bytes, most: int) -> None:
    opened = carried(data)
    assert cost(opened) <= most
    assert any(component.coefficients.any() for component in opened.pictures[0].components)


def test_truncated_baseline_files_keep_what_there_is() -> None:
    data = by_pillow("RGB", (300, 200), quality=85)
    half = data[: len(data) // 2]
    opened = carried(half)
    assert cost(opened) < 200
    assert any(component.coefficients.any() for component in opened.pictures[0].components)


def test_padding_of_zeros() -> None:
    for seed in range(9):
        data = by_pillow("L", (16, 16), seed)
        last = data[-3]
        ones = len(bin(last + 1)) - len(bin(last + 1).rstrip("0"))
        if ones and last != 0xFF:
            carried(data[:-3] + bytes([last & (0xFF << 1)]) + data[-2:])


@pytest.mark.parametrize("progressive", [False, True])
def test_optimal_tables_are_made_again(progressive: bool) -> None:
    for mode, size in (("L", (8, 8)), ("RGB", (90, 60)), ("CMYK", (40, 30)), ("RGB", (500, 400))):
        for quality in (10, 75, 100):
            data = by_pillow(mode, size, quality=quality, optimize=True, progressive=progressive)
            opened = carried(data)
            assert set(opened.skeleton[1][-data.count(b"\xff\xc4") :]) <= {1, 2}
            assert cost(opened) < 220


def test_tables_of_long_codes() -> None:
    """Counts like Fibonacci's numbers make codes of more than 16 bits, which are shortened."""
    counts = np.zeros(256, np.int64)
    counts[:40] = 1
    for i in range(2, 40):
        counts[i] = counts[i - 1] + counts[i - 2]
    for order in (counts, counts[::-1], np.arange(256) ** 5 + 1):
        table = optimal(order)
        assert table == reference_optimal({symbol: count for symbol, count in enumerate(order.tolist()) if count})
        assert len(table) == 16 + int((order > 0).sum())
        huffman(table)
    assert optimal(np.zeros(256, np.int64)) == b""


def test_tables_that_no_component_has_stay() -> None:
    data = by_pillow("RGB", (30, 30))
    unused = b"\xff\xdb\0\x43\3" + bytes(range(1, 65))
    wide = b"\xff\xdb\0\x83\x12" + struct.pack(">64H", *range(300, 364))
    carried(data[:2] + unused + wide + data[2:])
    carried(data[:-2] + unused + data[-2:])


def test_what_is_not_carried() -> None:
    row = CARRIERS[JPEG]
    data = by_pillow("RGB", (30, 30))
    frame = data.index(b"\xff\xc0")
    for changed, why in (
        (data[:frame] + b"\xff\xc9" + data[frame + 2 :], "arithmetic"),
        (data[: frame + 4] + b"\x0c" + data[frame + 5 :], "12 bits"),
        (data[:frame], "no scan"),
        (b"\xff\xd8\xff", "no scan"),
        (b"\xff\xd8", "no JPEG"),
        (b"", "no JPEG"),
    ):
        with pytest.raises(NotCarriedError, match=why):
            row.open(changed)


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"restart_marker_blocks": 2, "optimize": True}], ids=str
)
def test_mutants(options: dict[str, Any]) -> None:
    data = by_pillow("RGB", (40, 30), **options)
    seen = [carried_or_not(CARRIERS[JPEG], one) for one in mutants(data, 150, 1, len(data))]
    assert any(seen)
    assert not all(seen)


@pytest.mark.parametrize("progressive", [False, True])
def test_hostile_skeletons(progressive: bool) -> None:
    close_hostile(JPEG, carried(by_pillow("RGB", (40, 30), progressive=progressive)), 300, 7)


@pytest.mark.slow
@pytest.mark.parametrize(("folder", "least"), [("jpeg", 23), ("jpeg-odd", 9), ("jpeg-damaged", 7)])
def test_real_files(shared_data: Path, folder: str, least: int) -> None:
    files = sorted((shared_data / "files" / folder).glob("*.jpg"))
    if not files:
        pytest.skip(f"{NO_DATA}files/{folder}")
    assert sum(carried_or_not(CARRIERS[JPEG], path.read_bytes()) for path in files) >= least


def test_sizes_that_no_data_fill_are_not_carried() -> None:
    data = by_pillow("RGB", (30, 30))
    frame = data.index(b"\xff\xc0")
    with pytest.raises(NotCarriedError, match="more blocks"):
        CARRIERS[JPEG].open(data[: frame + 5] + b"\x30\0\x30\0" + data[frame + 9 :])
