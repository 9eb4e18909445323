"""Small files that claim much: refused at once, in one line, before the memory is taken."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import hostile
from helpers.packed import pack_archive
from PIL import Image

import rdzip
from rdzip.codecs.bits_back.head import MAX_GROUPS, read_head
from rdzip.codecs.classic import codec as classic
from rdzip.codecs.mixing import codec as mixing
from rdzip.codecs.mixing.presets import FAST_LS, FAST_PLAIN, PRESETS, SLOW, Preset
from rdzip.codecs.names import ClassicMethod, PlaneCodec
from rdzip.errors import FormatError, RdzipError
from rdzip.formats import cbor, container, packing
from rdzip.formats.archive import Archive
from rdzip.formats.describe import describe
from rdzip.pipeline.plane_codecs import Coder
from rdzip.system import limits

NOISE = bytes(np.random.default_rng(0).integers(0, 256, 49000, np.uint8))
SQUARE = (hostile.SIDE, hostile.SIDE)

BOMBS: dict[str, Callable[[], bytes]] = {
    "metadata of empty lists": lambda: hostile.image(
        (1, 1), 0, 1, b"\0", k1=2, metadata=hostile.packed(hostile.empty_lists(1 << 20))
    ),
    "an index of empty lists": lambda: hostile.archive(hostile.packed(hostile.empty_lists(1 << 23))),
    "an index of a few empty lists": lambda: hostile.archive(hostile.packed(hostile.empty_lists(270_000))),
    "one colour": lambda: hostile.image(SQUARE, 0, 1, bytes(8), k1=9),
    "one colour in one row": lambda: hostile.image((1, limits.MAX_PIXELS), 0, 1, bytes(8), k1=9),
    "one grey, as colours": lambda: hostile.image((5000, 5000), 0, 1, bytes(4), k1=9, k5=1),
    "one colour, quantised": lambda: hostile.image((5000, 5000), 0, 1, bytes(8), k1=9, k15=[1, 16]),
    "one colour and planes of alpha": lambda: hostile.image(
        SQUARE, 0, 1, bytes(6), k1=9, alpha=b"\0\5\0" + hostile.zeros(1 << 20)
    ),
    "a PNG that cannot hold it": lambda: hostile.image(SQUARE, 0, 3, b"\x08" + zlib.compress(bytes(1000))),
    "a PNG of bits": lambda: hostile.image(SQUARE, 0, 3, b"\x81" + zlib.compress(bytes(hostile.SIDE * 1674), 9), k1=2),
    "planes": lambda: hostile.image((9000, 6000), 0, 5, b"\0" + hostile.zeros(9000 * 6000 * 3)),
    "planes that cannot hold it": lambda: hostile.image(SQUARE, 0, 5, b"\0" + hostile.zeros(1000), k1=9),
    "rows of a PNG": lambda: hostile.image((4000, 4000), 0, 4, b"\x10" + hostile.zeros(4000 * 24001), k1=8),
    "a WebP": lambda: hostile.image((6000, 6000), 0, 2, hostile.webp(6000)),
    "mixing, noise": lambda: hostile.image(SQUARE, 4, FAST_LS.layout, b"\1" + NOISE),
    "mixing, zeros": lambda: hostile.image(SQUARE, 4, SLOW.layout, b"\1" + bytes(49000)),
    "mixing with the network": lambda: hostile.image((1000, 1000), 4, 5, b"\1" + bytes(2000), model="photo-large"),
    "wavefronts": lambda: hostile.image((2, 2_000_000), 1, 3, NOISE, model="photo"),
    "many particles": lambda: hostile.chained([200, 28, 28], "mnist-binary", "bb-is", [1] * 200, NOISE, particles=4096),
    "much refinement": lambda: hostile.chained([40, 28, 28], "mnist-binary", "bb-ans", [1] * 40, NOISE, refine=1000),
    "much annealing": lambda: hostile.chained([8, 28, 28], "mnist-binary", "bb-ais", [1] * 8, NOISE, steps=4096),
    "many groups": lambda: hostile.chained([1 << 20, 28, 28], "mnist-binary", "bb-ans", [1] * (1 << 20), NOISE),
    "many tiles": lambda: hostile.image(
        (4096, 4096), 3, 1, bytes([0, 1, 1, 1]) + NOISE, model="photo-lossy", k14=bytes(8)
    ),
}
CHILD = """
import json, sys, time
import rdzip
folder, names = sys.argv[1], json.loads(sys.argv[2])
for name in names:
    data = open(f"{folder}/{name}", "rb").read()
    start, text = time.process_time(), ""
    for read in (rdzip.info, rdzip.decompress_array):
        try:
            read(data)
        except rdzip.errors.RdzipError as error:
            text += str(error)
    seconds = time.process_time() - start
    with open("/proc/self/status") as status:  # the peak of getrusage is that of the parent, if that is higher
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    print(json.dumps([name, seconds, peak / 1024, text]), flush=True)
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="the peak of memory is read from Linux's /proc")
@pytest.mark.timeout(600)
def test_small_files_that_claim_much_are_refused_in_little_time_and_memory(tmp_path: Path) -> None:
    """One process meets them all, so that a peak is that of the worst; times are of the processor."""
    made = {name: make() for name, make in BOMBS.items()}
    for name, data in made.items():
        assert len(data) <= 1 << 16, name
        (tmp_path / name).write_bytes(data)
    ran = subprocess.run(
        [sys.executable, "-c", CHILD, tmp_path, json.dumps(list(made))], capture_output=True, text=True, check=True
    )
    results = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [name for name, *_ in results] == list(made)
    for name, seconds, peak, text in results:
        assert seconds < 5, (name, seconds, text)
        assert peak < 500, (name, peak, text)
        assert text, name
        assert "\n" not in text, name


def refused(data: bytes, match: str, **options: Any) -> None:
    with pytest.raises(RdzipError, match=match) as caught:
        rdzip.decompress_array(data, **options)
    assert "\n" not in str(caught.value)


def test_limits_are_where_they_are_said_to_be() -> None:
    data = rdzip.compress(np.zeros((3, 5), np.uint8))
    for claimed in ((1, limits.MAX_PIXELS + 1), (1 << 14, 1 << 14), (1 << 30, 1 << 30)):
        refused(hostile.image(claimed, 0, 1, b"\0", k1=2), "at most 178956970 are allowed: raise `max_pixels`")
    refused(data, "at most 14 are allowed", max_pixels=14)
    assert rdzip.decompress_array(data, max_pixels=15).shape == (3, 5)


def test_a_large_picture_of_one_colour_is_valid() -> None:
    picture = np.broadcast_to(np.array([3, 5, 7], np.uint8), (4000, 3000, 3))
    data = rdzip.compress(picture)
    assert len(data) < 100
    found = rdzip.decompress_array(data)
    assert found.flags.writeable
    assert np.array_equal(found, picture)


@pytest.mark.parametrize("mode", ["P", "RGBA", "LA", "I;16", "1"])
def test_pictures_of_one_colour_come_back_in_every_mode(mode: str) -> None:
    image = Image.new("RGBA", (7, 9), (9, 8, 7, 6)).convert("RGB" if mode == "P" else "RGBA")
    image = Image.new("I;16", (7, 9), 4321) if mode == "I;16" else image.convert(mode)
    back = rdzip.decompress(rdzip.compress(image))
    assert back.mode == mode
    assert np.array_equal(np.asarray(back), np.asarray(image))


def test_raising_the_limit_of_pixels_raises_the_others() -> None:
    data = hostile.image((1000, 1000), 4, SLOW.layout, b"\1" + bytes(300))
    with pytest.raises(FormatError, match="raise `max_pixels` to") as caught:
        rdzip.decompress(data)
    needed = int(str(caught.value).split("`max_pixels` to ")[1].split()[0])
    budget = limits.Budget(needed)
    budget.credit(len(data))
    budget.claim(mixing.decoding_time(None, (1000, 1000, 3), SLOW), "it")
    less = limits.Budget(limits.MAX_PIXELS // 2)
    less.credit(len(data))
    with pytest.raises(FormatError):
        less.claim(limits.FREE_TIME + limits.TIME_A_BYTE * (len(data) + 1), "it")


def test_parts_of_an_archive_share_what_is_free() -> None:
    half = limits.FREE_TIME * 0.6
    budget = limits.Budget()
    with limits.bounded(0, budget):
        limits.claim(half, "the first")
    with limits.bounded(0, budget), pytest.raises(FormatError, match="the second would take too long"):
        limits.claim(half, "the second")
    with limits.bounded(4000, budget):
        limits.claim(0, "nothing")
    limits.claim(1e12, "what an encoder does")


def test_an_encoder_makes_what_is_read_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Effort 9 for a smooth picture: the slow layout would be refused, so the fast one codes it."""
    y, x = np.mgrid[0:60, 0:50]
    smooth = ((x + y) // 64).astype(np.uint8)
    slow = Coder(PlaneCodec.MIXING, None, SLOW)
    assert slow.encode(smooth).layout == SLOW.layout
    monkeypatch.setattr(limits, "FREE_TIME", 20_000)
    found = slow.encode(smooth)
    assert found.layout == FAST_LS.layout
    assert limits.fits(mixing.decoding_time(None, smooth.shape, PRESETS[found.layout]), len(found.payload))


def test_what_cannot_be_read_unasked_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from rdzip.formats.images.picture import from_array
    from rdzip.pipeline.compress import compress
    from rdzip.pipeline.request import Request

    monkeypatch.setattr(limits, "FREE_TIME", 1)
    monkeypatch.setattr(limits, "TIME_A_BYTE", 1)
    done = compress(from_array(np.eye(40, dtype=np.uint8)), Request(codec="mixing", effort=1))
    (note,) = done.report.notes
    assert "`max_pixels=" in note.text
    with pytest.raises(FormatError, match="`max_pixels`"):
        rdzip.decompress(done.data)
    rdzip.decompress(done.data, max_pixels=int(note.text.rpartition("=")[2].strip("`")))


@pytest.mark.parametrize("preset", [FAST_PLAIN, FAST_LS, SLOW], ids=["plain", "least-squares", "slow"])
@pytest.mark.parametrize("shape", [(300, 40), (2, 6000), (70, 50, 3)])
def test_mixing_stops_soon_after_its_data_end(preset: Preset, shape: tuple[int, ...]) -> None:
    told: list[float] = []
    with pytest.raises(RdzipError, match="end before the last pixel"):
        mixing.decode(None, b"\1" + NOISE[:100], shape, preset.layout, told.append)
    assert not told or max(told) < 1


def test_chains_stop_when_their_words_end() -> None:
    refused(hostile.chained([5000, 28, 28], "mnist-binary", "bb-ans", [250] * 20, NOISE[:4000]), "end before the last")


def test_values_are_counted() -> None:
    most = cbor.MAX_VALUES
    assert len(cbor.loads(hostile.empty_lists(most - 1))) == most - 1
    with pytest.raises(FormatError, match="longer than"):
        cbor.loads(hostile.empty_lists(most))
    nested = b"\x81" * 3 + b"\x82\x80\x80"
    assert cbor.loads(nested, 6) == [[[[[], []]]]]
    with pytest.raises(FormatError, match=r"more values|longer than"):
        cbor.loads(nested, 5)
    with pytest.raises(FormatError, match="more values"):
        cbor.loads(b"\x82\x81\x80\x80", 3)
    assert cbor.count({"a": [1, [2]], "b": None}) == 8


def test_packed_bytes_are_limited_by_their_length() -> None:
    limit = packing.FREE_BYTES
    assert packing.unpack_bytes(hostile.packed(bytes(limit))) == bytes(limit)
    with pytest.raises(FormatError, match=f"at most {limit} are allowed"):
        packing.unpack_bytes(hostile.packed(bytes(limit + 1)))
    mixed = NOISE[:40000] + bytes(2_000_000)
    assert packing.unpack_bytes(hostile.packed(mixed)) == mixed
    assert packing.most_bytes(1 << 30) == packing.MAX_BYTES == 1 << 26
    for data in (b"", NOISE, bytes(limit), bytes(limit + 1), mixed):
        assert packing.unpack_bytes(packing.pack_bytes(data)) == data


def test_what_packs_too_well_is_stored_so_that_it_can_be_read() -> None:
    assert packing.pack_bytes(bytes(3_000_000))[0] == 0
    many = [7] * (cbor.MAX_VALUES + 5000)
    body = packing.pack_value(many)
    assert body[0] == 0
    assert packing.unpack_value(body) == many
    assert packing.pack_value([7] * 1000)[0] == 1
    with pytest.raises(FormatError, match="longer than"):
        packing.unpack_value(hostile.packed(cbor.dumps(many)))


def test_headers_have_a_limit() -> None:
    """Even one that is there in whole, with a sound checksum."""
    header = cbor.dumps({0: bytes(container.MAX_HEADER)})
    head = bytes([1]) + container.write_varint(len(header)) + header
    data = container.SIGNATURE + head + zlib.crc32(head).to_bytes(4, "little") + b"\0"
    with pytest.raises(FormatError, match=f"a header of at most {container.MAX_HEADER} bytes, found {len(header)}"):
        container.unpack(data)


@pytest.mark.parametrize("text", ["8000", "ff00", "808000", "8180808080808000", "808080808080808080", "80"])
def test_varints_have_one_form(text: str) -> None:
    with pytest.raises(FormatError):
        container.read_varint(bytes.fromhex(text), 0)


def test_lengths_of_sections_have_one_form() -> None:
    def file(length: bytes) -> bytes:
        body = b"\0\1\7"
        head = bytes([1]) + length
        crc = zlib.crc32(head + body).to_bytes(4, "little")
        return container.pack_prefix({0: [1, 1], 1: 2, 2: bytes(8)}) + head + body + crc + b"\0"

    assert container.unpack(file(b"\3"))
    for longer in (b"\x83\0", b"\x83\x80\0"):
        with pytest.raises(FormatError, match="not a valid number"):
            container.unpack(file(longer))


@pytest.mark.parametrize("text", ["a2 00 01 00 01", "a2 00 01 00 02", "a2 6161 01 6161 01", "a3 00 01 01 01 00 01"])
def test_keys_of_maps_occur_once(text: str) -> None:
    with pytest.raises(FormatError, match="a map key that occurs twice"):
        cbor.loads(bytes.fromhex(text))


def test_members_of_archives_neither_overlap_nor_leave_gaps() -> None:
    data = rdzip.compress(np.eye(4, dtype=np.uint8))
    sound = Archive(pack_archive([("a", data), ("b", data)]))
    (one, two), start = sound.members, len(container.pack_prefix({7: 1}))
    assert (one.offset, two.offset) == (start, start + len(data) + 6)

    def opened(*index: list[Any]) -> Archive:
        return Archive(hostile.archive(packing.pack_value(list(index)), [data, data]))

    length = len(data)
    assert len(opened(["a", one.offset, length], ["b", two.offset, length]).names) == 2
    for offset in (one.offset, one.offset + 1, two.offset - 1, two.offset + 1, 0):
        with pytest.raises(FormatError, match="wrong about 'b'"):
            opened(["a", one.offset, length], ["b", offset, length])
    overlapping = 2 * length + 6  # one that holds the other, so that both end where members end
    for index in ([["a", one.offset, overlapping], ["b", two.offset, length]], [["a", one.offset, length]]):
        with pytest.raises(FormatError, match=r"wrong about|does not cover"):
            opened(*index)


def test_groups_of_a_chain_are_few() -> None:
    from rdzip.codecs.bits_back.options import Options
    from rdzip.codecs.names import LATENT_CODECS
    from rdzip.codecs.varint import write_numbers
    from rdzip.errors import CoderError

    def head(*runs: int) -> bytes:
        numbers = Options().to_numbers("bb-ans")
        return write_numbers([LATENT_CODECS.index("bb-ans"), *numbers, len(runs) // 2, *runs])

    most = MAX_GROUPS
    assert len(read_head(head(1, most))[2]) == most
    for runs in ((1, most + 1), (1, most, 1, 1), (1, 1, 2, most), (256, (1 << 28) - 1)):
        with pytest.raises(CoderError, match="damaged"):
            read_head(head(*runs))


def test_archives_within_archives_are_not_entered() -> None:
    data = pack_archive([("a", rdzip.compress(np.eye(4, dtype=np.uint8)))])
    for _ in range(200):
        data = pack_archive([("a", data)])
    with pytest.raises(FormatError) as caught:
        describe(data)
    assert "\n" not in str(caught.value)


def test_classic_payloads_hold_no_more_than_their_method_can() -> None:
    for layout, payload, match in (
        (ClassicMethod.PNG, b"\x08" + zlib.compress(bytes(100)), "PNG payload of"),
        (ClassicMethod.PLANES, b"\0" + hostile.zeros(100), "LZMA payload of"),
    ):
        with pytest.raises(RdzipError, match=match):
            classic.decode(payload, (20000, 3000), np.dtype(np.uint8), int(layout))


@pytest.mark.parametrize("name", ["one colour", "a WebP"])
def test_pillow_refuses_them_too(tmp_path: Path, name: str) -> None:
    import rdzip.pillow_plugin  # noqa: F401

    path = tmp_path / "a.rdz"
    path.write_bytes(BOMBS[name]())
    with pytest.raises(OSError, match=r"hash differs|too much for a file|no mode for"), Image.open(path) as image:
        image.load()
