"""Parameters of relative entropy coding: what files name of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """omega: nats of divergence that a step codes, in 1/100; epsilon: candidates beyond that, in 1/100; beams: of the
    encoder's search; seed: of the shared randomness."""

    omega: int = 300
    epsilon: int = 20
    beams: int = 20
    seed: int = 0

    def facts(self) -> dict[str, float]:
        """What files say of it, by name: omega in nats, epsilon as a share."""
        return {"omega": self.omega / 100, "epsilon": self.epsilon / 100, "beams": self.beams, "seed": self.seed}

    @property
    def candidates(self) -> int:
        """Candidates of a step."""
        from rdzip.rec import index_code  # numpy, which those who only describe a file do without

        return index_code.candidates(self.omega, self.epsilon)


LOSSY = Settings(epsilon=5)
"""The defaults of lossy models: so few candidates that files stay near the KL, which is the rate in training."""
