"""Efforts choose the codec; files by the codec mixing come back, with and without a model, and say what they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rdzip
from rdzip.commands import demo
from rdzip.errors import FormatError, InputError
from rdzip.models.causal.numpy_network import ExactNet
from rdzip.pipeline.effort import preset_for


def picture(shape: tuple[int, ...] = (14, 12, 3)) -> np.ndarray:
    """A smooth picture with noise, its alpha, if it has one, with noise too."""
    rng = np.random.default_rng(3)
    return np.clip(np.linspace(40, 200, int(np.prod(shape))).reshape(shape) + rng.normal(0, 4, shape), 0, 255).astype(
        np.uint8
    )


@pytest.mark.parametrize("shape", [(14, 12, 3), (14, 12), (9, 8, 4), (7, 5, 2), (1, 1, 3)])
@pytest.mark.parametrize("effort", [1, 3, 6, 7, 8, 9])
def test_mixing_files_come_back(shape: tuple[int, ...], effort: int) -> None:
    pixels = picture(shape)
    data = rdzip.compress(pixels, codec="mixing", effort=effort)
    facts = rdzip.info(data)
    assert (facts["codec"], facts["model"]) == (
        "mixing",
        {6: "photo-fast", 7: "photo", 8: "photo-large", 9: "photo-large"}.get(effort),
    )
    assert np.array_equal(rdzip.decompress_array(data), pixels)


def test_the_effort_chooses_the_codec() -> None:
    photo = demo.picture().crop((300, 200, 440, 330))
    found = {effort: rdzip.compress(photo, effort=effort, verify=False) for effort in (None, 3, 6, 7)}
    assert [rdzip.info(found[effort])["codec"] for effort in (3, 6, 7)] == ["mixing"] * 3
    assert found[None] == found[6]
    fast = rdzip.compress(photo, codec="mixing", effort=1, verify=False)
    assert len(fast) > len(found[3]) > len(found[6])


def test_without_compiled_code_the_network_alone_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RDZIP_COMPILE", "0")
    photo = demo.picture().crop((300, 200, 440, 330))
    assert rdzip.info(rdzip.compress(photo, verify=False))["codec"] == "causal"
    assert preset_for(None, None) is None
    assert preset_for(None, 6) is not None


@pytest.mark.parametrize("effort", [None, 7])
def test_another_device_gives_the_same_file(effort: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder has the network's products computed there, and both read what the other wrote."""
    photo = demo.picture().crop((300, 200, 400, 290))
    here = rdzip.compress(photo, effort=effort)
    computed, trunk = [], ExactNet.trunk

    def noted(self: ExactNet, *arguments: Any) -> Any:
        computed.append(str(getattr(self, "device", None)))
        return trunk(self, *arguments)

    monkeypatch.setattr(ExactNet, "trunk", noted)
    there = rdzip.compress(photo, effort=effort, device="cpu:0", verify=False)  # to torch a device of its own
    assert there == here
    assert computed[-1] == "cpu:0"
    assert np.array_equal(rdzip.decompress_array(there, device="cpu:0"), np.asarray(photo))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"effort": 0}, "`effort`: expected a whole number of 1 or more, found 0"),
        ({"effort": 10}, "found 10"),
        ({"effort": 8, "codec": "causal"}, "the codec causal has no effort 8"),
        ({"effort": 8, "codec": "classic"}, "the codec classic has no effort 8"),
        ({"effort": 9, "model": "mnist-binary"}, "has one effort"),
        ({"effort": 3, "model": "photo"}, "`effort=3` asks no model, found photo"),
    ],
)
def test_wishes_that_contradict_each_other(options: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        rdzip.compress(picture(), **options)


def test_a_damaged_payload_is_a_format_error() -> None:
    data = bytearray(rdzip.compress(picture(), codec="mixing", effort=7))
    data[len(data) // 2] ^= 64
    with pytest.raises(FormatError):
        rdzip.decompress_array(bytes(data))


def test_a_small_picture_gets_the_smaller_of_mixing_and_causal() -> None:
    photo = demo.picture().crop((300, 200, 420, 310))
    best = rdzip.compress(photo, effort=9, verify=False)
    sizes = {
        codec: len(rdzip.compress(photo, codec=codec, model="photo-large", verify=False))
        for codec in ("causal", "mixing")
    }
    assert len(best) <= min(sizes.values())
    assert rdzip.info(best)["codec"] == min(sizes, key=lambda codec: sizes[codec])
