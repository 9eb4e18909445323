"""The arithmetic of docs/explanation/exactness.md at its limits, against Python's integers: no bit is lost anywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rdzip.entropy import cdf
from rdzip.entropy.ans import TOTAL
from rdzip.entropy.cdf import LOGIT_SIZE, SIGMOID_MAX, SIGMOID_SIZE, MixtureCdf, MixtureTables
from rdzip.exact.integers import ACT_MAX, EXPONENT_MAX, SUM_LIMIT
from rdzip.exact.layers import IntegerLinear
from rdzip.models.causal.config import COLOUR_DIFFERENCES, FIRST_DIFFERENCES, CausalConfig
from rdzip.models.causal.export import integer_tensors
from rdzip.models.causal.model import integer_network
from rdzip.models.causal.network import CausalNet
from rdzip.models.causal.numpy_network import ExactNet
from rdzip.models.shared.units import MEAN_MAX, MEAN_MIN, SCALES

SEEDS = st.integers(0, 2**32)
CONFIG = CausalConfig(neighbours=10, colour_neighbours=10, width=4, blocks=0, head=4, components=3)


@pytest.fixture(scope="module")
def net() -> ExactNet:
    torch.manual_seed(0)
    return integer_network(
        CONFIG, {f"colour.{name}": tensor for name, tensor in integer_tensors(CausalNet(CONFIG)).items()}, "colour"
    )


def outputs(rng: np.random.Generator, n: int, count: int) -> np.ndarray:
    """Outputs of a layer in units of 2**-11: up to 24 bits of a unit 2**-7 to 2**-11, the largest among them."""
    exponent = rng.integers(7, EXPONENT_MAX + 1, (1, count))
    top = SUM_LIMIT - 1
    value = rng.integers(-top, top + 1, (n, count)) >> rng.integers(0, 22, (n, 1))
    value[rng.random((n, count)) < 0.3] = top
    value[rng.random((n, count)) < 0.3] *= -1
    return value << EXPONENT_MAX - exponent


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.integers(0, 2))
def test_tail_in_float64_is_that_in_integers(net: ExactNet, seed: int, channel: int) -> None:
    rng, n = np.random.default_rng(seed), 60
    low = [0 if p == 0 else -255 for p in range(3)]
    nbs = [rng.choice([low[p], 255, int(rng.integers(low[p], 256))], (10, n)).astype(np.int16) for p in range(3)]
    known = [rng.choice([low[p], 255], n).astype(np.int16) for p in range(channel)]
    context = net.context(nbs)
    k = CONFIG.components
    o = outputs(rng, n, CONFIG.outputs(channel))
    as_float = (o / 2.0**11).astype(np.float32)
    assert (as_float.astype(np.float64) * 2.0**11 == o).all()
    found = net._parameters(channel, as_float, context, known)

    for i in range(n):
        med = [int(m[i]) for m in context.medians]
        a, base = int(context.activities[channel][i]), med[channel]
        if channel:
            a += abs(int(known[-1][i]) - med[channel - 1]) >> 1
            base += int(known[0][i])
        a = min(a, 2047)
        count = COLOUR_DIFFERENCES if channel else FIRST_DIFFERENCES
        d = [int(nbs[channel][j, i]) - med[channel] for j in range(count)]
        d += [int(known[q][i]) - med[q] for q in range(channel)]
        row = [int(v) for v in o[i]]
        c = sum(x * y for x, y in zip(row[3 * k :], d, strict=True))
        for j in range(k):
            mean = (row[j] * (64 + 26 * a) + (c << 8) + (base << 24) + (1 << 17)) >> 18
            scale = (row[k + j] + (int(net.activity_scale[a]) << 13) + (1 << 12)) >> 13
            assert found.mean[j, i] == min(max(mean, MEAN_MIN), MEAN_MAX)
            assert found.scale[j, i] == min(max(scale, 0), SCALES - 1)
            assert found.logit[j, i] == (row[2 * k + j] + (1 << 11)) >> 12


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(1, 5))
def test_distribution_function_in_int32_is_that_in_integers(seed: int, k: int) -> None:
    """With tables as extreme as a model file may hold."""
    rng, n = np.random.default_rng(seed), 6
    sigmoid = np.sort(rng.choice([0, SIGMOID_MAX, int(rng.integers(0, SIGMOID_MAX))], SIGMOID_SIZE)).astype(np.int32)
    inverse = rng.choice([1, 2**16, int(rng.integers(1, 2**16))], SCALES).astype(np.int32)
    exponential = rng.choice([0, 2**16, int(rng.integers(0, 2**16))], LOGIT_SIZE).astype(np.int32)
    exponential[0] = max(1, exponential[0])
    mean = rng.choice([MEAN_MIN, MEAN_MAX, int(rng.integers(MEAN_MIN, MEAN_MAX))], (n, k)).astype(np.int32)
    scale = rng.integers(0, SCALES, (n, k)).astype(np.int32)
    logit = (rng.integers(-(2**16), 2**16 + 1, (n, k)) >> rng.integers(0, 16, (n, 1))).astype(np.int32)
    values = np.broadcast_to(np.arange(257, dtype=np.int32)[:, None], (257, n))
    found = MixtureCdf(MixtureTables(sigmoid, inverse, exponential), mean.T, scale.T, logit.T).at(values).T

    for i in range(n):
        e = [int(exponential[min(int(logit[i].max() - v), LOGIT_SIZE - 1)]) for v in logit[i]]
        w = [4096 * v // sum(e) for v in e]
        w[0] += 4096 - sum(w)
        expected = [0]
        for v in range(1, 256):
            total = 0
            for j in range(k):
                z = ((64 * v - 32 - int(mean[i, j])) * int(inverse[scale[i, j]])) >> 8
                total += w[j] * int(sigmoid[min(max(z + SIGMOID_SIZE // 2, 0), SIGMOID_SIZE - 1)])
            expected.append((total >> 4) + 16 * v)
        assert found[i].tolist() == [*expected, TOTAL]
        assert (np.diff(found[i]) >= 16).all()


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_quotients_are_rounded_down_at_every_edge(seed: int) -> None:
    """c * (2**24 - 16) / size just below, at and just above whole numbers, where a rounded quotient could slip."""
    rng, factor = np.random.default_rng(seed), TOTAL - 16
    size = rng.integers(256, TOTAL - 15 * 256 + 1, 500) >> rng.integers(0, 16, 500)
    size = np.maximum(size, 256)
    quotient = rng.integers(1, factor + 1, 500)
    near = quotient * size // factor
    c = np.clip(near[:, None] + np.arange(-1, 3), 0, size[:, None])
    index = np.zeros_like(c)
    found = cdf._stretch(c.astype(np.int32), size[:, None].astype(np.int32), index.astype(np.int32))
    assert found.tolist() == [[int(v) * factor // int(s) for v in row] for row, s in zip(c, size, strict=True)]


@pytest.mark.parametrize("rows", [32, 600, 2500])
@pytest.mark.parametrize("exponent", [-11, 0, 7, 11])
def test_layers_as_large_as_allowed(rows: int, exponent: int) -> None:
    """Sums up to the last unit below 2**24, biases of 24 bits, in small and in large products."""
    rng: Any = np.random.default_rng(rows + exponent)
    inputs, channels = 240, 160
    weight = rng.integers(-127, 128, (channels, inputs))
    finest = max(exponent, 7)
    weight >>= max(0, finest - exponent - 7)
    room = (SUM_LIMIT - 1) - (np.abs(weight).sum(1) * ACT_MAX << finest - exponent)
    weight[room < 0] = 0
    room[room < 0] = SUM_LIMIT - 1
    bias = (room >> finest - 7) * rng.choice([-1, 1], channels)
    layer = IntegerLinear(
        torch.from_numpy(weight.astype(np.int8)),
        torch.full((channels,), exponent, dtype=torch.int8),
        torch.from_numpy(bias.astype(np.int32)),
    )
    a = rng.integers(0, ACT_MAX + 1, (rows, inputs))
    a[0], a[1] = ACT_MAX, np.where(weight[0] > 0, ACT_MAX, 0)
    expected = (a @ weight.T << finest - exponent) + (bias << finest - 7)
    with torch.inference_mode():
        found = layer(torch.from_numpy(a.astype(np.float32)))
    np.testing.assert_array_equal(found.double().numpy() * 2.0**finest, expected)
