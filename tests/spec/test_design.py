"""docs/design.md tells what is there: its folders exist, and nothing imports what its layer may not."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DESIGN = (ROOT / "docs" / "design.md").read_text("utf-8")
LAYERS = {
    name: {part.strip() for part in allowed.split(",") if part.strip()} | {name}
    for name, allowed in re.findall(r"^\| (\w+) \| ([\w, ]*)\| ", DESIGN.partition("## 2.")[2], re.MULTILINE)
    if name != "part"
}


def imported(tree: ast.AST) -> Iterator[str]:
    """Parts of rdzip that a module imports, anywhere in it; those for type checkers only count too."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the layer"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.startswith("rdzip."):
                yield name.split(".")[1]


def test_the_table_names_every_folder_with_code() -> None:
    folders = {path.parent.name for path in (ROOT / "rdzip").glob("*/__init__.py")}
    assert folders <= {*LAYERS, "commands"}
    for name, allowed in LAYERS.items():
        assert (ROOT / "rdzip" / name).is_dir() or (ROOT / "rdzip" / f"{name}.py").is_file()
        assert allowed <= {*LAYERS, "api"}


@pytest.mark.parametrize("name", LAYERS)
def test_nothing_imports_what_its_layer_may_not(name: str) -> None:
    package = ROOT / "rdzip"
    files = sorted((package / name).rglob("*.py")) or [package / f"{name}.py"]
    for path in files:
        for part in imported(ast.parse(path.read_text("utf-8"))):
            assert part in LAYERS[name], f"{path.relative_to(ROOT)} imports {part}"


def test_the_tree_is_that_of_the_folders() -> None:
    """Each folder with code has its line, in its place, and each line its folder or file."""
    tree = DESIGN.partition("## 3.")[2].partition("## 4.")[0]
    found, stack = set(), []
    for indent, name in re.findall(r"^    ( *)(\w\S*)", tree, re.MULTILINE):
        stack = [*stack[: len(indent) // 2], name]
        found.add(Path(*stack))
    for path in found:
        assert (ROOT / path).exists(), path
    folders = {path.parent.relative_to(ROOT) for top in ("rdzip", "fuzz") for path in (ROOT / top).rglob("*.py")}
    assert folders - {Path("fuzz/targets")} <= found
