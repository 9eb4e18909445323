"""Sites: pushing and popping are inverses, and the logarithms are those of what is coded."""

import numpy as np
import pytest

from rdzip.entropy.ans import TOTAL
from rdzip.entropy.cdf import make_tables
from rdzip.entropy.initial_bits import InitialBitsStack
from rdzip.entropy.logarithm import LOG_UNIT
from rdzip.models.shared.sites import BernoulliSite, CategoricalSite, GridSite, LatentSite, Site

RNG = np.random.default_rng(0)


def grid() -> GridSite:
    mean = RNG.integers(0, 256 * 64, (4, 3, 5)).astype(np.int32)
    return GridSite(make_tables(64, 0.06, 6), mean, RNG.integers(20, 60, mean.shape).astype(np.int32), normal=False)


def categorical() -> CategoricalSite:
    f = RNG.integers(1, 1000, (4, 6, 5))
    f = np.maximum(f * (TOTAL // 8000), 1)
    f[..., 0] += TOTAL - f.sum(-1)
    return CategoricalSite(f.astype(np.int32))


def bernoulli() -> BernoulliSite:
    return BernoulliSite(np.array([16, 2**20, 2**23, TOTAL - 16], np.int32), RNG.integers(0, 4, (4, 9)))


@pytest.mark.parametrize("make", [grid, categorical, bernoulli])
def test_pop_then_push_restores_the_stack_and_costs_what_log2_says(make: object) -> None:
    site: Site = make()  # type: ignore[operator]
    stack = InitialBitsStack()
    before = stack.to_bytes()
    symbols = site.pop(stack)
    assert len(symbols) == site.rows == 4
    used = -stack.net_bits()
    assert used == pytest.approx(-site.log2(symbols).sum() / LOG_UNIT, abs=4)
    assert used == pytest.approx(site.bits(symbols).sum(), rel=0.01, abs=2)
    some = np.array([2, 0, 2])
    np.testing.assert_array_equal(site.take(some).log2(symbols[some]), site.log2(symbols)[some])
    np.testing.assert_array_equal(site.take(some).bits(symbols[some]), site.bits(symbols)[some])
    site.push(stack, symbols)
    assert stack.net_bits() == 0
    assert stack.to_bytes()[-len(before) :] == before


@pytest.mark.parametrize("make", [grid, categorical])
def test_quantiles_lie_in_their_intervals(make: object) -> None:
    site: LatentSite = make()  # type: ignore[operator]
    u = RNG.integers(0, TOTAL, site.shape)
    u.flat[:2] = [0, TOTAL - 1]
    start, size = site.interval(site.quantile(u))
    assert ((start <= u) & (u < start + size)).all()


def test_real_probabilities_of_grid_sites() -> None:
    tables = make_tables(64, 0.06, 6)
    shape = (1, 256)
    site = GridSite(tables, np.full(shape, 100 * 64 + 17, np.int32), np.full(shape, 40, np.int32), normal=False)
    from rdzip.models.shared.sites import grid_bits

    width = 0.06 * 2 ** (40 / 6)
    p = np.exp2(-grid_bits(np.arange(256), np.array(100 + 17 / 64), np.array(width), False))
    assert p.sum() == pytest.approx(1)
    normal = np.exp2(-grid_bits(np.arange(256), np.array(100.5), np.array(20.0), True))
    assert normal.sum() == pytest.approx(1)
    assert normal[100] == pytest.approx(1 / 20 / np.sqrt(2 * np.pi), rel=1e-3)
    assert site.bits(np.arange(256)[None])[0] == pytest.approx(-np.log2(p).sum(), rel=1e-3)
