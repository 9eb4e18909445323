"""PNGs and APNGs come back byte for byte, by skeletons of a few bytes."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import png_files
from helpers.carrier_support import carried, carried_or_not, close_hostile, cost, mutants
from helpers.needs import NO_DATA
from helpers.png_files import KINDS, chunk, least_sum
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rdzip.errors import FormatError
from rdzip.formats.carriers.carrier import NotCarriedError
from rdzip.formats.carriers.png import close
from rdzip.formats.carriers.png.chunks import cut, size_code
from rdzip.formats.carriers.table import CARRIERS

PNG = 1
DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
RULES = {
    "libpng": (0, 1, 2, 3, 4),
    "Pillow": (0, 2, 1, 4),
    "Pillow with optimize": (0, 2, 1, 3, 4),
    "fast": (0, 1, 2),
}
TEXT = chunk(b"tEXt", b"Comment\0made with care")
GAMMA = chunk(b"gAMA", (45455).to_bytes(4, "big"))


def image(mode: str, width: int = 61, height: int = 40) -> Image.Image:
    samples = png_files.picture(width, height, 6, 8).astype(np.uint8)
    whole = Image.fromarray(samples, "RGBA")
    if mode == "I;16":
        return Image.fromarray(samples[:, :, 0].astype(np.uint16) * 257)
    return whole.convert("RGB").convert(mode) if mode in ("1", "P") else whole.convert(mode)


def by_pillow(mode: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image(mode).save(out, "PNG", **options)
    return out.getvalue()


@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"compress_level": 1}, {"compress_type": 3}], ids=str)
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_what_pillow_writes(mode: str, options: dict[str, Any]) -> None:
    data = by_pillow(mode, **options)
    opened = carried(data, PNG)
    assert [p.mode for p in opened.pictures] == [mode]
    assert cost(opened) <= 10
    with Image.open(io.BytesIO(data)) as shown:
        assert np.array_equal(np.asarray(shown), opened.pictures[0].samples)


def test_metadata_cost_themselves() -> None:
    exif = Image.Exif()
    exif[0x010E] = "a picture"
    data = by_pillow("RGB", exif=exif, dpi=(300, 300), icc_profile=b"a profile" * 20)
    plain, opened = carried(by_pillow("RGB"), PNG), carried(data, PNG)
    metadata = sum(len(item) for item in opened.skeleton[3])
    assert cost(opened) <= cost(plain) + metadata + 12


@pytest.mark.parametrize("interlaced", [False, True], ids=["whole", "interlaced"])
@pytest.mark.parametrize(("colours", "depth"), KINDS)
def test_every_kind(colours: int, depth: int, interlaced: bool) -> None:
    for width, height in ((1, 1), (3, 2), (5, 9), (23, 17)):
        samples = png_files.picture(width, height, colours, depth)
        data = png_files.png(samples, colours, depth, interlaced, least_sum(RULES["libpng"]))
        opened = carried(data, PNG)
        assert np.array_equal(opened.pictures[0].samples.reshape(samples.shape), samples)
        assert cost(opened) <= 12


@pytest.mark.parametrize("rule", RULES)
def test_rules_of_filters_take_no_bytes(rule: str) -> None:
    """Rows of a ramp are as good by one filter as by another; those of noise take all filters."""
    ramp = np.add.outer(np.arange(20), np.arange(40))[:, :, None].repeat(3, 2)
    samples = np.concatenate([ramp, png_files.picture(40, 60, 2, 8)])
    data = png_files.png(samples, 2, 8, choose=least_sum(RULES[rule]))
    opened = carried(data, PNG)
    assert opened.skeleton[1] == 5 + list(RULES).index(rule)
    assert cost(opened) <= 6


@pytest.mark.parametrize("kind", range(5))
def test_one_filter_for_all_rows(kind: int) -> None:
    data = png_files.png(png_files.picture(20, 30, 2, 8), 2, 8, choose=lambda rows: kind)
    assert carried(data, PNG).skeleton == ([6, kind] if kind else [6])


def test_filters_by_nearly_a_rule_and_by_none() -> None:
    samples = png_files.picture(20, 50, 2, 8)
    kinds = iter([1, 2] * 25)
    assert isinstance(carried(png_files.png(samples, 2, 8, choose=lambda rows: next(kinds)), PNG).skeleton[1], bytes)
    count = iter(range(50))
    libpng = least_sum(RULES["libpng"])
    data = png_files.png(samples, 2, 8, choose=lambda rows: (libpng(rows) + (next(count) == 7)) % 5)
    assert carried(data, PNG).skeleton[1][0] == 5


@given(
    st.sampled_from(KINDS),
    st.booleans(),
    st.integers(1, 20),
    st.integers(1, 20),
    st.integers(0, 1 << 30),
    st.integers(0, 9),
    st.integers(1, 9),
    st.integers(0, 4),
    st.integers(1, 300),
    st.integers(0, 127),
)
def test_files_of_any_kind(
    kind: tuple[int, int], interlaced: bool, width: int, height: int, seed: int, level: int, memory: int,
    strategy: int, piece: int, padding: int,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    colours, depth = kind
    samples = rng.integers(0, rng.integers(1, 1 << depth, endpoint=True), (height, width, png_files.CHANNELS[colours]))

    def zipped(data: bytes) -> bytes:
        deflater = zlib.compressobj(level, 8, 15, memory, strategy)
        return deflater.compress(data) + deflater.flush()

    carried(
        png_files.png(
            samples, colours, depth, interlaced, lambda rows: int(rng.integers(5)), zipped=zipped, piece=piece,
            before=[GAMMA, TEXT], after=[TEXT], padding=padding,
        ),
        PNG,
    )  # fmt: skip


def apng(data: bytes, frames: list[tuple[int, int, list[bytes]]], sequence: int = 1) -> bytes:
    """A PNG with frames behind its image: width, height, the stream in pieces."""
    control = bytes(8) + b"\0\1\0\x0a\0\0"
    out, width, height = b"", *(int.from_bytes(data[i : i + 4], "big") for i in (16, 20))
    start = data.index(b"IDAT") - 4
    first = (0).to_bytes(4, "big") + width.to_bytes(4, "big") + height.to_bytes(4, "big") + control
    for w, h, pieces in frames:
        out += chunk(b"fcTL", b"".join(n.to_bytes(4, "big") for n in (sequence, w, h)) + control)
        for piece in pieces:
            sequence += 1
            out += chunk(b"fdAT", sequence.to_bytes(4, "big") + piece)
        sequence += 1
    head = data[:start] + chunk(b"acTL", (len(frames) + 1).to_bytes(4, "big") + bytes(4)) + chunk(b"fcTL", first)
    return head + data[start:-12] + out + data[-12:]


@pytest.mark.parametrize(("colours", "depth"), [(2, 8), (6, 16), (3, 4), (0, 1)])
def test_frames_are_pictures(colours: int, depth: int) -> None:
    data = png_files.png(png_files.picture(20, 16, colours, depth), colours, depth)
    frames = []
    for i, (w, h) in enumerate(((20, 16), (7, 3), (20, 16))):
        stream = zlib.compress(png_files.raw(png_files.picture(w, h, colours, depth, i), depth), 9)
        frames.append((w, h, [stream[:40], stream[40:]] if i == 2 else [stream]))
    opened = carried(apng(data, frames), PNG)
    assert [p.shape[:2] for p in opened.pictures] == [(16, 20), (16, 20), (3, 7), (16, 20)]


def test_animations_of_pillow() -> None:
    images = [Image.fromarray(png_files.picture(50, 40, 2, 8, i).astype(np.uint8)) for i in range(4)]
    for options in ({}, {"default_image": True}, {"duration": [10, 20, 30, 40], "blend": 1}):
        out = io.BytesIO()
        images[0].save(out, "PNG", save_all=True, append_images=images[1:], **options)
        opened = carried(out.getvalue(), PNG)
        assert len(opened.pictures) == 4
        assert cost(opened) < 150


def test_frames_out_of_order() -> None:
    data = png_files.png(png_files.picture(20, 16, 2, 8), 2, 8)
    stream = zlib.compress(png_files.raw(png_files.picture(20, 16, 2, 8), 8))
    with pytest.raises(NotCarriedError, match="not in order"):
        CARRIERS[PNG].open(apng(data, [(20, 16, [stream])], 2))
    with pytest.raises(NotCarriedError, match="no size"):
        CARRIERS[PNG].open(apng(data, [(0, 16, [stream])]))
    with pytest.raises(NotCarriedError, match="too few"):
        CARRIERS[PNG].open(apng(data, [(20, 17, [stream])]))


def test_bytes_in_odd_places() -> None:
    samples = png_files.picture(9, 9, 2, 8)
    carried(png_files.png(samples, 2, 8) + b"and more", PNG)
    carried(png_files.png(samples, 2, 8, zipped=lambda data: zlib.compress(data + b"rows beyond")), PNG)
    carried(png_files.png(samples, 2, 8, zipped=lambda data: zlib.compress(data) + b"after the stream"), PNG)
    palette = png_files.png(png_files.picture(9, 9, 3, 2), 3, 2, before=[TEXT], padding=3)
    at = palette.index(b"IDAT") - 4
    carried(palette[:at] + chunk(b"tRNS", b"\1\2\3") + chunk(b"bKGD", b"\0") + palette[at:], PNG)
    carried(png_files.png(samples, 2, 8, before=[chunk(b"PLTE", bytes(6))]), PNG)


@pytest.mark.parametrize(
    "sizes",
    [[5], [64, 64, 3], [64, 64], [3, 3, 3, 2], [1, 1, 1], [2, 2, 1], [100, 100, 7], [5, 64, 64, 64, 9], [7, 0], [0, 7],
     [0, 0, 9], [3, 5], [3, 0, 4], [8192] * 9 + [5], [6, 2, 2, 2, 3], [65445, 65536, 65536, 17]],
)  # fmt: skip
def test_sizes_of_pieces(sizes: list[int]) -> None:
    stream = bytes(sum(sizes))
    code = size_code(sizes)
    assert [len(piece) for piece in cut(stream, code)] == sizes
    assert not isinstance(code, list) or len(code) <= len(sizes)


def test_what_is_not_carried() -> None:
    samples = png_files.picture(9, 9, 2, 8)
    good = png_files.png(samples, 2, 8)
    at = good.index(b"IDAT")
    row = CARRIERS[PNG]
    idat = good[at - 4 : -12]
    grey = png_files.png(png_files.picture(9, 9, 0, 8), 0, 8)
    for data, why in (
        (good[:-1], "end is missing"),
        (good[:-12], "end is missing"),
        (good[: at + 9] + bytes([good[at + 9] ^ 1]) + good[at + 10 :], "checksum"),
        (good[: at - 4] + good[-12:], "no image data"),
        (good[:-12] + TEXT + idat + good[-12:], "two places"),
        (png_files.SIGNATURE + png_files.header(9, 9, 5, 8) + idat + good[-12:], "header"),
        (png_files.SIGNATURE + png_files.header(9, 9, 3, 8) + grey[33:], "no palette"),
        (png_files.SIGNATURE + png_files.header(9, 0, 2, 8) + idat + good[-12:], "no pixels"),
        (png_files.SIGNATURE + png_files.header(99, 99, 2, 8) + idat + good[-12:], "too few rows"),
        (png_files.SIGNATURE + png_files.header(1 << 20, 1 << 20, 2, 8) + idat + good[-12:], "pixels"),
        (png_files.SIGNATURE + TEXT + good[8:], "first or last"),
        (png_files.png(samples, 2, 8, zipped=lambda data: zlib.compress(b"\5" + data[1:])), "filter"),
        (png_files.png(samples, 2, 8, zipped=lambda data: zlib.compress(data)[:-1]), "cut off"),
        (png_files.png(samples, 2, 8, zipped=lambda data: zlib.compress(data[:-1])), "too few"),
        (png_files.png(samples, 2, 8, zipped=lambda data: zlib.compress(data + bytes(70000))), "more data"),
    ):
        with pytest.raises(NotCarriedError, match=why):
            row.open(data)


def test_real_files() -> None:
    files = sorted([*(DATA / "kodak").glob("*.png"), *(DATA / "files" / "graphics").glob("*.png")])
    if not files:
        pytest.skip(NO_DATA + "kodak, files/graphics")
    for path in files[:: max(1, len(files) // 5)]:
        opened = carried(path.read_bytes(), PNG)
        metadata = sum(len(i) for items in opened.skeleton[3:5] for i in items if isinstance(i, bytes))
        assert cost(opened) <= metadata + 20


def test_mutants_come_back_or_are_refused() -> None:
    """Checksums are made good again, else no mutant would be a PNG."""
    files = [
        png_files.png(png_files.picture(12, 9, c, d), c, d, i, least_sum((0, 1, 2, 3, 4)), before=[GAMMA], piece=90)
        for c, d, i in ((2, 8, False), (3, 2, True), (0, 16, False), (4, 8, True))
    ]
    hits = []
    for i, file in enumerate(files):
        hits += [carried_or_not(CARRIERS[PNG], mutant) for mutant in mutants(file, 200, i)]
        hits += [carried_or_not(CARRIERS[PNG], png_files.mended(mutant)) for mutant in mutants(file, 400, i)]
    samples = png_files.picture(12, 9, 2, 8)
    for rows in mutants(png_files.raw(samples, 8, choose=least_sum((0, 1, 2, 3, 4))), 300, 9):
        hits.append(carried_or_not(CARRIERS[PNG], png_files.png(samples, 2, 8, zipped=lambda _: zlib.compress(rows))))  # noqa: B023
    assert 100 < sum(hits) < len(hits)


def test_hostile_skeletons() -> None:
    for i, (colours, depth) in enumerate(((2, 8), (3, 2), (0, 16), (0, 1))):
        file = png_files.png(png_files.picture(12, 9, colours, depth), colours, depth, i > 1, before=[GAMMA], piece=90)
        stream = zlib.compress(png_files.raw(png_files.picture(12, 9, colours, depth), depth, i > 1))
        close_hostile(PNG, CARRIERS[PNG].open(file + b"end"), 300, i)
        close_hostile(PNG, CARRIERS[PNG].open(apng(file, [(12, 9, [stream])] * 2)), 300, i)


def test_skeletons_that_do_not_suit() -> None:
    opened = CARRIERS[PNG].open(png_files.png(png_files.picture(12, 9, 0, 8), 0, 8))
    wrong: list[Any] = [
        [], [6, 9], [6, -1], [6, b"\0"], [6, bytes(8) + b"\5"], [6, [5, b""]], [6, 0, 1], [6, 0, []], [6, 0, [900, 5]],
        [6, 0, 0, [0]], [6, 0, 0, [b"abc"]], [6, 0, 0, [], [[]]], [6, 0, 0, [], [], 2], [6, 0, 0, [], [], 6],
        [6, 0, 0, [b"fcTL"]], [6, 0, 0, [], [], 0, b"", {1: bytes(9)}], [6, 0, 0, [], [], 0, b"", {4: b""}],
    ]  # fmt: skip
    for skeleton in wrong:
        with pytest.raises(FormatError):
            close(opened.pictures, skeleton)
    with pytest.raises(FormatError):
        close([], [6])
