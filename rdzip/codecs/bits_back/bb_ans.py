"""Codecs "bb-ans" and "stochastic": a sample of the latents, taken from the stack or not, then latents and sample.

Bits back with ANS (Townsend, Bird & Barber 2019, table 1): pop z ~ q(z|x), push x ~ p(x|z), push z ~ p(z). The net rate
is -log2 p(x, z) + log2 q(z|x), whose mean is the negative ELBO. Without the pop, z comes from shared random words and
all of -log2 p(x, z) is paid: the baseline "stochastic" of Ruan et al. 2021.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.bits_back.options import Options
from rdzip.codecs.bits_back.trace import Trace
from rdzip.entropy.ans import AnsStack
from rdzip.entropy.initial_bits import InitialBitsStack
from rdzip.exact.types import Float64
from rdzip.models.latent_model import SAMPLE, LatentModel, Samples, Shape


def encode(model: LatentModel, x: Samples, stack: AnsStack, options: Options) -> Float64:
    """Push samples [rows, *shape]; the ideal bits of each row, float64 [rows]."""
    inference, generation = Trace(), Trace()
    model.infer(x, inference.popping(stack), options.refine)
    model.generate(len(x), x.shape[1:], generation.knowing(inference.values | {SAMPLE: x}))
    generation.push(stack)
    return generation.bits() - inference.bits()


def decode(model: LatentModel, rows: int, shape: Shape, stack: AnsStack, options: Options) -> Samples:
    """Pop samples [rows, *shape] and give the bits of their latents back.

    Arguments as of rdzip.codecs.bits_back.chain.Coder.
    """
    generation, inference = Trace(), Trace()
    x = model.generate(rows, shape, generation.popping(stack))
    model.infer(x, inference.knowing(generation.values), options.refine)
    inference.push(stack)
    return x


def encode_stochastic(model: LatentModel, x: Samples, stack: AnsStack, options: Options) -> Float64:
    """Push samples [rows, *shape] and latents that come from nowhere; the ideal bits of each row, float64 [rows]."""
    inference, generation = Trace(), Trace()
    model.infer(x, inference.popping(_random_stack(x)), options.refine)
    model.generate(len(x), x.shape[1:], generation.knowing(inference.values | {SAMPLE: x}))
    generation.push(stack)
    return generation.bits()


def decode_stochastic(model: LatentModel, rows: int, shape: Shape, stack: AnsStack, options: Options) -> Samples:
    """Pop samples [rows, *shape] and their latents.

    Arguments as of rdzip.codecs.bits_back.chain.Coder.
    """
    return model.generate(rows, shape, Trace().popping(stack))


def _random_stack(x: NDArray[np.uint8]) -> InitialBitsStack:
    """A stack of random words, enough for any latents of these samples."""
    return InitialBitsStack(words=1 << 14 | 16 * x.size)
