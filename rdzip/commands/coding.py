"""What compressing and decompressing share: how to code, and the inputs one by one, each under its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rdzip.commands.files import Input
from rdzip.pipeline.request import DEFAULT_COMPUTE, DEFAULT_REQUEST, Compute, Request
from rdzip.system.process import tune_process


@dataclass(frozen=True)
class Coding:
    """How to code, and on what.

    items: which items of a file to decode, None for all.
    fetch: models from repositories that files name, too.
    convert: what to write pictures as ("PNG", "TIFF", "NPY"), None for the file that was compressed.
    """

    request: Request = DEFAULT_REQUEST
    compute: Compute = DEFAULT_COMPUTE
    items: tuple[int, ...] | None = None
    fetch: bool = False
    convert: str | None = None


def one_by_one(inputs: Sequence[Input]) -> Iterator[tuple[Input, str]]:
    """Yield each input with the label of its progress bar."""
    tune_process()
    for index, item in enumerate(inputs):
        yield item, label_of(inputs, index)


def label_of(inputs: Sequence[Input], index: int) -> str:
    """Return what the progress bar of an input says: ``a.png (2 of 3)``."""
    name = inputs[index].name
    return name if len(inputs) == 1 else f"{name} ({index + 1} of {len(inputs)})"
