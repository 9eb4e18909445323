"""Codec "irec": latents by relative entropy coding, samples by their likelihood. Every sample stands alone.

Latents are coded level by level, in the model's order p. Each level's variables are cut into blocks; of a block the
file holds how many auxiliary variables it has and which candidates were chosen for them (docs/reference/irec.md). There
is no posterior for a decoder to compute, no stack to pop from, and so no initial bits: one image costs what each of
many does.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.bits_back.options import Options
from rdzip.entropy import normal
from rdzip.entropy.ans import AnsStack
from rdzip.exact.types import Float64
from rdzip.models.latent_model import SAMPLE, LatentModel, Samples, Shape
from rdzip.models.shared.sites import LatentSite, Site
from rdzip.rec import index_code
from rdzip.rec.level import Cut, Level


def _latents(level: Level, prior: LatentSite, seed: int) -> NDArray[Any]:
    """Symbols [rows, ...] that choices stand for under a prior."""
    values = level.values(seed, prod(prior.shape[1:]))
    return prior.quantile(normal.to_uniform(values).reshape(prior.shape))


class _Reached(Exception):
    """A program has come to the draw that was asked for."""

    def __init__(self, name: str, site: Site) -> None:
        super().__init__(name)
        self.name, self.site = name, site


def _next(program: Callable[[Any], Any], latents: dict[str, NDArray[Any]], name: str = "") -> _Reached:
    """The first draw of a program that `latents` lacks, or the one named; others before it are drawn as medians."""

    def draw(this: str, site: Site) -> NDArray[Any]:
        if this == name or (not name and this not in latents):
            raise _Reached(this, site)
        if this not in latents:
            latent = cast(LatentSite, site)
            latents[this] = latent.quantile(np.full(latent.shape, 1 << 23))
        return latents[this]

    try:
        program(draw)
    except _Reached as reached:
        return reached
    raise ValueError(f"the program has no draw {name}")


def encode(model: LatentModel, x: Samples, stack: AnsStack, options: Options) -> Float64:
    """Push samples [rows, *shape]; the ideal bits of each row, float64 [rows], at the latents that were found."""
    from rdzip.codecs.bits_back.irec_search import search

    candidates = options.rec_settings.candidates
    levels: list[Level] = []
    latents: dict[str, NDArray[Any]] = {}
    ideal = np.zeros(len(x))
    while True:
        reached = _next(lambda draw: model.generate(len(x), x.shape[1:], draw), latents)
        if reached.name == SAMPLE:
            break
        prior = cast(LatentSite, reached.site)
        guessed = dict(latents)
        posterior = _next(lambda draw: model.infer(x, draw, options.refine), guessed, reached.name).site
        level = search(cast(LatentSite, posterior), prior, options)
        z = _latents(level, prior, options.seed)
        ideal += prior.bits(z) - posterior.bits(z)
        latents[reached.name] = z
        levels.append(level)
    choices = [chosen for level in levels for row in level.choices for chosen in row]
    exponent = index_code.fitted(np.concatenate(choices), candidates)
    reached.site.push(stack, x)
    for level in reversed(levels):
        level.push(stack, candidates, exponent)
    stack.push_uniform(np.array([exponent]), np.array([index_code.EXPONENTS]))
    return ideal + reached.site.bits(x)


def decode(model: LatentModel, rows: int, shape: Shape, stack: AnsStack, options: Options) -> Samples:
    """Pop samples [rows, *shape]; CoderError if the stack holds less, or what no encoder writes.

    Arguments as of rdzip.codecs.bits_back.chain.Coder.
    """
    candidates = options.rec_settings.candidates
    exponent = int(stack.pop_uniform(np.array([index_code.EXPONENTS]))[0])

    def draw(name: str, site: Site) -> NDArray[Any]:
        if name == SAMPLE:
            return site.pop(stack)
        latent = cast(LatentSite, site)
        blocks = Cut.of(options.seed, prod(latent.shape[1:])).blocks
        return _latents(Level.pop(stack, rows, blocks, candidates, exponent), latent, options.seed)

    return model.generate(rows, shape, draw)
