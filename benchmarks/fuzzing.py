"""Campaigns of fuzzing, and valid files read by two decoders; each run adds to benchmarks/results/fuzz.json.

python benchmarks/fuzzing.py [TARGET...] [--seconds 600] [--jobs 1] [--corpus DIR]
python benchmarks/fuzzing.py --files 5000 [--first 0]
python benchmarks/fuzzing.py --add RUN.json --commit HASH     # of `python -m fuzz --json` or `fuzz.check --json`
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import common

sys.path.append(str(common.ROOT))

RESULT = common.RESULTS / "fuzz.json"
Record = dict[str, Any]


def add(record: Record, commit: str | None) -> None:
    """Add a run to the results, and sum all up. commit: what ran, if it was not this tree."""
    environment = common.environment()
    environment["versions"] |= {"atheris": version("atheris")}
    if commit:  # of a clean export of it; when it began is not known here
        environment |= {"commit": commit, "clean": True}
        del environment["started"], environment["load"]
    runs = json.loads(RESULT.read_text())["runs"] if RESULT.exists() else []
    runs.append({"environment": environment} | record)
    targets: dict[str, Counter[str]] = {}
    files = [run["files"] for run in runs if "files" in run]
    for run in runs:
        for name, facts in run.get("targets", {}).items():
            counter = targets.setdefault(name, Counter())
            counter["executions"] += facts["executions"]
            counter["seconds"] += round(facts["seconds"])
            counter["faults"] += sum(not fault.endswith(".txt") for fault in facts["faults"])
            counter["corpus"] = max(counter["corpus"], facts["corpus"])
    traits: dict[str, Counter[str]] = {}
    for one in files:
        for name, counts in {"kind": one["kinds"], **one["traits"]}.items():
            traits.setdefault(name, Counter()).update(counts)
    total: Record = {
        "executions": sum(counter["executions"] for counter in targets.values()),
        "targets": {name: dict(counter) for name, counter in sorted(targets.items())},
        "valid_files": sum(one["files"] for one in files),
        "wrong": sum(len(one["wrong"]) for one in files),
        "traits": {name: dict(sorted(counts.items())) for name, counts in sorted(traits.items())},
    }
    RESULT.write_text(json.dumps({"total": total, "runs": runs}, indent=1) + "\n")
    print(json.dumps(total, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--files", type=int)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--add", type=Path)
    parser.add_argument("--commit")
    args = parser.parse_args()
    if args.add:
        found = json.loads(args.add.read_text())
        add({"files": found} if "kinds" in found else {"targets": found}, args.commit)
    elif args.files:
        from fuzz import check

        add({"files": check.run(args.first, args.files)}, None)
    else:
        from fuzz.run import run
        from fuzz.target import NAMES

        folder = args.corpus or Path(tempfile.mkdtemp())
        names = args.targets or list(NAMES)
        with ThreadPoolExecutor(args.jobs) as pool:
            done = dict(zip(names, pool.map(lambda name: run(name, args.seconds, folder), names), strict=True))
        add({"targets": done}, None)


if __name__ == "__main__":
    main()
