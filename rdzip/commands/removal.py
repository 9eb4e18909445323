"""Inputs after their results: when --rm may delete them, and when they stay though nothing failed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from rdzip.commands import files
from rdzip.commands.destination import Destination
from rdzip.commands.files import Input
from rdzip.commands.output import Output
from rdzip.system import atomic


@dataclass(frozen=True)
class Coded:
    """An input that was coded: its status when it was read, and why it must stay ("": its file brings it back)."""

    item: Input
    status: os.stat_result | None
    why: str


def remove(coded: Sequence[Coded], target: Path | None, digest: bytes, out: Output) -> None:
    """Delete inputs whose result, of this SHA-256, is read from the disk again, and say which stay and why."""
    safe = None
    for one in coded:
        with out.guard(one.item.name):
            if one.why:
                out.note(f"{one.item.name} is kept: {one.why}")
                continue
            if safe is None:
                safe = atomic.is_on_disk(target, digest)
            if safe:
                files.remove_source(one.item, one.status)
            else:
                out.note(f"{one.item.name} is kept: its result went to a stream, not into a file")


def put(
    target: Path | None,
    data: bytes,
    destination: Destination,
    like: os.stat_result | atomic.Kept | None,
    *,
    member: bool = False,
) -> bool:
    """Write one result; return whether an input may be deleted for it: whether it was read from the disk again.

    - target: where to write, None for the standard output
    - data: the result
    - destination: what the options say of results
    - like: whose mode and time it gets
    - member: of an archive, whose file `like` is: the mode alone, unless the archive keeps those of the member

    True too where nothing is to be deleted.
    """
    member = member and not isinstance(like, atomic.Kept)
    with atomic.written(
        target,
        like=None if member else like,
        made_of=[like] if member and like else None,
        force=destination.force,
    ) as file:
        file.write(data)
    return not destination.confirm or atomic.is_on_disk(target, sha256(data).digest())
