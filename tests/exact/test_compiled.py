"""Compiled code is kept where a change of any source makes it anew, and nobody imports numba before it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rdzip.exact import compiled

ROOT = Path(__file__).resolve().parents[2]


def test_the_default_codec_needs_no_numba() -> None:
    script = "import sys, rdzip.cli_commands, rdzip.formats.rdz, rdzip.codecs.causal; assert 'numba' not in sys.modules"
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
