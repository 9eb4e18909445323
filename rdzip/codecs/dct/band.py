"""A band of rows of blocks of an image as it is coded: its components in turn, and all that has been learnt of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.dct.blocks import Numbers, code_rows
from rdzip.codecs.dct.cross import RATIOS, resampled
from rdzip.codecs.dct.presets import Preset
from rdzip.entropy.binary import CODER, HALF, start_coder
from rdzip.errors import CoderError
from rdzip.exact.types import Int16, Int64
from rdzip.models.dct_mixing.contexts import Counters
from rdzip.models.dct_mixing.decisions import Mixer
from rdzip.models.dct_mixing.ends import END_BITS, END_CONTEXTS
from rdzip.models.dct_mixing.expectation import first_fits
from rdzip.models.dct_mixing.surroundings import Surroundings
from rdzip.system.progress import Progress

MIN_BITS = 10
NONE = np.zeros(0, np.int16)
NOTED = 1 << 12
"""Blocks after which progress is told, and data that end too early are noticed."""


class Shape(NamedTuple):
    """Rows and columns of blocks of a component, its sampling factors (horizontal, vertical), its steps int64 [64]."""

    rows: int
    columns: int
    sampling: tuple[int, int]
    steps: Int64


class Band:
    """What codes a band.

    - preset: how
    - shapes: of all components
    - parts: first row of blocks of each, and the one after its last
    - data: uint8, what is decoded or filled in
    - decoding: 1 to decode, 0 to encode

    blocks: int16 [(rows * columns + 1) * 64] of each component, the last block zeros; to be given before `code`.
    """

    def __init__(
        self, preset: Preset, shapes: list[Shape], parts: list[tuple[int, int]], data: NDArray[np.uint8], decoding: int
    ) -> None:
        self.preset, self.shapes, self.parts = preset, shapes, parts
        self.data, self.decoding = data, decoding
        self.blocks: list[Int16] = []
        self.coder = np.zeros(CODER, np.int64)
        start_coder(self.coder, data, decoding)

    def code(self, progress: Progress | None) -> None:
        """Code all components; CoderError where the data end too early."""
        sizes = [(stop - first) * shape.columns for shape, (first, stop) in zip(self.shapes, self.parts, strict=True)]
        preset = self.preset
        bits = min(max(max(sizes).bit_length(), MIN_BITS), preset.most_bits)
        mixer = Mixer.of(preset.mixers, preset.contexts)
        counters = Counters.of(preset.contexts, bits)
        ends = np.full(END_CONTEXTS << END_BITS, HALF, np.uint32)
        done = 0
        for c, shape in enumerate(self.shapes):
            if c == 1:  # what came of the first component tells nothing of the others but how to mix
                counters = Counters.of(preset.contexts, bits)
                ends[:] = HALF
                mixer = mixer.without_apm()
            steps = np.maximum(shape.steps, 1)
            rows = self.parts[c][1] - self.parts[c][0]
            others = (self._other(c, 0) if c else NONE), (self._other(c, c - 1) if c > 1 else NONE)
            surroundings = Surroundings.of(self.blocks[c], others, steps, shape.columns)
            mean, size, local = first_fits()
            numbers = Numbers(
                preset.contexts, preset.dc_contexts, preset.sign_contexts, preset.end_contexts, preset.mixers,
                preset.refined, preset.interval, preset.soon, shape.columns, bits,
            )  # fmt: skip
            at_once = max(1, NOTED // shape.columns)
            for first in range(0, rows, at_once):
                stop = min(first + at_once, rows)
                code_rows(
                    surroundings, mean, size, local, mixer, counters, ends, numbers, self.coder, self.data,
                    self.decoding, first, stop,
                )  # fmt: skip
                if self.decoding and self.coder[3] >= len(self.data):
                    raise CoderError("coded data end before the last block: the file is corrupt")
                if progress:
                    progress((done + stop * shape.columns) / sum(sizes))
            done += sizes[c]

    def _other(self, c: int, other: int) -> Int16:
        """Component ``other`` at the resolution of component c; nothing where their resolutions do not fit."""
        mine, theirs = self.shapes[c], self.shapes[other]
        (across, left_across), (down, left_down) = map(divmod, theirs.sampling, mine.sampling)
        if down not in RATIOS or across not in RATIOS or left_across or left_down:
            return NONE
        rows, columns = (part[1] - part[0] for part in (self.parts[other], (0, theirs.columns)))
        target = self.parts[c][1] - self.parts[c][0], mine.columns
        steps = np.maximum(theirs.steps, 1)
        return resampled(self.blocks[other], steps, (rows, columns), (down, across), target)
