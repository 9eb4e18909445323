"""TIFFs come back byte for byte: what libraries write, odd ones, hostile ones."""

from __future__ import annotations

import io
import itertools
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from helpers.carrier_support import carried, carried_or_not, close_hostile, cost, mutants
from helpers.tiff_files import big_tiff, tiff
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rdzip.formats.carriers.carrier import NotCarriedError
from rdzip.formats.carriers.table import CARRIERS
from rdzip.formats.carriers.tiff.lzw import Lzw

TIFF = 2
ROW = CARRIERS[TIFF]
RNG = np.random.default_rng(1)
Y, X = np.mgrid[0:53, 0:37]
NOISY = (np.stack([X + Y, X * 2, Y], -1) % 250 + RNG.integers(0, 4, (53, 37, 3))).astype(np.uint8)
FLAT = NOISY // 64 * 64


def by_pillow(mode: str, compression: str | None, samples: np.ndarray = NOISY, **options: Any) -> bytes:
    types = {"I;16": np.uint16, "I": np.int32, "F": np.float32}
    if mode in types:
        image = Image.fromarray(samples[..., 0].astype(types[mode]))
    else:
        image = Image.frombytes("LAB", (37, 53), samples.tobytes()) if mode == "LAB" else Image.fromarray(samples)
        image = image.convert(mode)
    out = io.BytesIO()
    image.save(out, "TIFF", compression=compression, **options)
    return out.getvalue()


def by_tifffile(samples: np.ndarray, **options: Any) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, samples, **options)
    return out.getvalue()


@pytest.mark.parametrize("compression", [None, "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate"])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I", "F"])
def test_what_pillow_writes(mode: str, compression: str | None) -> None:
    for samples in (NOISY, FLAT):
        opened = carried(by_pillow(mode, compression, samples), TIFF)
        assert [p.mode for p in opened.pictures] == [mode]
        assert cost(opened) <= 80
    if mode == "RGB":
        assert np.array_equal(opened.pictures[0].samples, FLAT)


def test_strips_of_several_encoders_of_deflate() -> None:
    """Each strip may have settings of its own, or differ from all settings in a few places."""
    raws = [FLAT.tobytes()[i : i + 1850] for i in range(0, 5550, 1850)]
    parts = [zlib.compress(raw, level) for raw, level in zip(raws, (9, 1, 9), strict=True)]
    places = np.cumsum([8, *map(len, parts[:-1])]).tolist()
    tags = {259: (3, [8]), 273: (4, places), 279: (4, list(map(len, parts))), 278: (3, [10])}
    opened = carried(tiff(b"".join(parts), 185, 30, [8], 1, tags), TIFF)
    assert opened.pictures[0].samples.tobytes() == b"".join(raws)
    for more in ({}, {"tile": (16, 16)}, {"rowsperstrip": 5, "predictor": True}):
        carried_or_not(ROW, by_tifffile(np.tile(NOISY, (3, 3, 1)), photometric="rgb", compression="zlib", **more))


def test_where_libtiff_clears_the_table_of_lzw() -> None:
    """Much that is easy, then harder: cleared before the table is full, by the rule that costs nothing to say."""
    steps = np.tile(FLAT, (10, 10, 1))
    steps[200:] ^= RNG.integers(0, 2, steps[200:].shape, np.uint8) * 64
    for samples in (steps, steps[::-1], np.tile(NOISY, (10, 10, 1)) // 32 * 32):
        opened = carried(by_pillow("RGB", "tiff_lzw", samples), TIFF)
        assert opened.skeleton[1][0][9:] == []


@pytest.mark.parametrize(
    ("old_form", "full", "end"), [(True, 0, 0), (True, 4096, 1), (False, 4095, 1), (False, 4094, 2)]
)
def test_other_encoders_of_lzw(old_form: bool, full: int, end: int) -> None:
    for samples in (RNG.bytes(9000), bytes(9000), b"abc" * 3000):
        coded = Lzw().encode(samples, [], full, 0, end, old_form)
        data = tiff(coded, 90, 100, [8], 1, {259: (3, [5]), 279: (4, [len(coded)])})
        assert carried(data, TIFF).pictures[0].samples.tobytes() == samples


@pytest.mark.optional("imagecodecs")
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("layout", [{}, {"tile": (16, 32)}, {"rowsperstrip": 7}, {"bigtiff": True}], ids=str)
@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "f2", "u4", "i4", "f4"])
def test_what_tifffile_writes(kind: str, layout: dict[str, Any], order: str) -> None:
    samples = NOISY.astype(kind)
    for more in ({}, {"compression": "lzw"}, {"compression": "lzw", "predictor": True}):
        data = by_tifffile(samples, photometric="rgb", byteorder=order, **layout, **more)
        opened = carried(data, TIFF)
        assert sum(p.samples.nbytes for p in opened.pictures) == samples.nbytes
        assert cost(opened) <= 150


@pytest.mark.optional("imagecodecs")
@pytest.mark.parametrize("shape", [(53, 37), (53, 37, 5), (3, 53, 37), (9, 53, 37), (4, 53, 37, 3)], ids=str)
def test_stacks_and_channels(shape: tuple[int, ...]) -> None:
    samples = RNG.integers(0, 4000, shape).astype(np.uint16)
    photometric = "rgb" if shape[-1] == 3 or shape[0] == 3 else "minisblack"
    own: dict[str, Any] = {"imagej": True} if photometric == "minisblack" else {}
    planar: dict[str, Any] = {"planarconfig": "separate"} if shape[0] == 3 else {}
    for options in ({}, own, {"compression": "lzw"}, planar):
        opened = carried(by_tifffile(samples, photometric=photometric, **options), TIFF)
        assert sum(p.samples.size for p in opened.pictures) == samples.size


def test_directories_of_many_pages_cost_next_to_nothing() -> None:
    stack = np.stack([np.roll(NOISY[..., 0], i) for i in range(200)])
    assert cost(carried(by_tifffile(stack, photometric="minisblack"), TIFF)) < 250
    pages = [Image.fromarray(page) for page in stack]
    for compression, most in ((None, 150), ("tiff_lzw", 1000), ("packbits", 1000)):
        out = io.BytesIO()
        pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:], compression=compression)
        opened = carried(out.getvalue(), TIFF)
        assert len(opened.pictures) == 200
        assert cost(opened) < most


@pytest.mark.optional("imagecodecs")
def test_tables_of_strips_cost_next_to_nothing() -> None:
    samples = np.tile(NOISY, (20, 20, 1))
    for options in ({"rowsperstrip": 1}, {"tile": (16, 16)}, {"rowsperstrip": 1, "compression": "lzw"}):
        data = by_tifffile(samples, photometric="rgb", **options)
        assert cost(carried(data, TIFF)) < 400


@pytest.mark.optional("imagecodecs")
def test_pyramids_in_sub_ifds() -> None:
    out = io.BytesIO()
    with tifffile.TiffWriter(out, bigtiff=True) as writer:
        writer.write(NOISY, subifds=2, tile=(16, 16), photometric="rgb", compression="lzw")
        writer.write(NOISY[::2, ::2], subfiletype=1, tile=(16, 16), photometric="rgb", compression="lzw")
        writer.write(NOISY[::4, ::4], subfiletype=1, photometric="rgb")
        writer.write(NOISY[..., 0], photometric="minisblack")
    opened = carried(out.getvalue(), TIFF)
    assert [p.shape for p in opened.pictures] == [(53, 37, 3), (53, 37), (27, 19, 3), (14, 10, 3)]


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("bits", [*range(1, 17), 32])
def test_each_number_of_bits(bits: int, order: str) -> None:
    data = RNG.bytes(-(-5 * bits // 8) * 4)  # the bits that fill up rows are any
    for tags in ({}, {266: (3, [2])}):
        opened = carried(tiff(data, 5, 4, [bits], 1, tags, order), TIFF)
        assert opened.pictures[0].mode == ("1" if bits == 1 else "L" if bits <= 8 else "I;16" if bits < 32 else "I")
        assert int(np.abs(opened.pictures[0].samples.astype(np.int64)).max()) < 1 << bits


def test_palettes() -> None:
    for depth, scale in itertools.product((1, 2, 4, 8), (256, 257, 1)):
        colours = RNG.integers(0, 256, 3 << depth) * scale
        data = tiff(RNG.bytes(40), 5, 4, [depth], 3, {320: (3, colours.tolist())})
        opened = carried(data, TIFF)
        assert opened.pictures[0].mode == "P"
        if scale > 1:
            assert opened.pictures[0].palette == (colours // scale).astype(np.uint8).reshape(3, -1).T.tobytes()


def test_tiles_with_anything_beyond_the_edge() -> None:
    tags = {322: (3, [16]), 323: (3, [16]), 324: (4, [8, 264, 520, 776]), 325: (4, [256] * 4)}
    inner = RNG.integers(0, 256, (20, 25))
    for mode in ("constant", "edge", "reflect"):
        full = np.pad(inner, ((0, 12), (0, 7)), mode=mode).astype(np.uint8)
        tiles = full.reshape(2, 16, 2, 16).transpose(0, 2, 1, 3).tobytes()
        opened = carried(tiff(tiles, 25, 20, [8], 1, tags), TIFF)
        assert np.array_equal(opened.pictures[0].samples, inner)
        assert (cost(opened) < 200) == (mode != "reflect")


def test_strips_in_any_order_and_with_gaps() -> None:
    samples = RNG.bytes(100)
    for offsets in ([8, 33, 58, 83], [83, 8, 58, 33], [8, 38, 68, 83]):
        tags = {278: (3, [2]), 273: (4, offsets), 279: (4, [10] * 4)}
        opened = carried(tiff(samples, 5, 8, [8], 1, tags), TIFF)
        expected = b"".join(samples[o - 8 : o + 2] for o in offsets)
        assert opened.pictures[0].samples.tobytes() == expected


def test_pages_that_are_no_pictures_stay_bytes() -> None:
    """Of two pages one is of 64 bits; strips that two pages share are those of the first."""
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        writer.write(NOISY.astype(np.float64), photometric="rgb")
        writer.write(NOISY, photometric="rgb")
        writer.write(NOISY[..., 0].astype(complex), photometric="minisblack")
    assert [p.mode for p in carried(out.getvalue(), TIFF).pictures] == ["RGB"]
    one = tiff(bytes(range(20)), 5, 4, [8], 1, {330: (4, [200])})
    second = bytearray(one.ljust(200, b"\0"))
    directory = one[28 : 28 + 2 + 12 * 10 + 4]
    second += directory
    assert len(carried(bytes(second), TIFF).pictures) == 1


def test_a_big_tiff() -> None:
    opened = carried(big_tiff(bytes(range(20)), 5, 4, {}), TIFF)
    assert opened.pictures[0].samples.tolist() == np.arange(20).reshape(4, 5).tolist()


def test_what_is_not_carried() -> None:
    good = tiff(bytes(20), 5, 4, [8], 1, {})
    for data, why in (
        (b"II*\0", "no TIFF"),
        (b"II*\0\xff\xff\0\0", "beyond"),
        (b"II*\0\0\0\0\0", "no pages"),
        (good[:40], "cut short|too many"),
        (tiff(bytes(20), 99999, 99999, [8], 1, {}), "not carried|pixels"),
        (tiff(bytes(20), 9999, 9999, [8], 1, {}), "cut short"),
        (tiff(bytes(20), 5, 4, [64], 1, {}), "64 bits"),
        (tiff(bytes(20), 5, 4, [8], 1, {259: (3, [7])}), "compression 7"),
        (tiff(bytes(20), 5, 4, [8], 1, {259: (3, [5])}), "damaged"),
        (tiff(b"\x03abcd\x80", 5, 1, [8], 1, {259: (3, [32773])}), "damaged"),
        (tiff(b"\x00a\x03abcd", 5, 1, [8], 1, {259: (3, [32773])}), "unknown encoder"),
        (tiff(bytes(60), 5, 4, [8, 8, 16], 2, {}), "several"),
        (tiff(bytes(60), 5, 4, [8, 8, 8], 6, {}), "subsampled"),
        (tiff(bytes(20), 5, 4, [8], 1, {278: (3, [1])}), "as many"),
    ):
        with pytest.raises(NotCarriedError, match=why):
            ROW.open(data)


def test_directories_in_a_circle() -> None:
    data = bytearray(tiff(bytes(20), 5, 4, [8], 1, {330: (4, [28])}))
    end = 28 + 2 + 12 * 10
    data[end : end + 4] = struct.pack("<I", 28)
    assert len(carried(bytes(data), TIFF).pictures) == 1


@given(
    width=st.integers(1, 9),
    height=st.integers(1, 9),
    depth=st.sampled_from([1, 2, 4, 8, 12, 14, 16, 32]),
    channels=st.integers(1, 5),
    rows=st.integers(1, 9),
    order=st.sampled_from("<>"),
    planar=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_strips(
    width: int, height: int, depth: int, channels: int, rows: int, order: str, planar: bool, seed: int
) -> None:
    together, planes = (1, channels) if planar else (channels, 1)
    sizes = [-(-width * together * depth // 8) * min(rows, height - y) for y in range(0, height, rows)] * planes
    places = np.cumsum([8, *sizes[:-1]]).tolist()
    tags = {273: (4, places), 279: (4, sizes), 278: (3, [rows]), 284: (3, [2 if planar else 1])}
    data = tiff(np.random.default_rng(seed).bytes(sum(sizes)), width, height, [depth] * channels, 1, tags, order)
    assert carried(data, TIFF).pictures[0].shape[:2] == (height, width)


@given(st.sampled_from([b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0"]), st.binary(max_size=150))
def test_any_bytes(sign: bytes, data: bytes) -> None:
    carried_or_not(ROW, sign + b"\x0a\0\0\0" + data)
    carried_or_not(ROW, sign + data)


def files() -> list[bytes]:
    return [
        by_pillow("P", None),
        by_pillow("RGB", "tiff_lzw", FLAT),
        by_pillow("1", "packbits", FLAT),
        by_pillow("L", "tiff_adobe_deflate", FLAT),
        by_tifffile(FLAT, photometric="rgb", tile=(16, 32), compression="lzw", predictor=True, byteorder=">"),
        by_tifffile(np.stack([FLAT[:9, :8, 0]] * 4), photometric="minisblack", bigtiff=True),
        tiff(RNG.bytes(60), 5, 4, [12] * 2, 1, {}, ">"),
    ]


@pytest.mark.optional("imagecodecs")
def test_mutants_come_back_or_are_refused() -> None:
    hits = [carried_or_not(ROW, m) for i, f in enumerate(files()) for m in mutants(f, 400, i, 400)]
    assert 100 < sum(hits) < len(hits)


@pytest.mark.optional("imagecodecs")
def test_mutants_of_directories() -> None:
    """The directory is at the end where samples come first."""
    for i, data in enumerate(files()):
        start = int.from_bytes(data[4:8], "little" if data[:2] == b"II" else "big")
        if start < len(data):
            for mutant in mutants(data[start:], 200, i, 300):
                carried_or_not(ROW, data[:start] + mutant)


@pytest.mark.optional("imagecodecs")
def test_hostile_skeletons() -> None:
    for i, data in enumerate(files()):
        close_hostile(TIFF, ROW.open(data + b"end"), 150, i)


ODD = {
    "034ed0549f9046b9c370ac26550a60da.tif": 1, "0c84d07e1b22b76f24cccc70d8788e4a.tif": 1,
    "3755b21390a93c1474aef88f4162de17.tif": 1, "551adc8ce6c3c9cc59040903b0428f47.tif": 1, "BigTIFFLong.tif": 1,
    "BigTIFFLong8Tiles.tif": 1, "BigTIFFMotorola.tif": 1, "BigTIFFSubIFD8.tif": 4, "Classic.tif": 1,
    "a516905c06cbc05e8adac7b0b7e4f514.tif": 1, "54743a2a36ef90c7ed8bb5da8b6ebaf4.tif": 1,
}  # fmt: skip
"""Pictures of those that are carried; the others are of fax, JPEG or LogLuv."""


def test_odd_and_medical_files(shared_data: Path) -> None:
    for path in sorted((shared_data / "files" / "tiff").glob("*.tif")):
        data = path.read_bytes()
        if path.name in ODD:
            assert len(carried(data, TIFF).pictures) == ODD[path.name]
        else:
            with pytest.raises(NotCarriedError):
                ROW.open(data)
    for path in sorted((shared_data / "files" / "deep").glob("*.tif")):
        opened = carried(path.read_bytes(), TIFF)
        assert [p.mode for p in opened.pictures] == ["I;16"]
        assert cost(opened) <= 110
