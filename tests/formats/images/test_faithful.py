"""What of a file comes back: all of it, or it is said what not; and nothing that would mean something else."""

from __future__ import annotations

import io
import struct
import time
import zlib

import numpy as np
import pytest
from formats.images.test_read_write import CASES
from helpers.tiff_files import big_tiff, tiff
from PIL import Image, TiffImagePlugin

from rdzip.codecs.classic import png
from rdzip.errors import InputError
from rdzip.formats import metadata
from rdzip.formats.images import faithful
from rdzip.formats.images.facts import facts
from rdzip.formats.images.faithful import Returned
from rdzip.formats.images.read import read_picture
from rdzip.formats.images.transparency import as_shown, with_alpha
from rdzip.formats.images.write import write_picture
from rdzip.pipeline.compress import compress
from rdzip.pipeline.decompress import decompress
from rdzip.pipeline.request import Request

GREY = Image.linear_gradient("L").resize((40, 30))
RGB = Image.merge("RGB", (GREY, GREY.rotate(180), GREY.resize((30, 40)).rotate(90, expand=True)))
RAMP = bytes((i * 7 + i // 13) % 256 for i in range(40 * 30 * 8))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def returned(data: bytes, keep: str = "all") -> Returned:
    return faithful.check(data, read_picture(data), keep)


def there_and_back(data: bytes, keep: str = "all") -> bytes:
    packed = compress(read_picture(data), Request(codec="classic", metadata=keep)).data
    return write_picture(decompress(packed).picture).data


def chunked(data: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    ihdr, *rest = png.read_chunks(data)
    return png.write_chunks([ihdr, *chunks, *rest])


# All of it


@pytest.mark.parametrize("name", CASES)
def test_what_pillow_writes_comes_back_whole(name: str) -> None:
    assert returned(CASES[name]()) == Returned()


WHOLE = {
    "16 bits, big-endian": tiff(RAMP[:2400], 40, 30, [16], 1, {}, ">"),
    "16 bits": tiff(RAMP[:2400], 40, 30, [16], 1, {}),
    "text in UTF-8": tiff(RAMP[:1200], 40, 30, [8], 1, {270: (2, '<OME unit="µm"/>'.encode() + b"\0")}),
    "text in Latin-1": tiff(RAMP[:1200], 40, 30, [8], 1, {315: (2, "Jürgen".encode("latin-1") + b"\0")}),
    "alpha": tiff(RAMP[:4800], 40, 30, [8] * 4, 2, {338: (3, [2])}),
    "bilevel": saved(GREY.convert("1"), "TIFF"),
    "tag of one's own": tiff(RAMP[:1200], 40, 30, [8], 1, {65000: (3, [7, 8])}),
}


@pytest.mark.parametrize("name", WHOLE)
def test_tiffs_that_come_back_whole(name: str) -> None:
    data = WHOLE[name]
    assert returned(data) == Returned()
    back = there_and_back(data)
    before, after = facts(data), facts(back)
    assert before is not None
    assert after is not None
    assert before.items.items() <= after.items.items()
    assert before.structure.items() <= after.structure.items()
    np.testing.assert_array_equal(read_picture(back).samples, read_picture(data).samples)


def test_big_endian_numbers_are_the_same_numbers() -> None:
    data = tiff(struct.pack(">6H", 1, 256, 40000, 65535, 0, 5), 3, 2, [16], 1, {}, ">")
    picture = read_picture(data)
    assert picture.samples.ravel().tolist() == [1, 256, 40000, 65535, 0, 5]
    for kind in ("TIFF", "PNG"):
        assert read_picture(write_picture(picture, kind).data).samples.tolist() == picture.samples.tolist()


# Another meaning


REFUSED = {
    "a negative of 16 bits": (tiff(RAMP[:2400], 40, 30, [16], 0, {}), "0 is white"),
    "signed 8 bits": (tiff(bytes([156, 200, 255, 0, 1, 100]), 3, 2, [8], 1, {339: (3, [2])}), "signed samples of 8"),
    "unsigned 32 bits": (
        tiff(struct.pack("<6I", 1, 2**31, 2**32 - 1, 3, 5, 6), 3, 2, [32], 1, {339: (3, [1])}),
        "unsigned samples of 32",
    ),
    "multiplied by alpha": (tiff(RAMP[:4800], 40, 30, [8] * 4, 2, {338: (3, [1])}), "multiplied by alpha"),
    "fourth byte of a BMP": (saved(Image.merge("RGBA", (*RGB.split(), GREY)), "BMP"), "four bytes a pixel"),
    "maximum of 1000": (b"P5 3 1 1000\n" + struct.pack(">3H", 0, 542, 1000), "up to 1000"),
    "maximum of 100": (b"P5 3 1 100\n\0\x32\x64", "up to 100"),
    "maximum of 100 in words": (b"P2 3 1 100\n0 50 100\n", "up to 100"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_mean_something_else_is_refused(name: str) -> None:
    data, message = REFUSED[name]
    with pytest.raises(InputError, match=message) as caught:
        returned(data)
    assert "\n" not in str(caught.value)
    assert "convert it" in str(caught.value)


# Not all of it


def with_iptc(data: bytes) -> bytes:
    record = b"\x1c\x02\x78" + struct.pack(">H", 7) + b"caption"
    body = b"Photoshop 3.0\x008BIM" + struct.pack(">HHI", 0x404, 0, len(record)) + record
    return data[:2] + b"\xff\xed" + struct.pack(">H", len(body) + 2) + body + data[2:]


RESOLUTION = {282: (5, [(300, 1)]), 283: (5, [(300, 1)]), 296: (3, [2])}
LESS = {
    "a negative of 8 bits": (tiff(RAMP[:1200], 40, 30, [8], 0, {}), "PhotometricInterpretation 0 becomes 1"),
    "signed 16 bits": (tiff(RAMP[:2400], 40, 30, [16], 1, {339: (3, [2])}), "BitsPerSample 16 becomes 32"),
    "signed 8 bits from 0": (tiff(bytes(range(6)), 3, 2, [8], 1, {339: (3, [2])}), "signed samples become unsigned"),
    "page number": (tiff(RAMP[:1200], 40, 30, [8], 1, {297: (3, [0, 1])}), "PageNumber (297)"),
    "extremes": (tiff(RAMP[:1200], 40, 30, [8], 1, {280: (3, [0]), 281: (3, [200])}), "MaxSampleValue (281)"),
    "transfer function": (
        tiff(RAMP[:3600], 40, 30, [8] * 3, 2, {301: (3, [i * 85 for i in range(768)])}),
        "TransferFunction (301)",
    ),
    "turned": (tiff(RAMP[:1200], 40, 30, [8], 1, {274: (3, [6])}), "Orientation (274)"),
    "8 bytes": (big_tiff(RAMP[:1200], 40, 30, {65000: (16, [2**40])}), "65000"),
    "8 bytes, most": (big_tiff(RAMP[:1200], 40, 30, {65000: (16, [2**64 - 1])}), "65000"),
    "hidden bytes": (
        tiff(RAMP[:1200] + b"hidden", 40, 30, [8], 1, {279: (4, [1200])}),
        "6 bytes that no tag refers to",
    ),
    "after a PNG": (saved(RGB, "PNG") + b"a film", "6 bytes after its end"),
    "after a GIF": (saved(GREY, "GIF") + b"a film", "6 bytes after its end"),
    "IPTC": (with_iptc(saved(RGB, "JPEG")), "IPTC"),
    "after a JPEG": (saved(RGB, "JPEG") + b"a film", "6 bytes after its end"),
    "comment of a PGM": (b"P5\n# by hand\n3 1\n255\n\0\1\2", "comment"),
    "maximum of 15": (b"P5 3 1 15\n\0\7\x0f", "maxval 15 becomes 255"),
    "scale of a PFM": (b"Pf\n3 1\n-2.5\n" + bytes(12), "scale 2.5 becomes 1"),
    "application of a GIF": (
        saved(GREY, "GIF")[:-1] + b"!\xff\x0bAN EXAMPLE!\x03abc\0;",
        "extension AN EXAMPLE",
    ),
}


@pytest.mark.parametrize("name", LESS)
def test_what_does_not_come_back_is_named_and_the_file_kept(name: str) -> None:
    data, message = LESS[name]
    found = returned(data)
    assert message in found.note
    assert found.why
    back = there_and_back(data)
    picture, again = read_picture(data), read_picture(back)
    assert again.samples.tobytes() == picture.samples.tobytes()
    before, after = facts(data), facts(back)
    if before is not None and after is not None and before.format == after.format:
        for label, value in after.items.items():
            assert before.items.get(label) in (None, value), f"{label} was written with another value"


def test_a_tag_that_the_writer_would_spoil_is_left_out_and_named() -> None:
    data = tiff(RAMP[:1200], 40, 30, [8], 1, {297: (3, [0, 1]), 305: (2, b"scanner\0")})
    written = write_picture(decompress(compress(read_picture(data), Request(codec="classic")).data).picture)
    with Image.open(io.BytesIO(written.data)) as image:
        assert 297 not in image.tag_v2
        assert image.tag_v2[305] == "scanner"
    assert "297" in written.notes[0].text


def test_many_tags_that_cannot_be_written_take_no_time() -> None:
    picture = read_picture(saved(GREY, "TIFF"))
    picture.metadata["tiff"] = [[65000, 4, "no number"]] * 20000
    start = time.process_time()
    assert write_picture(picture).format == "TIFF"
    assert time.process_time() - start < 1
    picture.metadata["tiff"] = [[65000, 4, "no number"], [305, 2, "kept"]]
    with Image.open(io.BytesIO(write_picture(picture).data)) as image:
        assert image.tag_v2[305] == "kept"


def test_an_absurd_resolution_does_not_keep_the_pixels() -> None:
    exif = Image.Exif()
    exif[282] = exif[283] = TiffImagePlugin.IFDRational(4294967295, 1)
    exif[296] = 2
    data = bytearray(saved(RGB, "JPEG", exif=exif))
    data[data.index(b"JFIF\0") + 7] = 0
    picture = read_picture(bytes(data))
    assert picture.metadata["info"]["dpi"][0] > 1e9
    back = read_picture(there_and_back(bytes(data)))
    assert back.samples.tobytes() == picture.samples.tobytes()


@pytest.mark.parametrize("kind", ["JPEG", "ICO"])
def test_files_of_formats_that_are_not_written_stay(kind: str) -> None:
    data = saved(RGB.resize((16, 16)), kind)
    assert f"not the {kind} file" in returned(data).why


def test_lossy_webp_stays() -> None:
    assert "lossy WebP" in returned(saved(RGB, "WEBP", quality=50)).why
    assert returned(saved(RGB, "WEBP", lossless=True)) == Returned()


def test_a_bmp_with_another_header_stays() -> None:
    data = saved(RGB, "BMP")
    assert returned(data) == Returned()
    data = data[:38] + struct.pack("<ii", 2834, 2835) + data[46:50] + b"\1\0\0\0" + data[54:]
    found = returned(data)
    assert "BMP" in found.why
    assert "BMP" in found.note


@pytest.mark.parametrize("size", [1, 9, 40, 200, 1000])
def test_damaged_files_have_no_facts_or_some(size: int) -> None:
    rng = np.random.default_rng(size)
    for data in (*(make() for make in CASES.values()), with_iptc(saved(RGB, "JPEG")), *WHOLE.values()):
        facts(data[:-size])
        spoilt = bytearray(data)
        for at in rng.integers(8, len(data), 12):
            spoilt[at] = rng.integers(256)
        facts(bytes(spoilt))


# Metadata left out


def turned(how: int) -> Image.Exif:
    exif = Image.Exif()
    exif[274], exif[271] = how, "a maker"
    return exif


def rich(transparency: object, image: Image.Image = RGB) -> bytes:
    return saved(image, "PNG", transparency=transparency, exif=turned(6), dpi=(72, 72))


@pytest.mark.parametrize(
    "make",
    [
        lambda: rich((0, 0, 0)),
        lambda: rich(bytes([0, 9, 255]), RGB.convert("P")),
        lambda: rich(7, GREY),
        lambda: saved(RGB.convert("P"), "GIF", transparency=3, comment=b"by hand"),
        lambda: saved(RGB, "JPEG", exif=turned(6)),
        lambda: saved(RGB, "WEBP", lossless=True, exif=turned(8)),
    ],
)
def test_without_metadata_the_picture_is_shown_as_before(make: object) -> None:
    from PIL import ImageOps

    data = make()
    back = there_and_back(data, "none")
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(back)) as after:
        assert before.info.get("transparency") == after.info.get("transparency")
        assert before.getexif().get(274) == after.getexif().get(274)
        assert 271 not in after.getexif()
        assert not {"dpi", "comment"} & set(after.info)
        shown = [np.asarray(ImageOps.exif_transpose(image).convert("RGBA")) for image in (before, after)]
    np.testing.assert_array_equal(*shown)
    found = returned(data, "none")
    assert found.note == ""
    assert found.why


def test_without_metadata_to_leave_out_all_comes_back() -> None:
    assert returned(saved(RGB, "PNG"), "none") == Returned()
    assert metadata.essential({"png": [[b"tEXt", b"a\0b"], [b"IDAT", b""]], "info": {"dpi": [72, 72]}}) == {}
    packed = compress(read_picture(rich(None)), Request(codec="classic", metadata="none")).data
    assert [kind for kind, _ in decompress(packed).picture.metadata["png"]] == [b"eXIf", b"IDAT"]


# Other formats


CLEAR = {
    "colour": lambda: saved(RGB, "PNG", transparency=RGB.getpixel((3, 4))),
    "grey": lambda: saved(GREY, "PNG", transparency=GREY.getpixel((3, 4))),
    "bilevel": lambda: saved(GREY.convert("1"), "PNG", transparency=0),
    "palette": lambda: saved(RGB.convert("P"), "PNG", transparency=bytes(range(0, 200, 3))),
    "palette entry": lambda: saved(RGB.convert("P"), "GIF", transparency=RGB.convert("P").getpixel((3, 4))),
    "4 bits": lambda: png.write_chunks(
        [
            png.header(5, 6, 4, 0),
            (b"tRNS", b"\x00\x0f"),
            (b"IDAT", zlib.compress((b"\x00" + b"\x1f\x80\x37") * 5)),
            (b"IEND", b""),
        ]
    ),
}


@pytest.mark.parametrize("name", CLEAR)
@pytest.mark.parametrize("format", ["TIFF", "WEBP"])
def test_transparency_becomes_alpha_or_is_refused(name: str, format: str) -> None:
    data = CLEAR[name]()
    picture = read_picture(data)
    try:
        written = write_picture(picture, format)
    except InputError:
        assert format == "WEBP"  # which has no grey
        assert with_alpha(picture).mode == "LA"
        return
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(written.data)) as after:
        expected, found = np.asarray(before.convert("RGBA")), np.asarray(after.convert("RGBA"))
    if name != "4 bits":  # of which Pillow compares scaled samples with the colour as it is stored
        np.testing.assert_array_equal(found, expected)
    assert (found[..., 3] < 255).any()
    assert "alpha" in written.notes[0].text


def test_every_loss_of_a_conversion_is_named() -> None:
    data = chunked(rich(None), (b"cICP", bytes([9, 16, 0, 1])), (b"tEXt", b"Title\0words"))
    picture = read_picture(data)
    written = write_picture(picture, "TIFF")
    assert "cICP" in written.notes[0].text
    assert "eXIf" in written.notes[0].text
    assert "Title" in written.notes[0].text
    assert "pHYs" not in written.notes[0].text
    with Image.open(io.BytesIO(written.data)) as image:
        assert image.getexif()[274] == 6
    webp = write_picture(picture, "WEBP")
    assert "cICP" in webp.notes[0].text
    assert "eXIf" not in webp.notes[0].text
    assert "pHYs" in webp.notes[0].text


@pytest.mark.parametrize("how", range(1, 9))
def test_orientation(how: int) -> None:
    from PIL import ImageOps

    data = saved(RGB, "PNG", exif=turned(how))
    with Image.open(io.BytesIO(data)) as image:
        shown = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(as_shown(np.asarray(RGB), how), shown)
    with Image.open(io.BytesIO(write_picture(read_picture(data), "TIFF").data)) as image:
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), shown)
