"""A run of bounds: a source, methods and lambdas to records and, if it has a folder, to files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rdzip.bounds import plot
from rdzip.bounds.defaults import SANDWICH, default_lambdas, suited
from rdzip.bounds.folder import STATES, Folder
from rdzip.bounds.methods import make_options, method, why_not
from rdzip.bounds.point import Point, check_lambdas
from rdzip.bounds.sandwich import Row, compare, verdict
from rdzip.bounds.sources.base import NAMES, Source
from rdzip.bounds.tasks import Failure, Record, SourceSpec, Task, work
from rdzip.errors import InputError
from rdzip.system.workers import Pool

SEEDS = 1 << 32
LEAST, MOST = 1e-20, 1e20
"""Of lambda: far beyond, its products with distortions leave the range of numbers."""


@dataclass(frozen=True)
class Request:
    """What is asked for.

    methods: None or "sandwich" stand for those that suit the source. lambdas: None for those that show its curve.
    options: by method and name, where they are not the default. jobs: processes at a time; 1 works in this one. ray:
    address of a Ray cluster to work on instead.
    """

    where: SourceSpec
    methods: tuple[str, ...] | None = None
    lambdas: tuple[float, ...] | None = None
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    jobs: int = 1
    device: str = "cpu"
    quick: bool = False
    ray: str | None = None


@dataclass(frozen=True)
class Plan:
    """A request with all that was left open decided: the source, the tasks, and what bound.json says."""

    request: Request
    source: Source
    lambdas: tuple[float, ...]
    tasks: tuple[Task, ...]
    header: dict[str, Any]


@dataclass(frozen=True)
class Result:
    """Records of all points, earlier ones of the folder included; what they say together; what failed; files."""

    records: list[Record]
    rows: list[Row]
    in_order: bool
    verdict: str
    failures: list[Failure]
    files: list[Path]


def plan(request: Request) -> Plan:
    """Decide everything that a request leaves open. Raises InputError for what cannot be done."""
    for name in request.options:
        method(name)
    names = request.methods or (SANDWICH,)
    chosen = [method(name) for name in names if name != SANDWICH]
    lambdas = None if request.lambdas is None else check_lambdas(request.lambdas)
    for lam in lambdas or ():
        if not LEAST <= lam <= MOST:
            raise InputError(f"expected every lambda in {LEAST:g}..{MOST:g}, found {lam:g}; scale the samples instead")
    if not 0 <= request.where.seed < SEEDS:
        raise InputError(f"expected a seed of 0 to {SEEDS - 1}, found {request.where.seed}")
    if request.jobs < 1:
        raise InputError(f"expected at least 1 job, found {request.jobs}")
    source = request.where.open()
    if SANDWICH in names:
        chosen += [method(name) for name in suited(source) if name not in names]
    chosen = list({entry.name: entry for entry in chosen}.values())
    for entry in chosen:
        reason = why_not(entry, source)
        if reason is not None:
            raise InputError(f"{reason}; ask for another of the `methods`")
    if lambdas is None:
        lambdas = default_lambdas(source, quick=request.quick)
    lambdas = tuple(sorted(set(lambdas)))
    unused = [name for name in request.options if name not in {entry.name for entry in chosen}]
    if unused:
        raise InputError(f"options are given for {', '.join(unused)}, which this run does not use: leave them out")
    tasks, methods = [], {}
    for entry in chosen:
        options = make_options(
            entry,
            seed=request.where.seed,
            device=request.device,
            quick=request.quick,
            overrides=request.options.get(entry.name),
        )
        methods[entry.name] = options
        calls = [lambdas] if entry.joint else [(lam,) for lam in lambdas]
        tasks += [Task(entry, call, options) for call in calls]
    return Plan(
        request, source, lambdas, tuple(tasks), {"source": _identity(request.where, source), "methods": methods}
    )


def run(
    what: Plan,
    *,
    out: Path | None = None,
    resume: bool = False,
    force: bool = False,
    axes: Callable[[Sequence[plot.Run], Sequence[plot.Codec]], plot.Axes] = plot.default_axes,
    on_record: Callable[[Record], None] = lambda record: None,
    on_share: Callable[[float], None] = lambda share: None,
) -> Result:
    """Work a plan off, with a folder for its records and figures unless `out` is None.

    - what: source, methods, lambdas and options
    - out: the folder; resume: go on with the run that it holds; force: replace it
    - axes: chooses the axes of the figure
    - on_record: called with each new record
    - on_share: called with the share that is done

    Ctrl-C leaves the records so far in the folder. Without matplotlib no figure is made (`rdzip.bounds.plot.missing`
    reports it). Raises InputError where the folder cannot be used; what goes wrong in a method is a Failure of the
    result.
    """
    if out is None:
        records: list[Record] = []
        failures = _work(what, records, records.append, on_record, on_share, None)
        return _result(records, failures, [])
    with Folder(out, what.header, resume=resume, force=force) as folder:
        failures = _work(what, folder.records, folder.add, on_record, on_share, out / STATES)
        files: list[Path] = []
        if plot.missing() is None and folder.records:
            run_data = plot.Run(out.name, folder.records)
            files = plot.save([run_data], [], out, axes([run_data], []), force=True)
        return _result(folder.records, failures, files)


def _work(
    what: Plan,
    done: Sequence[Record],
    add: Callable[[Record], None],
    on_record: Callable[[Record], None],
    on_share: Callable[[float], None],
    states: Path | None,
) -> list[Failure]:
    finished = {(record["method"], record["lambda"]) for record in done}
    tasks = []
    for task in what.tasks:
        left = tuple(lam for lam in task.lambdas if (task.method.name, lam) not in finished)
        if left:
            tasks.append(Task(task.method, left, task.options, None if states is None else str(states)))

    def keep(record: Record) -> None:
        add(record)
        on_record(record)

    pool = Pool(min(what.request.jobs, max(1, len(tasks))), what.request.ray)
    return work(what.request.where, what.source, tasks, pool=pool, on_record=keep, on_share=on_share)


def _result(records: list[Record], failures: list[Failure], files: list[Path]) -> Result:
    rows = compare([Point.from_record(record) for record in records])
    in_order, text = verdict(rows)
    return Result(records, rows, in_order, text, failures, files)


def _identity(where: SourceSpec, source: Source) -> dict[str, Any]:
    """Return what tells this source from others: what the points of a run depend on."""
    return {
        "spec": where.spec,
        "data": where.data,
        "name": source.name,
        "shape": list(source.shape),
        "seed": where.seed,
        "crop": where.crop,
        "train_count": source.train_count,
        "held_out_count": source.held_out_count,
        "sha256": None if where.spec in NAMES else _digest(Path(where.spec)),
    }


def _digest(path: Path) -> str | None:
    """Hash a file's bytes, or the names and sizes of a folder's files; None of a source that is neither."""
    try:
        if path.is_file():
            digest = hashlib.sha256()
            with path.open("rb") as file:
                while piece := file.read(1 << 22):
                    digest.update(piece)
            return digest.hexdigest()
        if path.is_dir():
            names = sorted((str(p.relative_to(path)), p.stat().st_size) for p in path.rglob("*") if p.is_file())
            return hashlib.sha256(repr(names).encode()).hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    return None
