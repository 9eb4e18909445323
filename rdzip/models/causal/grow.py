"""Growing a causal network: a larger one that computes the same, to be trained further.

Chen, Goodfellow & Shlens 2016 ("Net2Net: accelerating learning via knowledge transfer", section 2.3), for residual
streams: an added block starts with weights of 0 and so adds nothing; neighbours further away come in with weights of 0.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import torch

from rdzip.errors import InputError
from rdzip.exact.layers import QuantisedLinear
from rdzip.models.causal.config import CausalConfig
from rdzip.models.causal.network import CausalNet


def grown(net: CausalNet, config: CausalConfig) -> CausalNet:
    """A network of a larger shape that gives the same mixtures, its added weights all 0.

    It may have more blocks, blocks of heads and neighbours. Raises InputError for a shape that differs in anything else
    or is smaller.
    """
    old = net.config
    grows = ("blocks", "head_blocks", "neighbours", "colour_neighbours")
    reached = replace(old, **{name: getattr(config, name) for name in grows})
    smaller = [name for name in grows if getattr(config, name) < getattr(old, name)]
    if smaller or reached != config:
        raise InputError(f"recipe: expected a shape that {old.as_dict()} can grow to, found {config.as_dict()}")
    large = CausalNet(config)
    sources = dict(net.named_modules())
    with torch.no_grad():
        large.compression.copy_(net.compression)
        large.activity_scale.copy_(net.activity_scale)
        for name, layer in large.named_modules():
            if not isinstance(layer, QuantisedLinear):
                continue
            layer.weight.zero_()
            layer.bias.zero_()
            if name in sources:
                source = cast(QuantisedLinear, sources[name])
                columns = _columns(old, config) if name == "stem" else torch.arange(source.weight.shape[1])
                layer.weight[:, columns] = source.weight
                layer.bias.copy_(source.bias)
    return large


def _columns(old: CausalConfig, new: CausalConfig) -> torch.Tensor:
    """Inputs of the larger network that the smaller one has, in its order."""
    kept, first = [], 0
    for plane in range(old.channels):
        kept.append(first + torch.arange(old.plane_neighbours(plane)))
        first += new.plane_neighbours(plane)
    return torch.cat([*kept, torch.arange(first, new.inputs)])
