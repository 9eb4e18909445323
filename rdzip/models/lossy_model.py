"""What codecs ask of lossy models: transforms in floats, and a program of integers that both sides run.

Latents are real numbers of the encoder; decoded latents are integers that encoder and decoder share. The program `code`
calls `draw(name, site)` for each group of symbols in order. An encoder's draw quantises what belongs to the name, a
decoder's pops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from rdzip.exact.types import Int32

if TYPE_CHECKING:
    from torch import Tensor

    from rdzip.models.shared.residual_site import ResidualSite
    from rdzip.rec.settings import Settings

Decoded = dict[str, NDArray[np.int32]]
"""Decoded latents by name, [channels, rows * k, columns * k] with k of the name."""
Draw = Callable[[str, "ResidualSite"], Int32]
"""Symbols int32 of a site, in the site's order."""


class LossyModel(Protocol):
    """A transform code. Regions are counted in strides: squares of `stride` pixels.

    - codecs: their names, the default first
    - stride: pixels, by row and by column
    - halo: strides around a region beyond which neither transform sees
    - setting_count: the quantiser has settings 0 ... setting_count - 1, from the finest step to the coarsest
    - rec_settings: of relative entropy coding, None for models that quantise
    """

    codecs: tuple[str, ...]
    stride: int
    halo: int
    setting_count: int
    rec_settings: Settings | None

    def setting_of(self, quality: int) -> int:
        """Setting for a quality of 1 (coarse) to 100 (fine), strictly monotone."""
        ...

    def analyse(self, x: Tensor, setting: int) -> dict[str, Tensor]:
        """Latents of a picture x float32 [1, 3, h, w], RGB in 0..1, sides multiples of stride; floats, for encoders."""
        ...

    def crop(self, latents: Mapping[str, Tensor], rows: slice, columns: slice) -> dict[str, Tensor]:
        """Latents of a region, given in strides."""
        ...

    def code(self, draw: Draw, rows: int, columns: int, setting: int) -> Decoded:
        """Run the program for a region of rows x columns strides: exact integers, the same on every machine."""
        ...

    def quantise(self, latents: Mapping[str, Tensor], name: str, site: ResidualSite) -> Int32:
        """The encoder's symbols for a site of the region that the latents are of."""
        ...

    def synthesise(self, decoded: Mapping[str, Int32], setting: int) -> Tensor:
        """Picture float32 [1, 3, h, w], RGB about 0..1, of decoded latents; floats."""
        ...

    def known_answer(self) -> str:
        """SHA-256 in hex of what the program yields for fixed symbols, computed on the device at hand."""
        ...


class SearchedModel(LossyModel, Protocol):
    """One whose latents are coded by relative entropy coding."""

    def searching(self, rec_settings: Settings | None, *, guess: bool = False) -> LossyModel:
        """The model with these settings, None for its own. guess: for estimates of rates, without a search; it codes
        nothing."""
        ...
