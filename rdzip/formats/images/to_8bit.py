"""Pictures of other modes as grey or colours of 8 bits, with or without alpha, for lossy codecs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rdzip.formats.images.picture import Picture
from rdzip.formats.notes import Note, NoteKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLAIN = ("L", "LA", "RGB", "RGBA")
_DEEP = {"I;16": "L", "I;16B": "L", "LA;16": "LA", "RGB;16": "RGB", "RGBA;16": "RGBA"}
# Chunks of PNG about samples as they were: transparent and background colours, significant bits, use of the palette.
_OF_SAMPLES = (b"tRNS", b"bKGD", b"sBIT", b"hIST", b"PLTE")


def to_eight_bits(picture: Picture) -> Picture | None:
    """Return the picture in mode L, LA, RGB or RGBA, with a note for what is not kept; None for modes that are no
    grey, colours or palette of at most 16 bits.
    """
    if picture.mode in PLAIN and not _of_samples(picture):
        return picture
    if picture.mode in ("P", "PA"):
        samples, what = _palette_colours(picture), "the palette is not kept, only its colours"
    elif picture.mode == "1":
        samples, what = picture.samples * np.uint8(255), "black and white are kept as levels of grey"
    elif picture.mode in _DEEP:
        table = ((np.arange(1 << 16) * 255 + 32767) // 65535).astype(np.uint8)
        samples, what = table[picture.samples], "16 bits a sample are kept as 8"
    elif picture.mode in PLAIN:
        samples, what = picture.samples, ""
        if "depth" in picture.metadata:
            what = f"{picture.metadata['depth']} bits a sample are kept as 8"
    else:
        return None
    texts = [what] if what else []
    visible = _visible(picture)
    if visible is not None and picture.mode not in ("P", "PA"):
        texts.append("the transparent colour is kept as an alpha channel")
    if visible is not None:
        alpha = np.where(visible, 255, 0).astype(np.uint8) if visible.dtype == np.bool_ else visible
        samples = np.concatenate([samples.reshape(*alpha.shape, -1), alpha[:, :, None]], 2)
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    return replace(
        picture,
        samples=np.ascontiguousarray(samples),
        mode=PLAIN[channels - 1],
        palette=b"",
        palette_mode="",
        metadata=_kept(picture),
        notes=[*picture.notes, *(Note(NoteKind.CONVERTED, text) for text in texts)],
    )


def _of_samples(picture: Picture) -> bool:
    """Whether a picture of a plain mode has metadata that lossy samples would not suit."""
    return "depth" in picture.metadata or transparent_colour(picture) is not None


def _palette_colours(picture: Picture) -> NDArray[np.uint8]:
    """Return the colours [h, w, 3] of indices; those beyond the palette are black."""
    size = len(picture.palette_mode)
    entries = np.zeros((256, size), np.uint8)
    given = np.frombuffer(picture.palette, np.uint8)
    given = given[: len(given) // size * size].reshape(-1, size)
    entries[: len(given)] = given
    colours: NDArray[np.uint8] = entries[:, :3][picture.samples[..., 0] if picture.mode == "PA" else picture.samples]
    return colours


def _visible(picture: Picture) -> NDArray[Any] | None:
    """Return alpha [h, w], uint8 or bool, of a picture whose mode has no such channel; None if all is visible."""
    if picture.mode == "PA":
        return np.ascontiguousarray(picture.samples[..., 1])
    key = transparent_colour(picture)
    if picture.mode == "P":
        alpha = np.full(256, 255, np.uint8)
        if picture.palette_mode == "RGBA":
            own = np.frombuffer(picture.palette, np.uint8)[3::4]
            alpha[: len(own)] = own
        if isinstance(key, int) and key < 256:
            alpha[key] = 0
        elif isinstance(key, bytes):
            alpha[: len(key[:256])] = np.frombuffer(key[:256], np.uint8)
        table: NDArray[np.uint8] = alpha[picture.samples]
        return None if (table == 255).all() else table
    if key is None:
        return None
    unlike: NDArray[np.bool_] = picture.samples != np.array(key, np.int64)
    return unlike if unlike.ndim == 2 else np.any(unlike, axis=2)


def transparent_colour(picture: Picture) -> Any:
    """Return the transparent colour: an integer, three of them, or of a palette also bytes of alpha; None for none."""
    if picture.mode.startswith(("LA", "RGBA")):
        return None
    body = next((bytes(body) for kind, body in picture.metadata.get("png", []) if kind == b"tRNS"), None)
    if body is None:
        key = picture.metadata.get("info", {}).get("transparency")
    elif picture.mode == "P":
        return body
    else:
        key = [int.from_bytes(body[i : i + 2], "big") for i in range(0, len(body), 2)]
        depth = picture.metadata.get("depth")
        if depth and picture.mode == "L":
            key = [value * (255 // ((1 << depth) - 1)) for value in key]
        key = key[0] if len(key) == 1 else key
    if picture.mode.startswith("RGB"):
        return key if isinstance(key, list | tuple) and len(key) == 3 else None
    return key if isinstance(key, int) or (picture.mode == "P" and isinstance(key, bytes)) else None


def _kept(picture: Picture) -> dict[str, Any]:
    """Return the metadata without what speaks of samples as they were."""
    kept = {name: value for name, value in picture.metadata.items() if name not in ("depth", "png", "info")}
    chunks = [chunk for chunk in picture.metadata.get("png", []) if chunk[0] not in _OF_SAMPLES]
    if any(kind != b"IDAT" for kind, _ in chunks):
        kept["png"] = chunks
    info = {k: v for k, v in picture.metadata.get("info", {}).items() if k not in ("transparency", "background")}
    if info:
        kept["info"] = info
    return kept
