"""One picture by a codec of latents: tiles as a chain whose initial bits are the first rows of the picture itself.

The first rows are coded without latents, by the classic codec; their bytes lie at the bottom of the stack, where the
first tile takes its bits from. So a picture pays for no initial bits, only for what the classic codec needs more than
the model for a few rows (docs/reference/latents.md, section 5).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from rdzip.codecs.bits_back import chain
from rdzip.codecs.bits_back.head import TileHead, read_head, read_tile_head, write_head, write_tile_head
from rdzip.codecs.bits_back.options import Options
from rdzip.codecs.classic import codec as classic
from rdzip.codecs.result import Bits, Encoded
from rdzip.entropy.ans import AnsStack
from rdzip.entropy.initial_bits import InitialBitsError, InitialBitsStack, check_initial_bits, initial_data
from rdzip.errors import CoderError, FormatError, InputError
from rdzip.exact.types import Pixels
from rdzip.system.progress import Progress

TILE = 64
LEAST_SIDE = 16
"""To which models may pad narrower tiles."""
WIDE_TILE = 256
"""Of codecs that need no initial bits: there is no first tile that must be small."""
LAYOUT = 1
MAX_TILES, MOST_SIDE = 1 << 20, 1 << 12
SPARE = 512
"""Bits of the first rows beyond those that the first tile was seen to take."""


class _Tile(NamedTuple):
    y: int
    x: int
    height: int
    width: int


def _tiles(top: int, height: int, width: int, side: int) -> list[_Tile]:
    """Tiles of the rows from ``top`` on, by rows; those at the right and bottom edges may be smaller."""
    return [
        _Tile(y, x, min(side, height - y), min(side, width - x))
        for y in range(top, height, side)
        for x in range(0, width, side)
    ]


def _count(top: int, height: int, width: int, side: int) -> int:
    """Number of ``_tiles``."""
    return -(-(height - top) // side) * -(-width // side)


def _codes(model: Any, shape: tuple[int, ...]) -> bool:
    """Whether a model codes pictures of this shape."""
    try:
        model.check_item(shape)
    except InputError:
        return False
    return True


class _InitialBits(NamedTuple):
    """The first rows by the classic codec; no rows: random words."""

    rows: int = 0
    payload: bytes = b""
    layout: int = 0

    def stack(self, words: int) -> InitialBitsStack:
        if not self.rows:
            return InitialBitsStack(words=words)
        return InitialBitsStack(self.payload + bytes(-len(self.payload) % 4))


def _at_once(shape: tuple[int, ...], side: int, particles: int) -> int:
    """Tiles of a picture that are coded side by side, so that they take some 100 MB: models pad narrow ones."""
    height, width = (max(LEAST_SIDE, min(side, length)) for length in shape[:2])
    channels = shape[2] if len(shape) == 3 else 1
    return max(1, chain.ENOUGH_ENTRIES // (height * width * channels * particles))


def _first_rows(pixels: Pixels, demand: float, rate: float) -> _InitialBits:
    """The fewest first rows, up to half of them, whose classic code has the bits that are asked for.

    None, so random words, where these rows would cost more than such words: rate is the model's, bits per sample.
    """
    rows = 1
    while rows <= pixels.shape[0] // 2:
        coded = classic.encode(pixels[:rows])
        bits = 8 * len(coded.payload)
        if bits >= demand + SPARE:
            excess = bits - rate * pixels[:rows].size
            return _InitialBits(rows, coded.payload, coded.layout) if excess < demand else _InitialBits()
        rows = max(rows + 1, int(rows * min(4.0, (demand + SPARE) / max(bits, 1))))
    return _InitialBits()


def encode(model: Any, pixels: Pixels, codec: str, options: Options, progress: Progress | None = None) -> Encoded:
    """Payload of a picture with its rates; InputError for what the model cannot code.

    - model: of images, with latents
    - pixels: uint8 [h, w] or [h, w, 3]
    - codec: one of the model's
    - options: of the codec
    - progress: called with the share that is done

    The bits of the first rows count as they are in ideal and net.
    """
    if chain.is_sequence_model(model):
        raise InputError("expected a model of images, found one of sequences: choose another with `model`")
    if pixels.dtype != np.uint8 or not pixels.size or int(pixels.max()) >= model.values():
        raise InputError(f"expected uint8 pixels of {model.values()} values: choose another model")
    model.check_item(pixels.shape)
    coder, effective = chain.coder_of(model, codec, options)
    side = TILE if coder.pops else WIDE_TILE
    whole = not _codes(model, (1, 1, *pixels.shape[2:]))  # a model of one size only
    if whole:
        side = max(pixels.shape[:2])
        if side > MOST_SIDE:
            raise InputError(
                f"expected at most {MOST_SIDE} rows and columns with this model, found {side}: cut the picture"
            )
    if _count(0, pixels.shape[0], pixels.shape[1], side) > MAX_TILES:
        raise InputError(f"expected at most {MAX_TILES} tiles of {side} x {side} pixels: cut the picture")
    initial, demand, rate, words = _InitialBits(), 0.0, 0.0, coder.words
    if coder.pops:
        tile = pixels[:side, :side]
        trial = chain.encode(model, tile[None], codec, options).bits
        demand, rate = trial.total - trial.net, trial.net / tile.size
        initial = _InitialBits() if whole else _first_rows(pixels, demand, rate)
    most = _at_once(pixels.shape, side, effective.particles)
    while True:
        tiles = _tiles(initial.rows, pixels.shape[0], pixels.shape[1], side)
        items = [pixels[t.y : t.y + t.height, t.x : t.x + t.width] for t in tiles]
        stack = initial.stack(words)
        try:
            shapes = [tuple(item.shape) for item in items]
            sizes, groups = chain.push_groups(coder, model, items, shapes, stack, effective, progress, most)
            break
        except InitialBitsError:  # the trial took less
            demand, words = 1.5 * demand, words * 8
            if words > chain.MAX_WORDS:
                raise InputError(f"{codec} needs too many initial bits: use fewer particles, or bb-cis") from None
            initial = _first_rows(pixels, demand, rate) if initial.rows else initial
    head = write_tile_head(TileHead(side, initial.rows, len(initial.payload), initial.layout))
    spent = 8.0 * len(initial.payload)
    bits = Bits(sum(g.ideal for g in groups) + spent, stack.net_bits() + spent, float(stack.total_bits()))
    return Encoded(head + write_head(codec, options, sizes) + stack.to_bytes(), bits, LAYOUT)


def decode(model: Any, payload: bytes, shape: tuple[int, ...], layout: int, progress: Progress | None = None) -> Pixels:
    """Pixels uint8 of a payload; CoderError if it is corrupt.

    - model: the one that it was coded by
    - payload: of `encode`
    - shape: [h, w] or [h, w, 3]
    - layout: number of the codec, as the file has it
    - progress: called with the share that is done
    """
    if layout != LAYOUT:
        raise CoderError(f"tiles: expected layout {LAYOUT}, found {layout}: the file needs a newer rdzip")
    (side, rows, length, kind), at = read_tile_head(payload)
    codec, options, sizes, start = read_head(payload, at)
    if not 1 <= side <= MOST_SIDE or rows > shape[0] or length > 4 * len(payload) or (rows == 0) != (length == 0):
        raise CoderError("the head of the coded data is damaged: the file is corrupt")
    try:
        model.check_item(shape)
        coder, effective = chain.coder_of(model, codec, options)
    except InputError as error:
        raise CoderError(f"{error}: the file is corrupt") from error
    count = _count(rows, shape[0], shape[1], side)
    if count > MAX_TILES or count != sum(sizes):
        raise CoderError(f"the chain's groups do not hold {count} tiles: the file is corrupt")
    chain.claim_groups(sizes, options)
    tiles = _tiles(rows, shape[0], shape[1], side)
    stack = AnsStack(payload[start:])
    shapes = [(t.height, t.width, *shape[2:]) for t in tiles]
    if not all(_codes(model, tile) for tile in set(shapes)):
        raise CoderError("the model does not code tiles of such sizes: the file is corrupt")
    found = chain.pop_groups(coder, model, shapes, sizes, stack, effective, progress)
    pixels = np.empty(shape, np.uint8)
    for t, part in zip(tiles, found, strict=True):
        pixels[t.y : t.y + t.height, t.x : t.x + t.width] = part
    if not rows:
        check_initial_bits(stack)
        return pixels
    data = initial_data(stack)
    if len(data) != length + -length % 4 or any(data[length:]):
        raise CoderError("the first rows are not what was there before the first tile: the file is corrupt")
    try:
        pixels[:rows] = classic.decode(data[:length], (rows, *shape[1:]), np.dtype(np.uint8), kind)
    except FormatError as error:
        raise CoderError(str(error)) from error
    return pixels
