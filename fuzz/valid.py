"""Valid files by number: every codec, mode, option and section of the format, of pictures of few pixels.

They are put together from planes and sections, since an encoder would choose the same few ways; fuzz.valid_many has
batches, archives, and what `rdzip.compress` makes. The same number always gives the same file.
"""

from __future__ import annotations

import lzma
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from fuzz import tiny
from rdzip.codecs.bits_back import tiles as tiled
from rdzip.codecs.bits_back.options import Options
from rdzip.codecs.causal import codec as causal
from rdzip.codecs.classic import codec as classic
from rdzip.codecs.mixing import codec as mixing
from rdzip.codecs.mixing.presets import PRESETS, Preset
from rdzip.codecs.names import LATENT_CODECS, LOSSY_CODECS, ClassicMethod, PlaneCodec
from rdzip.codecs.result import Encoded
from rdzip.codecs.transform import codec as transform
from rdzip.codecs.transform import tiles as transform_tiles
from rdzip.errors import InputError
from rdzip.formats import cbor, container, metadata, packing
from rdzip.formats.container import Section, SectionType
from rdzip.formats.header import Arrangement, ImageHeader
from rdzip.formats.images.picture import Picture, symbols_hash
from rdzip.formats.modes import BY_NAME, MODES
from rdzip.formats.quantiser import QUANTISED, largest_allowed
from rdzip.pipeline import quantisation
from rdzip.pipeline.arrangement import arrange, palette_colours
from rdzip.pipeline.model_handle import ModelHandle
from rdzip.pipeline.selection import apart

CODECS = ("classic", "causal", "fast", "slow", "latent", "lossy")
SHARES = (0.42, 0.12, 0.2, 0.05, 0.15, 0.06)
MOST_PIXELS = {"classic": 100, "causal": 30, "fast": 30, "slow": 3, "latent": 20, "lossy": 40}
"""What a slow decoder reads in a moment."""
LATENT_MODES = {"vae": ("1", "L"), "toy-mixture": ("L",), "grey": ("L", "LA"), "deep": ("RGB", "RGBA", "LAB", "RGBa")}


@dataclass
class Made:
    """A file, what it holds (a Picture, a Batch, or names and files), and what of the format it uses.

    exact: whether what is decoded are the samples of `holds`, as is not so with lossy ones.
    """

    data: bytes
    holds: Any
    traits: dict[str, str] = field(default_factory=dict)
    exact: bool = True


def rng_of(*key: int) -> np.random.Generator:
    """Random numbers of a file."""
    return np.random.default_rng(key)


def chance(rng: np.random.Generator, share: float) -> bool:
    """True in this share of calls."""
    return bool(rng.random() < share)


def one_of(rng: np.random.Generator, values: Any) -> Any:
    """One of some values."""
    return values[int(rng.integers(len(values)))]


def picture(number: int) -> Made:
    """A file of one picture."""
    rng = rng_of(1, number)
    codec = CODECS[int(rng.choice(len(CODECS), p=SHARES))]
    return lossy(rng) if codec == "lossy" else lossless(rng, codec)


def sides(rng: np.random.Generator, most: int) -> tuple[int, int]:
    """Height and width of at most so many pixels: single ones, rows, columns, and others."""
    kind = rng.random()
    long = int(rng.integers(1, most + 1))
    if kind < 0.1:
        return 1, 1
    if kind < 0.3:
        return (1, long) if chance(rng, 0.5) else (long, 1)
    height = int(rng.integers(1, min(most, 12) + 1))
    return height, max(1, min(12, int(rng.integers(1, most // height + 1))))


def samples_of(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Samples of many kinds: noise, one value, ramps, few values, two values, extremes, waves."""
    most = 1 << 8 * dtype.itemsize
    kind = int(rng.integers(7))
    place = np.indices(shape)
    if kind == 0:
        values = rng.integers(0, most, shape)
    elif kind == 1:
        values = np.full(shape, rng.integers(0, most))
    elif kind == 2:
        values = (place[1] * rng.integers(0, 9) + place[0] * rng.integers(0, 9) + rng.integers(0, most)) % most
    elif kind == 3:
        values = rng.choice(rng.integers(0, most, 4), shape)
    elif kind == 4:
        values = rng.integers(0, 2, shape) * one_of(rng, (1, most - 1))
    elif kind == 5:
        values = rng.choice((0, 1, most // 2 - 1, most // 2, most - 1), shape)
    else:
        values = (most * (0.5 + 0.4 * np.sin(place[1] / 3 + place[0] / 2)) + rng.integers(0, 9, shape)).astype(np.int64)
    words: NDArray[Any] = (values % most).astype(f"<u{dtype.itemsize}").view(dtype)
    return words


def plain_picture(rng: np.random.Generator, mode: str, height: int, width: int) -> Picture:
    """A picture of a mode, with a palette where it has one."""
    kind = BY_NAME[mode]
    shape = (height, width) if kind.channels == 1 else (height, width, kind.channels)
    samples = samples_of(rng, shape, np.dtype(kind.dtype))
    if mode == "1":
        samples = samples & 1
    if kind.channels > 2 and chance(rng, 0.3):
        samples[:, :, 1:3] = samples[:, :, :1]
    if kind.alpha and chance(rng, 0.3):
        samples[..., -1] = np.iinfo(samples.dtype).max
    if mode == "L" and chance(rng, 0.2):
        samples = (samples & 1) * np.uint8(255)
    palette, palette_mode = b"", ""
    if mode in ("P", "PA"):
        palette_mode = one_of(rng, ("RGB", "RGBA"))
        count = int(one_of(rng, (0, 1, 2, 16, 200, 256)))
        palette = rng.integers(0, 256, count * len(palette_mode)).astype(np.uint8).tobytes()
        if chance(rng, 0.7) and count:
            samples[...] = samples % min(count, int(rng.integers(1, 257)))
    return Picture(samples, mode, palette, palette_mode)


def lossless(rng: np.random.Generator, codec: str) -> Made:
    """A lossless or near-lossless file."""
    model, modes = "causal", [mode.name for mode in MODES if codec == "classic" or mode.dtype == "u1"]
    height, width = sides(rng, MOST_PIXELS[codec])
    if codec == "latent":
        model = one_of(rng, tiny.IMAGES)
        modes = LATENT_MODES[{"resnet": "deep"}.get(model, model)]
        height, width = {"vae": (5, 6), "toy-mixture": (1, 1)}.get(model, (height, width))
    original = target = plain_picture(rng, one_of(rng, modes), height, width)
    if model == "toy-mixture":
        original.samples[...] %= tiny.model(model).values()
    quantiser = None
    if original.mode in QUANTISED and chance(rng, 0.25) and model not in ("vae", "toy-mixture"):
        made = quantisation.quantise(original, int(min(largest_allowed(original.mode), rng.integers(1, 40))))
        quantiser, original, target = made.quantiser, made.indices, made.picture
    target.metadata, target.source_format = metadata_of(rng), one_of(rng, ("PNG", "TIFF", "BMP", "JPEG2000", "X Y"))
    arrangement, samples = arranged(rng, original, binary=model == "vae", codec=codec)
    colour, alpha = samples, None
    if BY_NAME[original.mode].alpha and samples.ndim == 3 and (chance(rng, 0.6) or codec != "classic"):
        colour, alpha = apart(samples)
    traits = {"mode": target.mode, "arrangement": Arrangement(arrangement).name.lower()}
    planes = [group(rng, codec, model, colour, traits)]
    if alpha is not None:
        beside = one_of(rng, ("classic", "fast") if codec == "latent" else ("classic", "fast", "causal"))
        if alpha.dtype != np.uint8:
            beside = "classic"
        told: dict[str, str] = {}
        planes.append(group(rng, beside, model if codec != "latent" else "", alpha, told))
        traits["alpha"] = told["codec"].split("/")[0]
    if quantiser:
        traits["near"] = f"{quantiser.bits} bits"
    header = ImageHeader(
        target.shape[0],
        target.shape[1],
        BY_NAME[target.mode].number,
        target.pixel_hash(),
        reference(model) if any(needs_model for _, needs_model in planes) else None,
        int(rng.integers(0, 9)),
        int(arrangement),
        target.source_format,
        quantiser=quantiser,
    )
    return Made(packed(rng, header, target, [body for body, _ in planes], traits), target, traits)


def reference(model: str) -> Any:
    """What a header says of a tiny model."""
    with tiny.known():
        return ModelHandle(str(tiny.path(model))).reference


def arranged(
    rng: np.random.Generator, picture: Picture, *, binary: bool, codec: str
) -> tuple[Arrangement, NDArray[Any]]:
    """An arrangement that the picture allows, and what is coded by it: of three channels or one, with alpha, if the
    codec is not classic.
    """
    if picture.mode == "L" and (binary or (chance(rng, 0.5) and not {*picture.samples.flat} - {0, 255})):
        if binary:
            picture.samples[...] = (picture.samples & 1) * np.uint8(255)
        return Arrangement.TWO_LEVELS, picture.samples // np.uint8(255)
    if picture.mode == "P" and (codec == "classic" or picture.palette_mode == "RGB") and chance(rng, 0.6):
        colours = palette_colours(picture)
        if colours is not None:
            return Arrangement.PALETTE_COLOURS, colours
    if chance(rng, 0.7) and codec != "latent":
        return arrange(picture)
    return Arrangement.PLAIN, picture.samples


Group = tuple[bytes, bool]
"""The body of a plane group, and whether its payload needs the model."""


def group(rng: np.random.Generator, codec: str, model: str, samples: NDArray[Any], traits: dict[str, str]) -> Group:
    """Samples coded by a codec; by a classic method if it does not code such."""
    if samples.dtype != np.uint8 or samples.shape[2:] not in ((), (3,)):
        codec = "classic"
    if codec == "classic":
        encoded = one_of(rng, classic_ways(samples))
        traits["codec"] = f"classic/{ClassicMethod(encoded.layout).name.lower()}"
        return body_of(PlaneCodec.CLASSIC, encoded), False
    if codec == "causal":
        traits["codec"] = "causal"
        return body_of(PlaneCodec.CAUSAL, causal.encode(tiny.model("causal"), samples)), True
    if codec == "latent":
        return latents(rng, model, samples, traits), True
    presets = [p for p in PRESETS.values() if p.slow == (codec == "slow") and (model or not p.network)]
    preset = one_of(rng, presets)
    bands = int(rng.integers(1, min(samples.shape[0], 4) + 1))
    with mock.patch.object(Preset, "bands", return_value=bands):
        encoded = mixing.encode(tiny.model("causal"), samples, None, preset)
    traits["codec"] = f"mixing/{preset.layout}"
    if bands > 1:
        traits["bands"] = "several"
    return body_of(PlaneCodec.MIXING, encoded), preset.network


def body_of(codec: int, encoded: Encoded) -> bytes:
    """A plane group."""
    return bytes([codec]) + container.write_varint(encoded.layout) + encoded.payload


def classic_ways(samples: NDArray[Any]) -> list[Encoded]:
    """The samples by every method that takes them."""
    found = {ClassicMethod.RAW: classic._encoded(np.ascontiguousarray(samples).tobytes(), ClassicMethod.RAW)}
    for payload, method in classic._candidates(samples):
        found[method] = classic._encoded(payload, method)
    if (quick := classic.encode_at_once(samples)) is not None:
        found[ClassicMethod(quick.layout)] = quick
    return list(found.values())


def options_of(rng: np.random.Generator, codec: str, model: str) -> Options:
    """Options of a codec of latents."""
    few = int(rng.integers(1, 5))
    more: dict[str, Any] = {
        "bb-is": {"particles": few},
        "bb-cis": {"particles": few, "precision": int(one_of(rng, (4, 8, 10, 16)))},
        "bb-ais": {"steps": int(rng.integers(0, 6)), "interleave": int(rng.integers(2))},
        "bb-smc": {"particles": few, "resample": int(rng.integers(3))},
        "irec": {"omega": int(one_of(rng, (50, 300))), "epsilon": int(one_of(rng, (0, 20, 40))), "beams": few,
                 "seed": int(one_of(rng, (0, 7, (1 << 28) - 1)))},
    }.get(codec, {})  # fmt: skip
    if model == "vae" and codec != "irec":
        more["refine"] = int(one_of(rng, (0, 0, 1, 2)))
    return Options(**more)


def latents(rng: np.random.Generator, model: str, samples: NDArray[Any], traits: dict[str, str]) -> bytes:
    """A picture by a codec of latents, sometimes in several tiles on its own first rows."""
    many = chance(rng, 0.3) and samples.size > 16
    limits = {"TILE": 4, "WIDE_TILE": 4, "SPARE": 32} if many else {"TILE": tiled.TILE}
    found = tiny.model(model)
    with mock.patch.multiple(tiled, **limits):
        while True:
            codec = one_of(rng, LATENT_CODECS)
            try:
                encoded = tiled.encode(found, samples, codec, options_of(rng, codec, model))
                break
            except (InputError, AttributeError):  # not a codec of this model
                continue
    traits["codec"], traits["model"] = f"latent/{codec}", model
    if many:
        traits["tiles"] = "several"
    return body_of(PlaneCodec.LATENT, encoded)


def lossy(rng: np.random.Generator) -> Made:
    """A lossy file."""
    name = one_of(rng, (*tiny.LOSSY[:3] * 4, *tiny.LOSSY[3:]))  # irec takes long
    found = tiny.model(name)
    height, width = sides(rng, MOST_PIXELS["lossy"])
    many = chance(rng, 0.15)
    if many:
        height, width = (20, 9) if name == "transform" else (65, 3)
    target = plain_picture(rng, one_of(rng, ("RGB", "RGBA", "L", "LA")), height, width)
    target.metadata = metadata_of(rng)
    traits = {"mode": target.mode}
    arrangement, samples = arranged(rng, target, binary=False, codec="lossy")
    if arrangement == Arrangement.TWO_LEVELS:
        arrangement, samples = Arrangement.PLAIN, target.samples
    traits["arrangement"] = arrangement.name.lower()
    colour, alpha = apart(samples)
    step = int(one_of(rng, (0, found.setting_count // 2, found.setting_count - 1)))
    rec_settings = options_of(rng, "irec", "").rec_settings if name.startswith("irec") else None
    quality = int(rng.integers(0, 101))
    with mock.patch.object(transform_tiles, "TILE", 16 if name == "transform" else 64):
        coded = transform.encode(found, colour, step, quality=quality, rec_settings=rec_settings)
    traits["codec"], traits["model"] = f"lossy/{LOSSY_CODECS[coded.layout]}", name
    if many:
        traits["tiles"] = "several"
    bodies = [body_of(PlaneCodec.TRANSFORM, coded)]
    if alpha is not None:
        bodies.append(group(rng, "classic", "", alpha, {})[0])
        traits["alpha"] = "classic"
    header = ImageHeader(
        height,
        width,
        BY_NAME[target.mode].number,
        b"",
        reference(name),
        arrangement=int(arrangement),
        symbols_hash=symbols_hash(coded.digest, target.mode, target.shape, step, alpha),
    )
    target.source_format = "PNG"
    return Made(packed(rng, header, target, bodies, traits), target, traits, exact=False)


def metadata_of(rng: np.random.Generator) -> dict[str, Any]:
    """Metadata of every kind, or none."""
    found: dict[str, Any] = {}
    if chance(rng, 0.2):
        found["png"] = [[b"tEXt", b"Comment\0a test"], [b"PLTE", b""], [b"IDAT", b""], [b"pHYs", bytes(9)]]
    if chance(rng, 0.1):
        found["tiff"] = [[270, 2, "a test"], [282, 5, [[72, 1]]], [50000, 4, [1, 2]]]
    if chance(rng, 0.2):
        found["info"] = {
            "dpi": [72.0, 0.1],
            "icc_profile": bytes(int(rng.integers(0, 300))),
            "comment": "é",
            "x": [1, [2]],
        }
    if chance(rng, 0.1):
        found["unknown"] = [None, True, False, -1, 1 << 40, "\udcff", {"a": {}, 1: b""}]
    return found


def packed_bytes(rng: np.random.Generator, data: bytes) -> bytes:
    """A packed byte string in one of its forms, not always the shorter."""
    if chance(rng, 0.5):
        return b"\0" + data
    return b"\1" + container.write_varint(len(data)) + lzma.compress(data, lzma.FORMAT_RAW, filters=packing._FILTERS)


def packed(
    rng: np.random.Generator, header: ImageHeader, picture: Picture, bodies: list[bytes], traits: dict[str, str]
) -> bytes:
    """The file, its sections in any order, optional ones among them."""
    sections = [
        Section(kind, body) for kind, body in zip((SectionType.COLOUR, SectionType.ALPHA), bodies, strict=False)
    ]
    if picture.palette_mode:
        body = bytes([len(picture.palette_mode)]) + packed_bytes(rng, picture.palette)
        sections.append(Section(SectionType.PALETTE, body))
        traits["palette"] = picture.palette_mode
    if picture.metadata:
        sections.append(Section(SectionType.METADATA, packed_bytes(rng, metadata.pack(picture.metadata))))
        traits["metadata"] = "+".join(sorted(picture.metadata))
    if header.model and chance(rng, 0.2):
        origin = ["org/name", b"c" * 20, "a.safetensors", header.model.hash + bytes(24), 1000]
        sections.append(Section(SectionType.ORIGIN, cbor.dumps(origin)))
        traits["origin"] = "yes"
    if chance(rng, 0.1):
        sections.append(Section(int(rng.integers(129, 256)), bytes(int(rng.integers(0, 20)))))
        traits["unknown section"] = "yes"
    order: list[int] = rng.permutation(len(sections)).tolist()
    return container.pack(header.to_map(), [sections[i] for i in order])
