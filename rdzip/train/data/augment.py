"""Variants of a training photograph: mirrored, and with chroma that has been through half resolution.

Most photographs have at some time been stored with chroma at half size (JPEG 4:2:0, PhotoCD, video) and interpolated
back; data of one origin would leave a model blind to the smooth colour differences that this leaves.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from rdzip.errors import InputError

Image = NDArray[np.uint8]
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def mirror(image: Image) -> Image:
    """The image flipped left to right, uint8 [h, w, 3]."""
    return np.ascontiguousarray(image[:, ::-1])


def half_chroma(image: Image, rng: np.random.Generator) -> Image:
    """The image with B - Y and R - Y averaged to half size and interpolated back, uint8 [h, w, 3].

    The siting and the interpolation are drawn from ``rng``: centred or co-sited samples; nearest, linear or cubic.
    """
    x = image.astype(np.float32)
    y = x @ _LUMA
    h, w = y.shape
    chroma = torch.from_numpy(x[..., [0, 2]] - y[..., None]).permute(2, 0, 1)[None]
    kind = rng.choice(["nearest", "linear", "cosited", "cosited", "cubic"])
    if kind == "cosited":
        taps = torch.tensor([0.25, 0.5, 0.25])
        kernel = (taps[:, None] * taps)[None, None].repeat(2, 1, 1, 1)
        small = F.conv2d(F.pad(chroma, (1, 1, 1, 1), mode="replicate"), kernel, groups=2)[:, :, ::2, ::2]
        small = F.pad(small, (0, 1, 0, 1), mode="replicate")
        size = (2 * small.shape[2] - 1, 2 * small.shape[3] - 1)
        full = F.interpolate(small, size=size, mode="bilinear", align_corners=True)
    else:
        small = F.avg_pool2d(F.pad(chroma, (0, w % 2, 0, h % 2), mode="replicate"), 2)
        mode = {"nearest": "nearest", "linear": "bilinear", "cubic": "bicubic"}[str(kind)]
        full = F.interpolate(small, scale_factor=2, mode=mode)
    c = full[0, :, :h, :w].permute(1, 2, 0).numpy()
    red, blue = y + c[..., 0], y + c[..., 1]
    green = (y - _LUMA[0] * red - _LUMA[2] * blue) / _LUMA[1]
    return np.clip(np.round(np.stack([red, green, blue], -1)), 0, 255).astype(np.uint8)


def half_size(image: Image) -> Image:
    """The image at half size, uint8 [h, w, 3] to [h // 2, w // 2, 3]: rounded means of 2 x 2, without JPEG's blocks."""
    h, w = (side // 2 for side in image.shape[:2])
    sums = image[: 2 * h, : 2 * w].reshape(h, 2, w, 2, -1).astype(np.uint16).sum((1, 3))
    halved: Image = ((sums + 2) >> 2).astype(np.uint8)
    return halved


def variant(image: Image, copy: str, rng: np.random.Generator) -> Image:
    """A copy of a training image by name: "plain", or "mirror" and "chroma" joined by a dash."""
    for step in copy.split("-"):
        if step == "mirror":
            image = mirror(image)
        elif step == "chroma":
            image = half_chroma(image, rng)
        elif step != "plain":
            raise InputError(f"data.copies: expected plain, mirror, chroma or chroma-mirror, found {copy!r}")
    return image
