"""Codec of quantised DCT coefficients, those of a JPEG, by context mixing.

A payload is the layout number of its preset, the shapes, quantisation tables and sampling factors of the components,
the number of bands, the lengths of all but the last band's data, and the data. Bands of rows of MCUs are coded apart,
side by side; in each, a component after another, which sees the first one and the one before it.
"""

from __future__ import annotations

import numpy as np

from rdzip.codecs.dct.band import Band, Shape
from rdzip.codecs.dct.coefficients import Coefficients, Component
from rdzip.codecs.dct.heads import Head, read_head, write_head
from rdzip.codecs.dct.presets import MAX_BANDS, PRESETS, preset_of
from rdzip.codecs.threads import map_bands, thread_limit
from rdzip.codecs.varint import read_numbers, write_numbers
from rdzip.entropy.binary import finish_coder
from rdzip.errors import CoderError, InputError
from rdzip.exact.types import Int16
from rdzip.models.dct_mixing.decisions import LEAST_PROBABILITY
from rdzip.models.dct_mixing.zigzag import ZIGZAG
from rdzip.system import limits
from rdzip.system.progress import Progress

BAND_BLOCKS = 1 << 16
"""Blocks that a band has at least where there are several: each has to learn anew, which costs less than .5 %."""
LEAST_DECISIONS = 7
"""Of each block."""
BLOCK_MEMORY = 512
"""Bytes for each block while it is decoded: its coefficients twice, and what other components see of them."""


def encode(
    picture: Coefficients, effort: int = 6, threads: int | None = None, progress: Progress | None = None
) -> bytes:
    """Payload of the coefficients of an image.

    - picture: of 1 to 4 components
    - effort: 1 to 9
    - threads: None for as many as there are cores
    - progress: called with the share that is done
    """
    preset = preset_of(effort)
    shapes = [_shape(component) for component in picture.components]
    blocks = sum(shape.rows * shape.columns for shape in shapes)
    if not 1 <= len(shapes) <= 4 or not all(shape.rows and shape.columns for shape in shapes):
        raise InputError(f"codec dct: expected 1 to 4 components with blocks, found {len(shapes)} with {blocks} blocks")
    count = min(max(1, blocks // BAND_BLOCKS), MAX_BANDS, min(shape.rows for shape in shapes))

    def work(b: int, band_progress: Progress | None) -> bytes:
        parts = [_part(shape, b, count) for shape in shapes]
        size = 64 + sum(
            256 * (stop - first) * shape.columns for shape, (first, stop) in zip(shapes, parts, strict=True)
        )
        data = np.zeros(size, np.uint8)
        band = Band(preset, shapes, parts, data, 0)
        for component, (first, stop) in zip(picture.components, parts, strict=True):
            band.blocks.append(_padded(np.ascontiguousarray(component.coefficients[first:stop], np.int16)))
        band.code(band_progress)
        return data[: finish_coder(band.coder, data)].tobytes()

    with thread_limit(threads):
        coded = map_bands(count, work, progress)
    head = write_head(preset.layout, [_head(component) for component in picture.components])
    return head + write_numbers([count, *(len(part) for part in coded[:-1])]) + b"".join(coded)


def decode(
    payload: bytes, threads: int | None = None, max_pixels: int | None = None, progress: Progress | None = None
) -> Coefficients:
    """Coefficients of a payload; CoderError if it is corrupt.

    - payload: of `encode`
    - threads: None for as many as there are cores
    - max_pixels: the most samples of a component; None for the usual limit
    - progress: called with the share that is done
    """
    layout, heads, at = read_head(payload)
    shapes = [_shape_of(head) for head in heads]
    if layout not in PRESETS:
        raise CoderError(
            f"codec dct: expected layout 1 to {max(PRESETS)}, found {layout}: the file needs a newer rdzip"
        )
    preset = PRESETS[layout]
    blocks = sum(shape.rows * shape.columns for shape in shapes)
    most = max_pixels or limits.MAX_PIXELS
    if any(64 * shape.rows * shape.columns > max(most, 64 * 64) * 2 for shape in shapes):
        raise CoderError(
            f"codec dct: expected at most {most} pixels, found {64 * blocks} coefficients: raise `max_pixels`"
        )
    limits.claim_memory(BLOCK_MEMORY * blocks, f"{blocks} blocks")
    limits.claim(preset.block_time * blocks, f"{blocks} blocks in layout {layout}")
    if LEAST_DECISIONS * LEAST_PROBABILITY * blocks > 65536 * (8 * len(payload) + 64):
        raise CoderError(f"coded data of {len(payload)} bytes cannot hold {blocks} blocks: the file is corrupt")
    parts = _split(payload, at, min(shape.rows for shape in shapes))
    together = np.zeros(64 * blocks, np.int16)  # see coefficients.together
    found, at = [], 0
    for shape in shapes:
        end = at + 64 * shape.rows * shape.columns
        found.append(together[at:end].reshape(shape.rows, shape.columns, 64))
        at = end

    def work(b: int, band_progress: Progress | None) -> None:
        edges = [_part(shape, b, len(parts)) for shape in shapes]
        band = Band(preset, shapes, edges, np.frombuffer(bytearray(parts[b]), np.uint8), 1)
        band.blocks.extend(
            np.zeros(((stop - first) * shape.columns + 1) * 64, np.int16)
            for shape, (first, stop) in zip(shapes, edges, strict=True)
        )
        band.code(band_progress)
        if band.coder[3] + 1 != len(parts[b]):
            raise CoderError("coded data are left over after the last block: the file is corrupt")
        for into, blocks_of, (first, stop) in zip(found, band.blocks, edges, strict=True):
            into[first:stop] = blocks_of[:-64].reshape(into[first:stop].shape)

    with thread_limit(threads):
        map_bands(len(parts), work, progress)
    return Coefficients(
        tuple(
            Component(blocks_of, shape.steps.astype(np.uint16), shape.sampling)
            for blocks_of, shape in zip(found, shapes, strict=True)
        )
    )


def _shape(component: Component) -> Shape:
    """Shape and quantisation of a component."""
    rows, columns, _ = component.coefficients.shape
    return Shape(rows, columns, component.sampling, component.quantisation.astype(np.int64))


def _head(component: Component) -> Head:
    """What the head of a payload says of a component."""
    rows, columns, _ = component.coefficients.shape
    return Head(rows, columns, component.sampling, tuple(component.quantisation[list(ZIGZAG)].tolist()))


def _shape_of(head: Head) -> Shape:
    """Shape and quantisation of a component that a head tells of."""
    steps = np.zeros(64, np.int64)
    steps[list(ZIGZAG)] = head.steps
    return Shape(head.rows, head.columns, head.sampling, steps)


def _part(shape: Shape, b: int, count: int) -> tuple[int, int]:
    """First row of blocks of a band, and the one after its last; whole rows of MCUs where a component has several."""
    unit = shape.sampling[1] if shape.rows % shape.sampling[1] == 0 else 1
    rows = shape.rows // unit
    return unit * (rows * b // count), unit * (rows * (b + 1) // count)


def _padded(blocks: Int16) -> Int16:
    """Blocks, flat, with one of zeros after the last."""
    found = np.zeros(blocks.size + 64, np.int16)
    found[:-64] = blocks.reshape(-1)
    return found


def _split(payload: bytes, at: int, rows: int) -> list[bytes]:
    """Data of each band, from the place on where their number stands."""
    (count,), at = read_numbers(payload, at, 1)
    if not 1 <= count <= min(MAX_BANDS, rows):
        raise CoderError(f"codec dct: expected 1 to {min(MAX_BANDS, rows)} bands, found {count}: corrupt file")
    sizes, at = read_numbers(payload, at, count - 1)
    starts = [at]
    for size in sizes:
        starts.append(starts[-1] + size)
    if starts[-1] > len(payload):
        raise CoderError("codec dct: the bands are longer than the coded data: the file is corrupt")
    return [payload[start:end] for start, end in zip(starts, [*starts[1:], len(payload)], strict=True)]
