"""Texts of the library name arguments in backticks, never options; the command line shows its options for them."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

import rdzip
from rdzip import cli
from rdzip.commands.options import OPTION_OF, with_options

PACKAGE = Path(__file__).resolve().parents[2] / "rdzip"
OPTION = re.compile(r"(?<![\w-])--[a-z]|(?<![^\s('\"])-[a-zA-Z](?![\w'])")
EXCUSED = {
    "hub/publish.py": "a model's card shows a command in full",
    "hub/registry.py": "is a command of its own",
    "system/workers.py": "runs Python with an option of its own",
}
ARGUMENT = re.compile(r"`([a-z_]+)(?:=[^`]*)?`")
NO_OPTIONS = {"image", "path"}
"""Arguments of functions that no option gives."""


def library() -> list[Path]:
    """Sources of all but the command line."""
    files = [path for path in sorted(PACKAGE.rglob("*.py")) if PACKAGE / "commands" not in path.parents]
    return [path for path in files if path != PACKAGE / "cli.py"]


def texts(source: str) -> Iterator[str]:
    """The texts in a source, {} for what is put into them; those that only document are left out."""
    tree = ast.parse(source)
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.value


def named() -> dict[str, set[Path]]:
    """Arguments that texts of the library name, and where."""
    found: dict[str, set[Path]] = {}
    for path in library():
        for text in texts(path.read_text("utf-8")):
            for name in ARGUMENT.findall(text):
                found.setdefault(name, set()).add(path)
    return found


def arguments(path: Path) -> set[str]:
    """Names of parameters and fields in a source."""
    found = set[str]()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return found


def options() -> set[str]:
    """Every option of every command."""
    found, waiting = set[str](), [typer.main.get_command(cli.app)]
    while waiting:
        command = waiting.pop()
        waiting += getattr(command, "commands", {}).values()
        for one in command.params:
            found |= {*one.opts, *one.secondary_opts}
    return found


def test_no_text_of_the_library_names_an_option() -> None:
    assert OPTION.search("use --rm") is not None
    assert OPTION.search("by -m, or") is not None
    assert OPTION.search("at slope -lam, [n-k], 5 -e") is not None
    assert OPTION.search("non-linear, -dR, a--b, '-'") is None
    faulty: dict[str, list[str]] = {}
    for path in library():
        if found := [text for text in texts(path.read_text("utf-8")) if OPTION.search(text)]:
            faulty[path.relative_to(PACKAGE).as_posix()] = found
    assert {name: found for name, found in faulty.items() if name not in EXCUSED} == {}
    assert set(faulty) == set(EXCUSED), "an excuse that nothing needs any more"


def test_what_texts_name_is_an_argument_and_an_option() -> None:
    found = named()
    assert len(found) > 25
    assert set(found) - NO_OPTIONS <= set(OPTION_OF)
    public = {name for function in rdzip.__all__ if callable(value := getattr(rdzip, function))
              for name in inspect.signature(value).parameters}  # fmt: skip
    for name, paths in found.items():
        for path in paths:
            part = path.relative_to(PACKAGE).parts[0]
            own = set[str]().union(*(arguments(one) for one in library() if one.relative_to(PACKAGE).parts[0] == part))
            assert name in public | own, f"{path} names {name}, which is no argument there"


def test_what_is_shown_for_arguments_are_options() -> None:
    assert set(OPTION_OF.values()) <= options()
    for argument in ("quality", "max_error", "effort", "model", "codec", "max_pixels", "force", "interleave=False"):
        assert argument in OPTION_OF


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("leave `quality` or `target_bpp` out", "leave -q or --target-bpp out"),
        ("`effort=3` asks no model", "--effort 3 asks no model"),
        ("expected `interleave=False` or `interleave`", "expected --plain or --interleave"),
        ("`overrides=a.b=1`: no table", "--set a.b=1: no table"),
        ("another folder (`out`), or `out=a b`", "another folder (--out), or --out a b"),
        ("see `rdzip models list`, `nothing`, ``", "see `rdzip models list`, `nothing`, ``"),
        ("the folder/`force`.png, `force`s, `force", "the folder/`force`.png, `force`s, `force"),
    ],
)
def test_options_for_arguments(text: str, shown: str) -> None:
    assert with_options(text) == shown


ASKING = {"startswith", "endswith", "find", "index", "count", "match", "search", "fullmatch"}


def decisions(source: str) -> list[int]:
    """Lines that ask what the text of a caught exception is."""
    found = []
    for handler in ast.walk(ast.parse(source)):
        if not isinstance(handler, ast.ExceptHandler) or handler.name is None:
            continue
        names = {f"str({handler.name})", f"{handler.name}.args"}
        for node in ast.walk(handler):
            if isinstance(node, ast.Assign) and of_text(node.value, names):
                names |= {ast.unparse(target) for target in node.targets}
        for node in ast.walk(handler):
            asks = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ASKING
            if (asks or isinstance(node, ast.Compare | ast.Match)) and of_text(node, names):
                found.append(node.lineno)
    return found


def of_text(node: ast.AST, names: set[str]) -> bool:
    return any(isinstance(part, ast.expr) and ast.unparse(part) in names for part in ast.walk(node))


@pytest.mark.parametrize(
    "line",
    [
        "if 'pickle' in str(error): f()", "f(str(error).startswith('no'))", "x = error.args[0] == 'no'",
        "text = str(error); f(text.endswith('no'))", "line = str(error).strip(); f(re.match('no', line))",
    ],
)  # fmt: skip
def test_decisions_by_texts_are_found(line: str) -> None:
    assert decisions(f"try: f()\nexcept E as error:\n    {line}") == [3]


def test_no_text_of_an_error_decides() -> None:
    assert not decisions("try: f()\nexcept E as error: raise F(str(error)[:80] if str(error) else 'no') from error")
    faulty = {
        path.relative_to(PACKAGE).as_posix(): decisions(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")
    }
    assert {path: lines for path, lines in faulty.items() if lines} == {}
