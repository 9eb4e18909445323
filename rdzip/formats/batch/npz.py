"""Files of sequences: .npz arrays, and JSON with MIDI notes (binary piano rolls), read and written back.

An .npz holds ``data`` uint8 [steps of all sequences, dims] and ``lengths`` int [n]. JSON is a list of sequences, or an
object {split: list of sequences}; a sequence is a list of steps, a step a list of MIDI notes. A note 21..108 is column
note - 21 of a roll [steps, 88]. The text of a JSON file is restored to the byte: how it is laid out, and steps whose
notes are laid out otherwise than most, are kept in a side record (docs/format.md, section "Sequences").
"""

from __future__ import annotations

import io
import json
import lzma
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.errors import CoderError, InputError
from rdzip.formats.batch import npy
from rdzip.system import limits

LOWEST_NOTE = 21
NOTES = 88
NPZ, REGULAR, SKELETON = 0, 1, 2
SIDE_LIMIT = 1 << 26
"""Largest side record, unpacked, in bytes."""
_STEP_DEPTH = 3
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]|[^\[\]{}"]+')
_FIRST_TWO = re.compile(r"(\s*)(\d{1,3})(\s*,\s*)(\d{1,3})\b")
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9}]
_SPARE = 1 << 22  # bytes of an .npz beside its samples
_TYPES = ("|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8")

Rolls = NDArray[np.uint8]


@dataclass(frozen=True)
class Sequences:
    """Sequences of a file: data uint8 [steps of all, dims], lengths int64 [n], and a side record (how it was written).

    ``write_sequences`` needs nothing else to make the file again.
    """

    data: Rolls
    lengths: NDArray[np.int64]
    side: bytes

    @property
    def items(self) -> list[Rolls]:
        """Each sequence, uint8 [steps, dims]."""
        return np.split(self.data, np.cumsum(self.lengths)[:-1]) if len(self.lengths) else []


def read_sequences(data: bytes, name: str, max_samples: int = limits.MAX_PIXELS) -> Sequences:
    """Sequences of the bytes of a file; InputError, with ``name``, for anything that is no file of sequences, and for
    an .npz that unpacks to more than ``max_samples`` bytes and what its heads may take."""
    return _read_npz(data, name, max_samples) if data[:2] == b"PK" else _read_json(data, name)


def write_sequences(sequences: Sequences) -> bytes:
    """Bytes of the file: the very bytes that were read for JSON, the same arrays for .npz. CoderError for a side record
    that does not fit the sequences."""
    kind = sequences.side[:1]
    if kind == bytes([NPZ]):
        return _write_npz(sequences)
    if kind in (bytes([REGULAR]), bytes([SKELETON])):
        try:
            return _write_json(sequences)
        except (ValueError, IndexError, KeyError, TypeError, lzma.LZMAError, RecursionError) as error:
            raise CoderError(
                f"the record of how sequences were written is damaged: the file is corrupt ({error})"
            ) from error
    raise CoderError(
        f"expected sequences from .npz or JSON, found the kind {kind.hex()}: update rdzip, or corrupt file"
    )


def _read_npz(data: bytes, name: str, max_samples: int) -> Sequences:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            size = sum(member.file_size for member in file.infolist())
            if size > max_samples + _SPARE:
                raise InputError(
                    f"{size} bytes unpacked, {max_samples} samples at most are allowed: raise --max-pixels"
                )
            names = sorted(file.namelist())
            if names == ["data.npy", "lengths.npy"]:
                rolls, lengths = (npy.read_npy(file.read(member)).array for member in names)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    except Exception as error:  # zipfile raises many kinds: BadZipFile, zlib.error, UnicodeDecodeError, ...
        raise InputError(f"{name}: expected an .npz of arrays, found one that cannot be unpacked ({error})") from error
    if names != ["data.npy", "lengths.npy"]:
        raise InputError(f"{name}: expected the arrays data and lengths, found {', '.join(names)[:80] or 'none'}")
    if rolls.dtype != np.uint8 or rolls.ndim != 2 or not rolls.shape[1]:
        raise InputError(f"{name}: expected data of uint8 [steps, dims], found {rolls.dtype} {list(rolls.shape)}")
    kind = lengths.dtype.newbyteorder("<").str
    if kind not in _TYPES or lengths.ndim != 1:
        raise InputError(f"{name}: expected lengths of whole numbers [n], found {lengths.dtype} {list(lengths.shape)}")
    if any(n < 0 for n in lengths.tolist()) or sum(lengths.tolist()) != len(rolls):
        raise InputError(f"{name}: expected lengths that sum to the {len(rolls)} steps of data, found other lengths")
    return Sequences(np.ascontiguousarray(rolls), lengths.astype(np.int64), bytes([NPZ, _TYPES.index(kind)]))


def _write_npz(sequences: Sequences) -> bytes:
    if len(sequences.side) != 2 or sequences.side[1] >= len(_TYPES):
        raise CoderError("the type of the lengths of sequences is unknown: the file is corrupt")
    kind = np.dtype(_TYPES[sequences.side[1]])
    if len(sequences.lengths) and int(sequences.lengths.max()) > np.iinfo(kind).max:
        raise CoderError("the lengths of sequences do not fit their type: the file is corrupt")
    out = io.BytesIO()
    np.savez(out, data=sequences.data, lengths=sequences.lengths.astype(kind))
    return out.getvalue()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _read_json(data: bytes, name: str) -> Sequences:
    try:
        text = data.decode("utf-8")
        found = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name}: expected sequences as .npz or JSON, found neither ({str(error)[:80]})") from error
    groups = list(found.values()) if isinstance(found, dict) else [found]
    if not all(isinstance(group, list) for group in groups):
        raise InputError(f"{name}: expected a list of sequences, or {{split: list}}, found {_kind(found, groups)}")
    sequences = [sequence for group in groups for sequence in group]
    steps = []
    for number, sequence in enumerate(sequences):
        if not isinstance(sequence, list) or not all(isinstance(step, list) for step in sequence):
            raise InputError(f"{name}: expected each sequence to be a list of lists of notes, found other at {number}")
        steps += sequence
    for step in steps:
        if not all(type(note) is int for note in step):
            raise InputError(f"{name}: expected MIDI notes as whole numbers, found {str(step)[:60]}")
    rolls = np.zeros((len(steps), NOTES), np.uint8)
    for roll, step in zip(rolls, steps, strict=True):
        roll[[note - LOWEST_NOTE for note in step if LOWEST_NOTE <= note < LOWEST_NOTE + NOTES]] = 1
    lengths = np.array([len(sequence) for sequence in sequences], np.int64)
    splits = [[key, len(group)] for key, group in found.items()] if isinstance(found, dict) else len(groups[0])
    for side in _side_records(text, rolls, splits):
        result = Sequences(rolls, lengths, side)
        if write_sequences(result) == data:
            return result
    raise InputError(f"{name}: expected JSON of lists of notes, found a layout that could not be restored")


def _kind(found: Any, groups: list[Any]) -> str:
    return type(found).__name__ if not isinstance(found, dict) else f"{{split: {type(groups[0]).__name__}}}"


def _side_records(text: str, rolls: Rolls, splits: Any) -> Iterator[bytes]:
    """Side records to try, the shortest first."""
    for item, key in ((", ", ": "), (",", ":")):
        for end in ("", "\n"):
            for ascii_only in (True, False):
                yield bytes([REGULAR]) + _dump([item, key, end, ascii_only, splits]).encode()
    style = _common_style(text)
    notes = iter(rolls)

    def empty(inner: str) -> str:
        return "" if inner == _inner(next(notes), style) else inner

    skeleton = _map_steps(text, empty)
    yield bytes([SKELETON]) + lzma.compress(
        (_dump(style) + "\n" + skeleton).encode(), lzma.FORMAT_RAW, filters=_FILTERS
    )


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _common_style(text: str) -> list[Any]:
    """The most frequent layout of a step's notes: what is before, between and after them, and whether they descend."""
    styles: Counter[tuple[str, str, str, bool]] = Counter()

    def note(inner: str) -> str:
        found = _FIRST_TWO.match(inner)
        if found is not None:
            before, first, between, second = found.groups()
            styles[before, between, inner[len(inner.rstrip()) :], int(first) > int(second)] += 1
        return inner

    _map_steps(text, note)
    return list(styles.most_common(1)[0][0]) if styles else ["", ", ", "", False]


def _inner(roll: Rolls, style: list[Any]) -> str:
    """The text between the brackets of a step in this layout; nothing for no notes."""
    before, between, after, descending = style
    columns = np.flatnonzero(roll)
    notes = [str(i + LOWEST_NOTE) for i in (columns[::-1] if descending else columns)]
    return str(before) + str(between).join(notes) + str(after) if notes else ""


def _map_steps(text: str, change: Callable[[str], str]) -> str:
    """JSON text with what is between the brackets of each step (a list in two lists) changed."""
    out: list[str] = []
    depth, inner = 0, ""
    for token in _TOKEN.findall(text):
        if token == "]":
            if depth == _STEP_DEPTH:
                out.append(change(inner))
            depth -= 1
        if depth < _STEP_DEPTH:
            out.append(token)
        else:
            inner += token
        if token == "[":
            depth += 1
            if depth == _STEP_DEPTH:
                inner = ""
    return "".join(out)


def _write_json(sequences: Sequences) -> bytes:
    side = sequences.side
    rolls = sequences.data
    if rolls.shape[1] != NOTES:
        raise ValueError(f"{rolls.shape[1]} columns instead of {NOTES}")
    if side[0] == SKELETON:
        head, _, skeleton = _unpack(side[1:]).partition("\n")
        style = json.loads(head)
        remaining = iter(rolls)

        def fill(inner: str) -> str:
            roll = next(remaining, None)
            if roll is None:
                raise ValueError("more steps than sequences have")
            return inner or _inner(roll, style)

        text = _map_steps(skeleton, fill)
        if next(remaining, None) is not None:
            raise ValueError("fewer steps than sequences have")
        return text.encode()
    item, key, end, ascii_only, splits = json.loads(side[1:])
    made = [[(np.flatnonzero(step) + LOWEST_NOTE).tolist() for step in roll] for roll in sequences.items]
    document: Any = made
    if isinstance(splits, list):
        document, start = {}, 0
        for split, count in splits:
            document[split] = made[start : start + count]
            start += count
    else:
        start = splits
    if start != len(made):
        raise ValueError("splits of other sizes")
    return f"{json.dumps(document, separators=(item, key), ensure_ascii=ascii_only)}{end}".encode()


def _unpack(packed: bytes) -> str:
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS)
    found = unpacker.decompress(packed, SIDE_LIMIT)
    if not unpacker.eof:
        raise ValueError("a side record that does not end")
    return found.decode("utf-8")
