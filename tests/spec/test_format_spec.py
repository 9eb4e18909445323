"""docs/reference/format.md says enough: a decoder written from it alone, in plain integers, reads what rdzip writes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import tiny_causal
from reference import container as slow_decoder

import rdzip
from rdzip import hub
from rdzip.codecs.causal import codec as causal
from rdzip.models import model_file
from rdzip.models.causal.model import from_tensors

FORMAT = Path(__file__).resolve().parents[2] / "docs" / "reference" / "format.md"
SIZES = [(5, 7, 3), (6, 5), (1, 1, 3), (1, 1), (1, 9), (9, 1, 3)]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_causal.write(tmp_path_factory.mktemp("model") / "tiny.safetensors")


def picture(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Smooth, noisy and extreme samples."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(20, 200, int(np.prod(shape[:2]))).reshape(shape[:2])
    samples = ramp.reshape(*shape[:2], *[1] * (len(shape) - 2)) + rng.normal(0, 6, shape)
    wild = rng.random(shape) < 0.1
    return np.where(wild, rng.choice([0, 255], shape), np.clip(samples, 0, 255)).astype(np.uint8)


@pytest.mark.parametrize("shape", SIZES)
def test_payload(file: Path, shape: tuple[int, ...]) -> None:
    pixels = picture(shape, 1)
    encoded = causal.encode(tiny_causal.load(file), pixels)
    assert encoded.layout == 3
    channels = 3 if len(shape) == 3 else 1
    decoded = slow_decoder.decode_payload(file.read_bytes(), encoded.payload, *shape[:2], channels)
    assert decoded == pixels.tobytes()


@pytest.mark.parametrize(("shape", "mode"), [((5, 7, 3), "RGB"), ((6, 5), "L")])
def test_whole_file(file: Path, shape: tuple[int, ...], mode: str) -> None:
    pixels = picture(shape, 2)
    data = rdzip.compress(pixels, model=str(file), codec="causal")
    model = file.read_bytes()
    image = slow_decoder.decode_file(data, model)
    assert (image.mode, image.height, image.width) == (mode, *shape[:2])
    assert image.samples == pixels.tobytes()
    for i in range(len(data)):
        damaged = data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :]
        with pytest.raises(slow_decoder.Damaged):
            slow_decoder.decode_file(damaged, model)


@pytest.mark.parametrize(("shape", "max_error"), [((5, 7, 3), 1), ((6, 5), 31)])
def test_near_lossless_file(file: Path, shape: tuple[int, ...], max_error: int) -> None:
    pixels = picture(shape, 2)
    data = rdzip.compress(pixels, model=str(file), codec="causal", max_error=max_error)
    image = slow_decoder.decode_file(data, file.read_bytes())
    unlike = np.frombuffer(image.samples, np.uint8).reshape(shape).astype(int) - pixels
    assert np.abs(unlike).max() == max_error


@pytest.mark.parametrize(("shape", "mode"), [((6, 8, 3), "RGB"), ((9, 8), "L")])
def test_file_of_the_bundled_model(shape: tuple[int, ...], mode: str) -> None:
    """The weights that users have, with their large sums."""
    pixels = picture(shape, 3)
    data = rdzip.compress(pixels, codec="causal")
    image = slow_decoder.decode_file(data, hub.resolve("photo").path.read_bytes())
    assert (image.mode, image.samples) == (mode, pixels.tobytes())


def vector_model(path: Path, k: int = 2) -> Path:
    """The model of a test vector in docs/reference/format.md of k components, with a grey network by the same rule."""
    tensors: dict[str, np.ndarray] = {}
    networks: dict[str, Any] = {}
    for kind, channels in (("colour", 3), ("grey", 1)):
        width, head = 8, 4
        networks[kind] = {"channels": channels, "neighbours": 10, "colour_neighbours": 10, "width": width}
        networks[kind] |= {"blocks": 1, "head": head, "head_blocks": 1, "components": k}
        shapes = {"stem": (10 * channels + 4, width), "blocks.0": (width, width), "fan": (width, channels * head)}
        shapes |= {f"known.{p - 1}": (3 * p, head) for p in range(1, channels)}
        shapes |= {f"deep.{p}.0": (head, head) for p in range(channels)}
        shapes |= {f"out.{p}": (head, 3 * k + (6 + p if p else 10)) for p in range(channels)}
        numbers = linear_congruence()
        for name, (inputs, outputs) in shapes.items():
            weight = [next(numbers) % 255 - 127 for _ in range(inputs * outputs)]
            exponent = 8 if name == "stem" else 10 if name.startswith("out") else 9
            tensors[f"{kind}.{name}.weight"] = np.array(weight, np.int8).reshape(outputs, inputs)
            tensors[f"{kind}.{name}.exponent"] = np.full(outputs, exponent, np.int8)
            tensors[f"{kind}.{name}.bias"] = np.array([next(numbers) % 2001 - 1000 for _ in range(outputs)], np.int32)
        d = [round(127 * math.log(1 + i / 2) / math.log(128.5)) for i in range(256)]
        tensors[f"{kind}.compression"] = np.array([-v for v in d[:0:-1]] + d, np.int16)
        scale = [round(6 * math.log2((64 + 26 * a) / (256 * 0.06))) for a in range(2048)]
        tensors[f"{kind}.activity_scale"] = np.array(scale, np.int16)
    sigmoid = [round(65520 / (1 + math.exp((8191.5 - i) * 24 / 16384))) for i in range(16384)]
    inverse = [round(256 * 16384 / 24 / 64 / (0.06 * 2 ** (i / 6))) for i in range(64)]
    exponential = [round(65536 * math.exp(-i / 16)) for i in range(192)]
    for name, table in (("sigmoid", sigmoid), ("inverse_scale", inverse), ("exponential", exponential)):
        tensors[f"mixture.{name}"] = np.array(table, np.int32)
    document = {"architecture": "causal-mlp", "version": 1, "id": "vector", "codecs": ["causal"], "licence": "none"}
    model_file.write(path, tensors, document | {"networks": networks, "known_answer": "0" * 64})
    return path


def linear_congruence() -> Iterator[int]:
    x = 1
    while True:
        x = (1103515245 * x + 12345) % 2**31
        yield x >> 16


def test_vector(tmp_path: Path) -> None:
    """What docs/reference/format.md shows is what the codec computes, and what the slow decoder reads."""
    path = vector_model(tmp_path / "vector.safetensors")
    model = from_tensors(*model_file.read(path))
    text = FORMAT.read_text("utf-8").partition("#### Test vector")[2].partition("\n## ")[0]
    blocks = [re.sub(r"\s", "", block) for block in re.findall(r"```hex\n(.*?)```", text, re.DOTALL)]
    pixels = np.frombuffer(bytes.fromhex(blocks[0]), np.uint8).reshape(3, 4, 3)
    encoded = causal.encode(model, pixels)
    assert encoded.payload.hex() == blocks[1]
    assert slow_decoder.decode_payload(path.read_bytes(), encoded.payload, 3, 4, 3) == pixels.tobytes()

    network = slow_decoder.Network(*slow_decoder.read_model(path.read_bytes()), kind="colour")
    red, green, blue = pixels.astype(int).transpose(2, 0, 1)
    planes = [plane.tolist() for plane in (green, red - green, blue - green)]
    context = slow_decoder.context_of(planes, network.config, 2, 3, 4)
    fan = network.trunk(context)
    assert f"act(f) = {' '.join(map(str, slow_decoder.act(fan)))}" in text
    known: list[int] = []
    for p, sample in enumerate((1, 0, 2)):
        mixture = network.parameters(p, fan, context, known)
        c = network.cumulative(mixture)
        s = int(pixels[2, 3, sample])
        components = ", ".join(str(m) for m in mixture)
        row = f"| T{p} | {context.medians[p]} | {context.activities[p]} | {components} | {s} | {c[s]} | {c[s + 1]} |"
        assert row in text, row
        known.append(planes[p][2][3])
