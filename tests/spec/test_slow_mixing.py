"""docs/reference/format.md says enough of layouts 4 and 5: a decoder written from it alone reads what rdzip writes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from helpers import synthetic, tiny_causal
from reference import container as slow_decoder
from reference import slow_mixing
from reference.container import Network, read_model

from rdzip.codecs.mixing import codec as mixing
from rdzip.codecs.mixing.presets import SLOW, SLOW_NET, Preset

FORMAT = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "format.md").read_text("utf-8")
CONTEXTS = [
    [[int(f) for f in item.split(",") if f != "-"] for item in block.split()]
    for block in re.findall(r"```contexts\n(.*?)```", FORMAT, re.DOTALL)
]


def picture(shape: tuple[int, ...]) -> np.ndarray:
    """Waves, noise and repeats."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    waves = (120 + 60 * np.sin(x / 3) + 40 * np.cos(y / 4)).reshape(*shape[:2], *[1] * (len(shape) - 2))
    return np.clip(waves + rng.normal(0, 3, shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", [(3, 9, 3), (6, 10), (1, 1, 3)])
def test_the_page_says_what_the_codec_does(
    tmp_path: Path, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tiny_causal.write(tmp_path / "tiny.safetensors")
    assert [len(contexts) for contexts in CONTEXTS] == [28, 28]
    pixels, channels = picture(shape), 3 if len(shape) == 3 else 1
    network = Network(*read_model(file.read_bytes()), kind="colour" if channels == 3 else "grey")
    monkeypatch.setattr(Preset, "bands", lambda _, shape: min(2, shape[0]))
    for preset, model, used in ((SLOW, None, None), (SLOW_NET, tiny_causal.load(file), network)):
        coded = mixing.encode(model, pixels, None, preset)
        found = slow_mixing.decode(coded.payload, *shape[:2], channels, CONTEXTS, used)
        assert found == pixels.tobytes()
    monkeypatch.setattr(mixing, "WIDE", 0)
    monkeypatch.setattr(mixing, "FLAT", 1)
    monkeypatch.setattr(slow_decoder, "MOST_COLUMNS", 0)
    monkeypatch.setattr(slow_decoder, "MOST_FOR_A_ROW", 1)
    coded = mixing.encode(None, pixels, None, SLOW)
    assert slow_mixing.decode(coded.payload, *shape[:2], channels, CONTEXTS, None) == pixels.tobytes()
    coded = mixing.encode(None, pixels[:1, :1], None, SLOW)
    with pytest.raises(slow_mixing.Damaged):
        slow_mixing.decode(coded.payload + b"\1", 1, 1, channels, CONTEXTS, None)


@pytest.mark.parametrize("pixels", [synthetic.extremes(6, 24), synthetic.picture(4, 16)], ids=["extremes", "all kinds"])
def test_the_page_says_so_of_other_contents(pixels: np.ndarray) -> None:
    channels = 3 if pixels.ndim == 3 else 1
    payload = mixing.encode(None, pixels, None, SLOW).payload
    found = slow_mixing.decode(payload, *pixels.shape[:2], channels, CONTEXTS, None)
    assert found == pixels.tobytes()
