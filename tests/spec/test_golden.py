"""Files written by earlier versions decode for ever to the same samples, lossy ones to the same but for rounding."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import rdzip
from rdzip.codecs.mixing.presets import FAST_LS, FAST_NET, FAST_PLAIN, PRESETS, SLOW, SLOW_NET
from rdzip.codecs.names import LATENT_CODECS
from rdzip.entropy import ans
from rdzip.entropy.plain_ans import PlainAns
from rdzip.formats.carriers.table import CARRIERS_BY_NAME

GOLDEN = Path(__file__).parents[1] / "golden"
FILES = sorted(GOLDEN.glob("*/*/*.rdz"))


def expected(file: Path) -> dict[str, Any]:
    entry: dict[str, Any] = json.loads((file.parent / "index.json").read_text())[file.stem]
    return entry


def test_there_are_golden_files() -> None:
    lossy = {"hyperprior", "channel-ar", "irec-vae"}
    codecs = {"causal", "classic", "mixing", "dct", "bytes", *lossy, *LATENT_CODECS}
    assert {expected(file)["codec"] for file in FILES} == codecs
    carried = {rdzip.info(file)["carrier"] for file in FILES if "restored_sha256" in expected(file)}
    assert carried == set(CARRIERS_BY_NAME)


def test_there_is_one_of_each_preset_of_mixing() -> None:
    files = [file for file in FILES if file.parent.name == "mixing"]
    layouts = {file.stem: {plane["layout"] for plane in rdzip.info(file)["planes"].values()} for file in files}
    names = {FAST_PLAIN: "fast-plain", FAST_LS: "fast-ls", FAST_NET: "fast-net", SLOW: "slow", SLOW_NET: "slow-net"}
    assert set(names) == set(PRESETS.values())
    for preset, name in names.items():
        own = [stem for stem in layouts if stem.startswith(f"{name}-") and not stem.startswith(f"{name}-net-")]
        assert own
        assert all(layouts[stem] == {preset.layout} for stem in own)


@pytest.mark.parametrize("file", FILES, ids=[f"{f.parent.name}-{f.stem}" for f in FILES])
def test_golden_file(file: Path) -> None:
    entry = expected(file)
    data = file.read_bytes()
    assert hashlib.sha256(data).hexdigest() == entry["file_sha256"]
    if "restored_sha256" in entry:
        assert hashlib.sha256(rdzip.restore(data)).hexdigest() == entry["restored_sha256"]
        return
    pixels = rdzip.decompress_array(data)
    assert (list(pixels.shape), str(pixels.dtype)) == (entry["shape"], entry["dtype"])
    if "pixels_sha256" in entry:
        assert hashlib.sha256(pixels.tobytes()).hexdigest() == entry["pixels_sha256"]
    else:  # symbols are checked by their hash in the file; transforms are floats
        with Image.open(file.with_suffix(".png")) as image:
            before = np.asarray(image)
        assert int(np.abs(pixels.astype(np.int16) - before).max()) <= 1


@pytest.mark.parametrize("name", ["causal/grey-alpha", "bits-back/bb-is"])
def test_golden_file_without_constriction(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ans, "coder_here", lambda: PlainAns)
    test_golden_file(GOLDEN / "0.1" / f"{name}.rdz")
