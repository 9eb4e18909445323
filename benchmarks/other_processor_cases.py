"""What `other_processor.py` has computed here and elsewhere: golden files decoded, their sources encoded anew.

python benchmarks/other_processor_cases.py FOLDER CASE ...    prints a JSON line for each, and leaves arrays in FOLDER

A case is decode/KIND/NAME (tests/golden/0.1/KIND/NAME.rdz) or encode/KIND/NAME (its source in tools/make_golden.py).
Asked for "about", it tells processor and versions. FOLDER also gets the encoded files.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden" / "0.1"
PACKAGES = ("numpy", "numba", "llvmlite", "pillow", "safetensors", "torch", "constriction")
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]


def about() -> dict[str, Any]:
    """Processor, system and versions of this process."""
    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return {
        "machine": platform.machine(),
        "byteorder": sys.byteorder,
        "bits": sys.maxsize.bit_length() + 1,
        "python": platform.python_version(),
        "system": " ".join(platform.libc_ver()),
        "versions": found,
    }


def decode(data: bytes, kept: Path) -> dict[str, Any]:
    """Hash, shape and type of what a file decodes to; the array stays in the file ``kept``."""
    import numpy as np

    import rdzip

    pixels = rdzip.decompress_array(data)
    np.save(kept, pixels)
    octets = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    return {"pixels_sha256": hashlib.sha256(octets).hexdigest(), "shape": list(pixels.shape)}


def encode(kind: str, name: str, kept: Path) -> dict[str, Any]:
    """Hash of the file that a source of golden files becomes, and what that decodes to."""
    import make_golden

    source, options = make_golden.KINDS[kind]()[name]
    data = make_golden.compress(source, verify=False, **options)
    kept.with_suffix(".rdz").write_bytes(data)
    return {"file_sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} | decode(data, kept)


def run(case: str, folder: Path) -> dict[str, Any]:
    """What comes of a case, with its seconds; {"error": ...} where it cannot be done here."""
    what, kind, name = case.split("/")
    kept = folder / f"{what}-{kind}-{name}.npy"
    start = time.perf_counter()
    try:
        if what == "decode":
            found = decode((GOLDEN / kind / f"{name}.rdz").read_bytes(), kept)
        else:
            found = encode(kind, name, kept)
    except Exception as error:  # whatever is missing or breaks on that processor: the record shall say it
        found = {"error": f"{type(error).__name__}: {error}"[:300]}
    return found | {"seconds": round(time.perf_counter() - start, 1)}


def main() -> None:
    folder = Path(sys.argv[1])
    for case in sys.argv[2:]:
        found = about() if case == "about" else run(case, folder)
        print(json.dumps({"case": case} | found), flush=True)


if __name__ == "__main__":
    main()
