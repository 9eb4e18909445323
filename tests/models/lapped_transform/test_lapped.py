"""The lapped transform: its inverse, its norms, and the coding gain that it was made for."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rdzip.models.lapped_transform.lapped import STRIDE, LappedTransform, across_borders, border_filter

TRANSFORM = LappedTransform(192)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_the_inverse_gives_the_picture_back(rows: int, columns: int, seed: int) -> None:
    x = torch.rand(1, 3, rows * STRIDE, columns * STRIDE, generator=torch.Generator().manual_seed(seed))
    w = TRANSFORM(x)
    assert w.shape == (1, 192, rows, columns)
    assert float((TRANSFORM.inverse(w) - x).abs().max()) < 1e-5


def test_noise_of_any_coefficient_costs_as_much() -> None:
    for channel in (0, 1, 5, 60, 191):
        w = torch.zeros(1, 192, 5, 5)
        w[0, channel, 2, 2] = 1
        assert float((TRANSFORM.inverse(w) - 0.5).square().sum()) == pytest.approx(1, abs=1e-4)


def test_flat_pictures_have_no_details() -> None:
    assert float(TRANSFORM(torch.full((1, 3, 24, 40), 0.7))[0, 3:].abs().max()) < 1e-5


@pytest.mark.parametrize(("filtered", "gain"), [(True, 9.615), (False, 8.826)])
def test_the_coding_gain_is_that_of_lapped_transforms(filtered: bool, gain: float) -> None:
    k = torch.arange(STRIDE, dtype=torch.float64)
    cosines = torch.cos(torch.pi / STRIDE * (k[None] + 0.5) * k[:, None])
    cosines = cosines / cosines.square().sum(1, keepdim=True).sqrt()
    kernel = border_filter() if filtered else torch.eye(STRIDE, dtype=torch.float64)
    n = 5 * STRIDE
    before = across_borders(torch.eye(n, dtype=torch.float64), kernel).T
    whole = torch.block_diag(*[cosines] * 5) @ before
    covariance = 0.95 ** (torch.arange(n)[:, None] - torch.arange(n)).abs().double()
    inside = slice(2 * STRIDE, 3 * STRIDE)
    variance = torch.diagonal(whole @ covariance @ whole.T)[inside]
    norm = torch.linalg.inv(whole).square().sum(0)[inside]
    assert float(-10 * torch.log10(variance * norm).mean()) == pytest.approx(gain, abs=1e-3)
