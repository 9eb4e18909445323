"""Models built of hostile model files, of every architecture, up to their known answer.

An input is changes to a tiny model file: a byte that chooses it, then changes of four bytes each, (what, where, how,
with what).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fuzz import tiny
from rdzip.models import build, model_file

CODE = "python"
MAX_LEN = 33
VALUES: tuple[Any, ...] = (
    0, 1, 2, 3, 4, 5, 7, 8, 16, 17, 32, 64, 128, 255, 256, 257, 1024, 1025, 4096, 4097, 65536, 1 << 31, 1 << 63, -1,
    True, False, None, 1.5, "", "causal-mlp", [], {}, [[1]], [1, 2], [1] * 70, {"width": 8},
)  # fmt: skip


def seeds() -> Iterator[bytes]:
    """No change, and one of each kind."""
    for number in range(len(tiny.NAMES)):
        yield bytes([number])
        for what in range(6):
            yield bytes([number, what, 3, 7, 1])


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths to all values within a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        if key not in ("training", "known_answer", "licence", "measured"):
            yield (*path, key)
            yield from places(inner, (*path, key))


def change(tensors: dict[str, Any], document: Any, what: int, where: int, how: int, by: int) -> None:
    """Make one change."""
    if what % 6 < 2:
        paths = list(places(document))
        if not paths:
            return
        *path, last = paths[where % len(paths)]
        for key in path:
            document = document[key]
        if what % 6:
            del document[last]
        else:
            document[last] = VALUES[how % len(VALUES)]
        return
    if not tensors:
        return
    name = sorted(tensors)[where % len(tensors)]
    tensor = tensors[name]
    if what % 6 == 2:
        flat = tensor.reshape(-1).copy()
        info = np.iinfo(tensor.dtype)
        flat[how * len(flat) // 256] = (info.min, info.max, 0, 1, -1 if info.min else 2, by)[by % 6] % (info.max + 1)
        tensors[name] = flat.reshape(tensor.shape)
    elif what % 6 == 3:
        size = (1, 2, by + 1, max(1, tensor.size // 2), tensor.size + 1)[how % 5]
        tensors[name] = np.resize(tensor, (size,) if by % 2 else (size, *tensor.shape[1:])[: 1 + by % 4])
    elif what % 6 == 4:
        tensors[name] = tensor.astype(("i1", "u1", "i2", "i4")[how % 4])
    elif by % 2:
        del tensors[name]
    else:
        tensors[f"{name}.{how}"] = tensor


def one(data: bytes) -> None:
    """Build the model, and let it compute its known answer, as whoever loads it does."""
    if not data:
        return
    tensors, document = model_file.read(tiny.files()[tiny.NAMES[data[0] % len(tiny.NAMES)]])
    for at in range(1, len(data) - 3, 4):
        change(tensors, document, *data[at : at + 4])
    tensors, document = model_file.read(model_file.to_bytes(tensors, document))
    build(tensors, document).known_answer()
