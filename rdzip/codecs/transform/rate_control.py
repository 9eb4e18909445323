"""The setting at which a picture takes so many bits, by estimates of the model's program: nothing is coded."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.transform import codec as transform
from rdzip.codecs.transform.tiles import Grid, Region
from rdzip.errors import InputError
from rdzip.system.progress import Progress

if TYPE_CHECKING:
    from rdzip.models.lossy_model import LossyModel
    from rdzip.rec.settings import Settings

SAMPLE = 4
"""Tiles of large pictures that are looked at before all are."""
FEW = 6
"""Tiles of a picture that is looked at whole at once."""
CLOSE = 0.004
"""Relative error of a rate at which a search ends: less than half of what one setting changes it by."""
CLOSE_ENOUGH = 0.01
"""The same after `HALVE_AFTER` looks: neighbouring settings may be out of order."""
ROUNDS = 3
HALVE_AFTER = 5
USUAL_SLOPE = -1 / 50
"""Change of a rate's natural logarithm by a setting: a first guess."""


def find_setting(
    model: LossyModel,
    pixels: NDArray[np.uint8],
    bits: float,
    extra: float = 0.0,
    progress: Progress | None = None,
    *,
    rec_settings: Settings | None = None,
) -> int:
    """Setting whose file is nearest to a size. Raises InputError unless bits > 0.

    - model: a lossy one
    - pixels: uint8 [h, w] or [h, w, 3]
    - bits: the size that is asked for; extra: how many of them are not the payload's
    - progress: called with the share that is done
    - rec_settings: of relative entropy coding, whose rate is guessed from divergences

    The finest or the coarsest setting if all files are smaller or larger. Of a picture of many tiles some are looked
    at, then all, and then again some, corrected by how much the sample was off.
    """
    model = transform.searching(model, rec_settings, guess=True)
    if not bits > 0 or not math.isfinite(bits):
        raise InputError(f"expected a target of more than 0 bits, found {bits}")
    tiles = Grid.of(pixels.shape, model.stride).tiles()
    sample = _spread(tiles)
    estimates: dict[int, float] = {}

    def of_sample(setting: int) -> float:
        if setting not in estimates:
            estimates[setting] = transform.estimate(model, pixels, setting, sample)
            if progress:
                progress(1 - 1 / (1 + len(estimates)))
        return estimates[setting]

    def with_factor(factor: float) -> int:
        return search(lambda setting: factor * of_sample(setting) + extra, model.setting_count, bits)

    factor = len(tiles) / len(sample)
    chosen = -1
    for _ in range(ROUNDS):
        before, chosen = chosen, with_factor(factor)
        if len(sample) == len(tiles) or chosen == before:
            break
        whole = transform.estimate(model, pixels, chosen, tiles)
        if abs((whole + extra) / bits - 1) < CLOSE:
            break
        factor = whole / of_sample(chosen)
    return chosen


def search(rate: Callable[[int], float], setting_count: int, target: float) -> int:
    """Setting 0..setting_count-1 whose rate is nearest to the target in ratio, for rates that fall, all but for noise.

    Interpolates logarithms, and halves what is left where that helps little; the ends are looked at when needed.
    """
    found: dict[int, float] = {}

    def error(setting: int) -> float:
        if setting not in found:
            found[setting] = math.log(max(rate(setting), 1e-9) / target)
        return found[setting]

    low, high = 0, setting_count - 1
    setting = setting_count // 2
    while low <= high:
        now = error(setting)
        if abs(now) < (CLOSE if len(found) <= HALVE_AFTER else CLOSE_ENOUGH):
            break
        low, high = (setting + 1, high) if now > 0 else (low, setting - 1)
        if low > high:
            break
        setting = _next(found, low, high)
    return min(found, key=lambda setting: abs(found[setting]))


def _next(found: dict[int, float], low: int, high: int) -> int:
    """Where a line through the settings on both sides of the target, or the last two, meets it, within low..high."""
    middle = (low + high) // 2
    above = [setting for setting in found if found[setting] > 0]
    below = [setting for setting in found if found[setting] <= 0]
    if above and below:
        one, other = max(above), min(below)
        if len(found) > HALVE_AFTER or one > other:
            return middle
        slope = (found[other] - found[one]) / (other - one)
    else:
        one, slope = list(found)[-1], USUAL_SLOPE
        if len(found) > 1:
            other = list(found)[-2]
            slope = min((found[other] - found[one]) / (other - one), USUAL_SLOPE / 4)
    return min(high, max(low, round(one - found[one] / slope)))


def _spread(tiles: Sequence[Region]) -> Sequence[Region]:
    """Some of many tiles, from all over the picture."""
    if len(tiles) <= FEW:
        return tiles
    return [tiles[(2 * i + 1) * len(tiles) // (2 * SAMPLE)] for i in range(SAMPLE)]
