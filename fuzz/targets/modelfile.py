"""The model file as such: its header, its JSON document, its tensors; nothing is built of them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import numpy as np

from fuzz import seal
from rdzip.models import model_file

CODE = "python"
MAX_LEN = 2048
META = {
    "architecture": "toy-mixture",
    "version": 1,
    "id": "tiny",
    "codecs": ["bb-ans"],
    "known_answer": "0" * 64,
    "licence": "none",
    "network": {"width": 8, "levels": [[1, 2], [3]]},
    "sample": {"kind": "image", "values": 256, "shape": [None, None, 3]},
}


def seeds() -> Iterator[bytes]:
    """Files of tensors of every type."""
    yield model_file.to_bytes({"a": np.zeros(3, np.int8)}, META)
    tensors = {
        "a.weight": np.arange(12, dtype=np.int8).reshape(3, 4),
        "a.bias": np.arange(3, dtype=np.int32),
        "scalar": np.array(7, np.int16),
        "table": np.arange(16, dtype=np.uint8).reshape(2, 2, 2, 2),
    }
    yield model_file.to_bytes(tensors, META)


def mutate(data: bytes, max_size: int, seed: int, mutate: seal.Mutate) -> bytes:
    """Of the header's values, of the document's, of the header's text, or of the bytes."""
    rng = random.Random(seed)
    choice = rng.randrange(4)
    try:
        length = int.from_bytes(data[:8], "little")
        text, body = data[8 : 8 + length], data[8 + length :]
        if choice == 1:
            text = json.dumps(seal.changed(json.loads(text), rng), default=repr).encode()
        elif choice == 2:
            header = json.loads(text)
            document = seal.changed(json.loads(header["__metadata__"]["rdzip"]), rng)
            header["__metadata__"]["rdzip"] = json.dumps(document, default=repr)
            text = json.dumps(header).encode()
        elif choice == 3:
            text = mutate(text, max(1, max_size - len(body) - 8))
        else:
            return mutate(data, max_size)
        return (len(text).to_bytes(8, "little") + text + body)[:max_size]
    except (ValueError, KeyError, TypeError, RecursionError):
        return mutate(data, max_size)


def one(data: bytes) -> None:
    """What is read is written as a file that reads as the same."""
    tensors, meta = model_file.read(data)
    assert model_file.read_meta(data) == meta
    again, same = model_file.read(model_file.to_bytes(tensors, meta))
    assert same == meta
    assert tensors.keys() == again.keys()
    assert all(np.array_equal(tensors[name], again[name]) for name in tensors)
