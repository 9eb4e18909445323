"""What `rdzip bench` does: arguments to a run, results to tables, JSON, and files."""

from __future__ import annotations

import json
import math
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from rdzip.commands.files import IMAGE_SUFFIXES, find_inputs
from rdzip.commands.output import Output, print_json, print_text
from rdzip.commands.progress_bar import bar
from rdzip.errors import InputError, UsageError
from rdzip.system import atomic
from rdzip.system.atomic import shown

if TYPE_CHECKING:
    from rdzip.bench.codecs import Chosen
    from rdzip.bench.curves import Curve
    from rdzip.bench.images import Item
    from rdzip.bench.jpeg_files import FileCodec
    from rdzip.bench.run import Result, Saving

RECORDS = "bench.jsonl"
NAMED = 3
"""Images that a note names."""


@dataclass(frozen=True)
class BenchArgs:
    """The options of the command as they were given."""

    paths: Sequence[str]
    codecs: str
    qualities: Sequence[str]
    anchor: str | None
    span: str
    peers: Sequence[Path]
    folder: Path | None
    jobs: int
    threads: int | None
    force: bool


def bench(args: BenchArgs, out: Output) -> None:
    """Run what is args; print records as they come, or tables at the end; write files where they are args."""
    rates = _range(args.span)
    from rdzip.bench import curves, jpeg_files, plot, run
    from rdzip.bounds.plot import missing
    from rdzip.system.process import tune_process

    tune_process()
    readable = _readable(args.paths, out)
    file_codecs, names = _file_codecs(args, [path for path, _ in readable], out)
    chosen = _chosen(args, names, out) if names else []
    before = [curve for path in args.peers for curve in curves.read(path)]
    _check_anchor(args.anchor, chosen, before)
    _check_out(args, out)
    items = _items(args.paths, readable, out) if chosen else []
    if any(curve.source != curves.MEASURED for curve in before):
        out.note("what --peers have holds for the images that they were measured on; compare on the same ones only")
    totals: list[Any] = []
    with _records(args, out) as on_record:
        hidden = out.quiet or (out.json and sys.stdout.isatty())
        jpegs = [(path, name) for path, name in readable if file_codecs and jpeg_files.is_jpeg(path)]
        with bar(f"bench, {len(items)} image{'' if len(items) == 1 else 's'}", quiet=hidden) as progress:
            result = run.run(
                items, chosen, jobs=args.jobs, threads=args.threads, on_record=on_record, on_share=progress
            )
        for record in result.averages:
            on_record(record)
        all_curves = curves.together(curves.of_records(result.averages), before)
        anchor = _anchor(args.anchor, chosen, all_curves)
        savings = run.savings(all_curves, anchor, rates) if anchor is not None else []
        if anchor is not None:
            for record in run.records_of(savings, anchor, rates):
                on_record(record)
        if jpegs:
            totals = _through_file_codecs(file_codecs, jpegs, args.threads, on_record, hidden=hidden)
    for failure in result.failures:
        out.failure(shown(failure.name), failure.error)
    if result.incomplete:
        out.note(f"no averages of {', '.join(result.incomplete)}: not every image was done")
    if anchor is None and any(not one.codec.lossless for one in chosen):
        out.note("no BD-rates: they need two settings at least of the codec that they are against")
    if not out.json and not out.quiet:
        _show(result, items, savings, anchor, rates, totals)
    if args.folder is not None:
        written = [RECORDS]
        if all_curves and missing() is None:
            for name, data in zip(plot.PLOTS, plot.draw(all_curves), strict=True):
                atomic.write(args.folder / name, data, force=args.force)
                written.append(name)
        for name in written if not out.json else ():
            out.note(f"wrote {shown(args.folder / name)}")


def _range(text: str) -> tuple[float, float]:
    low, _, high = text.partition("-")
    try:
        found = float(low), float(high)
    except ValueError:
        found = math.nan, math.nan
    if not (math.isfinite(found[1]) and 0 < found[0] < found[1]):
        raise UsageError(f"--range: expected two numbers of bits per pixel such as 0.2-1.5, found {text!r}")
    return found


def _file_codecs(args: BenchArgs, paths: Sequence[Path], out: Output) -> tuple[list[FileCodec], str]:
    """Return the codecs of JPEG files that are to run, and the names of the others; where there is no JPEG none of the
    former, which is InputError if there are no other codecs."""
    from rdzip.bench import jpeg_files

    there = any(map(jpeg_files.is_jpeg, paths))
    try:
        chosen, names = jpeg_files.choose(args.codecs, out.note if there else lambda line: None)
    except InputError as error:
        raise UsageError(str(error)) from None
    if chosen and not names and not there:
        raise InputError(f"expected JPEGs, found none in {', '.join(map(shown, args.paths))}")
    if not names and args.qualities:
        raise UsageError("--qualities: codecs of JPEG files have no settings")
    return chosen if there else [], names


def _through_file_codecs(
    codecs: Sequence[FileCodec], jpegs: Sequence[tuple[Path, str]], threads: int | None, on_record: Any, *, hidden: bool
) -> list[Any]:
    """Run JPEG files through codecs of such, one after the other; returns the record of all files for each codec."""
    from rdzip.bench import jpeg_files

    found: dict[str, list[Any]] = {codec.name: [] for codec in codecs}
    with bar(f"bench, {len(jpegs)} JPEG{'' if len(jpegs) == 1 else 's'}", quiet=hidden) as progress:
        for codec in codecs:
            jpeg_files.warm(codec)
        for number, (path, name) in enumerate(jpegs):
            data = path.read_bytes()
            for codec in codecs:
                record = jpeg_files.measure(codec, data, threads)
                found[codec.name].append(record)
                on_record({"codec": codec.name, "image": name, **record})
            progress((number + 1) / len(jpegs))
    totals = [jpeg_files.total(codec, found[codec.name], threads) for codec in codecs]
    for record in totals:
        on_record(record)
    return totals


def _chosen(args: BenchArgs, names: str, out: Output) -> list[Chosen]:
    from rdzip.bench import codecs

    try:
        chosen = codecs.choose(names, args.qualities, out.note)
    except InputError as error:
        raise UsageError(str(error)) from None
    if not chosen:
        raise InputError(f"expected codecs, found none of {args.codecs} here; pip install 'rdzip[bench]'")
    return chosen


def _check_anchor(name: str | None, chosen: Sequence[Chosen], before: Sequence[Curve]) -> None:
    """Raise UsageError now where the anchor will have no curve."""
    known = [one.codec.name for one in chosen if not one.codec.lossless] + [curve.name for curve in before]
    if name is not None and name not in known:
        raise UsageError(f"--anchor: expected a lossy codec of this run, {', '.join(known) or 'none'}; found {name!r}")


def _anchor(name: str | None, chosen: Sequence[Chosen], curves: Sequence[Curve]) -> Curve | None:
    from rdzip.metrics.bd_rate import useful

    names = [name] if name is not None else [one.codec.name for one in chosen if not one.codec.lossless]
    good = [curve for curve in curves if len(useful(curve.points)) > 1]
    # Codecs that failed have no curve; the next one then is the first.
    found = next((curve for one in names for curve in good if curve.name == one), None)
    return found or (good[0] if name is None and good else None)


def _check_out(args: BenchArgs, out: Output) -> None:
    if args.folder is None:
        return
    from rdzip.bench.plot import PLOTS
    from rdzip.bounds.plot import missing

    if args.folder.exists() and not args.folder.is_dir():
        raise UsageError(f"expected a folder after --out, found the file {shown(args.folder)}")
    for name in (RECORDS, *PLOTS):
        if not args.force and os.path.lexists(args.folder / name):
            raise InputError(atomic.exists_already(args.folder / name))
    reason = missing()
    if reason is not None:
        out.note(f"{reason}; only {RECORDS} will be written")


def _readable(paths: Sequence[str], out: Output) -> list[tuple[Path, str]]:
    """Find all files, each once, and what they are called in records; what cannot be read is told and left out."""
    readable: dict[str, tuple[Path, str]] = {}
    for one in find_inputs(paths, recursive=True, suffixes=IMAGE_SUFFIXES, note=out.note):
        if one.path is None or one.problem is not None:
            problem = "cannot be stdin; name files" if one.path is None else str(one.problem)
            out.failure(one.name, InputError(problem))
        else:
            readable.setdefault(os.path.realpath(one.path), (one.path, shown(one.relative)))
    # Two folders may have images of one name.
    names = Counter(name for _, name in readable.values())
    return [(path, name if names[name] == 1 else shown(path)) for path, name in readable.values()]


def _items(paths: Sequence[str], readable: Sequence[tuple[Path, str]], out: Output) -> list[Item]:
    """Read all images; what cannot be used is told and left out."""
    from rdzip.bench import images

    items, failed = images.items(list(readable))
    for name, error in failed:
        out.failure(name, error)
    if not items:
        raise InputError(f"expected images, found none that can be used in {', '.join(map(shown, paths))}")
    others = [f"{item.name} ({item.mode})" for item in items if item.mode != "RGB"]
    if others:
        more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
        out.note(f"turned to RGB, without alpha: {', '.join(others[:NAMED])}{more}")
    return items


@contextmanager
def _records(args: BenchArgs, out: Output) -> Iterator[Any]:
    """Yield what takes records: prints them, and writes them to a file that has its name only once it is whole."""

    def on_record(record: dict[str, Any]) -> None:
        if out.json:
            print_json(record)
        for file in files_open:
            file.write((json.dumps(record) + "\n").encode())

    files_open: list[BinaryIO] = []
    with ExitStack() as stack:
        if args.folder is not None:
            files_open.append(stack.enter_context(atomic.written(args.folder / RECORDS, force=args.force)))
        yield on_record


def _show(
    result: Result,
    items: Sequence[Item],
    savings: Sequence[Saving],
    anchor: Curve | None,
    rates: tuple[float, float],
    totals: Sequence[Any],
) -> None:
    """Print the tables that there are. totals: of codecs of JPEG files; the others: of `bench`."""
    from rdzip.commands import bench_tables

    tables = []
    if result.averages:
        tables.append(bench_tables.averages(result.averages, sum(item.pixels for item in items)))
    if anchor is not None and savings:
        tables.append(bench_tables.bd_rates(savings, anchor, rates))
    if totals:
        tables.append(bench_tables.jpeg_files(totals))
    if tables:
        print_text("\n\n".join(tables))
