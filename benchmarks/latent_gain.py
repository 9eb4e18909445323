"""What latents would give the lossless network of photographs: equal training with and without them, held-out rates.

    python benchmarks/latent_gain.py ../shared/data/photos [--steps 2000] [--variants none,8x8,4x4]
    python benchmarks/latent_gain.py ../shared/data/photos --variants 8x8 --weight 0 --name latent-gain-free

A variant CxS has C latents at a stride of S: an encoder sees the whole crop, the latents' features join the trunk of
the causal network of the recipe photo-fast-base; their prior is normal given the latents before them in raster order.
The rate is that of bits back (Townsend et al. 2019, eq. 2), the negative ELBO in bits per sample: latents cost their
KL divergence, pixels their code length given a sample of the posterior. Latents are real numbers here, so what is found
is a bound on what integers would gain. Writes results/NAME.json.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any

import common
import torch
from torch import Tensor, nn
from torch.nn import functional

from rdzip.models.causal.config import CausalConfig
from rdzip.models.causal.network import CausalNet
from rdzip.models.shared import logistic_mixture
from rdzip.models.shared.template import PAD
from rdzip.train.data.crops import Crops, CropSampler
from rdzip.train.data.images import read_split

CONFIG = CausalConfig(neighbours=28, colour_neighbours=14, width=128, blocks=2, head=32)
CROP, BATCH, FEATURES = 32, 16, 48
COPIES = ["plain", "mirror"]
HELD_OUT = (8, 32)
"""Batches of validation, and crops in each."""
RISE = 1 / 3
"""Share of the steps in which the weight of the KL rises to 1."""


class Latents(nn.Module):
    """Posterior, prior and features of a grid of latents."""

    def __init__(self, count: int, stride: int) -> None:
        super().__init__()
        halvings = int(math.log2(stride))
        down: list[nn.Module] = [nn.Conv2d(3, FEATURES, 5, padding=2)]
        for _ in range(halvings):
            down += [nn.ReLU(), nn.Conv2d(FEATURES, FEATURES, 5, 2, 2)]
        self.encoder = nn.Sequential(*down, nn.ReLU(), nn.Conv2d(FEATURES, 2 * count, 3, padding=1))
        self.first, self.second = nn.Conv2d(count, FEATURES, 5, padding=2), nn.Conv2d(FEATURES, 2 * count, 1)
        mask = torch.ones(5, 5)
        mask[2, 2:], mask[3:] = 0, 0
        self.register_buffer("mask", mask)
        up: list[nn.Module] = [nn.Conv2d(count, FEATURES, 3, padding=1)]
        for _ in range(halvings):
            up += [nn.ReLU(), nn.Conv2d(FEATURES, 4 * FEATURES, 3, padding=1), nn.PixelShuffle(2)]
        self.decoder = nn.Sequential(*up, nn.ReLU(), nn.Conv2d(FEATURES, CONFIG.width, 1))
        last = self.decoder[-1]
        assert isinstance(last, nn.Conv2d)
        nn.init.zeros_(last.weight)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Features [n, width, h, w] of latents drawn for pixels [n, 3, h, w] in -1..1, and the KL in bits, a sum."""
        mean, log_scale = self.encoder(pixels).chunk(2, 1)
        log_scale = log_scale.clamp(-5, 3)
        z = mean + log_scale.exp() * torch.randn_like(mean)
        mask: Tensor = self.mask  # type: ignore[assignment]
        seen = functional.conv2d(z, self.first.weight * mask, self.first.bias, padding=2)
        prior_mean, prior_log = self.second(seen.relu()).chunk(2, 1)
        prior_log = prior_log.clamp(-5, 3)
        ratio = (2 * (log_scale - prior_log)).exp()
        kl = 0.5 * (ratio + ((mean - prior_mean) / prior_log.exp()) ** 2 - 1 - ratio.log())
        return self.decoder(z), kl.sum() / math.log(2)


class WithLatents(CausalNet):
    """The causal network, to whose trunk something is added: features float [n, width]."""

    features: Tensor | None = None

    def trunk(self, inputs: Tensor, quantise: bool = True) -> Tensor:
        """As CausalNet's, the features added to the stem's outputs."""
        from rdzip.exact.layers import activate

        h = self.stem(inputs, quantise)
        if self.features is not None:
            h = h + self.features
        for block in self.blocks:
            h = h + block(activate(h, quantise, inputs.dtype), quantise)
        return self.fan(activate(h, quantise, inputs.dtype), quantise)  # type: ignore[no-any-return]


def rates(net: WithLatents, latents: Latents | None, crops: Crops, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Bits per sample of pixels and of latents."""
    context, planes = crops.context(CONFIG)
    kl = torch.zeros(())
    net.features = None
    if latents is not None:
        seen = crops.planes[:, :, PAD:, PAD:-PAD].float().transpose(0, 1) / 128
        seen = seen - torch.tensor([1.0, 0.0, 0.0])[:, None, None]  # green, and differences from it
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            features, kl = latents(seen)
        net.features = features.float().permute(0, 2, 3, 1).reshape(-1, CONFIG.width) * 16
        kl = kl / (3 * len(planes[0]))
    mixtures = net(context, planes, dtype)
    samples = [planes[0]] + [planes[0] + d for d in planes[1:]]
    found = [logistic_mixture.bits(m.mean, m.scale, m.logit, x).mean() for m, x in zip(mixtures, samples, strict=True)]
    return torch.stack(found).mean(), kl


def trained(variant: str, data: Path, steps: int, weight: float) -> dict[str, Any]:
    """Train a variant, and its held-out rates."""
    training, validation = read_split(data, CROP)
    if validation is None:
        raise SystemExit(f"{data}: expected a folder with train/ and valid/")
    torch.manual_seed(0)
    net = WithLatents(CONFIG)
    latents = None if variant == "none" else Latents(*map(int, variant.split("x")))
    parameters = [*net.parameters(), *(latents.parameters() if latents else ())]
    optimiser = torch.optim.AdamW(parameters, 2e-3, betas=(0.9, 0.99))
    sampler, held = CropSampler(training.images, COPIES, CROP), CropSampler(validation.images, ["plain"], CROP)
    generator, fixed = torch.Generator().manual_seed(1), torch.Generator().manual_seed(2)
    start = time.process_time()
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * min(1.0, (step + 1) / 100, 2 * (1 - step / steps))
        bits, kl = rates(net, latents, sampler.draw(BATCH, generator), torch.bfloat16)
        optimiser.zero_grad()
        (bits + min(1.0, weight + (1 - weight) * step / (RISE * steps)) * kl).backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        if step % 250 == 0:
            print(variant, step, f"{float(bits):.3f} {float(kl):.4f}", flush=True)
    with torch.no_grad():
        found = [rates(net, latents, held.draw(HELD_OUT[1], fixed), torch.float32) for _ in range(HELD_OUT[0])]
    pixels, kls = (float(torch.stack(values).mean()) for values in zip(*found, strict=True))
    return {
        "variant": variant, "steps": steps, "weight": weight, "pixels": round(pixels, 4), "latents": round(kls, 4),
        "total": round(pixels + kls, 4), "seconds": round(time.process_time() - start),
    }  # fmt: skip


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--variants", default="none,8x8,4x4")
    parser.add_argument("--weight", type=float, default=0.1, help="of the KL at first")
    parser.add_argument("--name", default="latent-gain", help="of the results")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for variant in arguments.variants.split(","):
        rows.append(trained(variant, arguments.folder, arguments.steps, arguments.weight))
        print(rows[-1], flush=True)
    print(common.write(arguments.name, {"folder": arguments.folder.name, "crop": CROP, "batch": BATCH, "rows": rows}))


if __name__ == "__main__":
    main()
