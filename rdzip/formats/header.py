"""Header of an image file, a checked dataclass, to and from its CBOR map (docs/reference/format.md, section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from rdzip.errors import FormatError
from rdzip.formats.modes import BY_NUMBER
from rdzip.formats.quantiser import Quantiser

SHAPE, MODE, PIXEL_HASH, MODEL, REASON, ARRANGEMENT, SOURCE_FORMAT, MEMBERS = range(8)
SYMBOLS_HASH, QUANTISER = 14, 15
MAX_SIDE = (1 << 31) - 1
ARCHIVE_KIND, BATCH_KIND, CARRIED_KIND = 1, 2, 3
"""Values of MEMBERS: an archive, a batch, a file of which pictures are members (or which has none)."""


class Reason(IntEnum):
    """Why the codec was chosen; the texts are `REASONS`."""

    MODEL_QUICK = 0
    MODEL_SMALLER = 1
    CLASSIC_SMALLER = 2
    CLASSIC_MODE = 3
    CLASSIC_NO_MODEL = 4
    REQUESTED = 5
    CLASSIC_GRAPHICS = 6
    LOSSLESS_SMALLER = 7


REASONS = {
    Reason.MODEL_QUICK: "a photograph: quick statistics leave no chance to the classic codecs",
    Reason.MODEL_SMALLER: "the neural model was smaller than every classic codec",
    Reason.CLASSIC_SMALLER: "a classic codec was smaller than the neural model",
    Reason.CLASSIC_MODE: "the neural model does not code this pixel mode",
    Reason.CLASSIC_NO_MODEL: "no neural model was at hand when the file was written",
    Reason.REQUESTED: "this codec was asked for",
    Reason.CLASSIC_GRAPHICS: "graphics: quick statistics leave no chance to the neural model",
    Reason.LOSSLESS_SMALLER: "coding without loss was no larger than what was asked for",
}
DCT_REASON = "a JPEG: its coefficients are coded, and the same file comes back"
BYTES_REASON = "the file is no picture that comes back, or takes least as it is"
LOSSY_REASON = "this quality or rate was asked for"  # of lossy files, which store Reason 0


class Arrangement(IntEnum):
    """How the picture's samples became planes."""

    PLAIN = 0
    GREY_ONCE = 1  # red, green and blue are equal everywhere: one of them is coded
    PALETTE_COLOURS = 2  # of a palette image the colours are coded; a pixel's index is the first entry of its colour
    TWO_LEVELS = 3  # the samples are 0 and 255, coded as 0 and 1
    LUMA_CHROMA = 4  # colours are coded as the luma and chroma that they were made of


@dataclass(frozen=True)
class ModelReference:
    """The model that a file needs: its id, the first 8 bytes of its file's SHA-256, and the number of the entropy
    coder.
    """

    id: str
    hash: bytes
    coder: int


@dataclass(frozen=True)
class ImageHeader:
    """Everything that a decoder must know before it reads the sections.

    Of the two hashes one is empty: lossy files have that of the symbols, others that of the pixels. quantiser: of
    near-lossless files.
    """

    height: int
    width: int
    mode: int
    pixel_hash: bytes
    model: ModelReference | None = None
    reason: int = 0
    arrangement: int = 0
    source_format: str = "PNG"
    symbols_hash: bytes = b""
    quantiser: Quantiser | None = None

    @property
    def coded_mode(self) -> str:
        """Name of the mode as samples of which the sections hold the picture."""
        name = BY_NUMBER[self.mode].name
        return self.quantiser.coded_mode(name) if self.quantiser else name

    def to_map(self) -> dict[int, Any]:
        """Return the CBOR map; what has its default value is left out."""
        result: dict[int, Any] = {SHAPE: [self.height, self.width]}
        if self.mode:
            result[MODE] = self.mode
        if self.pixel_hash:
            result[PIXEL_HASH] = self.pixel_hash
        if self.model:
            result[MODEL] = [self.model.id, self.model.hash, self.model.coder]
        if self.reason:
            result[REASON] = self.reason
        if self.arrangement:
            result[ARRANGEMENT] = self.arrangement
        if self.source_format != "PNG":
            result[SOURCE_FORMAT] = self.source_format
        if self.symbols_hash:
            result[SYMBOLS_HASH] = self.symbols_hash
        if self.quantiser:
            result[QUANTISER] = [self.quantiser.max_error, self.quantiser.bits]
        return result

    @classmethod
    def from_map(cls, header: dict[int | str, Any]) -> ImageHeader:
        """Return the header that this map holds; FormatError for anything missing, unknown or out of range."""
        if MEMBERS in header:
            kind = header[MEMBERS]
            if not is_int(kind, ARCHIVE_KIND, CARRIED_KIND):
                raise FormatError(f"the file needs a newer rdzip: its kind {str(kind)[:20]!r} is unknown")
            if kind == CARRIED_KIND:
                raise FormatError("this file holds a file, not one picture: rdzip decompress brings it back")
            what = "an archive" if kind == ARCHIVE_KIND else "a batch"
            raise FormatError(
                f"this file is {what} of several images: name the one to read, or unpack it with rdzip decompress"
            )
        if unknown := [key for key in header if key not in (*range(MEMBERS), SYMBOLS_HASH, QUANTISER)]:
            raise FormatError(f"the file needs a newer rdzip: its header has the unknown key {unknown[0]!r}")
        shape = header.get(SHAPE)
        if not (isinstance(shape, list) and len(shape) == 2 and all(is_int(n, 1, MAX_SIDE) for n in shape)):
            raise bad("the shape", shape)
        mode = header.get(MODE, 0)
        if not is_int(mode, 0, 1 << 31):
            raise bad("the pixel mode", mode)
        if mode not in BY_NUMBER:
            raise FormatError(f"the file needs a newer rdzip: its pixel mode {mode} is unknown")
        pixel_hash, symbols_hash = (header.get(key, b"") for key in (PIXEL_HASH, SYMBOLS_HASH))
        if not (isinstance(pixel_hash, bytes) and len(pixel_hash) == 8 * (SYMBOLS_HASH not in header)):
            raise bad("the pixel hash", pixel_hash)
        if not (isinstance(symbols_hash, bytes) and len(symbols_hash) == 8 * (SYMBOLS_HASH in header)):
            raise bad("the hash of symbols", symbols_hash)
        reason, arrangement = header.get(REASON, 0), header.get(ARRANGEMENT, 0)
        if not is_int(reason, 0, 255):
            raise bad("the reason", reason)
        if not is_int(arrangement, 0, 255):
            raise bad("the arrangement", arrangement)
        if arrangement not in Arrangement.__members__.values():
            raise FormatError(f"the file needs a newer rdzip: its arrangement {arrangement} is unknown")
        source = header.get(SOURCE_FORMAT, "PNG")
        if not (isinstance(source, str) and len(source) <= 32 and source.isascii() and (source.isprintable())):
            raise bad("the source format", source)
        model = model_of(header.get(MODEL))
        quantiser = _quantiser_of(header, BY_NUMBER[mode].name)
        return cls(shape[0], shape[1], mode, pixel_hash, model, reason, arrangement, source, symbols_hash, quantiser)


def model_of(value: Any) -> ModelReference | None:
    """Return the model that a header's entry names, None for none; FormatError if it is none."""
    if value is None:
        return None
    if not (isinstance(value, list) and len(value) == 3):
        raise bad("the model", value)
    name, digest, coder = value
    if not (isinstance(name, str) and 0 < len(name) <= 64 and name.isascii() and name.isprintable()):
        raise bad("the model's id", name)
    if not (isinstance(digest, bytes) and len(digest) == 8 and is_int(coder, 0, 1 << 16)):
        raise bad("the model's hash", digest)
    return ModelReference(name, digest, coder)


def _quantiser_of(header: dict[int | str, Any], mode: str) -> Quantiser | None:
    if QUANTISER not in header:
        return None
    value = header[QUANTISER]
    if isinstance(value, list) and len(value) == 2 and all(is_int(n, 1, 1 << 16) for n in value):
        found = Quantiser(*value)
        if found.suits(mode) and SYMBOLS_HASH not in header:
            return found
    raise bad("the quantiser", value)


def is_int(value: Any, low: int, high: int) -> bool:
    """Return whether `value` is an integer (no bool) within low..high."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def bad(what: str, value: Any) -> FormatError:
    """Return the error for an impossible entry of a header."""
    return FormatError(f"header is inconsistent: {what} is {str(value)[:60]!r}; the file is corrupt")
