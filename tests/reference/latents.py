"""A second decoder of chains, written from docs/reference/{latents,random}.md, with what container.py has.

Slow and plain: Python integers and fractions, nothing of rdzip but the table of normal values. This file reads chains
and pictures; slow_sites.py, slow_codecs.py, slow_models.py and slow_images.py hold what they are made of.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from reference import images as slow_images
from reference import models as slow_models
from reference.bits_back import IMAGES as BITS_BACK
from reference.bits_back import SEQUENCES, Options, Shape
from reference.container import Reader, Rows, need, read_model
from reference.irec import LIMITS as IREC_LIMITS
from reference.irec import IrecOptions, irec
from reference.sites import TOTAL, Stack, random_words

IMAGES: dict[int, Any] = {**dict(enumerate(BITS_BACK)), 7: irec}
ARCHITECTURES = {
    "bit-swap": slow_images.BitSwap,
    "resnet-vae": slow_images.ResNet,
    "vae-mlp": slow_models.Perceptron,
    "vrnn": slow_models.Recurrent,
    "toy-mixture": slow_models.ToyMixture,
    "toy-hmm": slow_models.ToyHmm,
}
LIMITS = ((1, 4096), (0, 1000), (0, 4096), (4, 16), (0, 2), (0, 1))


def load(data: bytes) -> Any:
    """The model of a file."""
    tensors, document = read_model(data)
    return ARCHITECTURES[document["architecture"]](tensors, document.get("network", {}))


def options_of(codec: int, numbers: list[int], sequences: bool) -> Any:
    """The options under which a codec works."""
    if codec == 7:
        need(all(low <= n <= high for n, (low, high) in zip(numbers, IREC_LIMITS, strict=True)), "options")
        return IrecOptions(*numbers)
    need(all(low <= n <= high for n, (low, high) in zip(numbers, LIMITS, strict=True)), "options")
    options = Options(*numbers)
    if sequences and codec in (1, 3):
        options = options._replace(resample=2, particles=1 if codec == 1 else options.particles)
    return options


def groups_of(shapes: list[Shape], sizes: Iterator[int], particles: int) -> list[list[int]]:
    """Numbers of the samples of each group."""
    groups = []
    for shape in sorted(set(shapes)):
        run = [number for number, other in enumerate(shapes) if other == shape]
        entries = particles
        for side in shape:
            entries *= side
        while run:
            size = next(sizes)
            need(size <= len(run) and (size == 1 or size * entries <= 1 << 20), "size of a group")
            groups.append(run[:size])
            run = run[size:]
    need(next(sizes, None) is None, "groups left over")
    return groups


def decode_chain(model: Any, payload: bytes, shapes: list[Shape]) -> list[Rows]:
    """The samples of a chain, by their shapes: flat lists, or lists of steps."""
    found, left = _decode(model, Reader(payload), shapes)
    need(left == [word | 1 for word in random_words(0x72647A6970, 0, len(left))][::-1], "supply")
    return found


def decode_picture(model: Any, payload: bytes, shape: Shape) -> tuple[dict[tuple[int, int], int], int, int, bytes]:
    """Samples by row and place in the row; how many first rows are not there, their layout, and their classic code."""
    reader = Reader(payload)
    side, rows, length, kind = (reader.varint() for _ in range(4))
    height, width = shape[:2]
    tiles = [(y, x) for y in range(rows, height, side) for x in range(0, width, side)]
    shapes = [(min(side, height - y), min(side, width - x), *shape[2:]) for y, x in tiles]
    found, left = _decode(model, reader, shapes)
    first = struct.pack(f"<{len(left)}I", *left)
    if rows:
        need(len(first) == length + -length % 4 and not any(first[length:]), "first rows")
    else:
        need(left == [word | 1 for word in random_words(0x72647A6970, 0, len(left))][::-1], "supply")
    channels = shape[2] if len(shape) == 3 else 1
    samples = {}
    for (y, x), (_, across, *_), tile in zip(tiles, shapes, found, strict=True):
        for i, sample in enumerate(tile):
            row, place = divmod(i, across * channels)
            samples[y + row, x * channels + place] = sample
    return samples, rows, kind, first[:length]


def _decode(model: Any, reader: Reader, shapes: list[Shape]) -> tuple[list[Any], list[int]]:
    """Samples, and the words on which the stack began, from the lowest on."""
    codec = reader.varint()
    *numbers, runs = (reader.varint() for _ in range(5 if codec == 7 else 7))
    pairs = [(reader.varint(), reader.varint()) for _ in range(runs)]
    sequences = hasattr(model, "propose")
    options = options_of(codec, numbers, sequences)
    need(all(1 <= size <= 256 and count > 0 for size, count in pairs), "sizes of groups")
    groups = groups_of(shapes, (size for size, count in pairs for _ in range(count)), options.particles)
    stack = Stack(reader.data[reader.at :])
    decode = SEQUENCES[codec] if sequences else IMAGES[codec]
    found = {}
    for group in reversed(groups):
        found |= dict(zip(group, decode(model, len(group), shapes[group[0]], stack, options), strict=True))
    *left, top = stack.left()
    need(top == TOTAL, "end of the chain")
    return [found[number] for number in range(len(shapes))], left
