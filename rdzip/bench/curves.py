"""Rate-distortion curves: of a run's averages, and of files with what was measured before."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rdzip.bench.measure import Record
from rdzip.bounds.folder import read_records
from rdzip.errors import InputError
from rdzip.system import atomic
from rdzip.system.atomic import shown

MEASURED = "this run"
COLUMNS = ("codec", "setting", "bpp", "psnr_db")


@dataclass(frozen=True)
class Curve:
    """Averages of a lossy codec: bits per pixel and PSNR in dB, and mean MS-SSIM where it is known; by rising rate.

    source: where they come from, "this run" or the name of a file.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    similarity: tuple[tuple[float, float], ...]
    source: str = MEASURED


def of_records(records: Iterable[Record], source: str = MEASURED) -> list[Curve]:
    """Curves of averages as `rdzip bench` writes them; records of images, BD-rates and lossless codecs are left out."""
    points: dict[str, list[tuple[float, float]]] = {}
    similarity: dict[str, list[tuple[float, float]]] = {}
    for record in records:
        if "images" not in record or record.get("psnr") is None:
            continue
        name, bpp = str(record["codec"]), float(record["bpp"])
        points.setdefault(name, []).append((bpp, float(record["psnr"])))
        if record.get("ms_ssim") is not None:
            similarity.setdefault(name, []).append((bpp, float(record["ms_ssim"])))
    return [
        Curve(name, tuple(sorted(found)), tuple(sorted(similarity.get(name, []))), source)
        for name, found in points.items()
    ]


def read(path: Path) -> list[Curve]:
    """Read curves from a table (.csv with the columns codec, setting, bpp, psnr_db) or JSON lines of `rdzip bench`.

    Raises InputError where the file cannot be read or has no curve.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be read: {atomic.explain(error)}") from None
    if data.lstrip()[:1] == b"{":
        try:
            curves = of_records(read_records(path), path.name)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{shown(path)}: expected records of `rdzip bench`, found a wrong field: {error}"
            ) from None
    else:
        curves = of_records(_rows(path, data), path.name)
    if not curves:
        raise InputError(f"{shown(path)}: expected averages of lossy codecs, found none")
    return curves


def _rows(path: Path, data: bytes) -> list[Record]:
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig")))
        lacking = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if lacking:
            raise InputError(f"{shown(path)}: expected the columns {', '.join(COLUMNS)}, found no {lacking[0]}")
        return [_row(path, reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{shown(path)}: expected a table of text, found something else: {error}") from None


def _row(path: Path, line: int, row: dict[str, Any]) -> Record:
    try:
        bpp, decibel = float(row["bpp"]), float(row["psnr_db"])
    except (TypeError, ValueError):
        bpp = decibel = math.nan
    if not (row["codec"] and math.isfinite(bpp) and math.isfinite(decibel) and bpp > 0):
        raise InputError(f"{shown(path)}, line {line}: expected a codec and numbers as bpp and psnr_db")
    return {"codec": row["codec"], "images": None, "bpp": bpp, "psnr": decibel}


def together(measured: Sequence[Curve], before: Sequence[Curve]) -> list[Curve]:
    """Return all curves, those of files whose names are taken with the file's name added."""
    curves = list(measured)
    for curve in before:
        name = curve.name
        if any(name == other.name for other in curves):
            name = f"{curve.name} ({curve.source})"
        curves.append(replace(curve, name=name))
    return curves
