"""An image as rdzip codes it: samples, mode, palette, metadata, and the hash that every decoder checks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from rdzip.errors import InputError
from rdzip.formats.modes import BY_NAME
from rdzip.formats.notes import Note
from rdzip.system.strips import strips

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass
class Picture:
    """One image in memory.

    samples: [h, w] for one channel, [h, w, c] for more; dtype as the mode says ("1": uint8 of 0 and 1; "P": uint8
    indices).
    palette: bytes of `palette_mode` ("RGB" or "RGBA") entries, for "P" and "PA" only.
    metadata: plain values by name, see rdzip.formats.metadata.
    source_format: Pillow's name of the format it was read from ("PNG", "JPEG", ...), "" when it came from memory.
    source_bytes: size of the file it was read from, 0 when it came from memory.
    notes: lines for the user about this input or output.
    """

    samples: NDArray[Any]
    mode: str
    palette: bytes = b""
    palette_mode: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    source_format: str = ""
    source_bytes: int = 0
    notes: list[Note] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.mode not in BY_NAME:
            raise InputError(
                f"expected one of the pixel modes {', '.join(BY_NAME)}, found {self.mode}: convert the image first"
            )
        mode = BY_NAME[self.mode]
        shape = self.samples.shape
        expected = shape[:2] if mode.channels == 1 else (*shape[:2], mode.channels)
        if len(shape) < 2 or shape != expected or self.samples.dtype != np.dtype(mode.dtype):
            raise InputError(
                f"expected samples [h, w{f', {mode.channels}' if mode.channels > 1 else ''}] of {np.dtype(mode.dtype)} "
                "for mode "
                f"{self.mode}, found {list(shape)} of {self.samples.dtype}"
            )
        if not all(shape):
            raise InputError(f"expected an image of at least one pixel, found {shape[1]} x {shape[0]}")
        if self.mode in ("P", "PA") and (
            self.palette_mode not in ("RGB", "RGBA") or len(self.palette) > 256 * len(self.palette_mode)
        ):
            raise InputError(
                f"expected a palette of at most 256 RGB or RGBA entries, found {len(self.palette)} bytes of "
                f"{self.palette_mode!r}"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """[h, w] or [h, w, c] as integers."""
        return tuple(int(n) for n in self.samples.shape)

    def pixel_hash(self) -> bytes:
        """Return 8 bytes of SHA-256 over mode, shape, palette and samples (docs/reference/format.md, section 2)."""
        return pixel_hash(self.samples, self.mode, self.palette, self.palette_mode)


def pixel_hash(samples: NDArray[Any], mode: str, palette: bytes = b"", palette_mode: str = "") -> bytes:
    """Return the first 8 bytes of SHA-256 over "mode NUL h NUL w NUL palette mode NUL palette length NUL", the palette,
    the samples (little-endian).
    """
    height, width = samples.shape[:2]
    state = hashlib.sha256(f"{mode}\0{height}\0{width}\0{palette_mode}\0{len(palette)}\0".encode())
    state.update(palette)
    little = np.dtype(BY_NAME[mode].dtype)
    for s in strips(samples):
        rows = samples[s]
        for part in (rows[0][t] for t in strips(rows[0])) if len(rows) == 1 else (rows,):  # it may be a view of a pixel
            state.update(np.ascontiguousarray(part, dtype=little).data)
    return state.digest()[:8]


def symbols_hash(
    digest: bytes, mode: str, shape: tuple[int, ...], setting: int, alpha: NDArray[np.uint8] | None
) -> bytes:
    """Return the first 8 bytes of SHA-256 over "mode NUL h NUL w NUL setting NUL", the digest of the symbols, and the
    samples of alpha, if there are any.

    - digest: of the symbols (rdzip.codecs.transform.codec.Unpacked)
    - mode, shape: of the picture, [h, w] or [h, w, c]
    - setting: of the quantiser
    - alpha: uint8 [h, w], or None
    """
    state = hashlib.sha256(f"{mode}\0{shape[0]}\0{shape[1]}\0{setting}\0".encode() + digest)
    if alpha is not None:
        state.update(np.ascontiguousarray(alpha).data)
    return state.digest()[:8]


def from_array(array: NDArray[Any]) -> Picture:
    """Return a Picture of an array: bool, uint8, uint16, int32 or float32, [h, w] or uint8/uint16 [h, w, 2..4];
    InputError for others.
    """
    names = {
        ("b1", 1): "1", ("u1", 1): "L", ("u1", 2): "LA", ("u1", 3): "RGB", ("u1", 4): "RGBA", ("u2", 1): "I;16",
        ("u2", 2): "LA;16", ("u2", 3): "RGB;16", ("u2", 4): "RGBA;16", ("i4", 1): "I", ("f4", 1): "F",
    }  # fmt: skip
    channels = 1 if array.ndim == 2 else array.shape[2] if array.ndim == 3 else 0
    if array.ndim == 3 and channels == 1:
        array = array[:, :, 0]
    name = names.get((array.dtype.str[1:], channels))
    if name is None:
        raise InputError(
            "expected an array of uint8 or uint16 [h, w] or [h, w, 2..4], or bool, int32 or float32 [h, w], "
            f"found {array.dtype} {list(array.shape)}"
        )
    dtype = np.dtype(BY_NAME[name].dtype)
    return Picture(np.ascontiguousarray(array.astype(dtype, copy=False)), name)
