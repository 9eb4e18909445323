"""A batch to the bytes of a .rdz file: chains by a model with latents, or mosaics by the codecs for pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rdzip.codecs.result import Bits
from rdzip.errors import FormatError, InputError
from rdzip.formats import container
from rdzip.formats.batch import mosaic
from rdzip.formats.batch import tables as batch_tables
from rdzip.formats.batch.header import BatchHeader, Form
from rdzip.formats.batch.items import Batch
from rdzip.formats.container import Section, SectionType
from rdzip.formats.header import ModelReference, Reason
from rdzip.formats.images.picture import from_array
from rdzip.formats.modes import BY_NAME
from rdzip.pipeline import latent
from rdzip.pipeline.batch_decompress import decompress_batch, segment_hash
from rdzip.pipeline.codec_options import codec_for
from rdzip.pipeline.compress import compress
from rdzip.pipeline.model_handle import ModelHandle, Role
from rdzip.pipeline.report import Clock, Compressed, Outcome, compressed, limit_notes
from rdzip.pipeline.request import DEFAULT_COMPUTE, DEFAULT_REQUEST, Compute, Request
from rdzip.pipeline.resolve import resolve
from rdzip.system import limits
from rdzip.system.progress import Progress, part_of
from rdzip.system.strips import same as same_samples


def compress_batch(
    readings: Batch | Sequence[Batch],
    request: Request = DEFAULT_REQUEST,
    compute: Compute = DEFAULT_COMPUTE,
    progress: Progress | None = None,
) -> Compressed:
    """Return the .rdz file of a batch and a report.

    readings: the batch, or several ways to see it, of which the first that the model takes is used. A model
    with latents codes the items in chains; without one, or with a causal one, they are coded as one picture by the
    codecs for pictures. progress: called with the share done, 0 to 1.
    Raises InputError, ModelError, or FormatError (verification failed).
    """
    readings = [readings] if isinstance(readings, Batch) else list(readings)
    if request.segment is not None and request.segment < 1:
        raise InputError(f"expected segments of at least one item, found {request.segment}")
    clock = Clock()
    model = resolve(request, compute)
    if model is not None and model.role is Role.LOSSY:
        raise InputError(
            f"the model {request.model} loses detail of pictures, found an array or sequences: name another by `model`"
        )
    chained = model if model is not None and model.role is Role.LATENT else None
    split = 0.6 if request.verify else 1.0
    if chained is None:
        request.options.check(None)
        batch = readings[0]
        made = _as_pictures(batch, request, compute, part_of(progress, 0.0, split))
    else:
        batch, made = _as_chains(readings, chained, request, part_of(progress, 0.0, split))
    sections = [*_tables(batch), *made.sections, *(chained.origin() if chained else [])]
    data = container.pack(made.header.to_map(), sections)
    clock.encoded()
    budget = limits.Budget(strict=False)
    if request.verify:
        here = replace(compute, max_pixels=batch.samples.size)
        with limits.bounded(0, budget):
            back = decompress_batch(data, here, part_of(progress, split, 1.0), model=chained)
        _compare(batch, back.batch)
    seconds = clock.seconds(chained.seconds if chained else made.load)
    if progress:
        progress(1.0)
    return compressed(data, batch, made.outcome, seconds, [*batch.notes, *limit_notes(budget)])


@dataclass(frozen=True)
class _Made:
    """The header and the segments of a file, what to report of them, and the seconds that loading models took."""

    header: BatchHeader
    sections: list[Section]
    outcome: Outcome
    load: float = 0.0


def _as_chains(
    readings: Sequence[Batch], model: ModelHandle, request: Request, progress: Progress | None
) -> tuple[Batch, _Made]:
    from rdzip.codecs.bits_back import chain

    chosen = codec_for(model.codecs, request.codec, model.id)
    options = request.options.options(chosen)
    latent.check_options(model, options)
    batch = _taken(readings, model)
    if batch.samples.dtype.itemsize != 1:
        raise InputError(f"the model {model.id} codes uint8 or bool, found {batch.samples.dtype}: convert the array")
    octets = batch.samples.view(np.uint8)
    factor = latent.factor_of(model, octets)
    header = _header(batch, request.segment, model.reference, factor)
    sections: list[Section] = []
    groups: list[list[Any]] = []
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
        whole = chain.encode(
            model.load(Role.LATENT),
            [one for one in np.split(coded, np.cumsum(lengths)[:-1]) if len(one)] if batch.sequences else coded,
            chosen,
            options,
            progress=part_of(progress, first / header.count, end / header.count),
        )
        sections.append(Section(SectionType.CHAIN, digest + whole.payload))
        bits += whole.bits
        groups.append(list(whole.groups))
    return batch, _Made(header, sections, Outcome(chosen, model.id, bits, Reason.REQUESTED, groups))


def _taken(readings: Sequence[Batch], model: ModelHandle) -> Batch:
    for way in readings[:-1]:
        if latent.takes(model, way.item_shape):
            return way
    latent.check_item(model, readings[-1].item_shape)
    return readings[-1]


def _as_pictures(batch: Batch, request: Request, compute: Compute, progress: Progress | None) -> _Made:
    header = _header(batch, request.segment, None, 1)
    one = replace(request, segment=None, metadata="none", verify=False)
    sections, bits, reports = [], Bits(0.0, 0.0, 0.0), []
    for number in range(header.segments):
        first, end = header.of_segment(number)
        part = batch.part(first, end)
        if not part.size:
            sections.append(Section(SectionType.MEMBER, b""))
            continue
        done = compress(
            from_array(part if batch.sequences else mosaic.join(part)),
            one,
            compute,
            part_of(progress, first / header.count, end / header.count),
        )
        sections.append(Section(SectionType.MEMBER, done.data))
        bits += done.report.bits
        reports.append(done.report)
    names = list(dict.fromkeys(report.codec for report in reports))
    models = [report.model for report in reports if report.model]
    load = sum(report.seconds["load"] for report in reports)
    outcome = Outcome("+".join(names), models[0] if models else None, bits, reports[0].cause)
    return _Made(header, sections, outcome, load)


def _header(batch: Batch, segment: int | None, model: ModelReference | None, factor: int) -> BatchHeader:
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
        return [Section(SectionType.NAMES, batch_tables.pack_names(batch.names, batch.formats))]
    if batch.sequences:
        return [Section(SectionType.SEQUENCES, batch_tables.pack_lengths(batch.lengths, batch.length_dtype))]
    return []


def _compare(batch: Batch, back: Batch) -> None:
    kept = ("form", "fortran", "single", "mode", "names", "formats", "lengths", "length_dtype")
    same = (
        all(getattr(batch, name) == getattr(back, name) for name in kept)
        and batch.samples.shape == back.samples.shape
        and batch.samples.dtype == back.samples.dtype
        and same_samples(batch.samples, back.samples)
    )
    if not same:
        raise FormatError(
            "verification failed: what was written does not decode to the input; nothing was kept, please report this"
        )
