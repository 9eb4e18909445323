"""DICOM files come back byte for byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.carrier_support import carried, carried_or_not, close_hostile, cost, mutants
from helpers.dicom_files import BIG, DEFLATED, EXPLICIT, GE, IMPLICIT, JPEG, UNDEFINED, dicom, element, noise, sequences
from hypothesis import given
from hypothesis import strategies as st

from rdzip.formats.carriers.carrier import NotCarriedError
from rdzip.formats.carriers.table import CARRIERS, carrier_of

DICOM = 6
SYNTAXES = [IMPLICIT, EXPLICIT, BIG]


def file(shape: tuple[int, int, int, int], bits: int, syntax: bytes = EXPLICIT, **more: object) -> bytes:
    return dicom(noise(shape, bits), shape, bits, syntax, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("bits", [1, 8, 16, 32])
@pytest.mark.parametrize("frames", [1, 3])
def test_each_syntax_and_width(syntax: bytes, bits: int, frames: int) -> None:
    shape = (frames, 6, 8, 1)
    opened = carried(file(shape, bits, syntax, more=sequences(syntax)), DICOM)
    assert len(opened.pictures) == frames
    assert {p.mode for p in opened.pictures} == {{1: "1", 8: "L", 16: "I;16", 32: "I"}[bits]}
    assert opened.pictures[0].shape == (6, 8)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_pictures_hold_the_samples(syntax: bytes) -> None:
    order = ">i2" if syntax == BIG else "<i2"
    samples = np.array([[-2, -1, 0], [1, 2, 4095]], order)
    (picture,) = carried(dicom(samples.tobytes(), (1, 2, 3, 1), 16, syntax, sign=1), DICOM).pictures
    assert np.array_equal(picture.samples.astype(np.int32) - 0x8000, samples)
    floats = np.array([[np.nan, -0.0, 1.5]], order.replace("i2", "f4"))
    (picture,) = carried(dicom(floats.tobytes(), (1, 1, 3, 1), 32, syntax, tag=0x7FE00008), DICOM).pictures
    assert picture.mode == "F"
    assert np.array_equal(picture.samples, floats, equal_nan=True)


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize(("colours", "mode"), [(b"RGB ", "RGB"), (b"YBR_FULL", "YCbCr")])
def test_colours(planar: int, colours: bytes, mode: str) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3), np.uint8)
    raw = (rgb.transpose(0, 3, 1, 2) if planar else rgb).tobytes()
    opened = carried(dicom(raw, rgb.shape, 8, planar=planar, colours=colours), DICOM)
    assert [p.mode for p in opened.pictures] == [mode] * 2
    assert np.array_equal(np.stack([p.samples for p in opened.pictures]), rgb)


def tables(entries: int, factor: int, kind: str, order: str = "<") -> bytes:
    """Descriptors and tables of a palette of 3 v, 5 v, 7 v modulo 256."""
    syntax = BIG if order == ">" else EXPLICIT
    found = b""
    for i in range(3):
        descriptor = np.array([entries, 0, 16], order + "u2").tobytes()
        found += element(0x00281101 + i, b"US", descriptor, syntax)
    for i in range(3):
        values = np.arange(entries) * (3 + 2 * i) % 256 * factor
        data = values.astype(order + kind).tobytes()
        found += element(0x00281201 + i, b"OW", data + b"\0" * (len(data) & 1), syntax)
    return found


@pytest.mark.parametrize(("form", "factor", "kind"), [(1, 256, "u2"), (2, 257, "u2"), (3, 1, "u2"), (4, 1, "u1")])
@pytest.mark.parametrize("syntax", [EXPLICIT, BIG])
@pytest.mark.parametrize("entries", [256, 99])
def test_palettes_are_those_of_the_pictures(form: int, factor: int, kind: str, syntax: bytes, entries: int) -> None:
    more = tables(entries, factor, kind, ">" if syntax == BIG else "<")
    samples = bytes(v % entries for v in noise((2, 9, 9, 1), 8))
    data = dicom(samples, (2, 9, 9, 1), 8, syntax, more=more, colours=b"PALETTE COLOR ")
    opened = carried(data, DICOM)
    assert [p.mode for p in opened.pictures] == ["P"] * 2
    assert opened.pictures[0].palette[:9] == bytes([0, 0, 0, 3, 5, 7, 6, 10, 14])
    assert opened.skeleton[3] == form
    assert cost(opened) < 250
    close_hostile(DICOM, opened, 300, form)


def test_palettes_that_no_picture_holds_stay_where_they_are() -> None:
    samples = noise((1, 9, 9, 1), 8)
    for more in (tables(99, 256, "u2"), tables(256, 255, "u2"), tables(256, 256, "u2")[:-524], b""):
        data = dicom(samples, (1, 9, 9, 1), 8, more=more, colours=b"PALETTE COLOR ")
        assert carried(data, DICOM).pictures[0].mode == "L"


def test_subsampled_colours() -> None:
    samples = noise((3, 4, 6, 2), 8)
    data = dicom(samples, (3, 4, 6, 3), 8, colours=b"YBR_FULL_422")
    opened = carried(data, DICOM)
    assert [p.shape for p in opened.pictures] == [(4, 6)] * 3 + [(4, 3)] * 6
    assert opened.pictures[0].samples[0, :2].tobytes() == samples[:2]
    assert (opened.pictures[3].samples[0, 0], opened.pictures[6].samples[0, 0]) == tuple(samples[2:4])
    close_hostile(DICOM, opened, 300, 1)
    whole = dicom(noise((3, 4, 6, 3), 8), (3, 4, 6, 3), 8, colours=b"YBR_FULL_422")
    assert [p.mode for p in carried(whole, DICOM).pictures] == ["YCbCr"] * 3


def test_bits_that_are_not_stored_stay() -> None:
    data = noise((1, 9, 9, 1), 16)
    assert carried(dicom(data, (1, 9, 9, 1), 16), DICOM).pictures[0].samples.tobytes() == data


def test_implicit_elements_around_samples_with_the_high_byte_first() -> None:
    samples = np.arange(12, dtype=">u2")
    (picture,) = carried(dicom(samples.tobytes(), (1, 3, 4, 1), 16, GE), DICOM).pictures
    assert np.array_equal(picture.samples.ravel(), samples)


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT])
def test_without_preamble(syntax: bytes) -> None:
    carried(file((1, 5, 7, 1), 8, syntax, preamble=False), DICOM)


def test_ordinary_files_cost_little_more_than_their_elements() -> None:
    odd = file((1, 5, 7, 1), 8)
    opened = carried(odd, DICOM)
    assert opened.skeleton[0][0] == 140
    assert len(opened.skeleton) == 1
    assert cost(opened) <= len(odd) - 35 - 128 - 12
    without_filling = odd[:-1]
    carried(without_filling, DICOM)
    carried(odd + element(0xFFFCFFFC, b"OB", b"padding behind"), DICOM)


def test_what_is_not_carried() -> None:
    good = file((1, 5, 7, 1), 8)
    deep = element(0x00081140, b"SQ", b"", EXPLICIT, UNDEFINED) + element(0xFFFEE000, b"", b"", EXPLICIT, UNDEFINED)
    for data, why in (
        (good[:-3], "cut short"),
        (good[:300], "cut short"),
        (file((1, 5, 7, 1), 8, DEFLATED), r"compressed \(transfer syntax 1.2.840.10008.1.2.1.99\)"),
        (file((1, 5, 7, 1), 8, JPEG), "compressed"),
        (file((1, 5, 7, 1), 8, b"\xff\n"), "that is no number"),
        (file((1, 5, 7, 1), 12), "12 bits"),
        (dicom(bytes(70), (1, 5, 7, 3), 8, colours=b"YBR_FULL_422"), "subsampled"),
        (dicom(bytes(70), (1, 5, 8, 3), 8, colours=b"YBR_FULL_422"), "subsampled"),
        (dicom(bytes(70), (1, 60000, 60000, 1), 8), "pixels"),
        (dicom(bytes(70), (1, 0, 60000, 1), 8), "no samples"),
        (dicom(b"", (1, 5, 7, 1), 8).replace(b"OW\0\0\0\0\0\0", b"OB\0\0\xff\xff\xff\xff"), "compressed"),
        (file((1, 5, 7, 1), 8, more=deep * 99), "well formed"),
        (file((1, 5, 7, 1), 8, more=b"\x08\0\x99\0?? \0"), "unknown kind"),
        (file((1, 5, 7, 1), 8).replace(b"1.2\0", b"1.2\0" + b"\x08\0\x18\0UI\xff\xff"), "cut short"),
    ):
        with pytest.raises(NotCarriedError, match=why):
            CARRIERS[DICOM].open(data)
    assert carrier_of(b"\x08\0" + bytes(200)) is None


@given(st.binary(max_size=200), st.sampled_from(SYNTAXES))
def test_any_bytes(data: bytes, syntax: bytes) -> None:
    carried_or_not(CARRIERS[DICOM], data)
    carried_or_not(CARRIERS[DICOM], file((1, 5, 7, 1), 8, syntax, more=data))
    carried_or_not(CARRIERS[DICOM], file((1, 5, 7, 1), 8, syntax)[:160] + data)


@given(
    st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.integers(1, 5)),
    st.sampled_from((8, 16, 32)), st.sampled_from(SYNTAXES), st.integers(0, 1), st.integers(0, 1),
    st.binary(max_size=40),
)  # fmt: skip
def test_round_trips(
    shape: tuple[int, int, int, int], bits: int, syntax: bytes, sign: int, planar: int, rest: bytes
) -> None:
    carried(file(shape, bits, syntax, sign=sign, planar=planar) + rest, DICOM)


FILES = [
    file((1, 5, 7, 1), 16, more=sequences(EXPLICIT)), file((2, 5, 7, 3), 8, IMPLICIT, planar=1),
    file((2, 5, 7, 1), 16, BIG, sign=1), file((3, 5, 7, 1), 1),
    dicom(bytes(range(35)), (1, 5, 7, 1), 8, more=tables(64, 257, "u2"), colours=b"PALETTE COLOR "),
    dicom(noise((2, 5, 8, 2), 8), (2, 5, 8, 3), 8, colours=b"YBR_FULL_422"),
]  # fmt: skip


def test_mutants_come_back_or_are_refused() -> None:
    hits = [carried_or_not(CARRIERS[DICOM], m) for i, f in enumerate(FILES) for m in mutants(f, 700, i, 600)]
    assert 100 < sum(hits) < len(hits)


def test_hostile_skeletons() -> None:
    for i, data in enumerate(FILES):
        close_hostile(DICOM, CARRIERS[DICOM].open(data + b"\1"), 300, i)


@pytest.mark.parametrize("name", ["CT1", "MR1", "MR2", "NM1", "RG3"])
def test_real_files(name: str, shared_data: Path) -> None:
    data = (shared_data / "files" / "deep" / f"nema-{name}.dcm").read_bytes()
    opened = carried(data, DICOM)
    assert [p.mode for p in opened.pictures] == ["I;16"]
    assert cost(opened) < 0.75 * (len(data) - opened.pictures[0].samples.nbytes)
