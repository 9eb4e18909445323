"""docs/reference/carriers.md is enough to close files: code from that page alone gives the same bytes."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference import carriers, carriers_science, carriers_tiff

from rdzip.formats.carriers.table import CARRIERS as TABLE
from rdzip.formats.carriers.table import carrier_of
from rdzip.formats.images.picture import Picture

CLOSERS: dict[str, Callable[[list[carriers.Picture], Any], bytes]] = {
    "BMP": carriers.bmp, "PNM": carriers.pnm, "NPY": carriers.npy, "TGA": carriers.tga, "TIFF": carriers_tiff.tiff,
    "DICOM": carriers_science.dicom, "NIfTI": carriers_science.nifti, "FITS": carriers_science.fits,
    "gzip": lambda pictures, skeleton: carriers_science.gzip(pictures, skeleton, BY_NUMBER),
}  # fmt: skip
BY_NUMBER = {row.number: CLOSERS[row.name] for row in TABLE.values() if row.name in CLOSERS}


def plainly(picture: Picture) -> carriers.Picture:
    samples = np.ascontiguousarray(picture.samples)
    values = samples.view(f"<u{samples.dtype.itemsize}").ravel().tolist()
    return carriers.Picture(picture.mode, *picture.shape[:2], values, picture.palette)


def module(name: str) -> Any:
    """A module of tests beside this one."""
    spec = importlib.util.spec_from_file_location(f"seeds_{Path(name).stem}", Path(__file__).parent / name)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


def cases() -> Iterator[bytes]:
    tests = module("test_bmp.py")
    yield from (tests.by_pillow(mode) + b"end" for mode in ("1", "L", "P", "RGB", "RGBA"))
    yield tests.bitmap(2, -3, 32, bytes([1, 2, 3, 7] * 6))
    yield tests.bitmap(
        3, 2, 16, bytes([1, 2, 3, 4, 5, 6, 9, 9] * 2), bytes.fromhex("00f80000e00700001f000000"), method=3
    )
    tests = module("test_netpbm.py")
    yield from tests.FILES
    yield b"P2\n3 2\n255\n  1  20  30\n200   5   6\n"
    yield b"P1\n3 2\n101\n010\n"
    yield b"P4\n5 2\n\xff\xa1"
    tests = module("test_npy.py")
    for kind in tests.TYPES:
        yield from (tests.saved(tests.array(kind, shape, True)) for shape in ((3, 4), (2, 3, 4), (2, 3, 2, 3)))
        yield from (tests.saved(tests.array(kind, shape)) for shape in ((3, 4), (2, 3, 4), (4, 3, 3)))
    tests = module("test_tga.py")
    yield from (tests.by_pillow(mode) for mode in ("L", "LA", "P", "RGB", "RGBA"))
    yield tests.by_pillow("RGB", 1)[:-26]


def of_tiff() -> Iterator[bytes]:
    tests = module("tiff/test_tiff.py")
    flat, noisy, big = tests.FLAT[:21, :18], tests.NOISY[:21, :18], np.tile(tests.FLAT, (6, 6, 1))
    for mode in ("1", "L", "P", "RGB", "CMYK", "F"):
        for compression in (None, "packbits", "tiff_lzw"):
            yield tests.by_pillow(mode, compression, tests.FLAT)
    yield tests.by_pillow("RGB", "tiff_lzw", big)
    for kind in ("u1", "i2", "f2", "f4"):
        for options in (
            {}, {"compression": "lzw", "predictor": True}, {"tile": (16, 16)}, {"rowsperstrip": 4, "bigtiff": True},
            {"compression": "lzw", "tile": (16, 16), "byteorder": ">", "predictor": True},
        ):  # fmt: skip
            yield tests.by_tifffile(noisy.astype(kind), photometric="rgb", **options)
    yield tests.by_tifffile(np.moveaxis(flat, 2, 0), photometric="rgb", planarconfig="separate", compression="lzw")
    yield tests.by_tifffile(np.stack([flat[..., 0]] * 4), photometric="minisblack")
    yield tests.by_tifffile(np.stack([flat[..., 0]] * 4), photometric="minisblack", compression="lzw", tile=(16, 16))
    for old_form, end in ((False, 0), (False, 1), (False, 2), (True, 0), (True, 1)):
        for samples in (tests.RNG.bytes(9000), bytes(9000)):
            coded = tests.Lzw().encode(samples, [], 0 if old_form else 4094, 0, end, old_form)
            counts = {259: (3, [5]), 279: (4, [len(coded)])}
            yield tests.tiff(coded, 90, 100, [8], 1, counts)
    for bits in (1, 4, 12):
        yield tests.tiff(tests.RNG.bytes(40), 5, 4, [bits], 1, {266: (3, [2])}, ">")
    full = np.pad(noisy[:20, :17, 0], ((0, 12), (0, 15)), mode="reflect")
    tags = {322: (3, [16]), 323: (3, [16]), 324: (4, [8, 264, 520, 776]), 325: (4, [256] * 4)}
    tiles = full.reshape(2, 16, 2, 16).transpose(0, 2, 1, 3).tobytes()
    yield tests.tiff(tiles, 17, 20, [8], 1, tags)
    tags = {278: (3, [2]), 273: (4, [68, 8, 48, 28]), 279: (4, [10] * 4)}
    yield tests.tiff(tests.RNG.bytes(90), 5, 8, [8], 1, tags)


def of_science() -> Iterator[bytes]:
    tests = module("test_dicom.py")
    for syntax in tests.SYNTAXES:
        for bits in (1, 8, 16, 32):
            for count in (1, 3):
                yield tests.file((count, 5, 7, 1), bits, syntax, more=tests.sequences(syntax), sign=bits == 16)
        yield tests.file((2, 3, 4, 3), 8, syntax, planar=1, colours=b"YBR_FULL") + b"behind"
        yield tests.file((2, 3, 4, 5), 16, syntax)
        yield tests.file((1, 3, 4, 1), 32, syntax, tag=0x7FE00008)
    yield from (tests.file((1, 3, 5, 1), 8, syntax, preamble=False) for syntax in tests.SYNTAXES[:2])
    yield from tests.FILES
    yield tests.dicom(bytes(range(72)), (1, 4, 6, 3), 8, colours=b"YBR_FULL_422")
    yield tests.file((2, 3, 4, 1), 16, b"1.2.840.113619.5.2")
    tests = module("test_nifti.py")
    for form in tests.FORMS:
        yield from (tests.file((5, 4, 3), datatype, form, b"more") + b"behind" for datatype in tests.TYPES)
    tests = module("test_fits.py")
    yield from (tests.unit(bits, (5, 4, 3)) + b"behind" for bits in (8, 16, 32, -32))
    yield from tests.FILES
    yield (
        tests.unit(8, ())
        + tests.unit(16, (9, 8), False)
        + tests.table(30)
        + tests.unit(8, (5, 4, 2), False)
        + tests.table(8)
    )
    yield tests.unit(8, (5, 5))[:-1]
    yield from module("test_gzip.py").FILES


@pytest.mark.optional("imagecodecs")
@pytest.mark.parametrize("files", [cases, of_tiff, of_science])
def test_code_from_the_page_gives_the_same_bytes(files: Callable[[], Iterator[bytes]]) -> None:
    count = 0
    for data in files():
        row = carrier_of(data)
        assert row is not None
        opened = row.open(data)
        closed = CLOSERS[row.name]([plainly(p) for p in opened.pictures], opened.skeleton)
        assert closed == data, (row.name, len(data), opened.skeleton)
        count += 1
    assert count > 40


def test_code_from_the_page_closes_odd_files(shared_data: Path) -> None:
    for path in sorted((shared_data / "files" / "tiff").glob("Big*.tif")):
        opened = (row := carrier_of(path.read_bytes())) and row.open(path.read_bytes())
        assert opened is not None
        pictures = [plainly(p) for p in opened.pictures]
        assert carriers_tiff.tiff(pictures, opened.skeleton) == path.read_bytes()
