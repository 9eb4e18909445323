"""The test vectors of layout 3 of context mixing in docs/reference/format.md are what codec and slow decoder compute.

Run by itself, it prints the part of the page that follows the wide picture's description.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from reference import container as slow_decoder
from reference import fast_mixing
from spec.test_format_spec import FORMAT, linear_congruence, vector_model

from rdzip.codecs.mixing import codec as mixing
from rdzip.codecs.mixing.presets import FAST_NET
from rdzip.models import model_file
from rdzip.models.causal.model import from_tensors

FLAT, NOISY, WIDTH = 16, 2, 26


@dataclass
class Sample:
    """What the slow decoder does for a sample; certain: the decisions that are."""

    place: tuple[int, int, int]
    hashes: list[int]
    p: list[int]
    q: list[int]
    probabilities: list[int] = field(default_factory=list)
    buckets: list[list[int]] = field(default_factory=list)
    certain: list[bool] = field(default_factory=list)
    value: int = 0

    @property
    def cells(self) -> list[str]:
        y, x, c = self.place
        numbers = (" ".join(map(str, row)) for row in (self.p, self.q))
        return [f"({y}, {x}), {c}", *numbers, " ".join(f"{h:08x}" for h in self.hashes)]

    @property
    def line(self) -> str:
        return f"| {' | '.join([*self.cells, ' '.join(map(str, self.probabilities))])} |"

    @property
    def long_line(self) -> str:
        """With buckets, and certain decisions marked."""
        buckets = "; ".join(" ".join(map(str, row)) for row in self.buckets) or "none"
        marked = (f"{p}{'*' * sure}" for p, sure in zip(self.probabilities, self.certain, strict=True))
        return f"| {' | '.join([*self.cells, buckets, ' '.join(marked), str(self.value)])} |"

    @property
    def failed(self) -> bool:
        """Whether a certain decision came out as it was not expected."""
        bits = [self.value >> (7 - i) & 1 for i in range(8)]
        return any(s and (p > 32768) != b for s, p, b in zip(self.certain, self.probabilities, bits, strict=True))


def watched(payload: bytes, shape: tuple[int, ...], model: Path) -> tuple[bytes, list[Sample]]:
    """What the slow decoder makes of a payload of layout 3, and how."""
    seen: list[Sample] = []

    class Coder(fast_mixing.Coder):
        def bit(self, p: int) -> int:
            seen[-1].probabilities.append(p)
            seen[-1].certain.append(True)  # unless `mixed` says otherwise
            return super().bit(p)

    class Fast(fast_mixing.Fast):
        def look(self, hashes: list[int], v: int) -> list[int]:
            seen[-1].buckets.append(super().look(hashes, v))
            return seen[-1].buckets[-1]

        def mixed(self, *args: Any) -> int:
            bit = super().mixed(*args)
            seen[-1].certain[-1] = False
            return bit

        def sample(self, c: int, x: int, hashes: list[int], p: list[int], q: list[int], *rest: Any) -> int:
            seen.append(Sample((len(seen) // (3 * shape[1]), x, c), hashes, p, q))
            seen[-1].value = super().sample(c, x, hashes, p, q, *rest)
            return seen[-1].value

    network = slow_decoder.Network(*slow_decoder.read_model(model.read_bytes()), kind="colour")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast_mixing, "Coder", Coder)
        patch.setattr(fast_mixing, "Fast", Fast)
        return fast_mixing.decode(payload, *shape[:2], 3, 3, network), seen


def coded(pixels: NDArray[np.uint8], model: Path) -> bytes:
    return mixing.encode(from_tensors(*model_file.read(model)), pixels, None, FAST_NET).payload


def wide_picture() -> NDArray[np.uint8]:
    """All 3, and then two rows of the linear congruence."""
    pixels = np.full((FLAT + NOISY, WIDTH, 3), 3, np.uint8)
    numbers = linear_congruence()
    pixels[FLAT:] = np.array([next(numbers) % 64 for _ in range(NOISY * WIDTH * 3)]).reshape(NOISY, WIDTH, 3)
    return pixels


def chosen(samples: list[Sample]) -> Iterator[Sample]:
    """Samples that the page shows: two contexts in one bucket, the first certain decision, one that fails, the last."""
    for kind in (
        lambda s: any(len(set(row)) < len(row) for row in s.buckets),
        lambda s: any(s.certain),
        lambda s: s.failed,
    ):
        yield next(s for s in samples if kind(s))
    yield from samples[-3:]


def page(name: str) -> str:
    return FORMAT.read_text("utf-8").partition(name)[2].partition("\n#### ")[0]


def payload_in(text: str) -> str:
    block = re.search(r"```hex\n(.*?)```", text, re.DOTALL)
    assert block is not None
    return re.sub(r"\s", "", block[1])


def test_small_vector(tmp_path: Path) -> None:
    """Predictions, contexts and probabilities of two pixels."""
    model, text = vector_model(tmp_path / "vector.safetensors", 3), page("#### Fast mixer: test vector")
    pixels = np.frombuffer(bytes.fromhex(payload_in(page("#### Test vector"))), np.uint8).reshape(3, 4, 3)
    payload = coded(pixels, model)
    assert payload.hex() == payload_in(text)
    found, samples = watched(payload, pixels.shape, model)
    assert found == pixels.tobytes()
    for sample in (*samples[:3], *samples[-3:]):
        assert sample.line in text, sample.line


def test_wide_vector(tmp_path: Path) -> None:
    """What a picture of 12 pixels never meets: blocks left behind, a shared bucket, decisions that are certain."""
    model, text = vector_model(tmp_path / "vector.safetensors", 3), page("#### Fast mixer: a wider test vector")
    pixels = wide_picture()
    payload = coded(pixels, model)
    assert payload.hex() == payload_in(text)
    found, samples = watched(payload, pixels.shape, model)
    assert found == pixels.tobytes()
    for sample in chosen(samples):
        assert sample.long_line in text, sample.long_line


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        file = vector_model(Path(folder) / "vector.safetensors", 3)
        data = coded(wide_picture(), file)
        groups = [data.hex()[i : i + 8] for i in range(0, 2 * len(data), 8)]
        print("\n".join(" ".join(groups[i : i + 14]) for i in range(0, len(groups), 14)))
        print("\n".join(sample.long_line for sample in chosen(watched(data, (FLAT + NOISY, WIDTH, 3), file)[1])))
