"""Compiled code is kept where a change of any source makes it anew, and nobody imports numba before it is needed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rdzip.exact import compiled

ROOT = Path(__file__).resolve().parents[2]


def test_the_default_codec_needs_no_numba() -> None:
    modules = "rdzip.cli, rdzip.pipeline.compress, rdzip.codecs.causal.codec"
    script = f"import sys, {modules}; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def test_the_codec_mixing_needs_no_torch() -> None:
    """Importing torch takes longer than a small picture."""
    script = """
import sys, rdzip
from rdzip.commands import demo
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


@pytest.mark.parametrize("part", compiled.COMPILED_FROM)
@pytest.mark.parametrize("below", ["", "family/", "family/part/"])
def test_a_change_at_any_depth_changes_the_name(part: str, below: str, tmp_path: Path) -> None:
    path = tmp_path / part / below / "code.py"
    path.parent.mkdir(parents=True)
    names = [compiled._name(tmp_path)]
    for content in ("", "a = 1\n", "a = 2\n"):
        path.write_text(content)
        names.append(compiled._name(tmp_path))
    path.rename(path.with_name("other.py"))  # a file that moves is another module, whose cache numba would not find
    names.append(compiled._name(tmp_path))
    assert len(set(names)) == len(names)


def test_whatever_is_compiled_is_in_the_name() -> None:
    marked = re.compile(r"^@(compiled|inlined)$", re.MULTILINE)
    users = [path for path in (ROOT / "rdzip").rglob("*.py") if marked.search(path.read_text("utf-8"))]
    assert len(users) > 10
    for path in users:
        assert any(path.is_relative_to(ROOT / "rdzip" / part) for part in compiled.COMPILED_FROM), path


def test_without_a_place_to_write_nothing_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
    assert compiled._folder.__wrapped__() is None


def test_who_waits_for_the_compiler_is_told_once(tmp_path: Path) -> None:
    script = """
import logging
logging.basicConfig(level=logging.INFO, format="%(message)s")
from rdzip.models.context_mixing.tables import clipped
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
    assert told == ["compiling the coder for this machine, once\n", ""]


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


SPOILT = {
    "empty": lambda path: path.write_bytes(b""),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "of something else": lambda path: path.write_bytes(b"\x80\x04cposix\nnothing\n."),
    "one bit": lambda path: path.write_bytes(_flipped(path.read_bytes())),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


def _flipped(data: bytes) -> bytes:
    at = len(data) * 2 // 3
    return data[:at] + bytes([data[at] ^ 16]) + data[at + 1 :]


@pytest.mark.skipif(not compiled.COMPILES, reason="needs numba")
def test_spoilt_compiled_code_is_compiled_anew(tmp_path: Path) -> None:
    """After a power cut or on a bad disk, files of the cache may be anything."""
    (tmp_path / "stub.py").write_text("def plus(a, b):\n    return a + b\n")
    script = f"""
import shutil, sys
from pathlib import Path
sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT / "tests" / "exact")!r}]
import stub
from rdzip.exact import compiled
from test_compiled import SPOILT
cache = compiled._folder()
assert compiled.compiled(stub.plus)(2, 3) == 5
first = sorted(p.name for p in cache.rglob("stub*.nb?"))
assert len(first) == 2
for how, spoil in SPOILT.items():
    for suffix in ("nbi", "nbc"):
        again = compiled.compiled(stub.plus)
        assert again(2, 3) == 5
        assert again.stats.cache_hits, (how, suffix, "was not kept")
        for path in cache.rglob("stub*." + suffix):
            spoil(path)
        again = compiled.compiled(stub.plus)
        assert again(2, 3) == 5, (how, suffix)
        assert not again.stats.cache_hits or (how, suffix) == ("one bit", "nbi"), (how, suffix)
        for path in cache.rglob("stub*." + suffix):
            if path.is_dir():
                path.rmdir()
                compiled.compiled(stub.plus)(2, 3)
"""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, env=environment)


@pytest.mark.skipif(not compiled.COMPILES, reason="needs numba")
def test_a_full_disk_keeps_nobody_from_compiling(tmp_path: Path) -> None:
    (tmp_path / "stub.py").write_text("def plus(a, b):\n    return a + b\n")
    script = f"""
import builtins, errno, sys
sys.path[:0] = [{str(tmp_path)!r}]
import stub
from rdzip.exact import compiled
plus = compiled.compiled(stub.plus)
before = builtins.open
class Full:
    def __init__(self, file): self.file = file
    def __enter__(self): return self
    def __exit__(self, *_): self.file.close()
    def write(self, data): raise OSError(errno.ENOSPC, "No space left on device")
builtins.open = lambda name, mode="r", *a, **k: Full(before(name, mode)) if "w" in mode else before(name, mode, *a, **k)
assert plus(2, 3) == 5
"""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, env=environment)


def test_sources_in_folders_count_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    package = tmp_path / "rdzip"
    (package / "models" / "deep").mkdir(parents=True)
    monkeypatch.setattr(compiled, "__file__", str(package / "exact" / "compiled.py"))
    (package / "models" / "deep" / "a.py").write_text("1")
    first = compiled._folder.__wrapped__()
    (package / "models" / "deep" / "a.py").write_text("2")
    assert compiled._folder.__wrapped__() not in (None, first)
