"""PNM, PAM and PFM: images of the netpbm programs, several in one file (docs/reference/carriers.md).

Source: the manual pages pbm(5), pgm(5), ppm(5), pam(5) of Netpbm, and P. Debevec's description of PFM.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from rdzip.errors import FormatError
from rdzip.formats.carriers.carrier import NotCarriedError, Opened
from rdzip.formats.carriers.raw import plain
from rdzip.formats.carriers.raw.checks import certain, few_pixels, fields, octets, require, shortened
from rdzip.formats.carriers.raw.grouping import FLOAT, UNSIGNED, as_pictures, modes_of, samples_of
from rdzip.formats.carriers.raw.patches import difference, patched
from rdzip.formats.carriers.raw.rows import Rows
from rdzip.formats.images.picture import Picture
from rdzip.system import limits

SPACE = rb"(?:[ \t\n\v\f\r]|#[^\n\r]*[\n\r])+"
PNM = re.compile(rb"P([1-6])" + SPACE + rb"(\d{1,9})" + SPACE + rb"(\d{1,9})(?:(?=[ \t\n\v\f\r#]))")
MAXVAL = re.compile(SPACE + rb"(\d{1,9})")
PFM = re.compile(
    rb"P([Ff])[ \t\r]*\n[ \t]*(\d{1,9})[ \t\r\n]+(\d{1,9})[ \t\r]*\n[ \t]*([+-]?[0-9.eE+-]{1,40})[ \t\r]*\n"
)
PAM = re.compile(rb"P7\n((?:[^\n]{0,400}\n){1,64}?)ENDHDR\n")
MOST = 1 << 14
"""Bytes of a head, comments included."""
MANY = 1 << 16
"""Images in a file."""


@dataclass(frozen=True)
class _Head:
    """What the head of an image says: its length in bytes, the kind ("5" of P5), shape, maxval; big: the byte order of
    a PFM.
    """

    length: int
    kind: str
    width: int
    height: int
    channels: int
    maxval: int
    big: bool = True

    @property
    def rows(self) -> Rows:
        """How the samples lie, where they are binary."""
        bits = 32 if self.kind in "Ff" else 1 if self.kind in "14" else 8 if self.maxval < 256 else 16
        return Rows(self.height, self.width * self.channels, bits, self.big)

    @property
    def sort(self) -> tuple[str, str]:
        """Kind and colour of the samples, for raw.grouping."""
        if self.kind in "Ff":
            return FLOAT, ""
        return UNSIGNED, "1" if self.kind in "14" else ""


def open(data: bytes) -> Opened:
    """Return the pictures and the skeleton [[[patch of the head, filling of rows, layout of plain text], ...], rest].

    The list is shortened of images that need nothing said; rest: the bytes after the last image.
    """
    pictures: list[Picture] = []
    skeleton: list[Any] = []
    at = pixels = 0
    while at < len(data) and len(skeleton) < MANY:
        try:
            head = _parse(data[at : at + MOST])
            end = at + head.length
            pixels += head.width * head.height
            few_pixels(pixels)
            layout: Any = 0
            filling = b""
            if head.kind in "123":
                shape = (head.height, head.width * head.channels)
                samples, layout, end = plain.read(data, end, shape, head.maxval, bits=head.kind == "1")
                samples = samples.astype(head.rows.dtype)
            else:
                if head.rows.size > len(data) - end:
                    raise NotCarriedError("its samples are cut short")
                samples, filling = head.rows.read(data, end)
                end += head.rows.size
        except NotCarriedError:
            if not skeleton:
                raise
            break
        if head.kind in "Ff":
            samples = samples[::-1]
        made = as_pictures(samples.reshape(head.height, head.width, head.channels), *head.sort)
        patch = difference(data[at : at + head.length], _expected(made[0], head.kind in "Ff"))
        pictures += made
        skeleton.append(shortened([patch, filling, layout]))
        at = end
    if not pictures:
        raise NotCarriedError("it is no image of netpbm")
    images: Any = skeleton if any(skeleton) or len(skeleton) != len(pictures) else 0
    return certain(data, Opened(pictures, shortened([images, data[at:]])), close)


def close(pictures: Sequence[Picture], skeleton: Any) -> bytes:
    """Return the file."""
    images, rest = fields(skeleton, 2)
    require(images == 0 or isinstance(images, list), "a skeleton lacks its images")
    require(len(pictures) > 0, "a file of netpbm has a picture")
    limits.claim_memory(16 * sum(p.samples.nbytes for p in pictures), "the samples of a file of netpbm")
    out: list[bytes] = []
    at = 0
    for image in images or [[]] * len(pictures):
        patch, filling, layout = fields(image, 3)
        require(at < len(pictures), "a skeleton has more images than there are pictures")
        start = patched(patch, _expected(pictures[at], pictures[at].mode == "F"))
        try:
            head = _parse(start[:MOST])
        except NotCarriedError as error:
            raise FormatError(f"a skeleton's image is not carried: {error}; the file is corrupt") from error
        require(head.length == len(start), "a skeleton's head is longer than it says")
        kind, colour = head.sort
        rows = head.rows
        many = len(modes_of(min(head.channels, 5), 8 * rows.dtype.itemsize, kind, colour))
        many = head.channels if many > 1 else 1
        some = pictures[at : at + many]
        require(len(some) == many, "a skeleton has more images than there are pictures")
        at += many
        samples: NDArray[Any] = samples_of(
            some, (head.height, head.width, head.channels), rows.dtype, kind, colour
        ).reshape(head.height, -1)  # fmt: skip
        if head.kind in "Ff":
            samples = samples[::-1]
        if head.kind in "123":
            text = plain.write(samples, head.maxval, layout)
        else:
            text = rows.write(samples, octets(filling or b""))
        out += [start, text]
    require(at == len(pictures), "a skeleton has fewer images than there are pictures")
    return b"".join([*out, octets(rest or b"")])


def _parse(data: bytes) -> _Head:
    """Return what the head at the start of ``data`` says; NotCarriedError if there is none."""
    if (found := PNM.match(data)) is not None:
        kind = found[1].decode()
        width, height, maxval, length = int(found[2]), int(found[3]), 1, found.end()
        if kind not in "14":
            if (more := MAXVAL.match(data, length)) is None:
                raise NotCarriedError("its head has no maxval")
            maxval, length = int(more[1]), more.end()
        if data[length : length + 1] not in (b" ", b"\t", b"\n", b"\v", b"\f", b"\r"):
            raise NotCarriedError("its head does not end with white space")
        return _checked(_Head(length + 1, kind, width, height, 3 if kind in "36" else 1, maxval))
    if (found := PFM.match(data)) is not None:
        try:
            scale = float(found[4])
        except ValueError:
            raise NotCarriedError("its head has no scale") from None
        channels = 3 if found[1] == b"F" else 1
        return _checked(_Head(found.end(), found[1].decode(), int(found[2]), int(found[3]), channels, 1, scale > 0))
    if (found := PAM.match(data)) is not None:
        lines = [line.split(None, 1) for line in found[1].split(b"\n") if line and not line.startswith(b"#")]
        said = {line[0]: line[1].strip() for line in lines if len(line) == 2}
        numbers = [said.get(name, b"") for name in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL")]
        if not all(re.fullmatch(rb"\d{1,9}", number) for number in numbers):
            raise NotCarriedError("its head lacks a number")
        width, height, channels, maxval = map(int, numbers)
        return _checked(_Head(found.end(), "7", width, height, channels, maxval))
    raise NotCarriedError("it is no image of netpbm")


def _checked(head: _Head) -> _Head:
    if not (head.width and head.height and 0 < head.channels <= 1 << 16 and 0 < head.maxval < 65536):
        raise NotCarriedError("its head has a number out of range")
    return head


def _expected(picture: Picture, portable_floats: bool) -> bytes:
    """The head that an image of such a picture has most often."""
    height, width = picture.shape[:2]
    if portable_floats:
        return b"Pf\n%d %d\n-1.0\n" % (width, height)
    if picture.mode == "1":
        return b"P4\n%d %d\n" % (width, height)
    deep = 65535 if picture.samples.dtype.itemsize > 1 else 255
    if picture.mode.startswith(("LA", "RGBA")):
        name, depth = (b"GRAYSCALE_ALPHA", 2) if picture.mode.startswith("LA") else (b"RGB_ALPHA", 4)
        text = b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH %d\nMAXVAL %d\nTUPLTYPE %s\nENDHDR\n"
        return text % (width, height, depth, deep, name)
    return b"P%d\n%d %d\n%d\n" % (6 if picture.mode.startswith("RGB") else 5, width, height, deep)
