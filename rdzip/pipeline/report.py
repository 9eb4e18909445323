"""What a compression and a decoding tell beside their results."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rdzip.codecs.result import Bits
from rdzip.formats.images.picture import Picture


@dataclass(frozen=True)
class Lossy:
    """What is told where loss was allowed.

    setting: of the quantiser, None if nothing was lost after all. quality: 1..100 that was asked for, None for a rate.
    bpp: bits of the file per pixel. psnr: of the decoded file in dB, of red, green and blue in 0..255, hidden pixels
    left out; infinite if nothing differs, None if the file was not decoded. estimated: bits of the file by the model's
    estimate, which a reader need not believe: the file was measured.
    """

    setting: int | None
    quality: int | None
    bpp: float
    psnr: float | None
    estimated: float


@dataclass(frozen=True)
class Near:
    """What is told where an error was allowed.

    max_error: of a sample, as it was asked for. largest_error: that of the file, 0 if nothing was lost after all. bpp:
    bits of the file per pixel. psnr: in dB, of the samples' range, alpha and hidden pixels left out; infinite if
    nothing differs. Decoders are exact, so the file need not be decoded to know these.
    """

    max_error: int
    largest_error: int
    bpp: float
    psnr: float


@dataclass(frozen=True)
class Report:
    """What a compression did. bits: of the pixels' payloads. bytes_in: of the source file, or of the samples when there
    was none. groups: of each segment of a batch, the groups (rdzip.codecs.bits_back.chain) of its chain. lossy: where
    loss was allowed. near: where an error was.
    """

    codec: str
    model: str | None
    shape: tuple[int, ...]
    bytes_in: int
    bytes_out: int
    bpsp: float
    bits: Bits
    seconds: dict[str, float]
    reason: str
    notes: list[str] = field(default_factory=list)
    groups: list[list[Any]] = field(default_factory=list)
    lossy: Lossy | None = None
    near: Near | None = None


@dataclass(frozen=True)
class Compressed:
    """The bytes of a .rdz file and the report on them."""

    data: bytes
    report: Report


@dataclass(frozen=True)
class Decoded:
    """A decoded picture and how many seconds it took: {load, decode}."""

    picture: Picture
    seconds: dict[str, float]
