"""Random crops of images for the causal networks, with the neighbours that a pixel's context needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rdzip.models.causal.config import CausalConfig
from rdzip.models.causal.network import Context
from rdzip.models.shared.shared_random import rows
from rdzip.models.shared.template import PAD, TEMPLATE, padded_planes
from rdzip.train.data.augment import half_size, variant

MARGIN = 16
"""Pixels around a crop from which its neighbours, and chroma at half size, follow; even."""


@dataclass(frozen=True)
class Crops:
    """A batch of n crops: planes int16 [3, n, crop + PAD, crop + 2 PAD], and their positions [n] in the image."""

    planes: Tensor
    x: Tensor
    y: Tensor

    def context(self, config: CausalConfig) -> tuple[Context, list[Tensor]]:
        """Causal context of all pixels of the crops, and the true value of each plane, int16 [n * crop**2]."""
        n, height, columns = self.planes.shape[1:]
        h, w = height - PAD, columns - 2 * PAD
        neighbours, current = [], []
        for plane in range(config.channels):
            offsets = TEMPLATE[: config.plane_neighbours(plane)]
            p = self.planes[plane]
            shifted = [p[:, PAD + dy : PAD + dy + h, PAD + dx : PAD + dx + w].reshape(-1) for dy, dx in offsets]
            neighbours.append(torch.stack(shifted).t())
            current.append(p[:, PAD:, PAD : PAD + w].reshape(-1))
        grid = (n, h, w)
        x = (self.x[:, None, None] + torch.arange(w, device=self.x.device)).expand(grid).reshape(-1).to(torch.int16)
        y = (
            (self.y[:, None, None] + torch.arange(h, device=self.y.device)[:, None])
            .expand(grid)
            .reshape(-1)
            .to(torch.int16)
        )
        return Context.of(neighbours, x, y), current

    def to(self, device: torch.device) -> Crops:
        """The same batch on a device."""
        return Crops(self.planes.to(device), self.x.to(device), self.y.to(device))


@dataclass(frozen=True)
class Place:
    """Where a crop lies: image, copy (see augment.variant), whether at half size, top left corner."""

    image: int
    copy: str
    half: bool
    y: int
    x: int


class CropSampler:
    """Random square crops of images, every pixel equally likely, drawn with a generator (so resumable).

    Images stay where they are (such as on a disk, mapped into memory): a crop is cut out with what surrounds it.
    shrunk: share of crops that are taken at half size, of images that are large enough.
    """

    def __init__(
        self, images: Sequence[NDArray[np.uint8]], copies: Sequence[str], crop: int, shrunk: float = 0.0
    ) -> None:
        for copy in copies:
            variant(np.zeros((2, 2, 3), np.uint8), copy, np.random.default_rng(0))  # a wrong name is an error at once
        self.images, self.copies, self.crop, self.shrunk = images, copies, crop, shrunk
        areas = np.cumsum([float(image.shape[0] * image.shape[1]) for image in images])
        self.cumulative = areas / areas[-1]
        self.places: list[Place] = []
        """Of the last crops that were drawn."""

    def draw(self, n: int, generator: torch.Generator) -> Crops:
        """This process's part of ``n`` crops; the same generator state gives the same crops."""
        drawn = rows(torch.rand(n, 6, generator=generator, dtype=torch.float64), generator).numpy()
        self.places = [self._place(u) for u in drawn]
        planes = [self.cut(place, int(u[5] * 2**32)) for place, u in zip(self.places, drawn, strict=True)]
        x, y = (torch.tensor([getattr(place, axis) for place in self.places]) for axis in "xy")
        return Crops(torch.from_numpy(np.stack(planes, 1)), x, y)

    def _place(self, u: NDArray[np.float64]) -> Place:
        image = min(int(np.searchsorted(self.cumulative, u[0], "right")), len(self.images) - 1)
        height, width = self.images[image].shape[:2]
        half = bool(u[4] < self.shrunk) and min(height, width) >= 2 * self.crop
        height, width = (height // 2, width // 2) if half else (height, width)
        y, x = (int(p * (side - self.crop + 1)) for p, side in zip(u[1:3], (height, width), strict=True))
        return Place(image, self.copies[int(u[3] * len(self.copies))], half, y, x)

    def cut(self, place: Place, seed: int) -> NDArray[np.int16]:
        """Planes int16 [3, crop + PAD, crop + 2 PAD] of a crop; seed: of how its chroma is halved."""
        image, scale = self.images[place.image], 1 + place.half
        height, width = (side // scale for side in image.shape[:2])
        mirrored = "mirror" in place.copy.split("-")
        left = width - place.x - self.crop if mirrored else place.x
        top, end = _around(place.y, self.crop, height)
        first, last = _around(left, self.crop, width)
        part = image[scale * top : scale * end, scale * first : scale * last]
        part = variant(half_size(part) if place.half else part, place.copy, np.random.default_rng(seed))
        planes = padded_planes(part)
        y, x = place.y - top, (last - left - self.crop if mirrored else left - first)
        return planes[:, y : y + self.crop + PAD, x : x + self.crop + 2 * PAD]


def _around(start: int, crop: int, side: int) -> tuple[int, int]:
    """First and last column (or row) of a crop with its margin, both even but at the end of the image."""
    end = start + crop + MARGIN
    return max(0, start - MARGIN) & ~1, side if end >= side else end & ~1
