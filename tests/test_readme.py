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


def test_make_and_pre_commit_check_what_ci_checks() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    begin = lines.index("ruff check .")
    checks = lines[begin : lines.index("", begin)]
    assert len(checks) == 3
    hooks = re.findall(r"^ +entry: (.*)$", (ROOT / ".pre-commit-config.yaml").read_text(), re.MULTILINE)
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert hooks == recipe[1].removeprefix("\t").rstrip().split("\n\t") == checks


def test_files_that_make_and_contributing_name_are_there() -> None:
    for name in ("Makefile", "CONTRIBUTING.md"):
        paths = re.findall(r"\b(?:tests|benchmarks|tools|docs)/[\w/*]+\.\w+", (ROOT / name).read_text("utf-8"))
        assert len(paths) > 5
        assert all(any(ROOT.glob(path)) for path in paths), name
