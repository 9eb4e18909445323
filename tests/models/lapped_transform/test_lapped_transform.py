"""The lossy model: its program is what it trains, its quantiser pays, its file is checked."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import tiny_transform

from rdzip.errors import ModelError
from rdzip.models import build, check_known_answer, model_file
from rdzip.models.lapped_transform.file import from_tensors, to_tensors
from rdzip.models.lapped_transform.model import LAGRANGE, NAME, TransformModel, TransformNet, chosen
from rdzip.models.shared.residual_site import ResidualSite
from rdzip.models.shared.settings import (
    MEAN_MAX,
    SETTINGS,
    UNIT,
    residual_bits,
    setting_planes,
    squash,
    squash_table,
    step_size,
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> TransformModel:
    path = tiny_transform.write(tmp_path_factory.mktemp("model") / "tiny.safetensors")
    found = build(*model_file.read(path))
    check_known_answer(found, model_file.read_meta(path))
    assert isinstance(found, TransformModel)
    return found


def plain() -> tuple[TransformNet, TransformModel]:
    """A network as it is before training, and its model."""
    torch.manual_seed(0)
    net = TransformNet(tiny_transform.CONFIG)
    meta = {"architecture": "transform-code", "version": 1, "codecs": ["channel-ar"], "network": net.config.as_dict()}
    return net, from_tensors(to_tensors(net), meta)


def picture(rows: int, columns: int, seed: int = 0) -> torch.Tensor:
    """A smooth picture with some noise [1, 3, 8 rows, 8 columns]."""
    y, x = np.mgrid[: 8 * rows, : 8 * columns] / 8
    waves = [0.5 + 0.3 * np.sin(y * a + x * b) for a, b in ((0.7, 0.4), (0.2, 0.9), (0.5, -0.3))]
    noise = np.random.default_rng(seed).normal(0, 0.02, (3, 8 * rows, 8 * columns))
    return torch.from_numpy((np.stack(waves) + noise).astype(np.float32)).clamp(0, 1)[None]


def encoded(model: TransformModel, x: torch.Tensor, setting: int) -> tuple[list[tuple[ResidualSite, Any]], Any]:
    latents = model.analyse(x, setting)
    found = []

    def draw(name: str, site: ResidualSite) -> Any:
        found.append((site, model.quantise(latents, name, site)))
        return found[-1][1]

    return found, model.code(draw, x.shape[2] // 8, x.shape[3] // 8, setting)


@pytest.mark.parametrize(("rows", "columns", "setting"), [(1, 1, 0), (1, 7, 200), (9, 4, 255), (6, 6, 90)])
def test_the_program_replays(model: TransformModel, rows: int, columns: int, setting: int) -> None:
    coded, decoded = encoded(model, picture(rows, columns), setting)
    again = iter(coded)

    def replay(name: str, site: ResidualSite) -> Any:
        before, symbols = next(again)
        assert (before.scale == site.scale).all()
        assert (before.mean == site.mean).all()
        return symbols

    repeated = model.code(replay, rows, columns, setting)
    assert decoded[NAME].shape == (192, rows, columns)
    assert (repeated[NAME] == decoded[NAME]).all()
    assert sum(len(site.scale) for site, _ in coded) == 192 * rows * columns


def test_what_trains_is_what_codes() -> None:
    x, setting = picture(8, 8), 60
    net, model = plain()
    with torch.no_grad():
        found, bits = net(x, torch.tensor([float(setting)]))
    coded, decoded = encoded(model, x, setting)
    assert sum(site.bits(symbols) for site, symbols in coded) == pytest.approx(float(bits), rel=0.01)
    assert float((model.synthesise(decoded, setting) - found).abs().mean()) < 2e-3


def test_an_untrained_code_is_a_lapped_transform_that_works_at_all_settings() -> None:
    _, model = plain()
    x = picture(8, 8)
    rates, errors = [], []
    for setting in (0, 128, 255):
        coded, decoded = encoded(model, x, setting)
        rates.append(sum(site.bits(symbols) for site, symbols in coded))
        errors.append(float((model.synthesise(decoded, setting) - x).square().mean()))
    assert rates == sorted(rates, reverse=True)
    assert errors == sorted(errors)
    assert 0.8 < errors[0] * 255**2 / (6**2 / 12) < 2  # of a uniform quantiser, or a little more by its dead zone


def test_qualities_are_settings(model: TransformModel) -> None:
    settings = [model.setting_of(quality) for quality in range(1, 101)]
    assert settings == sorted(set(settings), reverse=True)
    assert (settings[0], settings[-1]) == (SETTINGS - 1, 0)


def test_halo_is_beyond_what_the_transforms_see(model: TransformModel) -> None:
    x = picture(24, 24)
    y = model.analyse(x, 100)[NAME]
    part = model.analyse(x[:, :, : 8 * 20], 100)[NAME]
    seen = 20 - model.halo
    assert float((y[:, :, :seen] - part[:, :, :seen]).abs().max()) < 1e-3
    values = {NAME: np.round(y[0].numpy() * UNIT).astype(np.int32)}
    whole = model.synthesise(values, 100)
    piece = model.synthesise({NAME: values[NAME][:, :20]}, 100)
    assert float((whole[:, :, : 8 * seen] - piece[:, :, : 8 * seen]).abs().max()) < 1e-4


def test_the_quantiser_takes_what_costs_least() -> None:
    residual = torch.linspace(-4, 4, 161)
    for index in (0.0, 10.0, 30.0):
        at = torch.full_like(residual, index)
        found = chosen(residual, at)
        cost = residual_bits(found, at) + LAGRANGE * (residual - found) ** 2
        for other in (torch.floor(residual), torch.ceil(residual)):
            nearer_zero_or_nearest = (other.abs() <= residual.abs()) | ((other - residual).abs() <= 0.5)
            other_cost = residual_bits(other, at) + LAGRANGE * (residual - other) ** 2
            assert bool((cost <= other_cost + 1e-4)[nearer_zero_or_nearest].all())


def test_bits_are_those_of_a_logistic_law() -> None:
    s = 0.05 * 2 ** (25 / 5)
    mass = 1 / (1 + math.exp(-(2.5 / s))) - 1 / (1 + math.exp(-(1.5 / s)))
    found = residual_bits(torch.tensor([2.0, -2.0]), torch.tensor([25.0, 25.0]))
    assert found.tolist() == pytest.approx([-math.log2(mass)] * 2, rel=1e-5)


def test_the_table_is_the_function_that_trained() -> None:
    table = squash_table()
    v = torch.arange(-40_000, 40_000, dtype=torch.float64)
    looked_up = torch.where(v < 0, -1, 1) * table[v.abs().clamp_max(len(table) - 1).long()]
    assert bool((looked_up == squash(v)).all())


def test_settings_are_exact_planes_and_steps_of_five_octaves() -> None:
    planes = setting_planes(torch.arange(SETTINGS))
    assert bool((planes == planes.round()).all())
    assert float(planes.abs().max()) <= 128
    assert len({tuple(row.flatten().tolist()) for row in planes}) == SETTINGS
    setting_count = step_size(torch.tensor([0.0, 255.0])).flatten() * 255
    assert setting_count.tolist() == pytest.approx([6.0, 192.0])


def test_values_stay_bounded_whatever_the_symbols(model: TransformModel) -> None:
    rng = np.random.default_rng(0)

    def draw(name: str, site: ResidualSite) -> Any:
        assert site.scale.min() >= 0
        assert site.scale.max() < 64
        assert np.abs(site.mean).max() <= MEAN_MAX
        return rng.integers(-(2**20) + 1, 2**20, len(site.scale)).astype(np.int32)

    decoded = model.code(draw, 5, 5, 0)
    assert np.abs(decoded[NAME]).max() <= MEAN_MAX


def test_hostile_files_are_refused() -> None:
    net = tiny_transform.net()
    tensors = to_tensors(net)
    meta: dict[str, Any] = {"architecture": "transform-code", "version": 1, "codecs": ["channel-ar"],
                            "network": net.config.as_dict()}  # fmt: skip
    from_tensors(tensors, meta)
    slices = meta["network"]["slices"]
    wrong: list[dict[str, Any]] = [
        {"version": 2},
        {"network": {}},
        {"network": meta["network"] | {"widths": [8, 8, 10**6]}},
        {"network": meta["network"] | {"widths": [8, 8]}},
        {"network": meta["network"] | {"blocks": -1}},
        {"network": meta["network"] | {"slices": slices | {"slices": [3, 8, 16, 500]}}},
        {"network": meta["network"] | {"slices": slices | {"passes": [4, 3, 1]}}},
        {"network": meta["network"] | {"slices": slices | {"width": 32}}},
    ]
    for change in wrong:
        with pytest.raises(ModelError):
            from_tensors(tensors, meta | change)
    wide = {"widths": [1024] * 3, "slices": slices | {"width": 1024}}
    with pytest.raises(ModelError, match="larger than its tensors"):  # before it takes gigabytes
        from_tensors(tensors, meta | {"network": meta["network"] | wide})
    for name in ("slices.base", "slices.squash", "slices.enter.weight", "residual.lengths"):
        with pytest.raises(ModelError):
            from_tensors({key: value for key, value in tensors.items() if key != name}, meta)
        with pytest.raises(ModelError):
            from_tensors(tensors | {name: tensors[name].astype(np.int16)}, meta)
    name = next(name for name in tensors if name.startswith("float."))
    with pytest.raises(ModelError):
        from_tensors(tensors | {name: tensors[name][:1]}, meta)


def test_the_file_is_written_whole(tmp_path: Path) -> None:
    first, second = (tiny_transform.write(tmp_path / name / "tiny.safetensors") for name in "ab")
    assert first.read_bytes() == second.read_bytes()
