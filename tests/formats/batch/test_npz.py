"""Files of sequences come back: JSON to the byte, arrays as they were; all else is refused in one line."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdzip.errors import CoderError, InputError
from rdzip.formats.batch.npz import Sequences, read_sequences, write_sequences

CHORALES = {"train": [[[60, 64, 67], [], [59, 62]], [[48]]], "test": [[[60, 64], [60, 65], [21, 108]]]}


def npz(**arrays: Any) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def test_arrays_come_back() -> None:
    data = np.arange(15, dtype=np.uint8).reshape(5, 3)
    for kind in (np.int64, np.uint8, np.int32):
        file = npz(data=data, lengths=np.array([2, 0, 3], kind))
        found = read_sequences(file, "a.npz")
        assert [item.shape for item in found.items] == [(2, 3), (0, 3), (3, 3)]
        with np.load(io.BytesIO(write_sequences(found))) as again:
            np.testing.assert_array_equal(again["data"], data)
            assert again["lengths"].dtype == kind
            assert again["lengths"].tolist() == [2, 0, 3]


def test_notes_become_columns() -> None:
    found = read_sequences(json.dumps(CHORALES).encode(), "c.json")
    assert found.lengths.tolist() == [3, 1, 3]
    assert np.flatnonzero(found.data[0]).tolist() == [39, 43, 46]
    assert found.data[6, [0, 87]].tolist() == [1, 1]
    assert found.data.sum() == 12


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(CHORALES),
        json.dumps(CHORALES, separators=(",", ":")) + "\n",
        json.dumps(CHORALES["train"], indent=2),
        json.dumps(CHORALES, indent=1) + "\n\n",
        "[]",
        "[[]]",
        "[[[]]]",
        "{}",
        '{"é": []}',
        '{"\\u00e9": [], "[[[": [[[60]]]}',
        "[ [ [ 60 , 61 ] , [ ], [] ] ]",
        "[[[60, 60, 3, 1000], [-5], [67, 64]], [[64,67]]]",
        "[[[72, 60, 48], [70, 60], [60, 70]]]",
        "\t[[[0, 120]]]\r\n",
    ],
)
def test_json_comes_back_to_the_byte(text: str) -> None:
    assert write_sequences(read_sequences(text.encode(), "c.json")) == text.encode()


def test_a_plain_layout_costs_next_to_nothing() -> None:
    rng = np.random.default_rng(0)
    songs = [[sorted(rng.choice(60, 4, replace=False).tolist()) for _ in range(60)] for _ in range(40)]
    songs = [[[int(n) + 30 for n in step] for step in song] for song in songs]
    assert len(read_sequences(json.dumps({"train": songs}).encode(), "x").side) < 60
    assert len(read_sequences(json.dumps(songs, indent=2).encode(), "x").side) < 500
    falling = [[step[::-1] for step in song] for song in songs]
    assert len(read_sequences(json.dumps(falling).encode(), "x").side) < 500


NOTE = st.integers(-3, 130)
SONGS = st.lists(st.lists(st.lists(NOTE, max_size=5), max_size=6), max_size=4)


@settings(max_examples=60, deadline=None)
@given(st.one_of(SONGS, st.dictionaries(st.text(max_size=4), SONGS, max_size=3)), st.sampled_from([None, 0, 2]))
def test_any_json_of_notes_comes_back(document: Any, indent: int | None) -> None:
    text = json.dumps(document, indent=indent).encode()
    assert write_sequences(read_sequences(text, "x")) == text


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (b"", "found neither"),
        (b"\xff\xfe", "found neither"),
        (b"[" * 100000, "found neither"),
        (b"3", "expected a list of sequences"),
        (b'{"a": 3}', "expected a list of sequences"),
        (b'{"a": [], "a": []}', "there twice"),
        (b"[3]", "list of lists of notes"),
        (b"[[3]]", "list of lists of notes"),
        (b"[[[3.5]]]", "whole numbers"),
        (b"[[[60.0]]]", "whole numbers"),
        (b"[[[true]]]", "whole numbers"),
        (b"[[[[60]]]]", "whole numbers"),
        (b"PK\x03\x04rest", "expected an .npz"),
        (npz(data=np.zeros((3, 2), np.uint8)), "arrays data and lengths, found data"),
        (npz(data=np.zeros((3, 2)), lengths=np.array([3])), "data of uint8"),
        (npz(data=np.zeros((3, 2), np.uint8), lengths=np.array([3.0])), "lengths of whole numbers"),
        (npz(data=np.zeros((3, 2), np.uint8), lengths=np.array([1, 1])), "sum to the 3 steps"),
        (npz(data=np.zeros((3, 2), np.uint8), lengths=np.array([4, -1])), "sum to the 3 steps"),
    ],
)
def test_other_files_are_refused(file: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_sequences(file, "there.json")
    assert str(caught.value).startswith("there.json: ")
    assert "\n" not in str(caught.value)


def test_damaged_side_records_are_noticed() -> None:
    for text in ("[[[60, 64], [62]]]", "[[[60, 64], [62, 60]]]"):
        good = read_sequences(text.encode(), "x")
        for side in (b"", b"\x07", good.side[:-1], good.side[:1], good.side[:1] + b"zz", b"\x00", b"\x00\x99"):
            with pytest.raises(CoderError):
                write_sequences(Sequences(good.data, good.lengths, side))
        with pytest.raises(CoderError):
            write_sequences(Sequences(good.data[:1], good.lengths[:0], good.side))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"data": b"no array", "lengths": b""}, "expected the arrays data and lengths, found data, lengths"),
        ({"data.npy": b"no array", "lengths.npy": b""}, "expected a .npy file"),
        ({"data.npy": b"\x93NUMPY\1\0\x08\0{'descr'", "lengths.npy": b""}, "bad header"),
        ({}, "found none"),
    ],
)
def test_an_npz_of_other_members_is_refused(members: dict[str, bytes], message: str) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, body in members.items():
            file.writestr(name, body)
    with pytest.raises(InputError, match=message):
        read_sequences(out.getvalue(), "a.npz")
