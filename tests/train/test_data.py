"""Training images: folders and arrays, the cache of decoded images, held-out parts, crops cut from where they lie."""

from __future__ import annotations

import gzip
import logging
import lzma
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.needs import posix
from helpers.train_support import fill, picture
from PIL import Image

from rdzip.errors import InputError
from rdzip.hub import cache_dir
from rdzip.models.shared.template import PAD, padded_planes
from rdzip.train.data.arrays import read_samples
from rdzip.train.data.augment import half_size, variant
from rdzip.train.data.crops import CropSampler, Place
from rdzip.train.data.images import read_folder, read_split


def decodings(caplog: pytest.LogCaptureFixture) -> int:
    return sum("decoded" in record.getMessage() for record in caplog.records)


@posix
def test_pipes_in_a_folder_are_left_out_with_a_note(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    folder = fill(tmp_path / "images", 2)
    os.mkfifo(folder / "pipe.png")
    (folder / "nowhere.png").symlink_to("nothing")
    assert read_folder(folder, 8).names == ["0.png", "1.png"]
    assert "pipe.png is left out: it is a pipe" in caplog.text
    assert "nowhere.png is left out: it is a link that leads nowhere" in caplog.text


def test_a_folder_is_decoded_once_until_it_changes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    folder = fill(tmp_path / "images", 3)
    first = read_folder(folder, 8)
    again = read_folder(folder, 8)
    assert decodings(caplog) == 1
    for one, other in zip(first.images, again.images, strict=True):
        assert isinstance(other, np.memmap)
        np.testing.assert_array_equal(one, other)
    assert first.sha256 == again.sha256
    Image.fromarray(picture(9)).save(folder / "1.png")
    changed = read_folder(folder, 8)
    assert decodings(caplog) == 2
    np.testing.assert_array_equal(changed.images[1], picture(9))
    assert changed.sha256 != first.sha256
    np.testing.assert_array_equal(first.images[1], picture(1))  # a run that began before keeps what it had
    (folder / "2.png").unlink()
    assert read_folder(folder, 8).names == ["0.png", "1.png"]
    assert len(list(cache_dir().rglob("*.rgb"))) == 1


def test_a_damaged_cache_is_made_anew(tmp_path: Path) -> None:
    folder = fill(tmp_path / "images", 2)
    read_folder(folder, 8)
    for damage in (lambda p: p.write_bytes(p.read_bytes()[:-1]), lambda p: p.unlink()):
        for pattern in ("*.rgb", "index.json"):
            damage(next(cache_dir().rglob(pattern)))
            np.testing.assert_array_equal(read_folder(folder, 8).images[1], picture(1))


def test_an_unwritable_cache_names_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plain").write_text("")
    monkeypatch.setenv("RDZIP_CACHE", str(tmp_path / "plain"))
    with pytest.raises(InputError, match="RDZIP_CACHE"):
        read_folder(fill(tmp_path / "images", 1), 8)


def test_unusable_images_are_named(tmp_path: Path) -> None:
    folder = fill(tmp_path / "images", 2)
    whole = (folder / "0.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.jpg").write_bytes(b"")
    Image.fromarray(np.zeros((40, 40), np.uint16)).save(folder / "deep.png")
    Image.fromarray(picture(0)[:4]).save(folder / "small.png")
    found = read_folder(folder, 8)
    assert found.names == ["0.png", "1.png"]
    assert [text.partition(":")[0] for text in found.skipped] == ["cut.png", "deep.png", "empty.jpg", "small.png"]


def test_every_tenth_image_is_held_out(tmp_path: Path) -> None:
    folder = fill(tmp_path / "images", 21)
    training, held = read_split(folder, 8)
    assert held is not None
    assert (len(training.images), len(held.images)) == (19, 2)
    assert not set(training.names) & set(held.names)
    assert read_split(fill(tmp_path / "few", 9), 8)[1] is None


def test_arrays_are_taken_too(tmp_path: Path) -> None:
    colour = np.stack([picture(i) for i in range(10)])
    np.save(tmp_path / "colour.npy", colour)
    np.save(tmp_path / "grey.npy", colour[..., 0])
    training, held = read_split(tmp_path / "colour.npy", 8)
    assert held is not None
    np.testing.assert_array_equal(training.images[3], colour[3])
    np.testing.assert_array_equal(held.images[0], colour[9])
    assert not training.grey
    training, _ = read_split(tmp_path / "grey.npy", 8)
    assert training.grey
    np.testing.assert_array_equal(training.images[3], np.repeat(colour[3, :, :, :1], 3, 2))
    with pytest.raises(InputError, match="at least 64 pixels"):
        read_split(tmp_path / "grey.npy", 64)
    np.save(tmp_path / "two.npy", colour[..., :2])
    with pytest.raises(InputError, match="1 or 3 channels"):
        read_split(tmp_path / "two.npy", 8)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("copy", ["plain", "mirror", "chroma", "chroma-mirror"])
def test_crops_are_cut_as_from_the_whole_copy(copy: str, half: bool) -> None:
    image = picture(1, 97, 130)
    sampler = CropSampler([image], [copy], 8)
    small = half_size(image) if half else image
    rng = np.random.default_rng(0)
    height, width = small.shape[:2]
    places = [(0, 0), (height - 8, width - 8), (0, width - 8)]
    places += [(int(rng.integers(height - 7)), int(rng.integers(width - 7))) for _ in range(12)]
    for seed in range(4):
        whole = padded_planes(variant(small, copy, np.random.default_rng(seed)))
        for y, x in places:
            found = sampler.cut(Place(0, copy, half, y, x), seed)
            expected = whole[:, y : y + 8 + PAD, x : x + 8 + 2 * PAD]
            if "chroma" in copy:  # sums of floats in another order
                assert np.abs(found - expected).max() <= 2
                assert (found != expected).mean() < 0.01
            else:
                np.testing.assert_array_equal(found, expected)


def test_half_of_the_crops_can_be_shrunk() -> None:
    sampler = CropSampler([picture(0)], ["plain"], 8, shrunk=0.5)
    sampler.draw(400, torch.Generator().manual_seed(0))
    halves = [place.half for place in sampler.places]
    assert 150 < sum(halves) < 250
    assert max(place.x for place, half in zip(sampler.places, halves, strict=True) if half) <= 48 // 2 - 8


def test_arrays_of_samples_in_all_forms(tmp_path: Path) -> None:
    samples = np.arange(60, dtype=np.uint8).reshape(5, 4, 3)
    np.save(tmp_path / "a.npy", samples)
    (tmp_path / "a.npy.xz").write_bytes(lzma.compress((tmp_path / "a.npy").read_bytes()))
    idx = b"\0\0\x08\x03" + np.array(samples.shape, ">u4").tobytes() + samples.tobytes()
    (tmp_path / "a-idx3-ubyte").write_bytes(idx)
    (tmp_path / "a-idx3-ubyte.gz").write_bytes(gzip.compress(idx))
    for name in ("a.npy", "a.npy.xz", "a-idx3-ubyte", "a-idx3-ubyte.gz"):
        assert np.array_equal(read_samples(tmp_path / name), samples)
    assert isinstance(read_samples(tmp_path / "a.npy"), np.memmap)


def test_what_is_no_array_of_samples(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    np.save(tmp_path / "floats.npy", np.zeros((2, 3, 3)))
    np.save(tmp_path / "cut.npy", np.zeros((2, 3, 3), np.uint8))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "cut.npy").read_bytes()[:-5])
    np.savez(tmp_path / "several.npz", a=np.zeros((2, 3, 3), np.uint8))
    (tmp_path / "pickled.npy").write_bytes(pickle.dumps([1]))
    (tmp_path / "cut.xz").write_bytes(lzma.compress((tmp_path / "floats.npy").read_bytes())[:40])
    (tmp_path / "empty.npy").touch()
    for name, text in {
        "objects.npy": "found Python objects",
        "floats.npy": "found float64",
        "cut.npy": "found none: ",
        "several.npz": "found none$",
        "pickled.npy": "found none$",
        "cut.xz": "found none: ",
        "empty.npy": "found none$",
        "nowhere.npy": "found none: .*No such file",
    }.items():
        with pytest.raises(InputError, match=text) as caught:
            read_samples(tmp_path / name)
        assert "pickle" not in str(caught.value).replace(name, "")
