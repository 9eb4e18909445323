"""How a bits-back codec is to work: what an encoder chooses and a decoder must know."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from rdzip.codecs.names import IREC_CODECS
from rdzip.errors import CoderError, InputError
from rdzip.exact.numba_support import compiled_here
from rdzip.rec.settings import LOSSY, Settings


def mixing_is_fast() -> bool:
    """Return whether the codec mixing runs as compiled code here; Python takes hundreds of times as long."""
    return compiled_here()


RESAMPLE = ("adaptive", "always", "never")
LIMITS = {"particles": (1, 4096), "refine": (0, 1000), "steps": (0, 4096), "precision": (4, 16), "resample": (0, 2),
          "interleave": (0, 1), "omega": (20, 690), "epsilon": (0, 1000), "beams": (1, 4096),
          "seed": (0, (1 << 28) - 1)}  # fmt: skip


@dataclass(frozen=True)
class Options:
    """particles: of importance sampling and sequential Monte Carlo; refine: steps of iterative inference; steps: of
    annealing (bb-ais); precision: bits of a coupled uniform (bb-cis); resample: 0 adaptive, 1 always, 2 never (bb-smc);
    interleave: 1 to push each step as soon as it can be (bb-ais); omega: nats of divergence that a step of irec codes,
    in 1/100; epsilon: share of candidates beyond that, in 1/100; beams: of its search; seed: of its shared
    randomness."""

    particles: int = 1
    refine: int = 0
    steps: int = 0
    precision: int = 10
    resample: int = 0
    interleave: int = 1
    omega: int = 300
    epsilon: int = 20
    beams: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"expected {name} of {low} to {high}, found {value}")

    @property
    def rec_settings(self) -> Settings:
        """Those of relative entropy coding."""
        return Settings(self.omega, self.epsilon, self.beams, self.seed)

    @staticmethod
    def defaults(codec: str) -> dict[str, int]:
        """Options of a codec that differ from those of others."""
        return asdict(LOSSY) if codec == "irec-vae" else {}

    @staticmethod
    def names(codec: str) -> tuple[str, ...]:
        """The options that the payload of a codec holds, in their order."""
        if codec in IREC_CODECS:
            return ("omega", "epsilon", "beams", "seed")
        return ("particles", "refine", "steps", "precision", "resample", "interleave")

    def to_numbers(self, codec: str) -> list[int]:
        """The options that a codec's payload holds, as small numbers."""
        return [int(getattr(self, name)) for name in self.names(codec)]

    @classmethod
    def from_numbers(cls, codec: str, numbers: list[int]) -> Options:
        """Options from a payload; CoderError for impossible ones."""
        try:
            return cls(**dict(zip(cls.names(codec), numbers, strict=True)))
        except (InputError, ValueError) as error:
            raise CoderError(f"{error}: the file is corrupt or needs a newer rdzip") from error
