"""Convolutional models with latents: what ships computes what trained, the same for any grouping, and is checked."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import tiny_latent

from rdzip.codecs.bits_back.trace import Trace
from rdzip.errors import InputError, ModelError
from rdzip.exact.convolution import QuantisedConv, depth_to_space, requantise, space_to_depth
from rdzip.models import build, check_known_answer, model_file
from rdzip.models.conv_vae.bitswap import BitSwapNet
from rdzip.models.conv_vae.blocks import squeezed
from rdzip.models.conv_vae.grid import bits
from rdzip.models.latent_model import SAMPLE
from rdzip.models.shared.sites import GridSite

SHAPES = {"grey": (7, 6), "deep": (9, 8, 3), "resnet": (5, 11, 3)}
RNG = np.random.default_rng(0)


def samples(kind: str, rows: int = 3) -> np.ndarray:
    return RNG.integers(0, 256, (rows, *SHAPES[kind]), dtype=np.uint8)


@pytest.mark.parametrize("size", [1, 3])
def test_finished_convolutions_are_those_that_train(size: int) -> None:
    torch.manual_seed(1)
    layer = QuantisedConv(5, 7, size)
    with torch.no_grad():
        layer.bias.uniform_(-3, 3)
    a = torch.randint(0, 256, (2, 5, 6, 4)).float()
    with torch.no_grad():
        expected = layer(a)
    integer = layer.to_integer()
    layer.load(*(integer.integers[part] for part in ("weight", "exponent", "bias")))
    assert torch.equal(layer(a), expected)
    with pytest.raises(ModelError, match="expected a weight"):
        layer.load(integer.integers["weight"][:, 1:], integer.integers["exponent"], integer.integers["bias"])


def test_too_large_sums_are_made_coarser_and_refused_when_read() -> None:
    layer = QuantisedConv(64, 2)
    with torch.no_grad():
        layer.weight.fill_(0.12)
    integer = layer.to_integer()
    parts = {name: integer.integers[name] for name in ("weight", "exponent", "bias")}
    assert int(parts["exponent"].max()) == 9  # 10 would fit the weights
    with pytest.raises(ModelError, match="sums reach"):
        layer.load(torch.full_like(parts["weight"], 127), parts["exponent"] + 2, parts["bias"])


def test_blocks_and_settling() -> None:
    x = torch.arange(2 * 3 * 4 * 6).float().view(2, 3, 4, 6)
    assert torch.equal(depth_to_space(space_to_depth(x)), x)
    assert torch.equal(space_to_depth(x)[0, :, 0, 0], x[0, :, :2, :2].permute(1, 2, 0).reshape(-1))
    assert requantise(torch.tensor([0.5, -0.5, 9999.0, -9999.0])).tolist() == [1, 0, 2047, -2047]
    assert squeezed(np.zeros((1, 5, 7), np.uint8), 4).shape == (1, 4, 4, 4)


def test_masses_of_the_grid_sum_to_one() -> None:
    z = torch.arange(256.0)
    for mean, scale in ((10.0, 50.0), (128 * 64.0, 20.0), (260 * 64.0, 40.0), (-9 * 64.0, 30.0)):
        p = torch.exp2(-bits(torch.tensor(mean).double(), torch.tensor(scale).double(), z.double()))
        assert float(p.sum()) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("kind", SHAPES)
def test_ships_what_trained(kind: str, tmp_path: Path) -> None:
    """The code lengths of the finished model are the loss of the network in training, at the same latents."""
    model, meta = tiny_latent.load(tmp_path, kind)
    check_known_answer(model, meta)
    multiple = model.net.config.multiple
    x = RNG.integers(110, 146, (2, 2 * multiple, 4 * multiple, *SHAPES[kind][2:])).astype(np.uint8)
    net = tiny_latent.nets()[kind]
    planes = torch.from_numpy(x.astype(np.float32)).reshape(*x.shape[:3], -1).permute(0, 3, 1, 2)
    drawn = []

    def recorded(mean: torch.Tensor, scale: torch.Tensor, generator: object) -> torch.Tensor:
        drawn.append((mean, scale, (mean / 64).round().clamp(0, 255)))
        return drawn[-1][2]

    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr("rdzip.models.conv_vae.grid.sample", recorded)
        likelihood, latents, _ = net.losses(planes, torch.float32, None)
    sites = []

    def draw(name: str, site: GridSite) -> np.ndarray:
        sites.append((name, site))
        return drawn[len(sites) - 1][2].numpy().astype(np.uint8)

    model.infer(x, draw)
    for (mean, scale, _), (_, site) in zip(drawn, sites, strict=True):
        np.testing.assert_array_equal(site.mean, mean.numpy())
        np.testing.assert_array_equal(site.scale, scale.numpy())
    values = {name: d[2].numpy().astype(np.uint8) for (name, _), d in zip(sites, drawn, strict=True)}
    trace = Trace()
    model.generate(2, x.shape[1:], trace.knowing(values | {SAMPLE: x}))
    posterior = np.sum([site.bits(values[name]) for name, site in sites], 0)
    expected = (likelihood + torch.stack(latents).sum(0)).numpy()
    np.testing.assert_allclose(trace.bits() - posterior, expected, rtol=2e-3, atol=1.0)


@pytest.mark.parametrize("kind", SHAPES)
def test_rows_do_not_depend_on_each_other(kind: str, tmp_path: Path) -> None:
    model, _ = tiny_latent.load(tmp_path, kind)
    x = samples(kind)

    def run(x: np.ndarray) -> list[np.ndarray]:
        found, values = [], {}

        def draw(name: str, site: GridSite) -> np.ndarray:
            found.append(site.mean)
            found.append(site.scale)
            return values.setdefault(name, (site.mean >> 6).clip(0, 255).astype(np.uint8))

        model.infer(x, draw)

        def replay(name: str, site: object) -> np.ndarray:
            if name == SAMPLE:
                found.append(site.log2(x))  # type: ignore[attr-defined]
                return x
            found.append(site.mean)  # type: ignore[attr-defined]
            return values[name]

        model.generate(len(x), x.shape[1:], replay)
        return found

    together = run(x)
    for row in range(len(x)):
        for a, b in zip(together, run(x[row : row + 1]), strict=True):
            np.testing.assert_array_equal(a[row], b[0])


def test_wrong_shapes_and_tensors_are_refused(tmp_path: Path) -> None:
    model, _ = tiny_latent.load(tmp_path, "grey")
    model.check_item((5, 5))
    with pytest.raises(InputError, match=r"shape \[h, w\], found \[5, 5, 3\]"):
        model.check_item((5, 5, 3))
    tensors, meta = model_file.read(tmp_path / "grey.safetensors")
    name = next(name for name in tensors if name.endswith("weight"))
    for changed, message in (
        ({name: tensors[name].astype(np.int16)}, "of int8"),
        ({name: tensors[name][:, :-1]}, "expected a weight"),
        ({"more": tensors[name]}, "differing in more"),
        ({"mixture.sigmoid": tensors["mixture.sigmoid"][::-1]}, "not monotone"),
    ):
        with pytest.raises(ModelError, match=message):
            build(tensors | changed, meta)
    with pytest.raises(ModelError, match="described wrongly"):
        build(tensors, meta | {"network": {"channels": 1}})
    with pytest.raises(ModelError, match="known answer"):
        check_known_answer(build(tensors | {name: tensors[name][::-1].copy()}, meta), meta)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("deep", {"width": 1 << 40}),
        ("deep", {"width": 8.0}),
        ("deep", {"blocks": 10**9}),
        ("deep", {"components": 0}),
        ("deep", {"components": True}),
        ("deep", {"channels": 2}),
        ("deep", {"ahead": 1}),
        ("deep", {"latents": [2, 1 << 40, 2, 2]}),
        ("deep", {"latents": []}),
        ("deep", {"latents": [1] * 65}),
        ("deep", {"halved": [1]}),
        ("deep", {"halved": [3, 3]}),
        ("deep", {"halved": [5]}),
        ("deep", {"halved": 3}),
        ("deep", {"size": 3}),
        ("resnet", {"levels": [[1 << 40]]}),
        ("resnet", {"levels": [[2]] * 9}),
        ("resnet", {"levels": [[2], []]}),
        ("resnet", {"levels": [2]}),
        ("resnet", {"head": -1}),
    ],
)
def test_impossible_networks_are_refused_before_they_take_memory(
    kind: str, change: dict[str, object], tmp_path: Path
) -> None:
    tensors, meta = model_file.read(tiny_latent.write(tmp_path, kind))
    with pytest.raises(ModelError, match="model: "):
        build(tensors, meta | {"network": meta["network"] | change})


def test_large_networks_take_no_memory_before_their_tensors_are_compared(tmp_path: Path) -> None:
    """With weights, this one would have 10^12 of them."""
    tensors, meta = model_file.read(tiny_latent.write(tmp_path, "deep"))
    most = {"width": 4096, "blocks": 20, "image_blocks": 32, "latents": [4096] * 64, "halved": [], "head_blocks": 32}
    with pytest.raises(ModelError, match="larger than its tensors"):
        build(tensors, meta | {"network": meta["network"] | most})
    with pytest.raises(ModelError, match="larger than its tensors"):
        build(tensors, meta | {"network": meta["network"] | {"width": 4096}})
    with pytest.raises(ModelError, match="version 1"):
        build(tensors, meta | {"version": 2})


def test_levels_have_their_sizes() -> None:
    net = tiny_latent.nets()["deep"]
    assert isinstance(net, BitSwapNet)
    assert [net.config.size(level, (9, 8, 3)) for level in (1, 2, 3, 4)] == [(6, 4), (6, 4), (3, 2), (3, 2)]


@pytest.mark.parametrize("exponent", [-3, 7, 8, 11])
def test_a_layer_leaves_room_for_three_settled_streams(exponent: int) -> None:
    """docs/explanation/exactness.md, section 5: (B + 3 * 2047) / u < 2**24, to the last unit of a bias."""
    layer = QuantisedConv(1, 1, 1)
    finest = 2 ** max(exponent, 7)
    bias = math.ceil(128 * (2**24 / finest - 3 * 2047 - 255 * 2.0**-exponent)) - 1
    found = torch.tensor([[1]], dtype=torch.int8), torch.tensor([exponent], dtype=torch.int8)
    layer.load(*found, torch.tensor([bias], dtype=torch.int32))
    streams = np.full(3, 2047, np.float32).sum() + layer(torch.full((1, 1, 1, 1), 255.0)).numpy()
    assert streams.item() == 3 * 2047 + 255 * 2.0**-exponent + bias / 128
    with pytest.raises(ModelError, match="sums reach"):
        layer.load(*found, torch.tensor([bias + 1], dtype=torch.int32))
