"""The codec dct: coefficients come back, whatever they are; corrupt payloads are refused."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdzip.codecs.dct import codec as dct_codec
from rdzip.codecs.dct.codec import decode, encode
from rdzip.codecs.dct.coefficients import Coefficients, Component
from rdzip.codecs.dct.cross import ONE, resampled, table
from rdzip.codecs.dct.presets import PRESETS
from rdzip.errors import CoderError, InputError
from rdzip.models.dct_mixing.tables import HALF_STEP, ONE_STEP, log_class, logarithm_table
from rdzip.models.dct_mixing.zigzag import ZIGZAG

COSINES = np.array(
    [[(0.125**0.5 if u == 0 else 0.5) * np.cos((2 * x + 1) * u * np.pi / 16) for x in range(8)] for u in range(8)]
)


def equal(a: Coefficients, b: Coefficients) -> bool:
    return len(a.components) == len(b.components) and all(
        np.array_equal(x.coefficients, y.coefficients)
        and np.array_equal(x.quantisation, y.quantisation)
        and x.sampling == y.sampling
        and x.coefficients.dtype == y.coefficients.dtype == np.int16
        for x, y in zip(a.components, b.components, strict=True)
    )


def picture(seed: int, mcus: tuple[int, int], samplings: list[tuple[int, int]], spread: float) -> Coefficients:
    """Random coefficients, smaller at higher frequencies, of components with these sampling factors."""
    rng = np.random.default_rng(seed)
    zigzag = np.argsort(ZIGZAG)
    components = []
    for h, v in samplings:
        scale = spread / (1 + zigzag)
        blocks = rng.laplace(0, 1, (mcus[0] * v, mcus[1] * h, 64)) * scale
        steps = rng.integers(1, 60, 64).astype(np.uint16)
        components.append(Component(np.clip(np.rint(blocks), -32768, 32767).astype(np.int16), steps, (h, v)))
    return Coefficients(tuple(components))


@given(
    st.integers(0, 2**32),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=4),
    st.sampled_from([0.0, 1.0, 30.0, 3000.0, 1e6]),
    st.sampled_from([1, 6, 9]),
)
@settings(max_examples=30)
def test_coefficients_come_back(
    seed: int, mcus: tuple[int, int], samplings: list[tuple[int, int]], spread: float, effort: int
) -> None:
    given_picture = picture(seed, mcus, samplings, spread)
    assert equal(decode(encode(given_picture, effort)), given_picture)


def test_bands_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    given_picture = picture(1, (6, 4), [(2, 2), (1, 1), (1, 1)], 100.0)
    one = encode(given_picture, 1)
    monkeypatch.setattr(dct_codec, "BAND_BLOCKS", 40)
    several = encode(given_picture, 1, threads=2)
    assert several != one
    assert equal(decode(several), given_picture)
    assert encode(given_picture, 1, threads=1) == several


def test_extremes_come_back() -> None:
    blocks = np.full((2, 3, 64), -32768, np.int16)
    blocks[0] = 32767
    steps = np.array([0, 65535] * 32, np.uint16)
    given_picture = Coefficients((Component(blocks, steps, (1, 1)), Component(blocks[::-1].copy(), steps, (1, 1))))
    for effort in (1, 6, 9):
        assert equal(decode(encode(given_picture, effort)), given_picture)


def test_zeros_cost_little() -> None:
    nothing = Coefficients((Component(np.zeros((64, 64, 64), np.int16), np.ones(64, np.uint16), (1, 1)),))
    assert len(encode(nothing, 6)) < 150


def test_smooth_edges_are_predicted() -> None:
    """Blocks of a smooth surface take far less than the same blocks in a random order."""
    y, x = np.mgrid[:256, :256]
    surface = 500 * np.sin(x / 37) * np.cos(y / 29) + 200 * np.sin((x + y) / 11)
    tiles = surface.reshape(32, 8, 32, 8).swapaxes(1, 2)
    blocks = np.rint(np.einsum("vy,rcyx,ux->rcvu", COSINES, tiles, COSINES) / 2).astype(np.int16).reshape(32, 32, 64)
    mixed = np.random.default_rng(1).permutation(blocks.reshape(1024, 64)).reshape(blocks.shape)
    steps = np.full(64, 2, np.uint16)
    sizes = [len(encode(Coefficients((Component(b, steps, (1, 1)),)), 6)) for b in (blocks, mixed)]
    assert sizes[0] < 0.75 * sizes[1]


@pytest.mark.parametrize("effort", [1, 6, 9])
def test_corrupt_payloads_are_refused_or_decode(effort: int) -> None:
    payload = encode(picture(3, (3, 3), [(2, 1), (1, 1), (1, 1)], 50.0), effort)
    rng = np.random.default_rng(effort)
    for _ in range(30):
        broken = bytearray(payload)
        for at in rng.integers(0, len(payload), 3):
            broken[at] ^= 1 << int(rng.integers(8))
        with suppress(CoderError):
            decode(bytes(broken))
    for size in (0, 1, 5, len(payload) // 2):
        with pytest.raises(CoderError):
            decode(payload[:size])
    with pytest.raises(CoderError, match="left over"):
        decode(payload + b"\0")


def test_claims_are_refused_before_memory_is_taken() -> None:
    head = bytes([2, 1])
    huge = head + b"\xff\x3f\xff\x3f\x00\x00" + bytes(64) + b"\x01" + bytes(50)
    with pytest.raises(CoderError, match="at most 178956970 pixels"):
        decode(huge)
    with pytest.raises(CoderError, match="layout"):
        decode(b"\x7f" + encode(picture(3, (1, 1), [(1, 1)], 5.0))[1:])


def test_pictures_without_blocks_are_refused() -> None:
    with pytest.raises(InputError, match="1 to 4 components"):
        encode(Coefficients(()))
    with pytest.raises(InputError, match="with blocks"):
        encode(Coefficients((Component(np.zeros((0, 3, 64), np.int16), np.ones(64, np.uint16), (1, 1)),)))


def test_presets_have_their_numbers() -> None:
    assert all(layout == preset.layout for layout, preset in PRESETS.items())


def test_edges_are_the_cosines_continued_in_a_line() -> None:
    first, second = COSINES[:, 0], COSINES[:, 1]
    assert np.array_equal(HALF_STEP, np.rint(8192 * (first - (second - first) / 2)))
    assert np.array_equal(ONE_STEP, np.rint(8192 * (first - (second - first))))


@pytest.mark.parametrize("ratio", [1, 2, 4])
def test_tables_of_ratios_are_sums_of_cosines(ratio: int) -> None:
    n = 8 // ratio
    small = np.array(
        [
            [((1 if w == 0 else 2) / n) ** 0.5 * np.cos((2 * x + 1) * w * np.pi / (2 * n)) for w in range(n)]
            for x in range(n)
        ]
    )
    expected = np.stack([COSINES[:, j * n : (j + 1) * n] @ small / ratio**0.5 for j in range(ratio)])
    assert np.array_equal(table(ratio).reshape(ratio, 8, n), np.rint((1 << ONE) * expected))


def test_resampling_takes_means_of_smooth_pictures() -> None:
    """Four blocks without high frequencies become one of half their size, sample by sample."""
    rng = np.random.default_rng(5)
    blocks = np.zeros((2, 2, 8, 8))
    blocks[..., :4, :4] = rng.integers(-300, 300, (2, 2, 4, 4))
    found = resampled(blocks.astype(np.int16).reshape(-1), np.ones(64, np.int64), (2, 2), (2, 2), (1, 1))
    samples = np.einsum("vy,rcvu,ux->rycx", COSINES, blocks, COSINES).reshape(16, 16)
    # a block without its high frequencies at half the size: the 4 x 4 DCT of its low ones
    small = np.array(
        [[(0.5 if w == 0 else 0.5**0.5) * np.cos((2 * x + 1) * w * np.pi / 8) for x in range(4)] for w in range(4)]
    )
    halves = np.einsum("vy,rcvu,ux->rycx", small, blocks[..., :4, :4] / 2, small).reshape(8, 8)
    expected = COSINES @ halves @ COSINES.T
    assert np.abs(found.reshape(8, 8) - expected).max() <= 1
    assert abs(samples.mean() - halves.mean()) < 1e-9


def test_logarithmic_classes() -> None:
    t = logarithm_table()
    for j in range(3):
        classes = [log_class(t, v, j, 1000) for v in (*range(5000), 2**20 - 1, 2**20, 2**20 + 2**18)]
        assert classes == sorted(classes)
        assert classes[: 1 << j] == list(range(1 << j))
        assert log_class(t, 1 << 20, j, 1000) - log_class(t, 1 << 19, j, 1000) == 1 << j
    assert log_class(t, 10**6, 2, 31) == 31
