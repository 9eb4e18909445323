"""Which operations the source of deciding files uses that floats could round in an order or way of their own.

Types are not known, so names are: a call is let through if its name is among those that are exact on floats or do not
compute, or is one of rdzip's own that no library of numbers has. Everything else is found, with its place: sums,
products of matrices, divisions, powers, literals that no power of two makes whole.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Collection
from functools import cache
from pathlib import Path

import numpy as np
import torch

import rdzip

PACKAGE = Path(rdzip.__file__).parent
LIBRARIES = (np, np.ndarray, np.linalg, np.random, np.add, np.fft, math)
LIBRARIES += (torch, torch.Tensor, torch.linalg, torch.nn, torch.nn.functional, torch.fft)
COMPUTING = set(
    re.findall(
        r"\w+",
        """
    abs add add_ argmax argmin bincount ceil clamp clamp_ clamp_max clamp_min clip diff divmod equal array_equal floor
    floor_ frexp isfinite isqrt ldexp left_shift lt max maximum min minimum mul_ multiply nan_to_num bit_length
    bitwise_and where round searchsorted sort argsort sorted subtract bisect_right masked_fill
    """,
    )
)
"""Exact on floats, or one operation of IEEE 754 on each element by itself."""
MOVING = set(
    re.findall(
        r"\w+",
        """
    all any append arange array as_strided asarray ascontiguousarray asdict astuple astype autocast bool broadcast_to
    bytearray bytes cast cat chunk clone cls concatenate contiguous copy copy_ cpu cuda decode deepcopy detach device
    dict digest double dtype empty empty_like encode enumerate eval expand extend eye field fill flatnonzero flatten
    flip float float32 float64 format from_bytes from_numpy frombuffer fromkeys full full_like fullmatch get getattr
    hasattr hexdigest index index_copy inference_mode insert int int32 int64 intp isinstance item items iter join keys
    len list long lru_cache map new_zeros newbyteorder next no_grad nonzero numel numpy ones ones_like pack packbits
    pad pairwise partition permute pixel_shuffle pixel_unshuffle pop popleft put print range ravel register_buffer
    repeat replace requires_grad_ reshape reset_parameters reversed set setdefault sha256 shape size slice split
    squeeze stack startswith str super swapaxes sliding_window_view t take take_along_axis to tobytes tolist transpose
    tuple type uint32 uint64 uint8 uintp unbind unflatten unfold unpack unpackbits unravel_index update values view
    zero_ zeros zeros_ zeros_like zip int8 int16 uint16 Philox block tensor Block bit Container
        promote_types
    """,
    )
)
"""Compute nothing."""
WORLD = set(
    re.findall(
        r"\w+",
        """
    BytesIO ContextVar Event FormatError LZMADecompressor Lock ModuleDict ModuleList Path SimpleQueue ThreadPoolExecutor
    TypeVar ValueError compile convert copy_context cpu_count crc32 dataclass decompress deque endswith find_spec
    fileno flush fromarray fsync getLogger getpid getvalue get_num_threads import_module is_set isalpha isascii
    isdigit isprintable load_state_dict localcontext lstrip mkdir modules named_modules named_parameters property
    register_load_state_dict_pre_hook register_state_dict_post_hook removeprefix
    putpalette read read_bytes readline reset rstrip save save_for_backward seek set_num_threads splitlines stat strip
    submit suppress tell token_hex unlink warning warn with_name write apply load open compress lower upper isspace
    TypeError KeyError ArithmeticError RuntimeError OSError memoryview iter_unpack calcsize Struct rpartition count
    namedtuple sub match search group groups result contextmanager discard add_done_callback ord chr hash id callable
    find rfind lzma is_file is_dir exists iterdir rglob utime rmtree home TemporaryFile time perf_counter monotonic
    __new__ _replace __init__ info dumps casefold hex fromhex wait catch_warnings simplefilter getbands frozenset
    iinfo write_array read_magic asfortranarray savez findall Counter most_common same_samples
    """,
    )
)
"""Files, texts, threads, objects."""
HARMLESS = COMPUTING | MOVING | WORLD
NARROW = {"float16", "half", "bfloat16"}


@cache
def names_of_libraries() -> frozenset[str]:
    """Names of what computes with numbers."""
    return frozenset(name for library in LIBRARIES for name in dir(library))


@cache
def own_names() -> frozenset[str]:
    """Names of rdzip's functions, classes, parameters and attributes that no library of numbers has, too."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.arg):
                found.add(node.arg)
            elif isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.attr if isinstance(node, ast.Attribute) else node.id)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)
    return frozenset(name for name in found if name.startswith("_") or name.rstrip("_") not in names_of_libraries())


def divides_exactly(divisor: ast.expr) -> bool:
    """Whether a divisor is a literal power of two, or the end of a path."""
    if isinstance(divisor, ast.JoinedStr):
        return True
    value = divisor.value if isinstance(divisor, ast.Constant) else 0
    return isinstance(value, str) or (isinstance(value, int | float) and math.frexp(value)[0] == 0.5)


class Finder(ast.NodeVisitor):
    """Collects (function, operation) of everything that is not let through."""

    def __init__(self, skipped: set[str], strict: bool) -> None:
        self.skipped, self.strict, self.where = skipped, strict, "module"
        self.found: set[tuple[str, str]] = set()

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.ClassDef) -> None:
        if node.name not in self.skipped:
            before, self.where = self.where, node.name
            self.generic_visit(node)
            self.where = before

    visit_ClassDef = visit_FunctionDef

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute | ast.Name):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            if called == "progress":  # the share done is for people
                return
            known = called in own_names() or not (self.strict or called in names_of_libraries())
            if called not in HARMLESS and not known:
                self.found.add((self.where, called))
        elif isinstance(node.func, ast.Call):  # a function that another one gives
            self.found.add((self.where, "()()"))
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr in NARROW:
            self.found.add((self.where, node.attr))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, float) and not (node.value * 2**40).is_integer():
            self.found.add((self.where, repr(node.value)))

    def visit_BinOp(self, node: ast.BinOp) -> None:
        names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        constant = all(name.isupper() for name in names) and not any(isinstance(n, ast.Call) for n in ast.walk(node))
        whole = isinstance(node.left, ast.Constant) or isinstance(getattr(node.right, "value", None), int)
        if isinstance(node.op, ast.MatMult):
            self.found.add((self.where, "@"))
        if isinstance(node.op, ast.Div) and not constant and not divides_exactly(node.right):
            self.found.add((self.where, "/"))
        if isinstance(node.op, ast.Pow) and not whole:
            self.found.add((self.where, "**"))
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.op, ast.Div | ast.Pow | ast.MatMult):
            self.found.add((self.where, {ast.Div: "/=", ast.Pow: "**=", ast.MatMult: "@="}[type(node.op)]))
        self.generic_visit(node)


def operations(source: str, skipped: Collection[str] = (), *, strict: bool = True) -> set[tuple[str, str]]:
    """Places and operations of a source, without the functions and classes that are skipped.

    strict: whether calls are found, too, of what is neither rdzip's nor of a library of numbers.
    """
    finder = Finder(set(skipped), strict)
    finder.visit(ast.parse(source))
    return finder.found
