"""Lossy files: modes, alpha, rate, the safety net, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import lossy_stub
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rdzip
from rdzip.codecs.classic import codec as classic
from rdzip.codecs.transform import tiles as transform_tiles
from rdzip.errors import FormatError, InputError, RdzipError
from rdzip.formats import container
from rdzip.formats.container import Section, SectionType
from rdzip.formats.describe import describe
from rdzip.formats.images.picture import Picture, from_array
from rdzip.metrics.psnr import psnr
from rdzip.pipeline import lossy as lossy_pipeline
from rdzip.pipeline.compress import compress
from rdzip.pipeline.decompress import decompress
from rdzip.pipeline.loss import DEFAULT_QUALITY, Loss
from rdzip.pipeline.request import Compute, Request

CODEC = "channel-ar"


def picture(mode: str, size: tuple[int, int] = (90, 110), seed: int = 0) -> Picture:
    """A natural picture; alpha is a soft disk with hidden corners."""
    samples = lossy_stub.photo(*size, seed)
    y, x = np.mgrid[-1 : 1 : size[0] * 1j, -1 : 1 : size[1] * 1j]  # type: ignore[misc]
    alpha = np.clip(400 * (1 - np.hypot(x, y)), 0, 255).astype(np.uint8)
    made = {
        "L": samples[:, :, 1],
        "RGB": samples,
        "LA": np.stack([samples[:, :, 1], alpha], 2),
        "RGBA": np.concatenate([samples, alpha[:, :, None]], 2),
    }[mode]
    return Picture(np.ascontiguousarray(made), mode, metadata={"info": {"exif": b"Exif\0\0x"}}, source_format="TIFF")


@pytest.mark.parametrize("mode", ["L", "RGB", "LA", "RGBA"])
def test_modes_metadata_and_alpha_come_back(lossy: str, mode: str) -> None:
    given = picture(mode)
    done = compress(given, Request(model=lossy, loss=Loss(60)))
    back = decompress(done.data).picture
    assert (back.mode, back.shape, back.metadata, back.source_format) == (mode, given.shape, given.metadata, "TIFF")
    if mode.endswith("A"):
        assert np.array_equal(back.samples[..., -1], given.samples[..., -1])
    report = done.report
    assert (report.codec, report.model, report.reason) == (CODEC, "lossy", "this quality or rate was asked for")
    assert report.lossy is not None
    assert (report.lossy.setting, report.lossy.quality) == (103, 60)
    assert report.lossy.bpp == 8 * len(done.data) / (90 * 110)
    seen = given.samples[..., -1] > 0 if mode.endswith("A") else np.ones((90, 110), bool)
    colour = slice(0, -1) if mode.endswith("A") else slice(None)
    parts = [p.samples.reshape(90, 110, -1)[..., colour][seen].astype(float) for p in (given, back)]
    assert report.lossy.psnr == pytest.approx(10 * math.log10(255**2 / np.mean((parts[0] - parts[1]) ** 2)))
    assert report.lossy.psnr > 30
    assert len(done.data) < 0.6 * len(compress(given, Request(codec="classic")).data)


@pytest.mark.parametrize("tile", [24, 1024])
@pytest.mark.parametrize("quality", [1, 30, 75, 100])
def test_the_file_is_as_large_as_estimated(
    lossy: str, quality: int, tile: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The alarm: real and estimated rates differ by 1 % at most."""
    monkeypatch.setattr(transform_tiles, "TILE", tile)
    for mode in ("RGB", "LA"):
        report = compress(picture(mode), Request(model=lossy, codec=CODEC, loss=Loss(quality))).report
        assert report.lossy is not None
        assert 8 * report.bytes_out == pytest.approx(report.lossy.estimated, rel=0.01)


def test_quality_is_monotone(lossy: str) -> None:
    reports = [compress(picture("RGB"), Request(model=lossy, loss=Loss(q))).report for q in range(1, 101, 9)]
    sizes = [report.bytes_out for report in reports]
    quality = [report.lossy.psnr for report in reports if report.lossy and report.lossy.psnr]
    assert sizes == sorted(sizes)
    assert quality == sorted(quality)
    assert len(set(sizes)) == len(sizes) == len(quality)


def test_overhead(lossy: str) -> None:
    data = compress(from_array(lossy_stub.photo(200, 300)), Request(model=lossy, codec=CODEC, loss=Loss(1))).data
    facts = describe(data)
    assert len(data) - facts["payload_bytes"] <= 72


def test_the_default_quality_is_that_of_a_lossy_model_that_is_named(lossy: str) -> None:
    given = picture("RGB")
    assert compress(given, Request(model=lossy)).data == compress(given, Request(model=lossy, loss=Loss(75))).data
    assert describe(compress(given, Request(model=lossy)).data)["q"] == DEFAULT_QUALITY == 75


def test_what_is_described(lossy: str) -> None:
    facts = describe(compress(picture("RGBA"), Request(model=lossy, loss=Loss(40))).data)
    assert (facts["lossy"], facts["setting"], facts["q"], facts["codec"]) == (True, 154, 40, CODEC)
    assert facts["planes"]["alpha"]["codec"] == "classic"
    assert facts["bpp"] == 8 * facts["bytes"] / 9900
    assert len(facts["symbols_hash"]) == 16
    assert "pixel_hash" not in facts
    facts = describe(compress(picture("RGB"), Request(model=lossy, loss=Loss(target_bpp=2))).data)
    assert facts["q"] is None
    assert describe(compress(picture("RGB"), Request(codec="classic")).data)["lossy"] is False


def test_grey_in_colours_stays_grey(lossy: str) -> None:
    grey = picture("L").samples
    done = compress(from_array(np.repeat(grey[:, :, None], 3, 2)), Request(model=lossy, loss=Loss(30)))
    back = decompress(done.data).picture.samples
    assert back.shape == (90, 110, 3)
    assert (back == back[:, :, :1]).all()
    assert describe(done.data)["arrangement"] == "grey once"


def test_colours_that_alpha_hides_are_free(lossy: str) -> None:
    given = picture("RGBA")
    noisy = given.samples.copy()
    hidden = noisy[..., 3] == 0
    assert hidden.mean() > 0.1
    noisy[hidden, :3] = np.random.default_rng(0).integers(0, 256, (hidden.sum(), 3))
    plain = compress(from_array(given.samples), Request(model=lossy, codec=CODEC, loss=Loss(60)))
    freed = compress(from_array(noisy), Request(model=lossy, codec=CODEC, loss=Loss(60)))
    assert len(freed.data) == len(plain.data)
    samples = np.concatenate([noisy[..., :3], np.zeros((90, 110, 1), np.uint8)], 2)
    nothing = compress(from_array(samples), Request(model=lossy, codec=CODEC, loss=Loss(60)))
    assert len(nothing.data) < len(freed.data) / 2
    assert nothing.report.lossy is not None
    assert nothing.report.lossy.psnr == math.inf


@pytest.mark.parametrize("mode", ["RGB", "LA"])
@pytest.mark.parametrize("bpp", [0.8, 2.0])
def test_rates_are_met(lossy: str, mode: str, bpp: float) -> None:
    given = picture(mode, (180, 220))
    done = compress(given, Request(model=lossy, loss=Loss(target_bpp=bpp)))
    assert 8 * len(done.data) / (180 * 220) == pytest.approx(bpp, rel=0.02)
    assert not done.report.notes
    assert done.report.lossy is not None
    assert done.report.lossy.quality is None


def test_rates_that_cannot_be_met_are_told(lossy: str) -> None:
    low = compress(picture("RGB"), Request(model=lossy, loss=Loss(target_bpp=0.01)))
    assert low.report.lossy is not None
    assert low.report.lossy.setting == 255
    assert [note.text for note in low.report.notes] == [
        f"0.01 bits per pixel cannot be had of this picture: the coarsest setting gives {low.report.lossy.bpp:.4g}"
    ]
    high = compress(picture("RGB"), Request(model=lossy, codec=CODEC, loss=Loss(target_bpp=50)))
    assert "the finest setting gives" in high.report.notes[0].text
    within = compress(graphics("few colours"), Request(model=lossy, loss=Loss(target_bpp=2)))
    assert within.report.lossy is not None
    assert (within.report.codec, within.report.lossy.setting, within.report.notes) == ("classic", None, [])


def graphics(kind: str) -> Picture:
    rng = np.random.default_rng(0)
    if kind == "tiny":
        return from_array(rng.integers(0, 256, (2, 3, 3)).astype(np.uint8))
    if kind == "one pixel":
        return from_array(np.array([[[1, 2, 3]]], np.uint8))
    if kind == "constant":
        return from_array(np.full((100, 120, 3), 77, np.uint8))
    if kind == "few colours":
        return from_array(np.kron(rng.integers(0, 2, (30, 40, 3)), np.ones((5, 5, 1))).astype(np.uint8) * 200)
    indices = np.kron(rng.integers(0, 16, (20, 25)), np.ones((4, 4))).astype(np.uint8)
    return Picture(indices, "P", rng.bytes(48), "RGB")


@pytest.mark.parametrize("kind", ["tiny", "one pixel", "constant", "few colours", "palette"])
def test_lossless_files_that_are_no_larger_are_taken(lossy: str, kind: str) -> None:
    given = graphics(kind)
    done = compress(given, Request(model=lossy, loss=Loss(90)))
    assert done.report.codec == "classic"
    assert done.report.reason == "coding without loss was no larger than what was asked for"
    assert done.report.lossy is not None
    assert (done.report.lossy.setting, done.report.lossy.quality, done.report.lossy.psnr) == (None, 90, math.inf)
    assert done.report.model is None
    assert done.report.notes == []
    back = decompress(done.data).picture
    assert (back.mode, back.palette) == (given.mode, given.palette)
    assert np.array_equal(back.samples, given.samples)
    forced = compress(given, Request(model=lossy, codec=CODEC, loss=Loss(90)))
    assert forced.report.codec == CODEC
    assert len(forced.data) >= len(done.data)


@pytest.mark.parametrize("quality", [5, 50, 95])
def test_files_are_never_larger_than_lossless_ones(lossy: str, quality: int) -> None:
    for seed, size in enumerate([(3, 50), (16, 16), (40, 30), (130, 140)]):
        given = picture("RGB", size, seed)
        lossless = compress(given, Request(codec="classic"))
        assert len(compress(given, Request(model=lossy, loss=Loss(quality))).data) <= len(lossless.data) + 2


def test_modes_that_lossy_codecs_do_not_code_lose_nothing(lossy: str) -> None:
    samples = np.random.default_rng(0).integers(0, 256, (9, 8, 4)).astype(np.uint8)
    done = compress(Picture(samples, "CMYK"), Request(model=lossy, loss=Loss(50)))
    assert [note.text for note in done.report.notes] == ["pixels of mode CMYK are coded without loss"]
    assert done.report.lossy is not None
    assert done.report.lossy.setting is None
    assert np.array_equal(decompress(done.data).picture.samples, samples)


def test_other_modes_are_converted_with_a_note(lossy: str) -> None:
    samples = lossy_stub.photo(90, 80).astype(np.uint16) * 257
    done = compress(Picture(samples, "RGB;16"), Request(model=lossy, loss=Loss(80)))
    assert [note.text for note in done.report.notes] == ["16 bits a sample are kept as 8"]
    assert decompress(done.data).picture.mode == "RGB"
    assert done.report.lossy is not None
    assert done.report.lossy.psnr is not None
    assert done.report.lossy.psnr > 30


def test_wishes_that_contradict_each_other_are_refused(lossy: str, tmp_path: Path, grey: str) -> None:
    given = picture("RGB")
    for loss in ({"quality": 0}, {"quality": 101}, {"target_bpp": 0.0}, {"target_bpp": math.nan}):
        with pytest.raises(InputError, match="expected"):
            Loss(**loss)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="both"):
        Loss(50, 1.0)
    for codec in ("classic", "causal", "bb-ans"):
        with pytest.raises(InputError, match="loses nothing, found `quality`"):
            compress(given, Request(codec=codec, loss=Loss(50)))
    for model in ("photo", grey):
        with pytest.raises(InputError, match="loses nothing, found `target_bpp`"):
            compress(given, Request(model=model, loss=Loss(target_bpp=1)))
    with pytest.raises(InputError, match="is lossy: say how much"):
        compress(given, Request(codec=CODEC))
    with pytest.raises(InputError, match="has the codecs channel-ar, found hyperprior"):
        compress(given, Request(model=lossy, codec="hyperprior"))
    with pytest.raises(InputError, match="has the codecs mixing, causal, found channel-ar"):
        compress(given, Request(model="photo", codec=CODEC))
    with pytest.raises(InputError, match="found an array"):
        rdzip.compress(np.zeros((5, 4, 6), np.uint8), model=lossy)
    with pytest.raises(InputError, match="a quality, a rate or an error is for images"):
        rdzip.compress(np.zeros((5, 4, 6), np.uint8), quality=50)


def test_the_python_functions(lossy: str) -> None:
    pixels = lossy_stub.photo(80, 90)
    data = rdzip.compress(pixels, model=lossy, quality=70)
    assert rdzip.info(data)["q"] == 70
    back = rdzip.decompress_array(data)
    assert np.abs(back.astype(int) - pixels).mean() < 8
    assert np.array_equal(np.asarray(rdzip.decompress(data)), back)
    assert len(rdzip.compress(pixels, model=lossy, target_bpp=1.5)) * 8 == pytest.approx(1.5 * 7200, rel=0.02)


def test_other_symbols_are_an_error_and_never_a_picture(lossy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a machine with other arithmetic would decode: scales that differ in one channel."""
    data = compress(picture("RGB"), Request(model=lossy, loss=Loss(50))).data
    program = lossy_stub.StubModel.code

    def wrong(self: Any, draw: Any, rows: int, columns: int, step: int) -> Any:
        found = program(self, draw, rows, columns, step)
        found["a"][0, 0, 0] += 1
        return found

    monkeypatch.setattr(lossy_stub.StubModel, "code", wrong)
    with pytest.raises(FormatError, match="symbols are not those that were coded"):
        decompress(data)


@pytest.mark.parametrize("mode", ["LA", "RGB"])
def test_verification_refuses_what_does_not_come_back(lossy: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    other = compress(picture(mode, seed=1), Request(model=lossy, loss=Loss(50))).data
    monkeypatch.setattr(lossy_pipeline, "pack_picture", lambda *_: other)
    with pytest.raises(FormatError, match="verification failed"):
        compress(picture("RGB"), Request(model=lossy, codec=CODEC, loss=Loss(50)))
    done = compress(picture("RGB"), Request(model=lossy, codec=CODEC, loss=Loss(50), verify=False))
    assert done.report.lossy is not None
    assert done.report.lossy.psnr is None


def resealed(data: bytes, header: dict[int, Any] | None = None, bodies: dict[int, bytes] | None = None) -> bytes:
    """The file with other header entries or sections, and sound checksums."""
    parsed = container.unpack(data)
    whole = {int(key): value for key, value in parsed.header.items()} | (header or {})
    kept = {key: value for key, value in whole.items() if value is not None}
    found = {section.type: bytes(section.body) for section in parsed.sections} | (bodies or {})
    return container.pack(kept, [Section(kind, body) for kind, body in found.items() if body])


def test_impossible_files_are_refused(lossy: str, tmp_path: Path) -> None:
    colour, alpha = int(SectionType.COLOUR), int(SectionType.ALPHA)
    data = compress(picture("RGBA"), Request(model=lossy, loss=Loss(50))).data
    parsed = container.unpack(data)
    body = {section.type: bytes(section.body) for section in parsed.sections}
    plain = compress(picture("RGB"), Request(model=lossy, loss=Loss(50))).data
    lossless = compress(picture("RGB"), Request(codec="classic")).data
    other = lossy_stub.write(tmp_path / "other.safetensors", ("hyperprior",))
    digest = bytes.fromhex(rdzip.hub.resolve(other).sha256)[:8]  # type: ignore[attr-defined]
    coded = classic.encode(picture("RGB").samples)
    as_classic = bytes([0, coded.layout]) + coded.payload
    cases = {
        "the pixel hash": resealed(data, {2: bytes(8)}),
        "the hash of symbols": resealed(data, {14: bytes(7)}),
        "lossy payload in a lossless": resealed(plain, {14: None, 2: bytes(8)}),
        "without a lossy payload": resealed(plain, bodies={colour: as_classic}),
        "a lossy file": resealed(data, {3: None}),
        "of samples that it cannot hold": resealed(data, bodies={alpha: b""}),
        "with an alpha section": resealed(plain, bodies={alpha: body[alpha]}),
        "that is not classic": resealed(data, bodies={alpha: body[colour]}),
        "is not lossy": resealed(plain, {3: ["photo", bytes.fromhex(rdzip.hub.resolve("photo").sha256)[:8], 5]}),  # type: ignore[attr-defined]
        "no codec channel-ar": resealed(plain, {3: ["other", digest, 5]}),
        "no section with colours": resealed(plain, bodies={colour: b""}),
        "hash differs": resealed(data, {14: bytes(8)}),
        "palette": resealed(plain, {1: 4}),
        "do not suit": resealed(plain, {0: [80, 110]}),
        "lossy codec 9": resealed(plain, bodies={colour: b"\3\11" + body[colour][2:]}),
        "at most": resealed(plain, {0: [1 << 20, 1 << 20]}),
        "empty section": resealed(plain, bodies={colour: b"\3"}),
        "hash": resealed(lossless, {2: None}),
    }
    for text, bad in cases.items():
        with pytest.raises(RdzipError) as caught:
            decompress(bad)
        if text != "empty section":
            assert text in str(caught.value), text
        assert "\n" not in str(caught.value)


@pytest.fixture
def sealed(lossy: str) -> tuple[bytes, Picture]:
    data = compress(picture("LA", (40, 50)), Request(model=lossy, codec=CODEC, loss=Loss(60))).data
    return data, decompress(data).picture


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_flipped_bits_are_refused(sealed: tuple[bytes, Picture], data: st.DataObject) -> None:
    """In the file, where checksums tell, and behind them, where the decoder or the hash of symbols must."""
    file, good = sealed
    behind = data.draw(st.booleans())
    parsed = container.unpack(file)
    bodies = {section.type: bytearray(section.body) for section in parsed.sections}
    kind = data.draw(st.sampled_from([SectionType.COLOUR, SectionType.ALPHA]))
    whole = bytearray(file) if not behind else bodies[kind]
    places = data.draw(st.lists(st.integers(0, 8 * len(whole) - 1), min_size=1, max_size=3, unique=True))
    for place in places:
        whole[place // 8] ^= 1 << place % 8
    bad = resealed(file, bodies={kind: bytes(whole)}) if behind else bytes(whole)
    for run in (describe, decompress):
        try:
            found = run(bad)
        except RdzipError:
            continue
        # what is told only (quality) and alpha's way of coding may change
        assert behind
        if run is decompress:
            assert np.array_equal(found.samples, good.samples)


def test_truncated_files_are_refused(sealed: tuple[bytes, Picture]) -> None:
    data = sealed[0]
    for end in [*range(0, len(data), 37), len(data) - 1]:
        with pytest.raises(FormatError):
            decompress(data[:end])


def test_pixels_beyond_the_limit_are_refused(lossy: str) -> None:
    data = compress(picture("RGB"), Request(model=lossy, loss=Loss(50))).data
    with pytest.raises(FormatError, match="at most 9899 are allowed"):
        decompress(data, Compute(max_pixels=9899))


def test_progress_rises_to_one(lossy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transform_tiles, "TILE", 24)
    for loss in (Loss(50), Loss(target_bpp=2)):
        seen: list[float] = []
        done = compress(picture("RGBA"), Request(model=lossy, loss=loss), progress=seen.append)
        assert seen == sorted(seen)
        assert seen[-1] == 1.0
        seen = []
        decompress(done.data, progress=seen.append)
        assert seen == sorted(seen)
        assert seen[-1] == 1.0


def test_psnr() -> None:
    one = np.zeros((300, 4), np.uint8)
    assert psnr(one, one + np.uint8(1), None) == pytest.approx(48.1308, abs=1e-3)
    assert psnr(one, one, None) == math.inf
    pair = np.zeros((2, 1, 2), np.uint8)
    other = np.array([[[5, 9]], [[1, 9]]], np.uint8)
    alpha = np.array([[0], [200]], np.uint8)
    assert psnr(pair, other, alpha) == pytest.approx(48.1308, abs=1e-3)
