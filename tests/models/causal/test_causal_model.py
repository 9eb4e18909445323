"""The causal model: the exact evaluation is the trained network, its file is checked, its template causal."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import tiny_causal

from rdzip.errors import ModelError
from rdzip.models import check_known_answer, model_file
from rdzip.models.causal.compiled_known_answer import compiled_known_answer
from rdzip.models.causal.export import export, limited
from rdzip.models.causal.known_answer import known_answer
from rdzip.models.causal.model import from_tensors
from rdzip.models.causal.network import Context
from rdzip.models.shared.template import OUTSIDE, PAD, SLANT, TEMPLATE, padded_planes


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_causal.write(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.mark.parametrize("kind", ["colour", "grey"])
def test_exact_evaluation_is_the_trained_forward(file: Path, kind: str) -> None:
    trained, exact = limited(tiny_causal.nets()[kind]), tiny_causal.load(file).nets[kind]
    rng = np.random.default_rng(5)
    n = 400
    spread = rng.integers(1, 60, (n, 1))
    nbs = [
        np.clip(128 * (p == 0) + rng.integers(-60, 60, (n, 1)) + rng.integers(-1, 2, (n, k)) * spread, -255, 255)
        for p, k in enumerate([20, 12, 12][: trained.config.channels])
    ]
    nbs = [nb.astype(np.int16) for nb in nbs]
    values = [nb[:, 0] + rng.integers(-5, 6, n).astype(np.int16) for nb in nbs]
    x, y = rng.integers(0, 1000, n), rng.integers(0, 1000, n)
    context = Context.of(
        [torch.from_numpy(nb) for nb in nbs],
        torch.from_numpy(x.astype(np.int16)),
        torch.from_numpy(y.astype(np.int16)),
    )
    with torch.no_grad():
        expected = trained(context, [torch.from_numpy(v) for v in values], torch.float32)
    context = exact.context([np.ascontiguousarray(nb.T) for nb in nbs])
    head_inputs = exact.trunk(context, x, y)
    for channel, head_in in enumerate(head_inputs):
        for mine, theirs in zip(
            exact.head(channel, head_in, context, values[:channel]), expected[channel], strict=True
        ):
            np.testing.assert_array_equal(mine.T, theirs.numpy())


def test_large_weights_get_coarser_units_instead_of_inexact_sums(tmp_path: Path) -> None:
    nets = tiny_causal.nets()
    with torch.no_grad():
        for layer in (nets["colour"].head_in, nets["colour"].stem):
            layer.weight *= 60
        nets["colour"].head_blocks[0][0].weight *= 0.01
    export(tmp_path / "large.safetensors", nets, {"id": "large"})
    tensors, meta = model_file.read(tmp_path / "large.safetensors")
    check_known_answer(from_tensors(tensors, meta), meta)
    assert tensors["colour.deep.0.0.exponent"].max() < tensors["colour.deep.1.0.exponent"].max() + 6


def test_evaluation_does_not_depend_on_the_batch(file: Path) -> None:
    net = tiny_causal.load(file).nets["colour"]
    rng = np.random.default_rng(1)
    nbs = [rng.integers(0, 256, (k, 300)).astype(np.int16) for k in (20, 12, 12)]
    x = np.arange(300)
    whole = np.concatenate(net.trunk(net.context(nbs), x, x), 1)[:300]
    for i in x:
        single = net.trunk(net.context([nb[:, i : i + 1] for nb in nbs]), x[i : i + 1], x[i : i + 1])
        np.testing.assert_array_equal(np.concatenate(single, 1)[0], whole[i])


def test_known_answer(file: Path) -> None:
    tensors, meta = model_file.read(file)
    model = from_tensors(tensors, meta)
    check_known_answer(model, meta)
    assert model.known_answer() == known_answer(model.nets, model.tables)
    torches = {kind: model.torch_net(kind) for kind in model.nets}
    assert model.known_answer() == known_answer(torches, model.tables)
    assert model.known_answer() == compiled_known_answer(model.nets, model.tables)
    tensors["colour.out.1.bias"][0] += 40
    with pytest.raises(ModelError):
        check_known_answer(from_tensors(tensors, meta), meta)
    model.check_compiled()
    model = from_tensors(tensors, meta)
    model.nets["grey"].layers.stem.bias[0] += 9  # after which numpy computes something else than the integers say
    with pytest.raises(ModelError, match="compiled here"):
        model.check_compiled()
    with pytest.raises(ModelError, match="use `device=cpu`"):
        model.to("cpu:0")
    assert model.device == "cpu"


def _break(tensors: dict[str, Any], meta: dict[str, Any], what: str) -> None:
    if what == "missing":
        del tensors["grey.stem.weight"]
    elif what == "dtype":
        tensors["grey.stem.bias"] = tensors["grey.stem.bias"].astype(np.int16)
    elif what == "shape":
        tensors["colour.fan.weight"] = tensors["colour.fan.weight"][:, 1:].copy()
    elif what == "sums":
        tensors["colour.stem.bias"][2] = 2**30
    elif what == "exponent":
        tensors["colour.stem.exponent"][0] = 50
    elif what == "weight":
        tensors["colour.stem.weight"][0, 0] = -128
    elif what == "sigmoid":
        tensors["mixture.sigmoid"][5] = 60000
    elif what == "inverse":
        tensors["mixture.inverse_scale"][5] = 0
    elif what == "compression":
        tensors["grey.compression"][3] = 1000
    elif what == "version":
        meta["version"] = 2
    elif what == "networks":
        del meta["networks"]["grey"]
    elif what == "field":
        meta["networks"]["grey"]["wings"] = 3
    elif what == "channels":
        meta["networks"]["grey"]["channels"] = 3
    elif what == "huge":
        meta["networks"]["grey"]["width"] = 10**9
    elif what == "text":
        meta["networks"]["grey"]["width"] = "24"


DAMAGE = [
    "missing",
    "dtype",
    "shape",
    "sums",
    "exponent",
    "weight",
    "sigmoid",
    "inverse",
    "compression",
    "version",
    "networks",
    "field",
    "channels",
    "huge",
    "text",
]


@pytest.mark.parametrize("what", DAMAGE)
def test_unusable_model_files(file: Path, what: str) -> None:
    tensors, meta = model_file.read(file)
    _break(tensors, meta, what)
    with pytest.raises(ModelError) as error:
        from_tensors(tensors, meta)
    assert "\n" not in str(error.value)


def test_template_is_causal_along_the_wavefront() -> None:
    assert len(set(TEMPLATE)) == len(TEMPLATE)
    assert all(dx + SLANT * dy < 0 for dy, dx in TEMPLATE)
    assert max(max(abs(dy), abs(dx)) for dy, dx in TEMPLATE) <= PAD


def test_padding() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 3, 3), dtype=np.uint8)
    planes = padded_planes(pixels)
    assert planes.shape == (3, 4 + PAD, 3 + 2 * PAD)
    green, red = pixels[..., 1].astype(int), pixels[..., 0].astype(int)
    np.testing.assert_array_equal(planes[1, PAD:, PAD:-PAD], red - green)
    assert (planes[0, :PAD] == OUTSIDE).all()
    assert (planes[0, PAD, :PAD] == OUTSIDE).all()
    assert not planes[1:, :PAD].any()
    assert (planes[0, PAD + 2, :PAD] == green[1, 0]).all()
    assert (planes[0, PAD + 2, -PAD:] == green[2, 2]).all()
