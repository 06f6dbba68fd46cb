"""Lists of objects whose ids are numbers, or numbers and texts: merged by id like others, and never an accident."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epicvc.base.jsonio import parse
from epicvc.merge.threeway import MergeContext
from epicvc.merge.values import merge_value
from epicvc.merge.versions import Versions
from epicvc.model.diff import diff
from epicvc.model.document import item_key
from epicvc.model.labels import Label, parse_label

NUMBERS = st.one_of(
    st.integers(-20, 20),
    st.integers(-(10**30), 10**30),
    st.sampled_from([0.5, -1.5, 1.0, -0.0, 2.25e-7, 1e300, Decimal("1E+400"), Decimal("0.10000000000000000000001")]),
)
IDS = st.one_of(NUMBERS, st.sampled_from(["1", "2", "a", "", "5.1a"]), st.none(), st.booleans())
ITEMS = st.lists(st.builds(lambda key, v: {"id": key, "v": v}, IDS, st.integers(0, 3)), max_size=5)


@given(ITEMS, ITEMS, ITEMS)
def test_any_ids(base: Any, ours: Any, theirs: Any) -> None:
    context = MergeContext()
    triple = merge_value(context, Label("1", ("goals",)), Versions(base, ours, theirs))
    for conflict in context.conflicts:
        assert parse_label(str(conflict.label)) == conflict.label
    if not context.conflicts:
        assert triple.ours == triple.theirs
    for change in diff(Label("1", ("goals",)), base, ours):
        assert parse_label(str(change.label)) == change.label


@given(st.lists(NUMBERS, unique_by=item_key, min_size=1, max_size=6), st.data())
def test_each_side_adds_and_edits(keys: list[Any], data: st.DataObject) -> None:
    split = data.draw(st.integers(0, len(keys)))
    base = [{"id": key, "v": 0} for key in keys[:split]]
    ours = [{**item, "v": 1} for item in base] + [{"id": key} for key in keys[split::2]]
    theirs = [{**item, "w": 2} for item in base] + [{"id": key} for key in keys[split + 1 :: 2]]
    context = MergeContext()
    merged: Any = merge_value(context, Label("1", ("goals",)), Versions(base, ours, theirs)).ours
    assert not context.conflicts
    assert {item_key(item["id"]) for item in merged} == {item_key(key) for key in keys}
    assert [item for item in merged if "v" in item] == [{**item, "v": 1, "w": 2} for item in base]


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("1", "1"),
        ("-3", "-3"),
        ("1.0", "1"),
        ("-0.0", "0"),
        ("1e3", "1000"),
        ("1.5", "1.5"),
        ('"1"', "1"),
        ("0.100000000000000000000010", "10000000000000000000001e-23"),
        ("1E+999999999", "1e999999999"),
        ("null", None),
        ("true", None),
        ('""', None),
        ("[]", None),
    ],
)
def test_what_identifies_an_item(written: str, key: str | None) -> None:
    found = item_key(parse(written.encode()))
    assert found == key or (found is not None and key is not None and Decimal(found) == Decimal(key))


def test_a_number_and_its_text_are_one_id() -> None:
    """With both in one list no item can be told by its id: the list is merged by items like any other."""
    base = [{"id": 1}, {"id": "1"}]
    context = MergeContext()
    merged = merge_value(context, Label("1", ("goals",)), Versions(base, [*base, {"id": 2}], [{"id": 0}, *base]))
    assert json.dumps(merged.ours) == json.dumps([{"id": 0}, *base, {"id": 2}])
    assert not context.conflicts
