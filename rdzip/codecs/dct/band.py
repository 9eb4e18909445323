"""A band of rows of blocks of an image as it is coded: its components in turn, and all that has been learnt of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.dct.blocks import code_rows
from rdzip.codecs.dct.cross import RATIOS, resampled
from rdzip.codecs.dct.presets import Mixed, Preset
from rdzip.codecs.dct.quick_blocks import code_quick_rows
from rdzip.entropy.binary import CODER, HALF, start_coder
from rdzip.errors import CoderError
from rdzip.exact.types import Int16, Int64
from rdzip.models.dct_mixing.contexts import Counters
from rdzip.models.dct_mixing.decisions import Mixer
from rdzip.models.dct_mixing.ends import END_BITS, END_CONTEXTS
from rdzip.models.dct_mixing.expectation import first_fits
from rdzip.models.dct_mixing.quick import QuickMixer
from rdzip.models.dct_mixing.quick_contexts import COUNTERS, ROWS, inverses
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


RowCoder = Callable[[Int64, NDArray[np.uint8], int, int, int], None]
"""Codes rows of blocks: the coder's state, its data, 1 to decode, first row, the one after the last."""


class _Mixing:
    """What is learnt of a band where contexts and fits are mixed.

    preset: how; most: blocks of the largest component.
    """

    def __init__(self, preset: Mixed, most: int) -> None:
        self._preset = preset
        self._bits = min(max(most.bit_length(), MIN_BITS), preset.most_bits)
        self._mixer = Mixer.of(preset.mixers, preset.contexts)

    def others(self, c: int) -> tuple[int | None, int | None]:
        """Components that component c sees."""
        return 0 if c else None, c - 1 if c > 1 else None

    def coder(self, c: int, surroundings: Surroundings, columns: int) -> RowCoder:
        """What codes the rows of component c, with so many columns of blocks."""
        if c < 2:  # what came of the first component tells nothing of the others but how to mix
            self._counters = Counters.of(self._preset.contexts, self._bits)
            self._ends = np.full(END_CONTEXTS << END_BITS, HALF, np.uint32)
            self._mixer = self._mixer.without_apm()
        learnt = (*first_fits(), self._mixer, self._counters, self._ends)

        def code(coder: Int64, data: NDArray[np.uint8], decoding: int, first: int, stop: int) -> None:
            code_rows(surroundings, *learnt, self._preset, columns, coder, data, decoding, first, stop)

        return code


class _Quick:
    """What is learnt of a band in layout 1."""

    def others(self, c: int) -> tuple[int | None, int | None]:
        """Components that component c sees."""
        return c - 1 if c else None, None

    def coder(self, c: int, surroundings: Surroundings, columns: int) -> RowCoder:
        """What codes the rows of component c, with so many columns of blocks."""
        if c < 2:
            self._mixer = QuickMixer.of(COUNTERS, ROWS)
        inverse, mixer = inverses(surroundings.steps, surroundings.edges), self._mixer

        def code(coder: Int64, data: NDArray[np.uint8], decoding: int, first: int, stop: int) -> None:
            code_quick_rows(surroundings, inverse, mixer, columns, coder, data, decoding, first, stop)

        return code


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
        mixed = self.preset.mixed
        models = _Quick() if mixed is None else _Mixing(mixed, max(sizes))
        done = 0
        for c, shape in enumerate(self.shapes):
            steps = np.maximum(shape.steps, 1)
            rows = self.parts[c][1] - self.parts[c][0]
            first_seen, second_seen = (NONE if other is None else self._other(c, other) for other in models.others(c))
            surroundings = Surroundings.of(self.blocks[c], (first_seen, second_seen), steps, shape.columns)
            code = models.coder(c, surroundings, shape.columns)
            at_once = max(1, NOTED // shape.columns)
            for first in range(0, rows, at_once):
                stop = min(first + at_once, rows)
                code(self.coder, self.data, self.decoding, first, stop)
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
