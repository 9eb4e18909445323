"""The model that comes with the package, on real photographs: exact, and smaller than the classic codecs."""

import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import rdzip
from rdzip import hub

DECODE = """
import hashlib, sys
import numpy as np
import rdzip
print(hashlib.sha256(np.asarray(rdzip.open_rdz(sys.argv[1])).tobytes()).hexdigest())
"""


def webp(image: Image.Image) -> int:
    out = io.BytesIO()
    image.save(out, format="WEBP", lossless=True, quality=100, method=6, exact=True)
    return len(out.getvalue())


@pytest.fixture
def photograph(shared_data: Path) -> Image.Image:
    file = sorted((shared_data / "photos" / "valid").glob("*.webp"))[0]
    with Image.open(file) as image:
        return image.convert("RGB").crop((100, 100, 356, 292))


@pytest.mark.parametrize("model", ["photo", "photo-fast", "photo-large"])
def test_known_answer(model: str) -> None:
    assert hub.verify(model).known_answer
    assert hub.resolve(model).source == "bundled"


@pytest.mark.parametrize("codec", ["mixing", "causal"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA"])
def test_photograph(photograph: Image.Image, mode: str, codec: str) -> None:
    image = photograph.convert(mode)
    data = rdzip.compress(image, codec=None if codec == "mixing" else codec)
    assert rdzip.info(data)["codec"] == codec
    back = rdzip.decompress(data)
    assert back.mode == mode
    np.testing.assert_array_equal(np.asarray(back), np.asarray(image))
    assert len(data) < 0.93 * webp(image)


def test_grey_costs_one_channel(photograph: Image.Image) -> None:
    grey = photograph.convert("L")
    assert abs(len(rdzip.compress(grey.convert("RGB"))) - len(rdzip.compress(grey))) < 16


def test_decodes_in_another_process_without_simd(photograph: Image.Image, tmp_path: Path) -> None:
    file = tmp_path / "photo.rdz"
    small = photograph.crop((0, 0, 90, 70))
    file.write_bytes(rdzip.compress(small, codec="causal"))
    levels = {"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", DECODE, str(file)], env=os.environ | levels, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == hashlib.sha256(np.asarray(small).tobytes()).hexdigest()
