"""Hashes of a picture's files, by causal and by mixing, decoded under other thread counts, SIMD levels and libraries.

All must be equal.

python benchmarks/decode_everywhere.py photo.png
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import common

SETTINGS: dict[str, dict[str, str]] = {
    "default": {},
    "1 thread": {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
    "SSE4.1, no ATen SIMD": {"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default"},
    "SSE4.1 also in MKL and OpenBLAS": {
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "OPENBLAS_CORETYPE": "Nehalem",
        "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX",
    },
    "AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    "mkldnn off": {"RDZIP_BENCHMARK_MKLDNN": "0"},
    "SSE2 in compiled code": {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""},
}
CODE = """
import os, sys, warnings
from rdzip.system.process import tune_process
tune_process()
import numpy as np
import torch
if os.environ.get("RDZIP_BENCHMARK_MKLDNN") == "0":
    warnings.simplefilter("ignore")
    torch.backends.mkldnn.set_flags(False)
import rdzip, hashlib
print(hashlib.sha256(np.asarray(rdzip.open_rdz(sys.argv[1])).tobytes()).hexdigest())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image", type=Path)
    arguments = parser.parse_args()
    import rdzip

    files, hashes = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for codec in ("causal", "mixing"):
            file = Path(folder) / f"{codec}.rdz"
            file.write_bytes(rdzip.compress(arguments.image, codec=codec))
            files[codec] = hashlib.sha256(file.read_bytes()).hexdigest()
            for name, settings in SETTINGS.items():
                done = subprocess.run(
                    [sys.executable, "-c", CODE, str(file)],
                    env=os.environ | {"NUMBA_CACHE_DIR": f"{folder}/{name}"} | settings,
                    check=True,
                    capture_output=True,
                    text=True,
                )
                hashes[f"{codec}, {name}"] = done.stdout.strip()
                print(done.stdout.strip(), codec, name, flush=True)
    record = {
        "image": arguments.image.name,
        "file_sha256": files,
        "identical": len(set(hashes.values())) == 1,
        "pixels_sha256": hashes,
    }
    print(common.write("decode-everywhere", record), "identical" if record["identical"] else "DIFFERENT")
    if not record["identical"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
