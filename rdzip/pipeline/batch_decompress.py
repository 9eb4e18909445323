"""The .rdz file of a batch to its items, or to some of them (docs/reference/format.md, section 8)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from rdzip.errors import CoderError, FormatError, InputError
from rdzip.formats import container
from rdzip.formats.batch import mosaic
from rdzip.formats.batch import tables as batch_tables
from rdzip.formats.batch.header import IMAGE_MODES, BatchHeader, Form
from rdzip.formats.batch.items import Batch, check_items
from rdzip.formats.batch.tables import HASH, Frame
from rdzip.pipeline import latent
from rdzip.pipeline.decompress import decompress
from rdzip.pipeline.model_handle import ModelHandle, Role, check_coder, origin_of
from rdzip.pipeline.request import DEFAULT_COMPUTE, Compute
from rdzip.system import limits
from rdzip.system.progress import Progress, part_of
from rdzip.system.strips import strips

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class DecodedBatch:
    """A decoded batch, the numbers of its items in the file, and the seconds {load, decode}."""

    batch: Batch
    numbers: Sequence[int]
    seconds: dict[str, float]


def decompress_batch(
    data: bytes | memoryview,
    compute: Compute = DEFAULT_COMPUTE,
    progress: Progress | None = None,
    *,
    items: Sequence[int] | None = None,
    model: ModelHandle | None = None,
) -> DecodedBatch:
    """Return the batch in a .rdz file, or some of its items.

    - data: the file
    - compute: where to compute
    - progress: called with the share that is done
    - items: numbers from 0, None for all; only their segments are decoded
    - model: the model, if it is loaded already

    Raises FormatError if the file is not a batch or is corrupt, InputError for items that it has not, ModelError if its
    model cannot be had.
    """
    start = time.perf_counter()
    parsed = container.unpack(data)
    header = BatchHeader.from_map(parsed.header)
    frame = _frame(batch_tables.read_frame(parsed, header), header)
    limit = limits.MAX_PIXELS if compute.max_pixels is None else compute.max_pixels
    pixels = sum(frame.lengths) * header.shape[1] if header.sequences else prod(header.shape[:3])
    if pixels > limit:
        raise FormatError(
            f"the batch has {header.count} items of {pixels} pixels in all, at most {limit} are allowed: raise "
            "`max_pixels` if you trust the file"
        )
    bodies = batch_tables.segments(parsed, header)
    numbers = range(header.count) if items is None else check_items(items, header.count)
    needed = range(header.segments) if items is None else sorted({number // header.segment for number in numbers})
    if header.model:
        check_coder(header.model)
        model = model or ModelHandle(header.model.hash, compute, origin_of(parsed))
    found: dict[int, NDArray[Any]] = {}
    loads = []
    with limits.bounded(len(data), limits.Budget(compute.max_pixels)):
        for done, number in enumerate(needed):
            share = part_of(progress, done / len(needed), (done + 1) / len(needed))
            first, end = header.of_segment(number)
            if model is not None:
                found[number] = _chain(bodies[number], header, frame.lengths[first:end], (first, end), model, share)
            else:
                part, load = _member(bodies[number], header, frame.lengths[first:end], end - first, compute, share)
                found[number] = part
                loads.append(load)
    batch = _gathered(frame, header, found, numbers)
    load = model.seconds if model else sum(loads)
    if progress:
        progress(1.0)
    return DecodedBatch(batch, numbers, {"load": load, "decode": time.perf_counter() - start - load})


def segment_hash(samples: NDArray[Any], first: int, lengths: Sequence[int] = ()) -> bytes:
    """Return the first 8 bytes of SHA-256 over the number of a segment's first item, the sizes of its samples, its
    sequences' lengths (decimal numbers, each followed by a zero byte) and the samples.
    """
    state = hashlib.sha256("".join(f"{n}\0" for n in (first, *samples.shape, *lengths)).encode())
    for s in strips(samples):
        state.update(np.ascontiguousarray(samples[s]).data)
    return state.digest()[:HASH]


def _frame(frame: Frame, header: BatchHeader) -> Batch:
    """Return the batch without its samples."""
    return Batch(
        np.empty(0, np.uint8),
        header.form,
        header.fortran,
        header.single,
        IMAGE_MODES[header.mode] if header.form == Form.IMAGES else "",
        frame.names,
        frame.formats,
        frame.lengths,
        frame.length_dtype,
    )


def _chain(
    body: bytes | memoryview,
    header: BatchHeader,
    lengths: Sequence[int],
    items: tuple[int, int],
    model: ModelHandle,
    progress: Progress | None,
) -> NDArray[np.uint8]:
    first, end = items
    shape: Any = [(n, header.shape[1]) for n in lengths if n] if header.sequences else (end - first, *header.shape[1:])
    expected = (sum(lengths), header.shape[1]) if header.sequences else shape
    try:
        if header.sequences:
            latent.check_item(model, header.shape[1:])
        else:
            latent.check_item(model, shape[1:])
        found = _decode_chain(model, bytes(body[HASH:]), shape, progress) if shape else [np.empty(expected, np.uint8)]
    except (CoderError, InputError) as error:
        raise FormatError(f"{error}; get another copy") from error
    samples: NDArray[Any] = np.concatenate(found) if header.sequences else np.asarray(found)
    if samples.shape != expected or samples.dtype != np.uint8 or (header.factor > 1 and samples.max() > 1):
        raise FormatError(f"the chain holds other samples than {list(expected)}; the file is corrupt")
    if header.factor > 1:
        samples = samples * np.uint8(header.factor)
    if segment_hash(samples, first, lengths) != bytes(body[:HASH]):
        raise FormatError(
            "the decoded samples are not those that were coded (their hash differs): the file is corrupt, or the "
            "model's arithmetic is"
        )
    return samples


def _decode_chain(model: ModelHandle, payload: bytes, shape: Any, progress: Progress | None) -> Any:
    """Return the items of a chain, given their shape (for sequences a list); CoderError for a corrupt payload."""
    from rdzip.codecs.bits_back import chain, head

    loaded = model.load(Role.LATENT)
    _, _, sizes, _ = head.read_head(payload)
    count = len(shape) if isinstance(shape, list) else shape[0]
    if sum(sizes) != count:  # before memory is taken for them
        raise CoderError(f"the chain holds {sum(sizes)} items, expected {count}: the file is corrupt")
    return chain.decode(loaded, payload, shape, progress=progress)


def _member(
    body: bytes | memoryview,
    header: BatchHeader,
    lengths: Sequence[int],
    count: int,
    compute: Compute,
    progress: Progress | None,
) -> tuple[NDArray[Any], float]:
    shape = (sum(lengths), header.shape[1]) if header.sequences else (count, *header.shape[1:])
    if not shape[0] and not len(body):
        return np.empty(shape, np.uint8), 0.0
    decoded = decompress(body, replace(compute, max_pixels=2 * prod(shape[:3])), progress)
    samples = decoded.picture.samples
    if not header.sequences:
        flat = shape[:3] if shape[3:] in ((), (1,)) else shape
        samples = mosaic.split(samples, flat).reshape(shape)
    dtype = np.dtype("|u1" if header.dtype == "|b1" else header.dtype)
    if samples.shape != shape or samples.dtype != dtype.newbyteorder("<"):
        raise FormatError(
            f"a segment holds {samples.dtype} {list(samples.shape)}, not {list(shape)}; the file is corrupt"
        )
    return samples, decoded.seconds["load"]


def _gathered(frame: Batch, header: BatchHeader, found: dict[int, NDArray[Any]], numbers: Sequence[int]) -> Batch:
    def item(number: int) -> NDArray[Any]:
        part = found[number // header.segment]
        first = number // header.segment * header.segment
        if not header.sequences:
            return part[number - first : number - first + 1]
        start = sum(frame.lengths[first:number])
        return part[start : start + frame.lengths[number]]

    whole = isinstance(numbers, range)
    parts = list(found.values()) if whole else [item(number) for number in numbers]
    samples = parts[0] if len(parts) == 1 else np.concatenate(parts)
    if header.form == Form.NPY:
        if header.dtype == "|b1" and samples.size and int(samples.max()) > 1:
            raise FormatError("a batch of bool holds other samples than 0 and 1; the file is corrupt")
        samples = samples.view(np.bool_) if header.dtype == "|b1" else samples.astype(header.dtype, copy=False)
    return replace(
        frame,
        samples=samples,
        names=[frame.names[number] for number in numbers] if frame.names else [],
        formats=[frame.formats[number] for number in numbers] if frame.formats else [],
        lengths=[frame.lengths[number] for number in numbers] if frame.lengths else [],
    )
