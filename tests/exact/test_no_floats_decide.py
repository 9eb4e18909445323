"""Nothing that rounds differently elsewhere decides what is coded: neither operations, nor types, nor settings."""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lossy_stub
import numpy as np
import pytest
import tiny_hyper
import tiny_irec
import tiny_model
import tiny_transform
import torch

import rdzip
from rdzip.codecs import causal, causal_compiled, transform
from rdzip.entropy.ans import TOTAL, AnsStack
from rdzip.exact import layers
from rdzip.models import build, check_known_answer, mixture_units, modelfile
from rdzip.models import causal as network
from rdzip.models.causal_exact import ExactNet, Parameters
from rdzip.models.causal_file import CausalModel

PACKAGE = Path(rdzip.__file__).parent
DECIDING = [
    "codecs/annealed.py",
    "codecs/bbans.py",
    "codecs/bitswap.py",
    "codecs/brisk.py",
    "codecs/causal.py",
    "codecs/causal_batch.py",
    "codecs/causal_compiled.py",
    "codecs/chain.py",
    "codecs/importance.py",
    "codecs/irec.py",
    "codecs/mixing.py",
    "codecs/particle.py",
    "codecs/thorough.py",
    "codecs/tiled.py",
    "codecs/trace.py",
    "codecs/transform.py",
    "codecs/transform_tiles.py",
    "entropy/ans.py",
    "entropy/binary.py",
    "entropy/cdf.py",
    "entropy/logarithm.py",
    "entropy/normal.py",
    "entropy/philox.py",
    "entropy/supply.py",
    "exact/convolution.py",
    "exact/integers.py",
    "exact/layers.py",
    "exact/products.py",
    "models/adaptive.py",
    "models/bitswap.py",
    "models/block_fit.py",
    "models/brisk.py",
    "models/brisk_view.py",
    "models/causal_exact.py",
    "models/causal_scalar.py",
    "models/causal_torch.py",
    "models/decision_tables.py",
    "models/factorised.py",
    "models/grid.py",
    "models/hierarchy.py",
    "models/hyper_code.py",
    "models/hyper_slices.py",
    "models/irec_code.py",
    "models/lattice.py",
    "models/least_squares.py",
    "models/mixing.py",
    "models/normal_site.py",
    "models/pixel_head.py",
    "models/residual_site.py",
    "models/resnet_vae.py",
    "models/sites.py",
    "models/slices.py",
    "models/template.py",
    "models/toy.py",
    "models/transform_code.py",
    "models/vae_mlp_exact.py",
    "models/vae_mlp_refine.py",
    "models/vrnn_exact.py",
    "rec/auxiliary.py",
    "rec/index_code.py",
    "rec/level.py",
    "rec/schedule.py",
    "rec/shared.py",
]
"""Files with code between the payload and the pixels, or the latents of a lossy file."""

INEXACT = re.findall(
    r"\w+",
    """
    exp exp2 expm1 log log2 log10 log1p tanh sigmoid softmax log_softmax softplus sqrt rsqrt pow power float_power sin
    cos tan erf erfc erfinv logaddexp logsumexp hypot cbrt reciprocal div divide true_divide mean average median var
    std norm layer_norm batch_norm gelu silu elu einsum conv1d conv2d conv3d interp interpolate rand randn normal half
    bfloat16
    """,
)
NARROW = ["float16", "half", "bfloat16"]
ELSEWHERE = {
    "codecs/chain.py": {"describe"},  # for people
    "entropy/cdf.py": {"make_tables"},  # makes the tables of a new model
    "rec/index_code.py": {"fitted"},  # the encoder's choice
    "exact/convolution.py": {"forward", "_limit"},  # training and export
    "models/factorised.py": {"FactorisedPrior", "_row"},  # training and the tables of a new model
    "models/hyper_code.py": {"HyperNet"},  # training and transforms
    "models/hyper_slices.py": {"coarser", "finer"},  # training and the factors of a new model
    "models/irec_code.py": {
        "IrecNet",
        "_widths",
        "deviations",
        "divergence",
    },  # training, transforms, tables of a new model
    "models/normal_site.py": {"choose", "bits", "target", "divergence"},  # the encoder's choice; reports
    "models/residual_site.py": {"scale", "make_tables", "bits"},  # tables of a new model; reports
    "models/slices.py": {"squash"},  # training and the table of a new model
    "models/transform_code.py": {"TransformNet", "residual_bits", "chosen", "step_size"},  # training, transforms
    "models/grid.py": {"width", "bits", "sample"},  # training
    "models/hierarchy.py": {"begin_narrow"},  # training
    "models/pixel_head.py": {"bits"},  # training and reports
    "models/sites.py": {"bits", "grid_bits", "_cdf"},  # reports
    "models/toy.py": {
        "_bumps",
        "_frequencies",
        "make_hmm",
        "make_mixture",
        "write_models",
        "probabilities",
        "entropy",
        "bits",
        "evidence_bound",
    },  # makes models; reports
    "codecs/importance.py": {"_mean_bits"},  # reports
    "codecs/particle.py": {"_mean_bits"},  # reports
    "exact/layers.py": {"QuantisedLinear", "limit_stream", "_Activation", "activate", "ste_round"},  # training
}
ALLOWED = {
    ("codecs/causal.py", "_bits", "log2"),  # rates for the report
    ("codecs/annealed.py", "bits", "log2"),  # of a site, for the ideal rate
    ("codecs/annealed.py", "move", "log2"),  # of a site: integers
    ("codecs/annealed.py", "encode", "/"),  # the ideal rate
    ("codecs/chain.py", "push_groups", "/"),  # the encoder's choice of groups
    ("codecs/importance.py", "_keep", "log2"),  # of a site
    ("codecs/importance.py", "_frequencies", "log2"),  # of a site
    ("models/block_fit.py", "_solve", "/"),  # float64 in one order: docs/exactness.md
    ("codecs/mixing.py", "encode", "log2"),  # rates for the report
    ("codecs/mixing.py", "_encode_band", "/"),  # progress
    ("codecs/mixing.py", "_decode_band", "/"),  # progress
    ("entropy/binary.py", "squash_table", "exp"),  # of decimals, correctly rounded
    ("entropy/binary.py", "squash_table", "/"),  # the same
    ("entropy/binary.py", "stretch_table", "/"),  # the same
    ("models/causal_scalar.py", "of", "/"),  # by a power of two
    ("models/least_squares.py", "_solve", "/"),  # float64 in one order: docs/exactness.md
    ("models/least_squares.py", "_substitute", "/"),  # the same
    ("codecs/particle.py", "_run", "log2"),  # of a site
    ("codecs/particle.py", "_coded_bits", "log2"),  # the ideal rate
    ("codecs/tiled.py", "_first_rows", "/"),  # the encoder's choice of rows
    ("codecs/tiled.py", "encode", "/"),  # the same
    ("codecs/trace.py", "log2", "log2"),  # of a site
    ("codecs/transform.py", "analyse", "/"),  # pixels for the analysis
    ("codecs/transform.py", "synthesise", "mean"),  # grey pixels of a synthesis
    ("models/grid.py", "module", "log"),  # a constant of training
    ("models/hierarchy.py", "draw", "log2"),  # of a site
    ("models/hyper_code.py", "module", "/"),  # constants of training and transforms
    ("models/hyper_code.py", "module", "sqrt"),  # the same
    ("models/hyper_code.py", "step_of", "/"),  # the encoder's setting
    ("models/irec_code.py", "module", "/"),  # constants of training
    ("models/irec_code.py", "module", "log"),  # the same
    ("models/irec_code.py", "module", "sqrt"),  # the same
    ("models/irec_code.py", "step_of", "/"),  # the encoder's setting
    ("models/slices.py", "forward", "/"),  # by 255, never near a whole number: docs/exactness.md, section 8
    ("models/slices.py", "_means", "/"),  # by 1 to 4: the same
    ("models/slices.py", "setting_planes", "/"),  # by 64
    ("models/transform_code.py", "module", "log"),  # a constant of training
    ("models/transform_code.py", "quantise", "/"),  # the encoder's choice of symbols
    ("models/transform_code.py", "step_of", "/"),  # the encoder's setting
    ("models/toy.py", "log2", "log2"),  # of a site
    ("models/vae_mlp_refine.py", "_refine", "/"),  # of two small integers, rounded to 2**-16
    ("entropy/cdf.py", "_stretch", "/="),  # of integers below 2**48: tests/exact/test_bounds.py
    ("entropy/cdf.py", "weights", "/="),  # of integers of at most 2**28: the same
}


class Finder(ast.NodeVisitor):
    """Collects (function, operation) of everything that could round, divisions of constants aside."""

    def __init__(self, skipped: set[str]) -> None:
        self.skipped, self.where = skipped, "module"
        self.found: set[tuple[str, str]] = set()

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.ClassDef) -> None:
        if node.name not in self.skipped:
            before, self.where = self.where, node.name
            self.generic_visit(node)
            self.where = before

    visit_ClassDef = visit_FunctionDef

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called.rstrip("_") in INEXACT:
            self.found.add((self.where, called.rstrip("_")))
        if called != "progress":  # the share done is for people
            self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr in NARROW:
            self.found.add((self.where, node.attr))
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        constant = all(name.isupper() for name in names) and not any(isinstance(n, ast.Call) for n in ast.walk(node))
        whole = isinstance(node.left, ast.Constant) or isinstance(getattr(node.right, "value", None), int)
        if isinstance(node.op, ast.Div) and not constant:
            self.found.add((self.where, "/"))
        if isinstance(node.op, ast.Pow) and not whole:
            self.found.add((self.where, "**"))
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.op, ast.Div | ast.Pow):
            self.found.add((self.where, "/=" if isinstance(node.op, ast.Div) else "**="))
        self.generic_visit(node)


def operations(source: str, skipped: set[str]) -> set[tuple[str, str]]:
    finder = Finder(skipped)
    finder.visit(ast.parse(source))
    return finder.found


@pytest.mark.parametrize("name", DECIDING)
def test_no_operation_rounds_its_own_way(name: str) -> None:
    found = operations((PACKAGE / name).read_text("utf-8"), ELSEWHERE.get(name, set()))
    assert {(name, *use) for use in found} - ALLOWED == set()


def test_the_search_finds_what_it_looks_for() -> None:
    source = (
        "def f(x, n):\n y = torch.softmax(x, 1)\n y /= n\n return y.exp_() / y.sum() + n**0.5 + 1 / UNIT + 2**n + n**2"
    )
    assert operations(source, set()) == {("f", op) for op in ("softmax", "/=", "exp", "/", "**")}


def test_factors_of_the_tail_are_powers_of_two() -> None:
    for factor in (
        mixture_units.MEAN_UNIT / (256 * network.OUTPUT_UNIT),
        mixture_units.MEAN_UNIT / network.OUTPUT_UNIT,
        mixture_units.LOGIT_UNIT / network.OUTPUT_UNIT,
        network.SCALE_GAIN / network.OUTPUT_UNIT,
    ):
        assert np.frexp(factor)[0] == 0.5


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.write(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture(scope="module")
def model(file: Path) -> CausalModel:
    return tiny_model.load(file)


@pytest.fixture(scope="module")
def in_torch(file: Path) -> CausalModel:
    return tiny_model.in_torch(file)


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
    pixels = lossy_stub.photo(66, 40)
    reference = transform.encode(build(*modelfile.read(path)), pixels, 60)  # type: ignore[arg-type]
    payload, layout = reference.encoded.payload, reference.encoded.layout
    with setting(name):
        tensors, meta = modelfile.read(path)
        model: Any = build(tensors, meta)
        check_known_answer(model, meta)
        found = transform.unpack(model, payload, pixels.shape, layout)
        assert found.digest == reference.digest
        assert transform.synthesise(model, found, pixels.shape).dtype == np.uint8
        again = transform.encode(model, pixels, 60)
    found = transform.unpack(model, again.encoded.payload, pixels.shape, layout)
    assert found.digest == again.digest
