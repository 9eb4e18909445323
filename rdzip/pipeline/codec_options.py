"""Codecs of models with latents as formats see them: which there are, and what may be asked of each."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from rdzip.codecs.bits_back.options import RESAMPLE
from rdzip.codecs.names import IREC_CODECS, LATENT_CODECS
from rdzip.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdzip.codecs.bits_back.options import Options


_USED_BY = {
    "particles": ("bb-is", "bb-cis", "bb-ais", "bb-smc"),
    "refine": LATENT_CODECS,
    "steps": ("bb-ais",),
    "resample": ("bb-smc",),
    "interleave": ("bb-ais",),
    "omega": IREC_CODECS,
    "epsilon": IREC_CODECS,
    "beams": IREC_CODECS,
    "seed": IREC_CODECS,
}
_HUNDREDTHS = ("omega", "epsilon")
_MOST_NATS = 6.93  # ln 1024, the most candidates of a step
_DEFAULTS: dict[str, dict[str, int]] = {
    "bb-is": {"particles": 50},
    "bb-cis": {"particles": 50},
    "bb-ais": {"steps": 8},
    "bb-smc": {"particles": 4},
}


@dataclass(frozen=True)
class CodecOptions:
    """Options of codecs of latents as users give them; None is the codec's default.

    particles: 1..4096; refine: steps of iterative inference; steps: of annealing; resample: adaptive, always or never;
    interleave: False for the plain order of bb-ais; omega: nats of divergence that a step of irec codes; epsilon: share
    of candidates beyond that; beams: of its search; seed: of its shared randomness.
    """

    particles: int | None = None
    refine: int | None = None
    steps: int | None = None
    resample: str | None = None
    interleave: bool | None = None
    omega: float | None = None
    epsilon: float | None = None
    beams: int | None = None
    seed: int | None = None

    @property
    def given(self) -> list[str]:
        """Names of the options that were given."""
        return [field.name for field in fields(self) if getattr(self, field.name) is not None]

    def check(self, codec: str | None) -> None:
        """Raise InputError for an option that this codec (None: one without latents) has not."""
        for name in self.given:
            users = _USED_BY[name]
            if codec not in users:
                raise InputError(
                    f"expected `{_argument(name, self)}` with a codec that has it ({', '.join(users)}), found "
                    f"{codec or 'a codec without latents'}: leave it out, or choose another by `codec`"
                )

    def options(self, codec: str) -> Options:
        """Return the options for this codec; InputError for those that it has not, or out of range."""
        from rdzip.codecs.bits_back.options import Options

        self.check(codec)
        chosen: dict[str, Any] = {**_DEFAULTS.get(codec, {}), **Options.defaults(codec)}
        for name in self.given:
            value = getattr(self, name)
            if name == "resample":
                if value not in RESAMPLE:
                    raise InputError(f"expected `resample` to be one of {', '.join(RESAMPLE)}, found {value}")
                value = RESAMPLE.index(value)
            chosen[name] = _hundredths(name, value) if name in _HUNDREDTHS else int(value)
        options = Options(**chosen)
        nats = options.omega * (100 + options.epsilon) / 10000
        if codec in IREC_CODECS and nats > _MOST_NATS:
            raise InputError(
                f"expected omega (1 + epsilon) of at most {_MOST_NATS} nats, which are 1024 candidates a step, found "
                f"{nats:.2f}: lower one of them"
            )
        return options


NO_OPTIONS = CodecOptions()


def _hundredths(name: str, value: float) -> int:
    """Return an option in 1/100, in which payloads hold it; InputError beyond its limits."""
    from rdzip.codecs.bits_back.options import LIMITS

    low, high = LIMITS[name]
    if not (math.isfinite(value) and low <= round(100 * value) <= high):
        raise InputError(f"expected `{name}` of {low / 100} to {high / 100}, found {value}")
    return round(100 * value)


def _argument(name: str, given: CodecOptions) -> str:
    return "interleave=False" if name == "interleave" and not given.interleave else name


def codec_for(codecs: Sequence[str], codec: str | None, model: str) -> str:
    """Return the codec to use with a model of these codecs (default first); InputError if it has not `codec`."""
    if codec is None:
        return codecs[0]
    if codec not in codecs:
        raise InputError(f"the model {model} has the codecs {', '.join(codecs)}, found {codec}: choose one of them")
    return codec
