"""Presets of the codec dct: what each of its layout numbers means."""

from __future__ import annotations

from typing import NamedTuple

MAX_BANDS = 64


class Preset(NamedTuple):
    """What is mixed, and how.

    - layout: its number in payloads
    - contexts, dc_contexts, sign_contexts, end_contexts: how many of each kind, the first ones
    - mixers: how many
    - refined: whether APMs refine what is mixed
    - interval: every how many blocks a fit is solved anew
    - soon: whether there is a fit of the mean that forgets soon
    - most_bits: log2 of the most buckets in each context
    - block_time: microseconds that decoding a block takes on one core at most, about
    """

    layout: int
    contexts: int
    dc_contexts: int
    sign_contexts: int
    end_contexts: int
    mixers: int
    refined: int
    interval: int
    soon: int
    most_bits: int
    block_time: float


FAST = Preset(1, 4, 4, 3, 4, 2, 0, 64, 0, 12, 30.0)
MEDIUM = Preset(2, 24, 10, 12, 12, 5, 1, 8, 0, 14, 120.0)
SLOW = Preset(3, 28, 10, 14, 12, 7, 1, 8, 1, 15, 160.0)
PRESETS = {preset.layout: preset for preset in (FAST, MEDIUM, SLOW)}
"""By layout number."""


def preset_of(effort: int) -> Preset:
    """The preset of an effort, 1 to 9."""
    return FAST if effort < 3 else MEDIUM if effort < 9 else SLOW
