"""What all tests share: no test touches the user's caches or the network; the command line to run; a picture."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Before torch is loaded: workers are as many as cores, so the threads of each would only wait for each other.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from helpers import hub_server, needs
from hypothesis import HealthCheck, settings
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from rdzip import hub, models
from rdzip.__main__ import main
from rdzip.hub import registry

sys.path.append(str(Path(__file__).resolve().parents[1]))  # fuzz/, but rdzip as it is installed

# The machine may be busy.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")
NOBODY = 65534
"""Number of the user who owns nothing, and of his group."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--everything", action="store_true", help="fail where an optional package is not installed")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # the process that the workers of xdist report to
        config.pluginmanager.register(needs.Skips(config.getoption("everything")))
        keep_compiled_code(config)


def keep_compiled_code(config: pytest.Config) -> None:
    """Where the user's caches cannot be written, or there is no home, compile into a folder for all of this run."""
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rdzip"
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache):
            return
    except (OSError, RuntimeError):
        folder = tempfile.TemporaryDirectory()
        os.environ.setdefault("NUMBA_CACHE_DIR", folder.name)
        config.add_cleanup(folder.cleanup)


def pytest_runtest_setup(item: pytest.Item) -> None:
    needs.skip_without_packages(item)


@pytest.fixture(autouse=True)
def _home_in_tmp(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("RDZIP_CACHE", str(home / "rdzip"))
    monkeypatch.setenv("HF_HOME", str(home / "huggingface"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout; tests that need it are skipped where there is none."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"{needs.NO_DATA}{folder}")
    return folder


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder of a user who is not root, as whom the test goes on where root runs it."""
    with tempfile.TemporaryDirectory() as name:
        if os.geteuid() != 0:
            yield Path(name)
            return
        os.chown(name, NOBODY, NOBODY)
        os.seteuid(NOBODY)
        try:
            yield Path(name)
        finally:
            os.seteuid(0)


@dataclass(frozen=True)
class Ran:
    """What one run of the command line gave: its exit code, stdout's bytes and stderr's text."""

    code: int
    out: bytes
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The JSON objects on stdout, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def rdzip(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run the command line in this process: ``rdzip("compress", path)``; what is given as `stdin` is piped in."""

    def run(*arguments: object, stdin: bytes = b"") -> Ran:
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        monkeypatch.setattr(sys, "argv", ["rdzip", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capfdbinary.readouterr()
        try:
            with pytest.raises(SystemExit) as stopped:
                main()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        out, err = capfdbinary.readouterr()
        assert b"Traceback" not in err
        return Ran(stopped.value.code, out, err.decode())

    return run


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A small PNG with a smooth and a noisy part, text, a time long past and an unusual mode."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:41, 0:57]
    samples = np.stack([x * 4, y * 5, (x + y) * 2], axis=-1) + rng.integers(0, 9, (41, 57, 3))
    text = PngInfo()
    text.add_text("Comment", "a test")
    folder = tmp_path / "pictures"
    folder.mkdir()
    path = folder / "a.png"
    Image.fromarray(samples.astype(np.uint8), "RGB").save(path, pnginfo=text, dpi=(72, 72))
    path.chmod(0o640)
    os.utime(path, ns=(1_000_000_000, 1_234_567_890_123_456_789))
    return path


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache, empty weights, no network variables, and the architecture "tiny"."""
    for name in ("HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RDZIP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hugging-face"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)  # read from the variable at its import
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / registry.REGISTRY).write_text("")
    monkeypatch.setattr(registry, "WEIGHTS", weights)
    hub._load.cache_clear()
    with models.registered("tiny", lambda tensors, meta: hub_server.TinyModel(tensors)):
        yield tmp_path
    hub._load.cache_clear()
