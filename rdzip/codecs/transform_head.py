"""The head of a transform payload: setting, quality, sides of tiles; neither numpy nor torch is imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rdzip.codecs.numbers import DAMAGED, read_numbers, write_numbers
from rdzip.codecs.options import LOSSY_CODECS
from rdzip.errors import CoderError

QUALITY_MAX = 100


@dataclass(frozen=True)
class Head:
    """step: setting of the quantiser. quality: 1..100 that the setting was chosen by, 0 if it was not. rows, columns:
    sides of the tiles in strides of the model."""

    step: int
    quality: int
    rows: int
    columns: int

    def to_bytes(self) -> bytes:
        """The head as it begins a payload."""
        return write_numbers([self.step, self.quality, self.rows, self.columns])

    @classmethod
    def of(cls, payload: bytes | memoryview) -> tuple[Head, int]:
        """The head of a payload, and where it ends; CoderError for an impossible one."""
        (step, quality, rows, columns), at = read_numbers(payload, 0, 4)
        if quality > QUALITY_MAX or not rows or not columns:
            raise CoderError(DAMAGED)
        return cls(step, quality, rows, columns), at


def codec_of(layout: int) -> str:
    """Name of the codec with this layout number; CoderError if there is none."""
    if layout >= len(LOSSY_CODECS):
        raise CoderError(f"the lossy codec {layout} is unknown to this rdzip: the file needs a newer one")
    return LOSSY_CODECS[layout]


def describe(payload: bytes | memoryview, layout: int) -> dict[str, Any]:
    """Codec, setting and q, its quality (None: not chosen by one), from the beginning of a payload."""
    head, _ = Head.of(payload)
    return {"codec": codec_of(layout), "setting": head.step, "q": head.quality or None}
