"""Memory by the pixel whatever the shape, measured in processes of their own; no torch for small pictures."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


def _benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("shapes", ROOT / "benchmarks" / "shapes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["shapes"] = module
    spec.loader.exec_module(module)
    return module


SHAPES: Any = _benchmark()
CHILD = """
import re, resource, sys
from pathlib import Path
import numpy as np
import rdzip
from rdzip.codecs.classic import codec as classic

resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
photo = np.random.default_rng(0).integers(100, 110, (24_000, 3), dtype=np.uint8).cumsum(0, dtype=np.uint8)
deep = photo.astype(np.uint16) * 250
cases = [(1, photo, {"codec": "causal"}), (3, photo, {"codec": "causal"}), (8, photo[:, 0], {"codec": "causal"}),
         (1, photo[:3000, 0], {"codec": "mixing", "effort": 9}), (2, photo[:, 0], {"codec": "mixing", "effort": 3}),
         (1, photo, {"codec": "mixing", "effort": 1}), (1, photo[:3000], {"codec": "mixing", "effort": 6}),
         (2, photo[:, 0], {"codec": "mixing", "effort": 1, "max_error": 2}), (1, deep, {"codec": "classic"})]
for short, samples, options in cases:
    tall = samples.reshape(-1, short, *samples.shape[1:])
    for pixels in (tall, np.ascontiguousarray(tall.swapaxes(0, 1))):
        data = rdzip.compress(pixels, verify=False, **options)
        back = rdzip.decompress_array(data)
        worst = np.abs(back.astype(int) - pixels).max()
        assert worst <= options.get("max_error", 0), (short, options)
        peak = 1024 * int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text()).group(1))
        assert peak < 500e6 + 200 * pixels[..., :1].size, (pixels.shape, options, peak)
assert "torch" not in sys.modules
"""


def test_narrow_pictures_take_no_more_memory_than_others() -> None:
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


SMALL = """
import sys
import numpy as np
import rdzip

for shape in ((16, 16, 3), (1, 1), (32, 32), (5, 64, 3), (32, 32, 4)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    pixels = np.resize(((y * 3 + x * 2) % 97 + 60).astype(np.uint8), shape)
    for threads in (None, 1):
        data = rdzip.compress(pixels, threads=threads)
        assert np.array_equal(rdzip.decompress_array(data, threads=threads), pixels)
        data = rdzip.compress(pixels, codec="causal", threads=threads)
        assert np.array_equal(rdzip.decompress_array(data, threads=threads), pixels)
loaded = {name.split(".")[0] for name in sys.modules}
found = sorted(loaded & {"torch", "rich", "typer", "huggingface_hub", "safetensors"})
assert not found, found
"""


def test_small_pictures_need_no_torch() -> None:
    done = subprocess.run([sys.executable, "-c", SMALL], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


MODELS = """
import sys
from rdzip import hub

for name in ("cifar10-bitswap-2", "cifar10-resnet-vae", "photo-lossy", "photo-irec", "hyperprior-small"):
    hub.load(name)
assert "torch" in sys.modules
found = sorted({"sympy", "torch._dynamo"} & set(sys.modules))
assert not found, found
"""


def test_models_need_no_compiler_of_torch() -> None:
    done = subprocess.run([sys.executable, "-c", MODELS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


PIXELS, TESTED = 12_000, (1, 9)
"""Of the pictures, and their shorter sides: more, and larger ones, are for benchmarks/shapes.py."""


@pytest.mark.slow
@pytest.mark.parametrize("case", SHAPES.CASES)
def test_every_codec_keeps_its_memory_in_every_shape(case: str, tmp_path: Path) -> None:
    found = SHAPES.CASES[case]
    for height, width in SHAPES.shapes(min(found.pixels, PIXELS), TESTED):
        there, back, _ = SHAPES.both_ways(found, height, width, tmp_path)
        assert max(there.peak, back.peak) < found.allowed(height, width), (height, width)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["effort-1", "causal", "classic", "16-bits"])
@pytest.mark.parametrize("upright", [True, False])
def test_time_grows_with_the_pixels(case: str, upright: bool, tmp_path: Path) -> None:
    few, many = (
        SHAPES.both_ways(SHAPES.CASES[case], *((n, 1) if upright else (1, n)), tmp_path) for n in (50_000, 400_000)
    )
    for before, after in zip(few[:2], many[:2], strict=True):
        assert after.seconds < 12 * before.seconds + 2
