"""The recurrent model: what trains is what codes, to the integer, however rows are grouped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import tiny_vrnn

from rdzip.errors import InputError, ModelError
from rdzip.models import build, check_known_answer, model_file
from rdzip.models.shared.sites import GridSite
from rdzip.models.vrnn.file import table_tensors
from rdzip.models.vrnn.model import VrnnModel
from rdzip.models.vrnn.network import LEVELS, Step

STEPS, ROWS = 12, 7


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_vrnn.write(tmp_path_factory.mktemp("vrnn") / "tiny.safetensors")


@pytest.fixture(scope="module")
def model(path: Path) -> VrnnModel:
    tensors, meta = model_file.read(path)
    made = build(tensors, meta)
    check_known_answer(made, meta)
    assert isinstance(made, VrnnModel)
    return made


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    x = (rng.random((STEPS, ROWS, 88)) < 0.05).astype(np.uint8)
    return x, rng.integers(0, 256, (STEPS, ROWS, tiny_vrnn.CONFIG.latents)).astype(np.uint8)


def walk(model: VrnnModel, rows: np.ndarray) -> list[np.ndarray]:
    """All integers of a walk along fixed data, for some rows."""
    x, z = data()
    state = model.start(len(rows))
    found = []
    for t in range(STEPS):
        prior, proposal = model.prior(state), model.propose(state, x[t, rows])
        emission = model.emit(state, z[t, rows])
        state = model.advance(state, z[t, rows], x[t, rows])
        found += [prior.mean, prior.scale, proposal.mean, proposal.scale, emission.index, state.units]
    return found


def test_training_and_coding_compute_the_same_integers(model: VrnnModel) -> None:
    x, z = data()
    step = Step(tiny_vrnn.net())
    state = torch.zeros(ROWS, tiny_vrnn.CONFIG.state)
    found = []
    with torch.no_grad():
        for t in range(STEPS):
            posterior_of_x, advance_of_x = step.read(torch.from_numpy(x[t]).float())
            of_prior, of_posterior, of_emission, of_advance = step.recall(state)
            prior = step.prior(of_prior)
            posterior = step.posterior(of_posterior + posterior_of_x, prior)
            emission_of_z, advance_of_z = step.look(torch.from_numpy(z[t]).float())
            logit = step.emission(of_emission + emission_of_z)
            state = step.advance(state, of_advance + advance_of_x + advance_of_z)
            found += [prior.mean, prior.scale, posterior.mean, posterior.scale, logit + LEVELS // 2, state]
    for a, b in zip(found, walk(model, np.arange(ROWS)), strict=True):
        np.testing.assert_array_equal(a.numpy(), b)


def test_rows_do_not_depend_on_their_group(model: VrnnModel) -> None:
    whole = walk(model, np.arange(ROWS))
    assert any(len(np.unique(part)) > 20 for part in whole), "the model must do something"
    for rows in (np.array([3]), np.array([6, 0, 3, 3])):
        for a, b in zip(whole, walk(model, rows), strict=True):
            np.testing.assert_array_equal(a[rows], b)


def test_a_taken_state_goes_on_as_its_rows(model: VrnnModel) -> None:
    x, z = data()
    state = model.advance(model.start(ROWS), z[0], x[0])
    model.propose(state, x[1])
    rows = np.array([5, 5, 1])
    taken = state.take(rows)
    a, b = model.propose(taken, x[1, rows]), model.propose(state, x[1]).take(rows)
    np.testing.assert_array_equal(a.mean, b.mean)
    np.testing.assert_array_equal(a.scale, b.scale)
    np.testing.assert_array_equal(
        model.advance(taken, z[1, rows], x[1, rows]).units, model.advance(state, z[1], x[1]).units[rows]
    )


def test_the_grid_holds_a_normal_distribution(model: VrnnModel) -> None:
    mean, scale = np.full((1, 3), 128 * 64, np.int32), np.full((1, 3), 48, np.int32)
    site = GridSite(model.tables.grid, mean, scale)
    symbols = np.array([[128, 140, 90]], np.uint8)
    assert abs(site.bits(symbols)[0] + site.log2(symbols)[0] / 2**16) < 0.1  # of 20 bits, by tables of 16 bits


def test_tables_are_symmetric_and_within_bounds() -> None:
    tables = table_tensors()
    gate, candidate = tables["gate"].astype(int), tables["candidate"].astype(int)
    assert gate[LEVELS // 2] == 128
    assert candidate[LEVELS // 2] == 0
    assert np.abs(candidate[1:] + candidate[:0:-1]).max() <= 1
    assert (np.diff(tables["emission"]) >= 0).all()


def test_steps_of_other_sizes_are_refused(model: VrnnModel) -> None:
    model.check_item((88,))
    with pytest.raises(InputError, match="steps of 88 values, found steps of shape"):
        model.check_item((28, 28))


@pytest.mark.parametrize("change", ["version", "network", "missing", "table", "size"])
def test_broken_model_files_are_refused(path: Path, change: str) -> None:
    tensors, meta = model_file.read(path)
    if change == "version":
        meta["version"] = 9
    elif change == "network":
        meta["network"]["latents"] = -1
    elif change == "missing":
        del tensors["p2.weight"]
    elif change == "table":
        tensors["gate"][3] = 999
    else:
        tensors["x1.weight"] = tensors["x1.weight"][:, 1:]
    with pytest.raises(ModelError, match="model: "):
        build(tensors, meta)
