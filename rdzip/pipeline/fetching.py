"""Models that a .rdz file needs, that are not here, and that it says can be had from a repository on the hub.

Decoding never fetches these: whoever wants them says so, and then they are fetched before it begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rdzip import hub
from rdzip.formats import container
from rdzip.formats.batch import tables as batch_tables
from rdzip.formats.batch.header import BatchHeader
from rdzip.formats.container import Container, SectionType
from rdzip.formats.header import BATCH_KIND, CARRIED_KIND, MEMBERS, ImageHeader
from rdzip.hub.origin import Origin
from rdzip.pipeline.model_handle import origin_of

Place = tuple[bytes, Origin]


def missing_models(data: bytes | memoryview) -> list[Place]:
    """Return the hashes of models that a picture or a batch needs and that are not here, and where they can be had.

    Those that can be had from nowhere are left out. Raises FormatError for a file that is none.
    """
    found: dict[bytes, Origin] = {}
    for header, rest in _headers(data):
        if header.model and not hub.is_known(header.model.hash) and (place := origin_of(rest())) is not None:
            found[header.model.hash] = place
    return list(found.items())


def _headers(data: bytes | memoryview) -> Iterator[tuple[ImageHeader | BatchHeader, Callable[[], Container]]]:
    """Yield the headers of a file, or of the members of a batch or of a file of several pictures, each with a function
    that parses the whole.
    """
    first, _ = container.unpack_prefix(data)
    if first.get(MEMBERS) == CARRIED_KIND:
        for section in container.unpack(data).sections:
            if section.type == SectionType.MEMBER:
                yield from _headers(section.body)
        return
    if first.get(MEMBERS) != BATCH_KIND:
        yield ImageHeader.from_map(first), lambda: container.unpack(data)
        return
    header = BatchHeader.from_map(first)
    yield header, lambda: container.unpack(data)
    if header.model is None:
        for body in batch_tables.segments(container.unpack(data), header):
            if len(body):
                yield from _headers(body)


def fetch_models(
    data: bytes | memoryview,
    *,
    offline: bool = False,
    confirm: Callable[[Origin], bool] = lambda place: True,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Fetch the missing models of a file, those that are wanted. Raises ModelError where one cannot be had."""
    for hash, place in missing_models(data):
        if confirm(place):
            hub.fetch_from(hash, place, offline=offline, progress=progress)
