"""Codec mixing: round trips, the network for one pixel as for many, Python as numba, damage."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import tiny_causal
from hypothesis import given, settings
from hypothesis import strategies as st

from rdzip.codecs import threads as coding_threads
from rdzip.codecs.mixing import codec as mixing
from rdzip.codecs.mixing import window
from rdzip.codecs.mixing.band import Band
from rdzip.codecs.mixing.presets import FAST_LS, FAST_NET, FAST_PLAIN, PRESETS, SLOW, SLOW_NET, Preset
from rdzip.errors import CoderError, InputError, ModelError
from rdzip.models.causal.compiled_network import ScalarNet, mixtures, run_head, run_trunk
from rdzip.models.causal.model import CausalModel
from rdzip.models.shared.compiled_mixture import PARTS
from rdzip.models.shared.template import PAD, padded_planes, padded_samples

ROOT = Path(__file__).resolve().parents[3]


def tiny() -> CausalModel:
    with tempfile.TemporaryDirectory() as folder:
        return tiny_causal.load(tiny_causal.write(Path(folder) / "tiny.safetensors"))


@pytest.fixture(scope="module")
def model() -> CausalModel:
    return tiny()


def picture(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Smooth, noisy and extreme samples."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    smooth = (120 + 60 * np.sin(x / 5) + 50 * np.cos(y / 7)).reshape(*shape[:2], *[1] * (len(shape) - 2))
    samples = smooth + 10 * np.arange(shape[2] if len(shape) == 3 else 1).reshape([1] * (len(shape) - 2) + [-1])
    wild = rng.random(shape) < 0.02
    noisy = np.clip(samples.reshape(smooth.shape[:2] + shape[2:]) + rng.normal(0, 2, shape), 0, 255)
    return np.where(wild, rng.choice([0, 255], shape), noisy).astype(np.uint8)


SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9)) | st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))


@settings(max_examples=15, deadline=None)
@given(shape=SHAPES, seed=st.integers(0, 99), kind=st.sampled_from(["noise", "picture", "flat"]))
def test_pixels_come_back(model: CausalModel, shape: tuple[int, ...], seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    pixels = {
        "noise": rng.integers(0, 256, shape, np.uint8),
        "picture": picture(shape, seed),
        "flat": np.full(shape, seed, np.uint8),
    }[kind]
    for layout, preset in PRESETS.items():
        used = model if preset.network else None
        coded = mixing.encode(used, pixels, None, preset)
        assert coded.layout == layout
        assert np.array_equal(mixing.decode(used, coded.payload, shape, layout), pixels)


@pytest.mark.parametrize("preset", [SLOW, FAST_PLAIN, FAST_LS])
def test_it_learns(preset: Preset) -> None:
    pixels = np.tile(picture((24, 24, 3)), (3, 3, 1))
    coded = mixing.encode(None, pixels, None, preset)
    assert np.array_equal(mixing.decode(None, coded.payload, pixels.shape, coded.layout), pixels)
    assert coded.bits.total < 0.9 * 9 * mixing.encode(None, picture((24, 24, 3)), None, preset).bits.total
    assert coded.bits.ideal - 8 <= coded.bits.total <= coded.bits.ideal * 1.001 + 24


@pytest.mark.parametrize("preset", [FAST_PLAIN, FAST_NET, SLOW, SLOW_NET])
def test_bands_are_coded_apart(model: CausalModel, preset: Preset, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = picture((21, 15, 3))
    used = model if preset.network else None
    monkeypatch.setattr(Preset, "bands", lambda *_: 3)
    coded = mixing.encode(used, pixels, None, preset)
    assert coded.payload[0] == 3
    assert np.array_equal(mixing.decode(used, coded.payload, pixels.shape, preset.layout), pixels)
    monkeypatch.setattr(Preset, "bands", lambda *_: 1)
    last = mixing.encode(used, pixels[14:], None, preset)
    assert coded.payload.endswith(last.payload[1:])
    for bands in (0, 22, 65):
        with pytest.raises(CoderError, match="bands"):
            mixing.decode(used, bytes([bands]) + coded.payload[1:], pixels.shape, preset.layout)
    with pytest.raises(CoderError, match="longer than the coded data"):
        mixing.decode(used, coded.payload[:1] + b"\xff\x7f" + coded.payload[2:], pixels.shape, preset.layout)


def test_an_interrupted_band_stops_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = picture((400, 30, 3))
    monkeypatch.setattr(Preset, "bands", lambda *_: 2)
    monkeypatch.setattr(coding_threads, "thread_count", lambda: 2)
    monkeypatch.setattr(window, "BLOCK_PIXELS", 30)
    rows: list[int] = []
    code = Band.code

    def counted(band: Any, y: int, count: int, known: Any) -> None:
        assert count == 1
        rows.append(y)
        time.sleep(0.002)
        code(band, y, count, known)

    def interrupt(share: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Band, "code", counted)
    with pytest.raises(KeyboardInterrupt):
        mixing.encode(None, pixels, interrupt, FAST_PLAIN)
    assert len(rows) < 100  # of 400


def test_larger_pictures_have_more_bands() -> None:
    shapes = ((256, 512, 3), (255, 512, 3), (2048, 1536), (2048, 1535), (1, 1 << 23), (1 << 14, 1 << 14))
    assert [FAST_PLAIN.bands(shape) for shape in shapes] == [2, 1, 3, 2, 1, 64]
    assert [SLOW.bands(shape) for shape in shapes] == [1, 1, 1, 1, 1, 64]
    assert [SLOW.bands((h, 4096, 3)) for h in (2047, 2048, 3072)] == [1, 2, 3]


@pytest.mark.parametrize("shape", [(40, 3, 3), (23, 7), (30, 1, 3), (2, 50, 3), (12, 13)])
def test_payloads_do_not_depend_on_blocks(
    model: CausalModel, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = picture(shape)
    for layout, preset in PRESETS.items():
        used = model if preset.network else None
        found = set()
        for size in (1, 17, 60, 1 << 12):
            monkeypatch.setattr(window, "BLOCK_PIXELS", size)
            for threads in (1, 2):
                with coding_threads.thread_limit(threads):
                    coded = mixing.encode(used, pixels, None, preset)
            found.add(coded.payload)
            assert np.array_equal(mixing.decode(used, coded.payload, shape, layout), pixels)
        assert len(found) == 1


def test_flat_pictures_are_turned(model: CausalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = [(1, 4097), (256, 4097), (257, 4097), (4096, 4096), (1, 4096), (4097, 1), (100, 1600)]
    assert [mixing.is_turned(shape) for shape in shapes] == [True, True, False, False, False, False, False]
    monkeypatch.setattr(mixing, "WIDE", 30)
    for shape in ((1, 31), (1, 31, 3), (2, 33, 3)):
        pixels = picture(shape)
        upright = np.ascontiguousarray(pixels.swapaxes(0, 1))
        for layout, preset in PRESETS.items():
            used = model if preset.network else None
            coded = mixing.encode(used, pixels, None, preset)
            assert coded.payload == mixing.encode(used, upright, None, preset).payload
            assert np.array_equal(mixing.decode(used, coded.payload, shape, layout), pixels)


def test_a_decoder_stops_soon_after_its_data_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3000, 40), np.uint8)
    coded = mixing.encode(None, pixels, None, FAST_PLAIN)
    seen: list[float] = []
    with pytest.raises(CoderError, match="end before"):
        mixing.decode(None, coded.payload[:5000], pixels.shape, FAST_PLAIN.layout, seen.append)
    assert max(seen, default=0.0) < 0.2


@pytest.mark.parametrize("shape", [(7, 12, 3), (6, 11), (1, 1, 3), (1, 5), (5, 1, 3)])
def test_the_network_for_one_pixel_is_that_for_many(model: CausalModel, shape: tuple[int, ...]) -> None:
    for pixels in (picture(shape), np.random.default_rng(1).integers(0, 256, shape, np.uint8)):
        seen = padded_planes(pixels)
        net = model.nets["colour" if seen.shape[0] == 3 else "grey"]
        expected = mixtures(net, model.tables, seen, 0)
        later = padded_samples(pixels, shape[0] // 2, shape[0]).astype(np.int16)
        later[1:] -= later[0]
        assert np.array_equal(mixtures(net, model.tables, later, shape[0] // 2), expected[shape[0] // 2 :])
        raw = seen.astype(np.int32)
        raw[1:] += raw[0]
        scalar, found = ScalarNet.of(net, model.tables, seen.shape[2]), np.zeros(PARTS, np.int32)
        for y in range(shape[0]):
            for x in range(shape[1]):
                at = (y + PAD) * seen.shape[2] + PAD + x
                run_trunk(scalar, raw.reshape(-1), raw[0].size, at, x, y)
                for c in range(len(seen)):
                    run_head(scalar, raw.reshape(-1), raw[0].size, at, c, found)
                    assert np.array_equal(found, expected[y, x, c])


def digest(model: CausalModel) -> str:
    """Hash of the payloads of two pictures, decoded with the network run for one pixel after the other."""
    found = hashlib.sha256()
    for shape in ((2, 5, 3), (2, 6)):
        pixels = picture(shape)
        for layout, preset in PRESETS.items():
            used = model if preset.network else None
            coded = mixing.encode(used, pixels, None, preset)
            assert np.array_equal(mixing.decode(used, coded.payload, shape, layout), pixels)
            found.update(coded.payload)
    return found.hexdigest()


def test_python_does_what_numba_does(model: CausalModel) -> None:
    script = (
        "import sys; sys.path[:0] = ['tests', 'tests/codecs/mixing']; import test_mixing;"
        "from rdzip.exact import compiled; assert not compiled.COMPILES; print(test_mixing.digest(test_mixing.tiny()))"
    )
    environment = os.environ | {"RDZIP_COMPILE": "0", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == digest(model)


def damaged(payload: bytes) -> dict[str, bytes]:
    """Ways to break a payload."""
    middle = len(payload) // 2
    return {
        "flipped": payload[:middle] + bytes([payload[middle] ^ 16]) + payload[middle + 1 :],
        "short": payload[:middle],
        "empty": b"",
        "long": payload + b"\1",
        "zeros": bytes(len(payload)),
        "ones": b"\xff" * len(payload),
    }


@pytest.mark.parametrize("how", ["flipped", "short", "empty", "long", "zeros", "ones"])
def test_damage_is_noticed(model: CausalModel, how: str) -> None:
    pixels = picture((12, 10, 3))
    for layout, preset in PRESETS.items():
        used = model if preset.network else None
        coded = mixing.encode(used, pixels, None, preset)
        try:
            found: Any = mixing.decode(used, damaged(coded.payload)[how], pixels.shape, layout)
        except CoderError:
            continue
        assert not np.array_equal(found, pixels)


def test_what_cannot_be_decoded_is_refused(model: CausalModel) -> None:
    coded = mixing.encode(model, picture((4, 4, 3)))
    with pytest.raises(CoderError, match="layout 1 to 5, found 6"):
        mixing.decode(model, coded.payload, (4, 4, 3), 6)
    for layout in (FAST_NET.layout, SLOW_NET.layout):
        with pytest.raises(CoderError, match="needs a model"):
            mixing.decode(None, coded.payload, (4, 4, 3), layout)
    for layout in (SLOW.layout, FAST_LS.layout):
        with pytest.raises(CoderError, match="cannot hold"):
            mixing.decode(None, b"\1\2", (4000, 4000, 3), layout)
    with pytest.raises(InputError, match="expected uint8 pixels"):
        mixing.encode(None, np.zeros((4, 4), np.uint16))


def test_a_model_with_other_mixtures_is_refused(tmp_path: Path) -> None:
    model = tiny_causal.load(tiny_causal.write(tmp_path / "two.safetensors", components=2))
    with pytest.raises(ModelError, match="of 3 components, found 2: use another model, or codec causal"):
        mixing.encode(model, picture((4, 5, 3)), None, FAST_NET)
