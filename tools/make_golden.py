"""Make the golden files of this version: small .rdz files that every later version must decode to the same picture.

python tools/make_golden.py VERSION    adds tests/golden/VERSION/*.rdz and its index.json; never replaces any.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import rdzip
from rdzip.demo import picture

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "golden"


def png(image: Image.Image, **options: object) -> bytes:
    """PNG file of an image."""
    out = io.BytesIO()
    image.save(out, format="PNG", **options)
    return out.getvalue()


def sources() -> dict[str, tuple[bytes | Image.Image | np.ndarray, str | None]]:
    """Inputs by name, with the codec to use (None: as rdzip chooses)."""
    photo = picture().crop((300, 200, 364, 248))
    pixels = np.asarray(photo)
    alpha = Image.fromarray((np.add.outer(np.arange(48), np.arange(64)) * 2).astype(np.uint8))
    rgba = photo.copy()
    rgba.putalpha(alpha)
    deep = pixels.astype(np.uint16) * 257 ^ np.arange(3, dtype=np.uint16)
    noted = PngInfo()
    noted.add_text("Title", "golden")
    return {
        "colour": (png(photo, pnginfo=noted, dpi=(300, 300)), "causal"),
        "grey": (photo.convert("L"), "causal"),
        "grey-alpha": (rgba.convert("LA"), "causal"),
        "colour-alpha": (rgba, "causal"),
        "one-pixel": (photo.crop((0, 0, 1, 1)), "causal"),
        "one-row": (photo.crop((0, 0, 64, 1)), "causal"),
        "classic": (photo, "classic"),
        "palette": (png(photo.quantize(16), transparency=3), None),
        "bilevel": (photo.convert("1"), None),
        "sixteen-bit": (deep, None),
        "cmyk": (photo.convert("CMYK"), None),
    }


def main() -> None:
    """Write the files of the version named on the command line."""
    folder = GOLDEN / sys.argv[1]
    folder.mkdir(parents=True)
    index = {}
    for name, (source, codec) in sources().items():
        data = rdzip.compress(source, codec=codec)
        pixels = rdzip.decompress_array(data)
        (folder / f"{name}.rdz").write_bytes(data)
        index[name] = {
            "file_sha256": hashlib.sha256(data).hexdigest(),
            "codec": rdzip.info(data)["codec"],
            "shape": list(pixels.shape),
            "dtype": str(pixels.dtype),
            "pixels_sha256": hashlib.sha256(pixels.tobytes()).hexdigest(),
        }
    (folder / "index.json").write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    main()
