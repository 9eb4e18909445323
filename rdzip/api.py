"""The public functions of rdzip, which importing rdzip gives; what a call needs is imported by the call."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from rdzip.formats.batch.items import Batch
    from rdzip.formats.images.picture import Picture
    from rdzip.pipeline.request import Request
    from rdzip.pipeline.restore import Restored

Given: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO"
"""A file, by its path, its bytes, or open for reading."""


def compress(
    image: Image.Image | Picture | NDArray[Any] | Sequence[NDArray[Any]] | Given,
    *,
    model: str | os.PathLike[str] | None = None,
    codec: str | None = None,
    quality: int | None = None,
    target_bpp: float | None = None,
    max_error: int | None = None,
    metadata: str = "all",
    threads: int | None = None,
    device: str | None = None,
    offline: bool = False,
    verify: bool = True,
    particles: int | None = None,
    refine: int | None = None,
    steps: int | None = None,
    resample: str | None = None,
    interleave: bool | None = None,
    omega: float | None = None,
    epsilon: float | None = None,
    beams: int | None = None,
    seed: int | None = None,
    segment: int | None = None,
    batch: bool | None = None,
    effort: int | None = None,
    pixels: bool = False,
) -> bytes:
    """Return the .rdz file of an image or of many, without loss unless a quality, a rate, an error or a lossy model is
    given.

    Of a file that is given whole (by its path, its bytes, or open) the same bytes come back, by `restore`.

    - image: the path, bytes or open binary file of an image or of an array (.npy); a Pillow image; an array: bool,
      int32 or float32 [h, w], uint8 or uint16 [h, w] or [h, w, 2..4], or with an axis of items before these; or a list
      of sequences, uint8 [steps, dims] each. Prefer paths to Pillow images: Pillow has already cut 16-bit colour to 8
      bits, and then it cannot be kept
    - model: id, hash or file of the neural model, None for what suits the effort
    - codec: "causal", "classic" or "mixing" to have no other, None for the smaller; with a model of latents one of its
      codecs, None for its default
    - quality: 1 to 100, or target_bpp: bits of the file per pixel, code an image with loss, by the model "photo-lossy"
      unless another is named
    - max_error: code an image such that no sample differs by more, 1 to 31, or to 8191 of 16 bits; alpha, palettes and
      modes that are no grey or colours of 8 or 16 bits stay exact
    - metadata: "all", or "none", which keeps transparency and orientation
    - threads: at most so many, None for all cores
    - device: where torch computes the network ("cuda", ...; None: the processor); the file is the same
    - offline: fetch no model
    - verify: decode the result and compare before it is returned
    - particles, refine, steps, resample, interleave, omega, epsilon, beams, seed: options of a codec of latents, as on
      the command line
    - segment: items of a batch that must be decoded together, None for all
    - batch: whether an array holds many images; None: if it has 4 axes, or 3 of which the last is longer than 4
    - effort: of coding without loss, 1 (fast) to 9 (slow), None for 6
    - pixels: keep the picture of a file and its metadata only, which is smaller by what else the file holds

    Raises InputError, ModelError or FormatError (rdzip.errors).
    """
    from rdzip import arguments
    from rdzip.errors import InputError
    from rdzip.pipeline.batch_compress import compress_batch
    from rdzip.pipeline.codec_options import CodecOptions
    from rdzip.pipeline.compress import compress as compress_picture
    from rdzip.pipeline.file import compress_file
    from rdzip.pipeline.loss import Loss
    from rdzip.pipeline.request import Request

    loss = Loss(
        arguments.whole("quality", quality),
        arguments.number("target_bpp", target_bpp),
        arguments.whole("max_error", max_error),
    )
    options = CodecOptions(
        arguments.whole("particles", particles),
        arguments.whole("refine", refine, 0),
        arguments.whole("steps", steps, 0),
        arguments.text("resample", resample),
        arguments.flag("interleave", interleave),
        arguments.number("omega", omega),
        arguments.number("epsilon", epsilon),
        arguments.whole("beams", beams),
        arguments.whole("seed", seed, 0),
    )
    request = Request(
        arguments.text("model", model, path=True),
        arguments.text("codec", codec),
        loss,
        arguments.whole("effort", effort),
        options,
        arguments.whole("segment", segment),
        arguments.text("metadata", metadata) or "all",
        arguments.flag("verify", verify) is not False,
        arguments.flag("pixels", pixels) is True,
    )
    compute, batch = arguments.compute(None, threads, device, offline), arguments.flag("batch", batch)
    image, readings, why = _readings(image, batch, request)
    if readings is not None:
        if loss.is_lossy:
            raise InputError(
                "a quality, a rate or an error is for images, found an array of many or sequences: leave it out"
            )
        return compress_batch(readings, request, compute).data
    if isinstance(image, bytes):
        return compress_file(image, request, compute, why=why).data
    return compress_picture(_picture(image), request, compute).data


def decompress(
    data: Given,
    *,
    items: Sequence[int] | None = None,
    max_pixels: int | None = None,
    threads: int | None = None,
    device: str | None = None,
    offline: bool = False,
    fetch: bool = False,
) -> Any:
    """Return what is in a .rdz file: a Pillow image. Of a batch: the array, a list of Pillow images in the order of
    their names, or a list of sequences [steps, dims].

    - data: the file's path, its bytes, or open for reading
    - items: only these items of a batch, counted from 0
    - max_pixels: refuse more pixels (None: 178,956,970); above that, small files that claim much are trusted in
      proportion (docs/reference/format.md, section 6)
    - threads: at most so many, None for all cores
    - device: where torch computes the network ("cuda", ...; None: the processor)
    - offline: fetch no model
    - fetch: fetch a model that is missing from the repository on the Hugging Face hub that the file names, without your
      token; else that is a ModelError which names it

    Raises FormatError, ModelError, or InputError for what is no file, and for 16-bit colour (see decompress_array).
    """
    from rdzip.formats.images.picture import Picture
    from rdzip.formats.images.write import to_image
    from rdzip.pipeline.restore import Restored, image_in

    found = _decode(data, items, max_pixels, threads, device, offline, fetch)
    if isinstance(found, Restored):
        return image_in(found, max_pixels)
    if isinstance(found, Picture):
        return to_image(found)
    if found.names:
        return [to_image(picture) for _, picture in found.pictures()]
    return found.split() if found.sequences else found.array()


def decompress_array(
    data: Given,
    *,
    items: Sequence[int] | None = None,
    max_pixels: int | None = None,
    threads: int | None = None,
    device: str | None = None,
    offline: bool = False,
    fetch: bool = False,
) -> NDArray[Any]:
    """Return the samples in a .rdz file: [h, w] or [h, w, c] of uint8, uint16, int32 or float32 (a palette image's
    indices); of a batch with an axis of items before these, of sequences the steps of all [steps, dims].

    Arguments as of rdzip.api.decompress.
    """
    from rdzip.formats.images.picture import Picture
    from rdzip.pipeline.restore import Restored, array_in

    found = _decode(data, items, max_pixels, threads, device, offline, fetch)
    if isinstance(found, Restored):
        return array_in(found, max_pixels)
    return found.samples if isinstance(found, Picture) else found.array()


def restore(
    data: Given,
    *,
    max_pixels: int | None = None,
    threads: int | None = None,
    device: str | None = None,
    offline: bool = False,
    fetch: bool = False,
) -> bytes:
    """Return the bytes of the file that a .rdz file brings back: those that were compressed.

    data, max_pixels, threads, device, offline, fetch: as in decompress. Raises FormatError where the .rdz file holds a
    picture, a batch or an archive only, and as decompress does.
    """
    from rdzip import arguments
    from rdzip.pipeline.restore import restore as restore_file

    compute = arguments.compute(max_pixels, threads, device, offline)
    data = arguments.read(data, "data")
    _fetch(data, compute.offline, fetch)
    return restore_file(data, compute).data


def open_rdz(path: str | os.PathLike[str], *, max_pixels: int | None = None) -> Any:
    """Return what is in a .rdz file, as decompress: a Pillow image, or the items of a batch."""
    from rdzip import arguments
    from rdzip.errors import InputError

    if not arguments.is_path(path):
        raise InputError(f"`path`: expected the path of a file, found {arguments.found(path)}")
    return decompress(path, max_pixels=max_pixels)


def info(source: Given) -> dict[str, Any]:
    """Return what a .rdz file (its path, its bytes, or open for reading) says of itself: codec, reason, model, shape,
    mode, sizes; nothing is decoded.
    """
    from rdzip import arguments
    from rdzip.formats.describe import describe

    return describe(arguments.read(source, "source"))


def bound(
    source: str | Path | NDArray[Any],
    *,
    dim: int | None = None,
    data: str | Path | None = None,
    crop: int | None = None,
    methods: Sequence[str] | None = None,
    lambdas: Sequence[float] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    out: str | Path | None = None,
    jobs: int = 1,
    resume: bool = False,
    force: bool = False,
    seed: int = 0,
    quick: bool = False,
    device: str = "cpu",
) -> list[dict[str, Any]]:
    """Return records of points of bounds on the rate-distortion function of a source, as `rdzip bound --json` prints.

    - source: as --source of the command line, or an array of samples [n, dim]
    - dim, data, crop: of the source, as --dim, --data and --crop (docs/reference/bounds.md)
    - methods: names, None for those that suit the source
    - lambdas: -dR/dD in nats per unit of mean squared error, None for those that show its curve
    - options: of methods, {"vae": {"prior": "gmm_8"}}
    - out: folder for records and pictures, None for none; it may hold a run only with resume, which goes on with it, or
      force, which replaces it
    - jobs: processes at a time
    - seed: of all that is drawn
    - quick: less work, for a first look
    - device: where torch computes

    What goes wrong in one of several methods is warned of. Raises InputError (rdzip.errors).
    """
    import tempfile
    import warnings

    import numpy as np

    from rdzip.bounds import run
    from rdzip.bounds.tasks import SourceSpec
    from rdzip.errors import InputError

    with tempfile.TemporaryDirectory() as folder:
        if isinstance(source, np.ndarray):
            if source.dtype.hasobject:
                raise InputError(f"expected an array of numbers, found one of {source.dtype}")
            np.save(Path(folder, "array.npy"), source)
            source = Path(folder, "array.npy")
        where = SourceSpec(str(source), dim, None if data is None else str(data), seed, crop)
        request = run.Request(
            where,
            None if methods is None else tuple(methods),
            None if lambdas is None else tuple(lambdas),
            options or {},
            jobs,
            device,
            quick,
        )
        result = run.run(run.plan(request), out=None if out is None else Path(out), resume=resume, force=force)
    if result.failures and not result.records:
        raise result.failures[0].error
    for failure in result.failures:
        warnings.warn(f"{failure.method}: {failure.error}", stacklevel=2)
    if not result.in_order:
        warnings.warn(result.verdict, stacklevel=2)
    return result.records


def wait_passively() -> None:
    """Have the threads of torch sleep while they wait for each other, not spin: ten times as fast on a busy machine.

    To be called before torch is imported, by rdzip or by anybody; warns (RuntimeWarning) if it is too late. Sets
    OMP_WAIT_POLICY=passive in the environment of the process unless the variable is there. The command line does so by
    itself; the library changes no environment unasked. No result depends on it.
    """
    import sys
    import warnings

    from rdzip.system.process import wait_passively

    if "torch" in sys.modules:
        warnings.warn("wait_passively: torch is imported already; call this before", RuntimeWarning, stacklevel=2)
    wait_passively()


def _decode(
    data: Any, items: Any, max_pixels: Any, threads: Any, device: Any, offline: Any, fetch: Any
) -> Picture | Batch | Restored:
    """Return the picture in a .rdz file, the file that it brings back, or its items if it is a batch; fetches missing
    models if asked to."""
    from rdzip import arguments
    from rdzip.formats.batch.items import check_items, is_batch
    from rdzip.pipeline.batch_decompress import decompress_batch
    from rdzip.pipeline.decompress import decompress as decompress_picture
    from rdzip.pipeline.restore import is_carried
    from rdzip.pipeline.restore import restore as restore_file

    compute = arguments.compute(max_pixels, threads, device, offline)
    data = arguments.read(data, "data")
    _fetch(data, compute.offline, fetch)
    items = arguments.numbers_of_items(items)
    if is_batch(data):
        return decompress_batch(data, compute, items=items).batch
    if items is not None:
        check_items(items, 1)
    return restore_file(data, compute) if is_carried(data) else decompress_picture(data, compute).picture


def _fetch(data: bytes, offline: bool, fetch: Any) -> None:
    """Fetch what models are missing, if asked to."""
    from rdzip import arguments
    from rdzip.errors import InputError

    if arguments.flag("fetch", fetch):
        if offline:
            raise InputError("expected `fetch` or `offline`, found both: leave one out")
        from rdzip.pipeline.fetching import fetch_models

        fetch_models(data)


def _readings(image: Any, batch: bool | None, request: Request) -> tuple[Any, list[Batch] | None, str]:
    """Return the input, read if it is a file, the ways to see it as many items, None if it is one image or another
    file, and then why it has no items."""
    import numpy as np
    from PIL import Image

    from rdzip import arguments
    from rdzip.errors import InputError
    from rdzip.formats.batch.items import of_array, of_sequences
    from rdzip.formats.images.picture import Picture
    from rdzip.pipeline.file import items_in

    if isinstance(image, Image.Image | Picture):
        return image, None, ""
    if isinstance(image, list | tuple):
        return image, [of_sequences(image)], ""
    if isinstance(image, np.ma.MaskedArray):
        raise InputError("`image`: expected an array without a mask, found a masked one: fill it (array.filled(value))")
    if isinstance(image, np.ndarray):
        many = image.ndim == 4 or (image.ndim == 3 and image.shape[2] > 4)
        if not (many if batch is None else batch):
            return image, None, ""
        readings = [one for one in of_array(image) if not one.single]
        if not readings:
            raise InputError(f"expected an array of many images [n, h, w] or [n, h, w, c], found {list(image.shape)}")
        return image, readings, ""
    kinds = "a path, bytes, an open binary file, a Pillow image, an array or a list of sequences"
    data = arguments.read(image, "image", kinds)
    return data, *items_in(data, request)


def _picture(image: Any) -> Picture:
    import numpy as np

    from rdzip.formats.images.picture import Picture, from_array
    from rdzip.formats.images.read import picture_of_image

    if isinstance(image, Picture):
        return image
    return from_array(image) if isinstance(image, np.ndarray) else picture_of_image(image)
