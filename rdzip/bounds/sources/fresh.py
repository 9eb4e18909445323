"""What sources with endless samples have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Fresh(ABC):
    """A source that is drawn from at will; what is held out is drawn by numbers that no training draw uses."""

    unlimited = True
    train_count: int | None = None
    held_out_count: int | None = None

    def __init__(self, name: str, shape: tuple[int, ...]) -> None:
        self.name = name
        self.shape = shape
        self.dim = prod(shape)

    @property
    def variances(self) -> NDArray[np.float64] | None:
        """None, unless the source is Gaussian with independent coordinates."""
        return None

    @abstractmethod
    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Samples [n, *shape]."""

    def train(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Samples [n, *shape]."""
        return self.draw(n, rng)

    def held_out(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Samples [n, *shape]; others than those of `train` even where rng is in the same state."""
        return self.draw(n, np.random.default_rng([0x48454C44, *rng.integers(2**32, size=4).tolist()]))

    def log_density(self, x: NDArray[Any]) -> NDArray[np.float64] | None:
        """None, unless a source knows its density."""
        return None
