"""The causal codec: lossless for every size and content, the same payload however it is computed, loud when corrupt."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import tiny_causal
from hypothesis import given, settings
from hypothesis import strategies as st

from rdzip.codecs.causal import codec as causal
from rdzip.codecs.causal import compiled as causal_compiled
from rdzip.codecs.threads import thread_limit
from rdzip.errors import CoderError, InputError
from rdzip.exact import layers, products
from rdzip.models.causal.model import CausalModel
from rdzip.models.shared.template import Wavefronts


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_causal.write(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture(scope="module")
def model(file: Path) -> CausalModel:
    return tiny_causal.load(file)


@pytest.fixture(scope="module")
def in_torch(file: Path) -> CausalModel:
    return tiny_causal.in_torch(file)


def in_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(causal_compiled, "can_compile", lambda *_: False)


def picture(kind: str, h: int, w: int, channels: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shape = (h, w) if channels == 1 else (h, w, channels)
    if kind == "noise":
        return rng.integers(0, 256, shape, dtype=np.uint8)
    if kind == "constant":
        return np.full(shape, seed % 256, np.uint8)
    if kind == "extremes":
        return (rng.integers(0, 2, shape) * 255).astype(np.uint8)
    y, x = np.mgrid[:h, :w]
    smooth = 128 + 60 * np.sin(x / 7) + 50 * np.cos(y / 5)
    layers = smooth if channels == 1 else np.stack([smooth, smooth * 0.9 + 5, smooth * 0.7 + 20], -1)
    return np.clip(layers + rng.normal(0, 3, shape), 0, 255).astype(np.uint8)


def check(model: CausalModel, pixels: np.ndarray) -> bytes:
    encoded = causal.encode(model, pixels)
    decoded = causal.decode(model, encoded.payload, pixels.shape, encoded.layout)
    np.testing.assert_array_equal(decoded, pixels)
    assert decoded.dtype == np.uint8
    assert encoded.bits.total <= 8 * len(encoded.payload) < encoded.bits.total + 33
    assert abs(encoded.bits.net - encoded.bits.ideal) <= 0.001 * encoded.bits.ideal + 1
    assert encoded.bits.net <= encoded.bits.total < encoded.bits.net + 66
    return encoded.payload


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(["noise", "constant", "extremes", "smooth"]),
    st.integers(1, 24),
    st.integers(1, 24),
    st.sampled_from([1, 3]),
    st.integers(0, 255),
)
def test_round_trip(model: CausalModel, kind: str, h: int, w: int, channels: int, seed: int) -> None:
    check(model, picture(kind, h, w, channels, seed))


@pytest.mark.parametrize(("h", "w"), [(1, 1), (1, 90), (90, 1), (2, 3), (61, 67)])
@pytest.mark.parametrize("channels", [1, 3])
def test_sizes(model: CausalModel, h: int, w: int, channels: int) -> None:
    check(model, picture("smooth", h, w, channels))


SHAPES = [(1, 1), (1, 90), (90, 1), (2, 40), (40, 2), (40, 3), (3, 40), (31, 17), (17, 31)]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["noise", "extremes", "smooth"])
def test_compiled_code_numpy_and_torch_give_one_payload(
    model: CausalModel, in_torch: CausalModel, kind: str, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = [picture(kind, h, w, channels) for h, w in SHAPES]
    assert causal_compiled.can_compile(model, "grey")
    assert not causal_compiled.can_compile(in_torch, "grey")
    payloads = [check(model, pixels) for pixels in pictures]
    assert [check(in_torch, pixels) for pixels in pictures] == payloads
    in_numpy(monkeypatch)
    assert [check(model, pixels) for pixels in pictures] == payloads


@pytest.mark.parametrize("way", ["compiled", "numpy"])
def test_payload_does_not_depend_on_the_bands(model: CausalModel, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "numpy":
        in_numpy(monkeypatch)
    payloads = set()
    for size in (1, 64, 700, 1 << 20):
        monkeypatch.setattr(causal, "BAND_PIXELS", size)
        monkeypatch.setattr(causal_compiled, "CALL_PIXELS", size)
        payloads.add(check(model, picture("smooth", 40, 50, 3)))
    assert len(payloads) == 1


def test_bands_of_narrow_pictures_hold_pixels_only() -> None:
    for height, width in ((1000, 1), (1000, 2), (999, 3), (1, 1000), (300, 8), (20, 30)):
        fronts = Wavefronts(height, width)
        bands = fronts.bands(64)
        found = [fronts.pixels(first, stop) for first, stop in reversed(bands)]
        assert all(len(y) <= 64 for y, _, _ in found)
        assert len(bands) < 3 + 3 * height * width / 64
        y, x = (np.concatenate(parts) for parts in zip(*[(y, x) for y, x, _ in found], strict=True))
        assert len(set(zip(y.tolist(), x.tolist(), strict=True))) == len(y) == height * width
        assert (np.diff((x + 3 * y) * height + y) > 0).all()
        counts = np.concatenate([counts for _, _, counts in found]).tolist()
        assert counts == [end - begin for begin, end in map(fronts.rows, range(fronts.steps))]
        assert max(counts) == fronts.most


@pytest.mark.parametrize("threads", [1, 2])
def test_threads(model: CausalModel, in_torch: CausalModel, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = picture("smooth", 133, 91, 3)
    reference = causal.encode(model, pixels).payload
    monkeypatch.setattr(causal, "BAND_PIXELS", 500)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with thread_limit(threads):
            assert causal.encode(model, pixels).payload == reference
            assert check(in_torch, pixels) == reference
    finally:
        torch.set_num_threads(before)


@pytest.mark.filterwarnings("ignore:TF32")
def test_without_mkldnn(in_torch: CausalModel) -> None:
    pixels = picture("smooth", 33, 41, 3)
    reference = causal.encode(in_torch, pixels).payload
    with torch.backends.mkldnn.flags(enabled=False):
        assert check(in_torch, pixels) == reference


DECODE = """
import sys, hashlib
from pathlib import Path
import numpy as np
sys.path.insert(0, sys.argv[1])
from helpers import tiny_causal
from rdzip.codecs.causal import codec as causal
for load in (tiny_causal.load, tiny_causal.in_torch):
    model = load(Path(sys.argv[2]))
    pixels = causal.decode(model, Path(sys.argv[3]).read_bytes(), (48, 56, 3), int(sys.argv[4]))
    print(hashlib.sha256(pixels.tobytes()).hexdigest())
"""


@pytest.mark.parametrize("isa", ["SSE41", "AVX2"])
def test_other_simd_levels_in_another_process(file: Path, model: CausalModel, tmp_path: Path, isa: str) -> None:
    pixels = picture("smooth", 48, 56, 3)
    encoded = causal.encode(model, pixels)
    payload = tmp_path / "payload"
    payload.write_bytes(encoded.payload)
    level = {
        "ONEDNN_MAX_CPU_ISA": isa,
        "MKL_ENABLE_INSTRUCTIONS": isa.replace("SSE41", "SSE4_2"),
        "OMP_NUM_THREADS": "1",
    }
    environment = os.environ | level | {"ATEN_CPU_CAPABILITY": "default" if isa == "SSE41" else "avx2"}
    command = [sys.executable, "-c", DECODE, str(Path(tiny_causal.__file__).parents[1]), str(file), str(payload)]
    out = subprocess.run([*command, str(encoded.layout)], env=environment, capture_output=True, text=True, check=True)
    assert out.stdout.split() == [hashlib.sha256(pixels.tobytes()).hexdigest()] * 2


@pytest.mark.parametrize("way", ["compiled", "numpy"])
def test_corrupt_payloads_are_errors_or_other_pixels(
    model: CausalModel, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "numpy":
        in_numpy(monkeypatch)
    pixels = picture("smooth", 20, 22, 3)
    encoded = causal.encode(model, pixels)
    rng = np.random.default_rng(0)
    for _ in range(20):
        damaged = bytearray(encoded.payload)
        damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
        try:
            decoded = causal.decode(model, bytes(damaged), pixels.shape, encoded.layout)
        except CoderError:
            continue
        assert not np.array_equal(decoded, pixels)
    for cut in (0, 4, 7, len(encoded.payload) - 4):
        with pytest.raises(CoderError):
            causal.decode(model, encoded.payload[:cut], pixels.shape, encoded.layout)
    with pytest.raises(CoderError, match="left over"):
        causal.decode(model, encoded.payload, (19, 22, 3), encoded.layout)
    with pytest.raises(CoderError, match="newer"):
        causal.decode(model, encoded.payload, pixels.shape, 99)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_does_not_reach_the_codec(in_torch: CausalModel, dtype: torch.dtype) -> None:
    pixels = picture("smooth", 30, 31, 3)
    with torch.autocast("cpu", dtype=dtype):
        check(in_torch, pixels)


def test_fast_products_change_no_bit(in_torch: CausalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = picture("smooth", 80, 90, 3)
    reference = check(in_torch, pixels)
    monkeypatch.setattr(layers, "FAST_SIZE", 0)
    monkeypatch.setattr(products.fast_products, "_allowed", hasattr(torch.backends.mkldnn, "matmul"))
    assert check(in_torch, pixels) == reference


def test_short_payloads_of_huge_pictures_are_refused_at_once(model: CausalModel) -> None:
    for shape in ((1 << 26, 1, 3), (1, 1 << 26, 3), (1 << 14, 1 << 14)):
        with pytest.raises(CoderError, match="cannot hold"):
            causal.decode(model, b"\1\0\0\0\1\0\0\0", shape, 3)


@pytest.mark.parametrize("shape", [(4, 4, 2), (4,), (2, 2, 2, 2), (0, 4, 3)])
def test_unusable_pixels(model: CausalModel, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError):
        causal.encode(model, np.zeros(shape, np.uint8))
    with pytest.raises(InputError):
        causal.encode(model, np.zeros((4, 4), np.uint16))  # type: ignore[arg-type]


def test_progress_reaches_the_end(model: CausalModel) -> None:
    seen: list[float] = []
    encoded = causal.encode(model, picture("smooth", 30, 30, 1), progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1
    seen.clear()
    causal.decode(model, encoded.payload, (30, 30), encoded.layout, progress=seen.append)
    assert seen == sorted(seen)
    assert 0 <= seen[0] <= seen[-1] <= 1
