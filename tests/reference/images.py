"""Convolutional models of docs/reference/latents.md, section 7, in Python integers.

An array is a list of channels, each a list of rows. Settled streams are whole; outputs of layers are in 2**-11.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference.container import Mixture, Rows, clip, cumulative, layer
from reference.models import Draw, Grid, Tensors, rounded
from reference.sites import Site, Stack, Table, log2, pop_nibbles

Array = list[list[list[int]]]
Shape = tuple[int, ...]
POSITIONS = ((0, 0), (1, 1), (0, 1), (1, 0))
AROUND = {
    1: ((0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1)),
    2: ((0, 0, 0), (0, 0, 1), (1, -1, 0), (1, 0, 0)),
    3: ((0, 0, 0), (0, 1, 0), (1, 0, -1), (1, 0, 0)),
}


def mapped(f: Callable[..., int], *arrays: Array) -> Array:
    """An array whose entries are those of others, by a function."""
    return [
        [[f(*v) for v in zip(*rows, strict=True)] for rows in zip(*planes, strict=True)]
        for planes in zip(*arrays, strict=True)
    ]


def filled(value: int, channels: int, height: int, width: int) -> Array:
    """An array of one value."""
    return [[[value] * width for _ in range(height)] for _ in range(channels)]


def shaped(flat: list[int], shape: Shape) -> Array:
    """An array [c, h, w] of entries in row-major order."""
    entries = iter(flat)
    return [[[next(entries) for _ in range(shape[2])] for _ in range(shape[1])] for _ in range(shape[0])]


def flattened(a: Array) -> list[int]:
    """Its inverse."""
    return [v for plane in a for row in plane for v in row]


def requantise(o: Array) -> Array:
    return mapped(lambda v: clip((v + 1024) >> 11, -2047, 2047), o)


def act(h: Array) -> Array:
    """Activations of a requantised stream."""
    return mapped(lambda v: clip(v, 0, 255), h)


def add(h: Array, o: Array) -> Array:
    """A requantised stream and outputs, settled."""
    return requantise(mapped(lambda a, b: (a << 11) + b, h, o))


def centred(z: Array) -> Array:
    return mapped(lambda v: v - 128, z)


def squeezed(a: Array) -> Array:
    return [
        [[plane[2 * y + r][2 * x + c] for x in range(len(plane[0]) // 2)] for y in range(len(plane) // 2)]
        for r in (0, 1)
        for c in (0, 1)
        for plane in a
    ]


def unsqueezed(a: Array) -> Array:
    n, height, width = len(a) // 4, 2 * len(a[0]), 2 * len(a[0][0])
    return [
        [[a[(y % 2 * 2 + x % 2) * n + i][y // 2][x // 2] for x in range(width)] for y in range(height)]
        for i in range(n)
    ]


def latent(o: Array, means: Array | None = None, scales: Array | None = None) -> tuple[Array, Array]:
    """Means and scales of latents."""
    half = len(o) // 2
    means = means or mapped(lambda _: 8192, o[:half])
    scales = scales or mapped(lambda _: 46, o[half:])
    return (
        mapped(lambda v, m: clip(rounded(v, 32) + m, -1024, 17408), o[:half], means),
        mapped(lambda v, s: clip(rounded(v, 1, 4) + s, 0, 63), o[half:], scales),
    )


class Convolutional:
    """What both architectures share; ``multiple`` is what sizes are padded to."""

    def __init__(self, tensors: Tensors, network: dict[str, Any], multiple: int) -> None:
        self.tensors, self.network, self.multiple = tensors, network, multiple
        self.tables = {name[8:]: t for name, t in tensors.items() if name.startswith("mixture.")}
        self.grid = Grid(self.tables)

    def conv(self, name: str, a: Array, size: int = 3) -> Array:
        height, width, reach = len(a[0]), len(a[0][0]), size // 2

        def around(y: int, x: int) -> list[int]:
            places = [(y + dy, x + dx) for dy in range(-reach, reach + 1) for dx in range(-reach, reach + 1)]
            return [p[v][u] if 0 <= v < height and 0 <= u < width else 0 for v, u in places for p in a]

        outputs = [[layer(self.tensors, name, around(y, x)) for x in range(width)] for y in range(height)]
        return [[[o[i] for o in row] for row in outputs] for i in range(len(outputs[0][0]))]

    def blocks(self, name: str, h: Array) -> Array:
        i = 0
        while f"{name}.{i}.weight" in self.tensors:
            h = add(h, self.conv(f"{name}.{i}", act(h)))
            i += 1
        return h

    def padded(self, shape: Shape) -> tuple[int, int]:
        height, width = (-(-side // self.multiple) * self.multiple for side in shape[:2])
        return height, width

    def squeezed_image(self, x: list[int], shape: Shape) -> Array:
        channels = shape[2] if len(shape) == 3 else 1
        height, width = self.padded(shape)

        def sample(y: int, u: int, i: int) -> int:
            return x[(min(y, shape[0] - 1) * shape[1] + min(u, shape[1] - 1)) * channels + i]

        return squeezed([[[sample(y, u, i) for u in range(width)] for y in range(height)] for i in range(channels)])

    def site(self, parameters: list[tuple[Array, Array]]) -> Site:
        means = parameters[0][0]
        rows = [self.grid.row(flattened(m), flattened(s)) for m, s in parameters]
        return Site(rows, True, (len(means), len(means[0]), len(means[0][0])))


class BitSwap(Convolutional):
    """bit-swap."""

    def __init__(self, tensors: Tensors, network: dict[str, Any]) -> None:
        super().__init__(tensors, network, 2 << len(network["halved"]))
        self.latents, self.halved = network["latents"], network["halved"]
        self.levels = len(self.latents)

    def shape_of(self, level: int, shape: Shape) -> Shape:
        """Channels, height and width of z_level."""
        down = 1 + sum(1 for other in self.halved if other <= level)
        return (self.latents[level - 1], *(side >> down for side in self.padded(shape)))

    def stream(self, name: str, z: Array) -> Array:
        return self.blocks(f"{name}.blocks.layers", requantise(self.conv(f"{name}.stem", centred(z))))

    def infer_site(self, level: int, below: Rows, shape: Shape) -> Site:
        """q(z_level | z_(level-1))."""
        found = []
        for z in below:
            a = self.squeezed_image(z, shape) if level == 1 else shaped(z, self.shape_of(level - 1, shape))
            h = self.stream(f"infer.{level - 1}", squeezed(a) if level in self.halved else a)
            found.append(latent(self.conv(f"infer.{level - 1}.out", act(h))))
        return self.site(found)

    def generate_site(self, level: int, above: Rows, shape: Shape) -> Any:
        """p(z_level | z_(level+1))."""
        arrays = [shaped(z, self.shape_of(level + 1, shape)) for z in above]
        streams = [self.stream(f"generate.{level}", z) for z in arrays]
        if not level:
            return PixelSite(self, streams, shape)
        found = [latent(self.conv(f"generate.{level}.out", act(h))) for h in streams]
        if level + 1 in self.halved:
            found = [(unsqueezed(m), unsqueezed(s)) for m, s in found]
        return self.site(found)

    def top_site(self, rows: int, shape: Shape) -> Site:
        size = self.shape_of(self.levels, shape)
        return self.site([(filled(8192, *size), filled(48, *size))] * rows)

    def infer(self, x: Rows, shape: Shape, draw: Draw, refine: int) -> None:
        for level in range(1, self.levels + 1):
            x = draw(f"z{level}", self.infer_site(level, x, shape))

    def generate(self, rows: int, shape: Shape, draw: Draw) -> None:
        above = draw(f"z{self.levels}", self.top_site(rows, shape))
        for level in range(self.levels - 1, 0, -1):
            above = draw(f"z{level}", self.generate_site(level, above, shape))
        draw("x", self.generate_site(0, above, shape))


class ResNet(Convolutional):
    """resnet-vae."""

    def __init__(self, tensors: Tensors, network: dict[str, Any]) -> None:
        super().__init__(tensors, network, 1 << len(network["levels"]))
        self.levels = network["levels"]

    def upwards(self, x: list[int], shape: Shape) -> dict[tuple[int, int], Array]:
        h, found = requantise(self.conv("stem", centred(self.squeezed_image(x, shape)))), {}
        for k, scale in enumerate(self.levels):
            if k:
                h = requantise(self.conv(f"shrink.{k - 1}", act(squeezed(h)), 1))
            for i in range(len(scale)):
                h = found[k, i] = self.blocks(f"up.{k}.{i}.layers", h)
        return found

    def descend(self, rows: int, shape: Shape, draw: Draw, up: list[dict[tuple[int, int], Array]]) -> list[Array]:
        """The last streams; ``up`` is empty for p."""
        last = len(self.levels) - 1
        height, width = self.padded(shape)
        streams = [requantise(self.conv("start", filled(0, 1, height >> last + 1, width >> last + 1), 1))] * rows
        for k in range(last, -1, -1):
            if k < last:
                streams = [unsqueezed(requantise(self.conv(f"grow.{k}", act(h), 1))) for h in streams]
            for i in range(len(self.levels[k]) - 1, -1, -1):
                name = f"down.{k}.{i}"
                found = [latent(self.conv(f"{name}.prior", act(h))) for h in streams]
                for b, features in enumerate(up):
                    h = mapped(lambda a, u: a + u, streams[b], features[k, i])
                    o = self.conv(f"{name}.posterior", act(mapped(lambda v: clip(v, -2047, 2047), h)))
                    found[b] = latent(o, *found[b])
                site = self.site(found)
                z = [shaped(row, site.shape) for row in draw(f"z{k}.{i}", site)]
                injected = [self.conv(f"{name}.inject", centred(a)) for a in z]
                streams = [
                    self.blocks(f"{name}.blocks.layers", add(h, o)) for h, o in zip(streams, injected, strict=True)
                ]
        return streams

    def infer(self, x: Rows, shape: Shape, draw: Draw, refine: int) -> None:
        self.descend(len(x), shape, draw, [self.upwards(image, shape) for image in x])

    def generate(self, rows: int, shape: Shape, draw: Draw) -> None:
        draw("x", PixelSite(self, self.descend(rows, shape, draw, []), shape))


class PixelSite:
    """Samples of images by the head."""

    def __init__(self, model: Convolutional, features: list[Array], shape: Shape) -> None:
        self.model, self.network, self.features, self.shape = model, model.network, features, shape
        self.channels = shape[2] if len(shape) == 3 else 1
        self.order = (1, 0, 2) if self.channels == 3 else (0,)

    def outputs(self, position: int, fan: Array, planes: list[Array]) -> tuple[Array, Array]:
        """Outputs of a position, and what they are added to, by channel."""
        model, width = self.model, self.network["head"]
        u = fan[position * width : (position + 1) * width]
        height, across = len(u[0]), len(u[0][0])
        base = filled(8192, self.channels, height, across)
        if position and self.network["ahead"]:
            known = model.conv(f"head.known.{position - 1}", centred([c for plane in planes for c in plane]))
            u = mapped(lambda a, b: a + b, u, known)

            def mean(i: int, y: int, x: int) -> int:
                places = [
                    (q, clip(y + dy, 0, height - 1), clip(x + dx, 0, across - 1)) for q, dy, dx in AROUND[position]
                ]
                return 16 * sum(planes[q][i][v][w] for q, v, w in places)

            base = [[[mean(i, y, x) for x in range(across)] for y in range(height)] for i in range(self.channels)]
        u, d = requantise(u), 0
        while f"head.deep.{position}.{d}.weight" in model.tensors:
            u = add(u, model.conv(f"head.deep.{position}.{d}", act(u), 1))
            d += 1
        return model.conv(f"head.out.{position}", act(u), 1), base

    def mixture(self, o: list[int], base: int, residuals: list[int]) -> tuple[int, Mixture]:
        """Centre and mixture of a sample from its outputs; residuals of the channels before."""
        k = self.network["components"]
        products = (rounded(c * r, 1, 32) for c, r in zip(o[3 * k :], residuals, strict=True))
        centre = clip(rounded(o[0], 32) + base + sum(products), -65536, 65536)
        means = [clip(centre + offset, -1024, 17408) for offset in (0, *(rounded(v, 16) for v in o[1:k]))]
        scales = [clip(rounded(v, 1, 4) + 44, 0, 63) for v in o[k : 2 * k]]
        return centre, list(zip(means, scales, (rounded(v, 1, 2) for v in o[2 * k : 3 * k]), strict=True))

    def walk(self, value: Callable[[list[Table], list[tuple[int, int]]], list[int]]) -> None:
        """Through all samples; ``value`` gives those of some tables, by row and place in the flat image."""
        k = self.network["components"]
        fans = [self.model.conv("head.fan", act(h)) for h in self.features]
        height, width = len(fans[0][0]), len(fans[0][0][0])
        planes: list[list[Array]] = [[] for _ in fans]
        for position, (down, right) in enumerate(POSITIONS):
            outputs = [self.outputs(position, fan, planes[b]) for b, fan in enumerate(fans)]
            for b in range(len(fans)):
                planes[b].append(filled(128, self.channels, height, width))
            inside = [
                (b, y, x)
                for b in range(len(fans))
                for y in range((self.shape[0] - down + 1) // 2)
                for x in range((self.shape[1] - right + 1) // 2)
            ]
            residuals: dict[tuple[int, int, int], list[int]] = {at: [] for at in inside}
            for number, channel in enumerate(self.order):
                start = 3 * k * number + number * (number - 1) // 2
                tables, centres = [], []
                for b, y, x in inside:
                    o = [plane[y][x] for plane in outputs[b][0][start : start + 3 * k + number]]
                    centre, mixture = self.mixture(o, outputs[b][1][channel][y][x], residuals[b, y, x])
                    centres.append(centre)
                    tables.append(cumulative(self.model.tables, mixture))
                places = [
                    (b, ((2 * y + down) * self.shape[1] + 2 * x + right) * self.channels + channel)
                    for b, y, x in inside
                ]
                for at, centre, v in zip(inside, centres, value(tables, places), strict=True):
                    b, y, x = at
                    planes[b][position][channel][y][x] = v
                    residuals[at].append(64 * v - centre)

    def pop(self, stack: Stack) -> Rows:
        """Images, flat."""
        size = self.shape[0] * self.shape[1] * self.channels
        images = [[0] * size for _ in self.features]

        def take(tables: list[Table], places: list[tuple[int, int]]) -> list[int]:
            values = pop_nibbles(stack, tables)
            for (b, place), v in zip(places, values, strict=True):
                images[b][place] = v
            return values

        self.walk(take)
        return images

    def log2(self, images: Rows) -> list[int]:
        """The logarithm of each image."""
        sums = [0] * len(images)

        def count(tables: list[Table], places: list[tuple[int, int]]) -> list[int]:
            values = [images[b][place] for b, place in places]
            for (b, _), c, v in zip(places, tables, values, strict=True):
                sums[b] += log2(c[v + 1] - c[v]) - (24 << 16)
            return values

        self.walk(count)
        return sums
