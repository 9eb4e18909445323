"""Codecs of benchmarks: there and back, choosing them, and what is said of what is not there."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import lossy_stub
from helpers.bench_support import pixels

import rdzip
from rdzip.bench import codecs, own, peers
from rdzip.bench.codecs import TABLE, choose
from rdzip.bench.measure import average, measure, mse, warm
from rdzip.errors import InputError, ModelError

PACKAGES = {
    "jxl": "imagecodecs",
    "jxl-lossless": "imagecodecs",
    "jxl-lossless-e9": "imagecodecs",
    "heic": "pillow_heif",
}


def by_name(lossless: bool) -> list[Any]:
    """Names of codecs; those of packages that only an extra installs are marked so."""
    names = [codec.name for codec in TABLE.values() if codec.lossless == lossless]
    return [pytest.param(n, marks=[pytest.mark.optional(PACKAGES[n])] if n in PACKAGES else []) for n in names]


LOSSY, LOSSLESS = by_name(lossless=False), by_name(lossless=True)


@pytest.fixture
def skipped() -> list[str]:
    return []


@pytest.mark.parametrize("name", LOSSY)
def test_lossy_codecs_there_and_back(name: str) -> None:
    codec = TABLE[name]
    records = [measure(codec, setting, pixels(), 1) for setting in sorted(codec.settings)]
    if codec.scale.kind == "distance":
        records.reverse()
    for record in records:
        assert record["bpp"] == record["bytes"] * 8 / (48 * 64)
        assert record["bpsp"] == pytest.approx(record["bpp"] / 3)
        assert record["psnr"] == pytest.approx(10 * math.log10(255**2 / record["mse"]))
        assert record["ms_ssim"] is None
        assert record["encode_s"] > 0
        assert record["decode_mps"] > 0
    assert records[-1]["bytes"] > records[0]["bytes"]
    assert records[-1]["psnr"] > records[0]["psnr"] + 3
    assert codec.version()


@pytest.mark.parametrize("name", LOSSLESS)
@pytest.mark.parametrize("shape", [(48, 64), (5, 3)])
def test_lossless_codecs_there_and_back(name: str, shape: tuple[int, int]) -> None:
    record = measure(TABLE[name], None, pixels(*shape), 1)
    assert (record["mse"], record["psnr"], record["setting"]) == (0, None, "")
    assert record["bytes"] > 50


@pytest.mark.parametrize("name", LOSSY)
def test_odd_sides(name: str) -> None:
    codec = TABLE[name]
    assert measure(codec, codec.settings[-1], pixels(37, 51), None)["shape"] == [37, 51, 3]


def test_rdzip_by_its_models() -> None:
    codec = codecs.find("rdzip:photo")
    assert codec.lossless
    assert codec.settings == (None,)
    assert measure(codec, None, pixels(), 1)["mse"] == 0
    assert "photo" in codec.version()
    assert measure(codecs.find("rdzip:photo:classic"), None, pixels(), 1)["codec"] == "rdzip:photo:classic"
    assert codecs.find("rdzip").version() == codecs.find("rdzip:photo-fast").version()
    assert codecs.find("rdzip").encode(pixels(), None, 1) == rdzip.compress(pixels(), metadata="none")
    with pytest.raises(ModelError, match="no-such-model"):
        codecs.find("rdzip:no-such-model")


@pytest.mark.parametrize(
    ("name", "model", "codec"),
    [
        ("rdzip", "photo-fast", None),
        ("rdzip:a", "a", None),
        ("rdzip:a:b", "a", "b"),
        ("rdzip:c:/x.safetensors", "c:/x.safetensors", None),
    ],
)
def test_names_of_own_codecs(name: str, model: str, codec: str | None) -> None:
    assert own.is_own(name)
    assert own._parts(name) == (model, codec)


def test_a_lossy_model(tmp_path: Path) -> None:
    with lossy_stub.registered():
        name = f"rdzip:{lossy_stub.write(tmp_path / 'dct.safetensors')}"
        codec = codecs.find(name)
        assert not codec.lossless
        image = lossy_stub.photo(80, 96)
        warm(codec, image)
        coarse, fine = (measure(codec, quality, image, None) for quality in (20, 80))
        assert (coarse["setting"], fine["setting"]) == ("q20", "q80")
        assert coarse["bytes"] < 0.7 * fine["bytes"]
        assert 20 < coarse["psnr"] < fine["psnr"] - 2
        ((chosen,), (rest,)) = (choose(name, qualities, print) for qualities in (["5,50"], [f"{name}=7"]))
        assert (chosen.settings, rest.settings) == ((5, 50), (7,))
        with pytest.raises(InputError, match="expected quality whole numbers of 1 to 100, found 0"):
            choose(name, ["0"], print)


def test_a_codec_that_changes_pixels_is_found_out() -> None:
    png = TABLE["png"]
    broken = replace(png, decode=lambda data, threads: png.decode(data, threads) // 2 * 2)
    with pytest.raises(InputError, match="expected the pixels back"):
        measure(broken, None, pixels(), None)
    smaller = replace(TABLE["jpeg"], decode=lambda data, threads: png.decode(data, threads)[1:])
    with pytest.raises(InputError, match=r"expected \[48, 64, 3\] of uint8 decoded, found \[47"):
        measure(smaller, 50, pixels(), None)

    def fails(*_: Any) -> Any:
        raise OSError("no good")

    with pytest.raises(InputError, match="cannot be coded: OSError: no good"):
        measure(replace(png, encode=fails), None, pixels(), None)


def test_mse_over_blocks_of_rows() -> None:
    a, b = pixels(600, 3), pixels(600, 3, seed=1)
    assert mse(a, b) == pytest.approx(np.mean((a.astype(float) - b) ** 2))
    assert mse(np.zeros((1, 1, 3), np.uint8), np.full((1, 1, 3), 255, np.uint8)) == 255**2


def test_averages_count_images_alike() -> None:
    a = measure(TABLE["jpeg"], 50, pixels(20, 20), None)
    b = measure(TABLE["jpeg"], 50, pixels(60, 90), None)
    record = average([a, b])
    assert (record["images"], record["bytes"]) == (2, a["bytes"] + b["bytes"])
    for name in ("bpp", "psnr", "mse", "encode_s"):
        assert record[name] == pytest.approx((a[name] + b[name]) / 2)
    assert record["ms_ssim"] is None
    assert record["decode_mps"] == pytest.approx((400 + 5400) / 1e6 / (a["decode_s"] + b["decode_s"]))
    assert average([a, a | {"psnr": None, "mse": 0.0}])["psnr"] is None


# Choosing


def test_names_groups_and_settings(skipped: list[str]) -> None:
    found = choose("webp, jpeg,webp,png", ["10,20,10", "webp=5"], skipped.append)
    assert [(one.codec.name, one.settings) for one in found] == [("webp", (5,)), ("jpeg", (10, 20)), ("png", (None,))]
    again = choose("webp,jpeg", ["webp=5", "10,20"], skipped.append)
    assert [one.settings for one in again] == [(5,), (10, 20)]
    assert skipped == []


def test_distances_are_no_qualities(skipped: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "_lacks", lambda package: None)
    monkeypatch.setitem(TABLE, "jxl", replace(TABLE["jxl"], missing=lambda: None))
    jpeg, jxl = choose("jpeg,jxl", ["10,20"], skipped.append)
    assert jpeg.settings == (10, 20)
    assert jxl.settings == TABLE["jxl"].settings
    assert choose("jxl", ["jxl=0.7"], skipped.append)[0].settings == (0.7,)
    assert jxl.codec.label(1.9) == "d1.9"
    assert jpeg.codec.label(20) == "q20"


@pytest.mark.parametrize(
    ("names", "qualities", "text"),
    [
        ("frob", [], "found 'frob'"),
        ("jpeg,", [], "found ''"),
        ("jpeg", ["0"], "jpeg: expected quality whole numbers of 1 to 100, found 0"),
        ("webp", ["101"], "webp: expected quality whole numbers of 0 to 100, found 101"),
        ("jpeg", ["50.5"], "found 50.5"),
        ("jpeg", ["nan"], "found nan"),
        ("jpeg", ["10,high"], "expected numbers by comma, found 'high'"),
        ("jpeg", ["webp=10"], "expected one of the codecs jpeg, found 'webp'"),
        ("jpeg,png", ["png=10"], "png is lossless"),
    ],
)
def test_wrong_wishes(names: str, qualities: list[str], text: str) -> None:
    with pytest.raises(InputError) as caught:
        choose(names, qualities, print)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_not_there_is_left_out_of_groups_only(skipped: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(peers.features, "check", lambda name: False)
    found = choose("lossy", [], skipped.append)
    assert [one.codec.name for one in found if not own.is_own(one.codec.name)] == ["jpeg"]
    assert any("jxl: needs imagecodecs" in line and "pip install 'rdzip[bench]'" in line for line in skipped)
    assert any("heic: needs pillow-heif" in line for line in skipped)
    assert any("avif: this Pillow was built without AVIF" in line for line in skipped)
    with pytest.raises(
        InputError, match=r"heic: needs pillow-heif, which is not installed; pip install 'rdzip\[bench\]'"
    ):
        choose("heic", [], skipped.append)


def test_every_default_setting_is_in_range() -> None:
    for codec in TABLE.values():
        for setting in codec.settings:
            if codec.scale is not None:
                assert setting is not None
                codec.scale.check(codec.name, setting)
    for quality in own.QUALITIES:
        own.QUALITY.check("rdzip", quality)


def test_a_model_file_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    path.write_bytes(own.hub.resolve("photo").path.read_bytes())
    assert codecs.find(f"rdzip:{path}").lossless
    with lossy_stub.registered():
        other = lossy_stub.write(path)
        for copy in own.hub.cache_dir().glob("*.safetensors"):
            copy.unlink()
        with pytest.raises(ModelError, match=r"run 'rdzip models pull .*mine\.safetensors' first"):
            codecs.find(f"rdzip:{other}")
