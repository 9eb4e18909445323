"""A grown network computes what the smaller one did, in floats and as integers, and can be trained further."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from rdzip.errors import InputError
from rdzip.models.causal.config import CausalConfig
from rdzip.models.causal.export import integer_tensors
from rdzip.models.causal.grow import grown
from rdzip.models.causal.network import CausalNet
from rdzip.train.data.crops import CropSampler
from rdzip.train.tasks.causal import bits_per_sample

SMALL = CausalConfig(neighbours=12, colour_neighbours=10, width=16, blocks=1, head=8, head_blocks=0)
LARGE = replace(SMALL, neighbours=20, colour_neighbours=14, blocks=3, head_blocks=2)


def crops() -> CropSampler:
    """Of one noisy picture."""
    noise = torch.randint(0, 256, (40, 50, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    return CropSampler([noise.numpy()], ["plain"], 16)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("quantise", [False, True])
def test_it_computes_the_same(channels: int, quantise: bool) -> None:
    torch.manual_seed(3)
    net = CausalNet(replace(SMALL, channels=channels))
    large = grown(net, replace(LARGE, channels=channels))
    batch = crops().draw(4, torch.Generator().manual_seed(2))
    with torch.no_grad():
        before, after = (bits_per_sample(n, batch, torch.float32, quantise) for n in (net, large))
    assert torch.equal(before, after) if quantise else torch.allclose(before, after, atol=1e-5)
    assert integer_tensors(large)["blocks.2.weight"].shape == (16, 16)


def test_every_added_weight_learns() -> None:
    torch.manual_seed(3)
    large = grown(CausalNet(SMALL), LARGE)
    bits_per_sample(large, crops().draw(4, torch.Generator().manual_seed(2)), torch.float32).sum().backward()
    for name in ("blocks.1", "blocks.2", "head_blocks.0.1", "head_blocks.2.0"):
        assert dict(large.named_modules())[name].weight.grad.abs().sum() > 0, name
    added = large.stem.weight.grad[:, 12:20]  # neighbours of the first plane that the smaller network had not
    assert (added.abs().sum(0) > 0).all()


@pytest.mark.parametrize("change", [{"width": 24}, {"blocks": 0}, {"neighbours": 11}, {"channels": 1}, {"head": 16}])
def test_other_shapes_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(InputError, match="can grow to"):
        grown(CausalNet(SMALL), replace(LARGE, **change))
