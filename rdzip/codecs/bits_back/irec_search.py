"""The encoder's part of irec: from posteriors and priors of a level to the choices of its blocks. Floats."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.bits_back.options import Options
from rdzip.models.shared.sites import LatentSite
from rdzip.rec import index_code
from rdzip.rec.beam import TILT, Block, Search, steps_for
from rdzip.rec.gaussian import Targets, fitted_bend
from rdzip.rec.level import Choices, Cut, Level


def search(posterior: LatentSite, prior: LatentSite, options: Options) -> Level:
    """Choices for all samples of one level; posterior, prior: sites of the same shape [rows, ...]."""
    candidates = options.rec_settings.candidates
    variables = prod(prior.shape[1:])
    cut = Cut.of(options.seed, variables)
    moments: list[list[tuple[NDArray[np.float64], NDArray[np.float64]]]] = []
    steps: list[list[int]] = []
    for row in range(prior.rows):
        found = [targets(posterior, prior, row * variables + index) for index in cut.parts]
        moments.append([target.moments() for target in found])
        nats = [float(target.divergence().sum()) for target in found]
        steps.append([steps_for(n, options.omega) for n in nats])
    bends = [_bend(moments[row], steps[row]) for row in range(prior.rows)]
    blocks, places = [], []
    for row in range(prior.rows):
        for number, index in enumerate(cut.parts):
            if steps[row][number]:
                mean, variance = moments[row][number]
                exact = _exact(posterior, prior, row * variables + index)
                blocks.append(Block(mean, variance, steps[row][number], bends[row], number, exact))
                places.append((row, number))
    searched = Search(options.seed, options.beams, index_code.frequencies(candidates, TILT)).choices(blocks)
    choices: list[list[Choices]] = [[np.zeros(0, np.int64)] * cut.blocks for _ in range(prior.rows)]
    for (row, number), chosen in zip(places, searched, strict=True):
        choices[row][number] = chosen
    return Level(bends, choices)


def targets(posterior: LatentSite, prior: LatentSite, index: NDArray[np.integer]) -> Targets:
    """What is to be coded of some entries, by their numbers in row-major order."""
    return Targets(posterior.cumulative(index), prior.cumulative(index))


def _exact(
    posterior: LatentSite, prior: LatentSite, index: NDArray[np.integer]
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    return lambda g: targets(posterior, prior, index).log_ratio(g)


def _bend(moments: list[tuple[NDArray[np.float64], NDArray[np.float64]]], steps: list[int]) -> int:
    """One bend for all blocks of a sample's level, fitted to the longest."""
    longest = int(np.argmax(steps))
    return fitted_bend(*moments[longest], steps[longest]) if steps[longest] > 1 else 0
