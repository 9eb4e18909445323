"""Luma and chroma to colours, docs/reference/format.md, section 2, in Python integers."""

from __future__ import annotations

from pathlib import Path

from reference.binary_coder import Coder, Counter
from reference.container import clip, need

FORMAT = Path(__file__).resolve().parents[2].joinpath("docs", "reference", "format.md").read_text("utf-8")
TABLE = FORMAT.partition("green_b | green_r")[2].partition("\n\n")[0]
MATRICES = [
    [int(v) for v in row.split("|")[3:10]] for row in TABLE.splitlines() if row.startswith("|") and "---" not in row
]


def colour(matrix: list[int], luma: int, cb: int, cr: int) -> list[int]:
    """Red, green and blue of a triple."""
    black, y, red, green_b, green_r, blue, bits = matrix
    grey = (luma - black) * y + (1 << bits - 1)
    sums = (grey + red * (cr - 128), grey + green_b * (cb - 128) + green_r * (cr - 128), grey + blue * (cb - 128))
    return [clip(v >> bits, 0, 255) for v in sums]


def coloured(samples: list[int], description: bytes, height: int, width: int, channels: int) -> list[int]:
    """Samples in red, green and blue (and alpha)."""
    need(len(description) > 0 and description[0] < len(MATRICES), "matrix")
    decoder = Coder(description[1:]) if len(description) > 1 else None
    found: list[int] = []
    missed = [[0] * (width + 2) for _ in range(height + 1)]
    counters: dict[tuple[int, ...], Counter] = {}

    def decide(key: tuple[int, ...]) -> int:
        counter = counters.setdefault(key, Counter())
        assert decoder is not None
        bit = decoder.bit(clip(counter.p >> 6, 1, 65535))
        counter.see(bit, 255)
        return bit

    for n in range(height * width):
        row, column = divmod(n, width)
        pixel = samples[n * channels : (n + 1) * channels]
        made = colour(MATRICES[description[0]], pixel[2], pixel[1], pixel[0])
        if decoder is not None:
            above, here = missed[row], missed[row + 1]
            near = here[column] + above[column] + above[column + 1] + above[column + 2]
            here[column + 1] = decide((near + 5 * (min(made) == 0 or max(made) == 255),))
            if here[column + 1]:
                for c in range(3):
                    node = 1
                    while node < 256:
                        node = 2 * node + decide((c, node))
                    made[c] = (made[c] + node) % 256
        found += [*made, *pixel[3:]]
    if decoder is not None:
        need(decoder.shifts + 1 == len(decoder.payload), "exceptions that end with the last pixel")
    return found
