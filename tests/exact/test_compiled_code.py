"""Compiled code rounds as its source says: nothing reordered, nothing contracted, on aarch64 neither."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import compiled_code

from rdzip.exact.compiled import COMPILES
from rdzip.models.context_mixing import block_least_squares, least_squares

pytestmark = pytest.mark.skipif(not COMPILES, reason="needs numba")

ROOT = Path(__file__).resolve().parents[2]
FLAT, LANES, TABLE = "f8[::1]", "f8[:,::1]", "i8[::1]"
FITS = {
    least_squares._exchange: f"({FLAT}, {FLAT}, {FLAT})",
    least_squares._accumulate: f"({LANES}, {LANES}, f8, f8)",
    least_squares._eliminate: f"({LANES}, {FLAT}, {LANES})",
    least_squares._substitute: f"({LANES}, {LANES})",
    block_least_squares._solve: f"({FLAT}, i8, i8)",
    block_least_squares.update: f"({FLAT}, {FLAT}, i8, i8, i8, f8, i8, i8)",
}
"""Functions of the least squares that call no others, with their types."""


def code(function: Callable[..., Any], types: str, **options: Any) -> tuple[str, str]:
    """LLVM's code and the processor's of a function compiled anew."""
    import numba

    given = {key: value for key, value in compiled_code.OPTIONS.items() if key not in ("nopython", "boundscheck")}
    made = numba.njit(types, **given | options)(getattr(function, "py_func", function))
    (found,), (assembly,) = made.inspect_llvm().values(), made.inspect_asm().values()
    return found, assembly


def test_the_compiler_is_told_nothing_else() -> None:
    functions = compiled_code.all_functions()
    assert len(functions) >= 50
    for function in functions:
        options = dict(function.targetoptions)
        assert options.pop("inline", "always") == "always"  # where it stands, not what it computes
        assert options == compiled_code.OPTIONS, function.py_func


def test_sums_of_the_least_squares_are_neither_reordered_nor_contracted() -> None:
    computing = 0
    for function, types in FITS.items():
        options = {key: value for key, value in function.targetoptions.items() if key == "fastmath"}
        found, assembly = code(function, types, **options)
        computing += len(compiled_code.COMPUTING.findall(found))
        assert compiled_code.faults(found) == set()
        assert compiled_code.fused_on_arm(found) == set()
        assert set(compiled_code.FUSED.findall(assembly)) == set()
    assert computing > 100


def multiply_add(x: Any, y: Any) -> float:
    s = 0.0
    for i in range(len(x)):
        x[i] = x[i] * 1.5 + y[i]
        s += x[i]
    return s


@pytest.mark.parametrize("flag", ["contract", "reassoc", "arcp", "nsz", "fast"])
def test_the_search_finds_what_it_looks_for(flag: str) -> None:
    found, _ = code(multiply_add, f"({FLAT}, {FLAT})", fastmath=flag == "fast" or {flag})
    assert compiled_code.faults(found)
    if flag in ("contract", "fast"):
        assert compiled_code.fused_on_arm(found)


def test_the_search_finds_calls_and_lets_the_rest_be() -> None:
    found, _ = code(multiply_add, f"({FLAT}, {FLAT})")
    assert compiled_code.faults(found) == compiled_code.fused_on_arm(found) == set()
    for called in ("llvm.fma.f64", "llvm.fmuladd.f64", "pow3"):
        ir = (
            f"declare double @{called}(double, double, double)\ndefine double @f(double %a, double %b) {{\n"
            f"%c = call double @{called}(double %a, double %b, double %a)\nret double %c\n}}\n"
        )
        assert len(compiled_code.faults(ir)) == 1
        assert bool(compiled_code.fused_on_arm(ir)) == called.startswith("llvm")
    for instruction in ("frem double", "fadd half", "fmul contract <2 x float>", "fcmp nnan olt double"):
        kind = instruction.rpartition(" ")[2] if "<" not in instruction else "<2 x float>"
        result = "i1" if "fcmp" in instruction else kind
        ir = f"define {result} @f({kind} %a, {kind} %b) {{\n%c = {instruction} %a, %b\nret {result} %c\n}}\n"
        assert len(compiled_code.faults(ir)) == 1


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_all_compiled_code_rounds_as_its_source_says(tmp_path: Path) -> None:
    """Everything that is compiled, from its source, in a process of its own."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.path[:0] = ['tests']; from helpers import compiled_code; compiled_code.check_all()",
        ],
        cwd=ROOT,
        env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
