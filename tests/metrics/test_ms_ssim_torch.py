"""MS-SSIM as a loss: the same as the figure that `rdzip bench` reports, and with useful gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rdzip.metrics import ms_ssim as msssim
from rdzip.metrics.ms_ssim_torch import SMALLEST, ms_ssim


def pictures(noise: float, h: int = 180, w: int = 201) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:h, :w]
    clean = np.stack([128 + 60 * np.sin(x / (7 + c)) + 40 * np.cos(y / 5) for c in range(3)], -1)
    noisy = clean + rng.normal(0, noise, clean.shape)
    return tuple(np.clip(np.round(z), 0, 255).astype(np.uint8) for z in (clean, noisy))  # type: ignore[return-value]


def as_tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image.astype(np.float32) / 255).permute(2, 0, 1)[None]


@pytest.mark.parametrize("noise", [2.0, 20.0, 80.0])
def test_it_is_the_figure_of_bench(noise: float) -> None:
    a, b = pictures(noise)
    expected = msssim.ms_ssim(a, b)
    assert expected is not None
    assert float(ms_ssim(as_tensor(a), as_tensor(b))) == pytest.approx(expected, abs=2e-4)


def test_equal_pictures_are_alike_and_descent_makes_others_more_so() -> None:
    a, b = map(as_tensor, pictures(30.0))
    assert float(ms_ssim(a, a)) == pytest.approx(1)
    b.requires_grad_(True)
    before = ms_ssim(a, b).sum()
    before.backward()
    assert b.grad is not None
    better = (b + 0.02 * b.grad / b.grad.abs().max()).detach()
    assert float(ms_ssim(a, better)) > float(before.detach())


def test_small_pictures_are_refused() -> None:
    x = torch.zeros(1, 3, SMALLEST - 1, 200)
    with pytest.raises(ValueError, match="sides of at least"):
        ms_ssim(x, x)
