"""What tests of carriers share: a file through open and close, and mutated files."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from rdzip.codecs.dct.coefficients import Coefficients
from rdzip.errors import FormatError
from rdzip.formats import packing
from rdzip.formats.carriers.carrier import NotCarriedError, Opened, Row
from rdzip.formats.carriers.table import CARRIERS, carrier_of
from rdzip.formats.images.picture import Picture

MANGLED = (0, 1, -1, 1 << 39, b"", b"\xff" * 5, "text", None, [], [[1, 2, b"3"]], {}, 2.5)


def carried(data: bytes, number: int) -> Opened:
    """Open a file by the carrier that the table finds, which has the number; it must close to the same bytes, also by
    a skeleton that was packed and unpacked.
    """
    row = carrier_of(data)
    assert row is not None
    assert row.number == number
    opened = row.open(data)
    packed = packing.pack_value(opened.skeleton)
    assert row.close(opened.pictures, packing.unpack_value(packed)) == data
    assert all(not p.metadata for p in opened.pictures)
    return opened


def cost(opened: Opened) -> int:
    """Bytes of the packed skeleton."""
    return len(packing.pack_value(opened.skeleton))


def carried_or_not(row: Row, data: bytes) -> bool:
    """Whether any bytes are carried: they come back, or are refused by the one exception that may be."""
    try:
        opened = row.open(data)
    except NotCarriedError as error:
        why = str(error)
    else:
        assert row.close(opened.pictures, packing.unpack_value(packing.pack_value(opened.skeleton))) == data
        return True
    assert len(why.splitlines()) == 1
    return False


def mutants(data: bytes, count: int, seed: int, head: int = 512) -> Iterator[bytes]:
    """Files that differ in a few bytes, mostly of the head, or are cut, or have bytes inserted or doubled."""
    rng = random.Random(seed)
    for _ in range(count):
        mutant = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 5))):
            at = rng.randrange(min(head, len(mutant)) if rng.random() < 0.8 else len(mutant))
            what = rng.randrange(6)
            if what == 0:
                mutant[at] ^= 1 << rng.randrange(8)
            elif what == 1:
                mutant[at] = rng.choice((0, 1, 127, 128, 255))
            elif what == 2:
                mutant[at : at + 4] = rng.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\x08\0\0\0"))
            elif what == 3:
                mutant[at:at] = rng.randbytes(rng.randrange(1, 9))
            elif what == 4:
                del mutant[at : at + rng.randrange(1, 9)]
            else:
                del mutant[rng.randrange(len(mutant)) :]
            if not mutant:
                mutant = bytearray(b"\0")
        yield bytes(mutant)


def mangled(value: Any, rng: random.Random) -> Any:
    """A skeleton that differs from one in a place or a few."""
    if isinstance(value, list) and value and rng.random() < 0.85:
        changed = list(value)
        at = rng.randrange(len(changed))
        changed[at] = mangled(changed[at], rng)
        return changed
    if isinstance(value, int) and rng.random() < 0.6:
        return value + rng.choice((-1, 1, 2, 1000, 1 << 33))
    if isinstance(value, bytes) and value and rng.random() < 0.7:
        at = rng.randrange(len(value))
        return value[:at] + bytes([value[at] ^ (1 << rng.randrange(8))]) + value[at + rng.randrange(2) :]
    return rng.choice(MANGLED)


def close_hostile(number: int, opened: Opened, count: int, seed: int) -> None:
    """Close with mangled skeletons and with pictures left out: bytes of a bounded length, or FormatError."""
    rng = random.Random(seed)
    row = CARRIERS[number]
    room = 64 * sum(_size(p) for p in opened.pictures) + (1 << 22)
    for _ in range(count):
        skeleton = mangled(opened.skeleton, rng)
        pictures = list(opened.pictures)
        if rng.random() < 0.2:
            pictures = rng.choice((pictures[:-1], pictures * 2, pictures[::-1]))
        with suppress(FormatError):
            assert len(row.close(pictures, skeleton)) <= room


def _size(picture: Picture | Coefficients) -> int:
    """Bytes of samples, or of coefficients."""
    if isinstance(picture, Coefficients):
        return sum(component.coefficients.nbytes for component in picture.components)
    return picture.samples.nbytes
