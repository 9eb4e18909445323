"""Builders of hostile .rdz files: any header and payload, with sound checksums, as a hostile writer would give them."""

from __future__ import annotations

import io
import lzma
from collections.abc import Sequence
from typing import Any

from PIL import Image

from rdzip import hub
from rdzip.codecs.bits_back.head import write_head
from rdzip.codecs.bits_back.options import Options
from rdzip.formats import container
from rdzip.formats.container import Section, SectionType, write_varint

SIDE = 13377
"""Side of a square of nearly as many pixels as are allowed."""


def model_reference(model: str) -> list[Any]:
    """What a header says of a registered model."""
    return [model, bytes.fromhex(hub.resolve(model).sha256)[:8], 5]


def image(
    shape: tuple[int, int],
    codec: int,
    layout: int,
    payload: bytes,
    *,
    model: str | None = None,
    alpha: bytes | None = None,
    metadata: bytes | None = None,
    **keys: Any,
) -> bytes:
    """An image of [height, width] whose colour section says this; keys: k1 = 9 is key 1 of the header (the mode)."""
    header: dict[int, Any] = {0: list(shape), 2: bytes(8)} | {int(key[1:]): value for key, value in keys.items()}
    if 14 in header:  # a lossy file
        del header[2]
    if model:
        header[3] = model_reference(model)
    sections = [Section(SectionType.COLOUR, bytes([codec]) + write_varint(layout) + payload)]
    if alpha is not None:
        sections.append(Section(SectionType.ALPHA, alpha))
    if metadata is not None:
        sections.insert(0, Section(SectionType.METADATA, metadata))
    return container.pack(header, sections)


def chained(shape: Sequence[int], model: str, codec: str, sizes: Sequence[int], words: bytes, **options: int) -> bytes:
    """A batch of one chain of groups of these sizes."""
    head = write_head(codec, Options(**options), sizes)
    section = Section(SectionType.CHAIN, bytes(8) + head + words)
    return container.pack({0: list(shape), 3: model_reference(model), 7: 2}, [section])


def archive(index: bytes, members: Sequence[bytes] = ()) -> bytes:
    """An archive with this body of the index section, and members one after the other."""
    start = container.pack_prefix({7: 1})
    for member in members:
        start += b"".join(container.pack_section(Section(SectionType.MEMBER, member)))
    tail = Section(SectionType.TAIL, len(start).to_bytes(8, "little"))
    sections = [Section(SectionType.INDEX, index), tail]
    return start + b"".join(piece for one in sections for piece in container.pack_section(one)) + bytes([container.END])


def packed(data: bytes) -> bytes:
    """Packed bytes in the form of LZMA, whatever they claim."""
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 20, "lc": 3, "lp": 0, "pb": 0}]
    return b"\x01" + write_varint(len(data)) + lzma.compress(data, lzma.FORMAT_RAW, filters=filters)


def empty_lists(count: int) -> bytes:
    """CBOR of a list of so many empty lists, 2**16 or more: a byte each, and 64 in memory."""
    return b"\x9a" + count.to_bytes(4, "big") + b"\x80" * count


def zeros(size: int) -> bytes:
    """So many zeros as LZMA of the classic codec."""
    dictionary = min(1 << 26, max(1 << 12, 1 << (size - 1).bit_length()))
    filters = {"id": lzma.FILTER_LZMA1, "dict_size": dictionary, "lc": 4, "lp": 0, "pb": 0,
               "mode": lzma.MODE_FAST, "mf": lzma.MF_HC3, "nice_len": 273}  # fmt: skip
    return lzma.compress(bytes(size), lzma.FORMAT_RAW, filters=[filters])


def webp(side: int) -> bytes:
    """The payload of a black WebP of this side."""
    out = io.BytesIO()
    Image.new("RGB", (side, side)).save(out, "WEBP", lossless=True, method=0)
    data = out.getvalue()
    return data[20 : 20 + int.from_bytes(data[16:20], "little")]
