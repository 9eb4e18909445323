"""Files of sequences come back as arrays as they were; all else is refused in one line."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
import pytest

from rdzip.errors import InputError
from rdzip.formats.batch.header import LENGTH_DTYPES
from rdzip.formats.batch.npz import read_sequences, write_sequences


def npz(**arrays: Any) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


@pytest.mark.parametrize("kind", [*LENGTH_DTYPES, ">i4"])
def test_arrays_come_back(kind: str) -> None:
    data = np.arange(15, dtype=np.uint8).reshape(5, 3)
    steps, lengths = read_sequences(npz(data=data, lengths=np.array([2, 0, 3], kind)), "a.npz")
    with np.load(io.BytesIO(write_sequences(steps, lengths.tolist(), lengths.dtype.str))) as again:
        np.testing.assert_array_equal(again["data"], data)
        assert again["lengths"].dtype == np.dtype(kind).newbyteorder("<")
        assert again["lengths"].tolist() == [2, 0, 3]


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (b"", "expected an .npz"),
        (b"[[[60, 64], [62]]]", "expected an .npz"),
        (b"PK\x03\x04rest", "expected an .npz"),
        (npz(data=np.zeros((3, 2), np.uint8)), "arrays data and lengths, found data"),
        (npz(data=np.zeros((3, 2)), lengths=np.array([3])), "data of uint8"),
        (npz(data=np.zeros((3, 2), np.uint8), lengths=np.array([3.0])), "lengths of whole numbers"),
        (npz(data=np.zeros((3, 2), np.uint8), lengths=np.array([[3]])), "lengths of whole numbers"),
        (npz(data=np.zeros((3, 2), np.uint8), lengths=np.array([1, 1])), "sum to the 3 steps"),
        (npz(data=np.zeros((3, 2), np.uint8), lengths=np.array([4, -1])), "sum to the 3 steps"),
    ],
)
def test_other_files_are_refused(file: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_sequences(file, "there.npz")
    assert str(caught.value).startswith("there.npz: ")
    assert "\n" not in str(caught.value)


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
