"""Presets of the context-mixing codec "mixing": what each of its layout numbers means. No numpy here.

A fast preset has few predictions, and passes over decisions that they are certain of; a slow one has many. Those with a
network mix in what a causal model says, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

TWO_BANDS, MAX_BANDS = 1 << 17, 64
"""Pixels from which on a fast preset has two bands; the most bands that a payload can have."""
MIN_BUCKET_BITS = 12


class InitialWeights(NamedTuple):
    """Weights that mixers begin with, by kind of input; of a fast mixer in 2**-18, of a slow one in 2**-20."""

    context: int
    distance: int
    network: int


@dataclass(frozen=True)
class Preset:
    """A set of predictions and mixers, by which a payload is coded.

    - layout: its number in files
    - slow: whether it is coded by codecs/mixing/slow.py, else by codecs/mixing/fast.py
    - least_squares, network: whether it has these predictions
    - contexts: ids of the hashed contexts, which are a part of their hashes
    - mixers: how many mix a bit
    - weights: those that mixers begin with
    - max_bucket_bits: log2 of the most buckets of counters
    - band_pixels: pixels of each band where there are several
    - sample_time: microseconds that decoding a sample takes on one core, without the network
    """

    layout: int
    slow: bool
    least_squares: bool
    network: bool
    contexts: tuple[int, ...]
    mixers: int
    weights: InitialWeights
    max_bucket_bits: int
    band_pixels: int
    sample_time: float

    def bucket_bits(self, samples: int) -> int:
        """log2 of the number of buckets of 16 counters for a band of so many samples."""
        slots = 8 * samples if self.slow else samples * len(self.contexts) // 2
        return min(max(slots.bit_length(), MIN_BUCKET_BITS), self.max_bucket_bits)

    def bands(self, shape: tuple[int, ...]) -> int:
        """How many bands the encoder makes of a picture, so that cores share the work: each has to learn anew."""
        pixels = shape[0] * shape[1]
        least = 2 if pixels >= TWO_BANDS and not self.slow else 1
        return min(max(pixels // self.band_pixels, least), shape[0], MAX_BANDS)


_FOUR = (0, 3, 5, 6)
_ALL = tuple(range(28))
FAST_PLAIN = Preset(1, False, False, False, (3,), 2, InitialWeights(65536, 87381, 0), 20, 1 << 20, 1.3)
FAST_LS = Preset(2, False, True, False, _FOUR, 3, InitialWeights(32768, 87381, 0), 20, 1 << 20, 2.0)
FAST_NET = Preset(3, False, True, True, _FOUR, 3, InitialWeights(21845, 26214, 157286), 20, 1 << 20, 2.0)
SLOW = Preset(4, True, True, False, _ALL, 7, InitialWeights(8000, 8000, 700000), 22, 1 << 22, 10.0)
SLOW_NET = Preset(5, True, True, True, _ALL, 7, InitialWeights(8000, 8000, 700000), 22, 1 << 22, 10.0)
PRESETS = {preset.layout: preset for preset in (FAST_PLAIN, FAST_LS, FAST_NET, SLOW, SLOW_NET)}
"""By layout number."""


def has_network(layout: int) -> bool:
    """Whether a payload of this layout needs a model; not where the layout is unknown."""
    return layout in PRESETS and PRESETS[layout].network
