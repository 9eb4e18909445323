"""What codecs ask of models with latent variables.

A model is a pair of programs in the sense of probabilistic programming: ``infer`` draws the latents from the
approximate posterior, ``generate`` draws them and then the sample from the model. Each draw names its variable and
hands its site to the codec, which pops the symbols from a stack, or tells those that it knows already. So one codec
serves any order and number of latents.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rdzip.models.shared.sites import LatentSite, Site

Samples = NDArray[np.uint8]
Shape = tuple[int, ...]
Draw = Callable[[str, Site], NDArray[Any]]
SAMPLE = "x"
"""Name of the sample's own draw in ``generate``."""


class LatentModel(Protocol):
    """A model of samples uint8 [rows, *shape] with latents."""

    def known_answer(self) -> str:
        """SHA-256 in hex of tables for a fixed input, as every model has it."""
        ...

    def check_item(self, shape: Shape) -> None:
        """InputError, in one line, unless samples of this shape can be coded."""
        ...

    def values(self) -> int:
        """Number of values of a sample's entries: 2 or 256."""
        ...

    def infer(self, x: Samples, draw: Draw, refine: int = 0) -> None:
        """Draw each latent from its posterior given samples [rows, *shape]. refine: steps of iterative inference."""
        ...

    def generate(self, rows: int, shape: Shape, draw: Draw) -> Samples:
        """Draw each latent from its prior, in the model's order, then the samples (named "x"), which are returned."""
        ...


class MarkovModel(LatentModel, Protocol):
    """A chain of latents z_1 .. z_L: q(z_1|x) q(z_2|z_1) ... and p(z_L) p(z_{L-1}|z_L) ... p(x|z_1)."""

    levels: int

    def infer_site(self, level: int, below: NDArray[Any]) -> Site:
        """q(z_level | z_{level-1}), level 1..L; below is the sample for level 1."""
        ...

    def generate_site(self, level: int, above: NDArray[Any], shape: Shape) -> Site:
        """p(z_level | z_{level+1}), level 0..L-1, where z_0 is the sample; shape: of one sample."""
        ...

    def top_site(self, rows: int, shape: Shape) -> Site:
        """p(z_L); shape: of one sample."""
        ...


class State(Protocol):
    """What a sequence model knows of the steps so far, for each row."""

    def take(self, index: NDArray[np.integer]) -> State:
        """The state of some rows, by their numbers."""
        ...


class SequenceModel(Protocol):
    """A model of sequences uint8 [steps, dims], one latent a step given the past: p(z_t|h) p(x_t|z_t, h).

    States that a model takes are those that it made.
    """

    def known_answer(self) -> str:
        """SHA-256 in hex of tables for a fixed input, as every model has it."""
        ...

    def check_item(self, shape: Shape) -> None:
        """InputError, in one line, unless sequences of steps of this shape (dims,) can be coded."""
        ...

    def values(self) -> int:
        """Number of values of an entry of a step."""
        ...

    def start(self, rows: int) -> State:
        """The state before the first step."""
        ...

    def propose(self, state: Any, x: Samples) -> LatentSite:
        """q(z_t | h, x_t), x uint8 [rows, dims]."""
        ...

    def prior(self, state: Any) -> LatentSite:
        """p(z_t | h)."""
        ...

    def emit(self, state: Any, z: NDArray[Any]) -> Site:
        """p(x_t | z_t, h)."""
        ...

    def advance(self, state: Any, z: NDArray[Any], x: Samples) -> State:
        """The state after a step."""
        ...
