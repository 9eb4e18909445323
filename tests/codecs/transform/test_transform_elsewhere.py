"""The model "transform-code" itself: seams, and the same symbols in other processes, threads and vector widths."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import lossy_stub, tiny_transform

from rdzip.codecs.transform import codec as transform
from rdzip.codecs.transform import tiles as transform_tiles
from rdzip.codecs.transform.tiles import Grid, Region
from rdzip.errors import CoderError
from rdzip.models import build, model_file
from rdzip.models.lossy_model import LossyModel

DECODE = """
import json, sys
from pathlib import Path
import torch
from rdzip.codecs.transform import codec as transform
from rdzip.errors import CoderError
from rdzip.models import build, model_file
folder = Path(sys.argv[1])
found = {}
for threads in (1, 2):
    torch.set_num_threads(threads)
    assert torch.get_num_threads() == threads
    model = build(*model_file.read(folder / "tiny.safetensors"))
    for name, shape in json.loads((folder / "shapes.json").read_text()).items():
        unpacked = transform.unpack(model, (folder / name).read_bytes(), tuple(shape), 1)
        (folder / (name + ".pixels")).write_bytes(transform.synthesise(model, unpacked, tuple(shape)).tobytes())
        found[f"{name} {threads}"] = unpacked.digest.hex()
print(json.dumps([torch.backends.cpu.get_cpu_capability(), found]))
"""
SETTINGS = (0, 90, 200)
SIZE = (50, 90)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, payloads that were coded with two threads, and the hashes of their symbols."""
    folder = tmp_path_factory.mktemp("elsewhere")
    model = read(tiny_transform.write(folder / "tiny.safetensors"))
    pixels = lossy_stub.photo(*SIZE)
    shapes, digests = {}, {}
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    for setting in SETTINGS:
        coded = transform.encode(model, pixels, setting)
        (folder / str(setting)).write_bytes(coded.payload)
        shapes[str(setting)] = pixels.shape
        digests |= {f"{setting} {threads}": coded.digest.hex() for threads in (1, 2)}
    torch.set_num_threads(before)
    (folder / "shapes.json").write_text(json.dumps(shapes))
    (folder / "digests.json").write_text(json.dumps(digests))
    return folder


def read(path: Path) -> LossyModel:
    return build(*model_file.read(path))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("dnn", "mkl", "aten"), [("SSE41", "SSE4_2", "default"), ("AVX2", "AVX2", "avx2")], ids=["SSE41", "AVX2"]
)
def test_other_simd_levels_and_threads(folder: Path, dnn: str, mkl: str, aten: str) -> None:
    level = {"ONEDNN_MAX_CPU_ISA": dnn, "MKL_ENABLE_INSTRUCTIONS": mkl, "ATEN_CPU_CAPABILITY": aten}
    command = [sys.executable, "-c", DECODE, str(folder)]
    out = subprocess.run(command, env=os.environ | level, capture_output=True, text=True, check=True)
    capability, found = json.loads(out.stdout)
    assert capability in (aten.upper(), "DEFAULT")  # the latter where there is no AVX2
    assert found == json.loads((folder / "digests.json").read_text())
    model = read(folder / "tiny.safetensors")
    for setting in SETTINGS:
        unpacked = transform.unpack(model, (folder / str(setting)).read_bytes(), (*SIZE, 3), 1)
        pixels = transform.synthesise(model, unpacked, (*SIZE, 3))
        theirs = np.frombuffer((folder / f"{setting}.pixels").read_bytes(), np.uint8).reshape(pixels.shape)
        assert np.abs(pixels.astype(int) - theirs).max() <= 1


@pytest.mark.parametrize(("tile", "count"), [(64, 12), (24, 63)])
def test_tiles_leave_no_seams(folder: Path, tile: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tile by tile, both transforms give what they give of the whole, to 1/100 of a level."""
    model = read(folder / "tiny.safetensors")
    pixels = lossy_stub.photo(150, 210)
    whole = Grid.of(pixels.shape, model.stride)
    (all_of_it,) = whole.tiles()
    latents = transform.analyse(model, pixels, whole, all_of_it, 60)["y"]
    found = transform.unpack(model, transform.encode(model, pixels, 90).payload, pixels.shape, 1)
    picture = transform.region_samples(model, found, all_of_it)
    monkeypatch.setattr(transform_tiles, "TILE", tile)
    grid = Grid.of(pixels.shape, model.stride)
    assert grid.number == count
    for part in grid.tiles():
        rows, columns = part.within(Region(0, 0, 0, 0))
        mine = transform.analyse(model, pixels, grid, part, 60)["y"]
        assert float((mine - latents[:, :, rows, columns]).abs().max()) < 1e-4  # of a step of the quantiser
        theirs = picture[8 * part.top : 8 * part.bottom, 8 * part.left : 8 * part.right]
        assert np.abs(transform.region_samples(model, found, part) - theirs).max() < 0.01 / 255


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (9, 7), (70, 65)])
@pytest.mark.parametrize("setting", [0, 128, 255])
def test_sizes_and_rates(folder: Path, size: tuple[int, int], setting: int) -> None:
    model = read(folder / "tiny.safetensors")
    for pixels in (lossy_stub.photo(*size), lossy_stub.photo(*size)[:, :, 0]):
        coded = transform.encode(model, pixels, setting)
        found = transform.unpack(model, coded.payload, pixels.shape, coded.layout)
        assert found.digest == coded.digest
        assert transform.synthesise(model, found, pixels.shape).shape == pixels.shape
        assert 8 * len(coded.payload) == pytest.approx(coded.estimated, rel=0.01, abs=41)


@pytest.mark.parametrize("kind", ["noise", "two levels", "checkers"])
def test_extreme_pictures(folder: Path, kind: str) -> None:
    """Latents far from what a model expects are coded all the same."""
    model = read(folder / "tiny.safetensors")
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (48, 40, 3)).astype(np.uint8)
    if kind == "two levels":
        pixels = (pixels & 1) * np.uint8(255)
    elif kind == "checkers":
        pixels = np.repeat((np.indices((48, 40)).sum(0) % 2 * 255).astype(np.uint8)[:, :, None], 3, 2)
    for setting in (0, 100, 200, 255):
        coded = transform.encode(model, pixels, setting)
        found = transform.unpack(model, coded.payload, pixels.shape, coded.layout)
        assert found.digest == coded.digest


def test_damage_is_noticed(folder: Path) -> None:
    model = read(folder / "tiny.safetensors")
    pixels = lossy_stub.photo(40, 50)
    coded = transform.encode(model, pixels, 60)
    rng = np.random.default_rng(0)
    for _ in range(30):
        bad = bytearray(coded.payload)
        for _ in range(rng.integers(1, 4)):
            bad[rng.integers(5, len(bad))] ^= 1 << rng.integers(8)
        try:
            found = transform.unpack(model, bytes(bad), pixels.shape, 1)
        except CoderError:
            continue
        assert found.digest != coded.digest
