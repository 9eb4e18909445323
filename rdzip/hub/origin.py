"""Origin of a model file on the Hugging Face hub: a repository, a commit of it, the file's name there, its hash.

Written ORG/NAME@COMMIT/FILE.safetensors. A .rdz file carries it beside the hash of its model; in rdzip's cache it lies
beside the model file as <SHA-256 in hex>.json.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from operator import index
from pathlib import Path, PurePosixPath
from typing import Any

from rdzip.errors import ModelError
from rdzip.models import model_file
from rdzip.system import atomic

REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*")
FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")  # nothing that a terminal or a shell would take for more than a name
COMMIT = re.compile(r"[0-9a-f]{40}")
SHA256 = re.compile(r"[0-9a-f]{64}")
MOST_NAME = 200


@dataclass(frozen=True)
class Origin:
    """A model file on the hub. sha256 (hex) and bytes: of the file, None while they are unknown."""

    repo: str
    revision: str
    file: str
    sha256: str | None = None
    bytes: int | None = None

    def __post_init__(self) -> None:
        path = PurePosixPath(self.file)
        good = (
            REPO.fullmatch(self.repo)
            and FILE.fullmatch(self.file)
            and COMMIT.fullmatch(self.revision)
            and path.suffix == model_file.SUFFIX
            and not path.is_absolute()
            and ".." not in path.parts
            and max(len(self.repo), len(self.file)) <= MOST_NAME
            and (self.sha256 is None or SHA256.fullmatch(self.sha256))
            and (self.bytes is None or 0 < self.bytes <= model_file.MAX_FILE_BYTES)
        )
        if not good:
            raise ModelError(f"no place of a model on the hub: {self!r}; expected ORG/NAME@COMMIT/FILE.safetensors")

    def __str__(self) -> str:
        """Return ORG/NAME@COMMIT/FILE."""
        return f"{self.repo}@{self.revision}/{self.file}"

    @property
    def description(self) -> str:
        """Repository, commit, file and size, as messages name them before it is fetched."""
        size = "size unknown" if self.bytes is None else f"{self.bytes:,} bytes"
        return f"{self.file} of the repository {self.repo} at {self.revision} ({size})"

    def to_list(self) -> list[Any]:
        """Return what a .rdz file stores: repository, commit, file, SHA-256, bytes."""
        assert self.sha256 is not None
        return [self.repo, bytes.fromhex(self.revision), self.file, bytes.fromhex(self.sha256), self.bytes]


def from_list(found: object) -> Origin:
    """The origin that a .rdz file stores. Raises ModelError for anything else."""
    try:
        repo, revision, file, sha256, size = found  # type: ignore[misc,has-type]
        origin = Origin(repo, revision.hex(), file, sha256.hex(), index(size))  # type: ignore[has-type]
    except (TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"no place of a model on the hub: {str(found)[:80]}") from error
    return origin


def parse(text: str) -> Origin | None:
    """The origin that a text names, None if it names none."""
    match = re.fullmatch(rf"({REPO.pattern})@({COMMIT.pattern})/(.+)", text)
    return Origin(match[1], match[2], match[3]) if match else None


def remember(model: Path, origin: Origin) -> None:
    """Note where a model file in the cache comes from."""
    atomic.write(model.with_suffix(".json"), json.dumps(asdict(origin)).encode(), force=True)


def of_cached(model: Path) -> Origin | None:
    """Where a model file in the cache comes from, None if that was not noted."""
    try:
        return Origin(**json.loads(model.with_suffix(".json").read_text("utf-8")))
    except (OSError, ValueError, TypeError, ModelError):
        return None
