"""The tables of entropy/cdf.py as tensors of a model file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.entropy.cdf import FLOOR, LOGIT_SIZE, SIGMOID_BITS, SIGMOID_SIZE, MixtureTables
from rdzip.errors import ModelError
from rdzip.models.shared.units import SCALES


def tables_as_tensors(tables: MixtureTables, prefix: str = "mixture") -> dict[str, NDArray[Any]]:
    """Tensors by the names under which ``read_tables`` finds them."""
    return {
        f"{prefix}.sigmoid": tables.sigmoid,
        f"{prefix}.inverse_scale": tables.inverse_scale,
        f"{prefix}.exponential": tables.exponential,
    }


def read_tables(
    tensors: Mapping[str, NDArray[Any]], prefix: str = "mixture", least_floor: int = FLOOR
) -> MixtureTables:
    """Tables of a model file; ModelError unless all are there, of the right size and monotone.

    least_floor: the least frequency that their values may keep.
    """
    parts = []
    most = (1 << SIGMOID_BITS) - least_floor
    for name, size, largest in (
        ("sigmoid", SIGMOID_SIZE, most), ("inverse_scale", SCALES, 2**16), ("exponential", LOGIT_SIZE, 2**16)
    ):  # fmt: skip
        table = tensors.get(f"{prefix}.{name}")
        if (
            table is None
            or table.dtype != np.int32
            or table.shape != (size,)
            or table.min() < 0
            or table.max() > largest
        ):
            raise ModelError(f"model: expected {prefix}.{name} int32 ({size},) within 0..{largest}")
        parts.append(table)
    sigmoid, inverse, exponential = parts
    if (np.diff(sigmoid) < 0).any() or inverse.min() < 1 or exponential[0] < 1:
        raise ModelError(f"model: the tables of {prefix} are not monotone")
    return MixtureTables(sigmoid, inverse, exponential)
