"""The known answer of a causal model by what computes one pixel after the other (models/causal/compiled_network.py)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from rdzip.entropy.cdf import MixtureCdf, MixtureTables
from rdzip.exact.compiled import compiled
from rdzip.exact.types import Int32
from rdzip.models.causal.compiled_network import ScalarNet, run_head, run_trunk
from rdzip.models.causal.known_answer import Probe, add_to_digest, probes
from rdzip.models.causal.numpy_network import ExactNet
from rdzip.models.shared.compiled_mixture import PARTS
from rdzip.models.shared.template import PAD, TEMPLATE

SIDE = 2 * PAD + 1
"""Width of the picture around a neighbourhood, whose pixel is the middle one of the last of PAD + 1 rows."""


def compiled_known_answer(nets: Mapping[str, ExactNet], tables: MixtureTables) -> str:
    """The same hash of what the networks give for one pixel after the other (models/causal/compiled_network.py)."""
    digest = hashlib.sha256()
    for stream, (_, net) in enumerate(sorted(nets.items())):
        scalar = ScalarNet.of(net, tables, SIDE)
        for probe in probes(net.config, stream):
            found = np.zeros((len(probe.values[0]), net.config.channels, PARTS), np.int32)
            _run_apart(scalar, _pictures(probe), found)
            for mixture in found.transpose(1, 2, 0):
                mean, inverse, weight = np.split(mixture, 3)
                add_to_digest(digest, MixtureCdf.of_weights(tables, mean, inverse, weight))
    return digest.hexdigest()


def _pictures(probe: Probe) -> Int32:
    """Samples int32 [n, channels, PAD + 1, SIDE] around each pixel of a question."""
    channels, n = len(probe.values), len(probe.values[0])
    pictures = np.zeros((n, channels, PAD + 1, SIDE), np.int32)
    for plane, (nb, value) in enumerate(zip(*probe, strict=True)):
        for (dy, dx), row in zip(TEMPLATE, nb, strict=False):
            pictures[:, plane, PAD + dy, PAD + dx] = row
        pictures[:, plane, PAD, PAD] = value
        if plane:
            pictures[:, plane] += pictures[:, 0]
    return pictures


@compiled
def _run_apart(net: ScalarNet, pictures: Int32, found: Int32) -> None:
    """Fill the mixtures [n, channels, PARTS] of the pixels of ``_pictures``, whose coordinates are (i, i >> 1)."""
    size = (PAD + 1) * SIDE
    at = PAD * SIDE + PAD
    for i in range(len(pictures)):
        px = pictures[i].reshape(-1)
        run_trunk(net, px, size, at, i, i >> 1)
        for c in range(found.shape[1]):
            run_head(net, px, size, at, c, found[i, c])
