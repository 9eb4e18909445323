"""Download of a model file from the Hugging Face hub at a pinned revision, checked before it has its name."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rdzip.errors import InputError, ModelError
from rdzip.models import model_file
from rdzip.models.model_file import SUFFIX
from rdzip.system import atomic
from rdzip.system.progress import Progress

if TYPE_CHECKING:
    from rdzip.hub.origin import Origin


DEFAULT_ENDPOINT = "https://huggingface.co"
MOST_UNNAMED = 1 << 28
"""Bytes of a model that a file names and the user did not."""


def fetch(source: Origin, folder: Path, progress: Progress | None = None, *, named: bool = True) -> Path:
    """Download a model into a temporary folder, check it, and only then move it into ``folder``; its path there.

    Where its hash is unknown, it must at least be a model file. progress: called with shares from 0 to 1. named:
    by the user or the registry; of a model that only a file names, at most MOST_UNNAMED bytes are taken, and the user's
    token is not sent. Raises ModelError when it cannot be had, or is not what it should be.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    endpoint = (os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
    where = f"{endpoint}/{source.repo} at {source.revision[:12]}"
    most, token = (model_file.MAX_FILE_BYTES, None) if named else (MOST_UNNAMED, False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(".fetch-*"):  # by a process that was killed; a younger one may be at work
            if left.stat().st_mtime < time.time() - 86400:
                shutil.rmtree(left, ignore_errors=True)
        temporary = Path(tempfile.mkdtemp(prefix=".fetch-", dir=folder))
    except OSError as error:
        raise ModelError(f"the cache {folder} cannot be written ({error.strerror}): set RDZIP_CACHE") from error
    try:
        # Asking first fails at once without a network, where hf_hub_download goes on trying for half a minute.
        url = hf_hub_url(source.repo, source.file, revision=source.revision, endpoint=endpoint)
        size = get_hf_file_metadata(url, token=token, endpoint=endpoint).size
        expected = source.bytes or size
        if size is not None and size != expected:
            raise ModelError(f"{where} offers {size} bytes, {expected} expected")
        if expected is None or expected > most:
            raise ModelError(f"{where} offers {expected} bytes, at most {most} are taken")
        path = hf_hub_download(
            source.repo,
            source.file,
            revision=source.revision,
            cache_dir=temporary,
            endpoint=endpoint,
            library_name="rdzip",
            token=token,
            tqdm_class=meter(expected, progress, most),
        )
        data = Path(path).read_bytes()
        sha256 = model_file.sha256(data)
        if source.sha256 is None:
            model_file.read(data)
        if len(data) != expected or sha256 != (source.sha256 or sha256):
            found = f"{len(data)} bytes, sha-256 {sha256[:16]}; {expected} bytes, {str(source.sha256)[:16]} expected"
            raise ModelError(f"{where} gave a wrong file ({found}), which was thrown away")
        target = folder / (sha256 + SUFFIX)
        atomic.write(target, data, force=True)
        return target
    except (InputError, ModelError):
        raise
    except Exception as error:  # huggingface_hub lets through errors of whichever HTTP library it is built on
        cause = " ".join(str(error).split())[:200]
        raise ModelError(f"fetching it from {where} failed ({type(error).__name__}: {cause})") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def meter(size: int, progress: Progress | None, most: int = model_file.MAX_FILE_BYTES) -> type:
    """A silent tqdm class for huggingface_hub that reports to `progress` and stops a download that never ends, or comes
    to more than `most` bytes.

    huggingface_hub resumes a broken transfer for as long as any byte arrives, which can be for ever.
    """
    from tqdm.std import tqdm  # type: ignore[import-untyped]

    limit = min(4 * size + (1 << 16), most)

    class Meter(tqdm):  # type: ignore[misc]
        received = 0.0

        def __init__(self, *args: Any, **options: Any) -> None:
            options.pop("name", None)
            super().__init__(*args, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> None:
            self.n += n or 0
            self.received += max(0, n or 0)
            if self.received > limit:
                raise ModelError(f"the download was broken off: {self.received:.0f} bytes came, {size} expected")
            if progress is not None:
                progress(min(1.0, max(0.0, self.n / size)))

    return Meter
