"""What a .rdz file is, from its headers alone: neither numpy nor torch is imported."""

from __future__ import annotations

from typing import Any

from rdzip.errors import FormatError
from rdzip.formats import container
from rdzip.formats.container import SectionType
from rdzip.formats.header import MEMBERS, REASONS, Arrangement, ImageHeader, Reason
from rdzip.formats.modes import BY_NUMBER

CODEC_NAMES = {0: "classic", 1: "causal"}
CLASSIC_METHODS = ("raw", "constant", "webp", "png", "png-lzma", "planes", "bits")


def describe(data: bytes | memoryview) -> dict[str, Any]:
    """Return the facts that a file's headers state; FormatError if it is not a sound .rdz file. Its checksums are
    verified, its pixels are not decoded.
    """
    parsed = container.unpack(data)
    if MEMBERS in parsed.header:
        from rdzip.formats.archive import describe_archive

        return describe_archive(data)
    header = ImageHeader.from_map(parsed.header)
    mode = BY_NUMBER[header.mode]
    shape = [header.height, header.width] + ([mode.channels] if mode.channels > 1 else [])
    planes = {}
    for section in parsed.sections:
        if section.type in (SectionType.COLOUR, SectionType.ALPHA):
            if not len(section.body):
                raise FormatError("header is inconsistent: an empty section; the file is corrupt")
            codec = CODEC_NAMES.get(section.body[0], f"unknown ({section.body[0]})")
            layout, at = container.read_varint(section.body, 1)
            method = CLASSIC_METHODS[layout] if codec == "classic" and layout < len(CLASSIC_METHODS) else None
            planes[SectionType(section.type).name.lower()] = {
                "codec": codec,
                "layout": layout,
                "method": method,
                "bytes": len(section.body) - at,
            }
    if "colour" not in planes:
        raise FormatError("header is inconsistent: the file has no section with colours; it is corrupt")
    sizes = {SectionType(section.type): len(section.body) for section in parsed.sections}
    samples = header.height * header.width * mode.channels
    reason = (
        REASONS[Reason(header.reason)] if header.reason in Reason.__members__.values() else f"unknown ({header.reason})"
    )
    return {
        "kind": "image",
        "format_version": container.VERSION,
        "codec": planes["colour"]["codec"],
        "reason": reason,
        "model": header.model.id if header.model else None,
        "model_hash": header.model.hash.hex() if header.model else None,
        "coder": f"constriction {header.model.coder // 100}.{header.model.coder % 100}" if header.model else None,
        "shape": shape,
        "mode": mode.name,
        "bits_per_sample": {"u1": 8, "<u2": 16, "<i4": 32, "<f4": 32}[mode.dtype] if mode.name != "1" else 1,
        "arrangement": Arrangement(header.arrangement).name.lower().replace("_", " "),
        "planes": planes,
        "pixel_hash": header.pixel_hash.hex(),
        "source_format": header.source_format,
        "metadata_bytes": sizes.get(SectionType.METADATA, 0),
        "palette_bytes": sizes.get(SectionType.PALETTE, 0),
        "payload_bytes": sum(plane["bytes"] for plane in planes.values()),
        "bytes": len(data),
        "bpsp": 8 * len(data) / samples,
    }
