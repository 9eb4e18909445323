"""Integer tensors of the convolutions of a network, as model files hold them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from rdzip.exact.convolution import QuantisedConv
from rdzip.models.shared.layer_names import in_file

INTEGER_PARTS: dict[str, type[np.generic]] = {"weight": np.int8, "exponent": np.int8, "bias": np.int32}
"""Of each layer: what is stored, and its type."""


def convolutions(net: nn.Module) -> dict[str, QuantisedConv]:
    """The quantised convolutions of a network by their names in files."""
    return {in_file(name): layer for name, layer in net.named_modules() if isinstance(layer, QuantisedConv)}


def integer_tensors(net: nn.Module) -> dict[str, NDArray[Any]]:
    """Integer tensors of all layers by "layer.part"; ModelError if one breaks the bound of exactness."""
    tensors: dict[str, NDArray[Any]] = {}
    for name, layer in convolutions(net).items():
        integers = layer.to_integer().integers
        tensors |= {f"{name}.{part}": integers[part].numpy() for part in INTEGER_PARTS}
    return tensors
