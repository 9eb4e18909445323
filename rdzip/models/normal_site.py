"""Normal latents of a lossy model, whole numbers, coded by relative entropy coding (docs/lossy.md, section 5).

A site's symbols are what is coded of it: the steps of its blocks, the bend, and the choices of all steps, one after the
other, int32. Values follow from them in integers: mean + deviation * g, g the normal values of the choices.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rdzip.entropy.ans import TOTAL, AnsStack
from rdzip.rec import index_code
from rdzip.rec.level import Cut, Level

OMEGA, EPSILON, BEAMS, SEED = 300, 20, 20, 0
"""Nats of a step and candidates beyond them, in 1/100; beams of the encoder's search; shared randomness."""
CANDIDATES = 36
DEVIATION_BITS = 8
"""Deviations count in 2**-8 of what values count in."""
_SHIFT = DEVIATION_BITS + 16
VALUE_MAX = 1 << 20
Int32 = NDArray[np.int32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class NormalSite:
    """Values v of normal distributions: mean int32 [n], deviation int32 [n] >= 1 in 2**-DEVIATION_BITS."""

    mean: Int32
    deviation: Int32

    @property
    def _blocks(self) -> int:
        return Cut.of(SEED, len(self.mean)).blocks

    def _level(self, symbols: Int32) -> Level:
        blocks = self._blocks
        ends = blocks + 1 + np.concatenate([[0], np.cumsum(symbols[:blocks])])
        return Level([int(symbols[blocks])], [[symbols[a:b].astype(np.int64) for a, b in pairwise(ends.tolist())]])

    @staticmethod
    def _symbols(level: Level) -> Int32:
        (choices,) = level.choices
        parts = [np.array([*map(len, choices), level.bends[0]]), *choices]
        return np.concatenate(parts).astype(np.int32)

    def values(self, symbols: Int32) -> Int32:
        """The values int32 [n] that symbols stand for, within VALUE_MAX."""
        g = self._level(symbols).values(SEED, len(self.mean))[0]
        v = self.mean + (self.deviation.astype(np.int64) * g + (1 << _SHIFT - 1) >> _SHIFT)
        found: Int32 = np.clip(v, -VALUE_MAX, VALUE_MAX).astype(np.int32)
        return found

    def choose(self, mean: Float64, deviation: Float64) -> Int32:
        """Symbols of values near normal posteriors, float64 [n] each in units of the values; encoders only."""
        from rdzip.rec.beam import TILT, Block, Search, steps_for
        from rdzip.rec.gaussian import SMALLEST, fitted_bend

        unit = self.deviation / (1 << DEVIATION_BITS)
        m = np.clip((mean - self.mean) / unit, -8, 8)
        variance = np.maximum((deviation / unit) ** 2, SMALLEST)
        nats = 0.5 * (m * m + variance - 1 - np.log(variance))
        parts = Cut.of(SEED, len(m)).parts
        steps = [steps_for(float(nats[index].sum()), OMEGA) for index in parts]
        longest = int(np.argmax(steps))
        bend = 0
        if steps[longest] > 1:
            bend = fitted_bend(m[parts[longest]], variance[parts[longest]], steps[longest])
        blocks = [Block(m[i], variance[i], k, bend, n) for n, (i, k) in enumerate(zip(parts, steps, strict=True)) if k]
        found = iter(Search(SEED, BEAMS, index_code.frequencies(CANDIDATES, TILT)).choices(blocks))
        choices = [next(found) if count else np.zeros(0, np.int64) for count in steps]
        return self._symbols(Level([bend], [choices]))

    def bits(self, symbols: Int32) -> float:
        """Bits of the choices; of steps and bends about."""
        chosen = symbols[self._blocks + 1 :]
        law = index_code.frequencies(CANDIDATES, index_code.fitted(chosen, CANDIDATES))
        return float(-np.log2(law[chosen] / TOTAL).sum()) + 9 + 5.0 * self._blocks

    def push(self, stack: AnsStack, symbols: Int32) -> None:
        """Put symbols on a stack: the exponent is on top of what Level pushes."""
        exponent = index_code.fitted(symbols[self._blocks + 1 :], CANDIDATES)
        self._level(symbols).push(stack, CANDIDATES, exponent)
        stack.push_uniform(np.array([exponent]), np.array([index_code.EXPONENTS]))

    def pop(self, stack: AnsStack) -> Int32:
        """Take symbols off a stack; CoderError for what no encoder writes."""
        exponent = int(stack.pop_uniform(np.array([index_code.EXPONENTS]))[0])
        return self._symbols(Level.pop(stack, 1, self._blocks, CANDIDATES, exponent))
