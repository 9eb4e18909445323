"""`rdzip demo`: an image of rdzip's own making, like a photograph, there and back."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rdzip.commands.output import print_text, shape_text, table
from rdzip.commands.progress_bar import bar

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from rdzip.system.progress import Progress

    Plane = NDArray[np.float64]

HEIGHT, WIDTH = 512, 768
SEED = 7


def demo() -> None:
    """Run the demonstration and print its table to stdout. Raises RdzipError if the picture does not come back."""
    with bar("demo") as progress:
        done = run(progress=progress)
    samples = 1
    for length in done.shape:
        samples *= length
    body = [[name, f"{size:,}", f"{8 * size / samples:.3f}"] for name, size in done.sizes.items()]
    coder = f"codec {done.codec}, model {done.model}" if done.model else f"codec {done.codec}"
    print_text(table([f"{shape_text(done.shape)} RGB", "BYTES", "BITS PER SAMPLE"], body))
    times = f"there in {done.seconds_there:.1f} s, back in {done.seconds_back:.1f} s"
    print_text(f"{times} ({coder}); every pixel came back as it was")


@dataclass(frozen=True)
class Demo:
    """Sizes in bytes of one picture in each format, how it was coded, and how long that took in seconds."""

    shape: tuple[int, ...]
    sizes: dict[str, int]
    codec: str
    model: str | None
    seconds_there: float
    seconds_back: float


def run(*, progress: Progress | None = None) -> Demo:
    """Compress the demo picture, decompress it, compare every pixel, and measure PNG and WebP of the same pixels.

    Raises CoderError if the pixels that came back differ.
    """
    import time

    import numpy as np

    from rdzip.errors import CoderError
    from rdzip.formats.images.picture import Picture
    from rdzip.pipeline.compress import compress
    from rdzip.pipeline.decompress import decompress
    from rdzip.pipeline.request import Request

    image = picture()
    samples = np.asarray(image)
    start = time.perf_counter()
    there = compress(Picture(samples=samples, mode="RGB"), Request(verify=False), progress=progress)
    middle = time.perf_counter()
    back = decompress(there.data).picture
    end = time.perf_counter()
    if not np.array_equal(back.samples, samples):
        raise CoderError(
            "expected the demo picture back, found other pixels; please report this with `rdzip --version`"
        )
    sizes = {
        "raw pixels": samples.nbytes,
        "PNG (optimised)": _size(image, "PNG", optimize=True),
        "WebP (lossless, method 6)": _size(image, "WEBP", lossless=True, method=6),
        "rdzip": len(there.data),
    }
    return Demo(samples.shape, sizes, there.report.codec, there.report.model, middle - start, end - middle)


def _size(image: Image, kind: str, **options: Any) -> int:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.tell()


def picture() -> Image:
    """Return an RGB landscape: sky, clouds, ridges, a wall with windows and grass, seen by a slightly noisy sensor."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(SEED)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] / (HEIGHT - 1)
    light = np.stack([0.35 + 0.45 * y, 0.55 + 0.3 * y, 0.95 - 0.15 * y], axis=-1)
    clouds = np.clip(_fractal(rng, 3) * 1.6 + 0.25 - y, 0, 1)
    light += clouds[..., None] * (np.array([0.95, 0.93, 0.9]) - light)
    for depth, (height, colour) in enumerate(
        [(0.45, (0.42, 0.5, 0.62)), (0.57, (0.3, 0.38, 0.36)), (0.7, (0.16, 0.24, 0.13))]
    ):
        ridge = height + 0.18 * _fractal(rng, 2 + depth)[0]
        texture = 1 + (0.2 + 0.3 * depth) * _fractal(rng, 24 << depth)
        shade = np.clip(texture - 0.4 * (y - ridge), 0.2, 2)
        light = _blend(light, np.array(colour) * shade[..., None], (y - ridge) * HEIGHT)
    light = _blend(
        light, _wall(rng, x, y), HEIGHT * np.minimum(np.minimum(x - 0.95, 1.32 - x), y - 0.36 - 0.2 * (x - 0.95))
    )
    # A lens blurs a little, and a sensor adds noise that grows with light and is smeared over neighbours.
    noise = rng.standard_normal((HEIGHT, WIDTH, 3)) * (0.004 + 0.01 * np.sqrt(np.clip(light, 0, 1)))
    seen = _smooth(light) + 0.6 * _smooth(noise) + 0.4 * noise
    vignette = 1 - 0.25 * ((x - 0.75) ** 2 + (y - 0.5) ** 2)
    return Image.fromarray(np.clip(seen * vignette[..., None] * 255 + 0.5, 0, 255).astype(np.uint8), "RGB")


def _wall(rng: np.random.Generator, x: Plane, y: Plane) -> Plane:
    import numpy as np

    bricks = 0.06 * ((np.floor(y * 60) + np.floor(x * 30 + 0.5 * (np.floor(y * 60) % 2))) % 2)
    light = np.array([0.62, 0.45, 0.36]) * (1 + bricks + 0.12 * _fractal(rng, 40))[..., None]
    across, down = (x - 0.95) * 10.8 % 1, (y - 0.36) * 9 % 1
    inside = np.minimum(np.minimum(across - 0.3, 0.7 - across) / 10.8, np.minimum(down - 0.25, 0.8 - down) / 9)
    return _blend(light, np.stack([0.1 + 0.2 * down, 0.12 + 0.25 * down, 0.2 + 0.25 * down], axis=-1), inside * HEIGHT)


def _blend(below: Plane, above: Plane, inside: Plane) -> Plane:
    """Lay `above` over `below` where `inside` (pixels to the edge) is positive, with an edge one pixel soft."""
    import numpy as np

    return below + np.clip(inside + 0.5, 0, 1)[..., None] * (above - below)


def _fractal(rng: np.random.Generator, cells: int) -> Plane:
    """Return [h, w] noise of every scale from `cells` across down to single pixels, about -0.5 to 0.5."""
    import numpy as np
    from PIL import Image

    total = np.zeros((HEIGHT, WIDTH))
    weight = 0.5
    while cells < WIDTH:
        grid = rng.uniform(-1, 1, (max(cells * HEIGHT // WIDTH, 1) + 1, cells + 1)).astype(np.float32)
        total += weight * np.asarray(Image.fromarray(grid).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
        weight, cells = weight * 0.55, cells * 2
    return total


def _smooth(light: Plane) -> Plane:
    """Blur [h, w, c] by (1 2 1)/4 along both axes."""
    import numpy as np

    for axis in (0, 1):
        padded = np.pad(light, [(1, 1) if i == axis else (0, 0) for i in range(3)], mode="edge")
        middle = padded.shape[axis] - 1
        before, after = np.take(padded, range(middle - 1), axis), np.take(padded, range(2, middle + 1), axis)
        light = light / 2 + (before + after) / 4
    return light
