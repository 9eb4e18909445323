from __future__ import annotations

import math

import numpy as np
import pytest
from helpers import lossy_stub
from helpers.lossy_stub import StubModel
from hypothesis import given, settings
from hypothesis import strategies as st

from rdzip.codecs.transform import codec as transform
from rdzip.codecs.transform import rate_control
from rdzip.codecs.transform import tiles as transform_tiles
from rdzip.codecs.transform.rate_control import find_setting, search
from rdzip.errors import InputError

MODEL = StubModel()


@settings(max_examples=100, deadline=None)
@given(st.floats(1.005, 1.04), st.floats(-2, 2), st.integers(1, 400), st.floats(0, 1))
def test_the_nearest_setting_is_found_by_few_looks(fall: float, bend: float, setting_count: int, place: float) -> None:
    rates = [1e6 * fall ** -(i + bend * i * i / 1000) for i in range(setting_count)]
    rates = [rate for i, rate in enumerate(rates) if i == 0 or rate < rates[i - 1]]
    target = rates[0] * 1.3 * (rates[-1] / rates[0] / 1.7) ** place
    looked: list[int] = []

    def rate(setting: int) -> float:
        looked.append(setting)
        return rates[setting]

    found = search(rate, len(rates), target)
    best = min(abs(math.log(r / target)) for r in rates)
    assert abs(math.log(rates[found] / target)) <= max(best, 0.0101)
    assert len(looked) == len(set(looked)) <= 14


def test_noise_does_not_lead_astray() -> None:
    rng = np.random.default_rng(0)
    rates = [1e5 * 1.02**-i * (1 + 0.004 * rng.normal()) for i in range(256)]
    for target in np.geomspace(1e3, 9e4, 40):
        assert rates[search(lambda setting: rates[setting], 256, target)] == pytest.approx(target, rel=0.02)


@pytest.mark.parametrize("bpp", [0.5, 1.0, 3.0])
def test_targets_are_met(bpp: float) -> None:
    pixels = lossy_stub.photo(200, 240)
    bits = bpp * 200 * 240
    setting = find_setting(MODEL, pixels, bits, extra=700)
    payload = transform.encode(MODEL, pixels, setting).payload
    assert 8 * len(payload) + 700 == pytest.approx(bits, rel=0.02)


def test_targets_beyond_all_settings_give_the_last() -> None:
    pixels = lossy_stub.photo(64, 64)
    assert find_setting(MODEL, pixels, 100) == MODEL.setting_count - 1
    assert find_setting(MODEL, pixels, 1e7) == 0
    for wrong in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(InputError, match="more than 0"):
            find_setting(MODEL, pixels, wrong)


def test_of_many_tiles_a_sample_is_looked_at_and_then_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transform_tiles, "TILE", 24)
    pixels = lossy_stub.photo(150, 170)
    pixels[:, 100:] = 128  # so that the sample misleads
    looked: list[int] = []
    estimate = transform.estimate

    def counting(*arguments: object) -> float:
        looked.append(len(arguments[3]))  # type: ignore[arg-type]
        return estimate(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(rate_control.transform, "estimate", counting)
    setting = find_setting(MODEL, pixels, 20000)
    assert looked.count(rate_control.SAMPLE) > looked.count(56) > 0
    assert len(looked) == looked.count(rate_control.SAMPLE) + looked.count(56)
    monkeypatch.setattr(rate_control.transform, "estimate", estimate)
    assert 8 * len(transform.encode(MODEL, pixels, setting).payload) == pytest.approx(20000, rel=0.02)
