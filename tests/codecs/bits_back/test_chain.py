"""Chains of samples: every codec restores samples and stack, costs what its model says, and notices damage."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import tiny_latent, tiny_vae
from hypothesis import given, settings
from hypothesis import strategies as st

from rdzip.codecs.bits_back import chain
from rdzip.codecs.bits_back import tiles as tiled
from rdzip.codecs.bits_back.head import MAX_GROUPS, describe, describe_tiles, read_head, write_head
from rdzip.codecs.bits_back.options import Options
from rdzip.codecs.names import LATENT_CODECS
from rdzip.codecs.varint import read_numbers, write_numbers
from rdzip.errors import CoderError, InputError
from rdzip.exact.devices import threads

RNG = np.random.default_rng(0)
CASES = [
    ("grey", "bb-ans"),
    ("grey", "bit-swap"),
    ("deep", "bb-ans"),
    ("deep", "bit-swap"),
    ("resnet", "bb-ans"),
    ("resnet", "stochastic"),
    ("grey", "bb-is"),
    ("resnet", "bb-cis"),
]
SHAPES = {"grey": (7, 6), "deep": (9, 8, 3), "resnet": (5, 11, 3)}


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """More would only wait for each other: layers are tiny."""
    with threads(1):
        yield


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("models")
    return {kind: tiny_latent.load(folder, kind)[0] for kind in SHAPES}


def smooth(rows: int, shape: tuple[int, ...]) -> np.ndarray:
    noise = RNG.normal(0, 4, (rows, *shape))
    return np.clip(120 + 40 * np.sin(np.arange(rows)).reshape(-1, *[1] * len(shape)) + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("kind", "codec"), CASES)
def test_samples_come_back_and_rates_are_those_of_the_model(models: dict[str, Any], kind: str, codec: str) -> None:
    x, options = smooth(9, SHAPES[kind]), Options(particles=3)
    coded = chain.encode(models[kind], x, codec, options)
    np.testing.assert_array_equal(chain.decode(models[kind], coded.payload, x.shape), x)
    assert sum(group.rows for group in coded.groups) == 9
    bits = coded.bits
    assert bits.net == pytest.approx(bits.ideal, rel=0.005)
    assert bits.net <= bits.total <= 8 * len(coded.payload)
    assert coded.groups[-1].total == bits.total
    facts = describe(coded.payload)
    assert facts["codec"] == codec
    assert facts.get("particles", 3) == 3


def test_bit_swap_takes_fewer_initial_bits(models: dict[str, Any]) -> None:
    x = smooth(1, SHAPES["deep"])
    swap, ans = (chain.encode(models["deep"], x, codec, Options()).bits for codec in ("bit-swap", "bb-ans"))
    assert swap.total - swap.net < 0.7 * (ans.total - ans.net)


def test_groups_grow_without_more_initial_bits(models: dict[str, Any]) -> None:
    x = smooth(40, SHAPES["grey"])
    coded = chain.encode(models["grey"], x, "bb-ans", Options())
    single = chain.encode(models["grey"], x, "bb-ans", Options(), largest=1)
    assert max(group.rows for group in coded.groups) > 8
    assert all(group.rows == 1 for group in single.groups)
    assert coded.bits.total - coded.bits.net <= single.bits.total - single.bits.net + 32
    np.testing.assert_array_equal(chain.decode(models["grey"], single.payload, x.shape), x)


def test_large_supplies_and_no_samples(models: dict[str, Any]) -> None:
    x = smooth(1, (20, 30))
    options = Options(particles=300)
    coded = chain.encode(models["grey"], x, "bb-is", options)
    assert coded.bits.total - coded.bits.net > 1 << 19
    np.testing.assert_array_equal(chain.decode(models["grey"], coded.payload, x.shape), x)
    none = chain.encode(models["grey"], x[:0], "bb-ans", Options())
    assert chain.decode(models["grey"], none.payload, (0, 20, 30)).shape == (0, 20, 30)


@pytest.mark.parametrize(
    ("kind", "codec", "shape", "message"),
    [
        ("resnet", "bit-swap", (4, 4, 3), "Markov"),
        ("resnet", "bb-ans", (4, 4), r"found \[4, 4\]"),
        ("grey", "bb-smc", (4, 4), "codec of images"),
        ("grey", "bb-dance", (4, 4), "codec of images"),
    ],
)
def test_what_cannot_be_coded(
    models: dict[str, Any], kind: str, codec: str, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        chain.encode(models[kind], smooth(2, shape), codec, Options())


def test_damage_is_noticed(models: dict[str, Any]) -> None:
    """A damaged payload raises CoderError or gives other samples; nothing else happens."""
    x = smooth(5, SHAPES["grey"])
    payload = chain.encode(models["grey"], x, "bit-swap", Options()).payload
    wrong = 0
    for at in [*range(16), *RNG.integers(16, len(payload), 20)]:
        broken = bytearray(payload)
        broken[at] ^= 1 << int(RNG.integers(8))
        try:
            wrong += not np.array_equal(chain.decode(models["grey"], bytes(broken), x.shape), x)
        except CoderError:
            wrong += 1
    assert wrong >= 30  # flips of the six options may not matter
    for cut in (0, 1, 7, 12, len(payload) // 2 & ~3, len(payload) - 4, len(payload) - 1):
        with pytest.raises(CoderError):
            chain.decode(models["grey"], payload[:cut], x.shape)
    for n in (4, 6):
        with pytest.raises(CoderError, match="groups"):
            chain.decode(models["grey"], payload, (n, *SHAPES["grey"]))
    with pytest.raises(CoderError):
        chain.decode(models["resnet"], payload, x.shape)


def test_numbers_have_one_form_and_limits() -> None:
    numbers = [0, 1, 127, 128, 16384, (1 << 28) - 1]
    written = write_numbers(numbers)
    assert len(written) == 3 + 2 + 3 + 4
    assert read_numbers(written, 0, 6) == (numbers, len(written))
    for wrong in (1 << 28, -1):
        with pytest.raises(InputError, match="numbers below"):
            write_numbers([wrong])
    for longer in (b"\x80\0", b"\xff\x80\0", b"\xff\xff\xff\xff\1", b"\x80", b""):
        with pytest.raises(CoderError, match="head"):
            read_numbers(longer, 0, 1)
    with pytest.raises(InputError, match="groups"):
        write_head("bb-ans", Options(), [1] * (MAX_GROUPS + 1))
    head = write_head("bb-ans", Options(), [1] * MAX_GROUPS)
    assert len(read_head(head)[2]) == MAX_GROUPS


def test_groups_that_no_encoder_writes_are_refused(models: dict[str, Any]) -> None:
    """Larger ones would take more memory than any file needs; a single sample may be as large as it is."""
    body = b"\1\0\0\0"
    for size, particles, shape, message in (
        (257, 1, (7, 6), "damaged"),
        (200, 1, (80, 80), "163 are the most"),
        (2, 4096, (16, 16), "1 are the most"),
        (1, 4096, (16, 32), "end before the last symbol"),
    ):
        payload = write_head("bb-cis", Options(particles=particles), [size]) + body
        with pytest.raises(CoderError, match=message):
            chain.decode(models["grey"], payload, (size, *shape))


@pytest.mark.parametrize(
    ("codec", "message"), [("bit-swap", "Markov"), ("bb-ais", "one group of latents"), ("bb-smc", "codec of images")]
)
def test_codecs_that_the_model_cannot_have_are_damage(models: dict[str, Any], codec: str, message: str) -> None:
    x = smooth(2, SHAPES["resnet"])
    payload = chain.encode(models["resnet"], x, "bb-ans", Options()).payload
    with pytest.raises(CoderError, match=message):
        chain.decode(models["resnet"], bytes([LATENT_CODECS.index(codec)]) + payload[1:], x.shape)


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from(["bb-ans", "stochastic", "bb-cis"]))
def test_pictures_of_any_size(height: int, width: int, codec: str) -> None:
    model = _resnet()
    pixels = smooth(1, (height, width, 3))[0]
    coded = tiled.encode(model, pixels, codec, Options(particles=2))
    np.testing.assert_array_equal(tiled.decode(model, coded.payload, pixels.shape, coded.layout), pixels)
    assert describe_tiles(coded.payload)["codec"] == codec


def waves(height: int, width: int) -> np.ndarray:
    """A colour picture that is smooth but for a little noise."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([120 + 50 * np.sin(x / 9) + 40 * np.cos(y / (7 + c)) for c in range(3)], -1)
    return np.clip(pixels + RNG.normal(0, 5, pixels.shape), 0, 255).astype(np.uint8)


def test_few_tiles_are_coded_side_by_side_however_narrow() -> None:
    shapes = ((640, 640, 3), (64, 9000), (9000, 1, 3), (1, 9000, 3), (5, 5))
    assert [tiled._at_once(shape, 64, 1) for shape in shapes] == [5, 16, 21, 21, 256]
    assert [tiled._at_once(shape, 256, 4) for shape in shapes] == [1, 1, 1, 1, 64]


def test_a_picture_pays_no_initial_bits(models: dict[str, Any]) -> None:
    pixels = waves(160, 128)
    coded = tiled.encode(models["deep"], pixels, "bit-swap", Options())
    np.testing.assert_array_equal(tiled.decode(models["deep"], coded.payload, pixels.shape, coded.layout), pixels)
    assert 8 * len(coded.payload) < 1.002 * coded.bits.net
    assert read_numbers(coded.payload, 0, 2)[0][1] > 0


def test_damage_of_pictures_is_noticed(models: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiled, "TILE", 16)
    pixels = waves(64, 24)
    coded = tiled.encode(models["deep"], pixels, "bit-swap", Options())
    (_, rows, length, _), start = read_numbers(coded.payload, 0, 4)
    assert rows > 0
    in_the_rows = start + 16 + length // 2
    for at in (0, 1, 2, 3, 9, in_the_rows, len(coded.payload) // 2, len(coded.payload) - 2):
        broken = bytearray(coded.payload)
        broken[at] ^= 64
        try:
            found = tiled.decode(models["deep"], bytes(broken), pixels.shape, coded.layout)
        except CoderError:
            continue
        assert not np.array_equal(found, pixels)
    with pytest.raises(CoderError, match="layout"):
        tiled.decode(models["deep"], coded.payload, pixels.shape, 9)


def test_a_model_of_one_size_codes_one_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever sides tiles have, and however many bits the first rows would supply."""
    monkeypatch.setattr(tiled, "TILE", 4)
    monkeypatch.setattr(tiled, "SPARE", -1000)
    model, pixels = tiny_vae.model(), tiny_vae.images(1)[0]
    coded = tiled.encode(model, pixels, "bb-ans", Options())
    np.testing.assert_array_equal(tiled.decode(model, coded.payload, pixels.shape, coded.layout), pixels)
    assert coded.payload[:4] == bytes([6, 0, 0, 0])
    for side in (5, 4):  # of 1 and 4 tiles
        head = bytes([side, 0, 0, 0]) + write_head("bb-ans", Options(), [1] * (2 if side == 5 else 4))
        with pytest.raises(CoderError, match="tiles of such sizes"):
            tiled.decode(model, head + coded.payload[-8:], pixels.shape, coded.layout)


def test_more_tiles_than_groups_hold_are_refused_before_they_are_listed(models: dict[str, Any]) -> None:
    sizes = [256] * (1 << 20)
    for side, message in ((1, "268435456 tiles"), (32, "262144 tiles"), (4096, "16 tiles"), (0, "damaged")):
        payload = write_numbers([side, 0, 0, 0]) + write_head("bb-ans", Options(), sizes) + b"\1\0\0\0"
        with pytest.raises(CoderError, match=message):
            tiled.decode(models["deep"], payload, (1 << 14, 1 << 14, 3), tiled.LAYOUT)
    with pytest.raises(InputError, match="cut the picture"):
        tiled.encode(models["grey"], np.zeros((1, 1 << 27), np.uint8), "bb-ans", Options())


_CACHE: dict[str, Any] = {}


def _resnet() -> Any:
    if not _CACHE:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            _CACHE["resnet"] = tiny_latent.load(Path(folder), "resnet")[0]
    return _CACHE["resnet"]
