"""The figure of a benchmark: PSNR over bits per pixel, and MS-SSIM beside it where it is known."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rdzip.bench.curves import MEASURED, Curve
from rdzip.bounds import plot as bounds_plot
from rdzip.bounds.plot import COLOURS, MARKERS
from rdzip.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Panel

PLOTS = ("bench.png", "bench.svg")
NEARLY_ONE = 1 - 1e-6
"""MS-SSIM is drawn in dB up to 60."""


def draw(curves: Sequence[Curve]) -> tuple[bytes, bytes]:
    """Return the figure as PNG and as SVG. The same input gives the same bytes with one version of matplotlib.

    Curves of files are drawn in dots. Raises InputError where matplotlib is missing or there is nothing to draw.
    """
    reason = bounds_plot.missing()
    if reason is not None:
        raise InputError(reason)
    if not curves:
        raise InputError("expected lossy codecs to draw, found none")
    from matplotlib.figure import Figure

    similar = any(len(curve.similarity) > 1 for curve in curves)
    with bounds_plot.style():
        figure = Figure(figsize=(12.0 if similar else 7.2, 4.8), layout="constrained")
        panels = figure.subplots(1, 2 if similar else 1, squeeze=False)[0]
        _panel(panels[0], curves, [curve.points for curve in curves], "PSNR in dB, RGB, mean over images")
        panels[0].legend(frameon=False, loc="lower right")
        if similar:
            _panel(panels[1], curves, [_decibels(curve) for curve in curves], "MS-SSIM in dB, -10 log10(1 - mean)")
        png, svg = io.BytesIO(), io.BytesIO()
        figure.savefig(png, format="png", dpi=150)
        figure.savefig(svg, format="svg", metadata={"Date": None})
    return png.getvalue(), svg.getvalue()


def _decibels(curve: Curve) -> tuple[tuple[float, float], ...]:
    return tuple((bpp, -10 * math.log10(1 - min(value, NEARLY_ONE))) for bpp, value in curve.similarity)


def _panel(
    panel: Panel, curves: Sequence[Curve], points: Sequence[Sequence[tuple[float, float]]], distortion: str
) -> None:
    for index, (curve, places) in enumerate(zip(curves, points, strict=True)):
        if not places:
            continue
        panel.plot(
            *zip(*places, strict=True),
            color=COLOURS[index % len(COLOURS)],
            marker=MARKERS[(index + index // len(COLOURS)) % len(MARKERS)],  # no pair of both twice
            ms=3.5,
            lw=1.2,
            ls="-" if curve.source == MEASURED else ":",
            label=bounds_plot.plain(curve.name if curve.source == MEASURED else f"{curve.name}, of {curve.source}"),
        )
    panel.set(xlabel="bits per pixel, of files", ylabel=distortion)
    panel.set_xlim(left=0)
    panel.grid(alpha=0.25, lw=0.5)
