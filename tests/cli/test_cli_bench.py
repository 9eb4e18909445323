"""`rdzip bench` by the command line, on small pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.bench_support import folder, pixels
from helpers.cli_support import Cli, names_in
from PIL import Image

FIELDS = {"codec", "setting", "bytes", "bpsp", "bpp", "psnr", "mse", "ms_ssim", "encode_s", "decode_s", "encode_mps",
          "decode_mps"}  # fmt: skip
FILES = ["bench.jsonl", "bench.png", "bench.svg"]
FAST = ("--codecs", "jpeg,webp,png", "--qualities", "20,50,80")


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return folder(tmp_path / "photos")


def test_tables_and_files(rdzip: Cli, photos: Path) -> None:
    ran = rdzip("bench", "photos", *FAST, "--range", "0.1-30", "--out", "out")
    assert ran.code == 0
    assert names_in(Path("out")) == FILES
    text = ran.out.decode()
    for part in (
        "averages of 2 images",
        "jpeg",
        "webp",
        "q50",
        "lossless",
        "BD-rate against jpeg",
        "0.1-30 BPP",
        " %",
    ):
        assert part in text
    for name in FILES:
        assert f"wrote out/{name}" in ran.err


def test_json_is_what_the_file_has(rdzip: Cli, photos: Path) -> None:
    ran = rdzip("bench", "photos", *FAST, "--json", "--out", "out")
    assert ran.code == 0
    lines = ran.objects
    assert [json.loads(line) for line in Path("out/bench.jsonl").read_text().splitlines()] == lines
    images = [line for line in lines if "image" in line]
    averages = [line for line in lines if "images" in line]
    assert (len(images), len(averages), len(lines)) == (14, 7, 14 + 7 + 1)
    assert [line["image"] for line in images] == ["p0.png"] * 7 + ["p1.png"] * 7
    assert all(set(line) == FIELDS | {"image", "shape"} for line in images)
    assert all(set(line) == FIELDS | {"images", "library", "threads", "jobs"} for line in averages)
    for line in averages:
        mine = [one for one in images if (one["codec"], one["setting"]) == (line["codec"], line["setting"])]
        assert line["images"] == len(mine) == 2
        assert line["bytes"] == sum(one["bytes"] for one in mine)
        assert line["bpp"] == pytest.approx(np.mean([one["bpp"] for one in mine]))
    assert {line["anchor"] for line in lines if "bd_rate" in line} == {"jpeg"}


def test_bound_takes_the_records(rdzip: Cli, photos: Path) -> None:
    assert rdzip("bench", "photos", *FAST, "--out", "out", "--quiet").code == 0
    ran = rdzip("bound", "--plot-only", "out/bench.jsonl", "--out", "drawn")
    assert ran.code == 0
    svg = Path("drawn/bound.svg").read_text()
    assert "jpeg, files" in svg
    assert "webp, files" in svg
    assert "png, files" not in svg


def test_the_same_from_several_processes(rdzip: Cli, photos: Path) -> None:
    def sizes(*more: object) -> list[tuple[str, ...]]:
        ran = rdzip("bench", "photos", *FAST, "--json", *more)
        assert ran.code == 0
        names = ("image", "codec", "setting", "bytes", "psnr")
        return [tuple(line[name] for name in names) for line in ran.objects if "image" in line]

    assert sizes("--jobs", 2) == sizes()


def test_earlier_results_beside(rdzip: Cli, photos: Path) -> None:
    assert rdzip("bench", "photos", "--codecs", "jpeg", "--quiet", "--out", "before").code == 0
    Path("old.csv").write_text("codec,setting,bpp,psnr_db\nold,1,0.5,30\nold,2,3,45\n")
    ran = rdzip("bench", "photos", "--codecs", "jpeg,webp", "--peers", "before/bench.jsonl", "--peers", "old.csv",
                "--anchor", "old", "--json")  # fmt: skip
    assert ran.code == 0
    found = {line["codec"]: line for line in ran.objects if "bd_rate" in line}
    assert set(found) == {"jpeg", "jpeg (bench.jsonl)", "webp"}
    assert found["jpeg"]["bd_rate"] == pytest.approx(found["jpeg (bench.jsonl)"]["bd_rate"])
    assert "what --peers have holds for the images" in ran.err


def test_lossless_alone_has_no_bd_rates(rdzip: Cli, photos: Path) -> None:
    ran = rdzip("bench", "photos", "--codecs", "png,rdzip:photo", "--out", "out")
    assert ran.code == 0
    assert b"BD-rate" not in ran.out
    assert names_in(Path("out")) == ["bench.jsonl"]


def test_images_of_other_modes_and_what_is_no_image(rdzip: Cli, photos: Path) -> None:
    Image.fromarray(pixels()[..., 0]).save(photos / "grey.png")
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(photos / "deep.png")
    (photos / "broken.png").write_bytes(b"nothing")
    (photos / "notes.txt").write_text("no image")
    ran = rdzip("bench", "photos", "none.png", "--codecs", "png", "--json")
    assert ran.code == 1
    assert {line["image"] for line in ran.objects if "image" in line} == {"p0.png", "p1.png", "grey.png"}
    assert "rdzip: turned to RGB, without alpha: grey.png (L)" in ran.err
    lines = ran.err.splitlines()
    for name, text in (("broken.png", "image"), ("deep.png", "expected 8 bits"), ("none.png", "cannot read")):
        assert [line for line in lines if line.startswith(f"rdzip: {name}: ") and text in line], lines


def test_one_name_in_two_folders(rdzip: Cli, photos: Path) -> None:
    folder(photos.parent / "more", 1)
    ran = rdzip("bench", "photos", "more", "photos/p1.png", "--codecs", "png", "--json")
    assert [line["image"] for line in ran.objects if "image" in line] == ["photos/p0.png", "p1.png", "more/p0.png"]


def test_a_codec_that_fails_has_no_average(rdzip: Cli, photos: Path) -> None:
    Image.fromarray(np.zeros((1, 16384, 3), np.uint8)).save(photos / "wide.png")
    ran = rdzip("bench", "photos", "--codecs", "png,webp-lossless", "--json")
    assert ran.code == 1
    assert "rdzip: wide.png, webp-lossless: cannot be coded: " in ran.err
    assert "no averages of webp-lossless" in ran.err
    assert [line["codec"] for line in ran.objects if "images" in line] == ["png"]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("none",), 1, "expected images, found none"),
        (("photos", "--codecs", "frob"), 2, "found 'frob'"),
        (("photos", "--codecs", "rdzip:frob"), 1, "frob"),
        (("photos", "--codecs", "jpeg", "--qualities", "0,50"), 2, "jpeg: expected quality"),
        (
            ("photos", "--codecs", "jpeg", "--anchor", "avif"),
            2,
            "expected a lossy codec of this run, jpeg; found 'avif'",
        ),
        (("photos", "--codecs", "png", "--anchor", "png"), 2, "none; found 'png'"),
        (("photos", "--codecs", "jpeg", "--range", "2-1"), 2, "--range"),
        (("photos", "--codecs", "jpeg", "--range", "low"), 2, "--range"),
        (("photos", "--codecs", "jpeg", "--peers", "none.csv"), 1, "none.csv cannot be read"),
        (("photos", "--codecs", "jpeg", "--out", "photos/p0.png"), 2, "found the file"),
        (("-", "--codecs", "jpeg"), 1, "cannot be stdin"),
    ],
)
def test_wrong_input(rdzip: Cli, photos: Path, arguments: tuple[str, ...], code: int, text: str) -> None:
    ran = rdzip("bench", *arguments)
    assert (ran.code, ran.out) == (code, b"")
    assert text in ran.err
    assert all(line.startswith("rdzip: ") for line in ran.err.splitlines())


def test_nothing_is_overwritten_without_force(rdzip: Cli, photos: Path) -> None:
    fast = ("bench", "photos", "--codecs", "jpeg", "--qualities", "20,50", "--out", "out")
    assert rdzip(*fast).code == 0
    before = Path("out/bench.jsonl").read_bytes()
    ran = rdzip(*fast)
    assert ran.code == 1
    assert "out/bench.jsonl exists already" in ran.err
    assert Path("out/bench.jsonl").read_bytes() == before
    assert rdzip(*fast, "-f").code == 0
    assert Path("out/bench.jsonl").read_bytes() != before


def test_without_matplotlib_the_records_are_written(rdzip: Cli, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdzip.bounds.plot.missing", lambda: "figures need matplotlib")
    ran = rdzip("bench", "photos", *FAST, "--out", "out")
    assert ran.code == 0
    assert "figures need matplotlib; only bench.jsonl will be written" in ran.err
    assert names_in(Path("out")) == ["bench.jsonl"]


def test_one_setting_has_no_bd_rates(rdzip: Cli, photos: Path) -> None:
    ran = rdzip("bench", "photos", "--codecs", "jpeg,webp", "--qualities", "50")
    assert ran.code == 0
    assert b"BD-rate" not in ran.out
    assert "no BD-rates: they need two settings at least" in ran.err
