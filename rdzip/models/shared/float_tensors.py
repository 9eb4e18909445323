"""Float parameters in model files: int16 with a power of two for each index of the first axis.

A file so holds integers only, and every machine has the same floats.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rdzip.errors import ModelError

FLOATS, EXPONENTS = "float.", "exponent."
Tensors = dict[str, NDArray[Any]]


def names(parameters: Mapping[str, Tensor]) -> set[str]:
    """Names of the tensors that hold parameters by name."""
    return {f"{kind}{name}" for name in parameters for kind in (FLOATS, EXPONENTS)}


def as_tensors(parameters: Mapping[str, Tensor]) -> Tensors:
    """The tensors of parameters by name."""
    found: Tensors = {}
    for name, value in parameters.items():
        found[FLOATS + name], found[EXPONENTS + name] = _as_int16(value)
    return found


def values(parameters: Mapping[str, Tensor], tensors: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    """What tensors hold for parameters by name, float32; ModelError for other types or shapes."""
    found = {}
    for name, parameter in parameters.items():
        whole = read(tensors, FLOATS + name, np.int16, tuple(parameter.shape))
        exponent = read(tensors, EXPONENTS + name, np.int8, (len(parameter),))
        found[name] = _of_int16(whole.numpy(), exponent.numpy())
    return found


def fill(parameters: Mapping[str, Tensor], tensors: Mapping[str, NDArray[Any]]) -> None:
    """Set parameters by name to what tensors hold; ModelError for other types or shapes."""
    with torch.no_grad():
        for name, value in values(parameters, tensors).items():
            parameters[name].copy_(value)


def read(
    tensors: Mapping[str, NDArray[Any]], name: str, dtype: type[np.generic], shape: tuple[int, ...] | None = None
) -> Tensor:
    """A tensor of a model file; ModelError unless it is of a type and, if one is given, of a shape."""
    value = tensors[name]
    if value.dtype != dtype or (shape is not None and value.shape != shape):
        raise ModelError(f"model: expected {name} of {dtype.__name__} {shape or ''}, found {value.dtype} {value.shape}")
    return torch.from_numpy(np.ascontiguousarray(value))


def _as_int16(value: Tensor) -> tuple[NDArray[np.int16], NDArray[np.int8]]:
    """int16 [o, ...] and exponents int8 [o] with value about int16 * 2**-exponent."""
    x = value.detach().double().reshape(len(value), -1)
    largest = x.abs().amax(1).clamp_min(2.0**-60)
    exponent = torch.floor(torch.log2(32767 / largest)).clamp(-127, 127)
    whole = torch.round(x * torch.exp2(exponent)[:, None]).clamp(-32767, 32767)
    return whole.reshape(value.shape).to(torch.int16).numpy(), exponent.to(torch.int8).numpy()


def _of_int16(whole: NDArray[np.int16], exponent: NDArray[np.int8]) -> Tensor:
    scale = np.exp2(-exponent.astype(np.float64)).reshape(-1, *[1] * (whole.ndim - 1))
    return torch.from_numpy((whole * scale).astype(np.float32))
