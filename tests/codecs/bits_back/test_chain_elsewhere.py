"""Chains decode in other processes, with other vector instructions and numbers of threads, to the same samples."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import tiny_latent, tiny_vae, tiny_vrnn

from rdzip.codecs.bits_back import chain
from rdzip.codecs.bits_back.options import Options
from rdzip.models import build, model_file
from rdzip.models.vae_mlp.file import export

DECODE = """
import hashlib, json, sys
from pathlib import Path
import torch
from rdzip.codecs.bits_back import chain
from rdzip.models import build, model_file
folder = Path(sys.argv[1])
found = {}
for threads in (1, 2):
    torch.set_num_threads(threads)
    assert torch.get_num_threads() == threads
    for name, shapes in json.loads((folder / "shapes.json").read_text()).items():
        model = build(*model_file.read(folder / f"{name}.safetensors"))
        samples = chain.decode(model, (folder / name).read_bytes(), [tuple(shape) for shape in shapes])
        found[f"{name} {threads}"] = hashlib.sha256(b"".join(x.tobytes() for x in samples)).hexdigest()
print(json.dumps([torch.backends.cpu.get_cpu_capability(), found]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models, and payloads by their names."""
    folder = tmp_path_factory.mktemp("elsewhere")
    rng = np.random.default_rng(0)
    tiny_latent.write(folder, "deep")
    export(folder / "vae.safetensors", tiny_vae.net(), {"id": "tiny-vae"})
    tiny_vrnn.write(folder / "vrnn.safetensors")
    coded = {
        "deep": (rng.integers(90, 160, (9, 34, 30, 3)).astype(np.uint8), "bit-swap", Options()),
        "vae": (tiny_vae.images(60), "bb-cis", Options(particles=20, refine=3)),
        "vrnn": ((rng.random((30, 12, 88)) < 0.05).astype(np.uint8), "bb-smc", Options(particles=10)),
    }
    shapes, hashes = {}, {}
    for name, (x, codec, options) in coded.items():
        model = build(*model_file.read(folder / f"{name}.safetensors"))
        made = chain.encode(model, x, codec, options)
        assert max(group.rows for group in made.groups) > 1
        (folder / name).write_bytes(made.payload)
        shapes[name] = [item.shape for item in x]
        hashes |= {f"{name} {threads}": hashlib.sha256(x.tobytes()).hexdigest() for threads in (1, 2)}
    (folder / "shapes.json").write_text(json.dumps(shapes))
    (folder / "hashes.json").write_text(json.dumps(hashes))
    return folder


@pytest.mark.parametrize(
    ("dnn", "mkl", "aten"), [("SSE41", "SSE4_2", "default"), ("AVX2", "AVX2", "avx2")], ids=["SSE41", "AVX2"]
)
def test_other_simd_levels_and_threads(folder: Path, dnn: str, mkl: str, aten: str) -> None:
    level = {"ONEDNN_MAX_CPU_ISA": dnn, "MKL_ENABLE_INSTRUCTIONS": mkl, "ATEN_CPU_CAPABILITY": aten}
    command = [sys.executable, "-c", DECODE, str(folder)]
    out = subprocess.run(command, env=os.environ | level, capture_output=True, text=True, check=True)
    capability, found = json.loads(out.stdout)
    assert capability in (aten.upper(), "DEFAULT")  # the latter where there is no AVX2
    assert found == json.loads((folder / "hashes.json").read_text())
