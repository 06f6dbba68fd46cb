"""Answers by choice: whatever is chosen, no version is misread and nothing is invented."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from epicvc.actions.resolve.choices import can_pick, overlaps, picked, picks_of, take, take_pieces
from epicvc.actions.shared.questions import How
from epicvc.base.jsonio import JSON
from epicvc.errors import UsageError
from epicvc.merge.threeway import ABSENT, Chosen, Conflict
from epicvc.model.labels import Label

ITEMS = st.lists(st.sampled_from(["a", "b", "c", 1, None, {"x": 1}]), max_size=7)
LINES = st.lists(st.sampled_from(["a", "b", "", "c d"]), max_size=7).map("\n".join)
LABEL = Label("1", ("goals",))


@st.composite
def conflicts(draw: st.DrawFn) -> Conflict:
    values = draw(st.sampled_from([ITEMS, LINES]))
    found = Conflict(LABEL, draw(st.just(ABSENT) | values), draw(values), draw(values))
    return found if can_pick(found) else Conflict(LABEL, [], ["a"], ["b"])


def pieces(value: object) -> list[JSON]:
    return [] if value is ABSENT else value if isinstance(value, list) else value.split("\n")  # type: ignore[attr-defined]


@settings(deadline=None)
@given(conflicts())
def test_every_version_can_be_read_off_the_items(conflict: Conflict) -> None:
    picks = picks_of(conflict)
    for side in ("ours", "theirs"):
        assert [pick.piece for pick in picks if getattr(pick, side)] == pieces(getattr(conflict, side))
        chosen = picked(conflict, [replace(pick, taken=getattr(pick, side)) for pick in picks])
        assert chosen == Chosen(getattr(conflict, side))
    if conflict.base is not ABSENT:
        assert [pick.piece for pick in picks if pick.base] == pieces(conflict.base)
    assert all(pick.ours or pick.theirs or pick.base for pick in picks if conflict.base is not ABSENT)


@settings(deadline=None)
@given(conflicts(), st.data())
def test_nothing_is_invented(conflict: Conflict, data: st.DataObject) -> None:
    ways = [data.draw(st.sampled_from([How.OURS, How.THEIRS, How.BASE, How.BOTH])) for _ in overlaps(conflict)]
    known = [piece for value in (conflict.base, conflict.ours, conflict.theirs) for piece in pieces(value)]
    for chosen in (take_pieces(conflict, ways), take(conflict, How.BOTH)):
        assert all(piece in known or piece == "" for piece in pieces(chosen.value))
    for side, how in (("ours", How.OURS), ("theirs", How.THEIRS), ("base", How.BASE)):
        assert take(conflict, how).value == getattr(conflict, side)


def test_the_number_of_choices_must_fit() -> None:
    conflict = Conflict(LABEL, ["a"], ["b"], ["c"])
    assert take_pieces(conflict, [How.BOTH]).value == ["b", "c"]
    for ways in ([], [How.OURS, How.OURS], [How.VALUE]):
        with pytest.raises(UsageError):
            take_pieces(conflict, ways)
    with pytest.raises(UsageError):
        take(Conflict(LABEL, "a", "b", "c"), How.BOTH)
