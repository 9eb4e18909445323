"""A benchmark: images, codecs and settings to records of each image, averages, curves and BD-rates."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rdzip.bench import workers
from rdzip.bench.codecs import Chosen
from rdzip.bench.curves import Curve
from rdzip.bench.images import Item
from rdzip.bench.measure import Record, average
from rdzip.bench.workers import Task
from rdzip.metrics.bd_rate import BdRate, bd_rate

RATES = (0.2, 1.5)
"""Bits per pixel over which BD-rates are compared."""


@dataclass(frozen=True)
class Failure:
    """What failed, and why."""

    name: str
    error: Exception


@dataclass
class Result:
    """Averages by codec and setting, in the order of the request, of those that did every image.

    incomplete: the others, as they are shown. failures: of single images.
    """

    averages: list[Record] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def run(
    items: Sequence[Item],
    chosen: Sequence[Chosen],
    *,
    jobs: int = 1,
    threads: int | None = None,
    on_record: Callable[[Record], None] = lambda record: None,
    on_share: Callable[[float], None] = lambda share: None,
) -> Result:
    """Run every image through every codec and setting, image by image.

    - items: images.
    - chosen: codecs with their settings.
    - jobs: processes at a time.
    - threads: of each codec whose number can be set; None: its own choice, or with several jobs the cores by jobs.
    - on_record: called with the record of each image, in a fixed order.
    - on_share: called with the share of the pixels that is done.
    """
    if threads is None and jobs > 1:
        threads = max(1, (os.cpu_count() or 1) // jobs)
    settings = [(one.codec, setting) for one in chosen for setting in one.settings]
    tasks = [Task(item.path, item.name, codec.name, setting, threads) for item in items for codec, setting in settings]
    found: list[list[Record]] = [[] for _ in settings]
    result = Result()
    total = sum(item.pixels for item in items) * len(settings)
    done = 0

    def take(index: int, outcome: workers.Result) -> None:
        nonlocal done
        item, (codec, setting) = items[index // len(settings)], settings[index % len(settings)]
        done += item.pixels
        if isinstance(outcome, Exception):
            label = f"{item.name}, {codec.name} {codec.label(setting)}".rstrip()
            result.failures.append(Failure(label, outcome))
        else:
            found[index % len(settings)].append(outcome)
            on_record(outcome)
        on_share(done / total)

    workers.work(tasks, jobs, take)
    for (codec, setting), records in zip(settings, found, strict=True):
        if len(records) < len(items):
            result.incomplete.append(f"{codec.name} {codec.label(setting)}".rstrip())
        else:
            result.averages.append(average(records) | {"library": codec.version(), "threads": threads, "jobs": jobs})
    return result


@dataclass(frozen=True)
class Saving:
    """BD-rate of a curve against the anchor's over a range of rates; None where they have too little in common."""

    curve: Curve
    bd_rate: BdRate | None


def savings(curves: Sequence[Curve], anchor: Curve, rates: tuple[float, float]) -> list[Saving]:
    """Compare every other curve with the anchor's."""
    return [Saving(curve, bd_rate(anchor.points, curve.points, rates)) for curve in curves if curve is not anchor]


def records_of(found: Sequence[Saving], anchor: Curve, rates: tuple[float, float]) -> list[Record]:
    """Return BD-rates as records, one for each curve; they have no bpp and psnr, so that nobody takes them for points.

    bd_rate is in percent, psnr_range in dB; both are None where the curves have nothing in common.
    """
    return [
        {
            "codec": saving.curve.name,
            "anchor": anchor.name,
            "bpp_range": list(rates),
            "bd_rate": None if saving.bd_rate is None else saving.bd_rate.percent,
            "psnr_range": None if saving.bd_rate is None else [saving.bd_rate.low, saving.bd_rate.high],
            "from": saving.curve.source,
        }
        for saving in found
    ]
