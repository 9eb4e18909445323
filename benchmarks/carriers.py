"""Files of folders through their carriers: how many come back byte for byte, sizes, what a skeleton costs, seconds.

Each file is compressed with the default settings, restored, and compared. Seconds of taking files apart and of closing
them are of one thread, as shares of those of compressing (which takes them apart and closes them, too).

python benchmarks/carriers.py ../shared/data/kodak ../shared/data/files/* ../shared/data/volumes
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import common

from rdzip.formats.carriers.carrier import NotCarriedError
from rdzip.formats.carriers.table import carrier_of
from rdzip.formats.packing import pack_value
from rdzip.pipeline.file import compress_file
from rdzip.pipeline.request import Compute, Request
from rdzip.pipeline.restore import restore
from rdzip.system.process import tune_process


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of processor time, and the result."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def measure(data: bytes, request: Request) -> dict[str, Any]:
    """What becomes of a file: how it comes back, bytes, seconds."""
    seconds, done = timed(lambda: compress_file(data, request, Compute(threads=1)))
    returned = done.report.returned
    assert returned is not None
    same = returned.exact == "file" and restore(done.data).data == data
    assert same == (returned.exact == "file")
    found = {
        "exact": returned.exact,
        "carrier": returned.carrier,
        "bytes": len(data),
        "rdz": len(done.data),
        "compress_seconds": seconds,
        "notes": [note.text for note in done.report.notes],
    }
    row = carrier_of(data)
    if row is None:
        return found
    try:
        found["open_seconds"], opened = timed(lambda: row.open(data))
    except NotCarriedError as error:
        return found | {"why": str(error)}
    if returned.carrier == row.name:
        found["close_seconds"], _ = timed(lambda: row.close(opened.pictures, opened.skeleton))
        found["skeleton"] = len(pack_value(opened.skeleton))
        found["pictures"] = len(opened.pictures)
    return found


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Of a folder: counts, sums of bytes and of seconds."""
    carried = [row for row in rows if "skeleton" in row]
    total = sum(row["compress_seconds"] for row in carried)
    return {
        "files": len(rows),
        "comes_back": dict(Counter(f"{row['exact']} {row['carrier']}".strip() for row in rows)),
        "bytes": sum(row["bytes"] for row in rows),
        "rdz": sum(row["rdz"] for row in rows),
        "skeletons": sum(row["skeleton"] for row in carried),
        "largest_skeleton": max((row["skeleton"] for row in carried), default=0),
        "open_share": round(sum(row["open_seconds"] for row in carried) / total, 4) if total else None,
        "close_share": round(sum(row["close_seconds"] for row in carried) / total, 4) if total else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("-e", "--effort", type=int, help="of coding without loss; default: the default")
    parser.add_argument("--name", default="carriers", help="of the JSON file in results/")
    arguments = parser.parse_args()
    tune_process()
    record: dict[str, Any] = {"effort": arguments.effort, "folders": {}, "files": {}}
    request = Request(effort=arguments.effort)
    for folder in arguments.folders:
        paths = sorted(path for path in folder.iterdir() if path.is_file())
        if paths:
            measure(paths[0].read_bytes(), Request(effort=1))  # compiles, reads the model
        rows = {path.name: measure(path.read_bytes(), request) for path in paths}
        record["files"][folder.name] = rows
        record["folders"][folder.name] = summary([*rows.values()])
        print(folder.name, record["folders"][folder.name], flush=True)
    print(common.write(arguments.name, record))


if __name__ == "__main__":
    main()
