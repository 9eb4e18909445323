"""MS-SSIM against cases computed by hand and a slow second implementation of one scale."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from rdzip.metrics.ms_ssim import C1, C2, SIGMA, SMALLEST, WEIGHTS, WINDOW, _halved, _similarity, ms_ssim

HALF = WINDOW // 2
GAUSSIAN = np.exp(-(np.arange(-HALF, HALF + 1) ** 2) / (2 * SIGMA**2))
GAUSSIAN /= GAUSSIAN.sum()


def flat(value: int) -> np.ndarray:
    return np.full((SMALLEST, SMALLEST, 3), value, np.uint8)


def picture(h: int = 180, w: int = 190) -> np.ndarray:
    y, x = np.mgrid[0:h, 0:w]
    planes = [127 + 100 * np.sin(x / 9) * np.cos(y / 7), 127 + 90 * np.sin((x + y) / 15), (x * 2 + y) % 256]
    return np.stack(planes, -1).astype(np.uint8)


def test_it_is_one_for_the_same_image() -> None:
    assert ms_ssim(picture(), picture()) == 1
    once = (np.arange(20 * 30).reshape(20, 30) % 7 / 7).astype(np.float32)
    assert _similarity(once, once)[1] == 1


def test_small_images_have_none() -> None:
    assert ms_ssim(picture(175, 300), picture(175, 300)) is None
    assert ms_ssim(picture(300, 175), picture(300, 175)) is None


@pytest.mark.parametrize(("a", "b"), [(100, 110), (255, 0), (10, 13)])
def test_flat_images_differ_in_luminance_alone(a: int, b: int) -> None:
    x, y = a / 255, b / 255
    luminance = (2 * x * y + C1) / (x * x + y * y + C1)
    assert ms_ssim(flat(a), flat(b)) == pytest.approx(luminance ** WEIGHTS[-1], rel=1e-5)


def test_a_checkerboard_differs_at_the_finest_scale_alone() -> None:
    """Squares of 2 x 2 average to grey. Variances of the finest scale are those of +-d under the Gaussian window."""
    y, x = np.mgrid[0:200, 0:200]
    sign = np.where((x + y) % 2, 1, -1)[..., None] * np.ones(3, int)
    a, b = (128 + 40 * sign).astype(np.uint8), (128 + 20 * sign).astype(np.uint8)
    mean = float(np.sum(GAUSSIAN * np.where(np.arange(WINDOW) % 2, -1, 1))) ** 2
    variance = (1 - mean**2) / 255**2
    structure = (2 * 40 * 20 * variance + C2) / ((40**2 + 20**2) * variance + C2)
    assert ms_ssim(a, b) == pytest.approx(structure ** WEIGHTS[0], rel=1e-5)


def test_one_scale_by_loops() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.random((13, 12)), rng.random((13, 12))
    window = np.outer(GAUSSIAN, GAUSSIAN)
    whole, parts = [], []
    for i in range(3):
        for j in range(2):
            u, v = x[i : i + WINDOW, j : j + WINDOW], y[i : i + WINDOW, j : j + WINDOW]
            mu, mv = np.sum(window * u), np.sum(window * v)
            su, sv = np.sum(window * (u - mu) ** 2), np.sum(window * (v - mv) ** 2)
            cov = np.sum(window * (u - mu) * (v - mv))
            parts.append((2 * cov + C2) / (su + sv + C2))
            whole.append(parts[-1] * (2 * mu * mv + C1) / (mu * mu + mv * mv + C1))
    found = _similarity((x - 0.5).astype(np.float32), (y - 0.5).astype(np.float32))
    assert found == (pytest.approx(np.mean(whole), abs=1e-5), pytest.approx(np.mean(parts), abs=1e-5))


def test_halving() -> None:
    x = np.arange(15, dtype=np.float32).reshape(3, 5)
    assert _halved(x).tolist() == [[3, 5, 6.5], [10.5, 12.5, 14]]


def test_more_noise_is_worse() -> None:
    rng = np.random.default_rng(1)
    clean = picture()
    noise = rng.normal(size=clean.shape)
    noisy = [np.clip(clean + s * noise, 0, 255).round().astype(np.uint8) for s in (0, 2, 6, 15, 40)]
    values = [ms_ssim(clean, image) or 0.0 for image in noisy]
    assert values[0] == 1
    assert all(a > b for a, b in pairwise(values))
    assert ms_ssim(noisy[2], clean) == pytest.approx(values[2], rel=1e-6)


def test_negative_structure_counts_as_none() -> None:
    clean = picture()
    assert ms_ssim(clean, 255 - clean) == pytest.approx(0, abs=0.4)


def test_the_weights_are_those_published() -> None:
    """Wang, Simoncelli and Bovik (2003), section 3.2; printed to four digits, and normalised to sum to one."""
    assert WEIGHTS == (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
    assert sum(round(10_000 * weight) for weight in WEIGHTS) == 10_001  # as printed
    assert (11, 1.5, pytest.approx(1e-4), pytest.approx(9e-4)) == (WINDOW, SIGMA, C1, C2)
