"""How much may be lost: by quality, or by rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rdzip.errors import InputError

DEFAULT_QUALITY = 75


@dataclass(frozen=True)
class Loss:
    """What the user allows: a quality of 1 to 100, or a rate in bits of the file per pixel; neither is no loss, unless
    a lossy model is named, and then DEFAULT_QUALITY. Raises InputError for others, or both.
    """

    quality: int | None = None
    target_bpp: float | None = None

    def __post_init__(self) -> None:
        if self.quality is not None and self.target_bpp is not None:
            raise InputError("expected a quality or a rate, found both: leave -q or --target-bpp out")
        if self.quality is not None and not (isinstance(self.quality, int) and 1 <= self.quality <= 100):
            raise InputError(f"expected a quality of 1 to 100 after -q, found {self.quality}")
        if self.target_bpp is not None and not (self.target_bpp > 0 and math.isfinite(self.target_bpp)):
            raise InputError(f"expected more than 0 bits per pixel after --target-bpp, found {self.target_bpp}")

    @property
    def wanted(self) -> bool:
        """Whether loss is asked for."""
        return self.quality is not None or self.target_bpp is not None

    @property
    def option(self) -> str:
        """The option by which it was asked for."""
        return "--target-bpp" if self.target_bpp is not None else "-q"


NO_LOSS = Loss()
