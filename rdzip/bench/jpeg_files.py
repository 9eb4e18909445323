"""JPEG files through what makes them smaller and brings the very same file back: rdzip, JPEG XL's transcoding, Lepton.

Unlike other codecs of a benchmark these take files, not pixels, and only JPEGs.
"""

from __future__ import annotations

import importlib.util
import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from PIL import Image

import rdzip
from rdzip.bench.measure import Record
from rdzip.errors import InputError

START = b"\xff\xd8\xff"
GROUP = "jpeg-files"


@dataclass(frozen=True)
class FileCodec:
    """A codec of JPEG files by its name.

    encode and decode(data, threads): threads None leaves their number to the codec. package: that it needs, "" for
    none. version: of what codes, for records.
    """

    name: str
    encode: Callable[[bytes, int | None], bytes]
    decode: Callable[[bytes, int | None], bytes]
    package: str
    version: Callable[[], str]

    def missing(self) -> str | None:
        """Return what is not there and what to do, in one line, None if all is there."""
        if not self.package or importlib.util.find_spec(self.package.replace("-", "_")) is not None:
            return None
        return f"needs {self.package}, which is not installed; pip install 'rdzip[bench]'"


def _own(data: bytes, threads: int | None) -> bytes:
    return rdzip.compress(data, threads=threads, verify=False)


def _own_back(data: bytes, threads: int | None) -> bytes:
    return rdzip.restore(data, threads=threads)


def _jxl(data: bytes, threads: int | None) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.jpegxl_encode_jpeg(data, numthreads=threads))


def _jxl_back(data: bytes, threads: int | None) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.jpegxl_decode_jpeg(data, numthreads=threads or 0))


def _jxl_version() -> str:
    import imagecodecs

    return f"imagecodecs {imagecodecs.__version__}, {imagecodecs.jpegxl_version()}"


def _lepton(data: bytes, _threads: int | None) -> bytes:
    lepton: Any = import_module("lepton_jpeg_python")
    return bytes(lepton.compress_bytes(data))


def _lepton_back(data: bytes, _threads: int | None) -> bytes:
    lepton: Any = import_module("lepton_jpeg_python")
    return bytes(lepton.decompress_bytes(data))


def _lepton_version() -> str:
    from importlib.metadata import version

    return f"lepton-jpeg-python {version('lepton-jpeg-python')}"


CODECS = {
    codec.name: codec
    for codec in (
        FileCodec("rdzip-jpeg", _own, _own_back, "", lambda: f"rdzip {rdzip.__version__}"),
        FileCodec("jxl-jpeg", _jxl, _jxl_back, "imagecodecs", _jxl_version),
        FileCodec("lepton", _lepton, _lepton_back, "lepton-jpeg-python", _lepton_version),
    )
}


def choose(names: str, skipped: Callable[[str], None]) -> tuple[list[FileCodec], str]:
    """Return the codecs of JPEG files among a list by comma, each once, and the list without them.

    The group's name stands for all that are there; of the others `skipped` gets a line each. Raises InputError for one
    that is named and not there.
    """
    found: dict[str, FileCodec] = {}
    rest = []
    for name in (part.strip() for part in names.split(",")):
        if name != GROUP and name not in CODECS:
            rest.append(name)
            continue
        for codec in CODECS.values() if name == GROUP else (CODECS[name],):
            lack = codec.missing()
            if lack is None:
                found[codec.name] = codec
            elif name != GROUP:
                raise InputError(f"{name}: {lack}")
            else:
                skipped(f"{codec.name}: {lack}; left out")
    return list(found.values()), ",".join(rest)


def is_jpeg(path: Path) -> bool:
    """Whether a file begins like a JPEG; False where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(START)) == START
    except OSError:
        return False


def warm(codec: FileCodec) -> None:
    """Code small JPEGs, so that what is loaded and compiled once takes no measured time."""
    for mode in ("L", "RGB"):
        for progressive in (False, True):
            out = io.BytesIO()
            Image.linear_gradient("L").resize((64, 64)).convert(mode).save(out, "JPEG", progressive=progressive)
            measure(codec, out.getvalue(), None)


def measure(codec: FileCodec, data: bytes, threads: int | None) -> Record:
    """Return the record of a file: bytes, share, seconds and megabytes of the source a second both ways, and whether
    the same file came back.

    What a codec refuses, or brings back otherwise, counts as many bytes as it has; refused says why, and has no times.
    """
    try:
        start = time.perf_counter()
        packed = codec.encode(data, threads)
        middle = time.perf_counter()
        same = codec.decode(packed, threads) == data
        end = time.perf_counter()
    except Exception as error:  # whatever a library raises for what it does not take
        why = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        return _record(codec, len(data), len(data), exact=False, seconds=None, refused=why)
    return _record(
        codec,
        len(data),
        len(packed) if same else len(data),
        exact=same,
        seconds=(middle - start, end - middle),
        refused=None,
    )


def _record(
    codec: FileCodec,
    source: int,
    size: int,
    *,
    exact: bool,
    seconds: tuple[float, float] | None,
    refused: str | None,
) -> Record:
    """Return a record. source, size: bytes of the JPEG and of what was made of it; the others: as in `measure`."""
    record: dict[str, Any] = {
        "codec": codec.name, "bytes_in": source, "bytes": size, "share": size / source, "exact": exact,
        "refused": refused,
    }  # fmt: skip
    for name, value in zip(("encode", "decode"), seconds or (None, None), strict=True):
        record[f"{name}_s"] = value
        record[f"{name}_mb_s"] = None if value is None else source / 1e6 / max(value, 1e-9)
    return record


def total(codec: FileCodec, records: Sequence[Record], threads: int | None) -> Record:
    """Return the record of all files: bytes are summed, speeds are those of the files that were not refused."""
    taken = [one for one in records if one["refused"] is None]
    source, size = (sum(one[name] for one in records) for name in ("bytes_in", "bytes"))
    speeds = {
        f"{name}_mb_s": sum(one["bytes_in"] for one in taken) / 1e6 / max(sum(one[f"{name}_s"] for one in taken), 1e-9)
        for name in ("encode", "decode")
        if taken
    }
    return {
        "codec": codec.name, "files": len(records), "exact": sum(one["exact"] for one in records), "bytes_in": source,
        "bytes": size, "share": size / source, **speeds, "library": codec.version(), "threads": threads,
    }  # fmt: skip
