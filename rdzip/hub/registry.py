"""The registry of known models, rdzip/weights/registry.toml: reading it, and adding a model file to it.

`python -m rdzip.hub.registry FILE.safetensors` checks a model file, copies it into the package's weights and enters it;
see docs/reference/models.md. An entry names the file by SHA-256, so an old model stays known as long as its entry
stays.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from rdzip import models
from rdzip.errors import ModelError
from rdzip.models import model_file
from rdzip.system import atomic

WEIGHTS = Path(__file__).parents[1] / "weights"
REGISTRY = "registry.toml"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_HEAD = """\
# The models that this rdzip knows, written by `python -m rdzip.hub.registry` (docs/reference/models.md).
# A model without repo and revision is bundled only; research: for published tables, not for users' files.
"""


@dataclass(frozen=True)
class Entry:
    """A known model: what its file is called in weights/ and in `repo`, its SHA-256 (hex) and length in bytes.

    codecs: default first. repo, revision: Hugging Face repository and pinned commit, None for a bundled-only model.
    measured: published rates, such as {"kodak_bpsp": 3.0}. research: whether it is there for published tables
    rather than for a user's files.
    """

    id: str
    file: str
    sha256: str
    bytes: int
    codecs: tuple[str, ...]
    licence: str
    repo: str | None = None
    revision: str | None = None
    measured: Mapping[str, float | str] = field(default_factory=dict)
    research: bool = False

    def __post_init__(self) -> None:
        path = PurePosixPath(self.file)
        good = {
            "id": model_file.is_id(self.id),
            "file": path.suffix == model_file.SUFFIX and not path.is_absolute() and ".." not in path.parts,
            "sha256": _SHA256.fullmatch(self.sha256) is not None,
            "bytes": 0 < self.bytes <= model_file.MAX_FILE_BYTES,
            "codecs": len(self.codecs) > 0 and all(model_file.is_id(codec) for codec in self.codecs),
            "research": isinstance(self.research, bool),
            "repo and revision": (self.repo is None) == (self.revision is None),
            "repo": self.repo is None or _REPO.fullmatch(self.repo) is not None,
            "revision (a commit of 40 hex digits)": self.revision is None
            or _COMMIT.fullmatch(self.revision) is not None,
        }
        for key, valid in good.items():
            if not valid:
                raise ModelError(f"the registry's model {self.id!r} has a wrong {key}: {self}")


def entries(weights: Path | None = None) -> tuple[Entry, ...]:
    """All registered models in the order of the registry, of the package or of the folder `weights`.

    Raises ModelError when the registry is missing or wrong: then the installation is damaged.
    """
    path = (WEIGHTS if weights is None else weights) / REGISTRY
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("model", [])
        found = tuple(Entry(**{**table, "codecs": tuple(table["codecs"])}) for table in tables)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"the model registry {path} cannot be read ({error}): reinstall rdzip") from error
    names = [entry.id for entry in found]
    if len(set(names)) != len(names):
        raise ModelError(f"the model registry {path} names a model twice: {', '.join(names)}")
    return found


def to_toml(entry: Entry) -> str:
    """The registry's text for one entry."""
    lines = ["[[model]]"]
    for key in ("id", "file", "sha256", "bytes", "codecs", "licence", "repo", "revision"):
        value = getattr(entry, key)
        if value is not None:
            lines.append(f"{key} = {_toml(list(value) if key == 'codecs' else value)}")
    if entry.research:
        lines.append("research = true")
    if entry.measured:
        pairs = ", ".join(f"{_toml(key)} = {_toml(value)}" for key, value in entry.measured.items())
        lines.append(f"measured = {{ {pairs} }}")
    return "\n".join(lines) + "\n"


def entry_of(path: str | Path, **more: Any) -> Entry:
    """Registry entry for a model file; `more` may hold repo, revision, measured and research."""
    path = Path(path)
    meta = model_file.read_meta(path)
    return Entry(
        id=meta["id"],
        file=meta["id"] + model_file.SUFFIX,
        sha256=model_file.sha256(path),
        bytes=path.stat().st_size,
        codecs=models.codecs_of(meta),
        licence=meta["licence"],
        **more,
    )


def add(path: str | Path, *, weights: Path | None = None, bundle: bool = True, **more: Any) -> Entry:
    """Enter a model file into the registry, in place of an entry of the same id, and copy it into the weights.

    The file is read with every check and its known-answer test is run first. more: repo, revision, measured, research.
    Raises ModelError when the file is no good, or when bundle=False and no repo is given.
    """
    folder = WEIGHTS if weights is None else weights
    entry = entry_of(path, **more)
    if not bundle and entry.repo is None:
        raise ModelError(f"the model {entry.id!r} is neither bundled nor on the hub: give its repo and revision")
    tensors, meta = model_file.read(path)
    models.check_known_answer(models.build(tensors, meta), meta)
    known = [old for old in entries(folder) if old.id != entry.id] if (folder / REGISTRY).exists() else []
    if bundle:
        atomic.write(folder / entry.file, Path(path).read_bytes(), force=True)
    text = "\n".join([_HEAD, *(to_toml(item) for item in [*known, entry])])
    atomic.write(folder / REGISTRY, text.encode(), force=True)
    return entry


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m rdzip.hub.registry FILE [--repo ID --revision COMMIT] [--measured K=V]... [--research]
    [--no-bundle]`."""
    parser = argparse.ArgumentParser(
        prog="python -m rdzip.hub.registry", description="Enter a model into the registry."
    )
    parser.add_argument("file", help="model file (.safetensors) that the project made")
    parser.add_argument("--repo", help="Hugging Face repository that holds the file")
    parser.add_argument("--revision", help="commit of that repository, 40 hex digits")
    parser.add_argument("--measured", action="append", default=[], metavar="KEY=VALUE", help="a published rate")
    parser.add_argument("--research", action="store_true", help="for published tables, not for users' files")
    parser.add_argument("--no-bundle", action="store_true", help="do not copy the file into the package")
    options = parser.parse_args(arguments)
    measured: dict[str, float | str] = {}
    for pair in options.measured:
        key, _, value = pair.partition("=")
        try:
            measured[key] = float(value)
        except ValueError:
            measured[key] = value
    try:
        more = {
            "repo": options.repo,
            "revision": options.revision,
            "measured": measured,
            "research": options.research,
        }
        entry = add(options.file, bundle=not options.no_bundle, **more)
    except ModelError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(to_toml(entry))
    return 0


if __name__ == "__main__":
    sys.exit(main())
