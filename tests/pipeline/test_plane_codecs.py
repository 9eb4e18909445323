"""The table of codecs of planes: a codec of one row goes through files; rows say what they hold and need."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from rdzip.codecs.mixing.presets import FAST_LS, FAST_NET
from rdzip.codecs.names import LATENT_CODECS, LOSSY_CODECS, PlaneCodec
from rdzip.codecs.result import Bits, Encoded
from rdzip.errors import FormatError, InputError
from rdzip.formats.describe import describe
from rdzip.formats.images.picture import Picture
from rdzip.pipeline import plane_codecs
from rdzip.pipeline.compress import compress
from rdzip.pipeline.decompress import decompress
from rdzip.pipeline.plane_codecs import CODECS, Kind, Row
from rdzip.pipeline.request import Request


def encode(array, model, options, context):
    """Differences to the plane that is already coded, if there is one, by zlib."""
    known = context.planes[0].reshape(*array.shape, -1)[..., 0] if context.planes else np.zeros_like(array)
    payload = zlib.compress((array - known).tobytes(), 9)
    return Encoded(payload, Bits(*[8.0 * len(payload)] * 3), 1)


def decode(payload, model, context):
    found = np.frombuffer(zlib.decompress(payload.data), payload.dtype).reshape(payload.shape)
    return found + (context.planes[0].reshape(*payload.shape, -1)[..., 0] if context.planes else np.zeros_like(found))


TOY = Row(99, "toy", encode, decode, kinds=frozenset({Kind.GREY, Kind.COLOUR}), dtypes=("u1", "<u2"), channels=(1, 3))


def picture(mode: str, shape: tuple[int, ...], dtype: type = np.uint8) -> Picture:
    rng = np.random.default_rng(5)
    return Picture(rng.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype), mode)


@pytest.mark.parametrize(
    "given",
    [
        picture("L", (9, 7)),
        picture("RGB", (8, 5, 3)),
        picture("RGBA", (40, 30, 4)),
        picture("RGB;16", (6, 5, 3), np.uint16),
    ],
    ids=lambda given: given.mode,
)
def test_a_codec_of_one_row_goes_through_files(given: Picture, tmp_path: Path) -> None:
    with plane_codecs.registered(TOY):
        done = compress(given, Request(codec="toy"))
        (tmp_path / "a.rdz").write_bytes(done.data)
        back = decompress((tmp_path / "a.rdz").read_bytes()).picture
        assert (done.report.codec, done.report.model) == ("toy", None)
    assert np.array_equal(back.samples, given.samples)
    assert back.mode == given.mode
    assert describe(done.data)["planes"]["colour"]["codec"] == "unknown (99)"
    with pytest.raises(FormatError, match="its codec 99 is unknown"):
        decompress(done.data)


def test_alpha_is_coded_in_the_context_of_colours() -> None:
    given = picture("LA", (40, 30, 2))
    given.samples[:, :, 1] = given.samples[:, :, 0]
    with plane_codecs.registered(TOY):
        done = compress(given, Request(codec="toy"))
        assert np.array_equal(decompress(done.data).picture.samples, given.samples)
    assert describe(done.data)["planes"]["alpha"]["bytes"] < 100


def test_a_codec_takes_what_its_row_says() -> None:
    with plane_codecs.registered(TOY), pytest.raises(InputError, match=r"the codec toy codes the modes .*found P"):
        compress(Picture(np.zeros((4, 5), np.uint8), "P", bytes(768), "RGB"), Request(codec="toy"))
    with pytest.raises(InputError, match="expected a codec of classic, causal, mixing"):
        compress(picture("L", (4, 5)), Request(codec="toy"))


def test_numbers_and_names_are_taken_once() -> None:
    for row in (Row(PlaneCodec.MIXING, "other", encode, decode), Row(98, "mixing", encode, decode)):
        with pytest.raises(InputError, match="a number and a name of its own"), plane_codecs.registered(row):
            pass


def test_rows_say_what_they_hold_and_need() -> None:
    assert plane_codecs.names() == ("classic", "causal", "mixing")
    assert not {*plane_codecs.names()} & {*LATENT_CODECS, *LOSSY_CODECS}
    mixing, octets = CODECS[PlaneCodec.MIXING], np.dtype(np.uint8)
    assert mixing.modes() == ("L", "LA", "RGB", "RGBA")
    assert CODECS[PlaneCodec.LATENT].modes() == ("1", "L", "LA", "RGB", "RGBA")
    assert [mixing.needs_model(preset.layout) for preset in (FAST_LS, FAST_NET)] == [False, True]
    assert [mixing.holds(shape, octets) for shape in ((4, 5), (4, 5, 3), (4, 5, 1), (4, 5, 4))] == [
        True,
        True,
        False,
        False,
    ]
    assert not mixing.holds((4, 5), np.dtype(np.uint16))
    assert CODECS[PlaneCodec.CLASSIC].holds((4, 5, 4), np.dtype(np.float32))
