"""Arguments of the public functions: what is a file, and one clear line for what is no argument."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import rdzip
from rdzip.errors import InputError, RdzipError

PIXELS = np.arange(400, dtype=np.uint8).reshape(20, 20)


class Named:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)


def forms(path: Path) -> list[Any]:
    data = path.read_bytes()
    return [str(path), path, Named(path), data, bytearray(data), memoryview(data), io.BytesIO(data)]


@pytest.fixture
def png(tmp_path: Path) -> Path:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    (tmp_path / "a.rdz").write_bytes(rdzip.compress(PIXELS, codec="classic"))
    return tmp_path / "a.rdz"


def test_files_in_all_forms(png: Path, packed: Path) -> None:
    for form in forms(png):
        assert rdzip.decompress(rdzip.compress(form, codec="classic")).tobytes() == PIXELS.tobytes()
    for form in forms(packed):
        assert rdzip.decompress(form).tobytes() == PIXELS.tobytes()
    for form in forms(packed):
        assert np.array_equal(rdzip.decompress_array(form), PIXELS)
    for form in forms(packed):
        assert rdzip.info(form)["shape"] == [20, 20]
    with packed.open("rb") as file:
        assert rdzip.decompress(file).size == (20, 20)
    for path in (str(packed), packed, Named(packed)):
        assert rdzip.open_rdz(path).size == (20, 20)


FILES = [rdzip.compress, rdzip.decompress, rdzip.restore, rdzip.decompress_array, rdzip.info, rdzip.open_rdz]


@pytest.mark.parametrize("function", FILES)
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "found NoneType"),
        (5, "found 5 of type int"),
        (math.nan, "found nan of type float"),
        (10**400, "found int"),
        (object(), "found object"),
        ({}, "found dict"),
        ("nowhere.rdz", "cannot read nowhere.rdz: No such file"),
        ("a\0b", "cannot read a.x00b: embedded null byte"),
        (".", "Is a directory"),
        (io.StringIO("text"), "binary mode|expected the path of a file"),
        (b"", "empty|expected the path of a file|not a .rdz file|cut off|too short|truncated"),
    ],
)
def test_what_is_no_file(function: Callable[..., Any], value: Any, message: str) -> None:
    if function is rdzip.compress and value == b"":
        assert rdzip.restore(rdzip.compress(value)) == value  # any file comes back, an empty one too
        return
    with pytest.raises(RdzipError, match=message) as caught:
        function(value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "value",
    [
        [], (), [1, 2], ["a"], [[1], [1, 2]], [None], [PIXELS, "b"],
        np.array(None), np.uint8(3), np.zeros(3, np.uint8), np.zeros((0, 3), np.uint8), np.zeros((3, 3, 0), np.uint8),
        np.zeros((2, 3, 3, 9), np.uint8), np.zeros((1, 1, 1, 1, 1), np.uint8),
        np.zeros((3, 3), object), np.zeros((3, 3), complex), np.zeros((3, 3), np.float16), np.zeros((3, 3)),
        np.zeros((3, 3), np.int64), np.zeros((3, 3), "S3"), np.zeros((3, 3), "M8[s]"), np.zeros((3, 3), [("a", "u1")]),
        np.ma.masked_array(PIXELS, PIXELS == 0), Image.new("L", (0, 0)),
    ],
)  # fmt: skip
def test_what_is_no_image(value: Any) -> None:
    with pytest.raises(InputError, match="expected") as caught:
        rdzip.compress(value)
    assert "\n" not in str(caught.value)


WRONG: list[Any] = [math.nan, math.inf, -1, "x", b"x", [], [1], 5.5, 1j, object(), np.zeros(3)]
NUMBERS = ["quality", "max_error", "threads", "particles", "refine", "steps", "beams", "seed", "segment", "effort"]


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_that_are_none(name: str) -> None:
    for value in WRONG:
        with pytest.raises(InputError, match=f"`{name}`: expected a whole number") as caught:
            rdzip.compress(PIXELS, **{name: value})
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="found True of type bool"):
        rdzip.compress(PIXELS, **{name: True})


@pytest.mark.parametrize("name", ["target_bpp", "omega", "epsilon"])
def test_reals_that_are_none(name: str) -> None:
    for value in (math.nan, math.inf, "x", b"x", [], 1j, object(), np.zeros(3), True):
        with pytest.raises(InputError, match=f"`{name}`: expected a number"):
            rdzip.compress(PIXELS, **{name: value})


@pytest.mark.parametrize("name", ["model", "codec", "device", "metadata", "resample"])
def test_texts_that_are_none(name: str) -> None:
    for value in (5, math.nan, b"x", [], object(), True):
        with pytest.raises(InputError, match=f"`{name}`: expected a text"):
            rdzip.compress(PIXELS, **{name: value})


def test_other_arguments(packed: Path) -> None:
    for name in ("verify", "offline", "batch", "interleave"):
        with pytest.raises(InputError, match=f"`{name}`: expected True or False, found 'no'"):
            rdzip.compress(PIXELS, **{name: "no"})
    for name in ("fetch", "offline"):
        with pytest.raises(InputError, match=f"`{name}`: expected True or False, found 1"):
            rdzip.decompress(packed, **{name: 1})
    for items in (5, "5", ["a"], [1.5], [-1], object()):
        with pytest.raises(InputError, match="`items`: expected"):
            rdzip.decompress(packed, items=items)
    for value in (0, -1, math.nan, "x"):
        with pytest.raises(InputError, match="`max_pixels`: expected a whole number of 1 or more"):
            rdzip.decompress(packed, max_pixels=value)


def test_numbers_of_numpy_are_numbers(packed: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (30, 30)).astype(np.uint8)
    data = rdzip.compress(noise, effort=np.int64(1), threads=np.uint8(1), max_error=np.int32(2))
    assert rdzip.info(data)["max_error"] == 2
    assert rdzip.decompress(packed, max_pixels=np.int64(400), items=np.array([0])).size == (20, 20)
    assert rdzip.compress(PIXELS, codec=None, model=None, effort=None, threads=None, verify=None)


def test_a_model_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(RdzipError, match=r"m\.safetensors"):
        rdzip.compress(PIXELS, model=tmp_path / "m.safetensors")
    assert not list(tmp_path.iterdir())
