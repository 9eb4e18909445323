from __future__ import annotations

import hashlib

import numpy as np
import pytest
from helpers import lossy_stub
from helpers.lossy_stub import StubModel
from hypothesis import given, settings
from hypothesis import strategies as st

from rdzip.codecs.names import LOSSY_CODECS
from rdzip.codecs.transform import codec as transform
from rdzip.codecs.transform import tiles as transform_tiles
from rdzip.codecs.transform.head import Head, describe
from rdzip.codecs.transform.tiles import Assembly, Grid, Region, cut
from rdzip.errors import CoderError, InputError, ModelError
from rdzip.rec.settings import Settings

MODEL = StubModel()
SIZES = [(1, 1), (1, 9), (17, 2), (8, 8), (23, 41)]


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, np.mean((a.astype(float) - b) ** 2))))


def decoded(payload: bytes, shape: tuple[int, ...], layout: int = 1, model: StubModel = MODEL) -> np.ndarray:
    return transform.synthesise(model, transform.unpack(model, payload, shape, layout), shape)


@pytest.mark.parametrize("channels", [(3,), ()])
@pytest.mark.parametrize("size", SIZES)
def test_there_and_back(size: tuple[int, int], channels: tuple[int, ...]) -> None:
    pixels = lossy_stub.photo(*size)
    pixels = pixels if channels else pixels[:, :, 1]
    coded = transform.encode(MODEL, pixels, 20, quality=90)
    assert coded.layout == LOSSY_CODECS.index("channel-ar")
    found = transform.unpack(MODEL, coded.payload, pixels.shape, coded.layout)
    assert found.digest == coded.digest
    assert (found.head.setting, found.head.quality) == (20, 90)
    back = transform.synthesise(MODEL, found, pixels.shape)
    assert back.shape == pixels.shape
    assert back.dtype == np.uint8
    assert psnr(back, pixels) > 38


@pytest.mark.parametrize("setting", [0, 100, 255])
@pytest.mark.parametrize("tile", [24, 1024])
def test_rates_are_those_that_are_estimated(setting: int, tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The alarm of real against estimated rates: 1 %."""
    monkeypatch.setattr(transform_tiles, "TILE", tile)
    pixels = lossy_stub.photo(200, 150)
    coded = transform.encode(MODEL, pixels, setting)
    assert coded.bits.total <= 8 * len(coded.payload)
    assert coded.bits.net == pytest.approx(coded.bits.ideal, rel=1e-3, abs=2 * Grid.of(pixels.shape, 8).number)
    assert 8 * len(coded.payload) == pytest.approx(transform.estimate(MODEL, pixels, setting), rel=0.01)


def test_finer_settings_take_more_bits_and_are_closer() -> None:
    pixels = lossy_stub.photo(64, 80)
    coded = [transform.encode(MODEL, pixels, setting) for setting in range(0, 256, 50)]
    sizes = [len(one.payload) for one in coded]
    quality = [psnr(decoded(one.payload, pixels.shape), pixels) for one in coded]
    assert sizes == sorted(sizes, reverse=True)
    assert quality == sorted(quality, reverse=True)


@pytest.mark.parametrize(("tile", "count"), [(24, 12), (40, 4), (8, 70)])
def test_tiles_leave_no_seams(tile: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tile by tile, both transforms give what they give of the whole, to 1/100 of a level."""
    model = StubModel(filtered=True)
    pixels = lossy_stub.photo(75, 53)
    whole = Grid.of(pixels.shape, model.stride)
    assert whole.number == 1
    latents = transform.analyse(model, pixels, whole, whole.tiles()[0], 60)
    found = transform.unpack(model, transform.encode(model, pixels, 60).payload, pixels.shape, 1)
    picture = transform.region_samples(model, found, whole.tiles()[0])
    monkeypatch.setattr(transform_tiles, "TILE", tile)
    grid = Grid.of(pixels.shape, model.stride)
    assert grid.number == count
    unlike = 0.0
    for part in grid.tiles():
        rows, columns = part.within(Region(0, 0, 0, 0))
        mine = transform.analyse(model, pixels, grid, part, 60)["y"]
        assert float((mine - latents["y"][:, rows, columns]).abs().max()) * model._size(60) < 0.01
        samples = transform.region_samples(model, found, part)
        theirs = picture[8 * part.top : 8 * part.bottom, 8 * part.left : 8 * part.right]
        assert np.abs(samples - theirs).max() < 0.01 / 255
        alone = StubModel(filtered=True)
        alone.halo = 0
        unlike = max(unlike, float(np.abs(transform.region_samples(alone, found, part) - theirs).max()))
    assert unlike > 0.5 / 255  # without a halo there would be seams


def test_many_tiles_decode_as_coded(monkeypatch: pytest.MonkeyPatch) -> None:
    model = StubModel(filtered=True)
    pixels = lossy_stub.photo(61, 90)
    one = transform.encode(model, pixels, 40)
    monkeypatch.setattr(transform_tiles, "TILE", 24)
    many = transform.encode(model, pixels, 40)
    monkeypatch.undo()
    found = [decoded(coded.payload, pixels.shape, coded.layout, model).astype(int) for coded in (one, many)]
    assert np.abs(found[0] - found[1]).max() <= 1  # symbols may differ by rounding, pixels hardly
    assert len(many.payload) > len(one.payload)
    seen: list[float] = []
    transform.unpack(model, many.payload, pixels.shape, 1, seen.append)
    assert len(seen) == 12
    assert seen[-1] == 1.0


def test_the_digest_is_that_of_the_latents() -> None:
    pixels = lossy_stub.photo(20, 12)
    coded = transform.encode(MODEL, pixels, 5)
    latents = transform.unpack(MODEL, coded.payload, pixels.shape, 1).latents.region(Region(0, 3, 0, 2))
    assert [latents[name].shape for name in ("a", "b")] == [(48, 3, 2), (36, 6, 4)]
    both = b"".join(latents[name].astype("<i4").tobytes() for name in ("a", "b"))
    assert coded.digest == hashlib.sha256(both).digest()


@pytest.mark.parametrize("setting", [100, 135, 136, 300, 32775, 32776, 40000])
def test_latents_that_need_more_bits_than_those_before(setting: int) -> None:
    grid = Grid(2, 3, 2, 2)
    assembly = Assembly(grid)
    tiles = grid.tiles()
    values = [np.full((2, tile.rows, tile.columns), 7 - setting * n, np.int32) for n, tile in enumerate(tiles)]
    for tile, part in zip(tiles, values, strict=True):
        assembly.put(tile, {"a": part})
    whole = assembly.region(Region(0, 2, 0, 3))["a"]
    assert whole.tolist() == np.concatenate(values, 2).tolist()
    with pytest.raises(ModelError, match="multiples of its stride"):
        assembly.put(tiles[0], {"a": np.zeros((2, 3, 2), np.int32)})


def test_pixels_go_on_beyond_the_picture() -> None:
    pixels = lossy_stub.photo(9, 11)
    part = cut(pixels, Region(0, 2, 0, 2), 8)
    assert part.shape == (16, 16, 3)
    assert np.array_equal(part[:9, :11], pixels)
    assert (part[9:] == part[8]).all()
    assert (part[:, 11:] == part[:, 10:11]).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5000), st.integers(1, 5000), st.sampled_from([8, 16, 64]))
def test_grids_cover_the_picture(height: int, width: int, stride: int) -> None:
    grid = Grid.of((height, width), stride)
    assert Grid.read((height, width), stride, grid.tile_rows, grid.tile_columns) == grid
    tiles = grid.tiles()
    assert len(tiles) == grid.number
    assert sum(tile.rows * tile.columns for tile in tiles) == grid.rows * grid.columns
    assert max(tile.rows for tile in tiles) * stride <= max(1024, stride)
    assert (grid.rows - 1) * stride < height <= grid.rows * stride


def test_what_cannot_be_coded_is_refused() -> None:
    for pixels in (np.zeros((2, 3, 4), np.uint8), np.zeros((2, 3)), np.zeros((0, 3), np.uint8)):
        with pytest.raises(InputError, match="uint8 pixels"):
            transform.encode(MODEL, pixels, 0)
    with pytest.raises(InputError, match="0 to 255"):
        transform.encode(MODEL, np.zeros((2, 3), np.uint8), 256)


def test_heads() -> None:
    payload = Head(200, 75, 3, 130).to_bytes()
    assert Head.of(payload + b"x", "channel-ar") == (Head(200, 75, 3, 130), len(payload))
    searched = Head(200, 75, 3, 130, Settings(250, 10, 5, 12345))
    assert Head.of(searched.to_bytes() + b"x", "irec-vae") == (searched, len(payload) + 6)
    assert describe(searched.to_bytes(), 2)["omega"] == 2.5
    assert describe(payload, 0) == {"codec": "hyperprior", "setting": 200, "q": 75}
    assert describe(Head(0, 0, 1, 1).to_bytes(), 1)["q"] is None
    for wrong in (Head(0, 101, 1, 1), Head(0, 0, 0, 1), Head(0, 0, 1, 0)):
        with pytest.raises(CoderError, match="damaged"):
            Head.of(wrong.to_bytes(), "channel-ar")
    for nonsense in (Settings(omega=19), Settings(epsilon=1001), Settings(beams=0)):
        with pytest.raises(CoderError, match="needs a newer rdzip"):
            Head.of(Head(0, 0, 1, 1, nonsense).to_bytes(), "irec-vae")
    with pytest.raises(CoderError, match="damaged"):
        Head.of(payload, "irec-vae")
    with pytest.raises(CoderError, match="newer"):
        describe(payload, len(LOSSY_CODECS))


@pytest.mark.parametrize(
    ("head", "layout", "what"),
    [
        (Head(256, 0, 2, 3), 1, "beyond the model"),
        (Head(5, 0, 3, 3), 1, "do not suit"),
        (Head(5, 0, 2, 4), 1, "do not suit"),
        (Head(5, 0, 2, 3), 0, "no codec hyperprior"),
        (Head(5, 0, 2, 3), 7, "newer"),
    ],
)
def test_impossible_heads_are_refused(head: Head, layout: int, what: str) -> None:
    pixels = lossy_stub.photo(16, 24)
    payload = transform.encode(MODEL, pixels, 5).payload
    _, at = Head.of(payload, "channel-ar")
    with pytest.raises(CoderError, match=what):
        transform.unpack(MODEL, head.to_bytes() + payload[at:], pixels.shape, layout)


def test_large_tiles_are_refused_before_they_are_decoded() -> None:
    with pytest.raises(CoderError, match="do not suit"):
        transform.unpack(MODEL, Head(5, 0, 300, 300).to_bytes() + b"\0\0\0\1", (2400, 2400), 1)
    with pytest.raises(CoderError, match="do not suit"):
        transform.unpack(MODEL, Head(5, 0, 1, 1).to_bytes() + b"\0\0\0\1", (1 << 15, 1 << 15), 1)


@pytest.mark.parametrize("tile", [16, 1024])
def test_damage_is_noticed(tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Truncated and changed payloads are refused, or decode to other symbols, which the hash tells."""
    monkeypatch.setattr(transform_tiles, "TILE", tile)
    pixels = lossy_stub.photo(30, 40)
    coded = transform.encode(MODEL, pixels, 90)
    payload, rng = coded.payload, np.random.default_rng(0)
    for cut_at in [*range(10), *rng.integers(0, len(payload), 20)]:
        with pytest.raises(CoderError):
            transform.unpack(MODEL, payload[:cut_at], pixels.shape, 1)
    with pytest.raises(CoderError):
        transform.unpack(MODEL, payload + bytes(4), pixels.shape, 1)
    with pytest.raises(CoderError):
        transform.unpack(MODEL, payload + b"\1\0\0\0", pixels.shape, 1)
    for _ in range(60):
        bad = bytearray(payload)
        bad[rng.integers(len(bad))] ^= 1 << rng.integers(8)
        try:
            found = transform.unpack(MODEL, bytes(bad), pixels.shape, 1)
        except CoderError:
            continue
        assert found.digest != coded.digest or found.head.quality or found.head.setting != 90
