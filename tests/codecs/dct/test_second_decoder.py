"""A second decoder, from docs/reference/format.md alone, gives the same coefficients."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from reference import dct as reference

from rdzip.codecs.dct import codec
from rdzip.codecs.dct.coefficients import Coefficients, Component

SAMPLINGS = {
    "grey": [(1, 1)],
    "420": [(2, 2), (1, 1), (1, 1)],
    "411": [(4, 1), (1, 1), (1, 1)],
    "four": [(2, 1), (1, 2), (1, 1), (2, 1)],
}


def surface(seed: int, mcus: tuple[int, int], samplings: list[tuple[int, int]]) -> Coefficients:
    """Coefficients with some order: smooth differences of DC, fewer and smaller ones of high frequencies."""
    rng = np.random.default_rng(seed)
    components = []
    for h, v in samplings:
        scale = 40 / (1 + np.add.outer(np.arange(8), np.arange(8)).reshape(-1)) ** 2
        blocks = np.rint(rng.laplace(0, 1, (mcus[0] * v, mcus[1] * h, 64)) * scale)
        blocks[..., 0] = np.rint(60 * np.sin(np.add.outer(np.arange(mcus[0] * v), np.arange(mcus[1] * h)) / 3))
        steps = rng.integers(1, 20, 64).astype(np.uint16)
        components.append(Component(blocks.astype(np.int16), steps, (h, v)))
    return Coefficients(tuple(components))


@pytest.mark.parametrize("effort", [1, 6, 9])
@pytest.mark.parametrize("kind", SAMPLINGS)
def test_the_same_coefficients(kind: str, effort: int, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = surface(effort, (4, 2), SAMPLINGS[kind])
    if kind == "420":
        monkeypatch.setattr(codec, "BAND_BLOCKS", 24)
    found = reference.decode(codec.encode(picture, effort))
    assert len(found) == len(picture.components)
    for (blocks, steps, sampling), component in zip(found, picture.components, strict=True):
        assert sampling == component.sampling
        assert steps == component.quantisation.tolist()
        assert blocks == component.coefficients.tolist()


@pytest.mark.parametrize("effort", [1, 6])
def test_plain_python_writes_the_same_payload(effort: int) -> None:
    """Without numba, in a process of its own."""
    picture = surface(5, (1, 1), SAMPLINGS["420"])
    parts = [
        f"Component(np.array({part.coefficients.tolist()}, np.int16), "
        f"np.array({part.quantisation.tolist()}, np.uint16), {part.sampling})"
        for part in picture.components
    ]
    program = (
        "import numpy as np\nfrom rdzip.codecs.dct.codec import decode, encode\n"
        "from rdzip.codecs.dct.coefficients import Coefficients, Component\n"
        f"picture = Coefficients(({', '.join(parts)},))\n"
        f"payload = encode(picture, {effort})\nprint(payload.hex())\n"
        "back = decode(payload)\n"
        "assert all((a.coefficients == b.coefficients).all() for a, b in zip(picture.components, back.components))"
    )
    environment = {**os.environ, "RDZIP_COMPILE": "0"}
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, check=True, text=True, env=environment
    )
    assert ran.stdout.strip() == codec.encode(picture, effort).hex()
