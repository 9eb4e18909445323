import io

import numpy as np
import pytest
from helpers import lossy_stub
from PIL import Image, UnidentifiedImageError

import rdzip


@pytest.fixture(autouse=True)
def _registered():
    rdzip.register_pillow()


def _image() -> Image.Image:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 40, (30, 20, 3)).astype(np.uint8))
    image.info["dpi"] = (72.0, 72.0)
    return image


def test_save_and_open(tmp_path):
    image = _image()
    image.save(tmp_path / "x.rdz", codec="classic")
    with Image.open(tmp_path / "x.rdz") as back:
        assert (back.format, back.mode, back.size, back.info["dpi"]) == ("RDZ", "RGB", (20, 30), (72.0, 72.0))
        assert back.tobytes() == image.tobytes()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "I", "F"])
def test_other_modes(mode):
    image = _image().convert("I").convert(mode) if mode == "I;16" else _image().convert(mode)
    out = io.BytesIO()
    image.save(out, "RDZ", codec="classic")
    with Image.open(io.BytesIO(out.getvalue())) as back:
        back.load()
        assert back.mode == mode
        assert back.tobytes() == image.tobytes()
        assert back.getpalette() == image.getpalette()


def test_saving_with_loss(tmp_path, lossy):
    image = Image.fromarray(lossy_stub.photo(60, 70))
    image.save(tmp_path / "x.rdz", model=lossy, quality=50)
    assert rdzip.info(tmp_path / "x.rdz")["q"] == 50
    with Image.open(tmp_path / "x.rdz") as back:
        assert np.abs(np.asarray(back).astype(int) - np.asarray(image)).mean() < 10
    with pytest.raises(OSError, match="quality of 1 to 100"):
        image.save(tmp_path / "y.rdz", model=lossy, quality=500)


def test_damaged_files_raise_what_pillow_raises():
    data = rdzip.compress(_image(), codec="classic")
    for bad in (data[:-3], data[:40] + bytes([data[40] ^ 1]) + data[41:]):
        with pytest.raises((OSError, UnidentifiedImageError)):
            Image.open(io.BytesIO(bad)).load()
