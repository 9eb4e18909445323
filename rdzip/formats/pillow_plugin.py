"""Pillow plugin: after `import rdzip.formats.pillow_plugin`, Image.open("x.rdz") and Image.save("x.rdz") work.

Opening reads the headers; pixels are decoded when Pillow asks for them. Saving takes the options model, codec, quality,
target_bpp, max_error, metadata, threads, verify and effort of rdzip.compress.
"""

from __future__ import annotations

from typing import IO, Any

from PIL import Image, ImageFile

from rdzip.errors import FormatError, RdzipError
from rdzip.formats import container, metadata
from rdzip.formats.header import ImageHeader
from rdzip.formats.modes import BY_NUMBER

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


class RdzImageFile(ImageFile.ImageFile):
    """A .rdz file opened by Pillow; OSError with rdzip's text where it cannot be read."""

    format = FORMAT
    format_description = "rdzip image"

    def _open(self) -> None:
        if self.fp is None:
            raise OSError("expected an open file")
        self._data = self.fp.read()
        try:
            parsed = container.unpack(self._data)
            header = ImageHeader.from_map(parsed.header)
            self.info.update(metadata.info_of(metadata.of_container(parsed), BY_NUMBER[header.mode].name))
        except FormatError as error:
            raise OSError(str(error)) from error
        mode = BY_NUMBER[header.mode].name
        if mode in ("LA;16", "RGB;16", "RGBA;16"):
            raise OSError(f"Pillow has no mode for {mode}: use rdzip.decompress_array")
        self._mode, self._size, self.tile = mode, (header.width, header.height), []

    def load(self) -> Any:
        """Decode the pixels when they are first needed."""
        if self._data:
            from rdzip import decompress

            limit = Image.MAX_IMAGE_PIXELS
            try:
                image = decompress(self._data, max_pixels=1 << 62 if limit is None else 2 * limit, offline=True)
            except RdzipError as error:
                raise OSError(str(error)) from error
            self._data = b""
            self.im, self.palette = image.im, image.palette
            self.info.update(image.info)
        return super().load()


def _save(image: Image.Image, out: IO[bytes], filename: str | bytes) -> None:
    from rdzip import compress

    options: dict[str, Any] = {name: value for name, value in image.encoderinfo.items() if name in _OPTIONS}
    try:
        out.write(compress(image, **options))
    except RdzipError as error:
        raise OSError(str(error)) from error


def register() -> None:
    """Tell Pillow about .rdz files; called on import, and harmless when called again."""
    Image.register_open(FORMAT, RdzImageFile, lambda prefix: prefix.startswith(container.SIGNATURE[:4]))
    Image.register_save(FORMAT, _save)
    Image.register_extension(FORMAT, ".rdz")
    Image.register_mime(FORMAT, "image/x-rdz")


register()
