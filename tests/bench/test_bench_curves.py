"""Curves of what was measured before, their picture, and that `rdzip bound` draws them too."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from rdzip.bench import curves, plot
from rdzip.bench.curves import Curve
from rdzip.bench.run import records_of, savings
from rdzip.bounds import plot as bounds_plot
from rdzip.errors import InputError

HEAD = "codec,setting,bpp,psnr_db,mse\n"
A = Curve("a", ((0.2, 28.0), (0.6, 31.0), (1.5, 35.0)), ((0.2, 0.9), (0.6, 0.95), (1.5, 0.99)))
B = Curve("b", ((0.1, 28.0), (0.3, 31.0), (0.75, 35.0)), (), "old.csv")


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_tables(tmp_path: Path) -> None:
    path = written(tmp_path / "old.csv", HEAD + "x,20,0.5,30.5,1\ny,1,1,33,2\nx,10,0.25,28,3\n")
    assert curves.read(path) == [
        Curve("x", ((0.25, 28.0), (0.5, 30.5)), (), "old.csv"),
        Curve("y", ((1.0, 33.0),), (), "old.csv"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("codec,bpp\nx,1\n", "found no setting"),
        ("", "found no codec"),
        (HEAD, "found none"),
        (HEAD + "x,1,0,30\n", "line 2"),
        (HEAD + "x,1,1,high\n", "line 2"),
        (HEAD + "x,1,1\n", "line 2"),
        (HEAD + ",1,1,30\n", "line 2"),
        ("{nonsense\n", "line 1"),
        ('{"codec": "x", "images": 3, "psnr": 30}\n', "wrong field"),
        ('{"codec": "x", "image": "a.png", "psnr": 30, "bpp": 1}\n', "found none"),
    ],
)
def test_what_is_no_table(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        curves.read(written(tmp_path / "old.csv", text))
    assert "\n" not in str(caught.value)


def test_a_table_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        curves.read(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match="expected a table of text"):
        curves.read(tmp_path / "binary.csv")


def test_names_that_are_taken_get_the_files(tmp_path: Path) -> None:
    other = Curve("a", A.points, (), "old.csv")
    assert [curve.name for curve in curves.together([A], [other, B])] == ["a", "a (old.csv)", "b"]


def test_the_shared_table(shared_data: Path) -> None:
    found = {curve.name: curve for curve in curves.read(shared_data.parent / "peers" / "kodak-lossy.csv")}
    assert len(found) == 5
    saved = {
        s.curve.name: s.bd_rate.percent
        for s in savings(list(found.values()), found["jpeg-444-opt"], (0.2, 1.5))
        if s.bd_rate
    }
    # By scipy's PchipInterpolator and its integrals.
    expected = {"webp-m6": -38.3156, "jxl-e7": -32.6364, "avif-444-s4": -53.1018, "heic-x265-444": -50.3870}
    assert saved == pytest.approx(expected, abs=1e-3)


def test_records_of_savings_are_no_points() -> None:
    found = savings([A, B], A, (0.2, 1.5))
    lines = records_of(found, A, (0.2, 1.5))
    assert [(line["codec"], line["anchor"], line["bpp_range"]) for line in lines] == [("b", "a", [0.2, 1.5])]
    assert lines[0]["bd_rate"] == pytest.approx(-50)
    assert curves.of_records(lines) == []


def test_the_picture() -> None:
    png, svg = plot.draw([A, B])
    with Image.open(io.BytesIO(png)) as image:
        assert image.size == (1800, 720)
    text = "\n".join(re.findall(r"<!-- (.*?) -->", svg.decode()))
    for part in ("a", "b, of old.csv", "bits per pixel, of files", "PSNR in dB", "MS-SSIM in dB"):
        assert part in text
    assert plot.draw([A, B]) == (png, svg)
    with Image.open(io.BytesIO(plot.draw([B])[0])) as image:
        assert image.size == (1080, 720)
    with pytest.raises(InputError, match="found none"):
        plot.draw([])


def test_bound_draws_averages_only(tmp_path: Path) -> None:
    lines = [
        {"codec": "x", "setting": "q1", "image": "a.png", "bpp": 9.0, "psnr": 20.0},
        {"codec": "x", "setting": "q1", "images": 2, "bpp": 1.0, "psnr": 30.0},
        {"codec": "png", "setting": "", "images": 2, "bpp": 9.0, "psnr": None},
        *records_of(savings([A, B], A, (0.2, 1.5)), A, (0.2, 1.5)),
    ]
    path = written(tmp_path / "bench.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    assert bounds_plot.load([path]) == ([], [bounds_plot.Codec("x", ((1.0, 30.0),))])
