"""What a compression and a decoding report beside their results."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from rdzip.codecs.names import DCT
from rdzip.codecs.result import Bits
from rdzip.formats.batch.items import Batch
from rdzip.formats.header import BYTES_REASON, DCT_REASON, LOSSY_REASON, REASONS, Reason
from rdzip.formats.images.picture import Picture
from rdzip.formats.notes import Note, NoteKind
from rdzip.system import limits


@dataclass(frozen=True)
class Lossy:
    """The part of a report for loss that was allowed.

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
    """The part of a report for an error that was allowed.

    max_error: of a sample, as it was asked for. largest_error: that of the file, 0 if nothing was lost after all. bpp:
    bits of the file per pixel. psnr: in dB, of the samples' range, alpha and hidden pixels left out; infinite if
    nothing differs. Decoders are exact, so the file need not be decoded to know these.
    """

    max_error: int
    largest_error: int
    bpp: float
    psnr: float


@dataclass(frozen=True)
class Returned:
    """What of a source file comes back.

    exact: "file", the same bytes, or "picture". carrier: name of what closes it, "" for a picture. skeleton: bytes that
    it takes beside the pictures. sha256: of the source, in hex. why: why the source must stay, "" if it need not.
    """

    exact: str
    carrier: str
    skeleton: int
    sha256: str
    why: str


@dataclass(frozen=True)
class Report:
    """What a compression did.

    shape: of the picture, empty for a file that is kept as bytes.
    bits: of the pixels' payloads.
    bytes_in: of the source file, or of the samples when there was none.
    cause: why the codec was chosen, None where loss was asked for.
    groups: of each segment of a batch, the groups (rdzip.codecs.bits_back.chain) of its chain.
    lossy, near: where loss was allowed, or an error.
    returned: of a source that was a file.
    """

    codec: str
    model: str | None
    shape: tuple[int, ...]
    bytes_in: int
    bytes_out: int
    bpsp: float
    bits: Bits
    seconds: dict[str, float]
    cause: Reason | None
    notes: list[Note] = field(default_factory=list)
    groups: list[list[Any]] = field(default_factory=list)
    lossy: Lossy | None = None
    near: Near | None = None
    returned: Returned | None = None

    @property
    def reason(self) -> str:
        """Why the codec was chosen, for users."""
        if not self.shape:
            return BYTES_REASON
        if self.codec == DCT:
            return DCT_REASON
        return LOSSY_REASON if self.cause is None else REASONS[self.cause]


@dataclass(frozen=True)
class Outcome:
    """What was chosen: the codec's name, the model's id if it is needed to decode, bits of all payloads, why (None:
    loss was asked for), and of a batch the groups of its chains.
    """

    codec: str
    model: str | None
    bits: Bits
    cause: Reason | None
    groups: list[list[Any]] = field(default_factory=list)


class Clock:
    """Seconds of a compression: loading, coding, verifying."""

    def __init__(self) -> None:
        self._start = self._encoded = time.perf_counter()

    def encoded(self) -> None:
        """Note that the file is made."""
        self._encoded = time.perf_counter()

    def seconds(self, load: float) -> dict[str, float]:
        """Return the seconds until now, given those of loading: {load, encode, verify}."""
        return {
            "load": load,
            "encode": self._encoded - self._start - load,
            "verify": time.perf_counter() - self._encoded,
        }


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


def seconds_of(parts: list[Decoded], total: float) -> dict[str, float]:
    """Return the seconds of decoding several pictures, of which so many in all: {load, decode}."""
    load = sum(part.seconds["load"] for part in parts)
    return {"load": load, "decode": total - load}


def compressed(
    data: bytes,
    source: Picture | Batch,
    outcome: Outcome,
    seconds: dict[str, float],
    notes: list[Note],
    *,
    coded: Picture | None = None,
    lossy: Lossy | None = None,
    near: Near | None = None,
) -> Compressed:
    """Return a file and the report on it.

    - data: the file
    - source: what was given; coded: what was coded of it, None for the same
    - outcome: codecs, their bits and why they were chosen
    - seconds: what each part took
    - notes: for the user
    - lossy, near: where loss or an error was allowed
    """
    held = coded or source
    report = Report(
        codec=outcome.codec,
        model=outcome.model,
        shape=held.shape,
        bytes_in=source.source_bytes or source.samples.nbytes,
        bytes_out=len(data),
        bpsp=8 * len(data) / held.samples.size,
        bits=outcome.bits,
        seconds=seconds,
        cause=outcome.cause,
        notes=notes,
        groups=outcome.groups,
        lossy=lossy,
        near=near,
    )
    return Compressed(data, report)


def limit_notes(budget: limits.Budget) -> list[Note]:
    """Return the notes on a file that claims so much: none, or that readers do not decode it unasked."""
    if budget.needed <= 1:
        return []
    text = f"it is so small for what it holds that decoding it needs `max_pixels={budget.pixels}`"
    return [Note(NoteKind.BEYOND_LIMITS, text)]
