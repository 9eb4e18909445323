"""Model hub: models bundled with the package, in the cache, or on the Hugging Face hub at a pinned revision.

Nothing is used, and nothing enters the cache, before its SHA-256 has been compared with the registry's (or, for a
cached file that the registry does not know, with the name that it is stored under). Files are safetensors, never
pickles. Environment: RDZIP_CACHE (the cache; else HF_HOME/rdzip, else XDG_CACHE_HOME/rdzip, else ~/.cache/rdzip),
HF_ENDPOINT (a mirror), HF_HUB_OFFLINE (never fetch), and whatever else huggingface_hub reads.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rdzip import models
from rdzip.errors import ModelError
from rdzip.hub import origin, registry
from rdzip.hub.download import MOST_UNNAMED, fetch
from rdzip.hub.origin import Origin
from rdzip.models import model_file
from rdzip.models.model_file import SUFFIX
from rdzip.system import atomic
from rdzip.system.progress import Progress

if TYPE_CHECKING:
    from rdzip.hub.registry import Entry

Source = Literal["bundled", "cache", "file", "hub"]

_log = logging.getLogger(__name__)
_HASH = re.compile(r"[0-9a-f]{16,64}")


@dataclass(frozen=True)
class ModelRef:
    """A model and where it lies.

    sha256 is that of the whole model file, in hex; a .rdz file stores its first 8 bytes. source: "bundled", "cache",
    "file" (given by its path), or, from `list_models` and `show` only, "hub": known but not on this machine, with
    `path` where it will be. research: whether it is there for published tables rather than for a user's files.
    """

    id: str
    path: Path
    sha256: str
    bytes: int
    source: Source
    codecs: tuple[str, ...]
    licence: str
    repo: str | None
    revision: str | None
    measured: Mapping[str, float | str]
    research: bool = False

    @property
    def origin(self) -> Origin | None:
        """Where on the hub it comes from, None if it comes from nowhere else."""
        if self.repo is None:
            return None
        for entry in registry.entries():
            if entry.sha256 == self.sha256 and entry.repo is not None:
                return Origin(entry.repo, str(entry.revision), entry.file, entry.sha256, entry.bytes)
        return origin.of_cached(self.path)


@dataclass(frozen=True)
class Verification:
    """A model whose hash and known-answer test were found right, and the seconds that took."""

    ref: ModelRef
    known_answer: str
    seconds: float


def cache_dir() -> Path:
    """Folder of fetched models; each is stored as <SHA-256 in hex>.safetensors."""
    if own := os.environ.get("RDZIP_CACHE"):
        return Path(own).expanduser()
    if hugging_face := os.environ.get("HF_HOME"):
        return Path(hugging_face).expanduser() / "rdzip"
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "rdzip"


def resolve(
    name: str | bytes | Path, *, offline: bool = False, progress: Progress | None = None, source: Origin | None = None
) -> ModelRef:
    """The model called `name`, on this machine and with the right SHA-256; fetched if it must be.

    name: an id ("photo"), a path that ends in .safetensors, or a hash: 8 to 32 bytes of the file's SHA-256, or the
    same in hex. progress: called with the fraction fetched, 0 to 1. source: where a .rdz file says that its model can
    be had; that is reported, not done (see `fetch_from`). Raises ModelError, which says what to do.
    """
    if source is not None and isinstance(name, bytes) and not is_known(name):
        raise ModelError(missing(name, source))
    if (file := _as_file(name)) is not None:
        return _ref_of_file(file, "file")
    found = _look_up(name)
    return found if isinstance(found, ModelRef) else _locate(found, offline=offline, progress=progress)


def load(
    name: str | bytes | Path | ModelRef, *, offline: bool = False, progress: Progress | None = None
) -> models.Model:
    """The model object for `name` (see `resolve`), after its hash and its known answer were checked.

    The last few models are kept, so that asking again for one is free. Raises ModelError.
    """
    ref = name if isinstance(name, ModelRef) else resolve(name, offline=offline, progress=progress)
    return _load(ref.path, ref.sha256)


def list_models() -> list[ModelRef]:
    """Registered models for users' files, then cached ones that the registry does not know, then those for research.

    Looks for the files but neither hashes nor fetches any.
    """
    known = registry.entries()
    refs = [_ref(entry, *_first_place(entry)) for entry in known]
    hashes = {entry.sha256 for entry in known}
    for path in sorted(cache_dir().glob(f"*{SUFFIX}")):
        if path.stem not in hashes and _HASH.fullmatch(path.stem) and len(path.stem) == 64:
            try:
                refs.append(_ref_of_file(path, "cache", trusted=path.stem))
            except ModelError:
                continue  # a damaged stray file is no model; asking for it by its hash gives the error
    return sorted(refs, key=lambda ref: ref.research)


def show(name: str | bytes | Path) -> dict[str, Any]:
    """What is known about a model, without fetching it: the fields of ModelRef, and from its file, if that is on this
    machine, "document" (the file's JSON document), "tensors" (name -> dtype and shape) and "parameters" (their count).
    """
    if (file := _as_file(name)) is not None:
        ref = _ref_of_file(file, "file")
    else:
        found = _look_up(name)
        ref = found if isinstance(found, ModelRef) else _ref(found, *_first_place(found))
    shown: dict[str, Any] = asdict(ref)
    if ref.source != "hub":
        tensors, meta = model_file.read(ref.path)
        shown["document"] = meta
        shown["tensors"] = {key: {"dtype": str(t.dtype), "shape": list(t.shape)} for key, t in sorted(tensors.items())}
        shown["parameters"] = sum(t.size for t in tensors.values())
    return shown


def verify(name: str | bytes | Path) -> Verification:
    """Check every copy of a model on this machine against its hash, then run its known-answer test. Fetches nothing.

    Raises ModelError when no copy is there, any copy is damaged, or the known answer differs on this device.
    """
    started = time.monotonic()
    if _as_file(name) is None and not isinstance(found := _look_up(name), ModelRef):
        there = [path for _, path in _places(found) if path.is_file()]
        if damaged := {path: wrong for path in there if (wrong := _damage(path, found))}:
            what = "; ".join(f"{path} is damaged ({wrong})" for path, wrong in damaged.items())
            raise ModelError(
                f"the model {found.id!r} is damaged: {what}: delete it, then 'rdzip models pull {found.id}'"
            )
    ref = resolve(name, offline=True)
    tensors, meta = _read_checked(ref.path, ref.sha256)
    models.check_known_answer(models.build(tensors, meta), meta)
    return Verification(ref, meta["known_answer"], time.monotonic() - started)


def pull(name: str | bytes | Path, progress: Progress | None = None) -> ModelRef:
    """Make a model available offline: fetch a registered one, or one at ORG/NAME@COMMIT/FILE.safetensors on the hub, or
    copy a given .safetensors file into the cache.

    A copied file is found by the hash in the .rdz files that were made with it. Raises ModelError.
    """
    if isinstance(name, str) and (place := origin.parse(name)) is not None:
        return _pulled(place, progress)
    if (file := _as_file(name)) is None:
        return resolve(name, progress=progress)
    ref = _ref_of_file(file, "file")
    target = cache_dir() / (ref.sha256 + SUFFIX)
    data = file.read_bytes()
    if model_file.sha256(data) != ref.sha256:
        raise ModelError(f"{file} changed while it was read: try again")
    atomic.write(target, data, force=True)
    return _ref_of_file(target, "cache")


@lru_cache(maxsize=4)
def _load(path: Path, sha256: str) -> models.Model:
    tensors, meta = _read_checked(path, sha256)
    model = models.build(tensors, meta)
    models.check_known_answer(model, meta)
    return model


def _read_checked(path: Path, sha256: str) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Tensors and document of the very bytes that were hashed."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the model file {path}: {error.strerror or error}") from error
    if (found := model_file.sha256(data)) != sha256:
        raise ModelError(f"the model file {path} is damaged: sha-256 {found[:16]} found, {sha256[:16]} expected")
    return model_file.read(data)


def _as_file(name: str | bytes | Path) -> Path | None:
    if isinstance(name, Path):
        return name
    return Path(name).expanduser() if isinstance(name, str) and name.endswith(SUFFIX) else None


def _ref(entry: Entry, source: Source, path: Path) -> ModelRef:
    fields = {key: value for key, value in vars(entry).items() if key != "file"}
    return ModelRef(path=path, source=source, **fields)


def _ref_of_file(path: Path, source: Source, *, trusted: str | None = None) -> ModelRef:
    """Reference to a model file as its own document describes it; `trusted`: its SHA-256, if not to be computed."""
    meta = model_file.read_meta(path)
    sha256 = trusted or model_file.sha256(path)
    codecs = models.codecs_of(meta)
    place = origin.of_cached(path) if source == "cache" else None
    repo, revision = (place.repo, place.revision) if place else (None, None)
    rates = meta.get("measured")
    measured = rates if isinstance(rates, dict) else {}
    return ModelRef(
        meta["id"], path, sha256, path.stat().st_size, source, codecs, meta["licence"], repo, revision, measured
    )


def is_known(hash: bytes) -> bool:
    """Whether the registry or the cache has a model of this hash."""
    name = hash.hex()
    known = any(entry.sha256.startswith(name) for entry in registry.entries())
    return known or any(cache_dir().glob(f"{name}*{SUFFIX}"))


def missing(hash: bytes, source: Origin) -> str:
    """Return what to say of a model that is not here, and that a .rdz file says can be had from a repository."""
    _check_place(hash, source)
    return (
        f"the model {hash.hex()} of this file is not on this machine; the file says that it is {source.description} on "
        f"the Hugging Face hub: if you want to have it from there, decompress with `fetch`, or "
        f"run 'rdzip models pull {source}'"
    )


def fetch_from(hash: bytes, source: Origin, *, offline: bool = False, progress: Progress | None = None) -> ModelRef:
    """Fetch the model of a .rdz file from the repository that the file names, without the user's token.

    Only for a user who has said so. Raises ModelError where it cannot be had, is another model, or too large.
    """
    _check_place(hash, source)
    if is_offline(offline):
        raise ModelError(f"{missing(hash, source)}; now fetching is switched off (`offline` or HF_HUB_OFFLINE)")
    if source.bytes is None or source.bytes > MOST_UNNAMED:
        raise ModelError(
            f"the file names a model that is too large to be fetched for a file, {source.description}, of at most "
            f"{MOST_UNNAMED:,} bytes: run 'rdzip models pull {source}' if you want to have it"
        )
    _log.info("fetching the model that the file names: %s", source.description)
    return _pulled(source, progress, named=False)


def _check_place(hash: bytes, source: Origin) -> None:
    if source.sha256 is None or not source.sha256.startswith(hash.hex()):
        raise ModelError(f"the file names the model {hash.hex()} at {source}, whose hash is another: it is corrupt")


def _pulled(source: Origin, progress: Progress | None, *, named: bool = True) -> ModelRef:
    """Fetch a model that the registry does not know, and note where it came from."""
    if is_offline():
        raise ModelError(f"fetching {source} is switched off (HF_HUB_OFFLINE): unset it")
    path = fetch(source, cache_dir(), progress, named=named)
    ref = _ref_of_file(path, "cache", trusted=path.stem)
    origin.remember(path, Origin(source.repo, source.revision, source.file, ref.sha256, ref.bytes))
    return _ref_of_file(path, "cache", trusted=path.stem)


def is_offline(asked: bool = False) -> bool:
    """Whether nothing may be fetched: it is wished, or HF_HUB_OFFLINE says so."""
    return asked or any(_is_set(name) for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))


def _look_up(name: str | bytes | Path) -> Entry | ModelRef:
    """Registry entry for an id or hash, or the reference to a cached file that the registry does not know."""
    known = registry.entries()
    if isinstance(name, bytes):
        if not 8 <= len(name) <= 32:
            raise ModelError(f"a model's hash has 8 to 32 bytes, {len(name)} were given")
        name = name.hex()
    name = str(name)
    for entry in known:
        if entry.id == name:
            return entry
    if _HASH.fullmatch(name):
        if found := [entry for entry in known if entry.sha256.startswith(name)]:
            return found[0]
        if cached := sorted(cache_dir().glob(f"{name}*{SUFFIX}")):
            ref = _ref_of_file(cached[0], "cache")
            if ref.sha256 != cached[0].stem:
                raise ModelError(f"the model file {cached[0]} is damaged (sha-256 {ref.sha256[:16]}): delete it")
            return ref
        raise ModelError(
            f"no model with the sha-256 {name[:16]} is known to this rdzip or in {cache_dir()}: install a newer rdzip, "
            f"or get the model file and run 'rdzip models pull FILE{SUFFIX}'"
        )
    if cached_refs := [ref for ref in list_models() if ref.id == name]:
        if len(cached_refs) > 1:
            hashes = ", ".join(ref.sha256[:16] for ref in cached_refs)
            raise ModelError(
                f"{len(cached_refs)} models in {cache_dir()} are called {name!r}: name one by hash: {hashes}"
            )
        return _look_up(cached_refs[0].sha256)
    names = ", ".join(entry.id for entry in known) or "none"
    raise ModelError(f"no model is called {name[:64]!r}; known: {names}; a model file's path must end in {SUFFIX}")


def _places(entry: Entry) -> list[tuple[Source, Path]]:
    """Where a registered model can lie, in the order in which it is looked for."""
    places: list[tuple[Source, Path]] = [
        ("bundled", registry.WEIGHTS / entry.file),
        ("cache", cache_dir() / (entry.sha256 + SUFFIX)),
    ]
    if entry.repo is not None and entry.revision is not None:
        home = Path(os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")
        folder = Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()
        snapshot = folder / f"models--{entry.repo.replace('/', '--')}" / "snapshots" / entry.revision
        places.append(("cache", snapshot / entry.file))
    return places


def _first_place(entry: Entry) -> tuple[Source, Path]:
    for source, path in _places(entry):
        if path.is_file():
            return source, path
    return "hub", cache_dir() / (entry.sha256 + SUFFIX)


def _damage(path: Path, entry: Entry) -> str | None:
    """What is wrong with a file of a registered model, None if it is good."""
    if (size := path.stat().st_size) != entry.bytes:
        return f"{size} bytes, {entry.bytes} expected"
    if (found := model_file.sha256(path)) != entry.sha256:
        return f"sha-256 {found[:16]}, {entry.sha256[:16]} expected"
    return None


def _locate(entry: Entry, *, offline: bool, progress: Progress | None) -> ModelRef:
    looked = []
    for source, path in _places(entry):
        if not path.is_file():
            looked.append(f"{path} (missing)")
        elif wrong := _damage(path, entry):
            looked.append(f"{path} (damaged ({wrong}))")
        else:
            return _ref(entry, source, path)
    missing_here = f"the model {entry.id!r} is not usable on this machine: looked in {', '.join(looked)};"
    way_out = f"set RDZIP_CACHE to a folder that holds {entry.sha256}{SUFFIX}"
    if entry.repo is None:
        raise ModelError(f"{missing_here} it comes with rdzip only: reinstall rdzip, or {way_out}")
    if is_offline(offline):
        raise ModelError(
            f"{missing_here} it is not fetched here (`offline`, HF_HUB_OFFLINE, or what never fetches): "
            f"run 'rdzip models pull {entry.id}', or {way_out}"
        )
    try:
        place = Origin(entry.repo, str(entry.revision), entry.file, entry.sha256, entry.bytes)
        return _ref(entry, "cache", fetch(place, cache_dir(), progress))
    except ModelError as error:
        raise ModelError(
            f"{missing_here} {error}; check the network, set HF_ENDPOINT to a mirror, or {way_out}"
        ) from error


def _is_set(name: str) -> bool:
    return os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE")
