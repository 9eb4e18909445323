"""Settings of a process: how threads wait is set before torch is loaded, where the process is rdzip's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
TORCH = """
import os, sys
with open(os.environ["SEEN"], "a") as seen:
    seen.write(f"{os.environ.get('OMP_WAIT_POLICY')}\\n")
os._exit(3)
"""
"""Stands for torch: writes down how threads are to wait when it is first loaded, and ends the process."""


def seen(folder: Path, *command: str, **environment: str) -> list[str]:
    """What OMP_WAIT_POLICY was when the processes of a command loaded torch."""
    fakes, log = folder / "fakes", folder / "seen"
    fakes.mkdir(exist_ok=True)
    (fakes / "torch.py").write_text(TORCH)
    log.write_text("")
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
    clean = {name: value for name, value in os.environ.items() if name not in names}
    clean |= {"PYTHONPATH": os.pathsep.join([str(fakes), str(ROOT)]), "SEEN": str(log)} | environment
    subprocess.run([sys.executable, *command], env=clean, cwd=folder, capture_output=True, timeout=60, check=False)
    return log.read_text().split()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    for name in ("a", "b"):
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "pictures" / f"{name}.png")
    return tmp_path


COMMANDS = {
    "compress": ["compress", "-q", "50", "pictures/a.png"],
    "train": ["train", "photo-fast", "--data", "pictures", "--out", "run"],
    "bound": ["bound", "--source", "banana", "--out", "run"],
    "bench": ["bench", "pictures", "--codecs", "rdzip:photo-lossy"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_sets_it_before_torch_is_loaded(command: str, folder: Path) -> None:
    assert set(seen(folder, "-m", "rdzip", *COMMANDS[command])) == {"passive"}


@pytest.mark.parametrize("command", ["compress", "bound"])
def test_so_do_its_workers(command: str, folder: Path) -> None:
    arguments = {"compress": ["compress", "-q", "50", "pictures/a.png", "pictures/b.png"], "bound": COMMANDS["bound"]}
    found = seen(folder, "-m", "rdzip", *arguments[command], "--jobs", "2")
    assert found
    assert set(found) == {"passive"}


def test_the_users_own_setting_wins(folder: Path) -> None:
    assert seen(folder, "-m", "rdzip", *COMMANDS["compress"], OMP_WAIT_POLICY="active") == ["active"]


def test_the_library_sets_it_when_asked_to(folder: Path) -> None:
    coding = "rdzip.compress('pictures/a.png', quality=50)"
    assert seen(folder, "-c", f"import rdzip; {coding}") == ["None"]
    assert seen(folder, "-c", f"import rdzip; rdzip.wait_passively(); {coding}") == ["passive"]
    asked = f"import rdzip; rdzip.wait_passively(); {coding}"
    assert seen(folder, "-c", asked, OMP_WAIT_POLICY="active") == ["active"]


def test_the_library_warns_when_it_is_too_late() -> None:
    code = "import sys, types; sys.modules['torch'] = types.ModuleType('torch'); import rdzip; rdzip.wait_passively()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "torch is imported already" in done.stderr
