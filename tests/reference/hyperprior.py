"""The program of "hyper-code", written from docs/reference/lossy.md, section 4, alone, in Python integers."""

from __future__ import annotations

from typing import Any

from reference.container import clip
from reference.images import Array, filled, flattened, mapped, shaped, unsqueezed
from reference.residuals import MOST, Integers, rounded
from reference.sites import Stack


def activations(o: Array) -> Array:
    """Inputs of the next layer, of outputs in 2**-11."""
    return mapped(lambda v: clip((v + 1024) >> 11, 0, 255), o)


class HyperProgram(Integers):
    """The integers of "hyper-code"."""

    side = 64
    hyper_gain = 4

    def __init__(self, tensors: dict[str, Any], document: dict[str, Any]) -> None:
        super().__init__(tensors)
        self.network = document["network"]
        self.settings = 256 - self.network["finest"]
        self.hyper_tables = self.read_tables("hyper")

    def decode(self, stack: Stack, rows: int, columns: int, setting: int) -> dict[str, Array]:
        """Latents and hyper-latents of a tile."""
        self.stack, self.rows, self.columns = stack, rows, columns
        s = self.network["finest"] + setting
        self.coarser, self.finer = self.tensors["slices.coarser"][s], self.tensors["slices.finer"][s]
        self.base = (11220 - 50 * s + 255) // 510
        z = self.hyper_latents(s)
        told = mapped(lambda v: clip(self.hyper_gain * v, -127, 127), z)
        told += [filled(p, 1, rows, columns)[0] for p in self.planes_of(s)]
        features = [self.tower(t, told) for t in range(self.network["towers"])]
        found: Array = []
        known: Array = []
        for i in range(self.network["slices"]):
            y = self.slice(i, features[0] + known, features[-1] + known)
            found += y
            if i < self.network["support"]:
                known = known + self.seen(y)
        return {"y": found, "z": z}

    def hyper_latents(self, s: int) -> Array:
        hyper, cells = self.network["hyper"], self.rows * self.columns
        choices = [s // 32 * hyper + c for c in range(hyper) for _ in range(cells)]
        return shaped(self.pop(choices, self.hyper_tables), (hyper, self.rows, self.columns))

    def tower(self, t: int, told: Array) -> Array:
        """Features at four times the resolution."""
        h = activations(unsqueezed(self.conv(f"towers.{t}.first", told)))
        h = activations(unsqueezed(self.conv(f"towers.{t}.second", h)))
        return activations(self.conv(f"towers.{t}.last.0", h)) if len(self.network["hyper_synthesis"]) == 3 else h

    def head(self, name: str, h: Array) -> Array:
        """Outputs in 2**-11."""
        for j in range(len(self.network["heads"])):
            h = activations(self.conv(f"{name}.hidden.{j}", h, self.network["kernel"]))
        return self.conv(f"{name}.out", h)

    def slice(self, i: int, of_means: Array, of_scales: Array) -> Array:
        """Latents of a slice."""
        means = mapped(
            lambda o: clip(rounded(o, 2 * self.coarser, 1 << 16), -MOST, MOST), self.head(f"means.{i}", of_means)
        )
        scales = mapped(lambda o: clip(rounded(o, 1, 4) + self.base, 0, 63), self.head(f"scales.{i}", of_scales))
        y = self.values(means, scales)
        if self.network["residual"]:
            outputs = self.head(f"corrections.{i}", of_means + self.seen(y))
            y = mapped(lambda v, o: v + clip(rounded(o, 1, 1), -7, 7), y, outputs)
        return y

    def values(self, means: Array, scales: Array) -> Array:
        """Latents by their distributions."""
        symbols = shaped(self.pop(flattened(scales), self.tables), (len(means), 4 * self.rows, 4 * self.columns))
        return mapped(lambda r, m: clip(16 * r + m, -MOST, MOST), symbols, means)

    def seen(self, y: Array) -> Array:
        """Inputs of heads."""
        return mapped(lambda v: self.squash((2 * self.finer * v + 1024) >> 11), y)
