from __future__ import annotations

import io
import json
import math
import re
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from helpers.bounds_stub import exact_point
from PIL import Image

from rdzip.bounds import plot
from rdzip.bounds.plot import Axes, Codec, Run, draw, load, save
from rdzip.bounds.point import ROLES
from rdzip.bounds.sources.base import open_source
from rdzip.errors import InputError

LAMBDAS = (0.5, 1.0, 3.0, 10.0, 100.0)
VECTORS, IMAGES = Axes("nats", "mse"), Axes("bits-per-dim", "psnr")


def records(shape: tuple[int, ...] = (2,), roles: tuple[str, ...] = ROLES) -> list[dict[str, Any]]:
    source = open_source("gaussian", dim=math.prod(shape))
    offs = {"upper": 0.1, "lower": -0.1, "exact": 0.0, "estimate": 0.05}
    points = [exact_point(lam, role, offs[role]) for lam in LAMBDAS for role in roles]
    return [point.record(source) | {"shape": list(shape)} for point in points]


def written(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.mkdir()
    (path / "bound.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def text_of(svg: bytes) -> str:
    """What the picture says: matplotlib notes each text in a comment beside its outlines."""
    return "\n".join(re.findall(r"<!-- (.*?) -->", svg.decode()))


@pytest.mark.parametrize("axes", [VECTORS, Axes("bits-per-dim", "mse")])
def test_the_picture_names_what_is_bound_and_what_is_not(axes: Axes) -> None:
    png, svg = draw([Run("a", records())], [], axes)
    with Image.open(io.BytesIO(png)) as image:
        image.load()
        assert image.size == (1080, 720)
        assert np.asarray(image.convert("L")).std() > 5
    text = text_of(svg)
    for part in ("upper bound (stub)", "lower bound (stub)", "exact", "estimate, no bound (stub)", "gaussian"):
        assert part in text
    assert ("nats per sample" in text) == (axes.rate == "nats")


def test_the_same_picture_again() -> None:
    run = Run("a", records())
    assert draw([run], [], VECTORS) == draw([run], [], VECTORS)


def test_a_foreign_matplotlibrc_changes_nothing() -> None:
    runs = [Run("a", records()), Run("b", records())]
    with matplotlib.rc_context({"text.usetex": True, "lines.linewidth": 9, "axes.facecolor": "red"}):
        drawn = draw(runs, [], VECTORS)
        assert matplotlib.rcParams["lines.linewidth"] == 9
    assert drawn == draw(runs, [], VECTORS)


def test_names_between_dollar_signs_are_names() -> None:
    lines = [line | {"source": r"$\nowhere$"} for line in records()]
    assert r"$\nowhere$" in text_of(draw([Run("a", lines)], [], VECTORS)[1])
    both = draw([Run(r"$\one$", lines), Run("b$", lines)], [], VECTORS)[1]
    for name in (r"$\one$: exact", "b$: exact"):
        assert name in text_of(both)


@pytest.mark.parametrize("roles", [("upper",), ("lower",), ("exact",), ("estimate",), ("lower", "upper")])
def test_any_part_of_a_sandwich_can_be_drawn(roles: tuple[str, ...]) -> None:
    lines = records(roles=roles)
    for some in (lines, lines[:1]):
        assert draw([Run("a", some)], [], VECTORS)[0].startswith(b"\x89PNG")


def test_a_point_without_distortion_can_be_drawn() -> None:
    line = records(roles=("upper",))[0] | {"mse": 0.0, "rate_nats": 1.0, "value_nats": 1.0, "ci95_nats": [1, 1]}
    assert draw([Run("a", [line])], [], VECTORS)[0].startswith(b"\x89PNG")


def test_images_are_drawn_in_psnr_with_codecs_beside() -> None:
    run, codec = Run("a", records((8, 8, 3))), Codec("mine", ((0.5, 30.0), (1.0, 33.0)))
    assert plot.default_axes([run], [codec]) == IMAGES
    text = text_of(draw([run], [codec], IMAGES)[1])
    assert "mine, files" in text
    assert "PSNR" in text
    assert draw([run], [codec], Axes("nats", "mse"))
    assert draw([], [codec], IMAGES)


def test_codecs_are_converted_by_their_units() -> None:
    """1 bit per pixel is a third of a bit a dimension, and 192 ln 2 / 3 nats for 8 x 8 pixels."""
    run, codec = Run("a", records((8, 8, 3))), Codec("mine", ((1.0, 20.0),))
    assert list(plot._codec_places(codec, [run], IMAGES)) == [(pytest.approx(1 / 3), 20.0)]
    ((mse, rate),) = plot._codec_places(codec, [run], VECTORS)
    assert (mse, rate) == (pytest.approx(0.01), pytest.approx(64 * math.log(2)))


def test_exact_curve_is_as_smooth_as_a_gaussians() -> None:
    """Where R is linear in ln D, the curve between points with slopes is exact."""
    from rdzip.bounds.point import Point

    points = [
        Point.measured("exact", "exact", lam=lam, value=-0.5 * math.log(0.5 / lam) + 0.5, mse=0.5 / lam, error=0,
                       samples=0, seconds=0)
        for lam in (100.0, 1.0)
    ]  # fmt: skip
    curve = plot._smooth(points)
    np.testing.assert_allclose(curve[:, 1], -0.5 * np.log(curve[:, 0]), atol=1e-12)


@pytest.mark.parametrize(
    ("runs", "codecs", "axes", "text"),
    [
        ([], [], VECTORS, "found none"),
        ([Run("a", records())], [], IMAGES, "PSNR is for images"),
        ([Run("a", records())], [Codec("c", ((1.0, 30.0),))], VECTORS, "codecs code images"),
        ([], [Codec("c", ((1.0, 30.0),))], Axes("nats", "psnr"), "`rate=bits-per-dim`"),
    ],
)
def test_what_does_not_fit_one_picture(runs: list[Run], codecs: list[Codec], axes: Axes, text: str) -> None:
    with pytest.raises(InputError, match=text):
        draw(runs, codecs, axes)


def test_runs_and_benchmarks_are_loaded(tmp_path: Path) -> None:
    a, b = written(tmp_path / "a", records((8, 8, 3))), written(tmp_path / "b", records((8, 8, 3), ("upper",)))
    bench = tmp_path / "bench.jsonl"
    lines = [
        {"codec": "webp", "setting": "q50", "images": 24, "bytes": 1, "bpsp": 0.1, "bpp": 0.3, "psnr": 30.1},
        {"codec": "webp", "setting": "q20", "images": 24, "bytes": 1, "bpsp": 0.1, "bpp": 0.2, "psnr": 28.1},
        {"codec": "png", "setting": "", "images": 24, "bytes": 1, "bpsp": 0.1, "bpp": 9.3, "psnr": None},
    ]
    bench.write_text("".join(json.dumps(line) + "\n" for line in lines))
    runs, codecs = load([a, bench, b])
    assert [run.label for run in runs] == ["a", "b"]
    assert codecs == [Codec("webp", ((0.2, 28.1), (0.3, 30.1)))]
    files = save(runs, codecs, tmp_path / "out", plot.default_axes(runs, codecs))
    assert [file.name for file in files] == ["bound.png", "bound.svg"]
    before = files[0].read_bytes()
    with pytest.raises(InputError, match="exists already"):
        save(runs[:1], [], tmp_path / "out", IMAGES)
    assert files[0].read_bytes() == before
    save(runs[:1], [], tmp_path / "out", IMAGES, force=True)
    assert files[0].read_bytes() != before


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "found none"),
        ("{}\n", "rdzip bench"),
        ('{"codec": "x", "psnr": 30}\n', "bpp and psnr"),
        ('{"codec": "x", "psnr": "good", "bpp": 1}\n', "bpp and psnr"),
        ('{"codec": "x", "psnr": 30, "bpp": -1}\n', "bpp and psnr"),
        ('{"method": "x", "role": "upper"}\n', "record"),
        ("[1]\n", "JSON object"),
        ("nonsense\n", "JSON object"),
        ("\0\xff\n", "JSON object"),
    ],
)
def test_foreign_files_are_told_in_a_line(tmp_path: Path, content: str, text: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(content, "latin-1")
    with pytest.raises(InputError, match=text) as caught:
        load([path])
    assert "\n" not in str(caught.value)


def test_a_missing_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load([tmp_path])


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install 'rdzip\[bounds\]'"):
        draw([Run("a", records())], [], VECTORS)
