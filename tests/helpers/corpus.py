"""Pictures rendered for the tests of the safety net: graphics of many kinds, and photographs treated in ways that
favour the classic codecs.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

WORDS = ["the", "rate", "of", "a", "code", "is", "never", "below", "the", "entropy", "of", "its", "source"]


def text(size: tuple[int, int], seed: int = 0, background: int = 255, font_size: int = 13) -> Image.Image:
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", size, (background,) * 3)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(font_size)
    for y in range(6, size[1] - font_size, font_size + 4):
        line = " ".join(rng.choice(WORDS, 40))
        draw.text((8, y), line, fill=tuple(int(v) for v in rng.integers(0, 90, 3)), font=font)
    return image


def plot(size: tuple[int, int], seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (size[0] * 2, size[1] * 2), "white")
    draw = ImageDraw.Draw(image)
    for x in range(0, size[0] * 2, 80):
        draw.line([(x, 0), (x, size[1] * 2)], fill=(210, 210, 210), width=2)
    for colour in ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728"):
        ys = size[1] + rng.normal(size=200).cumsum() * size[1] / 18
        draw.line([(i * size[0] / 100, y) for i, y in enumerate(ys)], fill=colour, width=4)
    return image.resize(size, Image.Resampling.BOX)


def screenshot(size: tuple[int, int], seed: int = 0, photo: Image.Image | None = None) -> Image.Image:
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", size, (236, 239, 244))
    draw = ImageDraw.Draw(image)
    draw.rectangle([0, 0, size[0], 28], fill=(46, 52, 64))
    font = ImageFont.load_default(11)
    for _ in range(12):
        x, y = (int(v) for v in rng.integers(0, [size[0] - 40, size[1] - 30]))
        draw.rounded_rectangle(
            [x, y, x + int(rng.integers(40, 160)), y + int(rng.integers(20, 70))],
            6,
            fill=tuple(int(v) for v in rng.integers(100, 256, 3)),
        )
        draw.text((x + 8, y + 6), " ".join(rng.choice(WORDS, 3)), fill=(20, 20, 30), font=font)
    if photo:
        image.paste(photo.resize((size[0] // 2, size[1] // 2)), (size[0] // 4, size[1] // 3))
    return image


def gradient(size: tuple[int, int], kind: str) -> Image.Image:
    y, x = np.mgrid[0 : size[1], 0 : size[0]] / max(size)
    field = {
        "linear": x,
        "diagonal": (x + y) / 2,
        "radial": np.hypot(x - 0.5, y - 0.5),
        "waves": 0.5 + 0.5 * np.sin(20 * x * x + 12 * y),
    }[kind]
    return Image.fromarray(
        np.stack([255 * field, 200 * (1 - field), 40 + 100 * field], -1).clip(0, 255).astype(np.uint8)
    )


def pixel_art(size: tuple[int, int], scale: int, seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    palette = rng.integers(0, 256, (12, 3)).astype(np.uint8)
    small = np.sort(rng.integers(0, 12, (size[1] // scale, size[0] // scale)), axis=0)
    return Image.fromarray(np.kron(palette[small], np.ones((scale, scale, 1), np.uint8)))


def sparse(photo: Image.Image, gain: float) -> Image.Image:
    table = [min(255, round(round(v * gain) / gain)) for v in range(256)]
    return photo.point(table * 3)


def jpeg(photo: Image.Image, quality: int) -> Image.Image:
    out = io.BytesIO()
    photo.save(out, "JPEG", quality=quality)
    return Image.open(out).convert("RGB")


def graphics(size: tuple[int, int] = (256, 192)) -> dict[str, Image.Image]:
    rng = np.random.default_rng(7)
    shape = (size[1], size[0], 3)
    noise = rng.integers(0, 256, shape).astype(np.uint8)
    tile = rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)
    return {
        "text": text(size),
        "text dark": text(size, 1, background=30),
        "text coloured": Image.blend(text(size, 2), gradient(size, "linear"), 0.3),
        "plot": plot(size),
        "screenshot": screenshot(size),
        **{f"gradient {kind}": gradient(size, kind) for kind in ("linear", "diagonal", "radial", "waves")},
        "pixel art x4": pixel_art(size, 4),
        "pixel art x1": pixel_art(size, 1),
        "noise": Image.fromarray(noise),
        "noise of two levels": Image.fromarray((noise & 1) * 255),
        "noise of low bits": Image.fromarray(noise & 3),
        "noise in one channel": Image.fromarray(noise * np.array([1, 0, 0], np.uint8)),
        "tiles of noise": Image.fromarray(
            np.tile(tile, (size[1] // 32 + 1, size[0] // 32 + 1, 1))[: size[1], : size[0]]
        ),
        "rows of noise": Image.fromarray(np.repeat(noise[:1], size[1], axis=0)),
        "columns of noise": Image.fromarray(np.repeat(noise[:, :1], size[0], axis=1)),
        "checkers": Image.fromarray(
            np.kron(np.indices((size[1] // 8, size[0] // 8)).sum(0) % 2, np.ones((8, 8))).astype(np.uint8) * 255
        ).convert("RGB"),
        "constant": Image.new("RGB", size, (12, 200, 90)),
        "sixty-four colours": Image.fromarray((noise // 64) * 85),
    }


def treated(photo: Image.Image) -> dict[str, Image.Image]:
    width, height = photo.size
    half = photo.resize((width // 2, height // 2), Image.Resampling.LANCZOS)
    quarter = photo.resize((width // 4, height // 4), Image.Resampling.LANCZOS)
    tiled = np.tile(np.asarray(half), (2, 2, 1))
    boxed = photo.copy()
    boxed.paste((0, 0, 0), (0, 0, width, height // 3))
    return {
        "photo": photo,
        "photo grey": photo.convert("L").convert("RGB"),
        "photo upscaled": quarter.resize(photo.size, Image.Resampling.NEAREST),
        "photo upscaled smoothly": half.resize(photo.size, Image.Resampling.BICUBIC),
        "photo tiled": Image.fromarray(tiled),
        "photo mirrored": Image.fromarray(np.concatenate([np.asarray(half), np.asarray(half)[:, ::-1]], 1)),
        "photo letterboxed": boxed,
        "photo in a screenshot": screenshot(photo.size, 3, photo),
        "photo dithered to 16": photo.convert("P", palette=Image.Palette.ADAPTIVE, colors=16).convert("RGB"),
        "photo dithered to 256": photo.convert("P", palette=Image.Palette.ADAPTIVE, colors=256).convert("RGB"),
        "photo dithered web": photo.convert("P").convert("RGB"),
        "photo dithered to 2": photo.convert("1").convert("RGB"),
        "photo posterised": Image.fromarray(np.asarray(photo) & 0xE0),
        "photo of five bits": Image.fromarray(np.asarray(photo) >> 3 << 3),
        "photo stretched": sparse(photo, 0.6),
        "photo jpeg 30": jpeg(photo, 30),
        "photo jpeg 90": jpeg(photo, 90),
        "photo blurred": photo.filter(ImageFilter.GaussianBlur(6)),
        "photo in small": photo.resize((32, 24)),
        "photo sharpened": photo.filter(ImageFilter.UnsharpMask(3, 300, 0)),
        "photo with text": Image.composite(
            photo, text(photo.size, font_size=28), text(photo.size, 5, font_size=40).convert("L")
        ),
    }
