"""How a bits-back codec is to work: what an encoder chooses and a decoder must know."""

from __future__ import annotations

from dataclasses import dataclass, fields

from rdzip.errors import CoderError, InputError

LATENT_CODECS = ("stochastic", "bb-ans", "bit-swap", "bb-is", "bb-cis", "bb-ais", "bb-smc")
"""Codecs of models with latents, in the order of their numbers in a payload."""
LOSSY_CODECS = ("hyperprior", "channel-ar")
"""Codecs of lossy models, in the order of their layout numbers."""
MIXING_ALONE, MIXING_WITH_NETWORK = 1, 2
"""Layout numbers of the codec mixing: without and with the network of a causal model."""
RESAMPLE = ("adaptive", "always", "never")
LIMITS = {"particles": (1, 4096), "refine": (0, 1000), "steps": (0, 4096), "precision": (4, 16), "resample": (0, 2),
          "interleave": (0, 1)}  # fmt: skip


@dataclass(frozen=True)
class Options:
    """particles: of importance sampling and sequential Monte Carlo; refine: steps of iterative inference; steps: of
    annealing (bb-ais); precision: bits of a coupled uniform (bb-cis); resample: 0 adaptive, 1 always, 2 never (bb-smc);
    interleave: 1 to push each step as soon as it can be (bb-ais)."""

    particles: int = 1
    refine: int = 0
    steps: int = 0
    precision: int = 10
    resample: int = 0
    interleave: int = 1

    def __post_init__(self) -> None:
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"expected {name} of {low} to {high}, found {value}")

    def to_numbers(self) -> list[int]:
        """The options as small numbers, in the order of the fields."""
        return [int(getattr(self, f.name)) for f in fields(self)]

    @classmethod
    def from_numbers(cls, numbers: list[int]) -> Options:
        """Options from a payload; CoderError for impossible ones."""
        try:
            return cls(*numbers)
        except (InputError, TypeError) as error:
            raise CoderError(f"{error}: the file is corrupt or needs a newer rdzip") from error
