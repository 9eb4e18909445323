"""What every benchmark script shares: where it ran, which images, and where its JSON goes."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import rdzip

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PACKAGES = (
    *("rdzip", "torch", "numpy", "numba", "llvmlite", "pillow", "constriction", "safetensors"),
    *("imagecodecs", "pillow-heif"),
)
SUFFIXES = {".png", ".webp", ".bmp", ".ppm", ".tif"}


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def _started() -> dict[str, Any]:
    """Commit, whether the tree had no other changes than results, machine and versions, as they are now.

    Stops if the rdzip that is imported is not that of this tree: its commit would say nothing.
    """
    package = Path(rdzip.__file__).parent
    for path in sorted((ROOT / "rdzip").rglob("*.py")):
        other = package / path.relative_to(ROOT / "rdzip")
        if not other.is_file() or other.read_bytes() != path.read_bytes():
            raise SystemExit(f"expected the rdzip of this tree, found another {other}: install it again from {ROOT}")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    known = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            known[name] = version(name)
    return {
        "commit": _git("rev-parse", "HEAD"),
        "clean": not _git("status", "--porcelain", "--", ".", ":(exclude)benchmarks/results"),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "cpu": _processor(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "memory_gib": round(memory / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": known,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


_START = _started()  # when the script is imported: what is committed or installed during a long run is not what ran


def environment() -> dict[str, Any]:
    """Commit at the start of this process, whether the tree was clean then, load (processes that wanted a core in the
    minute before: seconds of a busy machine are not to be quoted), machine and versions."""
    return dict(_START)


def images(folder: Path) -> dict[str, np.ndarray]:
    """RGB images of a folder by file name, uint8 [h, w, 3]."""
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    if not found:
        raise SystemExit(f"{folder}: expected images, found none")
    return {p.name: np.asarray(Image.open(p).convert("RGB")) for p in found}


def digest(pictures: dict[str, np.ndarray]) -> str:
    """SHA-256 over the pixels of a set of images."""
    h = hashlib.sha256()
    for pixels in pictures.values():
        h.update(pixels.tobytes())
    return h.hexdigest()


def write(name: str, record: dict[str, Any]) -> Path:
    """Write a result beside the others and return its path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"environment": environment()} | record, indent=1) + "\n")
    return path


def mosaic(folder: Path, width: int, height: int) -> np.ndarray:
    """A picture uint8 [height, width, 3] put together from the photographs of a folder."""
    out = np.zeros((height, width, 3), np.uint8)
    parts = [p for p in images(folder).values() if p.shape[0] >= 512 and p.shape[1] >= 512]
    for i, y in enumerate(range(0, height, 512)):
        for j, x in enumerate(range(0, width, 512)):
            part = parts[(i * 17 + j) % len(parts)]
            cell = out[y : y + 512, x : x + 512]
            cell[:] = part[: cell.shape[0], : cell.shape[1]]
    return out
