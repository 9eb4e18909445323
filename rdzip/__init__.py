"""rdzip: exact compression of images with neural probability models.

    import rdzip
    data = rdzip.compress("photo.png")      # bytes of a .rdz file; also takes a Pillow image or a numpy array
    image = rdzip.decompress(data)          # a Pillow image, equal in pixels, mode, palette and metadata
    data = rdzip.compress("photo.png", quality=60)      # with loss; or target_bpp=0.5
    data = rdzip.compress("scan.png", max_error=2)      # no sample differs by more than 2
    data = rdzip.compress(digits, model="mnist-binary", codec="bb-cis", particles=50)     # an array uint8 [n, h, w]
    digits = rdzip.decompress_array(data, items=[5, 7])                                  # [2, h, w]
    records = rdzip.bound("banana")         # points of upper and lower bounds on its rate-distortion function

Importing rdzip imports neither torch nor numpy nor Pillow; what a call needs is imported by the call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from rdzip.formats.batch import Batch
    from rdzip.formats.picture import Picture

__version__ = "0.1.0"
__all__ = ["__version__", "bound", "compress", "decompress", "decompress_array", "info", "open_rdz", "register_pillow"]


def compress(
    image: Image.Image | NDArray[Any] | Sequence[NDArray[Any]] | str | Path | bytes | BinaryIO,
    *,
    model: str | None = None,
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
) -> bytes:
    """Return the .rdz file of an image or of many, without loss unless a quality, a rate, an error or a lossy model is
    given.

    image: the path, bytes or open binary file of an image or of an array (.npy); a Pillow image; an array: bool, int32
    or float32 [h, w], uint8 or uint16 [h, w] or [h, w, 2..4], or with an axis of items before these; or a list of
    sequences, uint8 [steps, dims] each. Prefer paths to Pillow images: Pillow has already cut 16-bit colour to 8 bits,
    and then it cannot be kept. batch: whether an array holds many images; None: if it has 4 axes, or 3 of which the
    last is longer than 4.
    model: id, hash or file of the neural model, None for what suits the effort. codec: "causal", "classic" or "mixing"
    to have no other, None for the smaller; with a model of latents one of its codecs, None for its default. quality: 1
    to 100, or target_bpp: bits of the file per pixel, code an image with loss, by the model "photo-lossy" unless
    another is named.
    max_error: code an image such that no sample differs by more, 1 to 31, or to 8191 of 16 bits; alpha, palettes and
    modes that are no grey or colours of 8 or 16 bits stay exact.
    particles, refine, steps, resample, interleave, omega, epsilon, beams, seed: options of a codec of latents, as on
    the command line. segment: items of a batch that must be decoded together, None for all. metadata: "all" or "none".
    verify: decode the result and compare before it is returned. effort: of coding without loss, 1 (fast) to 9 (slow),
    None for 6. device: where torch computes the network ("cuda", ...; None: the processor); the file is the same.
    Raises InputError, ModelError or FormatError (rdzip.errors).
    """
    from rdzip.errors import InputError
    from rdzip.formats.batch_writing import compress_batch
    from rdzip.formats.latent import Wishes
    from rdzip.formats.loss import Loss
    from rdzip.formats.rdz import compress_picture

    loss = Loss(quality, target_bpp, max_error)
    wishes = Wishes(particles, refine, steps, resample, interleave, omega, epsilon, beams, seed, segment)
    options: dict[str, Any] = {"model": model, "codec": codec, "effort": effort, "verify": verify}
    options |= {"threads": threads, "device": device, "offline": offline}
    image, ways = _ways(image, batch)
    if ways is not None:
        if loss.wanted:
            raise InputError(
                "a quality, a rate or an error is for images, found an array of many or sequences: leave it out"
            )
        return compress_batch(ways, wishes=wishes, **options).data
    return compress_picture(_picture(image), loss=loss, metadata=metadata, wishes=wishes, **options).data


def decompress(
    data: bytes,
    *,
    items: Sequence[int] | None = None,
    max_pixels: int | None = None,
    threads: int | None = None,
    device: str | None = None,
    offline: bool = False,
) -> Any:
    """Return what is in the bytes of a .rdz file: a Pillow image.

    Of a batch: the array, a list of Pillow images in the order of their names, or a list of sequences [steps, dims].
    items: only these items of a batch, counted from 0. max_pixels: refuse more pixels (None: 2**28). Raises
    FormatError, ModelError, or InputError for 16-bit colour (see decompress_array).
    """
    from rdzip.formats.writing import to_image

    options: dict[str, Any] = {"max_pixels": max_pixels, "threads": threads, "device": device, "offline": offline}
    found = _items(data, items, options)
    if found is None:
        from rdzip.formats.rdz import decompress_picture

        return to_image(decompress_picture(data, **options))
    if found.names:
        return [to_image(picture) for _, picture in found.pictures()]
    return found.split() if found.sequences else found.array()


def decompress_array(
    data: bytes,
    *,
    items: Sequence[int] | None = None,
    max_pixels: int | None = None,
    threads: int | None = None,
    device: str | None = None,
    offline: bool = False,
) -> NDArray[Any]:
    """Return the samples in the bytes of a .rdz file: [h, w] or [h, w, c] of uint8, uint16, int32 or float32 (a palette
    image's indices); of a batch with an axis of items before these, of sequences the steps of all [steps, dims].

    items: only these items of a batch, counted from 0.
    """
    from rdzip.formats.rdz import decompress_picture

    options: dict[str, Any] = {"max_pixels": max_pixels, "threads": threads, "device": device, "offline": offline}
    found = _items(data, items, options)
    return decompress_picture(data, **options).samples if found is None else found.array()


def open_rdz(path: str | Path, *, max_pixels: int | None = None) -> Any:
    """Return what is in a .rdz file, as decompress: a Pillow image, or the items of a batch."""
    return decompress(_read(path), max_pixels=max_pixels)


def info(source: str | Path | bytes) -> dict[str, Any]:
    """Return what a .rdz file (its path or bytes) says of itself: codec, reason, model, shape, mode, sizes; nothing is
    decoded.
    """
    from rdzip.formats.describe import describe

    return describe(source if isinstance(source, bytes) else _read(source))


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

    source: as --source of the command line, or an array of samples [n, dim]. methods: names, None for those that suit
    the source. lambdas: -dR/dD in nats per unit of mean squared error, None for those that show its curve. options: of
    methods, {"vae": {"prior": "gmm_8"}}. out: folder for records and pictures, None for none; it may hold a run only
    with resume, which goes on with it, or force, which replaces it. jobs: processes at a time. The other arguments are
    as on the command line (docs/bounds.md). What goes wrong in one of several methods is warned of.
    Raises InputError (rdzip.errors).
    """
    import tempfile
    import warnings

    import numpy as np

    from rdzip.bounds import run
    from rdzip.bounds.tasks import Where
    from rdzip.errors import InputError

    with tempfile.TemporaryDirectory() as folder:
        if isinstance(source, np.ndarray):
            if source.dtype.hasobject:
                raise InputError(f"expected an array of numbers, found one of {source.dtype}")
            np.save(Path(folder, "array.npy"), source)
            source = Path(folder, "array.npy")
        where = Where(str(source), dim, None if data is None else str(data), seed, crop)
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


def register_pillow() -> None:
    """Let Pillow's Image.open and Image.save handle .rdz files (as importing rdzip.formats.pillow_plugin does)."""
    from rdzip.formats.pillow_plugin import register

    register()


def _read(path: str | Path) -> bytes:
    from rdzip.errors import InputError

    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def _ways(image: Any, batch: bool | None) -> tuple[Any, list[Batch] | None]:
    """Return the input, read if it is a file, and the ways to see it as many items, None if it is one image."""
    import numpy as np
    from PIL import Image

    from rdzip.errors import InputError
    from rdzip.formats import batch_files
    from rdzip.formats.batch import of_array, of_sequences

    if isinstance(image, Image.Image):
        return image, None
    if isinstance(image, list | tuple):
        return image, [of_sequences(image)]
    if isinstance(image, np.ndarray):
        many = image.ndim == 4 or (image.ndim == 3 and image.shape[2] > 4)
        if not (many if batch is None else batch):
            return image, None
        ways = [way for way in of_array(image) if not way.single]
        if not ways:
            raise InputError(f"expected an array of many images [n, h, w] or [n, h, w, c], found {list(image.shape)}")
        return image, ways
    data = image if isinstance(image, bytes) else _read(image) if isinstance(image, str | Path) else image.read()
    return data, batch_files.read_ways(data)


def _items(data: bytes, items: Sequence[int] | None, options: dict[str, Any]) -> Batch | None:
    """Return the items of a batch, None if the data are no batch."""
    from rdzip.formats.batch import check_items, is_batch
    from rdzip.formats.batch_reading import decode_batch

    if not is_batch(data):
        if items is not None:
            check_items(items, 1)
        return None
    return decode_batch(data, items=items, **options).batch


def _picture(image: Any) -> Picture:
    import numpy as np
    from PIL import Image

    from rdzip.formats.picture import from_array
    from rdzip.formats.reading import picture_of_image, read_picture

    if isinstance(image, np.ndarray):
        return from_array(image)
    return picture_of_image(image) if isinstance(image, Image.Image) else read_picture(image)
