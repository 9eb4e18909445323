"""Orders of coding: every cell once, and only neighbours that are known."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rdzip.models.lapped_transform.scan import NEAREST, NEIGHBOURS, coarse_to_fine, detail_passes

SIDES = st.integers(1, 37)


@given(SIDES, SIDES, st.sampled_from([1, 2, 4]))
def test_every_cell_is_in_one_pass_of_detail(rows: int, columns: int, passes: int) -> None:
    cells = [cell for at in detail_passes(rows, columns, passes) for cell in at.places.tolist()]
    assert sorted(cells) == list(range(rows * columns))


@given(SIDES, SIDES)
def test_coarse_to_fine_sees_what_is_known_only(rows: int, columns: int) -> None:
    known: set[int] = set()
    for at in coarse_to_fine(rows, columns):
        places = at.places.tolist()
        assert not known & {*places}
        if at.neighbours is not None and at.inside is not None:
            assert {*at.neighbours[at.inside].tolist()} <= known
            assert bool(at.inside[list(NEAREST[at.kind])].any(0).all())  # the mean of the nearest exists
        known |= {*places}
    assert known == {*range(rows * columns)}


def test_neighbours_are_those_of_the_checkerboards() -> None:
    assert [len(neighbours) for neighbours in NEIGHBOURS] == [4, 12, 16]
    across, beside = {(-1, -1), (-1, 1), (1, -1), (1, 1)}, {(-1, 0), (1, 0), (0, -1), (0, 1)}
    nearest = [{NEIGHBOURS[kind][k] for k in near} for kind, near in enumerate(NEAREST)]
    assert nearest == [across, beside, beside]
