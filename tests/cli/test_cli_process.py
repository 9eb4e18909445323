"""The command line as a process of its own: signals, terminals, pipes, start-up."""

from __future__ import annotations

import fnmatch
import importlib.util
import os
import random
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from helpers import needs
from helpers.cli_support import heed_signals
from PIL import Image

import rdzip
from rdzip.codecs.names import LATENT_CODECS, LOSSY_CODECS
from rdzip.formats.archive import Packed, write_archive
from rdzip.pipeline.decompress import decompress
from rdzip.system import atomic

ROOT = Path(__file__).resolve().parents[2]
RDZIP = [sys.executable, "-m", "rdzip"]


@contextmanager
def started(*arguments: object, prepare: Callable[[], None] | None = heed_signals) -> Iterator[subprocess.Popen[bytes]]:
    command = [*RDZIP, *map(str, arguments)]
    pipes: dict[str, int] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, preexec_fn=prepare, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def finished(*arguments: object, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*RDZIP, *map(str, arguments)], input=data, capture_output=True, check=False)


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """A picture that takes the classic codecs a few seconds."""
    path = tmp_path / "noise.png"
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (2500, 3000, 3), dtype=np.uint8), "RGB").save(path, compress_level=0)
    return path


@needs.posix
@pytest.mark.parametrize(
    ("number", "code", "delay"),
    [(signal.SIGINT, 130, 0.0), (signal.SIGINT, 130, 0.2), (signal.SIGINT, 130, 0.5), (signal.SIGTERM, 143, 0.3)],
)
def test_a_stopped_run_says_so_and_leaves_nothing(noise: Path, number: int, code: int, delay: float) -> None:
    with started("compress", noise, "--codec", "classic") as process:
        # Before Python has come to rdzip at all, the signal is Python's to handle.
        while not _loaded(process.pid):
            time.sleep(0.005)
        time.sleep(delay)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert err == b"rdzip: stopped; no unfinished file is left\n"
    assert [path.name for path in noise.parent.iterdir()] == ["noise.png"]


@needs.posix
def test_a_stop_while_the_command_line_loads_is_no_traceback(tmp_path: Path) -> None:
    """As by an impatient Ctrl-C: a module that is loaded early stands for the moment."""
    (tmp_path / "typer.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    program = f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nfrom rdzip.__main__ import main\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--help"],
        capture_output=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # which a run in the background ignores
    )
    assert (done.returncode, done.stdout) == (130, b"")
    assert done.stderr == b"rdzip: stopped; no unfinished file is left\n"


@needs.posix
def test_a_run_in_the_background_goes_on(noise: Path) -> None:
    """As after nohup, or & in a script: what was ignored when it was started is not heeded."""

    def ignore() -> None:
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)

    with started("compress", noise, "--codec", "classic", "--no-verify", prepare=ignore) as process:
        while not _loaded(process.pid):
            time.sleep(0.005)
        for number in (signal.SIGINT, signal.SIGHUP):
            process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert [path.name for path in sorted(noise.parent.iterdir())] == ["noise.png", "noise.png.rdz"]


def _loaded(pid: int) -> bool:
    """Whether the process has set its handler for SIGINT (as far as the system tells)."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        time.sleep(0.3)
        return True
    caught = next(int(line.split()[1], 16) for line in lines if line.startswith("SigCgt"))
    return bool(caught >> signal.SIGTERM - 1 & 1)


@needs.posix
def test_kill_at_random_moments_leaves_whole_results_only(tmp_path: Path) -> None:
    rng = random.Random(0)
    source = tmp_path / "in"
    source.mkdir()
    for i in range(40):
        samples = np.random.default_rng(i).integers(0, 256, (60, 60, 3), dtype=np.uint8)
        Image.fromarray(samples, "RGB").save(source / f"{i}.png")
    for i in range(8):
        out = tmp_path / f"out{i}"
        with started("compress", "-r", source, "-O", out, "--codec", "classic", "--quiet") as process:
            while process.poll() is None and not out.exists():
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.3))
            process.send_signal(signal.SIGKILL)
        for path in out.iterdir():
            if path.name.startswith(atomic.TEMP_PREFIX):
                assert path.name.endswith(atomic.TEMP_SUFFIX)
            else:
                assert decompress(path.read_bytes()).picture.shape == (60, 60, 3)


@needs.posix
def test_terminals_get_no_binary_data(photo: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    try:
        command = [*RDZIP, "compress", "-c", str(photo)]
        ran = subprocess.run(command, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, check=False)
        assert ran.returncode == 2
        assert b"terminal" in ran.stderr
        ran = subprocess.run([*RDZIP, "decompress", "-", "-o", "x"], stdin=theirs, stderr=subprocess.PIPE, check=False)
        assert ran.returncode == 1
        assert b"terminal" in ran.stderr
    finally:
        os.close(theirs)
        os.close(ours)


@needs.posix
def test_a_closed_pipe_is_no_traceback(photo: Path) -> None:
    for arguments in (["compress", "-c", photo, "--codec", "classic"], ["models", "list"], ["--version"]):
        reader, writer = os.pipe()
        os.close(reader)
        try:
            ran = subprocess.run([*RDZIP, *map(str, arguments)], stdout=writer, stderr=subprocess.PIPE, check=False)
        finally:
            os.close(writer)
        assert ran.returncode == 1
        assert ran.stderr.decode().splitlines() == ["rdzip: " + ran.stderr.decode().splitlines()[0][7:]]
        assert b"broken pipe" in ran.stderr


def test_pipes_there_and_back(photo: Path) -> None:
    there = finished("compress", "-", "--codec", "classic", data=photo.read_bytes())
    back = finished("decompress", "-", data=there.stdout)
    assert there.returncode == back.returncode == 0
    again = finished("compress", "-", "--codec", "classic", data=back.stdout)
    assert again.stdout == there.stdout


def test_help_and_info_load_light_modules_only(tmp_path: Path) -> None:
    """info of every golden file, so of every kind, and of an archive of them; what is loaded is held light by ruff."""
    golden = sorted((ROOT / "tests" / "golden").rglob("*.rdz"))
    facts = [rdzip.info(path) for path in golden]
    assert {fact["kind"] for fact in facts} == {"image", "batch", "file"}
    assert {fact["codec"] for fact in facts} >= {"bytes", "classic", "causal", "mixing", *LATENT_CODECS, *LOSSY_CODECS}
    assert any(fact.get("max_error") for fact in facts)
    with (tmp_path / "all.rdz").open("wb") as out:
        write_archive(out, (Packed(path.relative_to(path.parents[1]).as_posix(), path.read_bytes()) for path in golden))
    program = (
        "import sys\nfrom rdzip.__main__ import main\ntry:\n    main()\nexcept SystemExit:\n    print(*sys.modules)"
    )
    loaded: set[str] = set()
    for arguments in (["--help"], ["bound", "--help"], ["info", *golden, tmp_path / "all.rdz"]):
        ran = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, check=True, text=True)
        assert not ran.stderr
        loaded |= set(ran.stdout.splitlines()[-1].split())
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["ruff"]["lint"]
    assert not loaded & {*lint["flake8-tidy-imports"]["banned-module-level-imports"]}
    (pattern,) = (key for key, rules in lint["per-file-ignores"].items() if rules == ["TID253"])
    light = re.fullmatch(r"!rdzip/\{(.*)\}\.py", pattern)[1].split(",")
    for name in sorted(name for name in loaded if name.partition(".")[0] == "rdzip"):
        path = Path(importlib.util.find_spec(name).origin)
        below = path.relative_to(Path(rdzip.__file__).parent).with_suffix("").as_posix()
        assert any(fnmatch.fnmatchcase(below, entry) for entry in light), f"ruff is to hold {below} light"


def test_info_without_a_parser_says_what_the_parsed_one_says(tmp_path: Path) -> None:
    """Where all that is named are files, and --json, the command does without typer; -r goes through it."""
    golden = ROOT / "tests" / "golden"
    broken = tmp_path / "broken.rdz"
    broken.write_bytes(b"no")
    file = next(iter(sorted(golden.rglob("*.rdz"))))
    for names in ([file], [file, broken], [tmp_path / "none"], [file, "--json"], ["--json", broken, file], [tmp_path]):
        plain, parsed = finished("info", *names), finished("info", *names, "-r")
        if names != [tmp_path]:
            assert (plain.stdout, plain.stderr, plain.returncode) == (parsed.stdout, parsed.stderr, parsed.returncode)
        else:
            assert b"add -r" in plain.stderr
            assert plain.returncode == 1
    assert finished("info", "-", data=file.read_bytes()).returncode == 0
    assert finished("info").returncode == finished("info", "--jsn", file).returncode == 2
    program = (
        "import sys\nfrom rdzip.__main__ import main\ntry:\n    main()\nexcept SystemExit:\n    print(*sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program, "info", file], capture_output=True, check=True, text=True)
    assert "pydantic" not in {*ran.stdout.splitlines()[-1].split()}
