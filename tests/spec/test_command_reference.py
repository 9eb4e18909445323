"""docs/reference/commands.md is what --help prints, and --help looks as a command's help should."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    path = ROOT / "tools" / "make_command_reference.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(tool: ModuleType) -> None:
    assert tool.PATH.read_text("utf-8") == tool.page(), "run python tools/make_command_reference.py"


def test_every_command_is_listed_and_says_what_it_does(tool: ModuleType) -> None:
    words = list(tool.commands())
    assert {"compress", "decompress", "test", "info", "demo", "train", "models", "bench", "bound"} <= {
        w[0] for w in words if w
    }
    for command in words:
        lines = tool.help_of(command).splitlines()
        assert lines[0].startswith(" ".join(("Usage: rdzip", *command)))
        assert lines[2].startswith("  ")
        assert all(len(line) < 80 for line in lines)


def test_options_for_research_are_last_and_apart(tool: ModuleType) -> None:
    before, _, research = tool.help_of(("compress",)).partition("Options for research:")
    for option in ("--particles", "--refine", "--resample", "--interleave, --plain", "--omega", "--segment"):
        assert option in research
        assert option not in before
    assert "stochastic" not in before + research
