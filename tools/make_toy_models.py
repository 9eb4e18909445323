"""Write toy-mixture.safetensors and toy-hmm.safetensors: python tools/make_toy_models.py FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from helpers.toy_models import write_models

if __name__ == "__main__":
    for written in write_models(Path(sys.argv[1] if len(sys.argv) > 1 else ".")):
        print(written)
