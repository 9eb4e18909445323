"""Make the golden files of this version: small .rdz files that every later version must decode to the same samples.

python tools/make_golden.py VERSION            adds tests/golden/VERSION/*.rdz and its index.json; never replaces any.
python tools/make_golden.py VERSION-latents    the same, by the bundled models with latents.
python tools/make_golden.py VERSION-irec       the same, by relative entropy coding.
python tools/make_golden.py VERSION-lossy      with loss: the pictures lie beside, to which decoded ones are near.
python tools/make_golden.py VERSION-hyper-lossy the same, by the models of published kinds.
python tools/make_golden.py VERSION-irec-lossy the same, by relative entropy coding.
python tools/make_golden.py VERSION-thorough   the same, by the codec mixing at high efforts and by more models.
python tools/make_golden.py VERSION-lean       the same, by its fast presets.
python tools/make_golden.py VERSION-near       near-lossless.
python tools/make_golden.py VERSION-contents   by the codec mixing, of contents that reach more of its states.
python tools/make_golden.py VERSION-narrow     pictures of a row or a column, or of few.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import rdzip
from rdzip.commands.demo import picture

TESTS = Path(__file__).resolve().parents[1] / "tests"
GOLDEN = TESTS / "golden"


def png(image: Image.Image, **options: object) -> bytes:
    """PNG file of an image."""
    out = io.BytesIO()
    image.save(out, format="PNG", **options)
    return out.getvalue()


def images() -> dict[str, tuple[Any, dict[str, Any]]]:
    """Inputs by name for the default model, with the codec to use (None: as rdzip chooses)."""
    photo = picture().crop((300, 200, 364, 248))
    pixels = np.asarray(photo)
    alpha = Image.fromarray((np.add.outer(np.arange(48), np.arange(64)) * 2).astype(np.uint8))
    rgba = photo.copy()
    rgba.putalpha(alpha)
    deep = pixels.astype(np.uint16) * 257 ^ np.arange(3, dtype=np.uint16)
    noted = PngInfo()
    noted.add_text("Title", "golden")
    found: dict[str, tuple[Any, str | None]] = {
        "colour": (png(photo, pnginfo=noted, dpi=(300, 300)), "causal"),
        "grey": (photo.convert("L"), "causal"),
        "grey-alpha": (rgba.convert("LA"), "causal"),
        "colour-alpha": (rgba, "causal"),
        "one-pixel": (photo.crop((0, 0, 1, 1)), "causal"),
        "one-row": (photo.crop((0, 0, 64, 1)), "causal"),
        "classic": (photo, "classic"),
        "palette": (png(photo.quantize(16), transparency=3), None),
        "bilevel": (photo.convert("1"), None),
        "sixteen-bit": (deep, None),
        "cmyk": (photo.convert("CMYK"), None),
    }
    return {name: (source, {"codec": codec}) for name, (source, codec) in found.items()}


def latents() -> dict[str, tuple[Any, dict[str, Any]]]:
    """Arrays, a picture and sequences by name, each with a model of latents, a codec and its options."""
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
        "picture": (photo.crop((200, 100, 333, 171)), {"model": "cifar10-resnet-vae", "codec": "bb-ans"}),
        "sequences": (rolls, {"model": "jsb-vrnn", "codec": "bb-smc", "particles": 4}),
    }


def irec() -> dict[str, tuple[Any, dict[str, Any]]]:
    """Arrays and a picture by name, by the codec irec."""
    found = latents()
    colour, binary, grey = (found[name][0] for name in ("bit-swap", "stochastic", "bit-swap-grey"))
    irec = {"codec": "irec"}
    return {
        "hierarchy": (colour, irec | {"model": "cifar10-resnet-vae"}),
        "chain": (grey, irec | {"model": "mnist-bitswap-2", "beams": 4}),
        "binary": (binary, irec | {"model": "mnist-binary", "omega": 1.5, "epsilon": 0.5, "beams": 5, "seed": 77}),
        "symbols": (found["bb-ais"][0], irec | {"model": "toy-mixture", "omega": 0.7, "batch": True}),
        "picture": (picture().crop((200, 100, 333, 171)), irec | {"model": "cifar10-resnet-vae", "beams": 2}),
    }


def lossy() -> dict[str, tuple[Any, dict[str, Any]]]:
    """Pictures by name, each with a quality."""
    photo = picture().crop((300, 180, 396, 252))
    clear = photo.copy()
    clear.putalpha(Image.fromarray((np.add.outer(np.arange(72), np.arange(96)) + 20).astype(np.uint8)))
    return {
        "colour": (photo, {"quality": 60}),
        "coarse": (photo, {"quality": 5}),
        "fine": (photo.crop((0, 0, 61, 43)), {"quality": 97}),
        "grey": (photo.convert("L"), {"quality": 30}),
        "colour-alpha": (clear, {"quality": 40}),
    }


def irec_lossy() -> dict[str, tuple[Any, dict[str, Any]]]:
    """Pictures by name, with loss, by relative entropy coding."""
    photo = picture().crop((300, 180, 396, 252))
    given = {"model": "photo-irec", "codec": "irec-vae"}
    searched = {"omega": 2.0, "epsilon": 0.5, "beams": 3, "seed": 4321}
    return {
        "colour": (photo, given | {"quality": 60}),
        "grey": (photo.convert("L"), given | searched | {"quality": 20}),
    }


def hyper_lossy() -> dict[str, tuple[Any, dict[str, Any]]]:
    """Pictures by name, with loss, by the models of published kinds."""
    photo = picture().crop((300, 180, 396, 252))
    return {
        "hyperprior": (photo, {"model": "hyperprior-small", "quality": 60}),
        "hyperprior-grey": (photo.convert("L"), {"model": "hyperprior-small", "quality": 20}),
        "channel-ar": (photo.crop((0, 0, 61, 43)), {"model": "channel-ar-small", "quality": 75}),
    }


def thorough() -> dict[str, tuple[Any, dict[str, Any]]]:
    """Inputs by name for the codec mixing at high efforts and with other models."""
    photo = picture().crop((300, 200, 333, 221))
    rgba = photo.copy()
    rgba.putalpha(photo.convert("L"))
    return {
        "colour": (photo, {"codec": "mixing", "effort": 9}),
        "colour-alpha": (rgba, {"codec": "mixing", "effort": 9}),
        "grey": (photo.convert("L"), {"codec": "mixing", "effort": 9}),
        "one-pixel": (photo.crop((0, 0, 1, 1)), {"codec": "mixing", "effort": 9}),
        "colour-photo": (photo, {"codec": "mixing", "effort": 9, "model": "photo"}),
        "colour-fewer": (photo, {"codec": "mixing", "effort": 8}),
        "colour-default": (photo, {"codec": "mixing"}),
        "grey-default": (photo.convert("L"), {"codec": "mixing"}),
    }


def lean() -> dict[str, tuple[Any, dict[str, Any]]]:
    """Inputs by name for the fast presets of the codec mixing, by effort; the widest has two bands."""
    photo = picture().crop((300, 200, 333, 221))
    rgba = photo.copy()
    rgba.putalpha(photo.convert("L"))
    return {
        "colour": (photo, {"codec": "mixing", "effort": 6}),
        "colour-larger-network": (photo, {"codec": "mixing", "effort": 7}),
        "colour-fitted": (photo, {"codec": "mixing", "effort": 3}),
        "colour-plain": (photo, {"codec": "mixing", "effort": 1}),
        "colour-alpha": (rgba, {"codec": "mixing", "effort": 6}),
        "grey": (photo.convert("L"), {"codec": "mixing", "effort": 6}),
        "grey-fitted": (photo.convert("L"), {"codec": "mixing", "effort": 3}),
        "grey-plain": (photo.convert("L"), {"codec": "mixing", "effort": 1}),
        "one-pixel": (photo.crop((0, 0, 1, 1)), {"codec": "mixing", "effort": 3}),
        "two-bands": (picture().crop((0, 0, 512, 256)), {"codec": "mixing", "effort": 1}),
    }


def near() -> dict[str, tuple[Any, dict[str, Any]]]:
    """Inputs by name, each with the error that is allowed."""
    photo = picture().crop((300, 200, 333, 221))
    rgba = photo.copy()
    rgba.putalpha(photo.convert("L"))
    scan = np.asarray(photo.convert("L")).astype(np.uint16) * 16 + np.arange(33, dtype=np.uint16)
    return {
        "colour": (photo, {"codec": "causal", "max_error": 1}),
        "grey": (photo.convert("L"), {"codec": "causal", "max_error": 5}),
        "colour-alpha": (rgba, {"codec": "causal", "max_error": 2}),
        "mixing": (photo, {"codec": "mixing", "effort": 3, "max_error": 3}),
        "classic": (photo.convert("CMYK"), {"codec": "classic", "max_error": 4}),
        "sixteen-bit": (scan, {"codec": "classic", "max_error": 3}),
        "sixteen-bit-narrow": (scan, {"codec": "causal", "max_error": 9}),
        "sixteen-bit-colour": (np.stack([scan, scan // 2, scan * 15], 2), {"max_error": 300}),
    }


def narrow() -> dict[str, tuple[Any, dict[str, Any]]]:
    """Inputs by name that are so narrow or flat that layouts of memory matter."""
    pixels = np.asarray(picture()).reshape(-1, 3)[:4098]
    return {
        "flat": (pixels[None, :4097, 1], {"codec": "mixing", "effort": 1}),
        "flat-colour": (pixels.reshape(1, -1, 3), {"codec": "mixing", "effort": 6}),
        "flat-thorough": (pixels[None, :4097, 1], {"codec": "mixing", "effort": 9}),
        "upright-colour": (pixels.reshape(-1, 1, 3), {"codec": "mixing", "effort": 6}),
        "upright-causal": (pixels[:300].reshape(-1, 1, 3), {"codec": "causal"}),
        "two-columns-causal": (pixels[:300].reshape(-1, 2, 3), {"codec": "causal"}),
    }


def contents() -> dict[str, tuple[Any, dict[str, Any]]]:
    """Inputs by name that the codec mixing codes, with its effort: pictures of tests/helpers/synthetic.py."""
    sys.path.insert(0, str(TESTS))
    from helpers import synthetic

    colour, grey, extremes = synthetic.picture(40, 56), synthetic.picture(40, 56, 1), synthetic.extremes(40, 56)
    found = {"one-bucket": (synthetic.one_bucket(), 1)}
    for effort in (1, 3, 6, 9):
        pictures = {"colour": colour, "grey": grey, "extremes": extremes}
        found |= {f"{name}-{effort}": (source, effort) for name, source in pictures.items()}
    return {name: (source, {"codec": "mixing", "effort": effort}) for name, (source, effort) in found.items()}


KINDS = {
    "latents": latents,
    "irec": irec,
    "lossy": lossy,
    "irec-lossy": irec_lossy,
    "hyper-lossy": hyper_lossy,
    "thorough": thorough,
    "lean": lean,
    "near": near,
    "contents": contents,
    "narrow": narrow,
}


def sources(version: str) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Inputs by name of the golden files of VERSION-kind, each with the options that it is compressed with."""
    return KINDS.get(version.partition("-")[2], images)()


def main() -> None:
    """Write the files of the version named on the command line."""
    folder = GOLDEN / sys.argv[1]
    folder.mkdir(parents=True)
    index: dict[str, dict[str, Any]] = {}
    for name, (source, options) in sources(folder.name).items():
        data = rdzip.compress(source, **options)
        pixels = rdzip.decompress_array(data)
        (folder / f"{name}.rdz").write_bytes(data)
        index[name] = {
            "file_sha256": hashlib.sha256(data).hexdigest(),
            "codec": options.get("codec") or rdzip.info(data)["codec"],
            "shape": list(pixels.shape),
            "dtype": str(pixels.dtype),
        }
        if folder.name.endswith("lossy"):
            Image.fromarray(pixels).save(folder / f"{name}.png")
        else:
            index[name]["pixels_sha256"] = hashlib.sha256(pixels.tobytes()).hexdigest()
    (folder / "index.json").write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    main()
