"""Sources whose rate-distortion function is bounded: what every method may ask of them, and which there are by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rdzip.errors import InputError

Batch = NDArray[np.float32]
NAMES = ("gaussian", "banana", "physics", "physics-2d", "speech", "speech-2d")
"""Sources by name; others are a FILE.npy, a folder of images, or a generator network."""
MOST_DIM = 1 << 20
GENERATOR = ".safetensors"
PROGRAMS = (".pt", ".pth", ".ts", ".pkl", ".pickle", ".ckpt", ".bin")
"""Suffixes of files that are programs to whoever loads them, which is why they are not."""


class Source(Protocol):
    """A law of real vectors or images, known by samples: endless ones, or a finite set in two parts that never mix.

    name: as in records. shape: (dim,) of vectors, (height, width, channels) of images, whose samples are in 0..1.
    dim: product of shape. unlimited: fresh draws at will. train_count, held_out_count: samples of the two parts, None
    where unlimited. variances [dim]: of a Gaussian with independent coordinates, else None.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def dim(self) -> int: ...  # noqa: D102
    @property
    def unlimited(self) -> bool: ...  # noqa: D102
    @property
    def train_count(self) -> int | None: ...  # noqa: D102
    @property
    def held_out_count(self) -> int | None: ...  # noqa: D102
    @property
    def variances(self) -> NDArray[np.float64] | None: ...  # noqa: D102

    def train(self, n: int, rng: np.random.Generator) -> Batch:
        """Samples float32 [n, *shape] to fit with: fresh ones, or of the training part, with replacement."""
        ...

    def held_out(self, n: int, rng: np.random.Generator) -> Batch:
        """Samples float32 [m, *shape] that no fit has seen, whatever rng.

        m = n fresh ones, or m = min(n, held_out_count) different ones of the held-out part.
        """
        ...

    def log_density(self, x: NDArray[Any]) -> NDArray[np.float64] | None:
        """Natural logarithm of the density at x [n, dim], float64 [n]; None where it is not known."""
        ...


def training_set(source: Source, n: int, rng: np.random.Generator) -> Batch:
    """Samples float32 [m, *shape] to fit with, each of a finite set at most once: m = min(n, its size), else n."""
    from rdzip.bounds.sources.finite import FiniteSource

    if isinstance(source, FiniteSource):
        return source.train_once(n, rng)
    return source.train(n, rng)


def grouped(source: Source) -> bool:
    """Whether held-out samples come in groups, such as recordings, so that those for training may have another law."""
    from rdzip.bounds.sources.finite import FiniteSource

    return isinstance(source, FiniteSource) and source.grouped


def held_out_halves(source: Source, n: int, rng: np.random.Generator) -> tuple[Batch, Batch]:
    """Return min(n, held_out_count) held-out samples float32 [m, *shape] in two parts that do not depend on each other.

    InputError for endless sources: there it is the law of training that is held out.
    """
    from rdzip.bounds.sources.finite import FiniteSource

    if not isinstance(source, FiniteSource):
        raise InputError(f"{source.name}: expected a finite set of samples to cross-fit, found endless ones")
    return source.held_out_halves(n, rng)


def open_source(
    spec: str,
    *,
    dim: int | None = None,
    data: Path | None = None,
    seed: int = 0,
    held_out: float = 0.2,
    crop: int | None = None,
) -> Source:
    """Return the source that is called `spec`: a name of NAMES, FILE.npy, a folder of images, or a generator's file.

    dim: dimensions of gaussian (default 2) and banana (default 2), random coordinates of a generator's latent; of other
    sources it must be what they have. data: folder that has physics/ and speech/. seed: of parameters and splits.
    held_out: share of a finite set that is kept from training, where the set has no split of its own. crop: side of the
    squares that are cut from images, for folders whose images differ in size. Raises InputError.
    """
    if not 0 < held_out < 1:
        raise InputError(f"expected a held-out share between 0 and 1, found {held_out}: 0.2 is usual")
    if dim is not None and dim < 1:
        raise InputError(f"expected at least 1 dimension, found {dim}")
    if dim is not None and dim > MOST_DIM:
        raise InputError(f"expected at most {MOST_DIM} dimensions, found {dim}")
    source = _opened(spec, dim, data, seed, held_out, crop)
    if dim is not None and source.dim != dim and Path(spec).suffix != GENERATOR:
        raise InputError(f"{spec}: has {source.dim} dimensions, not {dim}: leave the number of dimensions out")
    if crop is not None and not Path(spec).is_dir():
        raise InputError(f"{spec}: only folders of images can be cropped")
    return source


def _opened(spec: str, dim: int | None, data: Path | None, seed: int, held_out: float, crop: int | None) -> Source:
    path = Path(spec)
    if spec == "gaussian":
        from rdzip.bounds.sources.gaussian import seeded_gaussian

        return seeded_gaussian(2 if dim is None else dim, seed)
    if spec == "banana":
        from rdzip.bounds.sources.banana import Banana, embedded_banana

        return Banana() if dim in (None, 2) else embedded_banana(dim, seed)
    if spec in ("physics", "physics-2d"):
        from rdzip.bounds.sources.physics import physics

        return physics(_folder(spec, data), marginal=spec.endswith("2d"))
    if spec in ("speech", "speech-2d"):
        from rdzip.bounds.sources.speech import speech

        return speech(_folder(spec, data), marginal=spec.endswith("2d"))
    if path.is_dir():
        from rdzip.bounds.sources.images import image_folder

        return image_folder(path, seed, held_out, crop)
    if not path.is_file():
        raise InputError(
            f"{spec}: no such source: expected {', '.join(NAMES)}, FILE.npy, a folder of images or a "
            f"generator (FILE{GENERATOR})"
        )
    if path.suffix == ".npy":
        from rdzip.bounds.sources.arrays import array_file

        return array_file(path, seed, held_out)
    if path.suffix == GENERATOR:
        from rdzip.bounds.sources.generator import generator_file

        return generator_file(path, dim)
    if path.suffix in PROGRAMS:
        raise InputError(
            f"{spec}: expected a generator's numbers in a {GENERATOR} file, found {path.suffix}, which can hold code "
            "and is never loaded: docs/reference/bounds.md says how to write one"
        )
    raise InputError(f"{spec}: expected FILE.npy or a generator (FILE{GENERATOR}), found {path.suffix or path.name!r}")


def _folder(spec: str, data: Path | None) -> Path:
    if data is None:
        raise InputError(f"{spec}: give the folder that has {spec.partition('-')[0]}/ in it (`data`)")
    return data
