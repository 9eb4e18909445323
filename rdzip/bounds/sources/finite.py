"""Finite sets of samples, in a training part and a held-out part that never mix."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.errors import InputError

Stored = NDArray[np.float32] | NDArray[np.uint8]


class FiniteSource:
    """Samples float32 or uint8 [n, *shape] in two parts; uint8 ones are images, handed out divided by 255."""

    unlimited = False
    variances = None

    def __init__(
        self, name: str, train: NDArray[Any], held_out: NDArray[Any], groups: NDArray[np.int64] | None = None
    ) -> None:
        """Take both parts; InputError where one has no samples, or one that is not finite, or all samples are equal.

        groups [held_out_count]: numbers of what depends on each other among held-out samples, as frames of a recording
        do; None where all are independent.
        """
        self.name = name
        self._train, self._held_out = (_checked(name, part) for part in (train, held_out))
        if len(self._train) > 1 and bool((self._train == self._train[:1]).all()):
            raise InputError(
                f"{name}: expected samples that differ, found {len(self._train)} equal ones: its R(D) is 0"
            )
        self._groups, self.grouped = groups, groups is not None
        self.shape: tuple[int, ...] = self._train.shape[1:]
        self.dim = prod(self.shape)

    @property
    def train_count(self) -> int | None:
        """Samples in the training part."""
        return len(self._train)

    @property
    def held_out_count(self) -> int | None:
        """Samples in the held-out part."""
        return len(self._held_out)

    def train(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Samples [n, *shape] of the training part, with replacement."""
        return _as_floats(self._train[rng.integers(len(self._train), size=n)])

    def train_once(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Different samples [min(n, train_count), *shape] of the training part."""
        return _as_floats(self._train[_some(len(self._train), n, rng)])

    def held_out(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Different samples [min(n, held_out_count), *shape] of the held-out part."""
        return _as_floats(self._held_out[_some(len(self._held_out), n, rng)])

    def held_out_halves(self, n: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Different samples of the held-out part, min(n, held_out_count) in all, in two halves.

        A group is in one half as a whole: the first, third, ... group in one, the others in the other.
        """
        chosen = _some(len(self._held_out), n, rng)
        second = np.arange(len(chosen)) % 2 if self._groups is None else _ranks(self._groups)[chosen] % 2
        return _as_floats(self._held_out[chosen[second == 0]]), _as_floats(self._held_out[chosen[second == 1]])

    def log_density(self, x: NDArray[Any]) -> NDArray[np.float64] | None:
        """None: the density of data is not known."""
        return None


def split(name: str, samples: NDArray[Any], seed: int, held_out: float) -> FiniteSource:
    """Part samples [n, *shape] at random: the share `held_out` of them, at least one, is kept from training."""
    count = max(1, round(len(samples) * held_out))
    if len(samples) - count < 1:
        raise InputError(f"{name}: expected at least 2 samples, found {len(samples)}: one to fit with, one to hold out")
    order = np.random.default_rng(seed).permutation(len(samples))
    return FiniteSource(name, samples[np.sort(order[count:])], samples[np.sort(order[:count])])


def _checked(name: str, part: NDArray[Any]) -> Stored:
    if not part.size:
        raise InputError(f"{name}: expected samples, found an array of shape {list(part.shape)}")
    if part.dtype == np.uint8:
        return part
    with np.errstate(over="ignore"):
        stored = part.astype(np.float32)
    wrong = ~np.isfinite(stored.reshape(len(stored), -1)).all(1)
    if wrong.any():
        raise InputError(
            f"{name}: expected finite samples, found {int(wrong.sum())} of {len(part)} with NaN or infinite values: "
            "take them out"
        )
    return stored


def _some(count: int, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    chosen: NDArray[np.int64] = rng.choice(count, size=min(n, count), replace=False)
    return chosen


def _ranks(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    ranks: NDArray[np.int64] = np.unique(groups, return_inverse=True)[1].reshape(-1)
    return ranks


def _as_floats(samples: Stored) -> NDArray[np.float32]:
    floats = samples.astype(np.float32)
    return floats / np.float32(255) if samples.dtype == np.uint8 else floats
