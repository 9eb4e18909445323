"""Training images: a folder decoded into padded planes in memory, and random crops of them with causal context."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from rdzip.errors import InputError
from rdzip.models.causal import CausalConfig, Context
from rdzip.models.template import PAD, TEMPLATE, padded_planes
from rdzip.train.augment import variant

SUFFIXES = {".png", ".webp", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".ppm"}


@dataclass(frozen=True)
class ImageFolder:
    """Decoded RGB images of a folder, the names of those that could not be read, and a hash of the files."""

    images: list[NDArray[np.uint8]]
    skipped: list[str]
    sha256: str


def read_folder(folder: Path, smallest: int) -> ImageFolder:
    """Every image below a folder as uint8 [h, w, 3], in order of path; unreadable ones and those under ``smallest``
    pixels on a side are skipped and named. Raises InputError if nothing is left."""
    images, skipped, digest = [], [], hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES):
        try:
            with Image.open(path) as image:
                pixels = np.asarray(image.convert("RGB"))
        except (OSError, SyntaxError, ValueError) as error:
            skipped.append(f"{path.name}: {error}")
            continue
        if min(pixels.shape[:2]) < smallest:
            skipped.append(f"{path.name}: smaller than {smallest} pixels")
            continue
        images.append(pixels)
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    if not images:
        raise InputError(f"{folder}: expected a folder with images ({', '.join(sorted(SUFFIXES))}), found none usable")
    return ImageFolder(images, skipped, digest.hexdigest())


def read_split(data: Path, smallest: int) -> tuple[ImageFolder, ImageFolder | None]:
    """Training images of a folder, and held-out ones where it is split into train/ and valid/."""
    if not data.is_dir():
        raise InputError(f"--data: expected a folder of images, found {data}")
    if (data / "train").is_dir():
        held_out = data / "valid"
        return read_folder(data / "train", smallest), read_folder(held_out, smallest) if held_out.is_dir() else None
    return read_folder(data, smallest), None


@dataclass(frozen=True)
class Crops:
    """A batch of n crops: planes int16 [3, n, crop + PAD, crop + 2 PAD], and their positions [n] in the image."""

    planes: Tensor
    x: Tensor
    y: Tensor

    def context(self, config: CausalConfig) -> tuple[Context, list[Tensor]]:
        """Causal context of all pixels of the crops, and the true value of each plane, int16 [n * crop**2]."""
        n, rows, columns = self.planes.shape[1:]
        h, w = rows - PAD, columns - 2 * PAD
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


class CropSampler:
    """Random square crops of a set of images, every pixel equally likely, drawn with a generator (so resumable)."""

    def __init__(self, images: Sequence[NDArray[np.uint8]], copies: Sequence[str], crop: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.crop = crop
        starts, flat, offset = [], [], 0
        for image in images:
            for copy in copies:
                p = padded_planes(variant(image, copy, rng))
                starts.append((offset, p.shape[2], p.shape[1] - PAD, p.shape[2] - 2 * PAD))
                flat.append(p.reshape(3, -1))
                offset += flat[-1].shape[1]
        self.flat = torch.from_numpy(np.concatenate(flat, 1))
        self.table = torch.tensor(starts)
        area = (self.table[:, 2] * self.table[:, 3]).double()
        self.cumulative = (area / area.sum()).cumsum(0)

    def draw(self, n: int, generator: torch.Generator) -> Crops:
        """``n`` crops; the same generator state gives the same crops."""
        u = torch.rand(n, 3, generator=generator, dtype=torch.float64)
        image = torch.searchsorted(self.cumulative, u[:, 0].contiguous()).clamp_max(len(self.table) - 1)
        start, stride, height, width = self.table[image].unbind(1)
        y = (u[:, 1] * (height - self.crop + 1)).long()
        x = (u[:, 2] * (width - self.crop + 1)).long()
        rows, columns = self.crop + PAD, self.crop + 2 * PAD
        window = torch.arange(rows)[None, :, None] * stride[:, None, None] + torch.arange(columns)
        index = (window + (start + y * stride + x)[:, None, None]).reshape(-1)
        return Crops(self.flat[:, index].reshape(3, n, rows, columns), x, y)
