"""Nothing that rounds differently elsewhere decides what is coded: neither operations, nor types, nor settings."""

from __future__ import annotations

import ast
import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import lossy_stub, tiny_causal, tiny_hyper, tiny_irec, tiny_transform
from helpers.deciding import ALLOWED, BY_FOLDER, ELSEWHERE, EXCUSED, FOLDERS, LENIENT, OUTSIDE
from helpers.float_operations import PACKAGE, operations

from rdzip.codecs.causal import codec as causal
from rdzip.codecs.causal import compiled as causal_compiled
from rdzip.codecs.transform import codec as transform
from rdzip.entropy.ans import TOTAL, AnsStack
from rdzip.exact import layers
from rdzip.models import build, check_known_answer, model_file
from rdzip.models.causal import network
from rdzip.models.causal.model import CausalModel
from rdzip.models.causal.numpy_network import ExactNet, Parameters
from rdzip.models.shared import units


def deciding(package: Path) -> list[str]:
    """Files of a package that decide, by their paths in it: all in its folders, and below, that are not excused."""
    found = (path.relative_to(package).as_posix() for folder in FOLDERS for path in (package / folder).rglob("*.py"))
    return sorted(name for name in found if name not in EXCUSED)


DECIDING = deciding(PACKAGE)


def operations_of(name: str) -> set[tuple[str, str, str]]:
    """Operations of a file with their places."""
    source, strict = (PACKAGE / name).read_text("utf-8"), name.partition("/")[0] not in LENIENT
    found = operations(source, ELSEWHERE.get(name, ()), strict=strict)
    free = {use for folder, uses in BY_FOLDER.items() if name.startswith(folder) for use in uses}
    return {(name, *use) for use in found if use[-1] not in free}


def test_a_file_in_any_folder_below_is_a_deciding_one(tmp_path: Path) -> None:
    new = [f"{folder}/{below}new.py" for folder in FOLDERS for below in ("", "family/", "family/part/")]
    for name in (*new, *EXCUSED, "bounds/new.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert deciding(tmp_path) == sorted(new)
    assert {"codecs/bits_back/head.py", "entropy/ans.py"} <= set(DECIDING)


@pytest.mark.parametrize("name", DECIDING)
def test_no_operation_rounds_its_own_way(name: str) -> None:
    assert operations_of(name) - ALLOWED == set()


def test_nothing_is_excused_that_is_not_there() -> None:
    assert all((PACKAGE / name).is_file() for name in EXCUSED)
    used = set()
    for name in DECIDING:
        used |= operations_of(name)
        tree = ast.parse((PACKAGE / name).read_text("utf-8"))
        defined = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)}
        assert ELSEWHERE.get(name, set()) - defined == set()
    assert set(ELSEWHERE) - set(DECIDING) == set()
    assert used >= ALLOWED


def test_what_is_loaded_to_decode_is_in_those_folders() -> None:
    script = """
import sys
from pathlib import Path
import rdzip
for name in ("causal/grey", "bits-back/bb-cis", "irec/binary", "lossy/photo-lossy-grey", "near-lossless/mixing-colour"):
    rdzip.decompress_array(Path(sys.argv[1], name + ".rdz").read_bytes())
print(*(getattr(module, "__file__", None) for name, module in sys.modules.items() if name.split(".")[0] == "rdzip"))
"""
    golden = Path(__file__).resolve().parents[1] / "golden" / "0.1"
    command = [sys.executable, "-c", script, str(golden)]
    done = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, check=True)
    names = {Path(file).relative_to(PACKAGE).as_posix() for file in done.stdout.split()}
    assert len(names) > 60
    assert {name.split("/")[0] for name in names if "/" in name} <= {*FOLDERS, *OUTSIDE}


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("y = torch.softmax(x, 1)", {"softmax"}),
        ("y = x.exp_()", {"exp_"}),
        ("x /= n", {"/="}),
        ("y = (x * w).sum()", {"sum"}),
        ("y = x @ w", {"@"}),
        ("x @= w", {"@="}),
        ("y = np.dot(x, w)", {"dot"}),
        ("y = x.dot(w)", {"dot"}),
        ("y = np.linalg.solve(x, w)", {"solve"}),
        ("y = torch.bmm(x, w)", {"bmm"}),
        ("y = torch.baddbmm(x, w, w)", {"baddbmm"}),
        ("y = x.cumsum(0)", {"cumsum"}),
        ("y = np.linalg.lstsq(x, w)", {"lstsq"}),
        ("y = torch.lerp(x, w, n)", {"lerp"}),
        ("y = torch.addcmul(x, w, n)", {"addcmul"}),
        ("y = np.add.reduce(x)", {"reduce"}),
        ("y = x.prod()", {"prod"}),
        ("y = np.fma(x, w, n)", {"fma"}),
        ("y = math.fsum(x)", {"fsum"}),
        ("y = F.layer_norm(x, n)", {"layer_norm"}),
        ("y = np.vdot(x, w) + np.inner(x, w) + np.tensordot(x, w)", {"vdot", "inner", "tensordot"}),
        ("y = np.fft.rfft(x)", {"rfft"}),
        ("y = np.matvec(x, w)", {"matvec"}),
        ("y = getattr(torch, n)(x)", {"()()"}),
        ("y = x.half() + x.to(torch.bfloat16)", {"half", "bfloat16"}),
        ("y = x * 0.1", {"0.1"}),
        ("y = x / 3", {"/"}),
        ("y = x**0.5 + x**n", {"**"}),
        ("y = x.quantum_sum(w)", {"quantum_sum"}),
        ("y = 1 / UNIT + x / 8 + 2**n + n**2 + x * 0.375 + np.floor(x + 0.5).clip(0, 1)", set()),
        ("progress(n / len(x))", set()),
    ],
)
def test_the_search_finds_what_it_looks_for(statement: str, found: set[str]) -> None:
    assert operations(f"def f(x, w, n):\n {statement}") == {("f", operation) for operation in found}


def test_factors_of_the_tail_are_powers_of_two() -> None:
    for factor in (
        units.MEAN_UNIT / (256 * network.OUTPUT_UNIT),
        units.MEAN_UNIT / network.OUTPUT_UNIT,
        units.LOGIT_UNIT / network.OUTPUT_UNIT,
        network.SCALE_GAIN / network.OUTPUT_UNIT,
    ):
        assert np.frexp(factor)[0] == 0.5


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_causal.write(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture(scope="module")
def model(file: Path) -> CausalModel:
    return tiny_causal.load(file)


@pytest.fixture(scope="module")
def in_torch(file: Path) -> CausalModel:
    return tiny_causal.in_torch(file)


PIXELS = np.random.default_rng(0).integers(90, 160, (23, 31, 3), dtype=np.uint8)


def test_only_integers_reach_the_coder(model: CausalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Types of what the network hands to the coder, and its sums, in both directions."""
    seen = []

    def watch(owner: type, name: str, look: Callable[..., None]) -> None:
        original = getattr(owner, name)

        def wrapped(self: object, *arguments: object) -> object:
            result = original(self, *arguments)
            look(result, *arguments)
            seen.append(name)
            return result

        monkeypatch.setattr(owner, name, wrapped)

    def parameters(result: Parameters, *_: object) -> None:
        assert all(part.dtype == np.int32 for part in result)

    def intervals(_: None, starts: np.ndarray, sizes: np.ndarray) -> None:
        assert starts.dtype == sizes.dtype == np.int32
        assert starts.min() >= 0
        assert sizes.min() >= 1
        assert (starts + sizes).max() <= TOTAL

    def frequencies(symbols: np.ndarray, rows: np.ndarray) -> None:
        assert symbols.dtype == rows.dtype == np.int32
        assert rows.min() >= 1
        assert (rows.sum(1) == TOTAL).all()

    watch(ExactNet, "head", parameters)
    watch(AnsStack, "push_intervals", intervals)
    watch(AnsStack, "pop", frequencies)
    encoded = causal.encode(model, PIXELS)
    monkeypatch.setattr(causal_compiled, "can_compile", lambda *_: False)
    assert causal.encode(model, PIXELS).payload == encoded.payload
    np.testing.assert_array_equal(causal.decode(model, encoded.payload, PIXELS.shape, encoded.layout), PIXELS)
    assert set(seen) == {"head", "push_intervals", "pop"}


@contextlib.contextmanager
def setting(name: str) -> Iterator[None]:
    """A setting of the whole process that a program around rdzip may have made."""
    precision = torch.get_float32_matmul_precision()
    try:
        if name == "flush denormals":
            torch.set_flush_denormal(True)
        elif name == "float64 by default":
            torch.set_default_dtype(torch.float64)
        elif name == "medium precision":
            torch.set_float32_matmul_precision("medium")
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_default_dtype(torch.float32)
        torch.set_float32_matmul_precision(precision)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["flush denormals", "float64 by default", "medium precision"])
@pytest.mark.parametrize("fast_size", [0, 1 << 40])
def test_settings_of_the_process_do_not_matter(
    model: CausalModel, in_torch: CausalModel, name: str, fast_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = causal.encode(model, PIXELS)
    monkeypatch.setattr(layers, "FAST_SIZE", fast_size)
    with setting(name):
        for used in (model, in_torch):
            assert causal.encode(used, PIXELS).payload == reference.payload
            back = causal.decode(used, reference.payload, PIXELS.shape, reference.layout)
            np.testing.assert_array_equal(back, PIXELS)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["flush denormals", "float64 by default", "medium precision"])
@pytest.mark.parametrize("kind", ["transform-code", *tiny_hyper.CONFIGS, *tiny_irec.CONFIGS])
def test_settings_of_the_process_do_not_matter_to_lossy_models(name: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    if kind == "transform-code":
        tiny_transform.write(path)
    else:
        (tiny_irec if kind in tiny_irec.CONFIGS else tiny_hyper).write(path, kind)
    pixels = lossy_stub.photo(33, 40)
    reference = transform.encode(build(*model_file.read(path)), pixels, 60)  # type: ignore[arg-type]
    payload, layout = reference.payload, reference.layout
    with setting(name):
        tensors, meta = model_file.read(path)
        model: Any = build(tensors, meta)
        check_known_answer(model, meta)
        found = transform.unpack(model, payload, pixels.shape, layout)
        assert found.digest == reference.digest
        assert transform.synthesise(model, found, pixels.shape).dtype == np.uint8
        again = transform.encode(model, pixels, 60)
    found = transform.unpack(model, again.payload, pixels.shape, layout)
    assert found.digest == again.digest
