"""Heads of bits-back payloads: codec, options and sizes of groups; before them, where a picture is coded, its tiles.

No numpy: `rdzip info` reads them (docs/reference/format.md, section 8).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from rdzip.codecs.bits_back.options import RESAMPLE, Options
from rdzip.codecs.names import LATENT_CODECS
from rdzip.codecs.varint import DAMAGED, read_numbers, write_numbers
from rdzip.errors import CoderError, InputError

MAX_ROWS = 256
"""Samples of a group."""
MAX_GROUPS = 1 << 22


def write_head(codec: str, options: Options, sizes: Sequence[int]) -> bytes:
    """Codec, options, and the groups' sizes as runs (size, how often); InputError if there are too many."""
    if len(sizes) > MAX_GROUPS:
        raise InputError(f"expected at most {MAX_GROUPS} groups of samples, found {len(sizes)}: code less at once")
    runs: list[list[int]] = []
    for size in sizes:
        if runs and runs[-1][0] == size:
            runs[-1][1] += 1
        else:
            runs.append([size, 1])
    numbers = options.to_numbers(codec)
    return write_numbers([LATENT_CODECS.index(codec), *numbers, len(runs), *(n for run in runs for n in run)])


def read_head(payload: bytes, at: int = 0) -> tuple[str, Options, list[int], int]:
    """Codec, options and groups' sizes from a position of a payload, and where the words begin; or CoderError."""
    (number,), at = read_numbers(payload, at, 1)
    if number >= len(LATENT_CODECS):
        raise CoderError(f"the coded data are of codec {number}, unknown to this rdzip: update it")
    codec = LATENT_CODECS[number]
    (*values, runs), at = read_numbers(payload, at, len(Options.names(codec)) + 1)
    options = Options.from_numbers(codec, values)
    if runs > len(payload):
        raise CoderError(DAMAGED)
    pairs, at = read_numbers(payload, at, 2 * runs)
    sizes: list[int] = []
    for size, count in zip(pairs[::2], pairs[1::2], strict=True):
        if not 1 <= size <= MAX_ROWS or count < 1 or len(sizes) + count > MAX_GROUPS:
            raise CoderError(DAMAGED)
        sizes += [size] * count
    return codec, options, sizes, at


def describe(payload: bytes, at: int = 0) -> dict[str, Any]:
    """The codec and its options, from the beginning of a payload."""
    codec, options, _, _ = read_head(payload, at)
    facts: dict[str, Any] = {"codec": codec}
    if codec in ("bb-is", "bb-cis", "bb-smc"):
        facts["particles"] = options.particles
    if options.refine:
        facts["refine"] = options.refine
    if codec == "bb-ais":
        facts |= {"steps": options.steps, "interleave": bool(options.interleave)}
    if codec == "bb-cis":
        facts["precision"] = options.precision
    if codec == "irec":
        facts |= options.rec_settings.facts()
    if codec == "bb-smc":
        facts["resample"] = RESAMPLE[options.resample]
    return facts


class TileHead(NamedTuple):
    """side: of a tile, in pixels; rows: first rows, coded without latents; length: bytes of their payload; layout: of
    that payload, as the codec classic numbers them.
    """

    side: int
    rows: int
    length: int
    layout: int


def write_tile_head(head: TileHead) -> bytes:
    """Four numbers."""
    return write_numbers(head)


def read_tile_head(payload: bytes) -> tuple[TileHead, int]:
    """The head of a payload of tiles, and where the head of its chain begins; or CoderError."""
    numbers, at = read_numbers(payload, 0, 4)
    return TileHead(*numbers), at


def describe_tiles(payload: bytes) -> dict[str, Any]:
    """The codec and its options, from the beginning of a payload of tiles."""
    _, at = read_tile_head(payload)
    return describe(payload, at)
