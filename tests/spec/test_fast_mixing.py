"""docs/reference/format.md says enough of layouts 1 to 3: a decoder written from it alone reads what rdzip writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import synthetic, tiny_causal
from reference import fast_mixing
from reference.container import Context, Mixture, Network, read_model
from spec.test_slow_mixing import picture

from rdzip.codecs.mixing import codec as mixing
from rdzip.codecs.mixing.presets import PRESETS, Preset

RNG = np.random.default_rng(7)
NOISE = RNG.integers(0, 256, (5, 11, 3)).astype(np.uint8)
FLAT = np.full((27, 40), 93, np.uint8)
FLAT[26:] = picture((1, 40))
RESTLESS = RNG.integers(92, 94, (50, 50)).astype(np.uint8)
"""High bits become certain, low ones do not."""
RESTLESS[48:] = picture((2, 50))
ALL = (1, 2, 3)
CASES = {
    "one": (NOISE[:1, :1], 1, ALL),
    "waves": (picture((7, 21)), 1, ALL),
    "waves in bands": (picture((6, 37)), 3, ALL),
    "coloured waves": (picture((5, 13, 3)), 2, ALL),
    "noise": (NOISE, 1, ALL),
    "grey noise": (NOISE[:, :, 1], 2, ALL),
    "flat": (FLAT, 1, ALL),
    "coloured flat": (np.full((6, 11, 3), 93, np.uint8), 1, ALL),
    "restless": (RESTLESS, 1, (1,)),
    "extremes": (synthetic.extremes(8, 24), 1, ALL),
    "one bucket": (synthetic.one_bucket(), 1, (1,)),
    "all kinds": (synthetic.picture(6, 40), 1, (2,)),
    "flat row, turned": (np.concatenate([np.full((1, 4090), 93, np.uint8), picture((1, 10))], 1), 1, (1,)),
    "longest row that is not turned": (
        np.concatenate([np.full((1, 4090), 93, np.uint8), NOISE[:1, :6, 0]], 1),
        1,
        (1,),
    ),
}


class Remembering(Network):
    """The network, which keeps what it said of the same neighbourhood."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.known: dict[str, list[int]] = {}

    def trunk(self, context: Context) -> list[int]:
        y, x = context.pixel
        key = repr((context.near, y & 1, x & 1))
        if key not in self.known:
            self.known[key] = super().trunk(context)
        return self.known[key]

    def cumulative(self, mixture: Mixture) -> list[int]:
        key = repr(mixture)
        if key not in self.known:
            self.known[key] = super().cumulative(mixture)
        return self.known[key]


@pytest.mark.parametrize(("name", "layout"), [(name, layout) for name in CASES for layout in CASES[name][2]])
def test_the_page_says_what_the_fast_layouts_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, layout: int
) -> None:
    pixels, bands, _ = CASES[name]
    model, network = None, None
    if PRESETS[layout].network:
        file = tiny_causal.write(tmp_path / "tiny.safetensors")
        model = tiny_causal.load(file)
        network = Remembering(*read_model(file.read_bytes()), kind="colour" if pixels.ndim == 3 else "grey")
    monkeypatch.setattr(Preset, "bands", lambda *_: bands)
    payload = mixing.encode(model, pixels, None, PRESETS[layout]).payload
    assert payload[0] == bands
    found = fast_mixing.decode(payload, *pixels.shape[:2], 3 if pixels.ndim == 3 else 1, layout, network)
    assert found == pixels.tobytes()


def test_other_lengths_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Preset, "bands", lambda *_: 2)
    payload = mixing.encode(None, NOISE[:2, :2], None, PRESETS[1]).payload
    for damaged in (payload + b"\1", b"\3" + payload[1:], payload[:2]):
        with pytest.raises(fast_mixing.Damaged):
            fast_mixing.decode(damaged, 2, 2, 3, 1, None)
