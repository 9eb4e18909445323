import re
import zlib

import numpy as np
import pytest

from rdzip.errors import FormatError, RdzipError
from rdzip.formats import container
from rdzip.formats.container import Section, SectionType, pack, unpack
from rdzip.formats.describe import describe
from rdzip.formats.header import ImageHeader, ModelReference
from rdzip.formats.images.picture import Picture
from rdzip.pipeline.compress import compress
from rdzip.pipeline.decompress import decompress
from rdzip.pipeline.request import Request

SAMPLES = np.random.default_rng(3).integers(0, 60, (6, 7, 3)).astype(np.uint8).cumsum(1, dtype=np.uint8)


@pytest.fixture(scope="module")
def small() -> bytes:
    picture = Picture(SAMPLES, "RGB", metadata={"info": {"dpi": [72.0, 72.0], "comment": b"hello"}})
    return compress(picture, Request(codec="classic")).data


def _same_or_refused(data: bytes) -> bool:
    """Return whether `data` was refused; anything else than RdzipError or the identical picture fails."""
    try:
        picture = decompress(data).picture
    except RdzipError as error:
        return "\n" not in str(error)
    np.testing.assert_array_equal(picture.samples, SAMPLES)
    return False


def test_overhead_of_a_plain_rgb_image_is_below_64_bytes():
    header = ImageHeader(6000, 8000, 0, b"12345678", ModelReference("photo", b"12345678", 5))
    for size in (1, 440_000, 60_000_000):
        body = b"\x01\x02" + bytes(size)
        assert len(pack(header.to_map(), [Section(SectionType.COLOUR, body)])) - size < 64


def test_sections_come_back():
    sections = [Section(SectionType.COLOUR, b"abc"), Section(SectionType.ALPHA, b"")]
    parsed = unpack(pack({0: [1, 2]}, sections))
    assert parsed.header == {0: [1, 2]}
    assert [(s.type, bytes(s.body)) for s in parsed.sections] == [(1, b"abc"), (2, b"")]


def test_unknown_optional_sections_are_skipped_and_critical_ones_refused():
    assert unpack(pack({}, [Section(200, b"later"), Section(1, b"x")])).sections == [Section(1, b"x")]
    with pytest.raises(FormatError, match="newer rdzip: its section of type 99"):
        unpack(pack({}, [Section(99, b"later")]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: b"", "it is empty"),
        (lambda data: b"\x89PNG\r\n\x1a\n" + data[8:], "not an .rdz file"),
        (lambda data: b"RIFF", "not an .rdz file"),
        (lambda data: data.replace(b"\r\n", b"\n"), "text mode"),
        (lambda data: data.replace(b"\n", b"\r\n"), "text mode"),
        (lambda data: bytes([data[0] & 127]) + data[1:], "text mode"),
        (lambda data: data[:5], "truncated"),
        (lambda data: data[:-1], "truncated"),
        (lambda data: data[:-20], "truncated"),
        (lambda data: data[:8] + b"\x02" + data[9:], "format version 2"),
        (lambda data: data[:14] + bytes([data[14] ^ 1]) + data[15:], "checksum mismatch in the header"),
        (lambda data: data[:-10] + bytes([data[-10] ^ 1]) + data[-9:], "checksum mismatch in the section"),
        (lambda data: data + data, "follow the end mark"),
    ],
)
def test_each_damage_has_its_own_message(small, change, message):
    with pytest.raises(FormatError, match=message):
        decompress(change(small))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({0: [1 << 40, 1 << 40]}, "the shape"),
        ({0: [0, 5]}, "the shape"),
        ({0: "big"}, "the shape"),
        ({0: [1 << 30, 1 << 30], 2: b"12345678"}, "at most 178956970 are allowed"),
        ({0: [1, 1], 1: 77, 2: b"12345678"}, "pixel mode 77 is unknown"),
        ({0: [1, 1], 2: b"123"}, "the pixel hash"),
        ({0: [1, 1], 2: b"12345678", 3: ["photo", b"1", 5]}, "the model's hash"),
        ({0: [1, 1], 2: b"12345678", 3: ["photo", b"12345678", 100]}, "entropy coder 100, this rdzip has 5"),
        ({0: [1, 1], 2: b"12345678", 5: 9}, "arrangement 9 is unknown"),
        ({0: [1, 1], 2: b"12345678", 40: 1}, "unknown key 40"),
        ({0: [1, 1], 1: 4, 2: b"12345678"}, "without palette"),
        ({0: [1, 1], 2: b"12345678", 6: "a\nb"}, "the source format"),
    ],
)
def test_hostile_headers_are_refused(header, message):
    with pytest.raises(FormatError, match=re.escape(message)):
        decompress(pack(header, [Section(SectionType.COLOUR, b"\x00\x00abc")]))


def test_every_single_byte_corruption_is_refused(small):
    for at in range(len(small)):
        for flip in (1, 0x80, 0xFF, 0x2A):
            assert _same_or_refused(small[:at] + bytes([small[at] ^ flip]) + small[at + 1 :]), (at, flip)


def test_every_value_of_every_byte_before_the_payload_is_refused(small):
    for at in range(60):
        for value in set(range(256)) - {small[at]}:
            assert _same_or_refused(small[:at] + bytes([value]) + small[at + 1 :]), (at, value)


def test_every_truncation_is_refused(small):
    for size in range(len(small)):
        assert _same_or_refused(small[:size])


def _mend(data: bytes) -> bytes:
    """Return `data` with every checksum made right, as far as its lengths can be followed."""
    mended = bytearray(data)
    at, first = 8, True
    while at < len(mended) and (first or mended[at]):
        try:
            length, start = container.read_varint(bytes(mended), at + 1)
        except FormatError:
            break
        end = start + length
        if end + 4 > len(mended):
            break
        mended[end : end + 4] = zlib.crc32(mended[at:end]).to_bytes(4, "little")
        at, first = end + 4, False
    return bytes(mended)


@pytest.mark.parametrize("mend", [False, True])
def test_thousands_of_random_mutations_are_refused_or_harmless(small, mend):
    rng = np.random.default_rng(11)
    for _ in range(4000):
        data = bytearray(small)
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(8, len(data)))
            kind = rng.integers(0, 4)
            if kind == 0:
                data[at] = int(rng.integers(0, 256))
            elif kind == 1:
                del data[at : at + int(rng.integers(1, 9))]
                data = data if len(data) > 8 else bytearray(small)
            elif kind == 2:
                data[at:at] = rng.bytes(int(rng.integers(1, 9)))
            else:
                data[at : at + 4] = b"\xff\xff\xff\x7f"
        _same_or_refused(_mend(bytes(data)) if mend else bytes(data))


def test_random_bytes_behind_the_signature_are_refused():
    rng = np.random.default_rng(5)
    for size in range(200):
        assert _same_or_refused(container.SIGNATURE + b"\x01" + rng.bytes(size))
        assert _same_or_refused(rng.bytes(size))


def test_describe_decodes_nothing_and_refuses_what_decoding_refuses(small):
    facts = describe(small)
    assert (facts["codec"], facts["shape"], facts["mode"], facts["bytes"]) == ("classic", [6, 7, 3], "RGB", len(small))
    for size in range(len(small)):
        with pytest.raises(FormatError):
            describe(small[:size])
