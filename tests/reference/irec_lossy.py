"""The program of "irec-code", written from docs/reference/lossy.md alone, in Python integers."""

from __future__ import annotations

from reference.container import clip, need
from reference.hyperprior import HyperProgram
from reference.images import Array, flattened, shaped
from reference.irec import LIMITS, normals, number_of_candidates, power_law
from reference.residuals import MOST


class IrecProgram(HyperProgram):
    """The integers of "irec-code"."""

    hyper_gain = 1

    def search(self, numbers: list[int]) -> None:
        """Take the numbers of a payload's head."""
        need(all(low <= n <= high for n, (low, high) in zip(numbers, LIMITS, strict=True)), "numbers of the search")
        omega, epsilon, _, self.seed = numbers
        self.candidates = number_of_candidates(omega, epsilon)

    def hyper_latents(self, s: int) -> Array:
        hyper, cells = self.network["hyper"], self.rows * self.columns
        if not hyper:
            return []
        deviations = [d for d in self.tensors["normal.hyper"][s // 32] for _ in range(cells)]
        return shaped(self.normal([0] * len(deviations), deviations), (hyper, self.rows, self.columns))

    def values(self, means: Array, scales: Array) -> Array:
        deviations = [self.tensors["normal.deviation"][scale] for scale in flattened(scales)]
        found = self.normal(flattened(means), deviations)
        return shaped(found, (len(means), 4 * self.rows, 4 * self.columns))

    def normal(self, means: list[int], deviations: list[int]) -> list[int]:
        """Values of normal distributions."""
        law = power_law(self.stack, self.candidates)
        (row,) = normals(1, len(means), self.stack, law, self.seed)
        return [
            clip(m + (d * g + (1 << 23) >> 24), -MOST, MOST) for m, d, g in zip(means, deviations, row, strict=True)
        ]
