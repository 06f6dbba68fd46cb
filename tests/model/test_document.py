"""Reading the core of a file, and settling what is absent in rows."""

from __future__ import annotations

from decimal import Decimal
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epicvc.base.jsonio import JSON, dumps_canonical, parse
from epicvc.errors import InvalidData, InvalidField, InvalidFile
from epicvc.model.document import (
    UNAGREED,
    Core,
    RowEpic,
    core_bytes,
    join_core,
    misfit,
    natural_key,
    place,
    read_file_epic,
    same_core,
    settle,
    tasks_of,
)
from epicvc.model.edit import new_file
from epicvc.model.mapping import BUILTIN, Kind

from .epics import EPIC, cores

PATH = "epics/5.json"


def read(value: JSON) -> Core:
    return read_file_epic(value, BUILTIN, PATH).core


# Files


def test_both_shapes_are_the_same_epic() -> None:
    body: Core = {"id": "5", "name": "N", "unknown": 1, "tasks": [{"id": "5.1", "title": "T", "extra": [1]}]}
    wrapped = read_file_epic({"epic": body, "_metadata": {"a": 1}}, BUILTIN, PATH)
    bare = read_file_epic(body, BUILTIN, PATH)
    assert wrapped.id == bare.id == "5"
    assert wrapped.core == bare.core == {"name": "N", "tasks": [{"id": "5.1", "title": "T"}]}
    assert wrapped.body is body and bare.body is body
    assert wrapped.whole != bare.whole


@pytest.mark.parametrize("own", ["6", 6, 0, [], "5"])
def test_an_id_beside_the_wrapping_is_ambiguous(own: JSON) -> None:
    linked: JSON = {"id": own, "name": "N", "epic": {"id": "5", "name": "Parent"}}
    with pytest.raises(InvalidFile, match='"id" beside "epic"'):
        read(linked)
    assert read_file_epic(linked, BUILTIN, PATH, stored=True).id == "5"  # as the history has read it


def test_null_is_absent() -> None:
    empty: Core = {"id": "5"}
    full: Core = {"id": "5", "epic": None, "name": None, "labels": None, "tasks": None}
    assert read(empty) == read(full) == {}
    assert read({"id": "5", "tasks": [{"id": "1", "title": None, "dependencies": None}]}) == {"tasks": [{"id": "1"}]}


def test_no_tasks_are_absent_tasks_and_no_dependencies_absent_dependencies() -> None:
    assert read({"id": "5", "tasks": []}) == {}
    assert read({"id": "5", "tasks": [{"id": "1", "dependencies": []}]}) == {"tasks": [{"id": "1"}]}


def test_empty_lists_and_texts_are_values() -> None:
    assert read({"id": "5", "name": "", "goals": [], "labels": []}) == {"name": "", "goals": [], "labels": []}


def test_ids_are_texts_or_integers() -> None:
    found = read_file_epic({"id": 5, "tasks": [{"id": 1, "dependencies": [2, "2", "10"]}]}, BUILTIN, PATH)
    assert found.id == "5"
    assert found.core == {"tasks": [{"id": "1", "dependencies": ["10", "2"]}]}


@pytest.mark.parametrize("value", ["", None, True, 1.0, Decimal("1"), [], {}])
def test_nothing_else_is_an_id(value: JSON) -> None:
    assert natural_key(value) is None
    with pytest.raises(InvalidFile, match='no "id"'):
        read({"id": value})


@given(st.permutations(["1", "2", "3", "3"]))
def test_dependencies_are_a_set(links: list[str]) -> None:
    value = cast("JSON", links)
    assert read({"id": "5", "tasks": [{"id": "1", "dependencies": value}]}) == {
        "tasks": [{"id": "1", "dependencies": ["1", "2", "3"]}]
    }


@pytest.mark.parametrize("value", [None, [], "epic", 5, [{"id": "5"}]])
def test_an_epic_is_an_object(value: JSON) -> None:
    with pytest.raises(InvalidFile, match="JSON object"):
        read(value)


@pytest.mark.parametrize("value", [[], "5", 5, False])
def test_a_wrapper_holds_an_object(value: JSON) -> None:
    with pytest.raises(InvalidFile, match='"epic" is not an object'):
        read({"id": "5", "epic": value})


WRONG: dict[Kind, list[JSON]] = {
    Kind.TEXT: [1, True, [], {}],
    Kind.DATE: [1, False, []],
    Kind.BOOL: [0, 1, "true", []],
    Kind.NUMBER: ["1", True, [], 2**63, -(2**63) - 1, Decimal("0.10000000000000000001")],
}


@pytest.mark.parametrize("field", [f for f in BUILTIN.epics.core if f.kind in WRONG], ids=lambda f: f.name)
def test_a_wrong_type_in_an_epic_names_its_label(field: object) -> None:
    name, kind = field.name, field.kind  # type: ignore[attr-defined]
    for value in WRONG[kind]:
        with pytest.raises(InvalidField) as caught:
            read({"id": "5", name: value})
        assert caught.value.label == f"5:{name}"
        assert PATH in str(caught.value)


@pytest.mark.parametrize("field", [f for f in BUILTIN.tasks.core if f.kind in WRONG], ids=lambda f: f.name)
def test_a_wrong_type_in_a_task_names_its_label(field: object) -> None:
    name, kind = field.name, field.kind  # type: ignore[attr-defined]
    for value in WRONG[kind]:
        with pytest.raises(InvalidField) as caught:
            read({"id": "5", "tasks": [{"id": "a/b", name: value}]})
        assert caught.value.label == f"5:tasks/a~1b/{name}"


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ({}, "5:tasks is not a list"),
        ("1", "5:tasks is not a list"),
        ([1], "5:tasks: task 1 is no object"),
        ([{"id": "1"}, {}], "5:tasks: task 2 is no object"),
        ([{"id": "1"}, {"id": None}], "5:tasks: task 2 is no object"),
        ([{"id": "1"}, {"id": "1"}], "5:tasks/1: two tasks"),
        ([{"id": "1"}, {"id": 1}], "5:tasks/1: two tasks"),
        ([{"id": "1", "dependencies": "2"}], "5:tasks/1/dependencies is not a list"),
        ([{"id": "1", "dependencies": [None]}], "5:tasks/1/dependencies is not a list"),
        ([{"id": "1", "dependencies": ["2", 1.5]}], "5:tasks/1/dependencies is not a list"),
    ],
)
def test_wrong_tasks_name_their_label(tasks: JSON, words: str) -> None:
    with pytest.raises(InvalidFile, match=words) as caught:
        read({"id": "5", "tasks": tasks})
    assert caught.value.path == PATH


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "epic", "tasks", "name", "dependencies", "labels"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_json_is_an_epic_or_refused(value: object) -> None:
    try:
        found = read_file_epic(cast("JSON", value), BUILTIN, PATH)
    except InvalidData:
        return
    assert same_core(read(cast("JSON", new_file(found.id, found.core))), found.core)


@pytest.mark.parametrize("value", [0, -(2**63), 2**63 - 1, 0.5, 1e300])
def test_numbers_that_a_column_holds(value: JSON) -> None:
    assert misfit(value, Kind.NUMBER) is None


@pytest.mark.parametrize("value", [None, True, 1, "x", [], {"a": [None]}])
def test_a_json_column_holds_everything(value: JSON) -> None:
    assert misfit(value, Kind.JSON) is None


# Canonical form


@given(cores())
def test_the_canonical_form_reads_back(core: Core) -> None:
    read_back = cast("Core", parse(core_bytes(EPIC, core)))
    assert read_back.pop("id") == EPIC
    assert same_core(read_back, core)


def test_equal_cores_have_one_canonical_form() -> None:
    one: Core = {"name": "a", "quality_gates": {"x": 1, "y": None}}
    other: Core = {"quality_gates": {"x": 1.0}, "name": "a"}
    assert same_core(one, other) and core_bytes("5", one) == core_bytes("5", other)
    assert core_bytes("5", one) != core_bytes("6", one)
    assert same_core(None, None) and not same_core(one, None) and not same_core(None, {})


# Rows

ROWS = RowEpic(
    "5",
    {"name": "N", "tdd_enabled": True, "tasks": [{"id": "1", "title": "T", "story_points": 0}]},
    defaults=frozenset({"tdd_enabled"}),
    task_defaults={"1": frozenset({"story_points"})},
)


@given(cores())
def test_a_core_joined_from_its_tasks_is_the_same_bytes(core: Core) -> None:
    tasks = [dumps_canonical(cast("JSON", task)) for task in tasks_of(core)]
    assert join_core("5", core, tasks) == core_bytes("5", core)


def test_without_a_reference_every_value_counts() -> None:
    assert settle(ROWS, None) == ROWS.core


def test_a_default_is_absent_where_the_reference_is_without_it() -> None:
    assert settle(ROWS, {"tasks": [{"id": "1"}]}) == {"name": "N", "tasks": [{"id": "1", "title": "T"}]}


def test_a_default_is_a_value_where_the_reference_has_the_field() -> None:
    reference: Core = {"tdd_enabled": False, "tasks": [{"id": "1", "story_points": 3}]}
    assert settle(ROWS, reference) == ROWS.core


def test_a_task_that_the_reference_does_not_know_is_taken_as_it_is() -> None:
    assert tasks_of(settle(ROWS, {"tasks": [{"id": "2"}]})) == tasks_of(ROWS.core)


def test_a_value_is_never_absent() -> None:
    rows = RowEpic("5", {"name": "N"})
    assert settle(rows, {}) == {"name": "N"}


def test_what_was_never_agreed_on_is_a_value() -> None:
    reference: Core = {UNAGREED: ["tasks/1/story_points", "tdd_enabled"], "tasks": [{"id": "1"}]}
    assert settle(ROWS, reference) == ROWS.core


def test_a_note_names_its_task() -> None:
    rows = RowEpic(
        "5",
        {"tasks": [{"id": "a/b", "story_points": 0}, {"id": "a", "story_points": 0}]},
        task_defaults={"a/b": frozenset({"story_points"}), "a": frozenset({"story_points"})},
    )
    reference: Core = {UNAGREED: ["tasks/a~1b/story_points"], "tasks": [{"id": "a"}, {"id": "a/b"}]}
    assert tasks_of(settle(rows, reference)) == [{"id": "a/b", "story_points": 0}, {"id": "a"}]


def unordered(keys: str, *, without: str = "") -> RowEpic:
    return RowEpic("5", {"tasks": [{"id": key} for key in keys]}, unordered=frozenset(without or keys))


def ordered(keys: str) -> Core:
    return {"tasks": [{"id": key} for key in keys]}


@pytest.mark.parametrize(
    ("rows", "reference", "expected"),
    [
        (unordered("abc"), ordered("cab"), "cab"),
        (unordered("abc"), ordered("ca"), "cab"),
        (unordered("bac"), {}, "abc"),
        (unordered("abc"), ordered("xcyb"), "cba"),
        (unordered("abc", without="b"), ordered("bca"), "bac"),
        (unordered("abc", without="b"), ordered("cba"), "acb"),
        (unordered("abcd", without="bd"), ordered("cdba"), "acdb"),
        (unordered("abcd", without="bd"), ordered("ab"), "abcd"),
    ],
)
def test_tasks_without_an_order_stand_where_the_reference_has_them(
    rows: RowEpic, reference: Core, expected: str
) -> None:
    assert "".join(str(task["id"]) for task in tasks_of(settle(rows, reference))) == expected


@given(st.permutations("abcdef"), st.permutations("abcdef"), st.sets(st.sampled_from("abcdef")))
def test_settled_tasks_keep_the_order_of_rows_that_have_one(
    rows: list[str], reference: list[str], without: set[str]
) -> None:
    epic = RowEpic("5", ordered("".join(rows)), unordered=frozenset(without))
    found = [str(task["id"]) for task in tasks_of(settle(epic, ordered("".join(reference))))]
    assert sorted(found) == sorted(rows)
    assert [key for key in found if key not in without] == [key for key in rows if key not in without]
    if len(without) == len(rows):
        assert found == reference


@given(st.permutations("abcdef"), st.sets(st.sampled_from("abcdef")), st.permutations("abcdef"))
def test_place_keeps_the_order_and_inserts_after_the_predecessor(
    reference: list[str], missing: set[str], order: list[str]
) -> None:
    present = [key for key in order if key not in missing]
    result = place(present, [key for key in reference if key in missing], reference)
    assert [key for key in result if key in present] == present
    assert sorted(result) == sorted(reference)
    for key in missing:
        before = [other for other in reference[: reference.index(key)] if other in present]
        between = result[result.index(before[-1]) + 1 if before else 0 : result.index(key)]
        assert set(between) <= missing
