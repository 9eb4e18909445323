"""Normal latents of a lossy model, coded by relative entropy coding (docs/reference/lossy.md, section 5).

A site's symbols are what is coded of it: the steps of its blocks, the bend, and the choices of all steps, one after the
other, int32. Values follow from them in integers: mean + deviation * g, g the normal values of the choices. A guess is
a site that searches nothing, for estimates of rates.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.entropy.ans import TOTAL, AnsStack
from rdzip.exact.types import Float64, Int32
from rdzip.rec import index_code
from rdzip.rec.level import Cut, Level
from rdzip.rec.settings import Settings

DEVIATION_BITS = 8
"""Deviations count in 2**-8 of what values count in."""
_SHIFT = DEVIATION_BITS + 16
VALUE_MAX = 1 << 20
USUAL = 1.02
"""Bits of a choice over the entropy of the law by which searches weigh them: 1.01 to 1.025 on training photographs."""


@dataclass(frozen=True)
class NormalSite:
    """Values v of normal distributions: mean int32 [n], deviation int32 [n] >= 1 in 2**-DEVIATION_BITS."""

    mean: Int32
    deviation: Int32
    rec_settings: Settings

    @property
    def _blocks(self) -> int:
        return Cut.of(self.rec_settings.seed, len(self.mean)).blocks

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
        g = self._level(symbols).values(self.rec_settings.seed, len(self.mean))[0]
        v = self.mean + (self.deviation.astype(np.int64) * g + (1 << _SHIFT - 1) >> _SHIFT)
        return _whole(v)

    def target(self, mean: Float64, deviation: Float64) -> tuple[Float64, Float64]:
        """Mean and variance of normal posteriors where priors are standard normal."""
        from rdzip.rec.gaussian import SMALLEST

        unit = self.deviation / (1 << DEVIATION_BITS)
        return np.clip((mean - self.mean) / unit, -8, 8), np.maximum((deviation / unit) ** 2, SMALLEST)

    def _parts(self, m: Float64, variance: Float64) -> tuple[list[NDArray[np.int64]], list[int]]:
        """The variables and the steps of each block."""
        from rdzip.rec.beam import steps_for

        nats, parts = divergence(m, variance), Cut.of(self.rec_settings.seed, len(m)).parts
        return parts, [steps_for(float(nats[index].sum()), self.rec_settings.omega) for index in parts]

    def choose(self, mean: Float64, deviation: Float64) -> Int32:
        """Symbols of values near normal posteriors, float64 [n] each in units of the values; encoders only."""
        from rdzip.rec.beam import TILT, Block, Search
        from rdzip.rec.gaussian import fitted_bend

        how = self.rec_settings
        m, variance = self.target(mean, deviation)
        parts, steps = self._parts(m, variance)
        longest = int(np.argmax(steps))
        bend = 0
        if steps[longest] > 1:
            bend = fitted_bend(m[parts[longest]], variance[parts[longest]], steps[longest])
        blocks = [Block(m[i], variance[i], k, bend, n) for n, (i, k) in enumerate(zip(parts, steps, strict=True)) if k]
        found = iter(Search(how.seed, how.beams, index_code.frequencies(how.candidates, TILT)).choices(blocks))
        choices = [next(found) if count else np.zeros(0, np.int64) for count in steps]
        return self._symbols(Level([bend], [choices]))

    def bits(self, symbols: Int32) -> float:
        """Bits of the choices; of steps and bends about."""
        chosen, count = symbols[self._blocks + 1 :], self.rec_settings.candidates
        law = index_code.frequencies(count, index_code.fitted(chosen, count))
        return float(-np.log2(law[chosen] / TOTAL).sum()) + _framing(self._blocks)

    def push(self, stack: AnsStack, symbols: Int32) -> None:
        """Put symbols on a stack: the exponent is on top of what Level pushes."""
        count = self.rec_settings.candidates
        exponent = index_code.fitted(symbols[self._blocks + 1 :], count)
        self._level(symbols).push(stack, count, exponent)
        stack.push_uniform(np.array([exponent]), np.array([index_code.EXPONENTS]))

    def pop(self, stack: AnsStack) -> Int32:
        """Take symbols off a stack; CoderError for what no encoder writes."""
        exponent = int(stack.pop_uniform(np.array([index_code.EXPONENTS]))[0])
        return self._symbols(Level.pop(stack, 1, self._blocks, self.rec_settings.candidates, exponent))


class NormalGuess(NormalSite):
    """A site of estimates: its symbols are the steps of its blocks, and samples of the posteriors. Encoders only."""

    def values(self, symbols: Int32) -> Int32:
        """The values int32 [n]."""
        return symbols[self._blocks :]

    def choose(self, mean: Float64, deviation: Float64) -> Int32:
        """Symbols for normal posteriors, float64 [n] each in units of the values: samples of them."""
        _, steps = self._parts(*self.target(mean, deviation))
        noise = np.random.default_rng(len(mean)).standard_normal(len(mean))
        return np.concatenate([np.array(steps, np.int32), _whole(np.rint(mean + deviation * noise))])

    def bits(self, symbols: Int32) -> float:
        """About the bits of the choices that a search would make, as its steps tell them."""
        from rdzip.rec.beam import TILT

        law = index_code.frequencies(self.rec_settings.candidates, TILT) / TOTAL
        each = USUAL * float(-(law * np.log2(law)).sum())
        return each * float(symbols[: self._blocks].sum()) + _framing(self._blocks)


def divergence(mean: Float64, variance: Float64) -> Float64:
    """KL of normal laws from the standard normal one, in nats."""
    return np.asarray(0.5 * (mean * mean + variance - 1 - np.log(variance)))


def _whole(v: NDArray[Any]) -> Int32:
    found: Int32 = np.clip(v, -VALUE_MAX, VALUE_MAX).astype(np.int32)
    return found


def _framing(blocks: int) -> float:
    """About the bits of a site's exponent and bend, and of the steps of its blocks."""
    return 9 + 5.0 * blocks
