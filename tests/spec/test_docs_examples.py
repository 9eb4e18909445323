"""Tutorials and how-to pages can be typed along: the ``console`` and ``python`` blocks run in one empty folder.

Lines after ``$ `` are commands, the others what they print, in which digits and hashes may differ. Blocks of other
kinds (``sh``) need data or a network of the reader's own and are not run.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(page for folder in ("tutorial", "how-to") for page in (ROOT / "docs" / folder).glob("*.md"))
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def pages() -> Iterator[Any]:
    for page in PAGES:
        if BLOCK.search(page.read_text("utf-8")):
            marks = [pytest.mark.slow] if page.parent.name == "tutorial" or page.name == "lossy.md" else []
            yield pytest.param(page, id=f"{page.parent.name}-{page.stem}", marks=marks)


def masked(text: str) -> list[str]:
    """Lines without what differs from run to run: digits, hashes, folders, intervals, widths of columns."""
    text = re.sub(r"(?<=[\s(])/\S*/", "", text)
    text = re.sub(r"\b[0-9a-f]{12,}\b|[0-9][0-9.,]*", "#", text)
    text = text.replace(" ±#", "")
    lines = (re.sub(r"[ ─]+", " ", line).strip() for line in text.splitlines())
    return [line for line in lines if line]


def steps(block: str) -> Iterator[tuple[str, str]]:
    """Each command of a block, and what follows it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        yield command, expected


@pytest.mark.parametrize("page", list(pages()))
def test_a_page_can_be_typed_along(
    page: Path, rdzip: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    names: dict[str, Any] = {"__name__": "__main__"}
    for kind, block in BLOCK.findall(page.read_text("utf-8")):
        if kind == "python":
            exec(compile(block, str(page), "exec"), names)
            continue
        for command, expected in steps(block):
            words = shlex.split(command)
            if words[0] == "rdzip" and not re.search(r"[|&;<>]", command):
                ran = rdzip(*words[1:])
                assert ran.code == 0, f"{command}: {ran.err}"
                out, err = ran.out.decode(), ran.err
            else:
                script = f'rdzip() {{ {shlex.quote(sys.executable)} -m rdzip "$@"; }}\n{command}'
                done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=200, check=False)
                assert done.returncode == 0, f"{command}: {done.stderr}"
                out, err = done.stdout, done.stderr
            assert masked(expected) in (masked(out + err), masked(err + out)), f"{command}:\n{out}{err}"
