"""Lossy coding of pictures by a model's transform code: tiles of latents, each on a stack of its own.

Both transforms see what truly surrounds a tile, so that tiles leave no seams; the program that codes the latents of a
tile sees this tile only. It is made of integers, and the hash of what it decodes is what a reader checks: pixels may
differ by a level from machine to machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from rdzip.codecs.names import LOSSY_CODECS
from rdzip.codecs.result import Bits, Encoded
from rdzip.codecs.transform.head import Head, codec_of
from rdzip.codecs.transform.tiles import Assembly, Grid, Region, cut
from rdzip.codecs.varint import DAMAGED, read_numbers, write_numbers
from rdzip.entropy.ans import AnsStack
from rdzip.errors import CoderError, InputError
from rdzip.exact.devices import exact_inference
from rdzip.exact.types import Int32, Pixels
from rdzip.system import limits
from rdzip.system.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rdzip.models.lossy_model import LossyModel, SearchedModel
    from rdzip.models.shared.residual_site import ResidualSite
    from rdzip.rec.settings import Settings

EMPTY_BITS = 24
"""Bits of a stack that holds nothing."""
WORD_BITS = 32
PIXEL_TIME, TILE_TIME = 2.0, 8000.0
"""Microseconds that decoding a pixel and a tile takes on one core, about."""
PIXEL_MEMORY = 40
"""Bytes that latents and pixels take for a pixel, at most."""


@dataclass(frozen=True)
class Unpacked:
    """Decoded latents of a picture, their head, and their SHA-256: over all tiles, each tile's arrays by their names in
    the order of Unicode, as int32 little-endian [channels, rows, columns]."""

    latents: Assembly
    grid: Grid
    head: Head
    digest: bytes


def encode(
    model: LossyModel,
    pixels: Pixels,
    setting: int,
    *,
    quality: int = 0,
    codec: str | None = None,
    rec_settings: Settings | None = None,
    progress: Progress | None = None,
) -> Encoded:
    """Payload of a picture at a setting of the quantiser. Raises InputError for what cannot be coded.

    - model: a lossy one
    - pixels: uint8 [h, w] or [h, w, 3], h, w >= 1
    - setting: of the quantiser, 0 is the finest
    - quality: what the setting was chosen by, 0 for nothing
    - codec: one of the model's, None for its default
    - rec_settings: of relative entropy coding, None for the model's
    - progress: called with the share that is done
    """
    _check(pixels)
    model = searching(model, rec_settings)
    if not 0 <= setting < model.setting_count:
        raise InputError(f"expected a setting of 0 to {model.setting_count - 1}, found {setting}")
    grid = Grid.of(pixels.shape, model.stride)
    payload = bytearray(Head(setting, quality, grid.tile_rows, grid.tile_columns, model.rec_settings).to_bytes())
    head = len(payload)
    state, bits = hashlib.sha256(), Bits(0.0, 0.0, 0.0)
    ideal: list[float] = []
    tiles = grid.tiles()
    for number, tile in enumerate(tiles):
        coded, decoded = _run(model, pixels, grid, tile, setting)
        stack = AnsStack()
        for site, symbols in reversed(coded):
            site.push(stack, symbols)
        _digest(state, decoded)
        words = stack.to_bytes()
        payload += (write_numbers([len(words)]) if number < len(tiles) - 1 else b"") + words
        ideal.append(_ideal(coded))
        bits += Bits(ideal[-1], stack.bits() - EMPTY_BITS, 8.0 * len(words))
        if progress:
            progress((number + 1) / len(tiles))
    layout = LOSSY_CODECS.index(codec or model.codecs[0])
    return Encoded(bytes(payload), bits, layout, state.digest(), framed_bits(ideal, head))


def searching(model: LossyModel, rec_settings: Settings | None, *, guess: bool = False) -> LossyModel:
    """A model with these settings of relative entropy coding, if it is coded so; guess: for `estimate` only."""
    return model if model.rec_settings is None else cast("SearchedModel", model).searching(rec_settings, guess=guess)


def estimate(model: LossyModel, pixels: Pixels, setting: int, tiles: Sequence[Region] | None = None) -> float:
    """Estimated bits of the payload that `encode` would give, or of some tiles of it: nothing is coded.

    What is estimated are the bits of symbols; those of a stack and of its length are added. A model of relative entropy
    coding should guess (`searching`): it would run its whole search.
    """
    grid = Grid.of(pixels.shape, model.stride)
    chosen = grid.tiles() if tiles is None else tiles
    head = Head(setting, 1, grid.tile_rows, grid.tile_columns, model.rec_settings).to_bytes()
    return framed_bits([_ideal(_run(model, pixels, grid, tile, setting)[0]) for tile in chosen], len(head))


def framed_bits(tiles: Sequence[float], head: int) -> float:
    """Estimated bits of a payload, given those of its tiles' symbols and the bytes of its head."""
    words = [-(-(bits + EMPTY_BITS) // WORD_BITS) for bits in tiles]
    lengths = sum(len(write_numbers([4 * int(count)])) for count in words[:-1])
    return WORD_BITS * sum(words) + 8 * (lengths + head)


def unpack(
    model: LossyModel, payload: bytes, shape: tuple[int, ...], layout: int, progress: Progress | None = None
) -> Unpacked:
    """Decoded latents of a payload; CoderError if it is corrupt.

    - model: the one that it was coded by
    - payload: of `encode`
    - shape: of the picture, [h, w] or [h, w, 3]
    - layout: number of the codec, as the file has it
    - progress: called with the share that is done
    """
    if codec_of(layout) not in model.codecs:
        raise CoderError(f"the model has no codec {codec_of(layout)}: the file is corrupt")
    head, at = Head.of(payload, codec_of(layout))
    model = searching(model, head.rec_settings)
    if head.setting >= model.setting_count:
        raise CoderError(f"the setting {head.setting} is beyond the model's {model.setting_count}: the file is corrupt")
    grid = Grid.read(shape, model.stride, head.rows, head.columns)
    count, pixels = grid.number, shape[0] * shape[1]
    limits.claim(PIXEL_TIME * pixels + TILE_TIME * count, f"{pixels} pixels in {count} tiles")
    limits.claim_memory(PIXEL_MEMORY * pixels, f"{pixels} pixels in {count} tiles")
    latents, state = Assembly(grid), hashlib.sha256()
    for number, tile in enumerate(grid.tiles()):
        end = len(payload)
        if number < count - 1:
            (length,), at = read_numbers(payload, at, 1)
            end = at + length
            if end > len(payload):
                raise CoderError(DAMAGED)
        decoded = _decode(model, payload[at:end], tile, head.setting)
        at = end
        _digest(state, decoded)
        latents.put(tile, decoded)
        if progress:
            progress((number + 1) / count)
    return Unpacked(latents, grid, head, state.digest())


def synthesise(model: LossyModel, found: Unpacked, shape: tuple[int, ...], progress: Progress | None = None) -> Pixels:
    """Pixels uint8 of `shape` from decoded latents; grey ones are the mean of red, green and blue."""
    pixels = np.empty(shape, np.uint8)
    height, width = shape[:2]
    stride = model.stride
    tiles = Grid.of(shape, stride).tiles()
    for number, tile in enumerate(tiles):
        part = region_samples(model, found, tile)
        if len(shape) == 2:
            part = part.mean(2, keepdims=True)
        top, left = tile.top * stride, tile.left * stride
        inside = part[: height - top, : width - left]
        rounded = np.floor(np.clip(np.nan_to_num(inside), 0.0, 1.0) * 255 + 0.5).astype(np.uint8)
        if len(shape) == 2:
            rounded = rounded[:, :, 0]
        pixels[top : top + rounded.shape[0], left : left + rounded.shape[1]] = rounded
        if progress:
            progress((number + 1) / len(tiles))
    return pixels


def analyse(model: LossyModel, pixels: Pixels, grid: Grid, tile: Region, setting: int) -> dict[str, Any]:
    """Latents of a tile, analysed with what surrounds it.

    - model: a lossy one
    - pixels: uint8 [h, w] or [h, w, 3], of the whole picture
    - grid: its tiles; tile: which of them
    - setting: of the quantiser
    """
    wide = grid.around(tile, model.halo)
    x = torch.from_numpy(cut(pixels, wide, model.stride)).permute(2, 0, 1)[None].float() / 255
    with exact_inference():
        return model.crop(model.analyse(x, setting), *tile.within(wide))


def region_samples(model: LossyModel, found: Unpacked, tile: Region) -> NDArray[np.float32]:
    """Samples float32 [rows, columns, 3] of a tile, about 0..1, synthesised with what surrounds it."""
    wide = found.grid.around(tile, model.halo)
    with exact_inference():
        y = model.synthesise(found.latents.region(wide), found.head.setting)
    rows, columns = (slice(s.start * model.stride, s.stop * model.stride) for s in tile.within(wide))
    samples: NDArray[np.float32] = y[0, :, rows, columns].permute(1, 2, 0).float().cpu().numpy()
    return samples


def _check(pixels: Pixels) -> None:
    shape = pixels.shape
    if pixels.dtype != np.uint8 or not pixels.size or not (len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)):
        raise InputError(f"expected uint8 pixels [h, w] or [h, w, 3], found {pixels.dtype} {list(shape)}")


def _run(
    model: LossyModel, pixels: Pixels, grid: Grid, tile: Region, setting: int
) -> tuple[list[tuple[ResidualSite, Int32]], Mapping[str, Int32]]:
    """Sites and symbols of a tile in the order of the program, and what it decodes."""
    latents = analyse(model, pixels, grid, tile, setting)
    coded: list[tuple[ResidualSite, Int32]] = []

    def draw(name: str, site: ResidualSite) -> Int32:
        symbols = model.quantise(latents, name, site)
        coded.append((site, symbols))
        return symbols

    with exact_inference():
        decoded = model.code(draw, tile.rows, tile.columns, setting)
    return coded, decoded


def _decode(model: LossyModel, words: bytes, tile: Region, setting: int) -> dict[str, Int32]:
    stack = AnsStack(words)
    with exact_inference():
        decoded = model.code(lambda _, site: site.pop(stack), tile.rows, tile.columns, setting)
    if not stack.is_empty():
        raise CoderError("coded data are left over after the last latent: the file is corrupt")
    return decoded


def _ideal(coded: list[tuple[ResidualSite, Int32]]) -> float:
    return sum(site.bits(symbols) for site, symbols in coded)


def _digest(state: hashlib._Hash, decoded: Mapping[str, Int32]) -> None:
    for name in sorted(decoded):
        state.update(np.ascontiguousarray(decoded[name], "<i4").data)
