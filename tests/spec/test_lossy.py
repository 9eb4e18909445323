"""docs/reference/lossy.md says enough: decoders of plain integers, written from it alone, read lossy files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import lossy_stub, tiny_hyper, tiny_irec, tiny_transform
from reference import container as slow_decoder
from reference import lossy as slow_lossy

import rdzip
from rdzip import hub
from rdzip.codecs.names import LOSSY_CODECS
from rdzip.codecs.transform import codec as transform
from rdzip.codecs.transform import tiles as transform_tiles
from rdzip.codecs.transform.tiles import Region
from rdzip.errors import CoderError
from rdzip.hub import registry
from rdzip.models import build, model_file
from rdzip.models.hyperprior.file import export


@dataclass(frozen=True)
class Case:
    """A model file, its codec, sizes of pictures of one tile, and a size of 6 tiles of a side."""

    file: Path
    codec: str
    sizes: tuple[tuple[int, int], ...]
    tile: int
    whole: tuple[int, int]

    def model(self) -> Any:
        return build(*model_file.read(self.file))

    @property
    def layout(self) -> int:
        return slow_lossy.CODECS.index(self.codec)


BUNDLED = [entry.id for entry in registry.entries() if set(entry.codecs) <= set(LOSSY_CODECS)]
SIZES = ((1, 1), (3, 50), (40, 8), (77, 66))


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in tiny_irec.CONFIGS if name != "two"]
"""Other numbers of levels than photo-irec has."""


@pytest.fixture(scope="module", params=["transform-code", *tiny_hyper.CONFIGS, "two", *SLOW])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    if request.param == "transform-code":
        return Case(tiny_transform.write(path), "channel-ar", SIZES, 24, (50, 37))
    if request.param in tiny_irec.CONFIGS:
        return Case(tiny_irec.write(path, request.param), "irec-vae", ((1, 1), (66, 30)), 64, (130, 70))
    return Case(tiny_hyper.write(path, request.param), request.param, SIZES[::3], 64, (130, 70))


def check(case: Case, setting: int, *pictures: np.ndarray) -> None:
    model, program = case.model(), slow_lossy.program_of(case.file.read_bytes())
    for pixels in pictures:
        payload = transform.encode(model, pixels, setting).payload
        found = transform.unpack(model, payload, pixels.shape, case.layout)
        found_setting, _, (tile,) = slow_lossy.decode_payload(program, payload, *pixels.shape[:2])
        assert found_setting == setting
        latents = found.latents.region(Region(0, found.grid.rows, 0, found.grid.columns))
        assert tile.keys() == latents.keys()
        for name, values in latents.items():
            assert np.array_equal(np.array(tile[name]).reshape(values.shape), values)


@pytest.mark.parametrize("setting", [0, 77, 128, -1])
def test_payload(case: Case, setting: int) -> None:
    """-1: the coarsest setting."""
    pictures = [lossy_stub.photo(*size) for size in case.sizes]
    check(case, setting if setting >= 0 else case.model().setting_count - 1, *pictures)


@pytest.mark.slow
def test_payload_of_a_larger_picture(case: Case) -> None:
    check(case, 77, lossy_stub.photo(96, 130))


@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_whole_files(case: Case, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several tiles; hash of symbols, alpha included."""
    monkeypatch.setattr(transform_tiles, "TILE", case.tile)
    hub.pull(case.file)
    pixels = lossy_stub.photo(*case.whole)
    alpha = np.full((*case.whole, 1), 9, np.uint8)
    pixels = {"L": pixels[:, :, 0], "RGBA": np.concatenate([pixels, alpha], 2)}[mode]
    data = rdzip.compress(pixels, model=str(case.file), codec=case.codec, quality=33)
    found = slow_lossy.decode_file(data, case.file.read_bytes(), alpha.tobytes() if mode == "RGBA" else b"")
    assert (found.mode, found.shape, found.quality) == (mode, case.whole, 33)
    assert len(found.tiles) == 6
    for i in range(0, len(data), 7):
        damaged = data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :]
        with pytest.raises(slow_decoder.Damaged):
            slow_lossy.decode_file(damaged, case.file.read_bytes())


def test_damaged_payloads_are_read_alike(case: Case) -> None:
    """Either both decoders refuse one, or they find the same latents in it."""
    model, pixels = case.model(), lossy_stub.photo(20, 30)
    program = slow_lossy.program_of(case.file.read_bytes())
    payload = transform.encode(model, pixels, 60).payload
    rng = np.random.default_rng(0)
    outcomes = set()
    for _ in range(8):
        bad = bytearray(payload)
        bad[rng.integers(8, len(bad))] ^= 1 << rng.integers(8)
        try:
            found = transform.unpack(model, bytes(bad), pixels.shape, case.layout)
        except CoderError:
            with pytest.raises((slow_decoder.Damaged, IndexError)):
                slow_lossy.decode_payload(program, bytes(bad), 20, 30)
            outcomes.add("refused")
            continue
        _, _, (tile,) = slow_lossy.decode_payload(program, bytes(bad), 20, 30)
        for name, values in found.latents.region(Region(0, found.grid.rows, 0, found.grid.columns)).items():
            assert np.array_equal(np.array(tile[name]).reshape(values.shape), values)
        outcomes.add("read")
    assert "refused" in outcomes


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_models(name: str) -> None:
    """The weights that users have, with their large sums."""
    file = registry.WEIGHTS / f"{name}.safetensors"
    (codec,) = model_file.read_meta(file)["codecs"]
    check(Case(file, codec, (), 64, (0, 0)), 60, lossy_stub.photo(20, 30))


def test_extreme_residuals(case: Case) -> None:
    """Escapes of all lengths."""
    pixels = (np.random.default_rng(0).integers(0, 2, (24, 24, 3)) * 255).astype(np.uint8)
    check(case, 0, pixels)


def test_escapes_of_hyper_latents(tmp_path: Path) -> None:
    """Hyper-latents far beyond their tables, and beyond what enters a layer."""
    net = tiny_hyper.net("channel-ar")
    net.hyper_analysis.convolutions[-1].weight.data *= 2000
    path = tmp_path / "wild.safetensors"
    export(path, net, {"id": "wild"})
    case = Case(path, "channel-ar", ((64, 64),), 64, (64, 64))
    pixels = lossy_stub.photo(64, 64)
    payload = transform.encode(case.model(), pixels, 60).payload
    program = slow_lossy.program_of(path.read_bytes())
    _, _, (tile,) = slow_lossy.decode_payload(program, payload, 64, 64)
    assert max(abs(v) for plane in tile["z"] for row in plane for v in row) > 300
    check(case, 60, pixels)
