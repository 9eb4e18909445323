from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rdzip.errors import FormatError, InputError, ModelError
from rdzip.formats.describe import describe
from rdzip.formats.images.picture import Picture, from_array
from rdzip.formats.modes import MODES
from rdzip.pipeline import planes, verify
from rdzip.pipeline.compress import compress
from rdzip.pipeline.decompress import decompress
from rdzip.pipeline.model_handle import ModelHandle
from rdzip.pipeline.request import Compute, Request


def _picture(mode: str, shape: tuple[int, int], seed: int = 0) -> Picture:
    facts = next(one for one in MODES if one.name == mode)
    rng = np.random.default_rng(seed)
    full = shape if facts.channels == 1 else (*shape, facts.channels)
    samples = np.frombuffer(rng.bytes(int(np.prod(full)) * np.dtype(facts.dtype).itemsize), facts.dtype).reshape(full)
    if mode == "1":
        samples = samples & 1
    palette = rng.bytes(768) if mode in ("P", "PA") else b""
    return Picture(samples, mode, palette, "RGB" if palette else "", {"info": {"dpi": [300.0, 300.0]}}, "TIFF")


def _assert_equal(one: Picture, other: Picture) -> None:
    assert (one.mode, one.shape, one.palette, one.palette_mode) == (
        other.mode,
        other.shape,
        other.palette,
        other.palette_mode,
    )
    assert one.samples.tobytes() == other.samples.tobytes()
    assert one.metadata == other.metadata
    assert one.source_format == other.source_format


@pytest.mark.parametrize("shape", [(1, 1), (3, 17), (40, 25)])
@pytest.mark.parametrize("mode", [mode.name for mode in MODES])
def test_every_mode_comes_back(mode, shape):
    picture = _picture(mode, shape)
    done = compress(picture, Request(codec="classic"))
    _assert_equal(decompress(done.data).picture, picture)
    facts = describe(done.data)
    assert facts["mode"] == mode
    assert facts["shape"] == list(picture.shape)
    assert done.report.bytes_out == len(done.data) == facts["bytes"]
    assert done.report.bits.total == 8 * facts["payload_bytes"]


@settings(max_examples=40, deadline=None)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(2, 4)), elements=st.integers(0, 255))
)
def test_any_array_comes_back(array):
    np.testing.assert_array_equal(
        decompress(compress(from_array(array), Request(codec="classic")).data).picture.samples, array
    )


def test_grey_stored_as_rgb_costs_one_channel():
    grey = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
    rgb = compress(from_array(np.repeat(grey[:, :, None], 3, axis=2)), Request(codec="classic"))
    assert len(rgb.data) - len(compress(from_array(grey), Request(codec="classic")).data) <= 2
    assert describe(rgb.data)["arrangement"] == "grey once"
    assert decompress(rgb.data).picture.samples.shape == (64, 64, 3)


def test_metadata_can_be_left_out():
    picture = _picture("RGB", (5, 6))
    assert decompress(compress(picture, Request(codec="classic", metadata="none")).data).picture.metadata == {}
    with pytest.raises(InputError, match="all or none"):
        compress(picture, Request(metadata="some"))


def test_pixels_beyond_the_limit_are_refused_before_they_are_decoded():
    data = compress(from_array(np.zeros((1000, 1000, 3), np.uint8)), Request(codec="classic")).data
    assert len(data) < 64
    with pytest.raises(FormatError, match="at most 999999 are allowed"):
        decompress(data, Compute(max_pixels=999_999))


def test_a_wrong_pixel_hash_is_an_error(monkeypatch):
    picture = _picture("RGB", (5, 6))
    monkeypatch.setattr(Picture, "pixel_hash", lambda self: b"12345678")
    data = compress(picture, Request(codec="classic", verify=False)).data
    monkeypatch.undo()
    with pytest.raises(FormatError, match="hash differs"):
        decompress(data)


def test_verification_refuses_what_does_not_come_back(monkeypatch):
    picture = _picture("RGB", (5, 6))
    other = _picture("RGB", (5, 6), seed=1)
    data = compress(other, Request(codec="classic")).data
    monkeypatch.setattr(planes.container, "pack", lambda *_: data)
    with pytest.raises(FormatError, match="verification failed"):
        compress(picture, Request(codec="classic"))


def _changed(picture: Picture, part: str) -> Picture:
    samples, palette = picture.samples.copy(), bytearray(picture.palette)
    if part == "one bit":
        samples[-1, -1] ^= 1
        return replace(picture, samples=samples)
    if part == "mode":
        return replace(picture, mode="L", palette=b"", palette_mode="")
    if part == "shape":
        return replace(picture, samples=samples.reshape(6, 5))
    if part == "palette":
        palette[-1] ^= 1
        return replace(picture, palette=bytes(palette))
    if part == "palette's mode":
        return replace(picture, palette=bytes(palette[:4]) * 192, palette_mode="RGBA")
    return replace(picture, metadata={"info": {"dpi": [300.0, 300.5]}})


@pytest.mark.parametrize("part", ["one bit", "mode", "shape", "palette", "palette's mode", "metadata"])
def test_verification_compares_every_part_of_a_picture(part):
    picture = _picture("P", (5, 6))
    other = _changed(picture, part)
    for one, another in ((picture, other), (other, picture)):
        data = compress(one, Request(codec="classic", verify=False)).data
        verify.check_lossless(one, data, None)
        with pytest.raises(FormatError, match="verification failed"):
            verify.check_lossless(another, data, None)


def test_verification_compares_the_bits_of_floats():
    zeros = Picture(np.zeros((2, 3), np.float32), "F")
    nan = np.array([0x7FC00001, 0x7FC00000] * 3, np.uint32).view(np.float32).reshape(2, 3)
    for picture, other in ((zeros, -zeros.samples), (Picture(nan, "F"), np.full((2, 3), np.nan, np.float32))):
        data = compress(picture, Request(codec="classic", verify=False)).data
        verify.check_lossless(picture, data, None)
        with pytest.raises(FormatError, match="verification failed"):
            verify.check_lossless(Picture(other, "F"), data, None)


def test_without_a_model_the_default_does_without_and_a_wish_is_an_error(monkeypatch):
    def missing(self):
        raise ModelError("model photo is nowhere")

    monkeypatch.setattr(ModelHandle, "_resolve", missing)
    picture = _picture("RGB", (5, 6))
    for wishes, codec in (
        ({}, "classic"),
        ({"codec": "mixing"}, "mixing"),
        ({"codec": "mixing", "effort": 9}, "mixing"),
    ):
        done = compress(picture, Request(**wishes))
        assert (done.report.codec, done.report.model) == (codec, None)
    for wish in ({"model": "photo"}, {"codec": "causal"}):
        with pytest.raises(ModelError, match="nowhere"):
            compress(picture, Request(**wish))


def test_progress_rises_to_one():
    seen: list[float] = []
    compress(_picture("RGB", (20, 20)), Request(codec="classic"), progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_unknown_codecs_and_unsuitable_modes_are_refused():
    with pytest.raises(InputError, match="classic, causal"):
        compress(_picture("RGB", (5, 6)), Request(codec="jpeg"))
