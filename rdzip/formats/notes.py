"""Notes for the user about an input or a result, each of a kind: what is decided goes by the kind, not by the text."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class NoteKind(Enum):
    """What a note is about."""

    LOSSY_SOURCE = "the format of the source is lossy, so that its pixels take more than the file"
    READING = "a warning while reading"
    CONVERTED = "something of the samples is kept in another way"
    KEPT_EXACT = "nothing was lost though loss was allowed"
    RATE_MISSED = "the rate that was asked for cannot be had"
    BEYOND_LIMITS = "readers do not decode the file unasked"
    AS_BYTES = "the file is kept as it is"
    NOT_RETURNED = "the file of the source does not come back"
    OTHER_FORMAT = "the file that is written is of another format than the source"
    LEFT_OUT = "metadata that the format of the file does not hold"


@dataclass(frozen=True)
class Note:
    """A line for the user, which names arguments as the texts of errors do (rdzip.errors)."""

    kind: NoteKind
    text: str

    def __str__(self) -> str:
        return self.text


def without(notes: list[Note], kind: NoteKind) -> list[Note]:
    """Return the notes of other kinds."""
    return [note for note in notes if note.kind is not kind]
