"""A second decoder, from docs/reference/format.md alone, gives the same coefficients."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from reference import dct as reference
from reference import dct_parts

from rdzip.codecs.dct import band, codec
from rdzip.codecs.dct.coefficients import Coefficients, Component
from rdzip.models.dct_mixing import expectation
from rdzip.models.dct_mixing.fits import WIDTH, Fits

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


def flat(rows: int, columns: int) -> Coefficients:
    """Many blocks that have a DC alone, after which the sums of fits are scaled down."""
    blocks = np.zeros((rows, columns, 64), np.int16)
    blocks[..., 0] = np.random.default_rng(1).integers(-9, 9, (rows, columns)).cumsum(1)
    return Coefficients((Component(blocks, np.ones(64, np.uint16), (1, 1)),))


TRACED = {
    "one block": lambda: surface(1, (1, 1), SAMPLINGS["grey"]),
    "a row": lambda: surface(2, (1, 7), SAMPLINGS["grey"]),
    "420": lambda: surface(3, (3, 2), SAMPLINGS["420"]),
    "four": lambda: surface(4, (2, 2), SAMPLINGS["four"]),
    "flat": lambda: flat(37, 38),
}


@pytest.mark.parametrize("effort", [6, 9])
@pytest.mark.parametrize("kind", [pytest.param(k, marks=[pytest.mark.slow] if k == "flat" else []) for k in TRACED])
def test_fits_are_the_same_bit_for_bit(kind: str, effort: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums and weights of all components after pictures of several sizes, each the beginning of what longer ones do."""
    ours: list[Fits] = []
    theirs: list[dct_parts.Fit] = []

    def first_fits() -> tuple[Fits, Fits, Fits]:
        made = expectation.first_fits()
        ours.extend(made)
        return made

    class Traced(dct_parts.Fit):
        def __init__(self, *options: Any) -> None:
            super().__init__(*options)
            theirs.append(self)

    picture = TRACED[kind]()
    payload = codec.encode(picture, effort)
    monkeypatch.setattr(band, "first_fits", first_fits)
    monkeypatch.setattr(reference, "Fit", Traced)
    codec.decode(payload)
    reference.decode(payload)
    assert len(ours) == len(theirs) == 3 * len(picture.components)
    learnt = 0
    for one, other in zip(ours, theirs, strict=True):
        n = other.n
        weights = one.weights.reshape(64, WIDTH)[:, :n]
        sums = one.sums.reshape(64, n, WIDTH)[:, :, : n + 1]
        rows, columns = np.triu_indices(n, 0, n + 1)
        assert weights.tobytes() == np.array(other.weights).tobytes()
        assert sums[:, rows, columns].tobytes() == np.array(other.sums)[:, rows, columns].tobytes()
        assert one.heavy.tobytes() == np.array(other.heavy).tobytes()
        learnt += int((one.heavy != 1).sum())
    assert learnt > 0


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
