"""Autoregressive flows: masked for priors (Papamakarios et al. 2017), inverse for posteriors (Kingma et al. 2016).

Both are stacks of the same layer, v_i = (z_i - m_i(z_<i)) exp(-s_i(z_<i)), which is one pass of a masked network. A MAF
goes from the sample to the noise by it, so densities are fast; an IAF goes from the noise to the sample, so samples and
their densities are fast. Between layers the coordinates are reversed, or shifted round by half of their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from rdzip.bounds.upper.layers import Autoregressive
from rdzip.errors import InputError

ORDERS = ("reverse", "shift")
LOG_SCALE_LIMIT = 4.0
"""A layer scales a coordinate by e^-4 to e^4."""


class AffineLayer(nn.Module):
    """v_i = (z_i - m_i) exp(-s_i), with m, s of an autoregressive network; starts as the identity."""

    def __init__(self, copies: int, dim: int, units: Sequence[int], context: int = 0):
        super().__init__()
        self.net = Autoregressive(copies, dim, units, 2, context)

    def _shift_and_log_scale(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        shift, raw = self.net(z, context).unbind(-1)
        return shift, LOG_SCALE_LIMIT * torch.tanh(raw / LOG_SCALE_LIMIT)

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return v [copies, n, dim] and ln |det dv/dz| [copies, n]."""
        shift, log_scale = self._shift_and_log_scale(z, context)
        return (z - shift) * torch.exp(-log_scale), -log_scale.sum(-1)

    def inverse(self, v: Tensor, context: Tensor | None = None) -> Tensor:
        """Return z of v, one coordinate after the other: dim passes."""
        z = torch.zeros_like(v)
        for i in range(v.shape[-1]):
            shift, log_scale = self._shift_and_log_scale(z, context)
            z = torch.cat([z[..., :i], (v * torch.exp(log_scale) + shift)[..., i : i + 1], z[..., i + 1 :]], -1)
        return z


class Flow(nn.Module):
    """Affine autoregressive layers with a reordering of the coordinates between them; it starts as the identity."""

    def __init__(
        self, copies: int, dim: int, units: Sequence[int], layers: int, order: str = "reverse", context: int = 0
    ):
        """Make the layers.

        - copies: independent flows, for the values of lambda
        - dim: coordinates
        - units: widths of the hidden layers
        - layers: how many there are
        - order: how coordinates are reordered between them: reverse, or random
        - context: entries of what the flow is conditioned on, 0 for nothing
        """
        super().__init__()
        if order not in ORDERS:
            raise InputError(f"expected an order of coordinates of {', '.join(ORDERS)}, found {order!r}")
        self.order, self.places = order, max(1, dim // 2)
        self.layers = nn.ModuleList(AffineLayer(copies, dim, units, context) for _ in range(layers))

    def _reorder(self, z: Tensor, times: int = 1) -> Tensor:
        if self.order == "reverse":
            return z.flip(-1) if times % 2 else z
        return z.roll(times * self.places, -1)

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the image of z [copies, n, dim] and ln |det| [copies, n], nats."""
        log_det = z.new_zeros(z.shape[:-1])
        for i, layer in enumerate(self.layers):
            if i:
                z = self._reorder(z)
            z, term = layer(z, context)
            log_det = log_det + term
        return self._reorder(z, 1 - len(self.layers)), log_det

    def inverse(self, v: Tensor, context: Tensor | None = None) -> Tensor:
        """Return z of its image v: layers times dim passes."""
        v = self._reorder(v, len(self.layers) - 1)
        for i, layer in reversed(list(enumerate(self.layers))):
            v = cast(AffineLayer, layer).inverse(v, context)
            if i:
                v = self._reorder(v, -1)
        return v
