"""Which tasks go through a merge by their id alone, and that nothing of them is lost."""

from __future__ import annotations

from typing import Any, cast

import pytest

from epicvc.actions.merge.snapshots.untouched import bare_core, bare_file, full_core, untouched
from epicvc.actions.merge.snapshots.whole import NaturalRows
from epicvc.base.jsonio import JSON
from epicvc.model.document import epic_body

ROWS = {key: (key.encode(), {"id": number, "title": key}) for number, key in enumerate("abc")}
LINKS = {("b", "a"): (b"1", {"task_id": 1, "depends_on_task_key": "a"})}


def file(**tasks: Any) -> dict[str, JSON]:
    items = cast("list[JSON]", [{"id": key, **fields} for key, fields in tasks.items()])
    return {"epic": {"id": "5", "tasks": items}, "_metadata": {"by": "hand"}}


def rows(**changed: Any) -> NaturalRows:
    return NaturalRows((b"5", {"id": 5}), {**ROWS, **changed}, dict(LINKS))


def test_what_is_the_same_everywhere_is_untouched() -> None:
    base, other = file(a={"x": 1}, b={"x": [1, {"y": None}]}, c={}), file(c={}, b={"x": [1, {"y": None}]}, a={"x": 2})
    assert list(untouched([base, other, base], [rows()] * 3)) == ["b", "c"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"x": 1}, {"x": True}),
        ({"x": 1}, {"x": 1.0}),
        ({"x": 1, "y": 2}, {"y": 2, "x": 1}),
        ({"x": None}, {}),
        ({"x": "1"}, {"x": 1}),
        ({"x": "é"}, {"x": "e\u0301"}),
    ],
)
def test_what_differs_by_a_letter_is_not(one: Any, other: Any) -> None:
    assert untouched([file(a=one), file(a=one), file(a=other)], [rows()] * 3) == {}
    assert list(untouched([file(a=one), file(a=one)], [rows()] * 2)) == ["a"]


def test_rows_count_as_much_as_files() -> None:
    values = [file(a={}, b={}, c={}, d={})] * 3
    assert list(untouched(values, [rows()] * 3)) == ["a", "b", "c", "d"]
    again = rows(c=(b"c", {"id": 2, "title": "other"}))
    assert list(untouched(values, [rows(), again, rows()])) == ["a", "b", "d"]
    gone = rows()
    del gone.tasks["a"]
    assert list(untouched(values, [rows(), rows(), gone])) == ["b", "c", "d"]
    unlinked = rows()
    unlinked.links.clear()
    assert list(untouched(values, [rows(), unlinked, rows()])) == ["a", "c", "d"]


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"epic": []},
        {"epic": {"tasks": {}}},
        {"epic": {"tasks": [1]}},
        {"epic": {"tasks": [{"id": "a"}, {"id": "a"}]}},
    ],
)
def test_what_is_no_list_of_tasks_has_none_of_them(value: JSON) -> None:
    for values in ([value, file(a={}), file(a={})], [file(a={}), file(a={}), value]):
        assert untouched(values, [rows()] * 3) == {}


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_bare_file_has_ids_in_the_place_of_tasks(wrapped: bool) -> None:
    whole = file(a={"x": 1}, b={"x": 2})
    value = whole if wrapped else epic_body(whole)
    before = repr(value)
    bare = bare_file(value, {"a"})
    assert epic_body(bare)["tasks"] == [{"id": "a"}, {"id": "b", "x": 2}]
    assert bare.get("_metadata") == value.get("_metadata")
    assert repr(value) == before


def test_a_core_is_full_again() -> None:
    core = cast("dict[str, JSON]", epic_body(file(a={"x": 1}, b={"x": 2})))
    bare = bare_core(core, {"b", "no such"})
    assert bare["tasks"] == [{"id": "a", "x": 1}, {"id": "b"}]
    assert full_core(bare, {"b": {"id": "b", "x": 2}, "gone": {"id": "gone"}}) == core
    assert full_core({"name": "x"}, {}) == {"name": "x"}
