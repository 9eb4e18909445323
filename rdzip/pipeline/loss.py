"""How much may be lost: by quality, by rate, or of each sample."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rdzip.errors import InputError

DEFAULT_QUALITY = 75
MAX_ERROR = 8191  # of 16-bit samples; rdzip.formats.quantiser says what a mode allows


@dataclass(frozen=True)
class Loss:
    """What the user allows: a quality of 1 to 100, a rate in bits of the file per pixel, or an error of each sample;
    none is no loss, unless a lossy model is named, and then DEFAULT_QUALITY. Raises InputError for others, or two.
    """

    quality: int | None = None
    target_bpp: float | None = None
    max_error: int | None = None

    def __post_init__(self) -> None:
        if self.quality is not None and self.target_bpp is not None:
            raise InputError("expected a quality or a rate, found both: leave `quality` or `target_bpp` out")
        if self.max_error is not None and self.by_model:
            raise InputError(f"expected `{self.argument}` or `max_error`, found both: leave one of them out")
        if self.quality is not None and not (isinstance(self.quality, int) and 1 <= self.quality <= 100):
            raise InputError(f"`quality`: expected a quality of 1 to 100, found {self.quality}")
        if self.target_bpp is not None and not (self.target_bpp > 0 and math.isfinite(self.target_bpp)):
            raise InputError(f"`target_bpp`: expected more than 0 bits per pixel, found {self.target_bpp}")
        error = self.max_error
        if error is not None and not (type(error) is int and 1 <= error <= MAX_ERROR):
            raise InputError(f"`max_error`: expected an error of 1 to {MAX_ERROR}, found {error}")

    @property
    def is_lossy(self) -> bool:
        """Whether loss is asked for."""
        return self.by_model or self.max_error is not None

    @property
    def by_model(self) -> bool:
        """Whether loss by a lossy model is asked for."""
        return self.quality is not None or self.target_bpp is not None

    @property
    def argument(self) -> str:
        """The argument by which it was asked for."""
        if self.target_bpp is not None:
            return "target_bpp"
        return "quality" if self.quality is not None else "max_error"


NO_LOSS = Loss()
