"""Compiled code is kept where a change of any source makes it anew, and nobody imports numba before it is needed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rdzip.exact import compiled

ROOT = Path(__file__).resolve().parents[2]


def test_the_default_codec_needs_no_numba() -> None:
    script = "import sys, rdzip.cli_commands, rdzip.formats.rdz, rdzip.codecs.causal; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def test_the_codec_mixing_needs_no_torch() -> None:
    """Importing torch takes longer than a small picture."""
    script = """
import sys, rdzip
from rdzip import demo
photo = demo.picture().crop((300, 200, 400, 290))
assert rdzip.decompress(rdzip.compress(photo, codec="mixing")).size == (100, 90)
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def test_compiled_code_is_kept_by_the_hash_of_all_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    first = compiled._folder.__wrapped__()
    assert first is not None
    assert first.parent == tmp_path / "compiled"
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + (b"#" if path.name == "binary.py" else b""))
    assert compiled._folder.__wrapped__() not in (None, first)


def test_without_a_place_to_write_nothing_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
    assert compiled._folder.__wrapped__() is None


def test_who_waits_for_the_compiler_is_told_once(tmp_path: Path) -> None:
    script = """
import logging
logging.basicConfig(level=logging.INFO, format="%(message)s")
from rdzip.models.adaptive import clipped
assert clipped(300) == clipped(300.5) == 255
"""
    told = [
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},
        ).stderr
        for _ in range(2)
    ]
    assert told == ["compiling the coder for this machine: some 20 seconds, once\n", ""]


def test_code_that_none_has_used_for_long_is_removed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    now = time.time()
    days = {"0123456789abcdef": 31, "fedcba9876543210": 29, "of another": 99}
    for name, age in days.items():
        (tmp_path / "compiled" / name / "inside").mkdir(parents=True)
        os.utime(tmp_path / "compiled" / name, (now, now - age * 86400))
    folder = compiled._folder.__wrapped__()
    assert {path.name for path in (tmp_path / "compiled").iterdir()} == {folder.name, *days} - {"0123456789abcdef"}

    os.utime(folder, (now, now - 31 * 86400))
    assert compiled._folder.__wrapped__() == folder
    assert time.time() - folder.stat().st_mtime < 86400


def test_code_that_cannot_be_removed_does_no_harm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    other = tmp_path / "compiled" / ("0" * compiled.NAME_LENGTH)
    other.parent.mkdir()
    other.write_bytes(b"")  # a file in the place of a folder
    os.utime(other, (0, 0))
    assert compiled._folder.__wrapped__() is not None
    monkeypatch.setattr(Path, "iterdir", lambda path: iter([other, path / "0123456789abcdef"]))  # gone meanwhile
    assert compiled._folder.__wrapped__() is not None
