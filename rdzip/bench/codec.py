"""A codec as a benchmark sees it: how to call it, its settings, the packages that it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rdzip.errors import InputError
from rdzip.exact.types import Pixels


@dataclass(frozen=True)
class Scale:
    """What the settings of a lossy codec are: "quality" or "distance", from low to high, whole numbers or any."""

    kind: str
    low: float
    high: float
    whole: bool = True

    def label(self, setting: float) -> str:
        """Return how a setting is shown: q60, d1.9."""
        return f"{self.kind[0]}{setting:g}"

    def check(self, name: str, setting: float) -> None:
        """Raise InputError where the codec of that name has no such setting."""
        if not self.low <= setting <= self.high or (self.whole and setting != int(setting)):
            whole = "whole numbers of " if self.whole else ""
            raise InputError(f"{name}: expected {self.kind} {whole}{self.low:g} to {self.high:g}, found {setting:g}")


@dataclass(frozen=True)
class Codec:
    """A codec by its name.

    scale: of its settings, None for a lossless codec, which has one setting, None. settings: the default ones.
    encode(pixels, setting, threads) and decode(data, threads): threads None leaves their number to the codec. missing:
    returns what is not there and what to do, in one line, None if all is there. version: of what codes, for records.
    warm: to be called with some pixels before time is taken; it loads what is loaded once.
    """

    name: str
    scale: Scale | None
    settings: tuple[float | None, ...]
    encode: Callable[[Pixels, float | None, int | None], bytes]
    decode: Callable[[bytes, int | None], Pixels]
    missing: Callable[[], str | None]
    version: Callable[[], str]
    warm: Callable[[Pixels], None] | None = None

    @property
    def lossless(self) -> bool:
        """Whether what it decodes must equal what it was given."""
        return self.scale is None

    def label(self, setting: float | None) -> str:
        """Return how a setting is shown; a lossless codec's is empty."""
        return "" if self.scale is None or setting is None else self.scale.label(setting)
