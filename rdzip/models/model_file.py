"""The model file: safetensors that hold integers only, with one JSON document in the metadata key "rdzip".

The bytes are canonical (docs/reference/format.md): the same tensors and document always give the same file, so that its
SHA-256 names the model. Reading trusts nothing: every dtype, shape, offset and length is checked before memory is
taken, and nothing in the file is ever executed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rdzip.errors import ModelError
from rdzip.system import atomic

if TYPE_CHECKING:
    import numpy as np

SUFFIX = ".safetensors"
METADATA_KEY = "rdzip"
MAX_FILE_BYTES = 1 << 30
MAX_HEADER_BYTES = 1 << 22
MAX_TENSORS = 4096
MAX_DIMENSIONS = 8

_NUMPY_DTYPES = {"I8": "<i1", "U8": "|u1", "I16": "<i2", "I32": "<i4"}
_CODES = {"int8": "I8", "uint8": "U8", "int16": "I16", "int32": "I32"}
_ITEM_BYTES = {"I8": 1, "U8": 1, "I16": 2, "I32": 4}
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-/]{0,199}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def sha256(source: bytes | str | Path) -> str:
    """SHA-256 of a file's (`str`, `Path`) or of given bytes, as 64 lower-case hex digits.

    Raises ModelError when the file cannot be read.
    """
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    digest = hashlib.sha256()
    try:
        with Path(source).open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    except OSError as error:
        raise ModelError(f"cannot read the model file {source}: {error.strerror or error}") from error
    return digest.hexdigest()


def to_bytes(tensors: Mapping[str, np.ndarray[Any, Any]], meta: Mapping[str, Any]) -> bytes:
    """Canonical bytes of a model file that holds `tensors` and the document `meta`.

    tensors: name -> array of int8, uint8, int16 or int32, any shape without a zero. meta: a JSON object with at least
    architecture, version, id, codecs, known_answer, licence. Raises ModelError for anything else.
    """
    import numpy as np

    _check_meta(dict(meta), "the model document")
    if not 1 <= len(tensors) <= MAX_TENSORS:
        raise ModelError(f"a model file holds 1 to {MAX_TENSORS} tensors, {len(tensors)} were given")
    arrays: list[tuple[str, str, np.ndarray[Any, Any]]] = []
    for name, values in tensors.items():
        code = _CODES.get(str(values.dtype.newbyteorder("=")))
        if code is None:
            raise ModelError(f"tensor {name!r} is {values.dtype}, a model file holds {', '.join(_CODES)} only")
        _check_name(name, "the model document")
        if values.ndim > MAX_DIMENSIONS or values.size == 0:
            raise ModelError(f"tensor {name!r} has shape {values.shape}: 0 to {MAX_DIMENSIONS} sizes above 0 expected")
        arrays.append((name, code, values))
    arrays.sort(key=lambda item: (-_ITEM_BYTES[item[1]], item[0]))  # widest first keeps every tensor aligned

    header: dict[str, Any] = {"__metadata__": {METADATA_KEY: _dump(meta)}}
    end = 0
    for name, code, values in arrays:
        begin, end = end, end + values.size * _ITEM_BYTES[code]
        header[name] = {"dtype": code, "shape": list(values.shape), "data_offsets": [begin, end]}
    text = _dump(header, sort=False).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER_BYTES or end > MAX_FILE_BYTES - 8 - len(text):
        raise ModelError(f"the model is too large: {len(text)} bytes of header and {end} bytes of tensors")
    body = b"".join(np.ascontiguousarray(v, dtype=_NUMPY_DTYPES[code]).tobytes() for _, code, v in arrays)
    return len(text).to_bytes(8, "little") + text + body


def write(path: str | Path, tensors: Mapping[str, np.ndarray[Any, Any]], meta: Mapping[str, Any]) -> str:
    """Write a model file (canonical bytes, whole or not at all) and return its SHA-256 in hex."""
    data = to_bytes(tensors, meta)
    atomic.write(Path(path), data, force=True)
    return sha256(data)


def read(source: bytes | str | Path) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, Any]]:
    """Tensors (name -> writable array in native byte order) and document of a model file, given as bytes or by path.

    Raises ModelError, in one line, for anything that is not a well-formed model file.
    """
    import numpy as np

    data, label = _load(source)
    entries, meta, start = _parse(data, label)
    return {
        name: np.frombuffer(data, _NUMPY_DTYPES[code], count, start + begin).reshape(shape).astype(_native(code))
        for name, (code, shape, begin, count) in entries.items()
    }, meta


def read_meta(source: bytes | str | Path) -> dict[str, Any]:
    """Document of a model file, given as bytes or by path, after the same checks as `read`. Needs no numpy."""
    data, label = _load(source)
    return _parse(data, label)[1]


def is_id(text: object) -> bool:
    """Whether `text` can name a model: 1 to 64 of a-z, 0-9, dot, dash, underscore, starting with a letter or digit."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def _native(code: str) -> str:
    return _NUMPY_DTYPES[code].replace("<", "=")


def _dump(value: Any, *, sort: bool = True) -> str:
    try:
        return json.dumps(value, sort_keys=sort, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ModelError(f"the model document cannot be written as JSON: {error}") from error


def _load(source: bytes | str | Path) -> tuple[bytes, str]:
    if isinstance(source, bytes):
        return source, "the model file"
    path = Path(source)
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ModelError(f"{path} is {size} bytes, a model file has at most {MAX_FILE_BYTES}")
        return path.read_bytes(), str(path)
    except OSError as error:
        raise ModelError(f"cannot read the model file {path}: {error.strerror or error}") from error


def _parse(data: bytes, label: str) -> tuple[dict[str, tuple[str, tuple[int, ...], int, int]], dict[str, Any], int]:
    """Name -> (dtype code, shape, begin, items); the document; where the tensor bytes start."""
    if data[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05") and data[8:9] != b"{":
        raise ModelError(f"{label} is a pickled PyTorch file, which can run code and is never loaded: use safetensors")
    if len(data) < 8:
        raise ModelError(f"{label} is {len(data)} bytes long, too short for a model file (safetensors)")
    length = int.from_bytes(data[:8], "little")
    start = 8 + length
    if length > MAX_HEADER_BYTES:
        raise ModelError(f"{label} is not a model file: its header claims {length} bytes, limit {MAX_HEADER_BYTES}")
    if start > len(data):
        raise ModelError(f"{label} is truncated: the header needs {start} bytes, the file has {len(data)}")
    header = _parse_json(data[8:start], label, "header")
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or not isinstance(metadata.get(METADATA_KEY), str):
        raise ModelError(f'{label} is not an rdzip model: its metadata has no text under "{METADATA_KEY}"')
    meta = _parse_json(metadata[METADATA_KEY].encode("utf-8", "replace"), label, "document")
    _check_meta(meta, label)
    if not 1 <= len(header) <= MAX_TENSORS:
        raise ModelError(f"{label} holds {len(header)} tensors, 1 to {MAX_TENSORS} expected")

    entries = {name: _check_tensor(name, entry, label) for name, entry in header.items()}
    entries = dict(sorted(entries.items(), key=lambda item: item[1][2]))
    end = 0
    for name, (code, _, begin, count) in entries.items():
        if begin != end:
            raise ModelError(f"{label}: tensor {name!r} starts at byte {begin}, {end} expected (gap or overlap)")
        end += count * _ITEM_BYTES[code]
    if start + end != len(data):
        state = "truncated" if start + end > len(data) else "followed by foreign bytes"
        raise ModelError(f"{label} is {state}: its tensors end at byte {start + end}, the file has {len(data)}")
    return entries, meta, start


def _parse_json(text: bytes, label: str, part: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a key is there twice")
        return found

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        found = json.loads(text.decode("utf-8"), object_pairs_hook=unique, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        cause = str(error).splitlines()[0][:100]
        raise ModelError(f"{label} is not a model file: its {part} is not valid JSON ({cause})") from error
    if not isinstance(found, dict):
        raise ModelError(f"{label} is not a model file: its {part} is {type(found).__name__}, a JSON object expected")
    return found


def _check_name(name: str, label: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise ModelError(f"{label}: {name[:40]!r} is no tensor name (1 to 200 letters, digits and _ . - /)")


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _check_tensor(name: str, entry: object, label: str) -> tuple[str, tuple[int, ...], int, int]:
    _check_name(name, label)
    where = f"{label}: tensor {name!r}"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ModelError(f"{where} must be described by exactly dtype, shape and data_offsets")
    code, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(code, str) or code not in _ITEM_BYTES:
        raise ModelError(f"{where} is of dtype {str(code)[:20]}, a model file holds {', '.join(_ITEM_BYTES)} only")
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS or not all(_whole(n) and n > 0 for n in shape):
        raise ModelError(f"{where} has shape {str(shape)[:60]}: 0 to {MAX_DIMENSIONS} sizes above 0 expected")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(_whole(n) for n in offsets):
        raise ModelError(f"{where} has data_offsets {str(offsets)[:60]}: two byte positions expected")
    count = 1
    for size in shape:
        count *= size
        if count > MAX_FILE_BYTES:
            raise ModelError(f"{where} has shape {str(shape)[:60]}, more than a model file can hold")
    begin, end = offsets
    if end - begin != count * _ITEM_BYTES[code]:
        raise ModelError(f"{where} has {end - begin} bytes where its shape needs {count * _ITEM_BYTES[code]}")
    return code, tuple(shape), begin, count


def _check_meta(meta: dict[str, Any], label: str) -> None:
    def text(value: object) -> bool:
        return isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable()

    version, codecs, answer = meta.get("version"), meta.get("codecs"), meta.get("known_answer")
    checks = {
        "architecture": (text(meta.get("architecture")), "a short text"),
        "version": (_whole(version), "a whole number"),
        "id": (is_id(meta.get("id")), "1 to 64 of a-z 0-9 . _ -"),
        "codecs": (isinstance(codecs, list) and codecs != [] and all(is_id(c) for c in codecs), "a list of codecs"),
        "known_answer": (isinstance(answer, str) and _SHA256.fullmatch(answer) is not None, "64 hex digits"),
        "licence": (text(meta.get("licence")), "a short text"),
    }
    for key, (valid, expected) in checks.items():
        if not valid:
            raise ModelError(f"{label}: its entry {key!r} is {str(meta.get(key))[:60]!r}, {expected} expected")
