"""What every benchmark script shares: where it ran, which images, and where its JSON goes."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
SUFFIXES = {".png", ".webp", ".bmp", ".ppm", ".tif"}


def environment() -> dict[str, Any]:
    """Commit, hardware and versions of this run."""
    git = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    packages = ("rdzip", "torch", "numpy", "pillow", "constriction", "imagecodecs")
    return {
        "commit": git.stdout.strip(),
        "cpu": cpu,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
    }


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
