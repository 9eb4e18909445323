"""Many items (an array of images, a folder, sequences) as one file, coded together (docs/format.md, section 8)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from rdzip.codecs.result import Bits
from rdzip.errors import CoderError, FormatError, InputError
from rdzip.formats import batch_frame, container, mosaic, rdz
from rdzip.formats.batch_frame import HASH, Frame
from rdzip.formats.batch_header import DTYPES, IMAGE_MODES, MAX_CHANNELS, BatchHeader, Form
from rdzip.formats.container import Section, SectionType
from rdzip.formats.header import BATCH_KIND, MEMBERS, REASONS, ModelStamp, Reason
from rdzip.formats.latent import NO_WISHES, Wishes, codec_for, factor_of
from rdzip.formats.modes import BY_NAME
from rdzip.formats.neural import Neural, check_coder, latent_model
from rdzip.formats.picture import Picture, from_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

NPZ_SIDE = bytes([0, 7])  # an .npz with lengths of int64 and uint64
Progress = Callable[[float], None]


@dataclass
class Batch:
    """Items in memory.

    samples: [n, h, w] or [n, h, w, c]; of sequences the steps of all, one after the other, uint8 [steps, dims].
    single: the array that came had no axis of items. mode, names, formats: of images (Pillow's words). lengths: of
    sequences, in steps. side: how the file of sequences was written (rdzip.formats.sequences).
    """

    samples: NDArray[Any]
    form: Form = Form.NPY
    fortran: bool = False
    single: bool = False
    mode: str = ""
    names: list[str] = field(default_factory=list)
    formats: list[str] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    side: bytes = b""
    source_bytes: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def sequences(self) -> bool:
        """Whether the items are sequences."""
        return self.form in (Form.NPZ, Form.JSON)

    @property
    def count(self) -> int:
        """Number of items."""
        return len(self.lengths) if self.sequences else int(self.samples.shape[0])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of all samples, as reports tell it: that of the array, or [steps of all, dims]."""
        shape = tuple(int(n) for n in self.samples.shape)
        return shape[1:] if self.single else shape

    @property
    def item_shape(self) -> tuple[int, ...]:
        """Shape of one item, of sequences that of one step: (dims,)."""
        return tuple(int(n) for n in self.samples.shape[1:])

    @property
    def pixels(self) -> int:
        """Number of pixels of all items; of sequences, of samples."""
        return prod(self.samples.shape) if self.sequences else prod(self.samples.shape[:3])

    def array(self) -> NDArray[Any]:
        """Return the array as it came."""
        return self.samples[0] if self.single else self.samples

    def split(self) -> list[NDArray[np.uint8]]:
        """Return the sequences, each [steps, dims]."""
        return np.split(self.samples, np.cumsum(self.lengths)[:-1])

    def part(self, first: int, end: int) -> NDArray[Any]:
        """Return the samples of the items first..end-1."""
        if not self.sequences:
            return self.samples[first:end]
        ends = np.concatenate([[0], np.cumsum(self.lengths)])
        return self.samples[ends[first] : ends[end]]

    def pictures(self) -> Iterator[tuple[str, Picture]]:
        """Yield the name and the picture of each image."""
        for name, source, samples in zip(self.names, self.formats, self.samples, strict=True):
            yield name, Picture(np.ascontiguousarray(samples), self.mode, source_format=source)


@dataclass(frozen=True)
class DecodedBatch:
    """A decoded batch, the numbers of its items in the file, and the seconds {load, decode}."""

    batch: Batch
    numbers: Sequence[int]
    seconds: dict[str, float]


def of_array(array: NDArray[Any], *, fortran: bool = False, source_bytes: int = 0) -> list[Batch]:
    """Return the ways to see an array as items, the likelier first.

    [n, h, w, c] is n images; [h, w] one; [n, h, w] n images, or one [h, w, c] if the last size is 2 to 4. Raises
    InputError for other arrays.
    """
    array = np.ascontiguousarray(array)
    described = f"{array.dtype} {list(array.shape)}"
    if array.dtype.str not in DTYPES:
        raise InputError(f"expected an array of bool, uint8, uint16, int32 or float32, found {described}: convert it")
    if array.dtype == np.bool_:
        array = array.view(np.uint8) != 0  # a file's true may be any number
    if not 2 <= array.ndim <= 4 or (array.ndim == 4 and array.shape[3] > MAX_CHANNELS):
        raise InputError(
            f"expected an array of images [n, h, w] or [n, h, w, c] with c of 1 to {MAX_CHANNELS}, found {described}: "
            "reshape or transpose it"
        )
    if not array.size:
        raise InputError(f"expected at least one sample, found {described}")
    many = Batch(array, fortran=fortran, source_bytes=source_bytes)
    one = Batch(array[None], fortran=fortran, single=True, source_bytes=source_bytes)
    if array.ndim == 2:
        return [one]
    return [one, many] if array.ndim == 3 and 2 <= array.shape[2] <= MAX_CHANNELS else [many]


def of_sequences(
    sequences: Sequence[NDArray[Any]], *, form: Form = Form.NPZ, side: bytes = NPZ_SIDE, source_bytes: int = 0
) -> Batch:
    """Return the batch of sequences, uint8 [steps, dims] each with the same dims; InputError for anything else."""
    arrays = [np.asarray(sequence) for sequence in sequences]
    if not any(array.size for array in arrays):
        raise InputError("expected at least one step of a sequence, found none")
    for number, array in enumerate(arrays):
        if array.ndim != 2 or array.dtype != np.uint8 or array.shape[1] != arrays[0].shape[-1]:
            raise InputError(
                f"expected sequences of uint8 [steps, dims] with equal dims, found {array.dtype} {list(array.shape)} "
                f"as number {number}"
            )
    lengths = [len(array) for array in arrays]
    return Batch(np.concatenate(arrays), form, lengths=lengths, side=side, source_bytes=source_bytes)


def of_pictures(pictures: Sequence[tuple[str, Picture]]) -> Batch:
    """Return the batch of named pictures of one shape and mode (RGB, L or 1); their metadata are not kept."""
    first = pictures[0][1]
    return Batch(
        np.stack([picture.samples for _, picture in pictures]),
        Form.IMAGES,
        mode=first.mode,
        names=[name for name, _ in pictures],
        formats=[picture.source_format or "PNG" for _, picture in pictures],
        source_bytes=sum(picture.source_bytes for _, picture in pictures),
    )


def is_batch(data: bytes | memoryview) -> bool:
    """Return whether a file (or its beginning) is a batch; FormatError if it is no .rdz file."""
    header, _ = container.unpack_prefix(data)
    return header.get(MEMBERS) == BATCH_KIND


def compress_batch(
    ways: Batch | Sequence[Batch],
    *,
    model: str | None = None,
    codec: str | None = None,
    wishes: Wishes = NO_WISHES,
    threads: int | None = None,
    device: str | None = None,
    offline: bool = False,
    progress: Progress | None = None,
    verify: bool = True,
) -> rdz.Compressed:
    """Return the .rdz file of a batch and a report.

    ways: the batch, or several ways to see it, of which the first that the model takes is used. model: id, hash or
    file; a model with latents codes the items in chains, without one (or with a causal one) they are coded as one
    picture by the codecs for pictures. codec: one that the model has, None for its default. verify: decode what was
    written and compare. progress: called with the share done, 0 to 1.
    Raises InputError, ModelError, or FormatError (verification failed).
    """
    ways = [ways] if isinstance(ways, Batch) else list(ways)
    rdz.check_codec(codec)
    start = time.perf_counter()
    neural = latent_model(model, codec, threads=threads, device=device, offline=offline)
    split = 0.6 if verify else 1.0
    if neural is None:
        wishes.check(None)
        batch = ways[0]
        header, sections, facts = _as_pictures(
            batch, wishes.segment, model, codec, threads, device, offline, _part(progress, 0.0, split)
        )
    else:
        batch, header, sections, facts = _as_chains(ways, neural, codec, wishes, _part(progress, 0.0, split))
    data = container.pack(header.to_map(), [*_tables(batch), *sections])
    load = neural.seconds if neural else facts.load
    encoded = time.perf_counter()
    if verify:
        back = decode_batch(data, max_pixels=batch.samples.size, threads=threads, device=device, offline=offline,
                            neural=neural, progress=_part(progress, split, 1.0))  # fmt: skip
        _compare(batch, back.batch)
    done = time.perf_counter()
    if progress:
        progress(1.0)
    report = rdz.Report(
        codec=facts.codec,
        model=facts.model,
        shape=batch.shape,
        bytes_in=batch.source_bytes or batch.samples.nbytes,
        bytes_out=len(data),
        bpsp=8 * len(data) / batch.samples.size,
        bits=facts.bits,
        seconds={"load": load, "encode": encoded - start - load, "verify": done - encoded},
        reason=facts.reason,
        notes=list(batch.notes),
        items=facts.items,
    )
    return rdz.Compressed(data, report)


@dataclass(frozen=True)
class _Facts:
    codec: str
    model: str | None
    bits: Bits
    reason: str
    load: float = 0.0
    items: list[Any] | None = None


def _as_chains(
    ways: Sequence[Batch], neural: Neural, codec: str | None, wishes: Wishes, progress: Progress | None
) -> tuple[Batch, BatchHeader, list[Section], _Facts]:
    chosen = codec_for(neural.codecs, codec, neural.stamp.id)
    options = wishes.options(chosen)
    neural.check_options(options)
    batch = _taken(ways, neural)
    if batch.samples.dtype.itemsize != 1:
        raise InputError(
            f"the model {neural.stamp.id} codes uint8 or bool, found {batch.samples.dtype}: convert the array"
        )
    octets = batch.samples.view(np.uint8)
    factor = factor_of(octets, neural.values(), neural.stamp.id)
    header = _header(batch, wishes.segment, neural.stamp, factor)
    sections: list[Section] = []
    items: list[Any] = []
    bits = Bits(0.0, 0.0, 0.0)
    for number in range(header.segments):
        first, end = header.of_segment(number)
        part = batch.part(first, end).view(np.uint8)
        lengths = batch.lengths[first:end]
        coded = part if factor == 1 else part // np.uint8(factor)
        digest = segment_hash(part, first, lengths)
        if not part.size:
            sections.append(Section(SectionType.CHAIN, digest))
            continue
        whole = neural.encode_chain(
            [one for one in np.split(coded, np.cumsum(lengths)[:-1]) if len(one)] if batch.sequences else coded,
            chosen,
            options,
            _part(progress, first / header.count, end / header.count),
        )
        sections.append(Section(SectionType.CHAIN, digest + whole.payload))
        bits += whole.bits
        items += whole.items or []
    facts = _Facts(chosen, neural.stamp.id, bits, REASONS[Reason.REQUESTED], items=items or None)
    return batch, header, sections, facts


def _taken(ways: Sequence[Batch], neural: Neural) -> Batch:
    for way in ways[:-1]:
        if neural.takes(way.item_shape):
            return way
    neural.check_item(ways[-1].item_shape)
    return ways[-1]


def _as_pictures(
    batch: Batch,
    segment: int | None,
    model: str | None,
    codec: str | None,
    threads: int | None,
    device: str | None,
    offline: bool,
    progress: Progress | None,
) -> tuple[BatchHeader, list[Section], _Facts]:
    header = _header(batch, segment, None, 1)
    sections, bits, reports = [], Bits(0.0, 0.0, 0.0), []
    for number in range(header.segments):
        first, end = header.of_segment(number)
        part = batch.part(first, end)
        if not part.size:
            sections.append(Section(SectionType.MEMBER, b""))
            continue
        done = rdz.compress_picture(
            from_array(part if batch.sequences else mosaic.join(part)),
            model=model,
            codec=codec,
            metadata="none",
            threads=threads,
            device=device,
            offline=offline,
            progress=_part(progress, first / header.count, end / header.count),
            verify=False,
        )
        sections.append(Section(SectionType.MEMBER, done.data))
        bits += done.report.bits
        reports.append(done.report)
    names = list(dict.fromkeys(report.codec for report in reports))
    models = [report.model for report in reports if report.model]
    load = sum(report.seconds["load"] for report in reports)
    facts = _Facts("+".join(names), models[0] if models else None, bits, reports[0].reason, load)
    return header, sections, facts


def _header(batch: Batch, segment: int | None, model: ModelStamp | None, factor: int) -> BatchHeader:
    shape = (batch.count, *batch.item_shape)
    return BatchHeader(
        shape=shape,
        form=batch.form,
        segment=min(segment or batch.count, batch.count),
        model=model,
        dtype=batch.samples.dtype.str if batch.form == Form.NPY else "|u1",
        fortran=batch.fortran,
        single=batch.single,
        mode=BY_NAME[batch.mode].number if batch.form == Form.IMAGES else 0,
        factor=factor,
    )


def _tables(batch: Batch) -> list[Section]:
    if batch.form == Form.IMAGES:
        return [Section(SectionType.NAMES, batch_frame.pack_names(batch.names, batch.formats))]
    if batch.sequences:
        return [Section(SectionType.SEQUENCES, batch_frame.pack_lengths(batch.lengths, batch.side))]
    return []


def segment_hash(samples: NDArray[Any], first: int, lengths: Sequence[int] = ()) -> bytes:
    """Return the first 8 bytes of SHA-256 over the number of a segment's first item, the sizes of its samples, its
    sequences' lengths (decimal numbers, each followed by a zero byte) and the samples.
    """
    state = hashlib.sha256("".join(f"{n}\0" for n in (first, *samples.shape, *lengths)).encode())
    step = max(1, (1 << 22) // max(1, samples[:1].nbytes))
    for row in range(0, samples.shape[0], step):
        state.update(np.ascontiguousarray(samples[row : row + step]).data)
    return state.digest()[:HASH]


def decode_batch(
    data: bytes | memoryview,
    *,
    items: Sequence[int] | None = None,
    max_pixels: int | None = None,
    threads: int | None = None,
    device: str | None = None,
    offline: bool = False,
    neural: Neural | None = None,
    progress: Progress | None = None,
) -> DecodedBatch:
    """Return the batch in a .rdz file, or some of its items, counted from 0; only their segments are decoded.

    max_pixels: refuse batches of more pixels in all (2**28 when None). neural: the model, if it is loaded already.
    Raises FormatError if the file is not a batch or is corrupt, InputError for items that it has not, ModelError if its
    model cannot be had.
    """
    start = time.perf_counter()
    parsed = container.unpack(data)
    header = BatchHeader.from_map(parsed.header)
    frame = _frame(batch_frame.read_frame(parsed, header), header)
    limit = rdz.DEFAULT_MAX_PIXELS if max_pixels is None else max_pixels
    pixels = sum(frame.lengths) * header.shape[1] if header.sequences else prod(header.shape[:3])
    if pixels > limit:
        raise FormatError(
            f"the batch has {header.count} items of {pixels} pixels in all, at most {limit} are allowed: raise "
            "--max-pixels if you trust the file"
        )
    bodies = batch_frame.segments(parsed, header)
    numbers = range(header.count) if items is None else check_items(items, header.count)
    needed = range(header.segments) if items is None else sorted({number // header.segment for number in numbers})
    if header.model:
        check_coder(header.model)
        neural = neural or Neural(header.model.hash, threads=threads, device=device, offline=offline)
    found: dict[int, NDArray[Any]] = {}
    loads = []
    for done, number in enumerate(needed):
        share = _part(progress, done / len(needed), (done + 1) / len(needed))
        first, end = header.of_segment(number)
        if neural is not None:
            found[number] = _chain(bodies[number], header, frame.lengths[first:end], (first, end), neural, share)
        else:
            options = {"threads": threads, "device": device, "offline": offline, "progress": share}
            part, load = _member(bodies[number], header, frame.lengths[first:end], end - first, options)
            found[number] = part
            loads.append(load)
    batch = _gathered(frame, header, found, numbers)
    load = neural.seconds if neural else sum(loads)
    if progress:
        progress(1.0)
    return DecodedBatch(batch, numbers, {"load": load, "decode": time.perf_counter() - start - load})


def check_items(items: Sequence[int], count: int) -> list[int]:
    """Return the numbers of items of a batch of `count`; InputError for one that it has not, or that comes twice."""
    for number in items:
        if not 0 <= number < count:
            raise InputError(f"expected items of 0 to {count - 1}, found {number}: rdzip info tells how many there are")
    if len(set(items)) < len(items) or not items:
        raise InputError("expected each item once, found none or one several times: list each once after --items")
    return list(items)


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
        frame.side,
    )


def _chain(
    body: bytes | memoryview,
    header: BatchHeader,
    lengths: Sequence[int],
    items: tuple[int, int],
    neural: Neural,
    progress: Progress | None,
) -> NDArray[np.uint8]:
    first, end = items
    shape: Any = [(n, header.shape[1]) for n in lengths if n] if header.sequences else (end - first, *header.shape[1:])
    wanted = (sum(lengths), header.shape[1]) if header.sequences else shape
    try:
        if header.sequences:
            neural.check_item(header.shape[1:])
        else:
            neural.check_item(shape[1:])
        found = neural.decode_chain(bytes(body[HASH:]), shape, progress) if shape else [np.empty(wanted, np.uint8)]
    except (CoderError, InputError) as error:
        raise FormatError(f"{error}; get another copy") from error
    samples: NDArray[Any] = np.concatenate(found) if header.sequences else found
    if samples.shape != wanted or samples.dtype != np.uint8 or (header.factor > 1 and samples.max() > 1):
        raise FormatError(f"the chain holds other samples than {list(wanted)}; the file is corrupt")
    if header.factor > 1:
        samples = samples * np.uint8(header.factor)
    if segment_hash(samples, first, lengths) != bytes(body[:HASH]):
        raise FormatError(
            "the decoded samples are not those that were coded (their hash differs): the file is corrupt, or the "
            "model's arithmetic is"
        )
    return samples


def _member(
    body: bytes | memoryview, header: BatchHeader, lengths: Sequence[int], count: int, options: dict[str, Any]
) -> tuple[NDArray[Any], float]:
    shape = (sum(lengths), header.shape[1]) if header.sequences else (count, *header.shape[1:])
    if not shape[0] and not len(body):
        return np.empty(shape, np.uint8), 0.0
    decoded = rdz.decode(body, max_pixels=2 * prod(shape[:3]), **options)
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
        side=frame.side if whole else _plain_side(frame.side, len(numbers)),
    )


def _plain_side(side: bytes, count: int) -> bytes:
    """Return the record for a file of some of the sequences: the same .npz, or JSON as Python writes a list."""
    return side if side[:1] in (b"", b"\0") else b'\x01[", ",": ","",true,%d]' % count


def _compare(batch: Batch, back: Batch) -> None:
    same = (
        (batch.form, batch.fortran, batch.single, batch.mode, batch.names, batch.formats, batch.lengths, batch.side)
        == (back.form, back.fortran, back.single, back.mode, back.names, back.formats, back.lengths, back.side)
        and batch.samples.shape == back.samples.shape
        and batch.samples.dtype == back.samples.dtype
        and all(
            np.array_equal(a.view(np.uint8), b.view(np.uint8)) for a, b in zip(batch.samples, back.samples, strict=True)
        )
    )
    if not same:
        raise FormatError(
            "verification failed: what was written does not decode to the input; nothing was kept, please report this"
        )


def _part(progress: Progress | None, start: float, end: float) -> Progress | None:
    return (lambda done: progress(start + (end - start) * done)) if progress else None
