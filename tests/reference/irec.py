"""The codec irec of docs/reference/irec.md: a decoder in Python integers."""

from __future__ import annotations

from math import isqrt
from typing import Any, NamedTuple

from reference.container import Rows, need
from reference.sites import Site, Stack, Table, frequencies, log2, normal, normal_cdf, quantile, random_words

BENDS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192)
LIMITS = ((20, 690), (0, 1000), (1, 4096), (0, (1 << 28) - 1))


class IrecOptions(NamedTuple):
    """The numbers of a chain's head."""

    omega: int
    epsilon: int
    beams: int
    seed: int
    particles: int = 1


def irec(model: Any, rows: int, shape: tuple[int, ...], stack: Stack, options: IrecOptions) -> Rows:
    law = power_law(stack, number_of_candidates(options.omega, options.epsilon))

    found: dict[str, Rows] = {}

    def draw(name: str, site: Any) -> Rows:
        found[name] = site.pop(stack) if name == "x" else latents(site, stack, law, options.seed)
        return found[name]

    model.generate(rows, shape, draw)
    return found["x"]


def number_of_candidates(omega: int, epsilon: int) -> int:
    limit = omega * (100 + epsilon) * 94548 // 10000
    return max(2, sum(log2(n) <= limit for n in range(1, 1025)))


def power_law(stack: Stack, count: int) -> Table:
    """The table of choices, by its exponent."""
    exponent = stack.pop_uniform([33])[0]
    return frequencies([-(log2(j + 1) * exponent >> 4) for j in range(count)])


def latents(site: Site, stack: Stack, law: Table, seed: int) -> Rows:
    """The latents of one level."""
    found = normals(len(site.rows), len(site.rows[0]), stack, law, seed)
    return [
        [quantile(c, normal_cdf(g)) for c, g in zip(*row, strict=True)] for row in zip(site.rows, found, strict=True)
    ]


def normals(rows: int, variables: int, stack: Stack, law: Table, seed: int) -> Rows:
    """The normal values of one level."""
    words = random_words(seed, 1 << 32, variables)
    order = sorted(range(variables), key=lambda i: (words[i], i))
    blocks = -(-variables // 1024)
    edges = [n * variables // blocks for n in range(blocks + 1)]
    steps = []
    first = 0
    for _ in range(rows):
        row, before = [], first
        for _ in range(blocks):
            before += difference(stack)
            need(0 <= before <= 1 << 16, "steps")
            row.append(before)
        first = row[0]
        steps.append(row)
    bends = [BENDS[stack.pop_uniform([16])[0]] if max(row) > 1 else 0 for row in steps]
    choices = [[[stack.pop(law) for _ in range(count)] for count in row] for row in steps]
    found = []
    for c, chosen in zip(bends, choices, strict=True):
        row = [0] * variables
        for number in range(blocks):
            index = order[edges[number] : edges[number + 1]]
            for d, g in zip(index, values(seed, number, c, chosen[number], len(index)), strict=True):
                row[d] = g
        found.append(row)
    return found


def difference(stack: Stack) -> int:
    """A number of either sign in Elias's gamma code."""
    zeros = 0
    while not stack.pop_uniform([2])[0]:
        zeros += 1
        need(zeros <= 17, "gamma code")
    number = 1
    for _ in range(zeros):
        number = 2 * number + stack.pop_uniform([2])[0]
    return number // 2 if number % 2 == 0 else -(number // 2)


def values(seed: int, number: int, c: int, chosen: list[int], count: int) -> list[int]:
    """The normal values of a block."""
    steps = len(chosen)
    if not steps:
        return [0] * count
    shares = [(k * (4 + c) << 40) // (4 * steps + c * k) for k in range(steps + 1)]
    path = (number + 1) * 0x9E3779B1 % (1 << 32)
    sums = [0] * count
    for k, j in enumerate(chosen):
        weight, turn = isqrt(shares[k + 1] - shares[k]), path >> 22
        row = random_words(seed, k, 1024, 1024 * j)
        sums = [s + weight * normal(row[(i + turn) % 1024]) for i, s in enumerate(sums)]
        path = (path + j + 1) * 0x9E3779B1 % (1 << 32)
    return [s + (1 << 19) >> 20 for s in sums]
