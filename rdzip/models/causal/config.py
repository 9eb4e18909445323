"""Shape and constants of the causal networks (models/causal/network.py), for those that need no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass

OUTPUT_UNIT = 32
SCALE_GAIN = 8
ACTIVITY_MAX = 2047
DIFFERENCE_MAX = 255
FIRST_DIFFERENCES = 10
COLOUR_DIFFERENCES = 6


@dataclass(frozen=True)
class CausalConfig:
    """Shape of a causal network: channels (1 or 3), neighbours seen in each plane, widths, mixture components."""

    channels: int = 3
    neighbours: int = 34
    colour_neighbours: int = 18
    width: int = 192
    blocks: int = 2
    head: int = 64
    head_blocks: int = 1
    components: int = 3

    def as_dict(self) -> dict[str, int]:
        """The fields as plain integers, for the model file."""
        return asdict(self)

    @property
    def inputs(self) -> int:
        """Number of network inputs: neighbours of all planes, three position parities and the level."""
        return self.neighbours + (self.channels - 1) * self.colour_neighbours + 4

    def outputs(self, channel: int) -> int:
        """Number of outputs of a head: three for each component, and the coefficients of the linear correction."""
        return 3 * self.components + (COLOUR_DIFFERENCES + channel if channel else FIRST_DIFFERENCES)

    def plane_neighbours(self, plane: int) -> int:
        """Number of template positions that are seen in a plane."""
        return self.colour_neighbours if plane else self.neighbours
