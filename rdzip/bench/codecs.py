"""The table of codecs by name, and the choice among them that a user makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rdzip.bench import own
from rdzip.bench.codec import Codec
from rdzip.bench.peers import PEERS
from rdzip.errors import InputError, ModelError

TABLE = {codec.name: codec for codec in PEERS}
GROUPS = {
    "lossy": ("rdzip:photo-lossy", *(codec.name for codec in PEERS if not codec.lossless)),
    "lossless": ("rdzip", *(codec.name for codec in PEERS if codec.lossless)),
}


@dataclass(frozen=True)
class Chosen:
    """A codec and the settings at which it is to run."""

    codec: Codec
    settings: tuple[float | None, ...]


def find(name: str) -> Codec:
    """Return the codec of a name. Raises InputError or ModelError where there is none, or it lacks a library."""
    if own.is_own(name):
        return own.find(name)
    if name not in TABLE:
        known = ", ".join(["rdzip:MODEL", *TABLE, *GROUPS])
        raise InputError(f"expected codecs of {known}, found {name!r}")
    codec = TABLE[name]
    lack = codec.missing()
    if lack is not None:
        raise InputError(f"{name}: {lack}")
    return codec


def choose(names: str, qualities: Sequence[str], skipped: Callable[[str], None]) -> list[Chosen]:
    """Return the codecs that a list by comma names, each once, with their settings.

    names: of codecs, or "lossy" or "lossless", which stand for several; of these, the ones that are not there are left
    out and named to `skipped`, a line each. qualities: "10,50" for all lossy codecs that go by quality, "jxl=1,3" for
    one. Raises InputError for what is unknown, not there, or out of range.
    """
    found: dict[str, Codec] = {}
    for part in names.split(","):
        name = part.strip()
        for one in GROUPS.get(name, (name,)):
            try:
                codec = found.get(one) or find(one)
            except (InputError, ModelError) as error:
                if name not in GROUPS:
                    raise
                skipped(f"{'' if one in TABLE else f'{one}: '}{error}; left out")  # those of TABLE say their names
            else:
                found[one] = codec
    settings = _settings(found, qualities)
    return [Chosen(codec, settings.get(name, codec.settings)) for name, codec in found.items()]


def _settings(codecs: dict[str, Codec], texts: Sequence[str]) -> dict[str, tuple[float, ...]]:
    chosen: dict[str, tuple[float, ...]] = {}
    alone: set[str] = set()
    for text in texts:
        name, sign, values = text.rpartition("=")
        if not sign:
            numbers = _numbers(values)
            for one, codec in codecs.items():
                if codec.scale is not None and codec.scale.kind == "quality" and one not in alone:
                    chosen[one] = numbers
            continue
        name = name.strip()
        if name not in codecs:
            raise InputError(f"`qualities`: expected one of the codecs {', '.join(codecs)}, found {name!r}")
        if codecs[name].scale is None:
            raise InputError(f"`qualities`: {name} is lossless and has no settings; leave it out")
        chosen[name] = _numbers(values)
        alone.add(name)
    for name, numbers in chosen.items():
        scale = codecs[name].scale
        assert scale is not None
        for number in numbers:
            scale.check(name, number)
    return chosen


def _numbers(text: str) -> tuple[float, ...]:
    found = []
    for part in text.split(","):
        try:
            found.append(float(part))
        except ValueError:
            raise InputError(f"`qualities`: expected numbers by comma, found {part.strip()!r}") from None
    return tuple(dict.fromkeys(found))
