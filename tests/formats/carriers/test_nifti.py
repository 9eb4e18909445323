"""NIfTI volumes come back byte for byte."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from helpers.carrier_support import carried, carried_or_not, close_hostile, cost, mutants
from hypothesis import given
from hypothesis import strategies as st

from rdzip.formats.carriers.carrier import NotCarriedError
from rdzip.formats.carriers.table import CARRIERS, carrier_of

NIFTI = 7
TYPES = {
    2: ("u1", "L"), 4: ("i2", "I;16"), 8: ("i4", "I"), 16: ("f4", "F"), 128: ("3u1", "RGB"), 256: ("i1", "L"),
    512: ("u2", "I;16"), 768: ("u4", "I"), 2304: ("4u1", "RGBA"),
}  # fmt: skip
FORMS = [(1, "<"), (1, ">"), (2, "<"), (2, ">")]


def nifti(
    samples: bytes, axes: Sequence[int], datatype: int, form: tuple[int, str] = (1, "<"), extensions: bytes = b"",
    offset: float | None = None,
) -> bytes:  # fmt: skip
    """A file; axes: without their number. offset: where the samples are said to begin, if not where they do."""
    version, order = form
    bits = 8 * np.dtype(TYPES.get(datatype, ("f8",))[0]).itemsize
    sizes = (len(axes), *axes, *(1,) * (7 - len(axes)))
    size = 348 if version == 1 else 540
    head = bytearray(size + 4)
    struct.pack_into(order + "i", head, 0, size)
    start = size + 4 + len(extensions) if offset is None else offset
    if version == 1:
        struct.pack_into(order + "8h", head, 40, *sizes)
        struct.pack_into(order + "2h", head, 70, datatype, bits)
        struct.pack_into(order + "9f", head, 76, *(1.0,) * 8, start)
        head[344:348] = b"n+1\0"
    else:
        struct.pack_into(order + "2h8q", head, 12, datatype, bits, *sizes)
        struct.pack_into(order + "8dq", head, 104, *(1.0,) * 8, int(start))
        head[4:12] = b"n+2\0\r\n\x1a\n"
    return bytes(head) + extensions + samples


def file(axes: Sequence[int], datatype: int, form: tuple[int, str] = (1, "<"), extensions: bytes = b"") -> bytes:
    size = int(np.prod(axes)) * np.dtype(TYPES[datatype][0]).itemsize
    return nifti(np.random.default_rng(datatype).bytes(size), axes, datatype, form, extensions)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("datatype", TYPES)
@pytest.mark.parametrize("axes", [(7, 5), (7, 5, 3), (4, 3, 2, 2), (2, 3, 1, 2, 1, 1, 2)], ids=str)
def test_each_type_version_and_order(form: tuple[int, str], datatype: int, axes: tuple[int, ...]) -> None:
    opened = carried(file(axes, datatype, form), NIFTI)
    channels = len(opened.pictures) / np.prod(axes[2:])
    assert channels == 1
    assert {p.mode for p in opened.pictures} == {TYPES[datatype][1]}
    assert opened.pictures[0].shape[:2] == (axes[1], axes[0])
    assert cost(opened) <= 75


def test_pictures_hold_the_slices() -> None:
    volume = np.arange(-60, 60, dtype=">i2").reshape(4, 5, 6)
    opened = carried(nifti(volume.tobytes(), (6, 5, 4), 4, (1, ">")), NIFTI)
    assert np.array_equal(np.stack([p.samples for p in opened.pictures]).astype(int) - 0x8000, volume)
    floats = np.array([[np.nan, -0.0, np.inf]], "<f4")
    assert carried(nifti(floats.tobytes(), (3, 1), 16), NIFTI).pictures[0].samples.tobytes() == floats.tobytes()


@pytest.mark.parametrize("form", FORMS)
def test_ordinary_heads_cost_a_few_bytes(form: tuple[int, str]) -> None:
    assert cost(carried(file((7, 5, 3), 4, form), NIFTI)) <= 12


def test_extensions_and_what_follows() -> None:
    data = file((7, 5, 3), 2, extensions=b"extension " * 4)
    opened = carried(data + b"after the end", NIFTI)
    assert opened.skeleton[1:] == [b"extension " * 4, b"after the end"]


def test_what_is_not_carried() -> None:
    volume = file((7, 5, 3), 2)
    for data, why in (
        (volume[:-1], "cut short"),
        (volume[:349], "no volume"),
        (nifti(bytes(99), (3, 3), 64), "datatype 64"),
        (nifti(bytes(99), (99,), 2), "slices"),
        (nifti(bytes(99), (9, 0), 2), "slices"),
        (nifti(bytes(99), (30000, 30000, 9), 2), "pixels"),
        (nifti(bytes(99), (1, 1, 30000, 30), 2), "more than 262144 pictures"),
        (nifti(bytes(99), (3, 3), 2, offset=np.nan), "begin"),
        (nifti(bytes(99), (3, 3), 2, offset=np.inf), "begin"),
        (nifti(bytes(99), (3, 3), 2, offset=352.5), "begin"),
        (nifti(bytes(99), (3, 3), 2, offset=8), "begin"),
        (nifti(bytes(99), (3, 3), 2, (2, "<"), offset=1 << 60), "begin"),
    ):
        with pytest.raises(NotCarriedError, match=why):
            CARRIERS[NIFTI].open(data)
    assert carrier_of(volume.replace(b"n+1\0", b"ni1\0")) is None


@given(
    st.lists(st.integers(1, 5), min_size=2, max_size=7).filter(lambda axes: np.prod(axes) < 3000),
    st.sampled_from(list(TYPES)), st.sampled_from(FORMS), st.binary(max_size=40), st.binary(max_size=40),
)  # fmt: skip
def test_round_trips(axes: list[int], datatype: int, form: tuple[int, str], extensions: bytes, rest: bytes) -> None:
    carried(file(axes, datatype, form, extensions) + rest, NIFTI)


@given(st.binary(max_size=400), st.sampled_from(FORMS))
def test_any_bytes(data: bytes, form: tuple[int, str]) -> None:
    whole = bytearray(file((7, 5, 3), 2, form))
    whole[12 : 12 + len(data)] = data
    carried_or_not(CARRIERS[NIFTI], bytes(whole))
    carried_or_not(CARRIERS[NIFTI], data)


FILES = [file((7, 5, 3), 2), file((7, 5, 3), 4, (1, ">"), b"more"), file((4, 3), 128, (2, "<")), file((4, 3), 16)]


def test_mutants_come_back_or_are_refused() -> None:
    hits = [carried_or_not(CARRIERS[NIFTI], m) for i, f in enumerate(FILES) for m in mutants(f, 700, i, 120)]
    assert 100 < sum(hits) < len(hits)


def test_hostile_skeletons() -> None:
    for i, data in enumerate(FILES):
        close_hostile(NIFTI, CARRIERS[NIFTI].open(data + b"\1"), 300, i)


@pytest.mark.parametrize("name", ["example4d", "someones_anatomy", "someones_epi"])
def test_real_volumes(name: str, shared_data: Path) -> None:
    data = gzip.decompress((shared_data / "volumes" / f"{name}.nii.gz").read_bytes())
    opened = carried(data, NIFTI)
    assert {p.mode for p in opened.pictures} == {"I;16" if name == "example4d" else "L"}
    assert cost(opened) < 300
