"""What `rdzip bound` does: arguments to a request, records to tables and JSON."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rdzip.commands.bound_tables import tables
from rdzip.commands.output import Output, notes, print_json, print_text
from rdzip.commands.progress_bar import bar
from rdzip.errors import Stopped, UsageError
from rdzip.system.atomic import shown

if TYPE_CHECKING:
    from rdzip.bounds.plot import Axes, Codec, Run
    from rdzip.bounds.run import Request, Result
    from rdzip.bounds.tasks import Failure

MOST_JOBS = 4
"""Processes that are started without being asked for: each has its own memory."""


@dataclass(frozen=True)
class BoundArgs:
    """The options of the command but those of its picture, as they were given."""

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
    folder: Path | None
    resume: bool
    force: bool


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


def bound(args: BoundArgs, extra: Sequence[Path], units: Units, out: Output) -> None:
    """Run what is asked for; print its records as they come, or its tables at the end."""
    if extra:
        raise UsageError(f"expected options, found {shown(extra[0])}; give a source by --source, runs by --plot-only")
    if args.source is None:
        raise UsageError("expected a source; name one by --source (banana, FILE.npy, ...), or draw runs by --plot-only")
    if args.resume and args.force:
        raise UsageError("expected --resume or -f, found both; -f replaces the run that --resume goes on with")
    request = _request(args)
    from rdzip.bounds import plot, run
    from rdzip.bounds.folder import RECORDS
    from rdzip.system.process import tune_process

    tune_process()
    folder = args.folder or _default_folder(args.source, args.dim)
    reason = plot.missing()
    if reason is not None:
        out.note(f"{reason}; only {RECORDS} will be written")
    if args.device is not None:
        from rdzip.exact.devices import usable_device

        usable_device(args.device)
    with notes(out):
        plan = run.plan(request)
    here = dict.fromkeys(task.method.name for task in plan.tasks if "device" not in task.options)
    if request.device != "cpu" and here:
        out.note(f"{', '.join(here)}: computed on the CPU, which is all that {'it' if len(here) == 1 else 'they'} can")
    count = 0

    def on_record(record: dict[str, Any]) -> None:
        nonlocal count
        count += 1
        if out.json:
            print_json(record)

    hidden = out.quiet or (out.json and sys.stdout.isatty())
    try:
        with bar(f"bound {shown(plan.source.name)}", quiet=hidden) as progress:
            result = run.run(
                plan,
                out=folder,
                resume=args.resume,
                force=args.force,
                axes=units.axes,
                on_record=on_record,
                on_share=progress,
            )
    except Stopped:
        if count:
            kept = f"{count} point{'s are' if count > 1 else ' is'} kept in {shown(folder)}"
            out.note(f"{kept}; go on by the same command and --resume")
        raise
    _finish(result, out)


def _finish(result: Result, out: Output) -> None:
    if not out.json and not out.quiet and result.records:
        print_text(tables(result))
        for file in result.files:
            out.note(f"wrote {shown(file)}")
    causes: dict[tuple[str, str], list[Failure]] = {}
    for failure in result.failures:
        causes.setdefault((failure.method, str(failure.error)), []).append(failure)
    for (name, _), failures in causes.items():
        where = ", ".join(f"{lam:g}" for failure in failures for lam in failure.lambdas)
        out.failure(f"{name}, lambda {where}", failures[0].error)
    if not result.in_order:
        out.failed = True
        print(f"rdzip: {shown(result.verdict)}", file=sys.stderr)


def overlay(args: BoundArgs, paths: Sequence[Path], units: Units, out: Output) -> None:
    """Draw runs and codecs in one picture, in the folder of --out, by default that of a single run, or bound-plot."""
    given = [option for option, value in _of_runs(args).items() if value]
    if given:
        raise UsageError(f"--plot-only draws what was found before; leave {' and '.join(given)} out")
    if not paths:
        raise UsageError("--plot-only expects folders of runs, or files of JSON lines, found none")
    from rdzip.bounds import plot

    runs, codecs = plot.load(paths)
    folder = args.folder or (paths[0] if len(paths) == 1 and paths[0].is_dir() else Path("bound-plot"))
    files = plot.save(runs, codecs, folder, units.axes(runs, codecs), force=args.force)
    if out.json:
        print_json({"output": [str(file) for file in files]})
    elif not out.quiet:
        for file in files:
            out.note(f"wrote {shown(file)}")


def _of_runs(args: BoundArgs) -> dict[str, object]:
    """Return the options that only runs have."""
    return {
        "--source": args.source,
        "--dim": args.dim is not None,
        "--data": args.data,
        "--crop": args.crop is not None,
        "--method": args.method,
        "--lambdas": args.lambdas,
        "--set": args.options,
        "--jobs": args.jobs,
        "--ray": args.ray,
        "--device": args.device,
        "--resume": args.resume,
        "--quick": args.quick,
    }


def _request(args: BoundArgs) -> Request:
    from rdzip.bounds.defaults import SANDWICH
    from rdzip.bounds.methods import METHODS
    from rdzip.bounds.run import Request
    from rdzip.bounds.tasks import SourceSpec

    methods = None
    if args.method is not None:
        methods = tuple(name.strip() for name in args.method.split(","))
        for name in methods:
            if name not in METHODS and name != SANDWICH:
                known = ", ".join(METHODS)
                raise UsageError(f"--method: expected {SANDWICH} or some of {known}, found {name!r}")
    assert args.source is not None
    where = SourceSpec(args.source, args.dim, str(args.data) if args.data else None, args.seed, args.crop)
    lambdas = None if args.lambdas is None else _lambdas(args.lambdas)
    device = args.device or "cpu"
    usual = min(os.cpu_count() or 1, MOST_JOBS) if device == "cpu" and args.ray is None else 1
    jobs = args.jobs or usual
    return Request(where, methods, lambdas, _options(args.options), jobs, device, args.quick, args.ray)


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
    from rdzip.bounds.methods import METHODS

    found: dict[str, dict[str, str]] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        name, dot, option = key.partition(".")
        if not (sign and dot and option) or name not in METHODS:
            known = ", ".join(METHODS)
            raise UsageError(f"--set: expected METHOD.KEY=VALUE with a method of {known}, found {text!r}")
        found.setdefault(name, {})[option] = value
    return found


def _default_folder(source: str, dim: int | None) -> Path:
    name = Path(source).resolve().stem if Path(source).exists() or os.sep in source else source
    return Path(f"bound-{name}" if dim is None else f"bound-{name}-{dim}")
