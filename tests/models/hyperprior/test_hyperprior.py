"""The published hyperprior codecs: the program is what trains, files decode elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import lossy_stub, tiny_hyper

from rdzip.codecs.transform import codec as transform
from rdzip.codecs.transform import tiles as transform_tiles
from rdzip.codecs.transform.tiles import Grid, Region
from rdzip.entropy.ans import TOTAL, AnsStack
from rdzip.errors import CoderError
from rdzip.models import check_known_answer, model_file
from rdzip.models.hyperprior.factorised_prior import BANDS, ChannelSite, FactorisedPrior, row_of
from rdzip.models.hyperprior.gdn import haar_tree
from rdzip.models.hyperprior.model import HyperModel
from rdzip.models.hyperprior.network import FINE, HYPER, NAME, HyperNet
from rdzip.models.hyperprior.slices import CORRECTION_MAX, HyperConfig, coarser, finer
from rdzip.models.shared.residual_site import ResidualSite
from rdzip.models.shared.settings import MEAN_MAX, SETTINGS, UNIT

KINDS = tuple(tiny_hyper.CONFIGS)
DECODE = """
import json, sys
from pathlib import Path
import torch
from rdzip.codecs.transform import codec as transform
from rdzip.models import build, check_known_answer, model_file
folder = Path(sys.argv[1])
torch.set_num_threads(1)
found = {}
for name, (kind, shape, layout) in json.loads((folder / "files.json").read_text()).items():
    tensors, meta = model_file.read(folder / f"{kind}.safetensors")
    model = build(tensors, meta)
    check_known_answer(model, meta)
    unpacked = transform.unpack(model, (folder / name).read_bytes(), tuple(shape), layout)
    (folder / (name + ".pixels")).write_bytes(transform.synthesise(model, unpacked, tuple(shape)).tobytes())
    found[name] = unpacked.digest.hex()
print(json.dumps([torch.backends.cpu.get_cpu_capability(), found]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hyper")
    for kind in KINDS:
        tiny_hyper.write(folder / f"{kind}.safetensors", kind)
    return folder


@pytest.fixture(scope="module", params=KINDS)
def model(request: pytest.FixtureRequest, folder: Path) -> HyperModel:
    path = folder / f"{request.param}.safetensors"
    found = tiny_hyper.read(path)
    check_known_answer(found, model_file.read_meta(path))
    return found


def tensor(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def encoded(model: HyperModel, pixels: np.ndarray, setting: int) -> tuple[list[tuple[str, ResidualSite, Any]], Any]:
    latents = model.analyse(tensor(pixels), setting)
    found = []

    def draw(name: str, site: ResidualSite) -> Any:
        found.append((name, site, model.quantise(latents, name, site)))
        return found[-1][2]

    return found, model.code(draw, pixels.shape[0] // 64, pixels.shape[1] // 64, setting)


@pytest.mark.parametrize(("rows", "columns", "setting"), [(1, 1, 0), (1, 3, 200), (3, 2, 246)])
def test_the_program_replays(model: HyperModel, rows: int, columns: int, setting: int) -> None:
    coded, decoded = encoded(model, lossy_stub.photo(64 * rows, 64 * columns), setting)
    again = iter(coded)

    def replay(name: str, site: ResidualSite) -> Any:
        before, same, symbols = next(again)
        assert before == name
        assert (same.scale == site.scale).all()
        assert (same.mean == site.mean).all()
        return symbols

    repeated = model.code(replay, rows, columns, setting)
    config = model.net.config
    assert [name for name, _, _ in coded] == ["z", *(f"y.{i}" for i in range(config.slices))]
    assert {name: values.shape for name, values in decoded.items()} == {
        NAME: (12, FINE * rows, FINE * columns), HYPER: (6, rows, columns)
    }  # fmt: skip
    for name, values in decoded.items():
        assert values.dtype == np.int32
        assert (repeated[name] == values).all()


def test_every_part_of_the_program_matters(model: HyperModel) -> None:
    coded, decoded = encoded(model, lossy_stub.photo(128, 128), 60)
    assert len(np.unique(decoded[HYPER])) > 3
    plain = np.concatenate([(s * UNIT + site.mean).reshape(-1, 8, 8) for name, site, s in coded if name != HYPER])
    errors = decoded[NAME] - plain
    if model.net.config.residual:
        assert len(np.unique(errors)) > 4
        assert np.abs(errors).max() <= CORRECTION_MAX < UNIT / 2
    else:
        assert not errors.any()
    for name, site, _ in coded[1:]:
        assert len(np.unique(site.scale)) > 3, name
        assert len(np.unique(site.mean)) > 3, name


def test_what_trains_is_what_codes(model: HyperModel) -> None:
    kind = model.codecs[0]
    pixels, setting = lossy_stub.photo(128, 128), 60
    with torch.no_grad():
        found, bits = tiny_hyper.net(kind)(tensor(pixels), torch.tensor([model.finest + setting]))
    coded, decoded = encoded(model, pixels, setting)
    assert sum(site.bits(symbols) for _, site, symbols in coded) == pytest.approx(float(bits), rel=0.01)
    assert float((model.synthesise(decoded, setting) - found).abs().mean()) < 2e-3


@pytest.mark.parametrize("size", [(1, 1), (1, 90), (65, 64), (130, 200)])
@pytest.mark.parametrize("setting", [0, 128, 246])
def test_there_and_back(model: HyperModel, size: tuple[int, int], setting: int) -> None:
    """Real rates are those that are estimated: the alarm is at 1 %."""
    for pixels in (lossy_stub.photo(*size), lossy_stub.photo(*size)[:, :, 0]):
        coded = transform.encode(model, pixels, setting)
        payload, layout = coded.payload, coded.layout
        found = transform.unpack(model, payload, pixels.shape, layout)
        assert found.digest == coded.digest
        assert transform.synthesise(model, found, pixels.shape).shape == pixels.shape
        assert 8 * len(payload) == pytest.approx(coded.estimated, rel=0.01, abs=41)
        assert coded.estimated == transform.estimate(model, pixels, setting)


def test_qualities_are_settings(model: HyperModel) -> None:
    settings = [model.setting_of(quality) for quality in range(1, 101)]
    assert settings == sorted(set(settings), reverse=True)
    assert (settings[0], settings[-1]) == (model.setting_count - 1, 0)
    assert model.setting_count == SETTINGS - model.net.config.finest


def test_an_untrained_code_is_a_haar_transform_that_works_at_all_settings() -> None:
    """Wide enough to keep all of the strongest channels: finer settings take more bits and are closer."""
    torch.manual_seed(0)
    net = HyperNet(HyperConfig(48, 96, 6, (8, 8), (8, 12)))
    x = tensor(lossy_stub.photo(128, 128))
    with torch.no_grad():
        figures = [net(x, torch.tensor([setting])) for setting in (0.0, 128.0, 255.0)]
    rates = [float(bits) for _, bits in figures]
    errors = [float((found - x).square().mean()) for found, _ in figures]
    assert rates == sorted(rates, reverse=True)
    assert errors == sorted(errors)
    assert errors[-1] < 0.5 * float((x - x.mean((2, 3), keepdim=True)).square().mean())


def test_haar_transforms_are_orthonormal() -> None:
    weights, spread = haar_tree([12, 48, 192, 768])
    assert (torch.diff(spread) <= 0).all()
    for weight in weights:
        rows = weight.flatten(1)
        assert torch.allclose(rows @ rows.T, torch.eye(len(rows)), atol=1e-6)


@pytest.mark.parametrize("kind", ["noise", "two levels"])
def test_extreme_pictures(model: HyperModel, kind: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 70, 3)).astype(np.uint8)
    pixels = (pixels & 1) * np.uint8(255) if kind == "two levels" else pixels
    for setting in (0, 246):
        coded = transform.encode(model, pixels, setting)
        found = transform.unpack(model, coded.payload, pixels.shape, coded.layout)
        assert found.digest == coded.digest


def test_damage_is_noticed(model: HyperModel) -> None:
    pixels = lossy_stub.photo(70, 90)
    coded = transform.encode(model, pixels, 60)
    rng = np.random.default_rng(0)
    for _ in range(30):
        bad = bytearray(coded.payload)
        bad[rng.integers(5, len(bad))] ^= 1 << rng.integers(8)
        try:
            found = transform.unpack(model, bytes(bad), pixels.shape, coded.layout)
        except CoderError:
            continue
        assert found.digest != coded.digest
    with pytest.raises(CoderError, match="has no codec"):
        transform.unpack(model, coded.payload, pixels.shape, 1 - coded.layout)


def test_tiles_leave_no_seams(model: HyperModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tile by tile, the transforms give what they give of the whole, to 1/100 of a level: the halo is wide enough."""
    pixels = lossy_stub.photo(64 * 8, 64)
    whole = Grid.of(pixels.shape, model.stride)
    (everything,) = whole.tiles()
    latents = transform.analyse(model, pixels, whole, everything, 60)
    payload = transform.encode(model, pixels, 60)
    found = transform.unpack(model, payload.payload, pixels.shape, payload.layout)
    picture = transform.region_samples(model, found, everything)
    monkeypatch.setattr(transform_tiles, "TILE", 64)
    grid = Grid.of(pixels.shape, model.stride)
    assert grid.number == 8
    for part in grid.tiles():
        rows, columns = part.within(Region(0, 0, 0, 0))
        mine, theirs = transform.analyse(model, pixels, grid, part, 60), model.crop(latents, rows, columns)
        for name, limit in ((NAME, 1e-3), (HYPER, 1e-3)):
            assert float((mine[name] - theirs[name]).abs().max()) < limit
        expected = picture[64 * part.top : 64 * part.bottom, 64 * part.left : 64 * part.right]
        assert np.abs(transform.region_samples(model, found, part) - expected).max() < 0.01 / 255


@pytest.mark.parametrize(
    ("dnn", "mkl", "aten"), [("SSE41", "SSE4_2", "default"), ("AVX2", "AVX2", "avx2")], ids=["SSE41", "AVX2"]
)
def test_other_simd_levels_and_threads(folder: Path, dnn: str, mkl: str, aten: str) -> None:
    """Coded with two threads, decoded in another process with one."""
    pixels = lossy_stub.photo(70, 130)
    files, digests, pictures = {}, {}, {}
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    for kind in KINDS:
        model = tiny_hyper.read(folder / f"{kind}.safetensors")
        for setting in (0, 120):
            name = f"{kind}-{setting}"
            coded = transform.encode(model, pixels, setting)
            (folder / name).write_bytes(coded.payload)
            files[name], digests[name] = (kind, pixels.shape, coded.layout), coded.digest.hex()
            found = transform.unpack(model, coded.payload, pixels.shape, coded.layout)
            pictures[name] = transform.synthesise(model, found, pixels.shape)
    torch.set_num_threads(before)
    (folder / "files.json").write_text(json.dumps(files))
    level = {"ONEDNN_MAX_CPU_ISA": dnn, "MKL_ENABLE_INSTRUCTIONS": mkl, "ATEN_CPU_CAPABILITY": aten}
    command = [sys.executable, "-c", DECODE, str(folder)]
    out = subprocess.run(command, env=os.environ | level, capture_output=True, text=True, check=True)
    capability, elsewhere = json.loads(out.stdout)
    assert capability in (aten.upper(), "DEFAULT")  # the latter where there is no AVX2
    assert elsewhere == digests
    for name, picture in pictures.items():
        theirs = np.frombuffer((folder / f"{name}.pixels").read_bytes(), np.uint8).reshape(picture.shape)
        assert np.abs(picture.astype(int) - theirs).max() <= 1


def test_values_stay_bounded_whatever_the_symbols(model: HyperModel) -> None:
    rng = np.random.default_rng(0)

    def draw(name: str, site: ResidualSite) -> Any:
        assert site.scale.min() >= 0
        assert site.scale.max() < (BANDS * 6 if name == HYPER else 64)
        assert np.abs(site.mean).max() <= MEAN_MAX
        return rng.integers(-(2**20) + 1, 2**20, len(site.scale)).astype(np.int32)

    for setting in (0, 246):
        decoded = model.code(draw, 2, 2, setting)
        assert np.abs(decoded[NAME]).max() <= MEAN_MAX + CORRECTION_MAX


def test_networks_know_signals_in_the_finest_steps() -> None:
    assert coarser()[[0, 51, 255]].tolist() == [1 << 16, 1 << 15, 1 << 11]
    assert finer()[[0, 51, 255]].tolist() == [1 << 10, 1 << 11, 1 << 15]


def test_hyper_latents_code_themselves() -> None:
    torch.manual_seed(0)
    prior = FactorisedPrior(5)
    with torch.no_grad():
        prior.requires_grad_(False).log_spread += torch.linspace(-4, 2, 40).view(BANDS, 5)
        for value in prior.factors:
            value.uniform_(-1, 1)
    tables = prior.tables()
    assert all(int(row.sum()) == TOTAL for row in tables.rows)
    rng = np.random.default_rng(0)
    for setting in (0, 31, 32, 255):
        row = np.repeat(row_of(setting, 5), 40)
        site = ChannelSite(tables, row, np.zeros_like(row))
        z = np.rint(rng.normal(0, 2, 200)).astype(np.int32)
        expected = float(prior.bits(torch.from_numpy(z.reshape(1, 5, 5, 8)).float(), torch.tensor([float(setting)])))
        inside = np.abs(z) <= [tables.reach(i) for i in row]
        if inside.all():
            assert site.bits(z) == pytest.approx(expected, rel=1e-3, abs=0.1)
        z[3], z[77] = -5000, 2**20 - 1
        stack = AnsStack()
        before = stack.to_bytes()
        site.push(stack, z)
        assert stack.bits() == pytest.approx(site.bits(z) + 24, abs=9)
        assert (site.pop(stack) == z).all()
        assert stack.to_bytes() == before


def test_densities_are_whole() -> None:
    torch.manual_seed(3)
    prior = FactorisedPrior(4).double().requires_grad_(False)
    z = torch.arange(-400.0, 401).double().view(801, 1, 1, 1).expand(-1, 4, 1, 1)
    for channel in range(4):
        alone = torch.zeros_like(z)
        alone[:, channel] = z[:, channel]
        rest = float(prior.bits(torch.zeros(1, 4, 1, 1).double(), torch.zeros(1)))
        own = prior.bits(alone, torch.zeros(801))
        zero = float(own[400])
        assert zero == pytest.approx(rest)
        ratio = torch.exp2(-(own - zero))  # of masses to that of 0
        at_0 = float(prior.logit(torch.tensor([[0.5]] * 4).double() / torch.exp(prior.log_spread[0])[:, None])[channel])
        below = float(
            prior.logit(torch.tensor([[-0.5]] * 4).double() / torch.exp(prior.log_spread[0])[:, None])[channel]
        )
        mass = 1 / (1 + np.exp(-at_0)) - 1 / (1 + np.exp(-below))
        assert float(ratio.sum()) * mass == pytest.approx(1, abs=1e-6)
