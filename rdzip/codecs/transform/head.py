"""The head of a transform payload: setting, quality, sides of tiles, how latents are searched; neither numpy nor torch
is imported."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any

from rdzip.codecs.bits_back.options import Options
from rdzip.codecs.names import IREC_CODECS, LOSSY_CODECS
from rdzip.codecs.varint import DAMAGED, read_numbers, write_numbers
from rdzip.errors import CoderError
from rdzip.rec.settings import Settings

QUALITY_MAX = 100


@dataclass(frozen=True)
class Head:
    """setting: of the quantiser. quality: 1..100 that the setting was chosen by, 0 if it was not. rows, columns:
    sides of the tiles in strides of the model. rec_settings: of relative entropy coding, None for other codecs."""

    setting: int
    quality: int
    rows: int
    columns: int
    rec_settings: Settings | None = None

    def to_bytes(self) -> bytes:
        """The head as it begins a payload."""
        more = astuple(self.rec_settings) if self.rec_settings else ()
        return write_numbers([self.setting, self.quality, self.rows, self.columns, *more])

    @classmethod
    def of(cls, payload: bytes | memoryview, codec: str) -> tuple[Head, int]:
        """The head of a codec's payload, and where it ends; CoderError for an impossible one."""
        (setting, quality, rows, columns), at = read_numbers(payload, 0, 4)
        if quality > QUALITY_MAX or not rows or not columns:
            raise CoderError(DAMAGED)
        if codec not in IREC_CODECS:
            return cls(setting, quality, rows, columns), at
        numbers, at = read_numbers(payload, at, len(Options.names(codec)))
        return cls(setting, quality, rows, columns, Options.from_numbers(codec, numbers).rec_settings), at


def codec_of(layout: int) -> str:
    """Name of the codec with this layout number; CoderError if there is none."""
    if layout >= len(LOSSY_CODECS):
        raise CoderError(f"the lossy codec {layout} is unknown to this rdzip: the file needs a newer one")
    return LOSSY_CODECS[layout]


def describe(payload: bytes | memoryview, layout: int) -> dict[str, Any]:
    """Codec, setting and q, its quality (None: not chosen by one), from the beginning of a payload; of relative entropy
    coding also its settings."""
    codec = codec_of(layout)
    head, _ = Head.of(payload, codec)
    facts = {"codec": codec, "setting": head.setting, "q": head.quality or None}
    return facts | (head.rec_settings.facts() if head.rec_settings else {})
