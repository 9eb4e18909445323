"""docs/explanation/design.md is true: folders exist, nothing imports what its layer may not or in a circle."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Set
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "rdzip"
DESIGN = (ROOT / "docs" / "explanation" / "design.md").read_text("utf-8")
LAYERS = {
    name: {part.strip() for part in allowed.split(",") if part.strip()} | {name}
    for name, allowed in re.findall(r"^\| (\w+) \| ([\w, ]*)\| ", DESIGN.partition("## 2.")[2], re.MULTILINE)
    if name != "part"
}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): ast.parse(path.read_text("utf-8"))
    for path in PACKAGE.rglob("*.py")
}


def imports(tree: ast.AST, *, of_types: bool) -> Iterator[str]:
    """What a module imports, by dotted names of modules or of names in them, inside functions too.

    of_types: also what it imports for type checkers only (below `if TYPE_CHECKING`).
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the layer"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not of_types:
            yield from (name for other in node.orelse for name in imports(other, of_types=of_types))
        else:
            yield from imports(node, of_types=of_types)


def graph(*, of_types: bool) -> dict[str, set[str]]:
    """Modules of rdzip, and those of rdzip that each imports.

    A package counts where a name of its own is imported from it, not where Python loads it on the way to a module.
    """
    result: dict[str, set[str]] = {}
    for module, tree in MODULES.items():
        names = [name for name in imports(tree, of_types=of_types) if name.partition(".")[0] == "rdzip"]
        found = {name if name in MODULES else name.rpartition(".")[0] for name in names}
        assert found <= set(MODULES), f"{module} imports {sorted(found - set(MODULES))}"
        result[module] = found - {module}
    return result


def circles(edges: Mapping[str, Set[str]]) -> set[frozenset[str]]:
    """The largest sets of modules that reach one another (strongly connected components of more than one)."""
    reached: dict[str, set[str]] = {}
    for start in edges:
        seen, todo = set[str](), list(edges[start])
        while todo:
            module = todo.pop()
            if module not in seen:
                seen.add(module)
                todo += edges[module]
        reached[start] = seen
    return {
        frozenset(other for other in reached[module] if module in reached[other])
        for module in edges
        if module in reached[module]
    }


def tree_of_design() -> list[str]:
    """Paths that section 3 names: each line's first word, in the folder of the nearest line above that is less indented
    and ends in "/". Lines indented by more than 20 go on with the text of the line above.
    """
    paths: list[str] = []
    above: list[tuple[int, str]] = []
    for indent, word in re.findall(
        r"^( {4,20})(\S+)", DESIGN.partition("## 3.")[2].partition("## 4.")[0], re.MULTILINE
    ):
        while above and above[-1][0] >= len(indent):
            above.pop()
        path = (above[-1][1] if above else "") + word
        paths.append(path)
        if word.endswith("/"):
            above.append((len(indent), path))
    return paths


def test_the_table_names_every_folder_with_code() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders <= {*LAYERS, "commands"}
    for name, allowed in LAYERS.items():
        assert (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()
        assert allowed <= {*LAYERS, "api"}


@pytest.mark.parametrize("name", LAYERS)
def test_nothing_imports_what_its_layer_may_not(name: str) -> None:
    inside = [module for module in MODULES if f"{module}.".startswith(f"rdzip.{name}.")]
    assert inside
    for module in inside:
        for imported in imports(MODULES[module], of_types=True):
            if imported.startswith("rdzip."):
                assert imported.split(".")[1] in LAYERS[name], f"{module} imports {imported}"


@pytest.mark.parametrize("of_types", [False, True], ids=["as it runs", "with imports for type checkers"])
def test_nothing_imports_in_a_circle(of_types: bool) -> None:
    assert not circles(graph(of_types=of_types))


def test_circles_are_found_wherever_the_import_stands() -> None:
    source = """
from typing import TYPE_CHECKING
import rdzip.a
if TYPE_CHECKING:
    from rdzip import b
class C:
    def f(self):
        if True:
            from rdzip.c import d
"""
    assert list(imports(ast.parse(source), of_types=False)) == ["typing.TYPE_CHECKING", "rdzip.a", "rdzip.c.d"]
    assert "rdzip.b" in imports(ast.parse(source), of_types=True)
    edges = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": set[str](), "f": {"a"}}
    assert circles(edges) == {frozenset("abc")}
    with pytest.raises(CycleError):
        TopologicalSorter(edges).prepare()


def test_every_file_of_the_tree_is_there() -> None:
    paths = tree_of_design()
    assert sum(path.startswith("rdzip/") for path in paths) > 20
    for path in paths:
        assert list(ROOT.glob(path)), path


def test_the_tree_names_every_folder() -> None:
    named = {Path(path) for path in tree_of_design()}
    for init in PACKAGE.glob("*/**/__init__.py"):
        assert init.parent.relative_to(ROOT) in named, f"{init.parent} is not in docs/explanation/design.md"


def test_only_the_command_line_imports_commands() -> None:
    for module, tree in MODULES.items():
        if module.split(".")[1:2] not in (["cli"], ["commands"]):
            assert not [name for name in imports(tree, of_types=True) if name.startswith("rdzip.commands")], module


def test_families_of_models_do_not_know_each_other() -> None:
    """But for the VAE of relative entropy coding, which trains a hyperprior's networks."""
    for module, tree in MODULES.items():
        family = module.removeprefix("rdzip.models.").partition(".")[0]
        if not (PACKAGE / "models" / family).is_dir() or not module.startswith("rdzip.models."):
            continue
        others = {name.split(".")[2] for name in imports(tree, of_types=True) if name.startswith("rdzip.models.")}
        known = {family, "shared"} | ({"hyperprior"} if family == "irec_vae" else set())
        assert not {other for other in others if (PACKAGE / "models" / other).is_dir()} - known, module
