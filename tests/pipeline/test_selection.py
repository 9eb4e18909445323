"""The safety net's promise over a corpus: never larger than WebP lossless or optimised PNG plus 64 bytes."""

import io
import zlib
from dataclasses import replace

import numpy as np
import pytest
from helpers import corpus
from PIL import Image

from rdzip.codecs.classic import codec as classic
from rdzip.codecs.mixing.presets import FAST_NET
from rdzip.codecs.names import PlaneCodec
from rdzip.codecs.result import Bits, Encoded
from rdzip.formats.describe import describe
from rdzip.formats.images.picture import Picture, from_array
from rdzip.formats.images.read import picture_of_image
from rdzip.pipeline.compress import compress
from rdzip.pipeline.decompress import decompress
from rdzip.pipeline.plane_codecs import CODECS
from rdzip.pipeline.request import Request


class StandIn:
    """Encoder and decoder of a neural codec whose size a test sets: the samples are kept aside."""

    def __init__(self) -> None:
        self.kept: dict[bytes, np.ndarray] = {}
        self.share, self.calls = 1.0, 0

    def encode(self, pixels, model, options, context):
        self.calls += 1
        size = max(8, int(self.share * classic.webp_size(pixels, 6)))
        key = zlib.crc32(pixels.tobytes()).to_bytes(4, "little") + len(self.kept).to_bytes(4, "little")
        self.kept[key] = pixels.copy()
        return Encoded(key + bytes(size - 8), Bits(8.0 * size, 8.0 * size, 8.0 * size), FAST_NET.layout)

    def decode(self, payload, model, context):
        assert payload.layout == FAST_NET.layout
        return self.kept[bytes(payload.data[:8])].reshape(payload.shape)


@pytest.fixture
def stand_in(monkeypatch):
    found = StandIn()
    for codec in (PlaneCodec.CAUSAL, PlaneCodec.MIXING):
        row = replace(CODECS[codec], encode=found.encode, decode=found.decode)
        monkeypatch.setitem(CODECS, codec, row)
    return found


def photo(size: tuple[int, int] = (160, 120)) -> Image.Image:
    """Return a noisy picture with smooth parts and edges, which stands for a photograph."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    base = 120 + 60 * np.sin(x / 30) + 40 * np.cos(y / 23) + 30 * (x > y)
    layers = [base * gain + rng.normal(size=base.shape) * 4 for gain in (1.0, 0.8, 0.6)]
    return Image.fromarray(np.stack(layers, -1).clip(0, 255).astype(np.uint8))


def _bound(image: Image.Image) -> int:
    sizes = []
    for kind, options in (("WEBP", {"lossless": True, "method": 6, "exact": True}), ("PNG", {"optimize": True})):
        out = io.BytesIO()
        image.save(out, kind, **options)
        sizes.append(out.tell())
    return min(sizes)


PICTURES = {**corpus.graphics((160, 120)), **corpus.treated(photo())}


@pytest.mark.parametrize("name", PICTURES)
def test_no_file_is_larger_than_the_classic_ones_plus_64_bytes(stand_in, name):
    image = PICTURES[name]
    bound = _bound(image)
    for share in (0.8, 0.93, 1.1):
        stand_in.share = share
        done = compress(picture_of_image(image), Request(metadata="none"))
        assert len(done.data) <= bound + 64, (share, done.report)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_the_promise_holds_for_other_modes(stand_in, mode):
    for image in (photo((64, 48)), corpus.text((160, 120)), corpus.pixel_art((64, 64), 4)):
        converted = image.convert(mode)
        bound = _bound(converted if mode != "CMYK" else Image.frombytes("RGBA", image.size, converted.tobytes()))
        data = compress(picture_of_image(converted), Request(metadata="none")).data
        palette = describe(data)["palette_bytes"]
        assert len(data) <= bound + 64 + palette


def test_a_photograph_pays_for_no_slow_trial(stand_in, monkeypatch):
    tried: list[int] = []
    slow = classic._webp
    monkeypatch.setattr(classic, "_webp", lambda samples, method: tried.append(method) or slow(samples, method))
    tiny = Encoded(b"12345678", Bits(64, 64, 64), FAST_NET.layout)
    for codec in (PlaneCodec.CAUSAL, PlaneCodec.MIXING):
        monkeypatch.setitem(CODECS, codec, replace(CODECS[codec], encode=lambda *_: tiny))
    done = compress(picture_of_image(photo((256, 128))), Request(verify=False))
    assert (done.report.codec, tried) == ("mixing", [1])
    assert "quick statistics" in done.report.reason


def test_graphics_pay_for_no_network(stand_in):
    done = compress(picture_of_image(corpus.plot((300, 200)).convert("P").convert("RGB")))
    assert (done.report.codec, stand_in.calls) == ("classic", 0)


def test_alpha_is_coded_apart_and_grey_once(stand_in):
    stand_in.share = 0.5
    rgb = np.asarray(photo())
    alpha = np.zeros((120, 160, 1), np.uint8)
    alpha[30:90] = 255
    picture = from_array(np.concatenate([rgb, alpha], 2))
    data = compress(picture).data
    facts = describe(data)
    assert facts["planes"]["colour"]["codec"] == "mixing"
    assert facts["planes"]["alpha"]["codec"] == "classic"
    np.testing.assert_array_equal(decompress(data).picture.samples, picture.samples)
    grey = from_array(np.concatenate([rgb[:, :, [0, 0, 0]], alpha], 2))
    data = compress(grey).data
    assert describe(data)["arrangement"] == "grey once"
    np.testing.assert_array_equal(decompress(data).picture.samples, grey.samples)


def test_palette_colours_are_used_where_they_are_smaller():
    image = photo((256, 200)).convert("P", palette=Image.Palette.ADAPTIVE, colors=200)
    picture = picture_of_image(image)
    back = decompress(compress(picture, Request(codec="classic")).data).picture
    np.testing.assert_array_equal(back.samples, picture.samples)
    doubled = Picture(picture.samples, "P", picture.palette[:3] * 256, "RGB")
    assert decompress(compress(doubled, Request(codec="classic")).data).picture.palette == doubled.palette
