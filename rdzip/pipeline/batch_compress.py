"""A batch to the bytes of a .rdz file: chains by a model with latents, or mosaics by the codecs for pictures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rdzip.codecs.result import Bits
from rdzip.errors import FormatError, InputError
from rdzip.formats import container
from rdzip.formats.batch import mosaic
from rdzip.formats.batch import tables as batch_frame
from rdzip.formats.batch.header import BatchHeader, Form
from rdzip.formats.batch.items import Batch
from rdzip.formats.container import Section, SectionType
from rdzip.formats.header import REASONS, ModelStamp, Reason
from rdzip.formats.images.picture import from_array
from rdzip.formats.modes import BY_NAME
from rdzip.pipeline.batch_decompress import decompress_batch, segment_hash
from rdzip.pipeline.codec_options import codec_for, factor_of
from rdzip.pipeline.compress import check_codec, compress
from rdzip.pipeline.model_handle import Neural, latent_model, lossy_model
from rdzip.pipeline.report import Compressed, Report
from rdzip.pipeline.request import DEFAULT_COMPUTE, DEFAULT_REQUEST, Compute, Request
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
    check_codec(request.codec)
    if request.segment is not None and request.segment < 1:
        raise InputError(f"expected segments of at least one item, found {request.segment}")
    start = time.perf_counter()
    if lossy_model(request, compute):
        raise InputError(
            f"the model {request.model} loses detail of pictures, found an array or sequences: name another by -m"
        )
    neural = latent_model(request, compute)
    if neural is not None and request.effort is not None:
        raise InputError(f"the model {neural.stamp.id} has one effort, found --effort {request.effort}: leave it out")
    split = 0.6 if request.verify else 1.0
    if neural is None:
        request.options.check(None)
        batch = readings[0]
        header, sections, facts = _as_pictures(batch, request, compute, part_of(progress, 0.0, split))
    else:
        batch, header, sections, facts = _as_chains(readings, neural, request, part_of(progress, 0.0, split))
    data = container.pack(header.to_map(), [*_tables(batch), *sections, *(neural.origin() if neural else [])])
    load = neural.seconds if neural else facts.load
    encoded = time.perf_counter()
    budget = limits.Budget(strict=False)
    if request.verify:
        with limits.bounded(0, budget):
            back = decompress_batch(
                data, replace(compute, max_pixels=batch.samples.size), part_of(progress, split, 1.0), neural=neural
            )
        _compare(batch, back.batch)
    done = time.perf_counter()
    if progress:
        progress(1.0)
    report = Report(
        codec=facts.codec,
        model=facts.model,
        shape=batch.shape,
        bytes_in=batch.source_bytes or batch.samples.nbytes,
        bytes_out=len(data),
        bpsp=8 * len(data) / batch.samples.size,
        bits=facts.bits,
        seconds={"load": load, "encode": encoded - start - load, "verify": done - encoded},
        reason=facts.reason,
        notes=[*batch.notes, *limits.notes(budget)],
        groups=facts.groups,
    )
    return Compressed(data, report)


@dataclass(frozen=True)
class _Facts:
    codec: str
    model: str | None
    bits: Bits
    reason: str
    load: float = 0.0
    groups: list[list[Any]] = field(default_factory=list)


def _as_chains(
    readings: Sequence[Batch], neural: Neural, request: Request, progress: Progress | None
) -> tuple[Batch, BatchHeader, list[Section], _Facts]:
    chosen = codec_for(neural.codecs, request.codec, neural.stamp.id)
    options = request.options.options(chosen)
    neural.check_options(options)
    batch = _taken(readings, neural)
    if batch.samples.dtype.itemsize != 1:
        raise InputError(
            f"the model {neural.stamp.id} codes uint8 or bool, found {batch.samples.dtype}: convert the array"
        )
    octets = batch.samples.view(np.uint8)
    factor = factor_of(octets, neural.values(), neural.stamp.id)
    header = _header(batch, request.segment, neural.stamp, factor)
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
        whole = neural.encode_chain(
            [one for one in np.split(coded, np.cumsum(lengths)[:-1]) if len(one)] if batch.sequences else coded,
            chosen,
            options,
            part_of(progress, first / header.count, end / header.count),
        )
        sections.append(Section(SectionType.CHAIN, digest + whole.payload))
        bits += whole.bits
        groups.append(list(whole.groups))
    facts = _Facts(chosen, neural.stamp.id, bits, REASONS[Reason.REQUESTED], groups=groups)
    return batch, header, sections, facts


def _taken(readings: Sequence[Batch], neural: Neural) -> Batch:
    for way in readings[:-1]:
        if neural.takes(way.item_shape):
            return way
    neural.check_item(readings[-1].item_shape)
    return readings[-1]


def _as_pictures(
    batch: Batch, request: Request, compute: Compute, progress: Progress | None
) -> tuple[BatchHeader, list[Section], _Facts]:
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
        return [Section(SectionType.SEQUENCES, batch_frame.pack_lengths(batch.lengths, batch.length_dtype))]
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
