"""The known answer of a causal model: what its networks give for fixed pseudo-random neighbourhoods, as a hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from rdzip.entropy.cdf import MixtureCdf, MixtureTables
from rdzip.entropy.philox import Philox
from rdzip.exact.types import Int16
from rdzip.models.causal.config import CausalConfig
from rdzip.models.causal.numpy_network import ExactNet

BATCHES = (1, 3, 64, 500)
"""Pixels that are evaluated together."""


class Probe(NamedTuple):
    """Neighbours int16 [k, n] of each plane of n pixels, and values int16 [n] of the planes."""

    neighbours: list[Int16]
    values: list[Int16]


def probes(config: CausalConfig, stream: int) -> Iterator[Probe]:
    """The batches of a network, one for each of BATCHES. stream: that of the random words, the network's number."""
    words = Philox(seed=2026, stream=stream)
    start = 0
    for n in BATCHES:
        nbs = []
        for plane in range(config.channels):
            k = config.plane_neighbours(plane)
            w = words.words(start, 2 * n * k).astype(np.int64).reshape(2, n, k)
            start += 2 * n * k
            centre = (w[0] & 255) >> (w[0][:, :1] >> 8 & 7)
            value = np.clip(centre + (w[1] & 15) - (w[1] >> 28), 0, 255) - (127 if plane else 0)
            nbs.append(np.ascontiguousarray(value.T.astype(np.int16)))
        yield Probe(nbs, [nb[0] + (nb[1] & 3) for nb in nbs])


def known_answer(nets: Mapping[str, ExactNet], tables: MixtureTables) -> str:
    """SHA-256 in hex of the frequencies that networks give for many pixels at once."""
    digest = hashlib.sha256()
    for stream, (_, net) in enumerate(sorted(nets.items())):
        for nbs, values in probes(net.config, stream):
            context = net.context(nbs)
            position = np.arange(len(values[0]))
            for channel, head_in in enumerate(net.trunk(context, position, position >> 1)):
                add_to_digest(digest, MixtureCdf(tables, *net.head(channel, head_in, context, values[:channel])))
    return digest.hexdigest()


def add_to_digest(digest: hashlib._Hash, cdf: MixtureCdf) -> None:
    """Take the frequencies of a batch and a channel into a hash."""
    digest.update(cdf.high_frequencies().astype("<i4").tobytes())
