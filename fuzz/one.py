"""One target in this process: fuzzed by Atheris, or fed with given files.

    python -m fuzz.one NAME --seconds 60 --corpus DIR --faults DIR
    python -m fuzz.one NAME FILE...

A fault is kept (the input, and beside it a .txt) and the run goes on; of each place in the code, only the first is.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from fuzz.target import FOLDER, MEGABYTES, NAMES, Fault, Target, Watched, code_of, load, name_of, peak_megabytes

HANG_SECONDS = 60
"""Of the clock, after which libFuzzer ends an input that does not end; what is slow is told by processor time."""
SPARE_MEGABYTES = 4096


class Run:
    """Faults of a target in this process. folder: where they are kept, None for nowhere."""

    def __init__(self, name: str, target: Target, folder: Path | None) -> None:
        self.name, self.folder = name, folder
        self.watched = Watched(target)
        self.seen: dict[str, int] = {}
        self.start = time.monotonic()

    def one(self, data: bytes) -> None:
        """Run an input, and keep it if it is a fault of a new kind."""
        fault = self.watched.run(data)
        if fault is not None:
            self.keep(data, fault)

    def keep(self, data: bytes, fault: Fault) -> None:
        """Keep a fault, of each kind and place the first."""
        self.seen[fault.where] = self.seen.get(fault.where, 0) + 1
        if self.folder and self.seen[fault.where] == 1:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / name_of(data, fault.kind)
            path.write_bytes(data)
            path.with_suffix(".txt").write_text(f"{fault.where}\n{fault.text}")

    def tell(self) -> None:
        """Print the JSON object."""
        seconds = time.monotonic() - self.start
        facts = {"target": self.name, "executions": self.watched.runs, "seconds": round(seconds, 1)}
        facts |= {"faults": self.seen, "peak_mib": round(peak_megabytes())}
        print(json.dumps(facts), flush=True)


def bounded() -> None:
    """Let the process take some gigabytes of addresses beyond what it has, and no more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + (SPARE_MEGABYTES << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def compiled(name: str) -> list[str]:
    """Modules that numba compiles for a target: it cannot where Atheris has put calls into their code."""
    if code_of(name) == "python":
        return []
    sources = {path: path.read_text("utf-8") for path in (FOLDER.parent / "rdzip").rglob("*.py")}
    return [
        ".".join(path.relative_to(FOLDER.parent).with_suffix("").parts)
        for path, text in sources.items()
        if "@compiled" in text or "@inlined" in text
    ]


def feed(name: str, files: list[Path]) -> int:
    """Run a target on files; how many were faults."""
    run = Run(name, load(name), None)
    for path in files:
        fault = run.watched.run(path.read_bytes())
        if fault:
            run.keep(path.read_bytes(), fault)
            print(f"{path}: {fault.kind}: {fault.text.strip()}", file=sys.stderr)
    run.tell()
    return sum(run.seen.values())


def fuzz(name: str, seconds: int, corpus: Path, faults: Path, more: list[str]) -> None:
    """Fuzz a target; does not return."""
    import atheris

    with atheris.instrument_imports(include=["rdzip"], exclude=compiled(name), enable_loader_override=False):
        target = load(name)
        seeds = list(dict.fromkeys(target.seeds()))
        for seed in seeds:  # what is imported within functions is instrumented too
            Watched(target).run(seed)
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        (corpus / name_of(seed, "seed")).write_bytes(seed)
    faults.mkdir(parents=True, exist_ok=True)
    run = Run(name, target, faults)
    for seed in seeds:
        run.one(seed)
    bounded()
    mutate: Any = getattr(target, "mutate", None)

    def mutator(data: bytes, max_size: int, seed: int) -> bytes:
        made: bytes = mutate(data, max_size, seed, lambda part, size: bytes(atheris.Mutate(part, max(size, 1))))
        return made

    flags = [
        f"-max_total_time={seconds}",
        f"-max_len={target.MAX_LEN}",
        f"-timeout={HANG_SECONDS}",
        f"-rss_limit_mb={round(peak_megabytes()) + 3 * MEGABYTES}",  # garbage in it; what an input needs is seen above
        f"-artifact_prefix={faults}/",
        "-print_final_stats=1",
        "-len_control=0",
        f"-report_slow_units={10 * HANG_SECONDS}",  # by the clock, and other processes may be busy
        *more,
    ]
    options = {"custom_mutator": mutator} if mutate else {}
    atheris.Setup([sys.argv[0], *flags, str(corpus)], run.one, **options)
    atheris.Fuzz()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.one", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--faults", type=Path)
    parser.add_argument("--flag", action="append", default=[], help="of libFuzzer")
    args = parser.parse_args()
    if args.corpus is None:
        sys.exit(min(1, feed(args.name, args.files)))
    fuzz(args.name, args.seconds, args.corpus, args.faults or args.corpus, args.flag)


if __name__ == "__main__":
    main()
