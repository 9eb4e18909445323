"""Seconds on a quiet machine and on a busy one, side by side: another process at the lowest priority uses one core.

In processes of their own, rdzip's settings made as the command line makes them: loading the models, with all that this
imports; coding and decoding a photograph with loss (-q 50) and without (-e 1, -e 6), after one to warm up; then whole
commands. Medians of several. "spinning": with what OpenMP (GNU's) does if nothing tells it how to wait.

python benchmarks/busy.py [photo.png]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import common
from PIL import Image

REPEAT = 5
SETTINGS: dict[str, tuple[bool, dict[str, str]]] = {
    "quiet": (False, {}),
    "quiet, spinning": (False, {"GOMP_SPINCOUNT": "300000"}),
    "busy": (True, {}),
    "busy, spinning": (True, {"GOMP_SPINCOUNT": "300000"}),
}
BURN = "import os\nos.nice(19)\nprint(flush=True)\nwhile True: pass"
PARTS = """
from rdzip.system.process import tune_process
tune_process()
import json, statistics, sys, time
import rdzip

data, repeat = open(sys.argv[1], "rb").read(), int(sys.argv[2])
seconds = {}

def measure(name, work):
    work()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - start)
    seconds[name] = round(statistics.median(times), 3)
    return result

for name, options in {"-q 50": {"quality": 50}, "-e 1": {"effort": 1}, "-e 6": {"effort": 6}}.items():
    coded = measure(f"compress {name}", lambda: rdzip.compress(data, verify=False, **options))
    measure(f"decompress {name}", lambda: rdzip.decompress(coded))
print(json.dumps(seconds))
"""

LOAD = """
from rdzip.system.process import tune_process
tune_process()
import sys, time
start = time.perf_counter()
from rdzip import hub
hub.load(sys.argv[1])
print(time.perf_counter() - start)
"""


@contextmanager
def burning(wanted: bool) -> Iterator[None]:
    """Meanwhile one core has another process at work, at the lowest priority."""
    if not wanted:
        yield
        return
    with subprocess.Popen([sys.executable, "-c", BURN], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        try:
            yield
        finally:
            other.kill()


def clean(settings: dict[str, str]) -> dict[str, str]:
    """The environment of this process without what it says of waiting and of threads, and with these settings."""
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {name: value for name, value in os.environ.items() if name not in names} | settings


def loading(environment: dict[str, str], repeat: int) -> dict[str, float]:
    """Seconds of loading a model, each time in a new process."""
    found = {}
    for model in ("photo-lossy", "photo-fast"):
        process = [sys.executable, "-c", LOAD, model]
        times = [
            float(subprocess.run(process, env=environment, check=True, stdout=subprocess.PIPE).stdout)
            for _ in range(repeat)
        ]
        found[f"load {model}"] = round(statistics.median(times), 3)
    return found


def commands(photo: Path, environment: dict[str, str], repeat: int) -> dict[str, float]:
    """Seconds of whole commands, which check what they wrote."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, options in {"-q 50": ["-q", "50"], "-e 1": ["-e", "1"], "-e 6": ["-e", "6"]}.items():
            file, back = str(Path(folder, "a.rdz")), str(Path(folder, "a.png"))
            for command in (
                ["compress", *options, str(photo), "-o", file],
                ["decompress", file, "-o", back],
            ):
                times = []
                for _ in range(repeat):
                    start = time.perf_counter()
                    whole = [sys.executable, "-m", "rdzip", *command, "--force", "--quiet"]
                    subprocess.run(whole, env=environment, check=True)
                    times.append(time.perf_counter() - start)
                found[f"rdzip {command[0]} {name}"] = round(statistics.median(times), 3)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", type=Path, nargs="?", help="a photograph; by default the demo's")
    parser.add_argument("--repeat", type=int, default=REPEAT)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photo = arguments.photo
        if photo is None:
            from rdzip.commands.demo import picture

            photo = Path(folder, "demo.png")
            picture().save(photo)
        seconds: dict[str, dict[str, float]] = {}
        for name, (busy, settings) in SETTINGS.items():
            environment = clean(settings)
            with burning(busy):
                process = [sys.executable, "-c", PARTS, str(photo), str(arguments.repeat)]
                parts = subprocess.run(process, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
                seconds[name] = loading(environment, arguments.repeat)
                seconds[name] |= json.loads(parts) | commands(photo, environment, arguments.repeat)
        record = {
            "picture": photo.name,
            "pixels": list(Image.open(photo).size),
            "repeat": arguments.repeat,
            "seconds": seconds,
        }
    path = common.write("busy", record)
    print(f"{'':28}" + "".join(f"{name:>16}" for name in SETTINGS))
    for row in seconds["quiet"]:
        print(f"{row:28}" + "".join(f"{seconds[name][row]:16.3f}" for name in SETTINGS))
    print(path)


if __name__ == "__main__":
    main()
