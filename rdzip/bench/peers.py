"""Codecs of others: JPEG, WebP, AVIF and PNG by Pillow, JPEG XL by imagecodecs, HEIC by pillow-heif.

Their files carry no metadata and colours are not subsampled (but by WebP, whose lossy files always are). Default
settings cover about 0.1 to 2.5 bits per pixel on photographs.
"""

from __future__ import annotations

import importlib.util
import io
from functools import partial
from typing import Any

import numpy as np
from PIL import Image, features

from rdzip.bench.codec import Codec, Scale
from rdzip.exact.types import Pixels

QUALITY = Scale("quality", 0, 100)
JPEG_QUALITY = Scale("quality", 1, 100)  # Pillow takes 0 for its default
DISTANCE = Scale("distance", 0.01, 25, whole=False)


def _save(pixels: Pixels, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, **options)
    return out.getvalue()


def _open(data: bytes, _threads: int | None) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def _jpeg(pixels: Pixels, setting: float | None, _threads: int | None) -> bytes:
    return _save(pixels, format="JPEG", quality=_whole(setting), subsampling="4:4:4", optimize=True, progressive=True)


def _webp(pixels: Pixels, setting: float | None, _threads: int | None) -> bytes:
    return _save(pixels, format="WEBP", quality=_whole(setting), method=6)


def _webp_lossless(pixels: Pixels, _setting: float | None, _threads: int | None) -> bytes:
    return _save(pixels, format="WEBP", lossless=True, quality=100, method=6, exact=True)


def _png(pixels: Pixels, _setting: float | None, _threads: int | None) -> bytes:
    return _save(pixels, format="PNG", optimize=True)


def _avif(pixels: Pixels, setting: float | None, threads: int | None) -> bytes:
    more = {} if threads is None else {"max_threads": threads}
    return _save(pixels, format="AVIF", quality=_whole(setting), subsampling="4:4:4", speed=4, **more)


def _jxl(pixels: Pixels, setting: float | None, threads: int | None) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.jpegxl_encode(pixels, distance=setting, effort=7, numthreads=threads))


def _jxl_lossless(pixels: Pixels, _setting: float | None, threads: int | None, *, effort: int) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.jpegxl_encode(pixels, lossless=True, effort=effort, numthreads=threads))


def _jxl_decode(data: bytes, threads: int | None) -> Pixels:
    import imagecodecs

    return np.asarray(imagecodecs.jpegxl_decode(data, numthreads=threads))


def _heic(pixels: Pixels, setting: float | None, threads: int | None) -> bytes:
    import pillow_heif

    out = io.BytesIO()
    height, width = pixels.shape[:2]
    # x265 makes threads of a pool beside its own; for one thread in all it has to have no pool.
    pools = {} if threads is None else {"x265:pools": "none" if threads == 1 else str(threads)}
    pillow_heif.encode(
        "RGB", (width, height), pixels.tobytes(), out, quality=_whole(setting), subsampling="4:4:4", enc_params=pools
    )
    return out.getvalue()


def _heic_decode(data: bytes, _threads: int | None) -> Pixels:
    import pillow_heif

    return np.asarray(pillow_heif.read_heif(data).to_pillow().convert("RGB"))


def _whole(setting: float | None) -> int:
    assert setting is not None
    return int(setting)


def _pillow_lacks(feature: str | None) -> str | None:
    if feature is None or features.check(feature):
        return None
    return f"this Pillow was built without {feature.upper()}; pip install a Pillow wheel that has it"


def _lacks(package: str) -> str | None:
    if importlib.util.find_spec(package.replace("-", "_")) is not None:
        return None
    return f"needs {package}, which is not installed; pip install 'rdzip[bench]'"


def _pillow_version(feature: str) -> str:
    from PIL import __version__

    return f"Pillow {__version__}, {feature} {features.version(feature)}"


def _jxl_version() -> str:
    import imagecodecs

    return f"imagecodecs {imagecodecs.__version__}, {imagecodecs.jpegxl_version()}"


def _heic_version() -> str:
    import pillow_heif

    found = pillow_heif.libheif_info()
    return f"pillow-heif {pillow_heif.__version__}, libheif {found['libheif']}, {found['HEIF']}"


def _pillow(name: str, feature: str, checked: str | None, scale: Scale | None, settings: Any, encode: Any) -> Codec:
    return Codec(name, scale, settings, encode, _open, partial(_pillow_lacks, checked),
                 partial(_pillow_version, feature))  # fmt: skip


def _jpegxl(name: str, scale: Scale | None, settings: Any, encode: Any) -> Codec:
    return Codec(name, scale, settings, encode, _jxl_decode, partial(_lacks, "imagecodecs"), _jxl_version)


ONCE = (None,)
PEERS = (
    _pillow("jpeg", "jpg", None, JPEG_QUALITY, (5, 10, 20, 30, 45, 60, 75, 85, 92), _jpeg),
    _pillow("webp", "webp", "webp", QUALITY, (0, 5, 20, 40, 60, 75, 85, 93), _webp),
    _pillow("avif", "avif", "avif", QUALITY, (15, 30, 45, 60, 70, 80, 88), _avif),
    _jpegxl("jxl", DISTANCE, (20, 12, 8, 5, 3, 1.9, 1, 0.5), _jxl),
    Codec("heic", QUALITY, (10, 25, 40, 50, 60, 70), _heic, _heic_decode, partial(_lacks, "pillow-heif"),
          _heic_version),
    _pillow("png", "zlib", None, None, ONCE, _png),
    _pillow("webp-lossless", "webp", "webp", None, ONCE, _webp_lossless),
    _jpegxl("jxl-lossless", None, ONCE, partial(_jxl_lossless, effort=7)),
    _jpegxl("jxl-lossless-e9", None, ONCE, partial(_jxl_lossless, effort=9)),
)  # fmt: skip
