"""What compressing and decompressing share: how to code, and the inputs one by one, each under its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rdzip.commands.files import Input
from rdzip.pipeline.codec_options import NO_WISHES, Wishes
from rdzip.pipeline.loss import NO_LOSS, Loss
from rdzip.system.process import own_process


@dataclass(frozen=True)
class Coding:
    """How to code; None is the library's choice.

    model, codec, effort, wishes: which codec, and its options.
    loss: what may be lost. metadata: "all" or "none".
    verify: decode what was written, and compare.
    threads, device, max_pixels, offline: where it runs, and within which limits; offline: fetch no model.
    items: which items of a file to decode, None for all.
    fetch: models from repositories that files name, too.
    """

    model: str | None = None
    codec: str | None = None
    metadata: str = "all"
    verify: bool = True
    threads: int | None = None
    device: str | None = None
    max_pixels: int | None = None
    wishes: Wishes = NO_WISHES
    items: tuple[int, ...] | None = None
    loss: Loss = NO_LOSS
    effort: int | None = None
    offline: bool = False
    fetch: bool = False


def one_by_one(inputs: Sequence[Input]) -> Iterator[tuple[Input, str]]:
    """Yield each input with the label of its progress bar."""
    own_process()
    for index, item in enumerate(inputs):
        yield item, label_of(inputs, index)


def label_of(inputs: Sequence[Input], index: int) -> str:
    """Return what the progress bar of an input says: ``a.png (2 of 3)``."""
    name = inputs[index].name
    return name if len(inputs) == 1 else f"{name} ({index + 1} of {len(inputs)})"
