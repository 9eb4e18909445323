"""Networks as documents describe them, made without random weights and without more memory than their files explain.

PyTorch's meta device would do without memory, but loads its compiler for it: 75 MB and 1.4 s on the way to any model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.overrides import TorchFunctionMode

from rdzip.errors import ModelError

ROOM, LEAST = 16, 1 << 22
"""Numbers of all tensors made on the way, for each number of a model file, and for any file."""
_DRAWN = ("uniform_", "normal_")


class Planned(TorchFunctionMode):
    """While it lasts, tensors are zeros where they would be random; ModelError where they are too many.

    tensors: those of the model file.
    """

    def __init__(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        super().__init__()
        self._left = LEAST + ROOM * sum(value.size for value in tensors.values())

    def __torch_function__(
        self, function: Callable[..., Any], types: Iterable[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        """Result of a function of PyTorch's, counted."""
        if getattr(function, "__name__", "") in _DRAWN:
            return args[0] if args else kwargs["tensor"]  # the latter from torch.nn.init
        if function is torch.randn:  # of all weights: counted before there is memory for them
            self._count(math.prod(args))
            function = torch.zeros
        result = function(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self._count(result.numel())
        return result

    def _count(self, numbers: int) -> None:
        self._left -= numbers
        if self._left < 0:
            raise ModelError("model: the network that it describes is larger than its tensors: the file is corrupt")
