"""Functions of many arguments say in their docstrings what each of them is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MANY = 5
"""Arguments from which on each has to be named."""
DECLARED = {"rdzip/cli.py"}
"""Files whose docstrings are help on the screen; there options have texts of their own."""
ELSEWHERE = re.compile(r"rguments as of (rdzip(?:\.\w+)+)")

Function = tuple[str, list[str], str]


def functions(body: list[ast.stmt], name: str, outer: str = "") -> Iterator[Function]:
    """Public functions, methods and constructors: name, arguments, docstring (of a constructor with its class's)."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield f"{name}.{node.name}", [], ast.get_docstring(node) or ""
            yield from functions(node.body, f"{name}.{node.name}", ast.get_docstring(node) or "")
        elif isinstance(node, ast.FunctionDef) and (node.name == "__init__" or not node.name.startswith("_")):
            a = node.args
            given = [*a.posonlyargs, *a.args, *([a.vararg] if a.vararg else []), *a.kwonlyargs]
            names = [one.arg for one in [*given, *([a.kwarg] if a.kwarg else [])] if one.arg not in ("self", "cls")]
            text = ast.get_docstring(node) or ""
            yield f"{name}.{node.name}", names, f"{outer}\n{text}" if node.name == "__init__" else text


def of_file(path: Path) -> Iterator[Function]:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    return functions(ast.parse(path.read_text("utf-8")).body, name)


FILES = [path for path in sorted((ROOT / "rdzip").rglob("*.py")) if str(path.relative_to(ROOT)) not in DECLARED]
TEXTS = {name: text for path in FILES for name, _, text in of_file(path)}


def missing(names: list[str], text: str) -> list[str]:
    """Arguments that neither a docstring names nor the one that it points to."""
    for place in ELSEWHERE.findall(text):
        text += TEXTS[place]
    return [name for name in names if not re.search(rf"\b{name}\b", text)]


def test_what_is_missing_is_found() -> None:
    source = '"""."""\ndef f(a, b, *c, d, e=1, **g):\n    """Return a + b. c, d: more."""\n'
    ((_, names, text),) = functions(ast.parse(source).body, "m")
    assert names == ["a", "b", "c", "d", "e", "g"]
    assert missing(names, text) == ["e", "g"]
    assert missing(["items", "threads"], "Other arguments as of rdzip.api.decompress.") == []
    with pytest.raises(KeyError):
        missing([], "Arguments as of rdzip.api.nothing.")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT / "rdzip")))
def test_many_arguments_are_named(path: Path) -> None:
    for name, names, text in of_file(path):
        if len(names) >= MANY:
            assert not missing(names, text), f"{name}: name {', '.join(missing(names, text))} in its docstring"
