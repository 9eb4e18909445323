"""Images of netpbm come back byte for byte."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.carrier_support import carried, carried_or_not, close_hostile, cost, mutants
from hypothesis import given
from hypothesis import strategies as st

from rdzip.formats.carriers.carrier import NotCarriedError
from rdzip.formats.carriers.table import CARRIERS

PNM = 4
RNG = np.random.default_rng(5)
SAMPLES = RNG.bytes(4 * 3 * 4 * 8)
PAM = b"P7\nWIDTH 4\nHEIGHT 3\nDEPTH %d\nMAXVAL %d\nTUPLTYPE %s\nENDHDR\n"


@pytest.mark.parametrize(
    ("head", "size", "modes", "most"),
    [
        (b"P6\n4 3\n255\n", 36, ["RGB"], 3),
        (b"P5\n4 3\n255\n", 12, ["L"], 3),
        (b"P4\n4 3\n", 3, ["1"], 12),
        (b"P5\n4 3\n65535\n", 24, ["I;16"], 3),
        (b"P6\n4 3\n65535\n", 72, ["RGB;16"], 3),
        (b"P5\n4 3\n4095\n", 24, ["I;16"], 14),
        (b"P5 4 3 15\n", 12, ["L"], 16),
        (b"P6\n# by hand\n4 3\n255\n", 36, ["RGB"], 22),
        (b"P6\r\n#a\r\n#b\r\n4\t3#c\n255 ", 36, ["RGB"], 40),
        (b"Pf\n4 3\n-1.0\n", 48, ["F"], 3),
        (b"PF\n4 3\n1.000\n", 144, ["F"] * 3, 24),
        (PAM % (2, 255, b"GRAYSCALE_ALPHA"), 24, ["LA"], 3),
        (PAM % (4, 255, b"RGB_ALPHA"), 48, ["RGBA"], 3),
        (PAM % (4, 65535, b"RGB_ALPHA"), 96, ["RGBA;16"], 3),
        (PAM % (1, 1, b"BLACKANDWHITE"), 12, ["L"], 80),
        (PAM % (5, 255, b"many"), 60, ["L"] * 5, 80),
    ],
)
def test_each_kind(head: bytes, size: int, modes: list[str], most: int) -> None:
    opened = carried(head + SAMPLES[:size], PNM)
    assert [p.mode for p in opened.pictures] == modes
    assert opened.pictures[0].shape[:2] == (3, 4)
    assert cost(opened) <= most


def test_samples_are_where_the_specification_says() -> None:
    assert carried(b"P6 2 1 255\n\1\2\3\4\5\6", PNM).pictures[0].samples.tolist() == [[[1, 2, 3], [4, 5, 6]]]
    assert carried(b"P5 2 1 999\n\1\2\3\4", PNM).pictures[0].samples.tolist() == [[258, 772]]
    assert carried(b"P4 3 1\n\xbf", PNM).pictures[0].samples.tolist() == [[1, 0, 1]]
    floats = np.array([1, 2, 3, 4], "<f4").tobytes()  # from the last row up
    assert carried(b"Pf\n2 2\n-1\n" + floats, PNM).pictures[0].samples.tolist() == [[3, 4], [1, 2]]


def test_several_images_and_what_follows() -> None:
    one, two = b"P5\n4 3\n255\n" + SAMPLES[:12], b"P5\n4 3\n255\n" + SAMPLES[12:24]
    opened = carried(one + two, PNM)
    assert len(opened.pictures) == 2
    assert cost(opened) <= 3
    other = b"P6\n2 2\n7\n" + bytes(12)
    opened = carried(one + two + other + one + b"P5 no image", PNM)
    assert [p.mode for p in opened.pictures] == ["L", "L", "RGB", "L"]


@pytest.mark.parametrize(
    "text",
    [
        b"P2\n3 2\n255\n1 20 30\n200 5 6\n",
        b"P2\n3 2\n255\n1 20 30\n200 5 6",
        b"P2\n3 2\n255\n  1  20  30\n200   5   6\n",
        b"P2\n3 2\n255\n1 20 30 200 5 6\n",
        b"P2\n3 2\n255\n1 \n20 \n30 \n200 \n5 \n6 \n",
        b"P2\n3 2\n255\n1  20  30  \n200  5  6  \n\n",
        b"P3\n1 2\n15\n1 2 3\n15 0 7\n",
        b"P3\n1 2\n15\n1 2 3 15 0 7",
        b"P1\n3 2\n101\n010\n",
        b"P1\n3 2\n1 0 1\n0 1 0\n",
        b"P1\n3 2\n101010\n",
        b"P2 1 1 9 7",
    ],
)
def test_plain_text(text: bytes) -> None:
    assert len(carried(text, PNM).pictures) == 1


@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 5)),
    line=st.integers(1, 8),
    white=st.lists(st.sampled_from([b" ", b"\n", b"  ", b" \n", b"\r\n", b"\t"]), min_size=2, max_size=2),
    places=st.integers(0, 4),
    seed=st.integers(0, 99),
)
def test_regular_text(shape: tuple[int, int], line: int, white: list[bytes], places: int, seed: int) -> None:
    """Whatever is written by one rule is seen as such where lines end, or the same columns are filled up."""
    numbers = [b"%d" % v for v in np.random.default_rng(seed).integers(0, 256, shape).ravel()]
    words = [n.rjust(places) for n in numbers]
    text = b"\n".join(b" ".join(words[i : i + line]) for i in range(0, len(words), line))
    data = b"P2\n%d %d\n255\n" % shape[::-1] + text + white[0]
    try:
        CARRIERS[PNM].open(data)
    except NotCarriedError:
        assert places  # what fills up may look irregular
    carried_or_not(CARRIERS[PNM], data.replace(b" ", white[1]))


def test_plain_text_that_is_long() -> None:
    numbers = RNG.integers(0, 256, (400, 300))
    text = "".join(" ".join(map(str, row)) + "\n" for row in numbers.tolist())
    opened = carried(b"P2\n300 400\n255\n" + text.encode(), PNM)
    assert cost(opened) < 30
    assert np.array_equal(opened.pictures[0].samples, numbers)


def test_what_is_not_carried() -> None:
    for data, why in (
        (b"P6\n4 3\n255\n" + bytes(35), "cut short"),
        (b"P6\n4 0\n255\n", "out of range"),
        (b"P6\n99999 99999\n255\n", "pixels"),
        (b"P5\n4 3\n65536\n" + bytes(24), "out of range"),
        (b"P2\n3 2\n255\n1 2 3\n4 5   6\n", "regular"),
        (b"P2\n3 2\n255\n1 2 3 # three\n4 5 6\n", "comments"),
        (b"P2\n3 2\n7\n1 2 3\n4 5 8\n", "beyond"),
        (b"P2\n3 2\n255\n1 2 003\n4 5 6\n", "regular"),
        (b"P7\nWIDTH 3\nENDHDR\n", "lacks"),
        (b"Pf\n1 1\n1.2.3\n" + bytes(4), "scale"),
        (b"Photograph", "no image"),
    ):
        with pytest.raises(NotCarriedError, match=why):
            CARRIERS[PNM].open(data)


@given(st.sampled_from([b"P5 4 3 255\n", b"P4 9 2\n", b"PF\n1 1\n1\n", b"P"]), st.binary(max_size=99))
def test_any_bytes(head: bytes, data: bytes) -> None:
    carried_or_not(CARRIERS[PNM], head + data)


@given(st.sampled_from([b"P1", b"P2", b"P3"]), st.text("0123456789 \n#", max_size=60))
def test_any_text(kind: bytes, text: str) -> None:
    carried_or_not(CARRIERS[PNM], kind + b" 2 2 9 " + text.encode())


FILES = [
    b"P6\n4 3\n255\n" + SAMPLES[:36],
    b"P4\n4 3\n" + SAMPLES[:3],
    b"P5\n4 3\n65535\n" + SAMPLES[:24] + b"P5\n4 3\n255\n" + SAMPLES[:12],
    b"PF\n4 3\n1.000\n" + SAMPLES[:144],
    PAM % (4, 255, b"RGB_ALPHA") + SAMPLES[:48],
    b"P2\n3 2\n255\n1 20 30\n200 5 6\n",
    b"P3\n1 2\n15\n 1  2  3\n15  0  7",
]


def test_mutants_come_back_or_are_refused() -> None:
    hits = [carried_or_not(CARRIERS[PNM], m) for i, f in enumerate(FILES) for m in mutants(f, 400, i, 60)]
    assert 100 < sum(hits) < len(hits)


def test_hostile_skeletons() -> None:
    for i, data in enumerate(FILES):
        close_hostile(PNM, CARRIERS[PNM].open(data + b"\0"), 300, i)
