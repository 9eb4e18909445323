"""Files to .rdz files, one to one: each is read, coded, written and reported; a failing one stops no other."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from rdzip.commands import files, removal, report
from rdzip.commands.coding import Coding, label_of
from rdzip.commands.compress_archive import compress_archive
from rdzip.commands.destination import Destination, compressed_name
from rdzip.commands.encoding import encode_data
from rdzip.commands.files import Input
from rdzip.commands.output import Output
from rdzip.commands.removal import Coded
from rdzip.errors import UsageError
from rdzip.pipeline.report import Compressed
from rdzip.system import atomic, workers
from rdzip.system.process import tune_process
from rdzip.system.workers import Pool


def compress(
    inputs: Sequence[Input], destination: Destination, coding: Coding, out: Output, *, remove: bool, pool: Pool
) -> None:
    """Compress each input to its place, or all into one archive.

    - inputs: files, as the command line found them
    - destination: where results go
    - coding: how to code
    - out: where reports go
    - remove: delete each input that its result brings back
    - pool: the processes that work

    Raises UsageError for options that do not go together; InputError if an archive cannot be written.
    """
    if remove and not coding.request.verify:
        raise UsageError("--rm deletes what was checked only, found --no-verify; leave one of them out")
    if not destination.archive:
        compress_files(inputs, destination, coding, out, remove=remove, pool=pool)
        return
    if not pool.alone:
        raise UsageError("expected --archive, or --jobs and --ray, found both; an archive is written by one process")
    compress_archive(inputs, destination, coding, out, remove=remove)


def compress_files(
    inputs: Sequence[Input], destination: Destination, coding: Coding, out: Output, *, remove: bool, pool: Pool
) -> None:
    """Compress each input to its place.

    Arguments as of rdzip.commands.compress.compress.
    """
    places: dict[int, tuple[Path | None, os.stat_result | None]] = {}

    def order(index: int) -> Order:
        target = destination.place(inputs[index], compressed_name(inputs[index]))
        source = files.read(inputs[index])
        places[index] = target, source.status
        return Order(source.data, label_of(inputs, index), coding, out.quiet or not pool.alone)

    def end(index: int, result: Any) -> None:
        item = inputs[index]
        with out.guard(item.name):
            if isinstance(result, Exception):
                raise result
            target, status = places.pop(index)
            why, done = result
            atomic.write(target, done.data, like=status, force=destination.force)
            report.compressed([item], target, done.report, out)
            if remove:
                removal.remove([Coded(item, status, why)], target, sha256(done.data).digest(), out)

    tune_process()
    workers.work(carry_out, len(inputs), order, pool, on_end=end)


@dataclass(frozen=True)
class Order:
    """What a worker is to compress: the bytes of a file, and how."""

    data: bytes
    label: str
    coding: Coding
    quiet: bool


def carry_out(order: Order, on_progress: Callable[[Any], None]) -> tuple[str, Compressed]:
    """Compress, in whichever process this is: why the file must stay ("" if it comes back) and its .rdz file."""
    return encode_data(order.data, order.label, order.coding, quiet=order.quiet)
