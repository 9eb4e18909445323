import contextlib

import numpy as np
import pytest

from rdzip.codecs.classic import codec as classic
from rdzip.codecs.names import ClassicMethod
from rdzip.errors import CoderError

SHAPES = [(1, 1), (1, 9), (9, 1), (5, 7), (33, 40), (20, 30, 2), (20, 31, 3), (21, 30, 4)]
DTYPES = ["u1", "<u2", "<i4", "<f4"]
CODED = [(shape, dtype) for shape in SHAPES for dtype in DTYPES if len(shape) == 2 or dtype in ("u1", "<u2")]
"""No mode has several channels of 32 bits."""


def _samples(shape: tuple[int, ...], dtype: str, kind: str) -> np.ndarray:
    rng = np.random.default_rng(2)
    if kind == "constant":
        return np.full(shape, 7, dtype)
    if kind == "bits":
        return rng.integers(0, 2, shape).astype(dtype)
    if kind == "noise":
        return np.frombuffer(rng.bytes(int(np.prod(shape)) * np.dtype(dtype).itemsize), dtype).reshape(shape)
    walk = rng.normal(size=shape).cumsum(0).cumsum(1) * 3 + 100
    return walk.astype(dtype) if dtype == "<f4" else walk.astype(np.int64).astype(dtype)


@pytest.mark.parametrize("kind", ["smooth", "constant", "bits", "noise"])
@pytest.mark.parametrize(("shape", "dtype"), CODED)
def test_every_method_gives_the_samples_back(shape, dtype, kind):
    samples = _samples(shape, dtype, kind)
    best = classic.encode(samples)
    at_once = classic.encode_at_once(samples)
    tries = [(best.payload, best.layout), (samples.tobytes(), ClassicMethod.RAW), *classic._candidates(samples)]
    tries += [(at_once.payload, at_once.layout)] if at_once else []
    for payload, method in tries:
        back = classic.decode(payload, samples.shape, samples.dtype, method)
        assert back.dtype == samples.dtype
        assert back.tobytes() == samples.tobytes(), ClassicMethod(method).name
        assert len(best.payload) <= len(payload)
    assert best.bits.total == 8 * len(best.payload)


def test_a_constant_image_costs_one_pixel():
    assert len(classic.encode(np.full((300, 200, 3), 9, np.uint8)).payload) == 3


def test_noise_costs_no_more_than_its_samples():
    samples = _samples((64, 64, 3), "u1", "noise")
    assert len(classic.encode(samples).payload) <= samples.nbytes


@pytest.mark.parametrize("dtype", DTYPES)
def test_damaged_payloads_raise_coder_errors_only(dtype):
    samples = _samples((12, 9), dtype, "smooth")
    rng = np.random.default_rng(0)
    for payload, method in classic._candidates(samples):
        for _ in range(150):
            bad = bytearray(payload)
            at = int(rng.integers(0, len(bad)))
            bad[at] ^= int(rng.integers(1, 256))
            bad = bad[: int(rng.integers(0, len(bad) + 1))] if rng.integers(0, 2) else bad
            try:
                back = classic.decode(bytes(bad), samples.shape, samples.dtype, method)
            except CoderError:
                continue
            assert back.shape == samples.shape


def test_any_method_refuses_a_foreign_payload_or_gives_the_shape():
    for method in range(9):
        for payload in (b"", b"\x00", b"\x2f" + bytes(8), b"\x08" + bytes(30), bytes(200)):
            for shape, dtype in [((4, 5), "u1"), ((4, 5, 3), "<u2"), ((4, 5), "<f4")]:
                with contextlib.suppress(CoderError):
                    assert classic.decode(payload, shape, np.dtype(dtype), method).shape == shape
