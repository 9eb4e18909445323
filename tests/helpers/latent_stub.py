"""A model with latents and its codecs as the formats see them, without networks: payloads are zlib streams.

`installed` puts them in the place of rdzip.codecs.bits_back.chain, rdzip.codecs.bits_back.tiles and their heads;
`write` makes its file.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rdzip import hub, models
from rdzip.codecs.bits_back import chain, head, tiles
from rdzip.codecs.bits_back.options import Options
from rdzip.codecs.names import LATENT_CODECS
from rdzip.codecs.result import Bits, Encoded
from rdzip.errors import CoderError, InputError
from rdzip.models import model_file

ARCHITECTURE = "latent-stub"
ANSWER = "5" * 64


@dataclass(frozen=True)
class Chain:
    payload: bytes
    bits: Bits
    groups: list[Any] = field(default_factory=list)


class StubModel:
    def __init__(self, sample: dict[str, Any]) -> None:
        self.sample = sample
        self.refines = bool(sample["refines"])

    def known_answer(self) -> str:
        return ANSWER

    def values(self) -> int:
        return int(self.sample["values"])

    def check_item(self, shape: tuple[int, ...]) -> None:
        wanted = self.sample["shape"]
        if len(shape) != len(wanted) or any(w not in (None, n) for n, w in zip(shape, wanted, strict=True)):
            raise InputError(f"expected items of {wanted}, found {list(shape)}: choose another model")


def write(
    path: Path,
    shape: list[int | None],
    values: int = 256,
    codecs: tuple[str, ...] = LATENT_CODECS,
    *,
    refines: bool = False,
) -> Path:
    """The file of a model of items of this shape (None: any size)."""
    meta = {
        "architecture": ARCHITECTURE,
        "version": 1,
        "id": path.stem,
        "codecs": list(codecs),
        "known_answer": ANSWER,
        "licence": "MIT",
        "sample": {"kind": "image", "shape": shape, "values": values, "refines": refines},
    }
    model_file.write(path, {"nothing": np.zeros(1, np.uint8)}, meta)
    hub.pull(path)  # so that decoding finds it by its hash
    return path


@contextmanager
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for module, pair in ((chain, (encode, decode)), (tiles, (encode_tiles, decode_tiles))):
        monkeypatch.setattr(module, "encode", pair[0])
        monkeypatch.setattr(module, "decode", pair[1])
    for name, function in (("read_head", read_head), ("describe", describe), ("describe_tiles", describe)):
        monkeypatch.setattr(head, name, function)
    with models.registered(ARCHITECTURE, lambda _, meta: StubModel(meta["sample"])):
        yield


def encode(model: StubModel, samples: Any, codec: str, options: Options, progress: Any = None, seed: int = 0) -> Chain:
    sequences = isinstance(samples, list)
    for item in samples:
        model.check_item(item.shape[1:] if sequences else item.shape)
        assert item.max() < model.values()
    raw = b"".join(item.tobytes() for item in samples)
    numbers = options.to_numbers("bb-ans")
    begin = bytes([LATENT_CODECS.index(codec), *(n & 255 for n in numbers), len(samples)])
    payload = begin + zlib.crc32(raw).to_bytes(4, "little") + zlib.compress(raw)
    size = 8.0 * len(payload)
    if progress:
        progress(1.0)
    return Chain(payload, Bits(size - 64, size - 32, size))


def decode(model: StubModel, payload: bytes, shape: Any, progress: Any = None) -> Any:
    describe(payload)
    shapes = shape if isinstance(shape, list) else [shape]
    try:
        raw = zlib.decompress(payload[12:])
    except zlib.error as error:
        raise CoderError(f"corrupt payload: {error}") from error
    if zlib.crc32(raw).to_bytes(4, "little") != payload[8:12] or len(raw) != sum(prod(one) for one in shapes):
        raise CoderError("corrupt payload")
    flat = np.frombuffer(raw, np.uint8)
    ends = np.cumsum([prod(one) for one in shapes])
    parts = [part.reshape(one) for part, one in zip(np.split(flat, ends[:-1]), shapes, strict=True)]
    if progress:
        progress(1.0)
    return parts if isinstance(shape, list) else parts[0]


def describe(payload: bytes) -> dict[str, Any]:
    if len(payload) < 12 or payload[0] >= len(LATENT_CODECS):
        raise CoderError("unknown codec, or a payload that is cut")
    options = Options.from_numbers("bb-ans", list(payload[1:7]))
    return {"codec": LATENT_CODECS[payload[0]], **asdict(options)}


def read_head(payload: bytes) -> Any:
    facts = describe(payload)
    return facts["codec"], None, [payload[7]], 8


def encode_tiles(model: StubModel, pixels: Any, codec: str, options: Options, progress: Any = None) -> Encoded:
    model.check_item(pixels.shape)
    done = encode(model, pixels[None], codec, options, progress)
    return Encoded(done.payload, done.bits, 0)


def decode_tiles(model: StubModel, payload: bytes, shape: Any, layout: int, progress: Any = None) -> Any:
    if layout:
        raise CoderError("unknown layout")
    model.check_item(shape)
    return decode(model, payload, (1, *shape), progress)[0]


def some(shape: tuple[int, ...], values: int = 256, seed: int = 0) -> np.ndarray:
    """Random samples below ``values``."""
    return np.random.default_rng(seed).integers(0, values, shape).astype(np.uint8)
