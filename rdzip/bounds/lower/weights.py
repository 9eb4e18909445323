"""Weights u(x) > 0 of Csiszar's dual: exponentials of quadratics, a mixture's u_q and what tuning makes of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rdzip.bounds.quadratic import features
from rdzip.bounds.upper.mixture_law import Frame, Mixture

Density = Callable[[NDArray[np.float64]], NDArray[np.float64] | None]
"""Log density [n] of the source at x [n, dim], nats."""


class LogU(Protocol):
    """Any positive weight, by its logarithm."""

    def __call__(self, x: Tensor) -> Tensor:
        """Return log u [n] of x float64 [n, dim]."""
        ...


@dataclass(frozen=True)
class QuadraticU:
    """u = max(scale v + root sqrt(v) + floor, share c p) with v(x) = sum_j exp(phi(x) . theta_j).

    phi is taken in the coordinates of frame. root and floor lift u where the source is rare: there few samples decide
    on C_k, with a relative deviation of one over the root of their number. Where the density p of the source is known,
    a share of c p, c the integral of the kernel, bounds sup_y C by 1 / share; alone, with share 1, it is the Shannon
    lower bound. theta [p, m]; logarithms of root, floor and share may be -inf, which leaves them out.
    """

    frame: Frame
    theta: Tensor
    diagonal: bool
    log_root: float = -math.inf
    log_floor: float = -math.inf
    log_share: float = -math.inf
    log_scale: float = 0.0
    density: Density | None = None
    log_c: float = 0.0

    @classmethod
    def of(cls, mixture: Mixture, density: Density | None = None) -> QuadraticU:
        """Return u_q of a mixture."""
        log_c = 0.5 * mixture.dim * math.log(2 * math.pi * mixture.s2)
        return cls(mixture.frame, mixture.theta(), mixture.diagonal, density=density, log_c=log_c)

    def __call__(self, x: Tensor) -> Tensor:
        """Return log u [n] of x float64 [n, dim]."""
        return self.lifted(self.log_v(x), self.log_cp(x) if self.log_share > -math.inf else None)

    def log_v(self, x: Tensor) -> Tensor:
        """Return log v [n] of x float64 [n, dim], in chunks."""
        step = max(1, 2_000_000 // max(self.theta.shape))
        inside = self.frame.into(x).split(step)
        return torch.cat([(features(part, self.diagonal) @ self.theta).logsumexp(1) for part in inside])

    def log_cp(self, x: Tensor) -> Tensor:
        """Return log c p [n] of x float64 [n, dim], for sources with a density."""
        assert self.density is not None
        found = self.density(x.numpy())
        assert found is not None
        return torch.from_numpy(found) + self.log_c

    def lifted(self, log_v: Tensor, log_cp: Tensor | None) -> Tensor:
        """Return log u of log v and log c p."""
        root = 0.5 * log_v + self.log_root
        log_v = log_v + self.log_scale
        if self.log_root > -math.inf:
            log_v = torch.logaddexp(log_v, root)
        if self.log_floor > -math.inf:
            log_v = torch.logaddexp(log_v, log_v.new_tensor(self.log_floor))
        return log_v if log_cp is None else torch.maximum(log_v, log_cp + self.log_share)
