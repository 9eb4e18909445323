"""Fast matrix products that stay exact: float32 products of operands with 8 significant bits, on bfloat16 units.

Activations and weights of the integer layers have at most 8 significant bits, so bfloat16 holds them exactly; the units
multiply exactly and add in float32, whose partial sums are exact by the bound of exact/layers.py. Processors without
such units ignore the setting.
"""

from __future__ import annotations

import os
import threading
from types import TracebackType
from typing import Any

import torch

_MATMUL: Any = getattr(torch.backends.mkldnn, "matmul", None)


class _FastProducts:
    """Context in which oneDNN may use bfloat16 units for float32 products, where RDZIP_FAST_PRODUCTS is 1.

    The setting belongs to the process, so only a program that computes nothing else may allow it, as the command line
    does: products in other threads would lose bits. The last of several threads to leave restores what was set before.
    """

    def __init__(self) -> None:
        self._allowed = _MATMUL is not None and os.environ.get("RDZIP_FAST_PRODUCTS") == "1"
        self._lock = threading.Lock()
        self._depth = 0
        self._before = "none"

    def __enter__(self) -> None:
        if self._allowed:
            with self._lock:
                if self._depth == 0:
                    self._before = _MATMUL.fp32_precision
                    _MATMUL.fp32_precision = "bf16"
                self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._allowed:
            with self._lock:
                self._depth -= 1
                if self._depth == 0:
                    _MATMUL.fp32_precision = self._before


fast_products = _FastProducts()
