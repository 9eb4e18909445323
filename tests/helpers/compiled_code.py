"""What LLVM makes of compiled functions: their instructions on floats, and those of other processors for the same."""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
import tempfile
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from rdzip.exact import compiled

OPTIONS = {"nogil": True, "error_model": "numpy", "_nrt": False, "nopython": True, "boundscheck": None}
"""What numba may be told; no fastmath, no parallel."""
FLOAT = r"(<\d+ x )?(double|float)"
COMPUTING = re.compile(rf"= (fadd|fsub|fmul|fdiv) {FLOAT}|= fcmp [a-z]+ {FLOAT}|= fneg {FLOAT}")
"""Instructions that compute with floats, without any flag such as fast, contract or reassoc."""
MOVING = re.compile(
    r"^(load|store|phi|select|bitcast|extractelement|insertelement|shufflevector|extractvalue|insertvalue|freeze|ret|"
    r"getelementptr|sitofp|uitofp|fptosi|fptoui|fpext|alloca)$"
)
CALLED = re.compile(r"@(?:\"([^\"]+)\"|([\w.$]+))\(")
EXACT = re.compile(
    r"llvm\.(floor|fabs|masked\.(load|store|gather|scatter)|memset|memcpy|memmove|assume|lifetime)\b|PyFloat_(AsDouble|FromDouble)$"
)
FLAGS = re.compile(r"\b(fast|contract|reassoc|nnan|ninf|nsz|arcp|afn)\b")
FUSED = re.compile(
    r"^\s+(fn?m(?:add|sub|la|ls|ad|sb)\w*|fcmla|fmmla|bfm[a-z]+|vfn?m(?:add|sub)\w*|vfmaddsub\w*|vfmsubadd\w*)\b",
    re.MULTILINE,
)
"""Fused multiply-add of aarch64 and x86."""
ARM = {"neoverse-v1": "aarch64-unknown-linux-gnu", "apple-m1": "arm64-apple-macosx"}


def all_functions() -> list[Any]:
    """Every function that is given to `compiled` anywhere between payload and pixels."""
    for part in ("entropy", "exact", "rec", "codecs", "models", "formats.carriers"):
        package = importlib.import_module(f"rdzip.{part}")
        for module in pkgutil.walk_packages(package.__path__, f"rdzip.{part}."):
            importlib.import_module(module.name)
    return compiled.FUNCTIONS


def faults(ir: str) -> set[str]:
    """Instructions of LLVM's code that are none of those allowed on floats; calls, too, but of functions of its own."""
    import llvmlite.binding as llvm

    found = set()
    for function in llvm.parse_assembly(ir).functions:
        for block in function.blocks:
            for instruction in block.instructions:
                text, opcode = str(instruction).strip(), instruction.opcode
                typed = re.sub(r'"[^"]*"|@[\w.$]+|%[\w.$]+|!\w+', "", text)  # no names, which may hold types
                if not re.search(r"\b(double|float|half|bfloat)\b", typed):
                    continue
                if opcode in ("call", "invoke"):
                    name = "".join(CALLED.search(text).groups("")) if CALLED.search(text) else ""
                    inside = name.startswith("_ZN") and "rdzip" in name
                    allowed = (inside or EXACT.match(name)) and not FLAGS.search(typed)
                else:
                    allowed = COMPUTING.search(text) or (MOVING.match(opcode) and not FLAGS.search(typed))
                if not allowed:
                    found.add(text)
    return found


def fused_on_arm(ir: str, processors: Iterable[str] = ARM) -> set[str]:
    """Names of fused instructions in what LLVM makes of its code for processors of aarch64, all optimisations on."""
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    found = set()
    for processor in processors:
        target = llvm.Target.from_triple(ARM[processor])
        machine = target.create_target_machine(cpu=processor, opt=3)
        module = llvm.parse_assembly(ir)
        module.triple, module.data_layout = ARM[processor], str(machine.target_data)
        found |= set(FUSED.findall(machine.emit_assembly(module)))
    return found


def run_all() -> None:
    """Run all that is compiled, so that numba knows it with all its types."""
    from helpers import synthetic, tiny_causal

    from rdzip.codecs.causal import codec as causal
    from rdzip.codecs.mixing import codec as mixing
    from rdzip.codecs.mixing import prefetch
    from rdzip.codecs.mixing.presets import PRESETS
    from rdzip.models.shared.template import SLANT

    with tempfile.TemporaryDirectory() as folder:
        model = tiny_causal.load(tiny_causal.write(Path(folder) / "tiny.safetensors"))
    pixels = synthetic.picture(3, 5)
    prefetch._compiled(model, "colour", pixels)(0, 3)
    causal.decode(model, causal.encode(model, pixels).payload, pixels.shape, SLANT)
    for layout, preset in PRESETS.items():
        used = model if preset.network else None
        mixing.decode(used, mixing.encode(used, pixels, None, preset).payload, pixels.shape, layout)
    run_history()
    run_coefficients()
    run_carriers()


def run_history() -> None:
    """Run what finds, makes and undoes descriptions of pictures, with exceptions and without."""
    from rdzip.codecs.history import luma_chroma

    planes = np.random.default_rng(3).integers(90, 150, (23, 17, 3), np.uint8)
    pixels = luma_chroma.colours(planes, bytes([0]))
    pixels[3, 4] = 255, 0, 3
    assert luma_chroma.find(pixels) is not None
    described = luma_chroma.describe(pixels, 0)
    assert described is not None
    assert np.array_equal(luma_chroma.colours(described.planes, described.beside), pixels)


def run_coefficients() -> None:
    """Run what codes the coefficients of a JPEG, in all presets, by both ways."""
    from rdzip.codecs.dct import codec
    from rdzip.codecs.dct.coefficients import Coefficients, Component
    from rdzip.codecs.dct.presets import PRESETS, preset_of

    random = np.random.default_rng(5)
    steps = np.full(64, 3, np.uint16)
    shapes = ((4, 6, (2, 2)), (2, 3, (1, 1)), (2, 3, (1, 1)))
    picture = Coefficients(
        tuple(
            Component((random.laplace(0, 2, (rows, columns, 64)) * 4).astype(np.int16), steps, sampling)
            for rows, columns, sampling in shapes
        )
    )
    efforts = (1, 6, 9)
    assert {preset_of(effort).layout for effort in efforts} == set(PRESETS)
    for effort in efforts:
        codec.decode(codec.encode(picture, effort))


def run_carriers() -> None:
    """Run what carriers compile: files of all formats, streams by all strategies of zlib, one of another encoder."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from fuzz.targets.carriers import files
    from rdzip.formats.carriers.carrier import NotCarriedError
    from rdzip.formats.carriers.deflate import rebuild, recover
    from rdzip.formats.carriers.table import carrier_of

    for data in files():
        if (row := carrier_of(data)) is not None:
            with suppress(NotCarriedError):
                opened = row.open(data)
                row.close(opened.pictures, opened.skeleton)
    text = b"".join(b"%d and %d are %d; " % (n, n * n % 97, n + n * n % 97) for n in range(3000))
    for level, strategy in ((0, 0), (1, 0), (6, 0), (9, 1), (6, 2), (6, 3), (6, 4)):
        packer = zlib.compressobj(level, zlib.DEFLATED, 15, 8, strategy)
        stream = packer.compress(text) + packer.flush()
        rebuild(text, recover(stream, len(text))[1])
    first, second = zlib.compressobj(6, 8, -15), zlib.compressobj(9, 8, -15, zdict=text[:30_000])
    stream = first.compress(text[:30_000]) + first.flush(zlib.Z_SYNC_FLUSH)
    stream += second.compress(text[30_000:]) + second.flush()
    rebuild(text, recover(stream, len(text), False)[1])


def check_all() -> None:
    """Raise AssertionError unless all that is compiled keeps to the allowed; for a process with an empty cache."""
    functions = all_functions()
    run_all()
    computing = 0
    for function in functions:
        name = f"{function.py_func.__module__}.{function.py_func.__name__}"
        inlined = function.targetoptions.get("inline") == "always"  # its callers have its code
        assert function.signatures or inlined, f"{name} did not run"
        for ir in function.inspect_llvm().values():
            assert "define" in ir, name
            computing += len(COMPUTING.findall(ir))
            assert faults(ir) == set(), name
            assert fused_on_arm(ir, ["neoverse-v1"]) == set(), name
        for assembly in function.inspect_asm().values():
            assert set(FUSED.findall(assembly)) == set(), name
    assert computing > 1000
    print(f"{len(functions)} functions, {computing} instructions that compute with floats")
