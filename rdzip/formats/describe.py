"""What a .rdz file is, from its headers alone: neither numpy nor torch is imported."""

from __future__ import annotations

from math import prod
from typing import Any

from rdzip.codecs.names import DCT, ClassicMethod, PlaneCodec
from rdzip.errors import CoderError, FormatError
from rdzip.formats import container
from rdzip.formats.carriers.section import read as section_of
from rdzip.formats.container import Container, SectionType
from rdzip.formats.header import (
    ARCHIVE_KIND,
    BATCH_KIND,
    BYTES_REASON,
    CARRIED_KIND,
    DCT_REASON,
    LOSSY_REASON,
    MEMBERS,
    REASONS,
    Arrangement,
    ImageHeader,
    ModelReference,
    Reason,
)
from rdzip.formats.modes import BY_NUMBER


def describe(data: bytes | memoryview) -> dict[str, Any]:
    """Return the facts that a file's headers state; FormatError if it is not a sound .rdz file. Its checksums are
    verified, its pixels are not decoded.
    """
    parsed = container.unpack(data)
    if MEMBERS in parsed.header:
        if parsed.header[MEMBERS] == BATCH_KIND:
            return _batch(parsed, len(data))
        if parsed.header[MEMBERS] == ARCHIVE_KIND:
            return describe_archive(data)
        if parsed.header[MEMBERS] == CARRIED_KIND:
            return _file(parsed, len(data))
    return _image(parsed, len(data))


def describe_archive(data: bytes | memoryview) -> dict[str, Any]:
    """Return the facts about an archive and about each of its members; FormatError if anything in it is not sound."""
    from rdzip.formats.archive import Archive, is_archive

    archive = Archive(data)
    members = []
    for member in archive.members:
        body = archive.read(member.name)
        if is_archive(body):
            raise FormatError(f"the archive holds another archive as {member.name!r}: the file is hostile or corrupt")
        members.append({"name": member.name, **describe(body)})
    return {"kind": "archive", "format_version": container.VERSION, "bytes": len(data), "members": members}


def _image(parsed: Container, size: int) -> dict[str, Any]:
    """Return the facts about a file of one image; FormatError if it is another."""
    header = ImageHeader.from_map(parsed.header)
    mode = BY_NUMBER[header.mode]
    shape = [header.height, header.width] + ([mode.channels] if mode.channels > 1 else [])
    planes = {
        SectionType(section.type).name.lower(): _plane(section.body)
        for section in parsed.sections
        if section.type in (SectionType.COLOUR, SectionType.ALPHA)
    }
    if "colour" not in planes:
        raise FormatError("header is inconsistent: the file has no section with colours; it is corrupt")
    sizes = {SectionType(section.type): len(section.body) for section in parsed.sections}
    skeleton = section_of(parsed)
    samples = header.height * header.width * mode.channels
    return {
        "kind": "image",
        "format_version": container.VERSION,
        "codec": planes["colour"]["codec"],
        "reason": _reason(header),
        **_loss(header, planes["colour"], size),
        **_model(header.model),
        "shape": shape,
        "mode": mode.name,
        "bits_per_sample": {"u1": 8, "<u2": 16, "<i4": 32, "<f4": 32}[mode.dtype] if mode.name != "1" else 1,
        "arrangement": Arrangement(header.arrangement).name.lower().replace("_", " "),
        "history": _history(parsed),
        "planes": planes,
        **(
            {"symbols_hash": header.symbols_hash.hex()}
            if header.symbols_hash
            else {"pixel_hash": header.pixel_hash.hex()}
        ),
        **_returned(parsed),
        "source_format": header.source_format if skeleton is None else skeleton.carrier.name,
        "metadata_bytes": sizes.get(SectionType.METADATA, 0),
        "palette_bytes": sizes.get(SectionType.PALETTE, 0),
        "payload_bytes": sum(plane["bytes"] for plane in planes.values()),
        "bytes": size,
        "bpsp": 8 * size / samples,
    }


def _history(parsed: Container) -> str | None:
    """Return what the picture was before it became pixels, as far as the file knows."""
    from rdzip.codecs.history.matrices import MATRICES

    description = parsed.find(SectionType.DESCRIPTION)
    if description is None:
        return None
    known = len(description) > 0 and description[0] < len(MATRICES)
    return f"luma and chroma ({MATRICES[description[0]].name if known else 'unknown'})"


def _file(parsed: Container, size: int) -> dict[str, Any]:
    """Return the facts about a file that comes back, of which pictures are members, or which has none."""
    if parsed.header != {MEMBERS: CARRIED_KIND} or section_of(parsed) is None:
        raise FormatError("header is inconsistent: no skeleton of a file; the file is corrupt")
    coded = [section.body for section in parsed.sections if section.type == SectionType.COEFFICIENTS]
    if coded:
        return _jpeg(parsed, coded, size)
    bodies = [section.body for section in parsed.sections if section.type == SectionType.MEMBER]
    pictures = [_image(container.unpack(body), len(body)) for body in bodies]
    samples = sum(prod(picture["shape"]) for picture in pictures)
    codecs = "+".join(dict.fromkeys(picture["codec"] for picture in pictures))
    return {
        "kind": "file",
        "format_version": container.VERSION,
        "codec": codecs or "bytes",
        "reason": "" if pictures else BYTES_REASON,
        **_model(None),
        **_returned(parsed),
        "mode": None,
        "pictures": pictures,
        "bytes": size,
        "bpsp": 8 * size / samples if samples else None,
    }


def _jpeg(parsed: Container, coded: list[bytes | memoryview], size: int) -> dict[str, Any]:
    """Return the facts about a JPEG that comes back: of the image, and of those inside it."""
    from rdzip.formats.carriers.jpeg.summary import scans_of

    skeleton = section_of(parsed)
    scans, progressive = scans_of(skeleton.value()) if skeleton else (0, False)
    pictures = [_coefficients(body) for body in coded]
    return {
        "kind": "file",
        "format_version": container.VERSION,
        "codec": DCT,
        "reason": DCT_REASON,
        **_model(None),
        **_returned(parsed),
        "mode": None,
        "scans": scans,
        "progressive": progressive,
        "quality": pictures[0]["quality"],
        "sampling": pictures[0]["sampling"],
        "shape": pictures[0]["shape"],
        "pictures": pictures,
        "bytes": size,
        "bpsp": 8 * size / max(1, sum(prod(picture["shape"]) for picture in pictures)),
    }


def _coefficients(body: bytes | memoryview) -> dict[str, Any]:
    """Return the facts about the coefficients of an image: its blocks, sampling, quality estimate."""
    from rdzip.codecs.dct.heads import read_head
    from rdzip.codecs.dct.quality import estimated

    try:
        layout, heads, _ = read_head(body)
    except CoderError as error:
        raise FormatError(f"{error}; get another copy") from error
    return {
        "shape": [8 * max(head.rows for head in heads), 8 * max(head.columns for head in heads), len(heads)],
        "mode": {1: "grey", 4: "four components"}.get(len(heads), "colour"),
        "codec": DCT,
        "layout": layout,
        "sampling": [f"{head.sampling[0]}x{head.sampling[1]}" for head in heads],
        "quality": estimated(heads[0].steps),
        "bytes": len(body),
    }


def _returned(parsed: Container) -> dict[str, Any]:
    """Return what of the source comes back: the same file, by which carrier, or a picture."""
    skeleton = section_of(parsed)
    if skeleton is None:
        return {"exact": "picture", "carrier": None, "skeleton_bytes": 0}
    return {
        "exact": "file",
        "carrier": skeleton.carrier.name,
        "groups": list(skeleton.groups),
        "skeleton_bytes": len(skeleton.packed),
    }


def _plane(body: bytes | memoryview) -> dict[str, Any]:
    """Return the facts about a section of samples: its codec, and what the payload says of itself."""
    if not len(body):
        raise FormatError("header is inconsistent: an empty section; the file is corrupt")
    layout, at = container.read_varint(body, 1)
    known = body[0] in PlaneCodec.__members__.values()
    facts: dict[str, Any] = {
        "codec": PlaneCodec(body[0]).label if known else f"unknown ({body[0]})",
        "layout": layout,
        "method": None,
        "bytes": len(body) - at,
    }
    if body[0] == PlaneCodec.CLASSIC and layout in ClassicMethod.__members__.values():
        facts["method"] = ClassicMethod(layout).label
    elif body[0] == PlaneCodec.LATENT:
        facts |= _options(body[at:], tiles=True)
    elif body[0] == PlaneCodec.TRANSFORM:
        facts |= _settings(body[at:], layout)
    return facts


def _reason(header: ImageHeader) -> str:
    if header.symbols_hash and not header.reason:
        return LOSSY_REASON
    known = header.reason in Reason.__members__.values()
    return REASONS[Reason(header.reason)] if known else f"unknown ({header.reason})"


def _loss(header: ImageHeader, colour: dict[str, Any], size: int) -> dict[str, Any]:
    """Return what was lost: by a setting of the quantiser and the quality that it was chosen by, or of each sample."""
    bpp = 8 * size / (header.height * header.width)
    if header.symbols_hash:
        return {"lossy": True, "setting": colour.get("setting"), "q": colour.get("q"), "bpp": bpp}
    if header.quantiser:
        return {"lossy": True, "max_error": header.quantiser.max_error, "bpp": bpp}
    return {"lossy": False}


def _model(reference: ModelReference | None) -> dict[str, Any]:
    return {
        "model": reference.id if reference else None,
        "model_hash": reference.hash.hex() if reference else None,
        "coder": reference.coder if reference else None,
    }


def _options(payload: bytes | memoryview, *, tiles: bool = False) -> dict[str, Any]:
    """Return the codec of latents and its options as their payload states them."""
    from rdzip.codecs.bits_back import head

    try:
        read = head.describe_tiles if tiles else head.describe
        facts = read(bytes(payload))
    except CoderError as error:
        raise FormatError(f"{error}; get another copy") from error
    return facts


def _settings(payload: bytes | memoryview, layout: int) -> dict[str, Any]:
    """Return the codec, the setting and the quality of a lossy payload."""
    from rdzip.codecs.transform import head as transform_head

    try:
        return transform_head.describe(payload, layout)
    except CoderError as error:
        raise FormatError(f"{error}; get another copy") from error


def _batch(parsed: Container, size: int) -> dict[str, Any]:
    from rdzip.formats.batch import tables as batch_tables
    from rdzip.formats.batch.header import IMAGE_MODES, BatchHeader, Form

    header = BatchHeader.from_map(parsed.header)
    frame = batch_tables.read_frame(parsed, header)
    bodies = batch_tables.segments(parsed, header)
    if header.model:
        facts = _options(max(bodies, key=len)[batch_tables.HASH :])
    else:
        pictures = [_image(container.unpack(body), len(body)) for body in bodies if len(body)]
        facts = {"codec": "+".join(dict.fromkeys(picture["codec"] for picture in pictures))}
    steps = sum(frame.lengths)
    samples = steps * header.shape[1] if header.sequences else prod(header.shape)
    shape = [steps, header.shape[1]] if header.sequences else list(header.shape)
    return {
        "kind": "batch",
        "format_version": container.VERSION,
        "codec": facts.pop("codec"),
        "options": facts,
        **_model(header.model),
        "form": header.form.name.lower(),
        "items": header.count,
        "segments": header.segments,
        "segment_items": header.segment,
        "shape": shape[1:] if header.single else shape,
        "dtype": header.dtype if header.form == Form.NPY else None,
        "mode": IMAGE_MODES[header.mode] if header.form == Form.IMAGES else None,
        "lengths": frame.lengths or None,
        "names": frame.names or None,
        "payload_bytes": sum(len(body) for body in bodies),
        "bytes": size,
        "bpsp": 8 * size / samples,
    }
