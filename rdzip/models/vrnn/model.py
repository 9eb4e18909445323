"""Exact evaluation of a finished variational recurrent network: the forward of models/vrnn/network.py, on integers.

Matrix products run in torch on IntegerLinear layers (exact float32), all else in numpy on integers. The rows of a call
never mix, and no result depends on how rows are grouped.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rdzip.entropy.cdf import MixtureTables
from rdzip.entropy.philox import Philox
from rdzip.errors import InputError
from rdzip.exact.integers import ACT_MAX, INPUT_MAX
from rdzip.exact.layers import IntegerLinear
from rdzip.exact.types import Int32
from rdzip.models.shared.sites import BernoulliSite, GridSite
from rdzip.models.shared.units import MEAN_UNIT
from rdzip.models.vrnn.network import (
    CENTRE,
    GATE_ONE,
    LEVELS,
    MEAN_HIGH,
    MEAN_LOW,
    POSTERIOR_STEP,
    SCALE_GAIN,
    SCALE_LOW,
    STATE_UNIT,
    VrnnConfig,
)

Rolls = NDArray[np.uint8]


@dataclass(frozen=True)
class VrnnTables:
    """Tables of a model file. grid: of the latents; one int32 [1024]: frequencies of a one; gate int16 [1024] within
    0..256 and candidate int16 [1024] within -127..127, by the rounded output of a layer plus 512."""

    grid: MixtureTables
    one: Int32
    gate: NDArray[np.int16]
    candidate: NDArray[np.int16]


@dataclass
class VrnnState:
    """States int32 [rows, units], with what was computed from them kept for the rest of the step."""

    units: Int32
    kept: dict[str, Any] = field(default_factory=dict)

    def take(self, index: NDArray[np.integer]) -> VrnnState:
        """The state of some rows."""
        rows = np.asarray(index, np.int64)
        kept = {name: _taken(value, rows) for name, value in self.kept.items() if name != "posterior"}
        return VrnnState(self.units[rows], kept)


def _taken(value: Any, rows: NDArray[np.int64]) -> Any:
    if isinstance(value, tuple):
        return tuple(_taken(part, rows) for part in value)
    return value[torch.from_numpy(rows)] if isinstance(value, Tensor) else value[rows]


def _activate(h: Tensor) -> Tensor:
    return (h + 0.5).floor_().clamp_(0, ACT_MAX)


def _index(o: Tensor) -> NDArray[np.int64]:
    return np.clip(np.floor(o.numpy() + 0.5).astype(np.int64) + LEVELS // 2, 0, LEVELS - 1)


class VrnnModel:
    """A finished network, ready to code: a SequenceModel (models/latent_model.py) of binary steps [dims]."""

    def __init__(self, config: VrnnConfig, layers: dict[str, IntegerLinear], tables: VrnnTables) -> None:
        self.config = config
        self.tables = tables
        self._layers = layers
        self._gate = tables.gate.astype(np.int32)
        self._candidate = tables.candidate.astype(np.int32)

    def check_item(self, shape: tuple[int, ...]) -> None:
        """InputError unless steps have the number of keys of this model."""
        if tuple(shape) != (self.config.dims,):
            raise InputError(
                f"the model codes sequences of steps of {self.config.dims} values, found steps of shape {list(shape)}"
            )

    def values(self) -> int:
        """Entries are 0 or 1."""
        return 2

    def start(self, rows: int) -> VrnnState:
        """States before the first step."""
        return VrnnState(np.zeros((rows, self.config.state), np.int32))

    @torch.inference_mode()
    def prior(self, state: VrnnState) -> GridSite:
        """p(z_t | h)."""
        mean, scale = self._prior(state)
        return GridSite(self.tables.grid, mean, scale)

    @torch.inference_mode()
    def propose(self, state: VrnnState, x: Rolls) -> GridSite:
        """q(z_t | h, x_t), x uint8 [rows, dims] of zeros and ones."""
        mean, scale = self._prior(state)
        stream = self._recall(state)[1] + self._read(x)[:, : self.config.width]
        o = self._layers["q2"](_activate(stream))
        return GridSite(self.tables.grid, *self._gaussian(o, mean, scale + POSTERIOR_STEP))

    @torch.inference_mode()
    def emit(self, state: VrnnState, z: NDArray[Any]) -> BernoulliSite:
        """p(x_t | z_t, h), z symbols [rows, latents]."""
        stream = self._recall(state)[2] + self._look(z)[:, : self.config.width]
        return BernoulliSite(self.tables.one, _index(self._layers["e2"](_activate(stream))).astype(np.int32))

    @torch.inference_mode()
    def advance(self, state: VrnnState, z: NDArray[Any], x: Rolls) -> VrnnState:
        """The states after a step."""
        w = self.config.width
        stream = self._recall(state)[3] + self._look(z)[:, w:] + self._read(x)[:, w:]
        gate, candidate = np.split(_index(self._layers["a2"](_activate(stream))), 2, axis=1)
        pull = self._gate[gate] * (STATE_UNIT * self._candidate[candidate] - state.units)
        return VrnnState(state.units + ((pull + GATE_ONE // 2) // GATE_ONE))

    def _recall(self, state: VrnnState) -> tuple[Tensor, ...]:
        if "streams" not in state.kept:
            h = ((state.units + STATE_UNIT // 2) // STATE_UNIT).astype(np.float32)
            state.kept["streams"] = self._layers["h_fan"](torch.from_numpy(h)).split(self.config.width, 1)
        streams: tuple[Tensor, ...] = state.kept["streams"]
        return streams

    def _prior(self, state: VrnnState) -> tuple[Int32, Int32]:
        if "prior" not in state.kept:
            o = self._layers["p2"](_activate(self._recall(state)[0]))
            centre = np.full((len(state.units), self.config.latents), CENTRE * MEAN_UNIT, np.int32)
            state.kept["prior"] = self._gaussian(o, centre, np.full_like(centre, self.config.prior_scale))
        prior: tuple[Int32, Int32] = state.kept["prior"]
        return prior

    def _gaussian(self, o: Tensor, mean: Int32, scale: Int32) -> tuple[Int32, Int32]:
        values = o.numpy().astype(np.float64)
        offset, spread = np.split(values, 2, axis=1)
        mean = mean + np.floor(offset * (MEAN_UNIT // self.config.latent_gain) + 0.5).astype(np.int32)
        scale = scale + np.floor(spread * SCALE_GAIN + 0.5).astype(np.int32)
        return (
            np.clip(mean, MEAN_LOW * MEAN_UNIT, MEAN_HIGH * MEAN_UNIT),
            np.clip(scale, SCALE_LOW, self.config.largest_scale),
        )

    def _read(self, x: Rolls) -> Tensor:
        inputs = torch.from_numpy((x != 0) * np.float32(INPUT_MAX))
        f = _activate(self._layers["x2"](_activate(self._layers["x1"](inputs))))
        return self._layers["x_fan"](f)

    def _look(self, z: NDArray[Any]) -> Tensor:
        inputs = np.clip((z.astype(np.float32) - CENTRE) * self.config.latent_gain, -INPUT_MAX, INPUT_MAX)
        return self._layers["z_fan"](_activate(self._layers["z1"](torch.from_numpy(inputs))))

    def known_answer(self) -> str:
        """SHA-256 in hex of the distributions along fixed pseudo-random sequences, in batches of several sizes."""
        digest = hashlib.sha256()
        words = Philox(seed=2026, stream=88)
        start = 0
        c = self.config
        for rows in (1, 3, 20):
            state = self.start(rows)
            for _ in range(5):
                w = words.words(start, rows * (c.dims + c.latents)).astype(np.int64).reshape(rows, -1)
                start += w.size
                x = (w[:, : c.dims] % 16 == 0).astype(np.uint8)
                z = (w[:, c.dims :] >> 24).astype(np.uint8)
                prior, proposal, emission = self.prior(state), self.propose(state, x), self.emit(state, z)
                state = self.advance(state, z, x)
                for part in (prior.mean, prior.scale, proposal.mean, proposal.scale, emission.index, state.units):
                    digest.update(np.ascontiguousarray(part, "<i4").tobytes())
                for site in (prior, proposal):
                    begin, size = site.interval(z)
                    digest.update(np.ascontiguousarray(begin + (size << 24), "<i8").tobytes())
        return digest.hexdigest()
