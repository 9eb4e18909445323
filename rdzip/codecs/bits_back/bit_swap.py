"""Codec "bit-swap": bits back level by level on a Markov chain of latents (Kingma, Abbeel & Ho 2019, algorithm 1).

    pop z_1 ~ q(z_1|x), push x ~ p(x|z_1), pop z_2 ~ q(z_2|z_1), push z_1 ~ p(z_1|z_2), ..., push z_L ~ p(z_L)

The net rate is that of bb-ans on the same model; but each pop finds what the push before it has put on the stack, so
that the initial bits are those of about one level instead of all.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.bits_back.options import Options
from rdzip.entropy.ans import AnsStack
from rdzip.errors import InputError
from rdzip.exact.types import Float64
from rdzip.models.latent_model import LatentModel, MarkovModel, Samples, Shape


def _markov(model: LatentModel) -> MarkovModel:
    if not hasattr(model, "top_site"):
        raise InputError("bit-swap needs a model whose latents form a Markov chain: use bb-ans with this model")
    return cast(MarkovModel, model)


def encode(model: LatentModel, x: Samples, stack: AnsStack, options: Options) -> Float64:
    """Push samples [rows, *shape]; the ideal bits of each row, float64 [rows]."""
    markov, shape = _markov(model), x.shape[1:]
    below: NDArray[Any] = x
    ideal = np.zeros(len(x))
    for level in range(1, markov.levels + 1):
        posterior = markov.infer_site(level, below)
        z = posterior.pop(stack)
        likelihood = markov.generate_site(level - 1, z, shape)
        likelihood.push(stack, below)
        ideal += likelihood.bits(below) - posterior.bits(z)
        below = z
    top = markov.top_site(len(x), shape)
    top.push(stack, below)
    return ideal + top.bits(below)


def decode(model: LatentModel, rows: int, shape: Shape, stack: AnsStack, options: Options) -> Samples:
    """Pop samples [rows, *shape] and give the bits of their latents back.

    Arguments as of rdzip.codecs.bits_back.chain.Coder.
    """
    markov = _markov(model)
    above = markov.top_site(rows, shape).pop(stack)
    for level in range(markov.levels, 0, -1):
        below = markov.generate_site(level - 1, above, shape).pop(stack)
        markov.infer_site(level, below).push(stack, above)
        above = below
    return above
