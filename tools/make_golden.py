"""Make the golden files of this version: small .rdz files that every later version must decode to the same samples.

python tools/make_golden.py VERSION [KIND ...]  adds tests/golden/VERSION/KIND/*.rdz and index.json; never replaces any.

Kinds are named after codecs (KINDS; all of them where none is named). Of lossy files the decoded picture lies beside as
PNG, to which later ones are near.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import rdzip
from rdzip import hub
from rdzip.commands.demo import picture
from rdzip.errors import ModelError
from rdzip.pipeline.file import compress_file
from rdzip.pipeline.request import Request

TESTS = Path(__file__).resolve().parents[1] / "tests"
GOLDEN = TESTS / "golden"
Sources = dict[str, tuple[Any, dict[str, Any]]]
"""Inputs by name, each with the options of rdzip.compress; models_found: False to have it find no model."""


def png(image: Image.Image, **options: object) -> bytes:
    """PNG file of an image."""
    out = io.BytesIO()
    image.save(out, format="PNG", **options)
    return out.getvalue()


def translucent(image: Image.Image, alpha: Image.Image) -> Image.Image:
    """An image with an alpha channel."""
    copy = image.copy()
    copy.putalpha(alpha)
    return copy


def small() -> tuple[Image.Image, Image.Image]:
    """A picture of 33 x 21 pixels, without and with alpha."""
    photo = picture().crop((300, 200, 333, 221))
    return photo, translucent(photo, photo.convert("L"))


def columns(width: int, pixels: int) -> Any:
    """Colour samples [pixels / width, width, 3]."""
    return np.asarray(picture()).reshape(-1, 3)[:pixels].reshape(-1, width, 3)


def causal() -> Sources:
    """By the codec causal, all modes that it codes; and pictures so narrow that it codes them transposed."""
    photo = picture().crop((300, 200, 364, 248))
    rgba = translucent(photo, Image.fromarray((np.add.outer(np.arange(48), np.arange(64)) * 2).astype(np.uint8)))
    noted = PngInfo()
    noted.add_text("Title", "golden")
    found = {
        "colour": png(photo, pnginfo=noted, dpi=(300, 300)),
        "grey": photo.convert("L"),
        "grey-alpha": rgba.convert("LA"),
        "colour-alpha": rgba,
        "one-pixel": photo.crop((0, 0, 1, 1)),
        "one-row": photo.crop((0, 0, 64, 1)),
        "one-column": columns(1, 300),
        "two-columns": columns(2, 300),
    }
    return {name: (source, {"codec": "causal"}) for name, source in found.items()}


def classic() -> Sources:
    """Of modes that only the classic codecs code, and a photograph."""
    photo = picture().crop((300, 200, 364, 248))
    deep = np.asarray(photo).astype(np.uint16) * 257 ^ np.arange(3, dtype=np.uint16)
    return {
        "colour": (photo, {"codec": "classic"}),
        "palette": (png(photo.quantize(16), transparency=3), {}),
        "bilevel": (photo.convert("1"), {}),
        "sixteen-bit": (deep, {}),
        "cmyk": (photo.convert("CMYK"), {}),
    }


def mixing() -> Sources:
    """By the codec mixing, of each preset a photograph, pictures that reach more states, and narrow ones.

    Names begin with the preset. slow: that preset has no network, and is taken where the model is not found.
    """
    sys.path.insert(0, str(TESTS))
    from helpers import synthetic

    photo, rgba = small()
    grey, pixel = photo.convert("L"), photo.crop((0, 0, 1, 1))
    made = synthetic.picture(40, 56), synthetic.picture(40, 56, 1), synthetic.extremes(40, 56)
    large = np.repeat(np.repeat(np.asarray(picture().crop((300, 200, 364, 232))), 8, 0), 8, 1)
    found: dict[str, tuple[Any, int, dict[str, Any]]] = {
        "fast-plain-two-bands": (large, 1, {}),
        "fast-plain-one-bucket": (synthetic.one_bucket(), 1, {}),
        "fast-plain-one-row": (columns(1, 4097)[None, :, 0, 1], 1, {}),
        "fast-ls-one-pixel": (pixel, 3, {}),
        "fast-net-alpha": (rgba, 6, {}),
        "fast-net-photo": (photo, 7, {}),
        "fast-net-photo-large": (photo, 8, {}),
        "fast-net-one-row": (columns(1, 4098).reshape(1, -1, 3), 6, {}),
        "fast-net-one-column": (columns(1, 4098), 6, {}),
        "slow-one-column": (columns(1, 300), 9, {"models_found": False}),
        "slow-net-alpha": (rgba, 9, {}),
        "slow-net-photo": (photo, 9, {"model": "photo"}),
        "slow-net-one-pixel": (pixel, 9, {}),
        "slow-net-one-row": (columns(1, 4097)[None, :, 0, 1], 9, {}),
    }
    presets = {"fast-plain": (1, {}), "fast-ls": (3, {}), "fast-net": (6, {}), "slow-net": (9, {})}
    for preset, (effort, more) in (presets | {"slow": (9, {"models_found": False})}).items():
        sources = dict(zip(("synthetic-colour", "synthetic-grey", "extremes"), made, strict=True))
        sources |= {"colour": photo, "grey": grey}
        found |= {f"{preset}-{name}": (source, effort, more) for name, source in sources.items()}
    return {name: (what, {"codec": "mixing", "effort": effort} | more) for name, (what, effort, more) in found.items()}


def near_lossless() -> Sources:
    """Each with the error that is allowed."""
    photo, rgba = small()
    scan = np.asarray(photo.convert("L")).astype(np.uint16) * 16 + np.arange(33, dtype=np.uint16)
    deep = np.stack([scan, scan // 2, scan * 15], 2)
    return {
        "causal-colour": (photo, {"codec": "causal", "max_error": 1}),
        "causal-grey": (photo.convert("L"), {"codec": "causal", "max_error": 5}),
        "causal-colour-alpha": (rgba, {"codec": "causal", "max_error": 2}),
        "causal-sixteen-bit": (scan, {"codec": "causal", "max_error": 9}),
        "mixing-colour": (photo, {"codec": "mixing", "effort": 3, "max_error": 3}),
        "classic-cmyk": (photo.convert("CMYK"), {"codec": "classic", "max_error": 4}),
        "classic-sixteen-bit": (scan, {"codec": "classic", "max_error": 3}),
        "causal-sixteen-bit-colour": (deep, {"codec": "causal", "max_error": 300}),
        "mixing-sixteen-bit-colour": (deep, {"max_error": 300}),
    }


def bits_back() -> Sources:
    """Arrays, a picture and sequences, each with a model of latents, a codec and its options."""
    photo = picture()
    colour = np.stack([np.asarray(photo.crop((x, 200, x + 32, 232))) for x in (40, 120, 300, 420)])
    grey = np.stack([np.asarray(photo.convert("L").crop((x, 180, x + 28, 208))) for x in range(20, 420, 50)])
    binary = (grey > grey.mean((1, 2), keepdims=True)).astype(np.uint8)
    symbols = np.arange(300, dtype=np.uint8).reshape(-1, 1, 1) * 11 % 64
    rolls = [np.zeros((steps, 88), np.uint8) for steps in (5, 0, 30, 5)]
    for number, roll in enumerate(rolls):
        for voice in (27, 34, 39, 46):
            roll[np.arange(len(roll)), voice + (np.arange(len(roll)) // 4 * (3 + number)) % 7] = 1
    return {
        "stochastic": (binary, {"model": "mnist-binary", "codec": "stochastic"}),
        "bb-ans": (binary, {"model": "mnist-binary-elbo", "codec": "bb-ans"}),
        "bb-is": (binary, {"model": "mnist-binary-iwae5", "codec": "bb-is", "particles": 5}),
        "bb-cis": (binary, {"model": "mnist-binary", "codec": "bb-cis", "particles": 20, "refine": 3, "segment": 5}),
        "bb-ais": (symbols, {"model": "toy-mixture", "codec": "bb-ais", "steps": 6, "batch": True}),
        "bb-ais-plain": (binary, {"model": "mnist-binary", "codec": "bb-ais", "steps": 3, "interleave": False}),
        "bit-swap": (colour, {"model": "cifar10-bitswap", "codec": "bit-swap"}),
        "bit-swap-grey": (grey, {"model": "mnist-bitswap-4", "codec": "bit-swap"}),
        "bb-ans-hierarchy": (colour, {"model": "cifar10-resnet-vae", "codec": "bb-ans"}),
        "bb-ans-picture": (photo.crop((200, 100, 333, 171)), {"model": "cifar10-resnet-vae", "codec": "bb-ans"}),
        "bb-smc": (rolls, {"model": "jsb-vrnn", "codec": "bb-smc", "particles": 4}),
    }


def irec() -> Sources:
    """Arrays and a picture, by relative entropy coding."""
    found = bits_back()
    colour, binary, grey = (found[name][0] for name in ("bit-swap", "stochastic", "bit-swap-grey"))
    irec = {"codec": "irec"}
    return {
        "hierarchy": (colour, irec | {"model": "cifar10-resnet-vae"}),
        "markov-chain": (grey, irec | {"model": "mnist-bitswap-2", "beams": 4}),
        "binary": (binary, irec | {"model": "mnist-binary", "omega": 1.5, "epsilon": 0.5, "beams": 5, "seed": 77}),
        "symbols": (found["bb-ais"][0], irec | {"model": "toy-mixture", "omega": 0.7, "batch": True}),
        "picture": (picture().crop((200, 100, 333, 171)), irec | {"model": "cifar10-resnet-vae", "beams": 2}),
    }


def lossy() -> Sources:
    """Pictures, each with a quality, by models of all architectures; names begin with the model or its kind."""
    photo = picture().crop((300, 180, 396, 252))
    corner, grey = photo.crop((0, 0, 61, 43)), photo.convert("L")
    alpha = Image.fromarray((np.add.outer(np.arange(72), np.arange(96)) + 20).astype(np.uint8))
    given = {"model": "photo-irec", "codec": "irec-vae"}
    searched = {"omega": 2.0, "epsilon": 0.5, "beams": 3, "seed": 4321}
    return {
        "photo-lossy-colour": (photo, {"quality": 60}),
        "photo-lossy-coarse": (photo, {"quality": 5}),
        "photo-lossy-fine": (corner, {"quality": 97}),
        "photo-lossy-grey": (grey, {"quality": 30}),
        "photo-lossy-colour-alpha": (translucent(photo, alpha), {"quality": 40}),
        "hyperprior-colour": (photo, {"model": "hyperprior-small", "quality": 60}),
        "hyperprior-grey": (grey, {"model": "hyperprior-small", "quality": 20}),
        "channel-ar-colour": (corner, {"model": "channel-ar-small", "quality": 75}),
        "irec-vae-colour": (photo, given | {"quality": 60}),
        "irec-vae-grey": (grey, given | searched | {"quality": 20}),
    }


def carried() -> Sources:
    """Files of every carrier, a few of each, coded by the codec classic, JPEGs by dct; one that is kept as bytes."""
    sys.path.insert(0, str(TESTS.parent))
    from fuzz.targets.carriers import files
    from rdzip.formats.carriers.table import CARRIERS, WHOLE, carrier_of

    found: Sources = {}
    for data in files():
        name = (carrier_of(data) or CARRIERS[WHOLE]).name.lower()
        number = sum(one.partition("-")[0] == name for one in found)
        if number < MOST or data[:2] in (b"II", b"MM"):
            own = {"bytes": {}, "jpeg": {"effort": EFFORTS[number % len(EFFORTS)]}}
            found[f"{name}-{number}"] = (data, own.get(name, {"codec": "classic"}))
    return found


def history() -> Sources:
    """Pictures that were luma and chroma, by the matrices, without and with exceptions, and with alpha."""
    from rdzip.codecs.history import luma_chroma
    from rdzip.codecs.history.matrices import MATRICES

    triples = np.asarray(picture().crop((300, 200, 348, 232)).convert("YCbCr"))[:, :, ::-1]
    found: Sources = {}
    for number in (0, *range(2, len(MATRICES))):  # 1 is found only where 0 has more exceptions
        colours = luma_chroma.colours(np.ascontiguousarray(triples), bytes([number]))
        found[f"matrix-{number}"] = (Image.fromarray(colours), {"effort": 3})
    changed = luma_chroma.colours(np.ascontiguousarray(triples), b"\0")
    changed[4, 3:43] = np.random.default_rng(3).integers(0, 256, (40, 3))
    image = Image.fromarray(changed)
    found["exceptions"] = (image, {"effort": 3})
    found["exceptions-alpha"] = (translucent(image, image.convert("L")), {"effort": 3})
    found["network"] = (found["matrix-0"][0], {"effort": 6})
    return found


MOST, EFFORTS = 4, (6, 1, 9)
"""Golden files of a carrier; of TIFF there are more. Efforts of JPEGs, one of each preset in turn."""
KINDS = {
    "causal": causal,
    "classic": classic,
    "mixing": mixing,
    "near-lossless": near_lossless,
    "bits-back": bits_back,
    "irec": irec,
    "lossy": lossy,
    "carried": carried,
    "history": history,
}


def compress(source: Any, models_found: bool = True, **options: Any) -> bytes:
    """The file of a source with its options."""
    if models_found:
        return rdzip.compress(source, **options)
    with mock.patch.object(hub, "resolve", side_effect=ModelError("not found")):
        return rdzip.compress(source, **options)


def main() -> None:
    """Write the files of the version and kinds named on the command line."""
    version, *kinds = sys.argv[1:]
    for kind in kinds or KINDS:
        folder = GOLDEN / version / kind
        folder.mkdir(parents=True)
        index: dict[str, dict[str, Any]] = {}
        for name, (source, options) in KINDS[kind]().items():
            if kind == "carried":  # an array would be items
                data = compress_file(source, Request(**options)).data
            else:
                data = compress(source, **options)
            (folder / f"{name}.rdz").write_bytes(data)
            if kind == "carried":
                index[name] = {
                    "file_sha256": hashlib.sha256(data).hexdigest(),
                    "codec": rdzip.info(data)["codec"],
                    "restored_sha256": hashlib.sha256(rdzip.restore(data)).hexdigest(),
                }
                continue
            pixels = rdzip.decompress_array(data)
            index[name] = {
                "file_sha256": hashlib.sha256(data).hexdigest(),
                "codec": options.get("codec") or rdzip.info(data)["codec"],
                "shape": list(pixels.shape),
                "dtype": str(pixels.dtype),
            }
            if kind == "lossy":
                Image.fromarray(pixels).save(folder / f"{name}.png")
            else:
                index[name]["pixels_sha256"] = hashlib.sha256(pixels.tobytes()).hexdigest()
        (folder / "index.json").write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    main()
