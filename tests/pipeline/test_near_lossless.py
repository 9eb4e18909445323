"""Near-lossless files: the bound, what stays exact, the header, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from helpers import lossy_stub
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import rdzip
from rdzip.errors import FormatError, InputError
from rdzip.formats import container
from rdzip.formats.container import Section
from rdzip.formats.describe import describe
from rdzip.formats.images.picture import Picture, from_array
from rdzip.formats.images.read import read_picture
from rdzip.formats.modes import BY_NAME
from rdzip.formats.quantiser import QUANTISED, Quantiser, depth, largest_allowed
from rdzip.metrics.psnr import largest_error, psnr
from rdzip.pipeline import lossless, quantisation
from rdzip.pipeline.compress import compress
from rdzip.pipeline.decompress import decompress
from rdzip.pipeline.loss import Loss
from rdzip.pipeline.request import Request

EXACT = sorted(set(BY_NAME) - set(QUANTISED))


def picture(mode: str, shape: tuple[int, int] = (20, 30), seed: int = 0, top: int | None = None) -> Picture:
    """A natural picture of some noise; alpha goes from 0 to its largest value."""
    rng = np.random.default_rng(seed)
    kind = BY_NAME[mode]
    largest = top or (int(np.iinfo(kind.dtype).max) if kind.dtype != "<f4" else 255)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    ramp = (np.stack([x, y, x + y, x - y], 2)[..., : kind.channels] % 50 / 49 * largest).astype(np.int64)
    samples = np.clip(ramp + rng.integers(-largest // 9, largest // 9 + 1, ramp.shape), 0, largest)
    samples[0, 0] = largest
    if kind.alpha:
        samples[..., -1] = (y * largest // max(1, shape[0] - 1)) // 2 * 2
    if mode == "1":
        samples %= 2
    palette = (rng.bytes(768), "RGB") if mode in ("P", "PA") else (b"", "")
    found = samples.astype(kind.dtype).reshape(*shape, -1)
    return Picture(found[..., 0] if kind.channels == 1 else found, mode, *palette)


def coded(of: Picture, max_error: int, **options: Any) -> tuple[rdzip.pipeline.compress.Compressed, Picture]:  # type: ignore[name-defined]
    done = compress(of, Request(loss=Loss(max_error=max_error), **options))
    return done, decompress(done.data).picture


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_sample_differs_by_more(data: st.DataObject) -> None:
    mode = data.draw(st.sampled_from(QUANTISED))
    max_error = data.draw(st.integers(1, largest_allowed(mode)))
    shape = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    kind = BY_NAME[mode]
    largest = int(np.iinfo(kind.dtype).max)
    values = data.draw(st.sampled_from([[0, largest], [0, 255], [largest - 9, largest]]))
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    size = shape if kind.channels == 1 else (*shape, kind.channels)
    of = Picture(rng.integers(values[0], values[1] + 1, size).astype(kind.dtype), mode)
    done, back = coded(of, max_error, codec=data.draw(st.sampled_from([None, "classic", "classic"])))
    assert (back.mode, back.shape, back.samples.dtype) == (mode, of.shape, of.samples.dtype)
    assert done.report.near is not None
    error = int(np.abs(back.samples.astype(np.int64) - of.samples).max())
    assert done.report.near.largest_error == error <= max_error
    if kind.alpha:
        assert np.array_equal(back.samples[..., -1], of.samples[..., -1])


@pytest.mark.parametrize("mode", QUANTISED)
def test_every_level_is_near(mode: str) -> None:
    """All values of a sample, at small and large errors; levels come back as themselves."""
    values = np.arange(1 << depth(mode)).astype(BY_NAME[mode].dtype).reshape(-1, 1)
    channels = BY_NAME[mode].channels
    of = Picture(values if channels == 1 else np.repeat(values[:, :, None], channels, 2), mode)
    for max_error in (1, 2, 7, 31, largest_allowed(mode)):
        found = quantisation.quantise(of, max_error)
        assert largest_error(of.samples, found.picture.samples) == max_error
        assert np.array_equal(quantisation.quantise(found.picture, max_error).picture.samples, found.picture.samples)


@pytest.mark.parametrize("mode", ["L", "RGB", "LA", "RGBA"])
@pytest.mark.parametrize(("codec", "effort"), [("causal", None), ("mixing", 7), ("classic", None)])
def test_lossless_codecs_code_the_indices(mode: str, codec: str, effort: int | None) -> None:
    of = picture(mode)
    done, back = coded(of, 2, codec=codec, effort=effort)
    assert done.report.codec == codec
    assert largest_error(of.samples, back.samples) == 2
    exact = compress(of, Request(codec=codec, effort=effort))
    assert len(done.data) < len(exact.data)


def test_a_larger_error_makes_a_smaller_file() -> None:
    of = from_array(lossy_stub.photo(40, 50))
    losses = [Loss(max_error=n) for n in (None, 1, 2, 4, 8, 16)]
    sizes = [len(compress(of, Request(codec="causal", loss=loss, verify=False)).data) for loss in losses]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[2] < 0.7 * sizes[0]


def test_what_is_told() -> None:
    of = picture("RGBA")
    done, back = coded(of, 3, codec="classic")
    facts, told = describe(done.data), done.report.near
    assert told is not None
    assert (told.max_error, told.largest_error, told.bpp) == (3, 3, 8 * len(done.data) / 600)
    assert told.psnr == pytest.approx(psnr(of.samples, back.samples, of.samples[..., -1]))
    assert (facts["lossy"], facts["max_error"], facts["bpp"]) == (True, 3, told.bpp)
    assert facts["pixel_hash"] == back.pixel_hash().hex()
    assert done.report.lossy is None
    assert describe(compress(of, Request(codec="classic")).data)["lossy"] is False


@pytest.mark.parametrize("max_error", [1, 9])
def test_what_was_decoded_is_coded_without_loss(max_error: int) -> None:
    back = coded(picture("RGB"), max_error)[1]
    again = compress(back)
    assert np.array_equal(decompress(again.data).picture.samples, back.samples)
    assert describe(again.data)["lossy"] is False
    done, same = coded(back, max_error)
    assert np.array_equal(same.samples, back.samples)
    assert done.report.near is not None
    assert (done.report.near.largest_error, done.report.near.psnr) == (0, math.inf)


@pytest.mark.parametrize("mode", EXACT)
def test_other_modes_stay_exact(mode: str) -> None:
    of = picture(mode)
    done, back = coded(of, 31)
    assert np.array_equal(back.samples, of.samples)
    assert back.palette == of.palette
    assert [note.text for note in done.report.notes] == [f"pixels of mode {mode} are coded without loss"]
    assert describe(done.data)["lossy"] is False


def test_samples_that_mean_more_than_levels_stay_exact() -> None:
    """A transparent colour, or fewer bits than the mode has: other samples would mean something else."""
    of = picture("RGB")
    for kept, text in (
        ({"png": [[b"tRNS", bytes([0, 1, 0, 2, 0, 3])]]}, "transparent colour"),
        ({"info": {"transparency": (1, 2, 3)}}, "transparent colour"),
    ):
        done, back = coded(Picture(of.samples, "RGB", metadata=kept), 2, codec="classic")
        assert np.array_equal(back.samples, of.samples)
        assert text in done.report.notes[0].text
    shallow = Picture(picture("L").samples // 17 * 17, "L", metadata={"depth": 4})
    done, back = coded(shallow, 2, codec="classic")
    assert np.array_equal(back.samples, shallow.samples)
    assert [note.text for note in done.report.notes] == ["samples of 4 bits are coded without loss"]


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "RGB;16"])
def test_deep_samples_with_few_indices_are_coded_in_8_bits(mode: str) -> None:
    of = picture(mode, top=4095)
    done, back = coded(of, 8, codec="causal")
    assert container.unpack(done.data).header[15] == [8, 8]
    assert largest_error(of.samples, back.samples) == 8
    wide = coded(of, 7)[0]
    assert container.unpack(wide.data).header[15] == [7, 16]
    assert wide.report.codec == "classic"
    assert container.unpack(coded(picture("RGBA;16"), 300)[0].data).header[15] == [300, 16]


@pytest.mark.parametrize("kind", ["few colours", "constant", "tiny"])
def test_lossless_files_that_are_no_larger_are_taken(kind: str) -> None:
    rng = np.random.default_rng(0)
    samples = {
        "few colours": np.kron(rng.integers(0, 2, (30, 40, 3)), np.ones((5, 5, 1))) * 200,
        "constant": np.full((50, 60, 3), 77),
        "tiny": np.array([[[9, 1, 201]]]),
    }[kind].astype(np.uint8)
    done, back = coded(from_array(samples), 2)
    assert np.array_equal(back.samples, samples)
    assert done.report.reason == "coding without loss was no larger than what was asked for"
    assert describe(done.data)["lossy"] is False


def test_the_promise_holds_for_the_indices() -> None:
    for seed in range(3):
        of = picture("RGB", (9, 40), seed)
        assert len(coded(of, 2)[0].data) <= len(coded(of, 2, codec="classic")[0].data)


def test_grey_in_colours_is_coded_once() -> None:
    grey = picture("L").samples
    done, back = coded(from_array(np.repeat(grey[:, :, None], 3, 2)), 2)
    assert describe(done.data)["arrangement"] == "grey once"
    assert (back.samples == back.samples[..., :1]).all()


def test_bad_errors_are_refused() -> None:
    for bad in (0, -1, 8192, True, 1.0, "2"):
        with pytest.raises(InputError, match="`max_error`: expected an error of 1 to 8191"):
            Loss(max_error=bad)  # type: ignore[arg-type]
    for other in ({"quality": 50}, {"target_bpp": 1.0}):
        with pytest.raises(InputError, match="or `max_error`, found both"):
            Loss(max_error=2, **other)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at most 31 for samples of 8 bits, found 32"):
        coded(picture("RGB"), 32)
    assert coded(picture("RGB;16"), 32)[1].mode == "RGB;16"
    with pytest.raises(InputError, match="a quality, a rate or an error is for images"):
        rdzip.compress(np.zeros((5, 4, 6), np.uint8), max_error=2)


def test_lossy_codecs_have_no_bound(lossy: str) -> None:
    with pytest.raises(InputError, match="the model lossy bounds no error"):
        coded(picture("RGB"), 2, model=lossy)
    with pytest.raises(InputError, match="the codec channel-ar bounds no error"):
        coded(picture("RGB"), 2, codec="channel-ar")


def test_the_python_functions(tmp_path: Any) -> None:
    pixels = lossy_stub.photo(40, 50)
    data = rdzip.compress(pixels, max_error=2, codec="classic")
    assert rdzip.info(data)["max_error"] == 2
    assert np.array_equal(np.asarray(rdzip.decompress(data)), rdzip.decompress_array(data))
    rdzip.register_pillow()
    Image.fromarray(pixels).save(tmp_path / "a.rdz", max_error=2, codec="classic")
    assert (tmp_path / "a.rdz").read_bytes() == data


def test_a_lossy_source_is_not_warned_of(tmp_path: Any) -> None:
    Image.fromarray(lossy_stub.photo(40, 50)).save(tmp_path / "a.jpg")
    assert coded(read_picture(tmp_path / "a.jpg"), 2)[0].report.notes == []


def test_verification_refuses_what_does_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    other = coded(picture("RGB", seed=1), 2)[0].data
    monkeypatch.setattr(lossless, "pack_picture", lambda *_: other)
    with pytest.raises(FormatError, match="verification failed"):
        coded(picture("RGB"), 2)


@pytest.mark.parametrize(
    "value",
    [0, 2, [0, 8], [32, 8], [40000, 8], [-1, 8], [2, 16], [2, 0], [2, 9], [2], [2, 8, 8], [True, 8], [2.0, 8], ["2", 8],
     None, [1 << 40, 8], [2, [8]]],
)  # fmt: skip
def test_impossible_quantisers_are_refused(value: Any) -> None:
    data = coded(picture("RGB"), 2, codec="classic")[0].data
    parsed = container.unpack(data)
    kept = [Section(section.type, bytes(section.body)) for section in parsed.sections]
    header = {int(key): entry for key, entry in parsed.header.items()}
    with pytest.raises(FormatError, match="header is inconsistent: the quantiser is"):
        decompress(container.pack(header | {15: value}, kept))
    with pytest.raises(FormatError, match="header is inconsistent: the quantiser is"):
        describe(container.pack(header | {15: value}, kept))


def test_quantisers_that_do_not_suit_are_refused() -> None:
    assert not Quantiser(2, 8).suits("P")
    assert not Quantiser(2, 8).suits("1")
    assert not Quantiser(2, 8).suits("LA;16")
    assert Quantiser(8191, 8).suits("I;16")
    assert not Quantiser(8192, 16).suits("I;16")
    data = coded(picture("L"), 2, codec="classic")[0].data
    parsed = container.unpack(data)
    kept = [Section(section.type, bytes(section.body)) for section in parsed.sections]
    header = {int(key): entry for key, entry in parsed.header.items()}
    for changed, text in (
        ({1: 5}, "the quantiser"),
        ({15: [3, 8]}, "hash differs"),
        ({14: bytes(8)}, "the pixel hash"),
        ({1: 7}, "hash differs"),  # 16 bits, indices of 8
        ({1: 10}, "the quantiser"),
    ):
        with pytest.raises(FormatError, match=text):
            decompress(container.pack(header | changed, kept))


def test_indices_beyond_the_last_level_are_the_last_level() -> None:
    found = quantisation.levels(np.array([[0, 1, 50, 51, 255]], np.uint8), Quantiser(2, 8), "L")
    assert found.tolist() == [[0, 5, 250, 255, 255]]
    assert quantisation.levels(np.array([[255]], np.uint8), Quantiser(8191, 8), "I;16").tolist() == [[65535]]


@given(st.integers(0, 10**6), st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_damage_is_noticed(at: int, bit: int) -> None:
    data = bytearray(DAMAGED)
    data[at % len(data)] ^= 1 << bit
    with pytest.raises(FormatError):
        decompress(bytes(data))


DAMAGED = compress(picture("LA"), Request(loss=Loss(max_error=2), codec="classic")).data
