"""Points of rate-distortion bounds: rate and distortion at one lambda, their uncertainty, and the JSON record."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rdzip.bounds.sources.base import Source
from rdzip.errors import InputError

ROLES = ("upper", "lower", "exact", "estimate")
UNITS = {
    "rate": "nats per source sample",
    "distortion": "squared error, mean over dimensions",
    "lambda": "nats per unit of distortion, -dR/dD",
}
Z95 = 1.959963984540054
"""Half the width of a 95 % interval of a normal law, in standard deviations."""


@dataclass(frozen=True)
class Point:
    """One point of a bound at slope -lam: value_nats = rate_nats + lam * mse bounds L(lam) = min R(D) + lam D.

    role: upper (the point is achievable), lower (the line R = value - lam * D is below R(D); the point is any one on
    it), exact, or estimate (neither). Units as in UNITS. ci95_nats: 95 % interval of value_nats, shifted to rate_nats.
    samples: of the source, on which the figures stand. seconds: of work. facts: what else there is to know.
    """

    method: str
    role: str
    lam: float
    rate_nats: float
    mse: float
    value_nats: float
    ci95_nats: tuple[float, float]
    samples: int
    seconds: float
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(f"expected a role of {', '.join(ROLES)}, found {self.role!r}")
        expected = self.rate_nats + self.lam * self.mse
        if not math.isclose(self.value_nats, expected, rel_tol=1e-6, abs_tol=1e-6 * (1 + abs(self.rate_nats))):
            raise ValueError(f"expected value = rate + lambda * mse = {expected}, found {self.value_nats}")

    @classmethod
    def measured(
        cls,
        method: str,
        role: str,
        *,
        lam: float,
        value: float,
        mse: float,
        error: float,
        samples: int,
        seconds: float,
        **facts: Any,
    ) -> Point:
        """Return the point on the line through `value` = R + lam D at mse.

        - method, role: which bound it is of, and which side: one of ROLES
        - lam: lambda, nats per unit of mean squared error
        - value, mse: what was measured, nats a sample and mean squared error
        - error: standard error of the value (0: none)
        - samples: how many it is measured on
        - seconds: what it took
        - facts: more to record
        """
        rate = value - lam * mse
        interval = (rate - Z95 * error, rate + Z95 * error)
        return cls(method, role, float(lam), rate, mse, value, interval, samples, seconds, facts)

    def record(self, source: Source) -> dict[str, Any]:
        """Return the point as JSON has it: plain numbers, null for those that are not finite."""
        plain: dict[str, Any] = _plain(
            {
                "source": source.name,
                "dim": source.dim,
                "method": self.method,
                "role": self.role,
                "lambda": self.lam,
                "rate_nats": self.rate_nats,
                "rate_bits_per_dim": self.rate_nats / math.log(2) / source.dim,
                "mse": self.mse,
                "value_nats": self.value_nats,
                "ci95_nats": self.ci95_nats,
                "seconds": self.seconds,
                "samples": self.samples,
                "units": UNITS,
                "facts": self.facts,
            }
        )
        return plain

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Point:
        """Return the point of a record; InputError where one of its fields is missing or of another kind."""
        try:
            low, high = (math.nan if end is None else float(end) for end in record["ci95_nats"])
            return cls(
                str(record["method"]),
                str(record["role"]),
                float(record["lambda"]),
                float(record["rate_nats"]),
                float(record["mse"]),
                float(record["value_nats"]),
                (low, high),
                int(record["samples"]),
                float(record["seconds"]),
                dict(record["facts"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"expected the record of a point of a bound, found a field that is wrong: {error!r}"
            ) from (error)


Report = Callable[[float, Point | None], None]
"""Called by methods as they go: share done in 0..1, and a point that has just been finished, or None."""


def check_lambdas(lambdas: Sequence[float]) -> tuple[float, ...]:
    """Return lambdas as floats; InputError where there are none, or one is not a finite number above 0."""
    found = tuple(float(lam) for lam in lambdas)
    if not found:
        raise InputError("expected at least one lambda, found none")
    for lam in found:
        if not (math.isfinite(lam) and lam > 0):
            raise InputError(f"expected every lambda above 0 and finite, found {lam:g}: lambda is -dR/dD in nats")
    return found


def _plain(value: Any) -> Any:
    """Turn numpy's numbers and arrays, tuples and what is not finite into what JSON can hold."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
