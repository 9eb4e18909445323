"""PSNR of mean squared errors and back."""

from __future__ import annotations

import math

from rdzip.metrics.psnr import mse_of_psnr, psnr_of_mse


def test_peak_signal_to_noise_ratio() -> None:
    assert math.isclose(psnr_of_mse(0.001), 30)
    assert math.isclose(mse_of_psnr(30), 0.001)
    assert math.isclose(psnr_of_mse(1 / 255**2), 48.1308, rel_tol=1e-5)
    assert psnr_of_mse(0) == math.inf
