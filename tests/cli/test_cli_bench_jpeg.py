"""`rdzip bench` on JPEG files: a table of what brings the same file back."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from helpers.cli_support import Cli
from helpers.jpegs import by_pillow
from PIL import Image

from rdzip.bench import jpeg_files


@pytest.fixture
def jpegs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    Image.new("RGB", (20, 20)).save("in/plain.png")
    Path("in/a.jpg").write_bytes(by_pillow("RGB", (90, 60)))
    Path("in/b.jpg").write_bytes(by_pillow("CMYK", (90, 60), progressive=True))
    return tmp_path


def test_a_table_and_records(rdzip: Cli, jpegs: Path) -> None:
    ran = rdzip("bench", "in", "--codecs", "rdzip-jpeg")
    assert ran.code == 0
    lines = ran.out.decode().splitlines()
    assert lines[0].startswith("2 JPEG files, to come back byte for byte")
    assert lines[2].split() == ["CODEC", "BYTES", "SHARE", "SAME", "FILE", "ENCODE", "MB/s", "DECODE", "MB/s"]
    assert lines[3].split()[:2] == ["original", f"{sum(len(p.read_bytes()) for p in Path('in').glob('*.jpg')):,}"]
    assert lines[4].split()[0] == "rdzip-jpeg"
    assert "2 of 2" in lines[4]
    ran = rdzip("bench", "in", "--codecs", "png,rdzip-jpeg", "--json", "--out", "out")
    assert ran.code == 0
    assert [json.loads(line) for line in Path("out/bench.jsonl").read_text().splitlines()] == ran.objects
    own = [one for one in ran.objects if one["codec"] == "rdzip-jpeg"]
    assert [one.get("image") for one in own] == ["a.jpg", "b.jpg", None]
    assert all(one["exact"] and one["refused"] is None and one["encode_mb_s"] > 0 for one in own[:2])
    assert own[2]["bytes"] == sum(one["bytes"] for one in own[:2]) < own[2]["bytes_in"]
    assert (own[2]["files"], own[2]["exact"]) == (2, 2)
    assert own[2]["share"] == own[2]["bytes"] / own[2]["bytes_in"]
    assert len([one for one in ran.objects if one["codec"] == "png" and "image" in one]) >= 2


@pytest.mark.optional("imagecodecs", "lepton_jpeg_python")
def test_codecs_of_others(rdzip: Cli, jpegs: Path) -> None:
    ran = rdzip("bench", "in", "--codecs", "jpeg-files", "--json")
    assert ran.code == 0
    totals = {one["codec"]: one for one in ran.objects if "files" in one}
    assert list(totals) == ["rdzip-jpeg", "jxl-jpeg", "lepton"]
    assert totals["lepton"]["exact"] == 1
    refused = next(one for one in ran.objects if one["codec"] == "lepton" and one.get("image") == "b.jpg")
    assert refused["bytes"] == refused["bytes_in"]
    assert refused["refused"]
    assert all(one["library"] for one in totals.values())


def test_what_is_missing_is_said(rdzip: Cli, jpegs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec

    def none(name: str, package: str | None = None) -> Any:
        return None if name in ("imagecodecs", "lepton_jpeg_python") else real(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", none)
    ran = rdzip("bench", "in/a.jpg", "--codecs", "jpeg-files")
    assert ran.code == 0
    for name in ("jxl-jpeg: needs imagecodecs", "lepton: needs lepton-jpeg-python"):
        assert f"{name}, which is not installed; pip install 'rdzip[bench]'; left out" in ran.err
    ran = rdzip("bench", "in/a.jpg", "--codecs", "lepton")
    assert ran.code == 2
    assert "needs lepton-jpeg-python" in ran.err


def test_no_jpeg(rdzip: Cli, jpegs: Path) -> None:
    ran = rdzip("bench", "in/plain.png", "--codecs", "jpeg-files")
    assert ran.code == 1
    assert "expected JPEGs, found none in in/plain.png" in ran.err
    ran = rdzip("bench", "in/plain.png", "--codecs", "png,jpeg-files")
    assert ran.code == 0
    assert "JPEG file" not in ran.out.decode()
    assert rdzip("bench", "in", "--codecs", "rdzip-jpeg", "--qualities", "50").code == 2


def test_what_comes_back_otherwise_counts_as_it_is() -> None:
    data = by_pillow("L", (30, 30))
    codec = jpeg_files.FileCodec("half", lambda d, _: d[::2], lambda d, _: d, "", lambda: "0")
    record = jpeg_files.measure(codec, data, None)
    assert (record["exact"], record["bytes"], record["share"]) == (False, len(data), 1)
    record = jpeg_files.total(codec, [record], 1)
    assert (record["files"], record["exact"], record["share"]) == (1, 0, 1)
