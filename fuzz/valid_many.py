"""Valid files by number: batches, archives, and what the public `compress` makes under all of its options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from helpers.packed import pack_archive
from numpy.typing import NDArray

import rdzip
from fuzz import tiny, valid
from fuzz.valid import Made, chance, one_of, rng_of, samples_of, sides
from rdzip.errors import InputError
from rdzip.formats.batch.header import DTYPES, LENGTH_DTYPES, Form
from rdzip.formats.batch.items import Batch, of_sequences
from rdzip.pipeline.batch_compress import compress_batch
from rdzip.pipeline.codec_options import NO_OPTIONS, CodecOptions
from rdzip.pipeline.decompress import decompress
from rdzip.pipeline.request import Compute, Request

NAMES = ("a.png", "b/c.png", "é.tif", "x y/z.bmp", "\udcff.png", "A.jpg", "long" * 50)
CODECS = {
    "vae": ("bb-ans", "bb-is", "bb-cis", "bb-ais", "stochastic", "irec"),
    "toy-mixture": ("bb-ans", "bb-is", "bb-cis", "bb-ais", "stochastic", "irec"),
    "grey": ("bit-swap", "bb-ans", "bb-is", "bb-cis", "stochastic", "irec"),
    "deep": ("bit-swap", "bb-ans", "bb-is", "bb-cis", "stochastic", "irec"),
    "resnet": ("bb-ans", "bb-is", "bb-cis", "stochastic", "irec"),
    "toy-hmm": ("bb-smc", "bb-ans", "bb-is", "stochastic"),
    "vrnn": ("bb-smc", "bb-ans", "bb-is", "stochastic"),
}
"""Codecs of the tiny models."""


def made_batch(number: int) -> Made:
    """A batch: of an array, of images, of sequences; by a model or as pictures."""
    rng = rng_of(2, number)
    model = one_of(rng, (None, None, *CODECS))
    sequences = model in tiny.SEQUENCES or (model is None and chance(rng, 0.3))
    items = sequences_of(rng, model) if sequences else array_of(rng, model)
    count = items.count
    traits = {"form": items.form.name.lower(), "model": model or "none", "dtype": items.samples.dtype.str}
    options, segment, codec, effort = NO_OPTIONS, None, None, None
    if model:
        codec = one_of(rng, CODECS[model])
        options = options_of(rng, codec, model)
        traits["codec"] = f"chain/{codec}"
    else:
        codec, effort = one_of(rng, ((None, None), ("classic", None), ("mixing", 1), ("mixing", 3), (None, 2)))
        traits["codec"] = f"mosaic/{codec or 'any'}"
        if codec == "mixing" and (items.samples.dtype != np.uint8 or items.samples.shape[3:] not in ((), (1,), (3,))):
            codec, effort = "classic", None
    if count > 1 and chance(rng, 0.5):
        segment = int(rng.integers(1, count))
        traits["segments"] = "several"
    for flag in ("fortran", "single"):
        if getattr(items, flag):
            traits[flag] = "yes"
    with tiny.known():
        path = str(tiny.path(model)) if model else None
        data = compress_batch(
            items, Request(model=path, codec=codec, options=options, segment=segment, effort=effort), Compute(threads=1)
        ).data
    return Made(data, items, traits)


def options_of(rng: np.random.Generator, codec: str, model: str) -> CodecOptions:
    """Options of a codec of latents."""
    few = int(rng.integers(1, 4))
    more: dict[str, Any] = {
        "bb-is": {"particles": few},
        "bb-cis": {"particles": few},
        "bb-ais": {"steps": few, "interleave": None if chance(rng, 0.5) else False},
        "bb-smc": {"particles": few, "resample": one_of(rng, ("adaptive", "always", "never"))},
        "irec": {"omega": one_of(rng, (0.5, 3.0)), "epsilon": 0.2, "beams": few, "seed": few},
    }.get(codec, {})
    if model in tiny.SEQUENCES and codec not in ("bb-smc", "bb-is"):
        more = {}
    if model == "vae" and codec != "irec" and chance(rng, 0.3):
        more["refine"] = 1
    return CodecOptions(**more)


def array_of(rng: np.random.Generator, model: str | None) -> Batch:
    """Items of an array, or of images with names."""
    count = int(rng.integers(1, 6))
    height, width = sides(rng, 12)
    channels: tuple[int, ...] = ()
    kind, values = one_of(rng, DTYPES), 0
    if model:
        kind, values = "|u1", tiny.model(model).values()
        height, width = {"vae": (5, 6), "toy-mixture": (1, 1)}.get(model, (height, width))
        channels = (3,) if model in ("deep", "resnet") else ()
    elif chance(rng, 0.5):
        channels = (int(rng.integers(1, 5)),) if np.dtype(kind).itemsize < 3 and kind != "|b1" else ()
    shape = (count, height, width, *channels)
    dtype = np.dtype(kind).newbyteorder("<")
    samples: NDArray[Any] = samples_of(rng, shape, np.dtype("u1") if kind == "|b1" else dtype)
    if values == 2:
        samples = (samples & 1) * np.uint8(one_of(rng, (1, 255)))
    elif values and values < 256:
        samples = (samples % values).astype(np.uint8)
    if kind == "|b1" or (values == 2 and chance(rng, 0.3)):
        samples = (samples & 1).astype(np.bool_)
    mode = {(): "L", (3,): "RGB"}.get(channels)
    if mode and samples.dtype == np.uint8 and chance(rng, 0.3):
        names = list(rng.permutation(len(NAMES))[:count])
        made = [NAMES[i] for i in names]
        formats = [one_of(rng, ("PNG", "TIFF")) for _ in made]
        samples = samples[: len(made)]
        return Batch(samples, Form.IMAGES, mode=mode, names=made, formats=formats)
    samples = samples.astype(samples.dtype.newbyteorder(kind[0])) if dtype.itemsize > 1 else samples
    single = len(samples) == 1 and chance(rng, 0.5)
    fortran = chance(rng, 0.3)
    return Batch(samples, fortran=fortran, single=single)


def sequences_of(rng: np.random.Generator, model: str | None) -> Batch:
    """Sequences of an .npz."""
    dims = {"vrnn": 88, "toy-hmm": 1}.get(model or "", int(rng.integers(1, 9)))
    lengths = [int(n) for n in rng.integers(0, 4, int(rng.integers(1, 6)))]
    lengths[0] = lengths[0] or 1
    values = 2 if model == "vrnn" else tiny.model(model).values() if model else 256
    steps = [rng.integers(0, values, (n, dims)).astype(np.uint8) for n in lengths]
    if dims == 88:
        steps = [(rng.random((n, dims)) < 0.05).astype(np.uint8) for n in lengths]
    return of_sequences(steps, length_dtype=one_of(rng, LENGTH_DTYPES))


def made_archive(number: int) -> Made:
    """An archive of pictures and batches, or of nothing."""
    rng = rng_of(3, number)
    names = [NAMES[i] for i in rng.permutation(len(NAMES))[: int(rng.integers(0, 5))]]
    makers: tuple[Callable[[int], Made], ...] = (valid.picture, made_batch)
    members = [(name, one_of(rng, makers)(int(rng.integers(1 << 30)))) for name in names]
    data = pack_archive([(name, made.data) for name, made in members])
    return Made(data, members, {"codec": "archive", "members": str(len(members))})


def made_call(number: int) -> Made:
    """What `rdzip.compress` gives for an image, under all options, with the models that users have."""
    rng = rng_of(4, number)
    height, width = sides(rng, 6)
    mode = one_of(rng, ("1", "L", "LA", "RGB", "RGBA", "P", "CMYK", "I;16", "I", "F", "RGB;16"))
    source = valid.plain_picture(rng, mode, height, width)
    if mode == "P" and not source.palette:
        source.palette = bytes(range(6 * len(source.palette_mode)))
    options: dict[str, Any] = {"metadata": one_of(rng, ("all", "none")), "threads": 1}
    wish = int(rng.integers(6))
    if wish == 0:
        options["effort"] = int(rng.integers(1, 8))
    elif wish == 1:
        options["codec"] = one_of(rng, ("classic", "causal", "mixing"))
    elif wish == 2:
        options |= {"max_error": int(one_of(rng, (1, 2, 31)))}
    elif wish == 3:
        options |= {"quality": int(rng.integers(1, 101))}
    elif wish == 4:
        options |= {"codec": "mixing", "effort": int(rng.integers(1, 8))}
    traits = {"mode": mode, "options": "+".join(sorted(set(options) - {"threads"}))}
    try:
        data = rdzip.compress(given(source), **options)
    except InputError:  # what the codec does not code
        options.pop("codec", None)
        data = rdzip.compress(given(source), **options)
    told = rdzip.info(data)
    traits["codec"] = f"call/{told['codec']}"
    exact = "pixel_hash" in told
    holds = decompress(data).picture
    if not told["lossy"]:
        assert np.array_equal(holds.samples.view("u1"), source.samples.view("u1"))
    return Made(data, holds, traits, exact)


def given(source: Any) -> Any:
    """A picture as a Pillow image, or as the array that Pillow has no mode for."""
    from rdzip.formats.images.write import to_image

    return source.samples if source.mode == "RGB;16" else to_image(source)


MAKERS: dict[str, Callable[[int], Made]] = {
    "picture": valid.picture,
    "batch": made_batch,
    "archive": made_archive,
    "call": made_call,
}
"""What makes files, by kind."""
