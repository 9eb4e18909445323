"""Files of fuzz.valid made, decoded, made again, and read by the second decoders of tests/slow_*.py.

python -m fuzz.check --count 10000 [--first 0] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

import rdzip
from fuzz import tiny
from fuzz.valid import Made
from fuzz.valid_many import MAKERS
from rdzip.formats import metadata
from rdzip.formats.archive import Archive
from rdzip.formats.batch.items import Batch
from rdzip.formats.images.picture import Picture
from rdzip.pipeline.batch_decompress import decompress_batch
from rdzip.pipeline.decompress import decompress
from rdzip.pipeline.request import Compute

from reference import files as slow_files  # isort: skip - of tests/, which fuzz.tiny puts on the path

KINDS = (*["picture"] * 15, *["batch"] * 3, "archive", "call")
"""Kinds of files by number, in turn."""
SAVED = 50
"""Files after which what was found is written down."""


def make(number: int) -> Made:
    """The file of a number."""
    return MAKERS[KINDS[number % len(KINDS)]](number)


def check(number: int) -> Made:
    """Make a file and check it; AssertionError where something differs. Returns it."""
    made = make(number)
    with_models = tiny.known() if "call" not in made.traits["codec"] else None
    if with_models:
        with with_models:
            _check(made)
    else:
        _check(made)
    assert make(number).data == made.data, "made again, the file has other bytes"
    return made


def _check(made: Made) -> None:
    assert rdzip.info(made.data)["bytes"] == len(made.data)
    if isinstance(made.holds, Picture):
        _check_picture(made)
    elif isinstance(made.holds, Batch):
        _check_batch(made)
    else:
        archive, slow = Archive(made.data), slow_files.archive(made.data)
        assert archive.names == [name for name, _ in made.holds] == [name for name, _ in slow]
        for (name, member), (_, body) in zip(made.holds, slow, strict=True):
            assert archive.read(name) == member.data == body
            _check(member)


def _check_picture(made: Made) -> None:
    wanted: Picture = made.holds
    found = decompress(made.data, Compute(threads=1)).picture
    slow = slow_files.picture(made.data, model_of)
    for one in (found, wanted):
        assert (slow.mode, slow.height, slow.width) == (one.mode, *one.shape[:2])
        assert (slow.palette, slow.palette_mode) == (one.palette, one.palette_mode)
        assert metadata.pack(slow.metadata) == metadata.pack(one.metadata)
        assert slow.source == (one.source_format or "PNG")
    if made.exact:
        assert np.array_equal(found.samples.view("u1"), wanted.samples.view("u1")), "rdzip decodes other samples"
        little = wanted.samples.astype(wanted.samples.dtype.newbyteorder("<"))
        assert slow.octets() == little.tobytes(), "the second decoder decodes other samples"
    else:
        assert slow.tiles
        assert found.shape == wanted.shape
        if wanted.mode in ("LA", "RGBA"):
            assert np.array_equal(found.samples[..., -1], wanted.samples[..., -1])


def _check_batch(made: Made) -> None:
    wanted: Batch = made.holds
    found = decompress_batch(made.data, Compute(threads=1)).batch
    slow = slow_files.batch(made.data, model_of)
    assert found.samples.dtype == wanted.samples.dtype
    assert np.array_equal(found.samples.view("u1"), wanted.samples.view("u1"))
    assert (found.form, found.single, found.fortran, found.length_dtype) == (
        wanted.form,
        wanted.single,
        wanted.fortran,
        wanted.length_dtype,
    )
    assert found.lengths == wanted.lengths == slow.lengths
    assert [list(pair) for pair in zip(found.names, found.formats, strict=True)] == slow.names
    assert slow.samples == wanted.samples.astype(wanted.samples.dtype.newbyteorder("<")).tobytes()


def model_of(start: bytes) -> bytes:
    """The model file whose hash begins so."""
    from rdzip import hub

    data: bytes = hub.resolve(start).path.read_bytes()
    return data


def run(first: int, count: int, kept: Path | None = None) -> dict[str, Any]:
    """Check the files of these numbers: how many were right, of which kinds, and what of the format they use.

    kept: a file for this as JSON, written now and then.
    """
    counts: Counter[str] = Counter()
    traits: dict[str, Counter[str]] = {}
    wrong: list[int] = []
    start, spent = time.monotonic(), time.process_time()
    record: dict[str, Any] = {}
    for number in range(first, first + count):
        try:
            made = check(number)
        except Exception:
            wrong.append(number)
            print(number, traceback.format_exc(), file=sys.stderr, flush=True)
        else:
            counts[KINDS[number % len(KINDS)]] += 1
            for name, value in made.traits.items():
                traits.setdefault(name, Counter())[value] += 1
        if number % SAVED and number < first + count - 1:
            continue
        record = {
            "first": first,
            "files": sum(counts.values()),
            "wrong": wrong,
            "seconds": round(time.monotonic() - start, 1),
            "processor_seconds": round(time.process_time() - spent, 1),
            "kinds": dict(sorted(counts.items())),
            "traits": {name: dict(sorted(counter.items())) for name, counter in sorted(traits.items())},
        }
        if kept:
            kept.write_text(json.dumps(record, indent=1) + "\n")
    return record


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.check", description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    record = run(args.first, args.count, args.json)
    print(json.dumps(record, indent=1))
    sys.exit(bool(record["wrong"]))


if __name__ == "__main__":
    main()
