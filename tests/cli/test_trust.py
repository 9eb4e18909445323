"""No file of a stranger runs code, or writes where it was not told to."""

from __future__ import annotations

import ast
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.cli_support import CLASSIC, Cli
from helpers.train_support import TINY, fill
from helpers.trust_support import Harm
from PIL import Image

import rdzip

PACKAGE = Path(rdzip.__file__).parent

FORBIDDEN_MODULES = {
    "cloudpickle", "dbm", "dill", "joblib", "marshal", "runpy", "shelve", "torch.hub", "torch.jit", "torch.package",
    "yaml",
}  # fmt: skip
BUILT_IN = {"__import__", "compile", "eval", "exec"}
METHODS = {"extract", "extractall", "from_file", "popen", "startfile", "system", "unpack_archive"}
TRUSTING = {"allow_pickle", "shell", "trust_remote_code"}
"""Options that must be left out, or False."""
RISKY_MODULES = {
    "pickle": {
        "exact/compiled.py": "reads numba's cache, which only the user may write",
        "train/descent.py": "names the error of torch.load",
        "system/workers.py": "pipes between this program and processes that it started",
        "system/ray.py": "tasks and results of a cluster that the user named",
    },
    "subprocess": {"system/workers.py": "starts Python itself, by its own path"},
    "ctypes": {"system/process.py": "a setting of the C library that has no other door"},
    "tarfile": {"bounds/sources/speech.py": "reads members into memory, extracts nothing"},
    "zipfile": {
        "formats/batch/npz.py": "reads members into memory, extracts nothing",
    },
    "importlib": {
        "bench/jpeg_files.py": "asks whether a package is there, and imports the one that it names",
        "bench/peers.py": "asks whether a package is there",
        "bounds/plot.py": "asks whether a package is there",
        "bounds/methods.py": "imports what a table of the source names",
        "formats/carriers/carrier.py": "imports what a table of the source names",
        "formats/carriers/table.py": "imports a module of its own folder",
        "models/__init__.py": "imports what a table of the source names",
        "train/loop.py": "imports what a table of the source names",
        "commands/info.py": "versions of packages",
        "exact/numba_support.py": "asks whether a package is there",
        "system/process.py": "asks whether a package is there",
    },
}
"""Modules with which a file could do harm, where they are used, and why that does none."""


ANY_FORMAT = {
    "formats/images/read.py": "refuses vector formats before they are loaded",
    "bench/peers.py": "opens what it has just written",
}


def dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def faults(source: str, place: str) -> list[str]:
    """What a source file has that could run code out of a file, or write by the names in one."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        for module in modules:
            top = module.partition(".")[0]
            if {module, top} & FORBIDDEN_MODULES:
                found.append(f"imports {module}")
            if top in RISKY_MODULES and place not in RISKY_MODULES[top]:
                found.append(f"imports {module}")
        if isinstance(node, ast.Attribute) and dotted(node) in FORBIDDEN_MODULES:
            found.append(f"uses {dotted(node)}")
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func)
        options = {keyword.arg: keyword.value for keyword in node.keywords}
        if name in BUILT_IN or (isinstance(node.func, ast.Attribute) and node.func.attr in METHODS):
            found.append(f"calls {name}")
        if name == "torch.load" and not is_constant(options.get("weights_only"), True):
            found.append("torch.load without weights_only=True")
        if name in ("np.load", "numpy.load") and not is_constant(options.get("allow_pickle"), False):
            found.append("np.load without allow_pickle=False")
        if any(option in TRUSTING and not is_constant(value, False) for option, value in options.items()):
            found.append(f"{name} with an option that trusts a file")
        if name == "Image.open" and "formats" not in options and place not in ANY_FORMAT:
            found.append("Image.open of any format: for some, Pillow runs a program")
    return found


def is_constant(node: ast.AST | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def test_no_source_file_can_run_what_is_in_a_file() -> None:
    found = {
        str(path.relative_to(PACKAGE)): wrong
        for path in sorted(PACKAGE.rglob("*.py"))
        if (wrong := faults(path.read_text("utf-8"), path.relative_to(PACKAGE).as_posix()))
    }
    assert found == {}


def test_excuses_are_needed() -> None:
    for module, places in RISKY_MODULES.items():
        for place in places:
            assert f"import {module}" in (text := (PACKAGE / place).read_text()) or f"from {module}" in text, place


@pytest.mark.parametrize(
    "line",
    [
        "import pickle", "from pickle import loads", "import yaml", "eval(x)", "exec(x)", "compile(x, y, z)",
        "torch.load(path)", "torch.load(path, weights_only=False)", "torch.jit.load(path)", "m = torch.jit",
        "np.load(path)", "np.load(path, allow_pickle=True)", "numpy.load(path, allow_pickle=flag)",
        "archive.extractall(folder)", "archive.extract(name)", "shutil.unpack_archive(path)", "os.system(x)",
        "from torch import jit", "import torch.jit", "import joblib", "f(trust_remote_code=True)",
        "subprocess.run(x, shell=True)", "Image.open(path)", "import importlib", "__import__(name)",
        "torch.from_file(path)", "torch.hub.load(x)",
    ],
)  # fmt: skip
def test_what_the_search_finds(line: str) -> None:
    assert faults(line, "any.py")


@pytest.mark.parametrize(
    "line", ["re.compile(x)", "np.load(path, allow_pickle=False)", "torch.load(path, weights_only=True)", "net.eval()"]
)
def test_what_it_lets_pass(line: str) -> None:
    assert faults(line, "any.py") == []


def hostile(folder: Path, victim: Path) -> dict[str, Path]:
    """Files of all kinds that would write `victim` if they were unpickled."""
    kinds = (".npy", ".npz", ".pt", ".safetensors", ".rdz", ".png", ".toml")
    made = {kind: folder / f"hostile{kind}" for kind in kinds}
    array = np.empty(2, object)
    array[0] = array[1] = Harm(victim)
    np.save(made[".npy"], array)
    np.savez(made[".npz"], train=array, test=array, valid=array)
    torch.save({"nets": Harm(victim), "model": Harm(victim)}, made[".pt"])
    for name in (".safetensors", ".rdz", ".png", ".toml"):
        made[name].write_bytes(pickle.dumps(Harm(victim)))
    return made


def test_hostile_files_do_nothing_wherever_they_are_given(rdzip: Cli, tmp_path: Path) -> None:
    victim = tmp_path / "victim.txt"
    made = hostile(tmp_path, victim)
    pickle.loads(made[".rdz"].read_bytes())
    assert victim.read_text() == "owned"  # so it would work
    victim.unlink()
    folder = fill(tmp_path / "images", 2)
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(TINY)
    run = tmp_path / "run"
    run.mkdir()
    (run / "checkpoint.pt").write_bytes(made[".pt"].read_bytes())
    for path in made.values():
        for command in ("decompress", "test", "info", "bench"):
            assert rdzip(command, path).code in (1, 2)
        assert rdzip("compress", "--pixels", path).code == 1
        kept = rdzip("compress", path, "--archive", tmp_path / "bytes.rdz", "-f")  # as bytes, whatever they are
        assert kept.code == 0
        assert rdzip("bound", "--source", path, "--quick", "--out", tmp_path / "bound").code == 1
        assert rdzip("bound", "--plot-only", path).code in (1, 2)
        assert rdzip("models", "pull", path).code == 1
        assert rdzip("models", "verify", path).code == 1
        assert rdzip("models", "show", path).code == 1
        assert rdzip("compress", folder / "0.png", "-f", "-m", path).code == 1
        assert rdzip("train", recipe, "--data", path, "--out", tmp_path / "new").code == 1
        assert rdzip("train", recipe, "--data", folder, "--out", tmp_path / "new", "--from", path).code == 1
    assert rdzip("train", "mnist-binary", "--data", made[".npz"], "--out", tmp_path / "new").code == 1
    resumed = rdzip("train", recipe, "--data", folder, "--out", run, "--resume")
    assert (resumed.code, "not a checkpoint" in resumed.err) == (1, True)
    assert rdzip("train", recipe, "--data", folder, "--out", tmp_path / "new", "--from", run).code == 1
    assert not victim.exists()


def test_a_folder_is_no_place_to_import_from_or_to_take_settings_from(tmp_path: Path) -> None:
    here = tmp_path / "here"
    fill(here, 2)
    victim = tmp_path / "victim.json"
    for name in ("numpy", "lzma", "numba", "rdzip", "sitecustomize", "matplotlib"):
        (here / f"{name}.py").write_text(f"open({str(victim)!r}, 'w').write('owned')")
    (here / ".numba_config.yaml").write_text(f"chrome_trace: {victim}\nopt: 0\n")
    code = (
        "import sys; sys.path.pop(0); import rdzip.__main__\n"
        "try: rdzip.__main__.main()\n"
        "finally: import rdzip.exact.compiled as it; assert int(it._config.OPT) == 3, it._config.OPT"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "compress", "--jobs", "2", "0.png", "1.png", *CLASSIC],
        cwd=here, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
    )  # fmt: skip
    assert (done.returncode, "rdzip: " in done.stderr) == (0, False), done.stderr
    assert {path.name for path in here.glob("*.rdz")} == {"0.png.rdz", "1.png.rdz"}
    assert not victim.exists()


def test_a_picture_that_is_postscript_starts_no_ghostscript(
    rdzip: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fill(tmp_path / "images", 2)
    Image.new("RGB", (48, 40)).save(folder / "a.eps")
    (folder / "a.eps").rename(folder / "a.png")
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *_, **__: pytest.fail("ran a program"))
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(TINY)
    assert "vector" in rdzip("compress", folder / "a.png").err
    assert "vector" in rdzip("bench", folder / "a.png").err
    assert "a.png: expected an image" in rdzip("bound", "--source", folder, "--quick", "--out", tmp_path / "b").err
    trained = rdzip("train", recipe, "--data", folder, "--out", tmp_path / "run", "--set", "steps=1", "--set", "crop=8")
    assert (trained.code, "skipped a.png" in trained.err) == (0, True)
