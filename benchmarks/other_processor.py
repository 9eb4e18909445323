"""Golden files decoded, and their sources encoded, by another processor's Python under emulation, and compared.

Every case of `other_processor_cases.py` is computed here and there; there once with numba's compiled code and once in
plain Python. Of lossless files the pixels, and of all encoded files the bytes, are compared by SHA-256; of lossy files
the latents are checked by the decoder, and the pixels, which floats make, compared. What was not reached in --minutes
is listed. A folder ROOT with another processor's Debian and Python packages, here of arm64, is made so:

    apt-get install qemu-user-static debootstrap
    debootstrap --arch=arm64 --foreign --variant=minbase --include=python3,libstdc++6,libgomp1 bookworm ROOT
    for d in ROOT/var/cache/apt/archives/*.deb; do dpkg-deb -x $d ROOT; done
    pip download --no-deps --only-binary=:all: --python-version 3.11 --platform manylinux_2_28_aarch64 \
        --platform manylinux_2_27_aarch64 --platform manylinux_2_17_aarch64 -d wheels PACKAGE==VERSION ...
    for w in wheels/*.whl; do python3 -m zipfile -e $w ROOT/opt/wheels; done

with numpy, numba, llvmlite, pillow, safetensors, torch (a version whose wheel is for processors alone: 2.10.0), and the
packages in Python that these and rdzip need. constriction has no wheel for Linux on arm64, nor a source package; rdzip
then codes by its own coder in plain Python.

nice -n 10 python benchmarks/other_processor.py ROOT --emulator qemu-aarch64-static

Where there is no package (numba and torch on s390x, whose byte order is the other one; Debian's python3-numpy and
python3-pil are enough), what needs it is listed as missing:

nice -n 10 python benchmarks/other_processor.py ROOT --emulator qemu-s390x-static --compile 0 --name decode-s390x
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import common
import numpy as np
from other_processor_cases import GOLDEN

import rdzip

CASES = Path(__file__).with_name("other_processor_cases.py")
FIRST = (
    *("classic/colour", "causal/grey", "mixing/fast-net-grey", "near-lossless/causal-grey", "bits-back/bb-ais"),
    *("bits-back/bb-smc", "irec/symbols", "bits-back/bb-ans", "lossy/photo-lossy-fine", "lossy/hyperprior-colour"),
    *("lossy/channel-ar-colour", "bits-back/bit-swap-grey", "bits-back/stochastic", "bits-back/bb-is"),
    *("bits-back/bb-cis", "lossy/irec-vae-grey", "mixing/slow-net-grey"),
)
"""One of each codec, to come first."""
LARGE = {"mixing/fast-plain-two-bands"}
"""Only by compiled code."""


def cases() -> list[str]:
    """All cases, one of each codec first, each decoded and encoded."""
    found = [f"{path.parent.name}/{path.stem}" for path in sorted(GOLDEN.glob("*/*.rdz"))]
    names = [*FIRST, *(name for name in found if name not in {*FIRST, *LARGE}), *sorted(LARGE)]
    return [f"{what}/{name}" for name in names for what in ("decode", "encode")]


def computed(command: list[str], wanted: list[str], environment: dict[str, str], until: float) -> dict[str, Any]:
    """What a process tells of cases, until a time of time.monotonic."""
    found: dict[str, Any] = {}
    process = subprocess.Popen([*command, *wanted], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    timer = threading.Timer(max(1.0, until - time.monotonic()), process.kill)
    timer.start()
    for line in process.stdout:
        told = json.loads(line)
        found[told.pop("case")] = told
        print(line, end="", flush=True)
    process.wait()
    timer.cancel()
    return found


def compared(case: str, here: dict[str, Any], there: dict[str, Any], folders: tuple[Path, Path]) -> dict[str, Any]:
    """What is equal between a case computed here and there."""
    if there.get("error", "").startswith("ModuleNotFoundError"):
        return {"missing": there["error"]}
    if "error" in there or "error" in here:
        return {"same": False, "error": there.get("error") or f"here: {here['error']}", "seconds": there["seconds"]}
    what, kind, name = case.split("/")
    index = json.loads((GOLDEN / kind / "index.json").read_text())[name]
    lossy = kind == "lossy"
    pixels = here["pixels_sha256"] == there["pixels_sha256"]
    found: dict[str, Any] = {"codec": index["codec"], "pixels": pixels}
    if what == "decode":
        found["same"] = pixels and index.get("pixels_sha256", here["pixels_sha256"]) == there["pixels_sha256"]
        found["pixels_sha256"] = there["pixels_sha256"]
    else:
        found["same"] = found["bytes"] = here["file_sha256"] == there["file_sha256"]
        found["file_sha256"] = there["file_sha256"]
    if lossy:  # latents are exact, which the decoder checks; transforms are floats
        stem = f"{what}-{kind}-{name}"
        before, after = (np.load(folder / f"{stem}.npy").astype(int) for folder in folders)
        if what == "encode" and not found["same"]:
            before = rdzip.decompress_array((folders[1] / f"{stem}.rdz").read_bytes()).astype(int)
            found["bytes_here_there"] = [here["bytes"], there["bytes"]]
        found["largest_difference"] = int(abs(before - after).max())
        found["same"] = found["largest_difference"] <= 1
    return found | {"seconds": there["seconds"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="folder with the other processor's Debian")
    parser.add_argument("--emulator", default="qemu-aarch64-static")
    parser.add_argument("--path", default="opt/wheels:usr/lib/python3/dist-packages", help="of packages in root")
    parser.add_argument("--python", default="usr/bin/python3")
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--compile", default="1,0", help="1: compiled code, 0: plain Python")
    parser.add_argument("--processes", type=int, default=1, help="of each way, side by side")
    parser.add_argument("--cache", type=Path, help="folder in which compiled code stays from run to run")
    parser.add_argument("--only", help="cases that hold this text")
    parser.add_argument("--name", default="decode-aarch64")
    arguments = parser.parse_args()
    wanted = [case for case in cases() if not arguments.only or arguments.only in case]
    until = time.monotonic() + 60 * arguments.minutes
    root = arguments.root.resolve()
    emulated = [arguments.emulator, "-L", str(root), str((root / arguments.python).resolve())]
    emulator = subprocess.run([arguments.emulator, "--version"], capture_output=True, text=True, check=True).stdout
    path = os.pathsep.join(str(root / part) for part in arguments.path.split(os.pathsep))
    record: dict[str, Any] = {"emulator": emulator.splitlines()[0], "minutes": arguments.minutes}
    with tempfile.TemporaryDirectory() as folder:
        cache = arguments.cache or Path(folder, "cache")
        places = {name: Path(folder, name) for name in ("here", "1", "0")}
        for place in places.values():
            place.mkdir()
        ways = arguments.compile.split(",")
        chosen = {w: [c for c in wanted if w == "1" or c.partition("/")[2] not in LARGE] for w in ways}
        runs: dict[str, dict[str, Any]] = {way: {} for way in ways}

        def there(compiled: str, part: int) -> None:
            own = {"PYTHONPATH": path, "NUMBA_CACHE_DIR": str(cache), "RDZIP_COMPILE": compiled}
            command = [*emulated, str(CASES), str(places[compiled]), "about"]
            part_of_them = chosen[compiled][part :: arguments.processes]
            runs[compiled] |= computed(command, part_of_them, dict(os.environ) | own, until)

        parts = [(way, part) for way in ways for part in range(arguments.processes)]
        threads = [threading.Thread(target=there, args=part) for part in parts]
        for thread in threads:
            thread.start()
        here = computed([sys.executable, str(CASES), str(places["here"])], wanted, dict(os.environ), until)
        for thread in threads:
            thread.join()
        for compiled, found in runs.items():
            about = found.pop("about", None)
            results = {
                case: compared(case, here[case], told, (places["here"], places[compiled]))
                for case, told in found.items()
                if case in here
            }
            record["there"] = record.get("there") or about
            record["compiled code" if compiled == "1" else "plain Python"] = {
                "same": sum(result.get("same", False) for result in results.values()),
                "different": sorted(case for case, result in results.items() if not result.get("same", True)),
                "missing": sorted(case for case, result in results.items() if "missing" in result),
                "unreached": [case for case in chosen[compiled] if case not in results],
                "cases": results,
            }
    print(common.write(arguments.name, record))
    if any(part["different"] for part in record.values() if isinstance(part, dict) and "different" in part):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
