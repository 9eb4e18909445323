"""JPEGs to .rdz files and back: their coefficients by the codec dct, and the bytes around them.

file -> carrier -> coefficients of the image, and of thumbnails -> codec dct -> sections COEFFICIENTS
                `> skeleton -------------------------------------------------> section SKELETON
"""

from __future__ import annotations

import time
from hashlib import sha256

import numpy as np

from rdzip.codecs.dct import codec as dct
from rdzip.codecs.dct.coefficients import Coefficients
from rdzip.codecs.names import DCT
from rdzip.codecs.result import Bits
from rdzip.errors import CoderError, FormatError
from rdzip.formats import container
from rdzip.formats.carriers import section
from rdzip.formats.carriers.carrier import NotCarriedError, Opened, Row
from rdzip.formats.container import Container, Section, SectionType
from rdzip.formats.header import CARRIED_KIND, MEMBERS
from rdzip.pipeline.effort import DEFAULT_EFFORT
from rdzip.pipeline.report import Compressed, Report, Returned, limit_notes
from rdzip.pipeline.request import Compute, Request
from rdzip.system import limits
from rdzip.system.progress import Progress, one_of, part_of

CODING = 0.5
"""Share of the time that encoding takes, of encoding and verifying."""


def compress_coefficients(
    data: bytes, row: Row, opened: Opened, request: Request, compute: Compute, progress: Progress | None
) -> Compressed:
    """Return the .rdz file of a JPEG that its carrier has opened, and a report.

    - data: the file
    - row, opened: the carrier, and what it found, of which the images are taken: they go before the others are decoded
    - request: of which the effort and whether to verify count
    - compute: of which the threads and the most pixels count
    - progress: called with the share that is done

    NotCarriedError for more pixels than are allowed; FormatError where verification fails.
    """
    pictures: list[Coefficients] = list(opened.pictures)  # type: ignore[arg-type]
    opened.pictures.clear()
    samples = sum(part.coefficients.size for one in pictures for part in one.components)
    most = limits.MAX_PIXELS if compute.max_pixels is None else compute.max_pixels
    if samples > 4 * most:
        raise NotCarriedError(f"it has {samples} samples, at most {4 * most} are allowed: raise `max_pixels`")
    start = time.perf_counter()
    coding = part_of(progress, 0.0, CODING if request.verify else 1.0)
    payloads = [
        dct.encode(one, request.effort or DEFAULT_EFFORT, compute.threads, one_of(coding, number, len(pictures)))
        for number, one in enumerate(pictures)
    ]
    first = pictures[0].components
    rows, columns = (max(part.coefficients.shape[axis] for part in first) for axis in range(2))
    shape, digest = (8 * rows, 8 * columns, len(first)), _digest(pictures)
    del first, pictures
    body = section.write(row.number, (), opened.skeleton, data)
    sections = [Section(SectionType.SKELETON, body), *(Section(SectionType.COEFFICIENTS, one) for one in payloads)]
    packed = container.pack({MEMBERS: CARRIED_KIND}, sections)
    encoded = time.perf_counter()
    budget = limits.Budget(compute.max_pixels, strict=False)
    if request.verify:
        with limits.bounded(len(packed), budget):
            parsed = container.unpack(packed)
            back = coefficients_in(parsed, compute, part_of(progress, CODING, 1.0))
            skeleton = section.read(parsed)
            if skeleton is None or skeleton.value() != opened.skeleton or _digest(back) != digest:
                raise FormatError(
                    "verification failed: what was written does not decode to the input; nothing was kept, please "
                    "report this image"
                )
    bits = 8.0 * sum(len(one) for one in payloads)
    report = Report(
        codec=DCT,
        model=None,
        shape=shape,
        bytes_in=len(data),
        bytes_out=len(packed),
        bpsp=8 * len(packed) / samples,
        bits=Bits(bits, bits, bits),
        seconds={"load": 0.0, "encode": encoded - start, "verify": time.perf_counter() - encoded},
        cause=None,
        notes=limit_notes(budget),
        returned=Returned("file", row.name, len(body), sha256(data).hexdigest(), ""),
    )
    return Compressed(packed, report)


def coefficients_in(parsed: Container, compute: Compute, progress: Progress | None = None) -> list[Coefficients]:
    """Return the coefficients of each image of a JPEG; FormatError if they are corrupt, or more than are allowed."""
    bodies = [bytes(one.body) for one in parsed.sections if one.type == SectionType.COEFFICIENTS]
    try:
        return [
            dct.decode(body, compute.threads, compute.max_pixels, one_of(progress, number, len(bodies)))
            for number, body in enumerate(bodies)
        ]
    except CoderError as error:
        raise FormatError(f"{error}; get another copy") from error


def _digest(pictures: list[Coefficients]) -> bytes:
    """Return a hash of all that there is of images: two arrays of each would take memory."""
    found = sha256()
    for number, one in enumerate(pictures):
        for part in one.components:
            found.update(repr((number, part.coefficients.shape, part.sampling)).encode())
            found.update(np.ascontiguousarray(part.coefficients).data)
            found.update(part.quantisation.astype("<u2").data)
    return found.digest()
