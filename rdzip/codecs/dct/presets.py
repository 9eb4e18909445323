"""Presets of the codec dct: what each of its layout numbers means."""

from __future__ import annotations

from typing import NamedTuple

MAX_BANDS = 64


class Mixed(NamedTuple):
    """What is mixed, and how, where fits tell what is expected.

    - contexts, dc_contexts, sign_contexts, end_contexts: how many of each kind, the first ones
    - mixers: how many
    - refined: whether APMs refine what is mixed
    - interval: every how many blocks a fit is solved anew
    - soon: whether there is a fit of the mean that forgets soon
    - most_bits: log2 of the most buckets in each context
    """

    contexts: int
    dc_contexts: int
    sign_contexts: int
    end_contexts: int
    mixers: int
    refined: int
    interval: int
    soon: int
    most_bits: int


class Preset(NamedTuple):
    """A layout.

    - layout: its number in payloads
    - block_time: microseconds that decoding a block takes on one core at most, about
    - mixed: how it mixes; None for the quick contexts and mixer
    """

    layout: int
    block_time: float
    mixed: Mixed | None


QUICK = Preset(1, 20.0, None)
MEDIUM = Preset(2, 120.0, Mixed(24, 10, 12, 12, 5, 1, 8, 0, 14))
SLOW = Preset(3, 160.0, Mixed(28, 10, 14, 12, 7, 1, 8, 1, 15))
PRESETS = {preset.layout: preset for preset in (QUICK, MEDIUM, SLOW)}
"""By layout number."""


def preset_of(effort: int) -> Preset:
    """The preset of an effort, 1 to 9."""
    return QUICK if effort < 3 else MEDIUM if effort < 9 else SLOW
