"""Decoded images of a folder, in a file that is mapped into memory: decoded once, and no larger than disks allow.

The cache is ``<rdzip's cache>/decoded/<hash of the folder's path>``: ``index.json`` names the files with their sizes
and times of change, and the images with their places in ``<hash of that list>.rgb``, which holds their samples
[h, w, 3] one after the other. Any file that was added, removed or changed makes another list, and all is decoded anew.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from rdzip.errors import InputError
from rdzip.exact.types import Pixels
from rdzip.hub import cache_dir
from rdzip.system import atomic

SUFFIXES = {".png", ".webp", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".ppm", ".pgm"}
FORMATS = ("BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "QOI", "TIFF", "WEBP")
"""What Pillow may take a file for: for others, whatever they are called, it would run a program (Ghostscript)."""
INDEX = "index.json"
VERSION = 1
DEEP = ("I", "F")
"""Beginnings of Pillow's modes of more than 8 bits."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Decoded:
    """Images uint8 [h, w, 3] of a folder by relative path, SHA-256 of their files, whether they are grey; and why
    others could not be had."""

    names: list[str]
    images: list[Pixels]
    digests: list[str]
    grey: list[bool]
    skipped: list[str]


def decoded(folder: Path) -> Decoded:
    """Every image below a folder, in order of path; decodes those of a folder that is new or was changed.

    Raises InputError where the cache cannot be written.
    """
    files = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES):
        if why := atomic.not_a_file(path):
            _log.info("%s is left out: it is %s", path, why)
        else:
            files.append(path)
    stats = [(str(p.relative_to(folder)), p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    listing = [list(row) for row in stats]
    key = hashlib.sha256(json.dumps([VERSION, listing]).encode()).hexdigest()[:16]
    place = cache_dir() / "decoded" / hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:24]
    index = _index(place, listing)
    if index is None:
        index = _decode(folder, files, place, key, listing)
        if index["images"]:
            size = (place / f"{key}.rgb").stat().st_size
            _log.info("images of %s decoded: %d, into %s, %.2f GB", folder, len(index["images"]), place, size / 1e9)
    images = []
    if index["images"]:
        flat = np.memmap(place / f"{key}.rgb", np.uint8, "r")
        for row in index["images"]:
            end = row["at"] + row["height"] * row["width"] * 3
            images.append(flat[row["at"] : end].reshape(row["height"], row["width"], 3))
    of = {name: [row[name] for row in index["images"]] for name in ("name", "sha256", "grey")}
    return Decoded(of["name"], images, of["sha256"], of["grey"], index["skipped"])


def _index(place: Path, listing: list[list[Any]]) -> dict[str, Any] | None:
    """The index in the cache, None unless it is of this listing and its samples are there."""
    try:
        index = json.loads((place / INDEX).read_text("utf-8"))
        if index["version"] != VERSION or index["files"] != listing:
            return None
        size = max((row["at"] + row["height"] * row["width"] * 3 for row in index["images"]), default=0)
        found = (place / index["samples"]).stat().st_size if size else 0
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return index if size == found else None


def _decode(folder: Path, files: list[Path], place: Path, key: str, listing: list[list[Any]]) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    skipped: list[str] = []
    try:
        place.mkdir(parents=True, exist_ok=True)
        with atomic.written(place / f"{key}.rgb", force=True) as out:
            for row in _write(folder, files, out, skipped):
                rows.append(row)
        index = {"version": VERSION, "folder": str(folder.resolve()), "samples": f"{key}.rgb", "files": listing,
                 "images": rows, "skipped": skipped}  # fmt: skip
        atomic.write(place / INDEX, json.dumps(index).encode(), force=True)
        for old in place.glob("*.rgb"):
            if old.name != f"{key}.rgb":
                old.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"the cache of decoded images {place} cannot be written ({error.strerror}): set RDZIP_CACHE"
        ) from error
    return index


def _write(folder: Path, files: list[Path], out: BinaryIO, skipped: list[str]) -> Iterator[dict[str, Any]]:
    at = 0
    for path in files:
        name = str(path.relative_to(folder))
        try:
            with Image.open(path, formats=FORMATS) as image:
                if image.mode.startswith(DEEP):
                    raise ValueError(f"expected 8 bits a sample, found the mode {image.mode}")
                pixels = np.ascontiguousarray(image.convert("RGB"))
        except Exception as error:  # decoders raise what they like at damaged data
            skipped.append(f"{name}: {error}")
            continue
        grey = bool((pixels == pixels[..., :1]).all())
        out.write(pixels.data)
        height, width = pixels.shape[:2]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        yield {"name": name, "height": height, "width": width, "at": at, "sha256": digest, "grey": grey}
        at += pixels.size
