"""Running a model's programs: latents and samples are popped from a stack, or known and pushed in reverse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.entropy.ans import AnsStack
from rdzip.exact.types import Float64, Int64
from rdzip.models.latent_model import Draw
from rdzip.models.shared.sites import Site

Values = dict[str, NDArray[Any]]


class Trace:
    """The draws of one run of a program, in order: name, site, symbols."""

    def __init__(self) -> None:
        self.draws: list[tuple[str, Site, NDArray[Any]]] = []

    @property
    def values(self) -> Values:
        """Symbols by name."""
        return {name: symbols for name, _, symbols in self.draws}

    def popping(self, stack: AnsStack) -> Draw:
        """Draw that takes symbols off a stack."""
        return self._recording(lambda name, site: site.pop(stack))

    def knowing(self, values: Values) -> Draw:
        """Draw that tells known symbols."""
        return self._recording(lambda name, site: values[name])

    def _recording(self, draw: Draw) -> Draw:
        def drawn(name: str, site: Site) -> NDArray[Any]:
            symbols = draw(name, site)
            self.draws.append((name, site, symbols))
            return symbols

        return drawn

    def push(self, stack: AnsStack) -> None:
        """Put all draws on a stack, the last first, so that the program run with ``popping`` finds them."""
        for _, site, symbols in reversed(self.draws):
            site.push(stack, symbols)

    def log2(self) -> Int64:
        """Sum of the logarithms of the coded probabilities, int64 [rows], in 2**-16 bits."""
        return self._sum(lambda site, symbols: site.log2(symbols))

    def bits(self) -> Float64:
        """Sum of -log2 of the real-valued probabilities, float64 [rows]."""
        return self._sum(lambda site, symbols: site.bits(symbols))

    def _sum(self, measure: Callable[[Site, NDArray[Any]], NDArray[Any]]) -> NDArray[Any]:
        return np.sum([measure(site, symbols) for _, site, symbols in self.draws], axis=0)  # type: ignore[no-any-return]
