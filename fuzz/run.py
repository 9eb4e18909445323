"""All targets, or some, each in a process of its own, two at a time; what they did as JSON.

    python -m fuzz [TARGET...] [--seconds 60] [--jobs 2] [--corpus DIR] [--json FILE]

Exits with 1 if an input was a fault: it lies in DIR/faults/TARGET/, with a .txt that says what happened.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from fuzz.target import FOLDER, NAMES

STARTING = 600
"""Seconds that a target may take to import, make its models and compile, and to end, beside its time."""
_SHOWN = 4096
"""Bytes of a fault that are printed."""
_EXECUTIONS = re.compile(r"number_of_executed_units: (\d+)")
_STATE = re.compile(r"^#(\d+)\s+\S+\s+cov: (\d+) ft: (\d+) corp: (\d+)/\S+", re.MULTILINE)


def faults_of(folder: Path, name: str) -> Path:
    """Where the faults of a target are kept."""
    return folder / "faults" / name


def run(name: str, seconds: int, folder: Path) -> dict[str, Any]:
    """Fuzz a target; begin anew if its process ends before its time. What it did."""
    place = faults_of(folder, name)
    facts: dict[str, Any] = {
        "executions": 0,
        "coverage": 0,
        "features": 0,
        "first_corpus": 0,
        "corpus": 0,
        "restarts": -1,
    }
    start = time.monotonic()
    left = seconds
    while left > 0:
        facts["restarts"] += 1
        command = [sys.executable, "-m", "fuzz.one", name, "--seconds", str(left)]
        command += ["--corpus", str(folder / name), "--faults", str(place)]
        began = time.monotonic()
        try:
            done = subprocess.run(command, cwd=FOLDER.parent, capture_output=True, timeout=left + STARTING, check=False)
            text, code = done.stderr.decode("utf-8", "replace"), done.returncode
        except subprocess.TimeoutExpired as error:
            text, code = (error.stderr or b"").decode("utf-8", "replace"), "timeout"
        states = _STATE.findall(text)
        total = _EXECUTIONS.findall(text)
        facts["executions"] += int(total[-1] if total else states[-1][0] if states else 0)
        if states:
            facts["first_corpus"] = facts["first_corpus"] or int(states[0][3])
            facts |= {"coverage": int(states[-1][1]), "features": int(states[-1][2]), "corpus": int(states[-1][3])}
        if not states or code == "timeout":  # it does not even start, or does not end
            place.mkdir(parents=True, exist_ok=True)
            (place / f"log-{code}.txt").write_text(text[-20000:])
            break
        if code == 0:
            break
        left -= max(1, round(time.monotonic() - began))
    facts["seconds"] = round(time.monotonic() - start, 1)
    facts["faults"] = sorted(path.name for path in place.glob("*")) if place.is_dir() else []
    return facts


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(NAMES))
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    parser.add_argument("--jobs", type=int, default=2, help="targets at a time (2)")
    parser.add_argument("--corpus", type=Path, help="folder to go on from, and to keep; else a temporary one")
    parser.add_argument("--json", type=Path, help="file for what was done")
    args = parser.parse_args()
    if unknown := set(args.targets) - set(NAMES):
        parser.error(f"expected targets of {', '.join(NAMES)}, found {', '.join(sorted(unknown))}")
    folder = args.corpus or Path(tempfile.mkdtemp(prefix="rdzip-fuzz-"))
    names = args.targets or list(NAMES)
    with ThreadPoolExecutor(args.jobs) as pool:
        found = {}
        for name, facts in zip(names, pool.map(lambda name: run(name, args.seconds, folder), names), strict=True):
            found[name] = facts
            shown = ", ".join(f"{key} {value}" for key, value in facts.items() if key != "faults")
            print(f"{name}: {shown}", flush=True)
            for fault in facts["faults"]:
                path = faults_of(folder, name) / fault
                print(f"  fault: {path}", flush=True)
                if path.suffix == ".txt":  # the folder may be gone when somebody reads this
                    print(path.read_text("utf-8", "replace")[-4000:], flush=True)
                elif path.stat().st_size <= _SHOWN:
                    print(f"  in base64: {base64.b64encode(path.read_bytes()).decode()}", flush=True)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    sys.exit(any(facts["faults"] or not facts["executions"] for facts in found.values()))
