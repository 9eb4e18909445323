"""The second decoders, tests/reference/, are in plain Python and have nothing of rdzip; most have no float."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

REFERENCE = Path(__file__).parents[1] / "reference"
MODULES = {
    "__future__", "bisect", "collections", "collections.abc", "dataclasses", "decimal", "fractions", "functools",
    "hashlib", "io", "itertools", "json", "lzma", "math", "pathlib", "re", "struct", "typing", "zlib", "PIL",
}  # fmt: skip
"""decimal makes tables of entropy coding, to many digits; PIL unpacks WebP and PNG (docs/reference/format.md)."""
FLOATS = {"binary_coder", "dct", "dct_parts", "dct_quick", "fast_mixing", "slow_mixing"}
"""Compute with IEEE 754 double precision, operation by operation, as the format page says of mixing."""


@pytest.mark.parametrize("path", sorted(REFERENCE.glob("*.py")), ids=lambda path: path.stem)
def test_no_float_and_nothing_of_rdzip(path: Path) -> None:
    """No float literal (where the codec has none), no true division, no module that could compute with floats."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant):
            assert not isinstance(node.value, float | complex) or path.stem in FLOATS, f"line {node.lineno}"
        if isinstance(node, ast.BinOp | ast.AugAssign):
            assert not isinstance(node.op, ast.Div) or path.stem in FLOATS | {"files"}, f"line {node.lineno}"
        if isinstance(node, ast.ImportFrom):
            assert node.module in MODULES or str(node.module).startswith("reference"), node.module
        if isinstance(node, ast.Import):
            assert {alias.name for alias in node.names} <= MODULES, f"line {node.lineno}"
