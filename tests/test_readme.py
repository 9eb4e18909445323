from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_ci_runs_the_commands_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    setup = re.search(r"## Set-up.*?```sh\n(.*?)```", readme, re.DOTALL)
    assert setup is not None
    commands = setup[1].splitlines()
    lines = [line.removesuffix(" || exit 1") for line in (ROOT / ".ci" / "run").read_text().splitlines()]
    assert len(commands) == 2
    assert [line for line in lines if line in commands] == commands
