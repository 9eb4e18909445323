"""Pillow plugin: after `import rdzip.pillow_plugin`, Image.open("x.rdz") and Image.save("x.rdz") work.

Opening reads the headers; pixels are decoded when Pillow asks for them, and no model is ever fetched. Saving takes the
options model, codec, quality, target_bpp, max_error, metadata, threads, offline, verify and effort of rdzip.compress,
and exif, icc_profile, xmp and dpi as Pillow's own formats do: they are written in place of what the image's info has,
or left out where they are None. Other options are refused.
"""

from __future__ import annotations

import math
from typing import IO, Any

from PIL import Image, ImageFile, ImagePalette

from rdzip.errors import InputError, RdzipError
from rdzip.formats import container, metadata
from rdzip.formats.container import Container, SectionType
from rdzip.formats.header import ImageHeader
from rdzip.formats.modes import BY_NUMBER
from rdzip.pipeline.planes import palette_of
from rdzip.pipeline.request import Compute
from rdzip.pipeline.restore import image_in, outline

FORMAT = "RDZ"
_OPTIONS = (
    "model",
    "codec",
    "quality",
    "target_bpp",
    "max_error",
    "metadata",
    "threads",
    "offline",
    "verify",
    "effort",
)
_INFO = ("exif", "icc_profile", "xmp", "dpi")
_EXIF = b"Exif\0\0"


class RdzImageFile(ImageFile.ImageFile):
    """A .rdz file opened by Pillow; OSError with rdzip's text where it cannot be read."""

    format = FORMAT
    format_description = "rdzip image"
    _data = b""  # what is still to be decoded; none in a copy that was unpickled

    def _open(self) -> None:
        if self.fp is None:
            raise OSError("expected an open file")
        data = self.fp.read()
        if self.filename:  # opened by Pillow, which would not close it if this raises OSError
            self.fp.close()
        try:
            parsed = container.unpack(data)
            if parsed.find(SectionType.SKELETON) is not None:
                mode, size, palette, info = _carried(data)
            else:
                mode, size, palette, info = _picture(parsed)
        except RdzipError as error:
            raise OSError(str(error)) from error
        self.info.update(info)
        self.palette = palette
        self._mode, self._size, self.tile, self._data = mode, size, [], data

    def load(self) -> Any:
        """Decode the pixels when they are first needed."""
        if self._data:
            from rdzip.api import decompress

            limit = Image.MAX_IMAGE_PIXELS
            try:
                image = decompress(self._data, max_pixels=1 << 62 if limit is None else 2 * limit, offline=True)
            except RdzipError as error:
                raise OSError(str(error)) from error
            self._data = b""
            if image.mode != self.mode or image.size != self.size:
                raise OSError("the picture is not what the head of its file says")
            self.im, self.palette, self.readonly, self.fp = image.im, image.palette, 0, None
            self.info.update(image.info)
        return super().load()

    def verify(self) -> None:
        """Check the file's checksums without decoding it; to be called directly after it was opened."""
        if not self._data:
            raise RuntimeError("verify must be called directly after open")
        self._data = b""  # its checksums were compared when it was opened; as with PNG it has to be opened again
        super().verify()


def _picture(parsed: Container) -> tuple[str, tuple[int, int], Any, dict[Any, Any]]:
    """Return mode, size, palette and info of a picture, from its headers."""
    header = ImageHeader.from_map(parsed.header)
    mode = BY_NUMBER[header.mode].name
    palette, palette_mode = palette_of(parsed, mode)
    if mode in ("LA;16", "RGB;16", "RGBA;16"):
        raise OSError(f"Pillow has no mode for {mode}: use rdzip.decompress_array")
    shown = ImagePalette.raw(palette_mode, palette) if palette_mode else None
    return mode, (header.width, header.height), shown, metadata.info_of(metadata.of_container(parsed), mode)


def _carried(data: bytes) -> tuple[str, tuple[int, int], Any, dict[Any, Any]]:
    """Return mode, size, palette and info of the file that comes back, as Pillow reads it.

    Its pixels are not decoded: it is made with blank ones where it can be.
    """
    limit = Image.MAX_IMAGE_PIXELS
    compute = Compute(max_pixels=1 << 62 if limit is None else 2 * limit, offline=True)
    image = image_in(outline(data, compute), compute.max_pixels)
    if not isinstance(image, Image.Image):
        raise OSError("the file that comes back holds several pictures: use rdzip.decompress or rdzip.restore")
    return image.mode, image.size, image.palette, dict(image.info)


def _save(image: Image.Image, out: IO[bytes], filename: str | bytes) -> None:
    from rdzip.api import compress
    from rdzip.formats.images.read import picture_of_image

    given = image.encoderinfo
    options: dict[str, Any] = {name: value for name, value in given.items() if name in _OPTIONS}
    others = {name: value for name, value in given.items() if name not in (*_OPTIONS, *_INFO)}
    try:
        if unknown := sorted(name for name, value in others.items() if value is not None and value is not False):
            raise InputError(
                f"expected options that .rdz files have ({', '.join((*_OPTIONS, *_INFO))}), found "
                f"{', '.join(unknown)}: leave it out"
            )
        picture = picture_of_image(image)
        kept = dict(picture.metadata.get("info", {}))
        for name in _INFO:
            if name in given:
                kept.pop(name, None)
                if (value := _info(name, given[name])) is not None:
                    kept[name] = value
        picture.metadata = {key: value for key, value in picture.metadata.items() if key != "info"}
        if kept:
            picture.metadata["info"] = kept
        out.write(compress(picture, **options))
    except RdzipError as error:
        raise OSError(str(error)) from error


def _info(name: str, value: Any) -> Any:
    """Return what the info of an image has for an option of save, None where it is to be left out."""
    if name == "exif" and isinstance(value, Image.Exif):
        value = value.tobytes()
    if name == "dpi" and value is not None:
        try:
            dpi = [float(part) for part in value]
        except (TypeError, ValueError):
            dpi = []
        if len(dpi) != 2 or not all(math.isfinite(part) and part > 0 for part in dpi):
            raise InputError(f"dpi: expected two numbers above 0, found {value!r}")
        return dpi
    if name == "xmp" and isinstance(value, str):
        value = value.encode()
    if value is None or (isinstance(value, bytes | bytearray) and not value):
        return None
    if not isinstance(value, bytes | bytearray):
        raise InputError(f"{name}: expected bytes, found {type(value).__name__}")
    value = bytes(value)
    return _EXIF + value if name == "exif" and not value.startswith(_EXIF) else value


def register() -> None:
    """Tell Pillow about .rdz files; called on import, and harmless when called again."""
    Image.register_open(FORMAT, RdzImageFile, lambda prefix: prefix.startswith(container.SIGNATURE[:4]))
    Image.register_save(FORMAT, _save)
    Image.register_save_all(FORMAT, _save)  # which refuses several frames
    Image.register_extension(FORMAT, ".rdz")
    Image.register_mime(FORMAT, "image/x-rdz")


register()
