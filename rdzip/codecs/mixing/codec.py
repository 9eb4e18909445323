"""Context mixing (codec "mixing"): lossless, bit by bit, adaptive predictions and a causal network mixed online.

A payload is that of bands of rows: their number, the lengths of all but the last band's data, and the data. Bands are
coded apart, side by side; each is a picture of its own to its models. Very flat pictures are coded as their transpose.
What is mixed, and how, goes by the preset (codecs/mixing/presets.py): codecs/mixing/slow.py has the slow ones, with
many predictions, codecs/mixing/fast.py the fast ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.mixing.band import Band
from rdzip.codecs.mixing.prefetch import prefetched_mixtures
from rdzip.codecs.mixing.presets import MAX_BANDS, PRESETS, SLOW, SLOW_NET, Preset
from rdzip.codecs.mixing.window import blocks
from rdzip.codecs.result import Bits, Encoded
from rdzip.codecs.threads import map_bands
from rdzip.codecs.varint import read_numbers, write_numbers
from rdzip.entropy.binary import finish_coder
from rdzip.errors import CoderError, InputError, ModelError
from rdzip.models.context_mixing.tables import LEAST_PROBABILITY
from rdzip.models.shared.compiled_mixture import COMPONENTS
from rdzip.system import limits

if TYPE_CHECKING:
    from rdzip.models.causal.model import CausalModel

Progress = Callable[[float], None] | None
Pixels = NDArray[np.uint8]

WIDE, FLAT = 1 << 12, 16
"""Columns, and how many for each row, beyond which a picture is turned."""


def is_turned(shape: tuple[int, ...]) -> bool:
    """Whether a picture is coded as its transpose: models keep much of each column, which is to serve many rows."""
    return shape[1] > WIDE and shape[1] > FLAT * shape[0]


def decoding_time(model: CausalModel | None, shape: tuple[int, ...], preset: Preset) -> float:
    """Microseconds that decoding pixels of ``shape`` takes on one core, about (rdzip.system.limits)."""
    time = preset.sample_time * math.prod(shape)
    if model and preset.network:
        time += model.pixel_time("grey" if len(shape) == 2 else "colour") * math.prod(shape[:2])
    return time


def encode(
    model: CausalModel | None, pixels: Pixels, progress: Progress = None, preset: Preset | None = None
) -> Encoded:
    """Lossless payload of uint8 pixels [h, w] or [h, w, 3], h, w >= 1, with its rates in bits.

    model: whose network to mix in, with a preset that has one. preset: None for a slow one.
    """
    if pixels.dtype != np.uint8 or not pixels.size or pixels.shape[2:] not in ((), (3,)):
        raise InputError(
            f"mixing codec: expected uint8 pixels [h, w] or [h, w, 3], found {pixels.dtype} {list(pixels.shape)}"
        )
    preset = preset or (SLOW_NET if model else SLOW)
    used = model if preset.network else None
    if used:
        _check_model(used)
    if is_turned(pixels.shape):
        pixels = np.ascontiguousarray(pixels.swapaxes(0, 1))
    count = preset.bands(pixels.shape)
    edges = [pixels.shape[0] * b // count for b in range(count + 1)]
    coded = np.zeros((count, 1 << 16), np.int64)

    def work(b: int, band_progress: Progress) -> bytes:
        found, coded[b] = _encode_band(used, pixels[edges[b] : edges[b + 1]], preset, count, band_progress)
        return found

    parts = map_bands(count, work, progress)
    payload = write_numbers([count, *(len(part) for part in parts[:-1])]) + b"".join(parts)
    ideal = float((coded.sum(0)[1:] * (16 - np.log2(np.arange(1, 1 << 16)))).sum())
    bits = 8.0 * len(payload)
    return Encoded(payload, Bits(ideal, bits, bits), preset.layout)


def decode(
    model: CausalModel | None, payload: bytes, shape: tuple[int, ...], layout: int, progress: Progress = None
) -> Pixels:
    """Pixels uint8 of a payload; CoderError if it is corrupt.

    - model: the one that it was coded by, None for a preset without a network
    - payload: of `encode`
    - shape: [h, w] or [h, w, 3]
    - layout: number of the preset, as the file has it
    - progress: called with the share that is done
    """
    if layout not in PRESETS:
        raise CoderError(
            f"mixing codec: expected layout 1 to {max(PRESETS)}, found {layout}: the file needs a newer rdzip"
        )
    preset = PRESETS[layout]
    if preset.network and model is None:
        raise CoderError("mixing codec: the payload needs a model, found none: the file is corrupt")
    used = model if preset.network else None
    limits.claim(decoding_time(used, shape, preset), f"{math.prod(shape)} samples in layout {layout}")
    if used:
        _check_model(used)
    turned = is_turned(shape)
    if turned:
        shape = (shape[1], shape[0], *shape[2:])
    parts = _parts(payload, shape[0])
    # a sample costs 8 decisions, each at least 2**16 / (2**16 - LEAST_PROBABILITY) of a bit's odds
    if 8 * LEAST_PROBABILITY * math.prod(shape) > 65536 * (8 * len(payload) + 64):
        raise CoderError(
            f"coded data of {len(payload)} bytes cannot hold {math.prod(shape)} samples: the file is corrupt"
        )
    edges = [shape[0] * b // len(parts) for b in range(len(parts) + 1)]
    pixels = np.empty(shape, np.uint8)

    def work(b: int, band_progress: Progress) -> None:
        _decode_band(used, preset, parts[b], pixels[edges[b] : edges[b + 1]], band_progress)

    map_bands(len(parts), work, progress)
    return np.ascontiguousarray(pixels.swapaxes(0, 1)) if turned else pixels


def _check_model(model: CausalModel) -> None:
    """Raise ModelError unless this codec can use a model on this machine."""
    for net in model.nets.values():
        if (found := net.config.components) != COMPONENTS:
            raise ModelError(
                f"codec mixing: expected a model with mixtures of {COMPONENTS} components, found {found}: use another "
                "model, or codec causal"
            )
    model.check_compiled()


def _encode_band(
    model: CausalModel | None, pixels: Pixels, preset: Preset, bands: int, progress: Progress
) -> tuple[bytes, NDArray[np.int64]]:
    """Data of a band, one of so many, and how often each probability was that of what came."""
    data = np.zeros(3 * pixels.size + 64, np.uint8)  # no decision costs over 15 bits; far less than 24 bits a sample
    band = Band(model, preset, pixels.shape, data, 0)
    height, width = pixels.shape[:2]
    for (first, stop), mixtures in zip(blocks(height, width), prefetched_mixtures(model, pixels, bands), strict=True):
        band.window.move(stop - first)
        band.window.write(pixels[first:stop])
        band.code(first, stop - first, mixtures)
        if progress:
            progress(stop / height)
    size = finish_coder(band.coder, data)
    return data[:size].tobytes(), band.mixer.coded


def _decode_band(model: CausalModel | None, preset: Preset, payload: bytes, pixels: Pixels, progress: Progress) -> None:
    """Fill in the pixels of a band; CoderError if its data are corrupt, soon after they end."""
    band = Band(model, preset, pixels.shape, np.frombuffer(bytearray(payload), np.uint8), 1)
    none = np.zeros(0, np.int32)
    height, width = pixels.shape[:2]
    for first, stop in blocks(height, width):
        band.window.move(stop - first)
        band.code(first, stop - first, none)
        band.window.read(pixels[first:stop])
        if band.coder[3] >= len(payload):
            raise CoderError("coded data end before the last pixel: the file is corrupt")
        if progress:
            progress(stop / height)
    if band.coder[3] + 1 != len(payload):
        raise CoderError("coded data are left over after the last pixel: the file is corrupt")


def _parts(payload: bytes, height: int) -> list[bytes]:
    """Data of each band."""
    (count,), at = read_numbers(payload, 0, 1)
    if not 1 <= count <= min(MAX_BANDS, height):
        raise CoderError(f"mixing codec: expected 1 to {min(MAX_BANDS, height)} bands, found {count}: corrupt file")
    sizes, at = read_numbers(payload, at, count - 1)
    starts = [at]
    for size in sizes:
        starts.append(starts[-1] + size)
    if starts[-1] > len(payload):
        raise CoderError("mixing codec: the bands are longer than the coded data: the file is corrupt")
    return [payload[start:end] for start, end in zip(starts, [*starts[1:], len(payload)], strict=True)]
