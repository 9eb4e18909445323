"""Figures of sandwiches: upper points and their hull, the envelope of lower lines, what is exact, what is estimated.

matplotlib draws them; it comes with the extra "bounds" and is imported when the first figure is drawn. Axes are rate
in nats per sample or bits per dimension, and distortion as mean squared error or, for images, as PSNR. Operational
points of codecs, from the JSON lines of `rdzip bench`, lie beside the bounds.
"""

from __future__ import annotations

import importlib.util
import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from rdzip.bounds.folder import PLOTS, RECORDS, Record, read_records
from rdzip.bounds.point import Point
from rdzip.bounds.sandwich import envelope, hull, of_role
from rdzip.bounds.units import convention
from rdzip.errors import InputError
from rdzip.metrics.psnr import mse_of_psnr, psnr_of_mse
from rdzip.system import atomic
from rdzip.system.atomic import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Panel

Rate = Literal["nats", "bits-per-dim"]
Distortion = Literal["mse", "psnr"]
Curve = NDArray[np.float64]

SMOOTH = 400  # places where a curve is drawn
LOGARITHMIC = 8  # ratio of distortions from which their axis is logarithmic
COLOURS = ("#1f5a99", "#c4622d", "#3c8a4e", "#8a4a9e", "#9a7b1c", "#3f8f93", "#b0446c", "#666666")
EXACT, ESTIMATE = "black", "#c9a000"
MARKERS = "o^vDPX<>"
CHANNELS = 3  # codecs' PSNR is on RGB


@dataclass(frozen=True)
class Axes:
    """Units of both axes."""

    rate: Rate
    distortion: Distortion


@dataclass(frozen=True)
class Run:
    """Records of one run, and what it is called."""

    label: str
    records: list[Record]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a sample of its source."""
        first = self.records[0]
        return tuple(first.get("shape") or [first["dim"]])

    @property
    def dim(self) -> int:
        """Dimensions of its source."""
        return math.prod(self.shape)

    @property
    def images(self) -> bool:
        """Whether its source is images, in 0..1."""
        return len(self.shape) == 3

    @property
    def points(self) -> list[Point]:
        """Return the points of its records."""
        return [Point.from_record(record) for record in self.records]


@dataclass(frozen=True)
class Codec:
    """Operational points of a codec: bits per pixel of files, and PSNR in dB on RGB; both averages over images."""

    name: str
    points: tuple[tuple[float, float], ...]


def missing() -> str | None:
    """Return why no figure can be drawn here, in one line with what to do; None if one can."""
    if importlib.util.find_spec("matplotlib") is None:
        return "figures need matplotlib, which is not installed; pip install 'rdzip[bounds]'"
    return None


def load(paths: Sequence[Path]) -> tuple[list[Run], list[Codec]]:
    """Read folders of runs, or files of JSON lines: records of `rdzip bound` or of `rdzip bench`.

    Raises InputError where one cannot be read, or has records of neither kind.
    """
    runs: list[Run] = []
    points: dict[str, list[tuple[float, float]]] = {}
    for path in paths:
        file = path / RECORDS if path.is_dir() else path
        records = read_records(file)
        if not records:
            raise InputError(f"{shown(file)}: expected records, found none; no point was done")
        bounds = []
        for number, record in enumerate(records, 1):
            if "method" in record and "role" in record:
                Point.from_record(record)
                bounds.append(record)
            elif "codec" in record:
                # Averages are drawn, not single images; lossless codecs have no PSNR.
                if "image" not in record and record.get("psnr") is not None:
                    points.setdefault(_codec_name(record), []).append(_operational(file, number, record))
            else:
                raise InputError(
                    f"{shown(file)}, record {number}: expected one of `rdzip bound` or `rdzip bench`, "
                    f"found the fields {', '.join(sorted(record))}"
                )
        for source in dict.fromkeys((record["source"], record["dim"]) for record in bounds):
            mine = [record for record in bounds if (record["source"], record["dim"]) == source]
            runs.append(Run(path.name if path.is_dir() else path.stem, mine))
    return runs, [Codec(name, tuple(sorted(found))) for name, found in points.items()]


def _codec_name(record: Record) -> str:
    return str(record["codec"])


def _operational(file: Path, number: int, record: Record) -> tuple[float, float]:
    try:
        bpp, decibel = float(record["bpp"]), float(record["psnr"])
    except (KeyError, TypeError, ValueError):
        bpp = decibel = math.nan
    if not (math.isfinite(bpp) and math.isfinite(decibel) and bpp > 0):
        raise InputError(f"{shown(file)}, record {number}: expected numbers as bpp and psnr, found something else")
    return bpp, decibel


def default_axes(runs: Sequence[Run], codecs: Sequence[Codec]) -> Axes:
    """Return bits per dimension and PSNR where all is images, else nats and mean squared error."""
    if all(run.images for run in runs) and (runs or codecs):
        return Axes("bits-per-dim", "psnr")
    return Axes("nats", "mse")


def check(runs: Sequence[Run], codecs: Sequence[Codec], axes: Axes) -> None:
    """Raise InputError where these runs and codecs cannot share a figure with such axes."""
    if not runs and not codecs:
        raise InputError("expected runs or codecs to draw, found none")
    vectors = [run.label for run in runs if not run.images]
    if vectors and axes.distortion == "psnr":
        raise InputError(f"PSNR is for images, and {vectors[0]} has none; use `distortion=mse`")
    if vectors and codecs:
        raise InputError(f"codecs code images, and {vectors[0]} has none: draw it in a figure of its own")
    if codecs and axes.rate == "nats":
        pixels = {math.prod(run.shape[:2]) for run in runs}
        if len(pixels) != 1:
            raise InputError(
                "nats per image of codecs need one size of images, given by a run; use `rate=bits-per-dim`"
            )


def save(runs: Sequence[Run], codecs: Sequence[Codec], folder: Path, axes: Axes, *, force: bool = False) -> list[Path]:
    """Draw bound.png and bound.svg into a folder and return their paths.

    - runs: runs of bounds, each a band of its own
    - codecs: curves of codecs beside them
    - folder: where to write
    - axes: how rates and distortions are shown
    - force: replace figures that exist

    Raises InputError where matplotlib is missing, a figure exists and `force` is not given, or the data do not fit the
    axes.
    """
    files = [folder / name for name in PLOTS]
    if not force:
        for file in files:
            if file.exists() or file.is_symlink():
                raise InputError(atomic.exists_already(file))
    for file, data in zip(files, draw(runs, codecs, axes), strict=True):
        atomic.write(file, data, force=force)
    return files


def draw(runs: Sequence[Run], codecs: Sequence[Codec], axes: Axes) -> tuple[bytes, bytes]:
    """Return the figure as PNG and as SVG. The same input gives the same bytes with one version of matplotlib."""
    reason = missing()
    if reason is not None:
        raise InputError(reason)
    check(runs, codecs, axes)
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(7.2, 4.8), layout="constrained")
        panel = figure.add_subplot()
        _panel(panel, runs, codecs, axes)
        png, svg = io.BytesIO(), io.BytesIO()
        figure.savefig(png, format="png", dpi=150)
        figure.savefig(svg, format="svg", metadata={"Date": None})
    return png.getvalue(), svg.getvalue()


@contextmanager
def style() -> Iterator[None]:
    """Within the context, matplotlib draws as it does by default, whatever a matplotlibrc in the current folder says:
    it may be a stranger's, and could have programs run (LaTeX).
    """
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({"svg.hashsalt": "rdzip", "font.size": 10, "legend.fontsize": 8})
        yield


def plain(text: str) -> str:
    """Return a label that is drawn as it is: between dollar signs matplotlib would read formulas."""
    return text.replace("$", r"\$")


def _panel(panel: Panel, runs: Sequence[Run], codecs: Sequence[Codec], axes: Axes) -> None:
    places = np.array([point.mse for run in runs for point in run.points] + _codec_mses(codecs))
    places = places[places > 0]
    low, high = (places.min() / 1.1, places.max() * 1.1) if len(places) else (0.1, 1.0)
    logarithmic = axes.distortion == "mse" and high / low > LOGARITHMIC
    for index, run in enumerate(runs):
        _draw_run(panel, run, COLOURS[index % len(COLOURS)], axes, (low, high), alone=len(runs) == 1)
    for index, codec in enumerate(codecs):
        curve = np.array(list(_codec_places(codec, runs, axes)))
        colour, marker = COLOURS[(len(runs) + index) % len(COLOURS)], MARKERS[index % len(MARKERS)]
        panel.plot(*curve.T, color=colour, marker=marker, ms=4, lw=0.8, ls=":", label=plain(f"{codec.name}, files"))
    rate = {"nats": "rate in nats per sample", "bits-per-dim": "rate in bits per dimension"}[axes.rate]
    if axes.distortion == "psnr":
        panel.set(xlabel=rate, ylabel="PSNR in dB, of the mean squared error")
        panel.set_xlim(left=0)
    else:
        panel.set(xlabel="mean squared error a dimension", ylabel=rate)
        panel.set_ylim(bottom=0)
        if logarithmic:
            panel.set_xscale("log")
    if len(runs) == 1:
        size = " x ".join(map(str, runs[0].shape)) if runs[0].images else f"{runs[0].dim} dimensions"
        panel.set_title(plain(f"{runs[0].records[0]['source']}, {size}"), fontsize=10)
    panel.grid(alpha=0.25, lw=0.5)
    if panel.get_legend_handles_labels()[0]:
        panel.legend(frameon=False)


def _draw_run(panel: Panel, run: Run, colour: str, axes: Axes, span: tuple[float, float], *, alone: bool) -> None:
    """Draw one run; alone: it has the figure to itself, so its exact curve and estimate may have colours of their own.

    span: of distortions in the figure. Points without distortion have no place on a logarithmic axis.
    """
    points = [point for point in run.points if point.mse > 0]
    prefix = "" if alone else plain(f"{run.label}: ")
    corners, lower = hull(points), of_role(points, "lower")
    mse = np.geomspace(*span, SMOOTH)
    if len(lower):
        rate = envelope(points, mse)
        keep = rate > 0
        curve = _place(run, axes, np.stack([mse, rate], 1)[keep])
        panel.plot(*curve.T, color=colour, lw=1.2, ls="--", label=f"{prefix}lower bound ({_methods(lower)})")
    if len(lower) and len(corners) > 1 and axes.distortion == "mse":
        inside = mse[(mse >= corners[0, 0]) & (mse <= corners[-1, 0])]
        top = _place(run, axes, np.stack([inside, np.interp(inside, *corners.T)], 1))
        bottom = _place(run, axes, np.stack([inside, envelope(points, inside)], 1))
        panel.fill_between(top[:, 0], bottom[:, 1], top[:, 1], color=colour, alpha=0.12, lw=0)
    upper = of_role(points, "upper")
    if upper:
        if len(corners) > 1:
            panel.plot(*_place(run, axes, _along(corners, axes)).T, color=colour, lw=1.2)
        places = _place(run, axes, _pairs(upper))
        panel.plot(*places.T, color=colour, ls="", marker="o", ms=4, label=f"{prefix}upper bound ({_methods(upper)})")
    exact = of_role(points, "exact")
    if exact:
        curve, places = (_place(run, axes, c) for c in (_smooth(exact), _pairs(exact)))
        panel.plot(*curve.T, color=EXACT if alone else colour, lw=0.9, ls="-.", label=f"{prefix}exact")
        panel.plot(*places.T, color=EXACT if alone else colour, ls="", marker=".", ms=3)
    estimate = of_role(points, "estimate")
    if estimate:
        places = _place(run, axes, _pairs(estimate))
        panel.plot(*places.T, color=ESTIMATE if alone else colour, ls="", marker="x", ms=5,
                   label=f"{prefix}estimate, no bound ({_methods(estimate)})")  # fmt: skip


def _pairs(points: Sequence[Point]) -> Curve:
    return np.array([(point.mse, point.rate_nats) for point in points]).reshape(-1, 2)


def _methods(points: Sequence[Point]) -> str:
    return plain(", ".join(dict.fromkeys(point.method for point in points)))


def _along(corners: Curve, axes: Axes) -> Curve:
    """Return points along straight lines between corners, which are bent where an axis is not linear."""
    mse = np.union1d(np.geomspace(corners[0, 0], corners[-1, 0], SMOOTH)[1:-1], corners[:, 0])
    return np.stack([mse, np.interp(mse, *corners.T)], 1)


def _smooth(points: Sequence[Point]) -> Curve:
    """Return a curve through exact points with their slopes -lambda: cubic between neighbours in (log mse, rate)."""
    if len(points) < 2:
        return _pairs(points)
    pieces = []
    for a, b in pairwise(points):
        if b.mse <= a.mse:
            continue
        width = math.log(b.mse / a.mse)
        t = np.linspace(0, 1, SMOOTH // len(points) + 2)
        slopes = -a.lam * a.mse * width, -b.lam * b.mse * width  # of the rate by t
        rate = (
            (1 + 2 * t) * (1 - t) ** 2 * a.rate_nats
            + t * (1 - t) ** 2 * slopes[0]
            + t**2 * (3 - 2 * t) * b.rate_nats
            + t**2 * (t - 1) * slopes[1]
        )
        pieces.append(np.stack([a.mse * np.exp(t * width), np.maximum(rate, 0)], 1))
    return np.concatenate(pieces) if pieces else _pairs(points)


def _place(run: Run, axes: Axes, curve: Curve) -> Curve:
    """Turn (mse, nats per sample) [n, 2] into the coordinates of the figure, (x, y)."""
    mse, nats = curve[:, 0], curve[:, 1]
    rate = nats * convention(axes.rate).their_rate(1.0, run.shape)
    if axes.distortion == "psnr":
        return np.stack([rate, [psnr_of_mse(x) for x in mse.tolist()]], 1)
    return np.stack([mse, rate], 1)


def _codec_mses(codecs: Sequence[Codec]) -> list[float]:
    return [mse_of_psnr(decibel) for codec in codecs for _, decibel in codec.points]


def _codec_places(codec: Codec, runs: Sequence[Run], axes: Axes) -> Iterator[tuple[float, float]]:
    # Without a run to say otherwise the size of the images is any: rates by pixel and by dimension know none.
    shape = runs[0].shape if runs else (1, 1, CHANNELS)
    for bpp, decibel in codec.points:
        rate = convention(axes.rate).their_rate(convention("bpp-255").rate_nats(bpp, shape), shape)
        yield (rate, decibel) if axes.distortion == "psnr" else (mse_of_psnr(decibel), rate)
