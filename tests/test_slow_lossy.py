"""docs/lossy.md says enough: a decoder written from it alone, in plain integers, reads lossy files to their latents."""

from __future__ import annotations

import ast
from pathlib import Path

import lossy_stub
import numpy as np
import pytest
import slow_decoder
import slow_lossy
import tiny_transform

import rdzip
from rdzip import hub
from rdzip.codecs import transform, transform_tiles
from rdzip.codecs.transform_tiles import Region
from rdzip.models import build, modelfile


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_transform.write(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (40, 8), (77, 66), (96, 130)])
@pytest.mark.parametrize("step", [0, 77, 128, 255])
def test_payload(file: Path, size: tuple[int, int], step: int) -> None:
    if size == (96, 130) and step != 77:
        pytest.skip("one large picture is enough")
    model = build(*modelfile.read(file))
    pixels = lossy_stub.photo(*size)
    payload = transform.encode(model, pixels, step).encoded.payload  # type: ignore[arg-type]
    found = transform.unpack(model, payload, pixels.shape, 1)  # type: ignore[arg-type]
    program = slow_lossy.Program(file.read_bytes())
    setting, _, tiles = slow_lossy.decode_payload(program, payload, *size)
    assert setting == step
    latents = found.latents.region(Region(0, found.grid.rows, 0, found.grid.columns))["y"]
    assert np.array_equal(np.array(tiles[0]), latents)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_whole_files(file: Path, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several tiles; hash of symbols, alpha included."""
    monkeypatch.setattr(transform_tiles, "TILE", 24)
    hub.pull(file)
    pixels = lossy_stub.photo(50, 37)
    alpha = np.full((50, 37, 1), 9, np.uint8)
    pixels = {"RGB": pixels, "L": pixels[:, :, 0], "RGBA": np.concatenate([pixels, alpha], 2)}[mode]
    data = rdzip.compress(pixels, model=str(file), codec="channel-ar", quality=33)
    found = slow_lossy.decode_file(data, file.read_bytes(), alpha.tobytes() if mode == "RGBA" else b"")
    assert (found.mode, found.shape, found.quality) == (mode, (50, 37), 33)
    assert len(found.tiles) == 6
    for i in range(0, len(data), 7):
        damaged = data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :]
        with pytest.raises(slow_decoder.Damaged):
            slow_lossy.decode_file(damaged, file.read_bytes())


def test_extreme_residuals(file: Path) -> None:
    """Escapes of all lengths."""
    model = build(*modelfile.read(file))
    pixels = (np.random.default_rng(0).integers(0, 2, (24, 24, 3)) * 255).astype(np.uint8)
    payload = transform.encode(model, pixels, 0).encoded.payload  # type: ignore[arg-type]
    _, _, (tile,) = slow_lossy.decode_payload(slow_lossy.Program(file.read_bytes()), payload, 24, 24)
    found = transform.unpack(model, payload, pixels.shape, 1)  # type: ignore[arg-type]
    assert np.array_equal(np.array(tile), found.latents.region(Region(0, 3, 0, 3))["y"])


def test_decoder_has_no_float_and_nothing_of_rdzip() -> None:
    tree = ast.parse(Path(slow_lossy.__file__).read_text("utf-8"))
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            assert not isinstance(node.value, float | complex), f"line {node.lineno}"
        if isinstance(node, ast.BinOp | ast.AugAssign):
            assert not isinstance(node.op, ast.Div), f"line {node.lineno}"
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules |= {node.module} if isinstance(node, ast.ImportFrom) else {a.name for a in node.names}
    slow = {"slow_decoder", "slow_images", "slow_sites"}
    assert modules == {"__future__", "collections.abc", "dataclasses", "hashlib", "struct", "typing"} | slow
