"""What `rdzip bound` does: arguments to a request, records to tables and JSON."""

from __future__ import annotations

import io
import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rdzip.commands.output import Output, notes, print_json, print_text
from rdzip.commands.progress_bar import bar
from rdzip.errors import Stopped, UsageError
from rdzip.system.atomic import shown

if TYPE_CHECKING:
    from rdzip.bounds.plot import Axes, Codec, Run
    from rdzip.bounds.run import Request, Result
    from rdzip.bounds.sandwich import Bound
    from rdzip.bounds.tasks import Failure

MOST_JOBS = 4
"""Processes that are started without being asked for: each has its own memory."""
WIDTH = 160
"""Of tables that do not go to a terminal."""


@dataclass(frozen=True)
class Wanted:
    """The options of the command that say what is to be found, as they were given."""

    source: str | None
    dim: int | None
    data: Path | None
    crop: int | None
    method: str | None
    lambdas: str | None
    options: Sequence[str]
    seed: int
    quick: bool
    device: str | None
    jobs: int | None
    ray: str | None


@dataclass(frozen=True)
class Units:
    """Units of the picture's axes, None where they were not given."""

    rate: str | None
    distortion: str | None

    def axes(self, runs: Sequence[Run], codecs: Sequence[Codec]) -> Axes:
        """Return the axes, by what is drawn where they were not given."""
        from rdzip.bounds.plot import Axes, default_axes

        default = default_axes(runs, codecs)
        return Axes(cast(Any, self.rate or default.rate), cast(Any, self.distortion or default.distortion))


def bound(
    wanted: Wanted, extra: Sequence[Path], out: Path | None, units: Units, say: Output, *, resume: bool, force: bool
) -> None:
    """Run what is wanted; print its records as they come, or its tables at the end."""
    if extra:
        raise UsageError(f"expected options, found {shown(extra[0])}; give a source by --source, runs by --plot-only")
    if wanted.source is None:
        raise UsageError("expected a source; name one by --source (banana, FILE.npy, ...), or draw runs by --plot-only")
    if resume and force:
        raise UsageError("expected --resume or -f, found both; -f replaces the run that --resume goes on with")
    request = _request(wanted)
    from rdzip.bounds import plot, run
    from rdzip.bounds.folder import RECORDS
    from rdzip.system.process import own_process

    own_process()
    folder = out or _default_folder(wanted.source, wanted.dim)
    reason = plot.missing()
    if reason is not None:
        say.note(f"{reason}; only {RECORDS} will be written")
    if wanted.device is not None:
        from rdzip.exact.devices import usable_device

        usable_device(wanted.device)
    with notes(say):
        plan = run.plan(request)
    here = dict.fromkeys(task.method.name for task in plan.tasks if "device" not in task.options)
    if request.device != "cpu" and here:
        say.note(f"{', '.join(here)}: computed on the CPU, which is all that {'it' if len(here) == 1 else 'they'} can")
    count = 0

    def tell(record: dict[str, Any]) -> None:
        nonlocal count
        count += 1
        if say.json:
            print_json(record)

    hidden = say.quiet or (say.json and sys.stdout.isatty())
    try:
        with bar(f"bound {shown(plan.source.name)}", quiet=hidden) as progress:
            result = run.run(
                plan, out=folder, resume=resume, force=force, axes=units.axes, on_record=tell, on_share=progress
            )
    except Stopped:
        if count:
            kept = f"{count} point{'s are' if count > 1 else ' is'} kept in {shown(folder)}"
            say.note(f"{kept}; go on by the same command and --resume")
        raise
    _finish(result, say)


def _finish(result: Result, say: Output) -> None:
    if not say.json and not say.quiet and result.records:
        print_text(tables(result), drawn=True)
        for file in result.files:
            say.note(f"wrote {shown(file)}")
    causes: dict[tuple[str, str], list[Failure]] = {}
    for failure in result.failures:
        causes.setdefault((failure.method, str(failure.error)), []).append(failure)
    for (name, _), failures in causes.items():
        where = ", ".join(f"{lam:g}" for failure in failures for lam in failure.lambdas)
        say.failure(f"{name}, lambda {where}", failures[0].error)
    if not result.in_order:
        say.failed = True
        print(f"rdzip: {shown(result.verdict)}", file=sys.stderr)


def overlay(
    paths: Sequence[Path],
    out: Path | None,
    units: Units,
    say: Output,
    *,
    force: bool,
    unused: Mapping[str, object],
) -> None:
    """Draw runs and codecs in one picture, in the folder `out`, by default that of a single run, or bound-plot."""
    given = [name for name, value in unused.items() if value is not None]
    if given:
        raise UsageError(f"--plot-only draws what was found before; leave {' and '.join(given)} out")
    if not paths:
        raise UsageError("--plot-only expects folders of runs, or files of JSON lines, found none")
    from rdzip.bounds import plot

    runs, codecs = plot.load(paths)
    folder = out or (paths[0] if len(paths) == 1 and paths[0].is_dir() else Path("bound-plot"))
    files = plot.save(runs, codecs, folder, units.axes(runs, codecs), force=force)
    if say.json:
        print_json({"output": [str(file) for file in files]})
    elif not say.quiet:
        for file in files:
            say.note(f"wrote {shown(file)}")


def _request(wanted: Wanted) -> Request:
    from rdzip.bounds import methods as table
    from rdzip.bounds.defaults import SANDWICH
    from rdzip.bounds.run import Request
    from rdzip.bounds.tasks import Where

    methods = None
    if wanted.method is not None:
        methods = tuple(name.strip() for name in wanted.method.split(","))
        for name in methods:
            if name not in table.METHODS and name != SANDWICH:
                known = ", ".join(table.METHODS)
                raise UsageError(f"--method: expected {SANDWICH} or some of {known}, found {name!r}")
    assert wanted.source is not None
    where = Where(wanted.source, wanted.dim, str(wanted.data) if wanted.data else None, wanted.seed, wanted.crop)
    lambdas = None if wanted.lambdas is None else _lambdas(wanted.lambdas)
    device = wanted.device or "cpu"
    usual = min(os.cpu_count() or 1, MOST_JOBS) if device == "cpu" and wanted.ray is None else 1
    jobs = wanted.jobs or usual
    return Request(where, methods, lambdas, _options(wanted.options), jobs, device, wanted.quick, wanted.ray)


def _lambdas(text: str) -> tuple[float, ...]:
    found = []
    for part in text.split(","):
        try:
            lam = float(part)
        except ValueError:
            raise UsageError(f"--lambdas: expected numbers by comma, found {part!r}") from None
        if not (math.isfinite(lam) and lam > 0):
            raise UsageError(f"--lambdas: expected finite numbers above 0, found {part}")
        found.append(lam)
    return tuple(found)


def _options(texts: Sequence[str]) -> dict[str, dict[str, str]]:
    from rdzip.bounds import methods as table

    found: dict[str, dict[str, str]] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        name, dot, option = key.partition(".")
        if not (sign and dot and option) or name not in table.METHODS:
            known = ", ".join(table.METHODS)
            raise UsageError(f"--set: expected METHOD.KEY=VALUE with a method of {known}, found {text!r}")
        found.setdefault(name, {})[option] = value
    return found


def _default_folder(source: str, dim: int | None) -> Path:
    name = Path(source).resolve().stem if Path(source).exists() or os.sep in source else source
    return Path(f"bound-{name}" if dim is None else f"bound-{name}-{dim}")


def tables(result: Result) -> str:
    """Return the points, the sandwich and its verdict as text."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from rdzip.bounds.units import psnr

    terminal = sys.stdout.isatty()
    style = box.SIMPLE_HEAD if "utf" in (sys.stdout.encoding or "").lower() else box.ASCII
    first = result.records[0]
    images = len(first.get("shape", ())) == 3

    def new(title: str, *columns: str, left: Sequence[str] = ()) -> Table:
        table = Table(title=title, title_justify="left", box=style)
        for column in columns:
            table.add_column(column, justify="left" if column in left else "right", no_wrap=True)
        return table

    distortion = "PSNR" if images else "MSE"
    title = f"{shown(str(first['source']))}, {first['dim']} dimensions: rates in nats per sample"
    head = ("lambda", "role", "method", "rate", "bits/dim", distortion, "L = R + lambda D", "samples", "seconds")
    points = new(title, *head, left=("role", "method"))
    order = {"exact": 0, "lower": 1, "upper": 2, "estimate": 3}
    for record in sorted(result.records, key=lambda r: (r["lambda"], order[r["role"]], r["method"])):
        mse = record["mse"]
        points.add_row(
            f"{record['lambda']:g}",
            record["role"],
            record["method"],
            _plain(record["rate_nats"]),
            _plain(record["rate_bits_per_dim"]),
            f"{psnr(mse):.2f}" if images else f"{mse:.4g}",
            f"{record['value_nats']:.4f}{_half_width(record)}",
            f"{record['samples']:,}",
            f"{record['seconds']:.1f}",
        )
    buffer = io.StringIO()
    console = Console(file=buffer, force_terminal=terminal, width=None if terminal else WIDTH, markup=False)
    console.print(points)
    if any(row.pairs for row in result.rows):
        sandwich = new("L in nats: lower <= exact <= upper", "lambda", "lower", "exact", "upper", "estimate", "gap")
        for row in result.rows:
            cells = [_cell(entry) for entry in (row.lower, row.exact, row.upper, row.estimate)]
            sandwich.add_row(f"{row.lam:g}", *cells, "" if row.gap is None else f"{row.gap:.4f}")
        console.print(sandwich)
        buffer.write(result.verdict + "\n")
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())


def _plain(x: float) -> str:
    """Four digits after the point, and no minus before zeros."""
    return f"{x:.4f}".replace("-0.0000", "0.0000")


def _half_width(record: Mapping[str, Any]) -> str:
    low, high = record["ci95_nats"]
    return "" if low is None or high is None or high <= low else f" ±{(high - low) / 2:.4f}"


def _cell(found: Bound | None) -> str:
    if found is None:
        return ""
    half = (found.ci95[1] - found.ci95[0]) / 2
    return f"{found.value:.4f} ±{half:.4f}" if half > 0 else f"{found.value:.4f}"
