"""Batches: many items in one file, there and back, and in parts."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import latent_stub
from helpers.latent_stub import some

import rdzip
from rdzip.codecs.bits_back import chain
from rdzip.errors import FormatError, InputError
from rdzip.formats import container
from rdzip.formats.batch import files as batch_files
from rdzip.formats.batch import npy
from rdzip.formats.batch.header import BatchHeader, Form
from rdzip.formats.batch.items import of_array, of_pictures, of_sequences
from rdzip.formats.images.picture import Picture
from rdzip.pipeline.batch_compress import compress_batch
from rdzip.pipeline.batch_decompress import decompress_batch
from rdzip.pipeline.request import Request

pytestmark = pytest.mark.usefixtures("stubbed")


def npy_file(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


# There and back


@pytest.mark.parametrize("segment", [None, 1, 3, 10, 99])
def test_a_chain_comes_back_whole_and_in_parts(grey: str, segment: int | None) -> None:
    array = some((10, 6, 7))
    data = rdzip.compress(array, model=grey, codec="bb-cis", particles=50, segment=segment)
    np.testing.assert_array_equal(rdzip.decompress(data), array)
    np.testing.assert_array_equal(rdzip.decompress(data, items=[7, 2]), array[[7, 2]])
    facts = rdzip.info(data)
    assert (facts["kind"], facts["codec"], facts["model"]) == ("batch", "bb-cis", "grey")
    assert facts["options"]["particles"] == 50
    assert facts["segments"] == -(-10 // min(segment or 10, 10))
    assert (facts["items"], facts["shape"], facts["bytes"]) == (10, [10, 6, 7], len(data))
    assert facts["bpsp"] == 8 * len(data) / array.size


def test_only_the_segments_of_items_are_decoded(grey: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = rdzip.compress(some((10, 6, 7)), model=grey, segment=3)
    seen: list[Any] = []
    inner = chain.decode

    def spy(model: Any, payload: bytes, shape: Any, progress: Any = None) -> Any:
        seen.append(shape)
        return inner(model, payload, shape, progress)

    monkeypatch.setattr(chain, "decode", spy)
    rdzip.decompress_array(data, items=[9, 4, 5])
    assert seen == [(3, 6, 7), (1, 6, 7)]


@pytest.mark.parametrize("top", [1, 255])
@pytest.mark.parametrize("dtype", [np.uint8, np.bool_])
def test_two_values_are_mapped(binary: str, top: int, dtype: type) -> None:
    array: Any = (some((4, 6, 7), 2) * top).astype(dtype)
    back = rdzip.decompress(rdzip.compress(array, model=binary))
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, array)


def test_other_values_are_refused(binary: str) -> None:
    array = some((4, 6, 7), 2)
    array[2, 3, 3] = 128
    with pytest.raises(InputError, match=r"2 values \(0 to 1, or 0 and 255\), found values up to 128"):
        rdzip.compress(array, model=binary)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((1, 4, 9), "|u1"), ((7, 5, 6), "|u1"), ((5, 4, 6, 3), "|u1"), ((5, 4, 6, 1), "|u1"), ((3, 4, 6, 4), "<u2"),
        ((7, 5, 6), ">u2"), ((7, 5, 6), "|b1"), ((7, 5, 6), "<i4"), ((7, 5, 6), ">f4"), ((5, 6), "|u1"),
        ((5, 6, 3), "|u1"), ((100, 1, 1), "|u1"), ((6, 300, 2), "|u1"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("segment", [None, 2])
def test_arrays_without_a_model_come_back_to_the_byte(shape: tuple[int, ...], dtype: str, segment: int | None) -> None:
    array = (some(shape) % (2 if dtype == "|b1" else 9)).astype(dtype)
    for source in (array, np.asfortranarray(array)):
        file = npy_file(source)
        readings = batch_files.readings_of(file)
        assert readings is not None
        data = compress_batch(readings, Request(segment=segment, codec="classic")).data
        back = decompress_batch(data).batch
        assert batch_files.write_items(back).data == file
        np.testing.assert_array_equal(back.array(), array)
        facts = rdzip.info(data)
        assert (facts["codec"], facts["shape"], facts["dtype"]) == ("classic", list(shape), dtype)


def test_a_single_image_in_an_array(colour: str, grey: str) -> None:
    for array, model in ((some((6, 7)), grey), (some((8, 9, 3)), colour)):
        readings = batch_files.readings_of(npy_file(array))
        data = compress_batch(readings or [], Request(model=model)).data
        assert batch_files.write_items(decompress_batch(data).batch).data == npy_file(array)
        assert rdzip.info(data)["items"] == 1


def test_named_images(colour: str) -> None:
    pictures = [(f"deep/{i}.png", Picture(some((5, 6, 3), seed=i), "RGB", source_format="PNG")) for i in range(4)]
    pictures[2] = ("b.bmp", Picture(some((5, 6, 3)), "RGB", source_format="BMP"))
    done = compress_batch(of_pictures(pictures), Request(model=colour, segment=3))
    assert done.report.codec == "bit-swap"
    found = decompress_batch(done.data, items=[2, 3]).batch
    for (name, picture), (wanted, original) in zip(found.pictures(), pictures[2:], strict=True):
        assert (name, picture.source_format) == (wanted, original.source_format)
        np.testing.assert_array_equal(picture.samples, original.samples)
    assert rdzip.info(done.data)["names"] == [name for name, _ in pictures]
    images = rdzip.decompress(done.data)
    assert [image.size for image in images] == [(6, 5)] * 4


@pytest.mark.parametrize("segment", [None, 1, 2])
@pytest.mark.parametrize("with_model", [True, False])
def test_sequences(rolls: str, segment: int | None, with_model: bool) -> None:
    sequences = [some((steps, 5), 2, seed=steps) for steps in (3, 1, 7)]
    options: dict[str, Any] = {"model": rolls, "particles": 4} if with_model else {"codec": "classic"}
    data = rdzip.compress(sequences, segment=segment, **options)
    for found, wanted in zip(rdzip.decompress(data), sequences, strict=True):
        np.testing.assert_array_equal(found, wanted)
    (last,) = rdzip.decompress(data, items=[2])
    np.testing.assert_array_equal(last, sequences[2])
    facts = rdzip.info(data)
    assert (facts["lengths"], facts["shape"]) == ([3, 1, 7], [11, 5])


def test_files_of_sequences(rolls: str, tmp_path: Path) -> None:
    out = io.BytesIO()
    np.savez(out, data=some((7, 5), 2), lengths=np.array([3, 0, 4], np.int16))
    for segment in (None, 1):
        readings = batch_files.readings_of(out.getvalue())
        assert readings is not None
        data = compress_batch(readings, Request(model=rolls, segment=segment)).data
        (again,) = batch_files.readings_of(batch_files.write_items(decompress_batch(data).batch).data) or []
        np.testing.assert_array_equal(again.samples, readings[0].samples)
        assert (again.lengths, again.length_dtype) == ([3, 0, 4], "<i2")
        part = decompress_batch(data, items=[2, 1]).batch
        (some_of,) = batch_files.readings_of(batch_files.write_items(part).data) or []
        assert some_of.lengths == [4, 0]
        np.testing.assert_array_equal(some_of.samples, readings[0].part(2, 3))
    deflated = io.BytesIO()
    np.savez_compressed(deflated, data=np.zeros((1 << 23, 1), np.uint8), lengths=np.array([1 << 23]))
    broken = deflated.getvalue()[:200] + b"\xa5" * 50 + deflated.getvalue()[250:]
    for bad in (b"PK\3\4", out.getvalue()[:-9], broken):
        with pytest.raises(InputError, match="expected"):
            batch_files.readings_of(bad)
    with pytest.raises(InputError, match="raise `max_pixels`"):
        batch_files.readings_of(deflated.getvalue(), max_pixels=1000)


def test_report_and_progress(grey: str) -> None:
    seen: list[float] = []
    array = some((10, 6, 7))
    (way,) = of_array(array)
    report = compress_batch(way, Request(model=grey, segment=4), progress=seen.append).report
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert report.shape == (10, 6, 7)
    assert report.bytes_in == array.size
    assert report.bpsp == 8 * report.bytes_out / array.size
    assert report.bits.ideal < report.bits.net < report.bits.total < 8 * report.bytes_out
    assert list(report.seconds) == ["load", "encode", "verify"]


def test_verification_refuses_what_does_not_come_back(grey: str, monkeypatch: pytest.MonkeyPatch) -> None:
    other = rdzip.compress(some((3, 6, 7), seed=1), model=grey)
    monkeypatch.setattr(container, "pack", lambda *_: other)
    with pytest.raises(FormatError, match="verification failed"):
        rdzip.compress(some((3, 6, 7)), model=grey)


# What is refused on the way in


@pytest.mark.parametrize(
    ("array", "what"),
    [
        (some((4, 6, 8)), "expected items of"),
        (some((4, 6, 7, 1)), "expected items of"),
        (some((4, 6, 7)).astype(np.uint16), "uint8 or bool, found uint16"),
        (some((4, 6, 7)).astype(np.float64), "found float64"),
        (some((4, 3, 6, 7)), "reshape or transpose"),
        (some((0, 6, 7)), "at least one sample"),
    ],
)
def test_arrays_that_do_not_suit_the_model(grey: str, array: np.ndarray, what: str) -> None:
    with pytest.raises(InputError, match=what) as caught:
        rdzip.compress(array, model=grey)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"codec": "bit-swap", "particles": 4}, "`particles` with a codec that has it"),
        ({"codec": "bb-is", "steps": 4}, "`steps`"),
        ({"codec": "bb-ans", "resample": "always"}, "`resample`"),
        ({"codec": "bb-smc", "resample": "sometimes"}, "sometimes"),
        ({"codec": "bb-cis", "interleave": False}, "`interleave=False`"),
        ({"codec": "bb-cis", "particles": 0}, "`particles`: expected a whole number of 1 or more, found 0"),
        ({"codec": "bb-cis", "particles": 4097}, "1 to 4096, found 4097"),
        ({"codec": "bb-ans", "refine": -1}, "`refine`: expected a whole number of 0 or more"),
        ({"codec": "bb-ans", "refine": 3}, "has iterative inference, found grey"),
        ({"codec": "causal"}, "has the codecs stochastic"),
        ({"codec": "jpeg"}, "found jpeg"),
        ({"segment": 0}, "`segment`: expected a whole number of 1 or more"),
        ({"codec": "irec", "omega": 0.0}, "`omega` of 0.2 to 6.9, found 0.0"),
        ({"codec": "irec", "omega": math.nan}, "`omega`: expected a number, found nan"),
        ({"codec": "irec", "epsilon": -0.1}, "`epsilon` of 0.0 to 10.0, found -0.1"),
        ({"codec": "irec", "omega": 6.0, "epsilon": 1.0}, "at most 6.93 nats.* found 12.00"),
        ({"codec": "irec", "beams": 0}, "`beams`: expected a whole number of 1 or more, found 0"),
        ({"codec": "irec", "seed": -1}, "`seed`: expected a whole number of 0 or more, found -1"),
        ({"codec": "irec", "particles": 3}, "`particles` with a codec that has it"),
        ({"codec": "bb-ans", "beams": 3}, "`beams` with a codec that has it"),
        ({"codec": "bb-ans", "model": None}, "needs a model with latents"),
        ({"particles": 4, "model": None}, "without latents"),
    ],
)
def test_wishes_that_make_no_sense(grey: str, options: dict[str, Any], what: str) -> None:
    with pytest.raises(InputError, match=what) as caught:
        rdzip.compress(some((4, 6, 7)), **{"model": grey, **options})
    assert "\n" not in str(caught.value)


def test_the_default_codec_is_the_first_of_the_model(colour: str, rolls: str) -> None:
    assert rdzip.info(rdzip.compress(some((2, 4, 5, 3)), model=colour))["codec"] == "bit-swap"
    with pytest.raises(InputError, match="has the codecs bit-swap, bb-ans, found bb-cis"):
        rdzip.compress(some((2, 4, 5, 3)), model=colour, codec="bb-cis")
    data = rdzip.compress([some((3, 5), 2)], model=rolls)
    assert rdzip.info(data)["options"]["particles"] == 4


def test_refinement_where_the_model_has_it(tmp_path: Path) -> None:
    model = str(latent_stub.write(tmp_path / "fine.safetensors", [6, 7], refines=True))
    assert rdzip.info(rdzip.compress(some((2, 6, 7)), model=model, refine=3))["options"]["refine"] == 3
    assert rdzip.info(rdzip.compress(some((6, 7)), model=model, refine=2))["planes"]["colour"]["refine"] == 2


@pytest.mark.parametrize("items", [[10], [-1], [3, 3], []])
def test_items_that_are_not_there(grey: str, items: list[int]) -> None:
    data = rdzip.compress(some((10, 6, 7)), model=grey)
    with pytest.raises(InputError, match="expected"):
        rdzip.decompress(data, items=items)


@pytest.mark.parametrize("change", ["cut", "longer", "object", "claim", "version", "header"])
def test_hostile_npy_files(change: str) -> None:
    good = npy_file(some((4, 6, 7)))
    bad = {
        "cut": good[:-1],
        "longer": good + b"\0",
        "object": npy_file(np.array([None])),
        "claim": good.replace(b"(4, 6, 7)", b"(9**99,) "),
        "version": good[:6] + b"\x09" + good[7:],
        "header": good.replace(b"descr", b"desc("),
    }[change]
    with pytest.raises(InputError, match="expected"):
        npy.read_npy(bad)
    text = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 1000000000000000)}\n"
    with pytest.raises(InputError, match="truncated"):
        npy.read_npy(b"\x93NUMPY\x01\0" + len(text).to_bytes(2, "little") + text + b"\0")


def test_headers_there_and_back() -> None:
    for header in (
        BatchHeader((3, 4, 5), Form.NPY, 3),
        BatchHeader((1, 4, 5, 2), Form.NPY, 1, dtype=">u2", fortran=True, single=True),
        BatchHeader((3, 4, 5), Form.IMAGES, 2, mode=5, factor=255),
        BatchHeader((3, 4), Form.NPZ, 1),
    ):
        found: Any = header.to_map()
        assert BatchHeader.from_map(found) == header
    assert BatchHeader((5, 4, 5), Form.NPY, 2).segments == 3


def test_what_a_batch_counts() -> None:
    (way,) = of_array(some((3, 6, 7)))
    assert (way.count, way.pixels, of_sequences([some((3, 5))]).pixels) == (3, 126, 15)
