"""What is read of ordinary epics is their canonical core to the byte; all else is left to who has words for it."""

from __future__ import annotations

from decimal import Decimal
from typing import cast

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from msgspec.structs import replace

from epicvc.base.jsonio import JSON
from epicvc.errors import EpicvcError
from epicvc.model.document import core_bytes, read_file_epic
from epicvc.model.mapping import BUILTIN, Field, Kind, LinkMap, Mapping, Rule
from epicvc.model.ordinarycores import OrdinaryCores

ODD = st.sampled_from(
    [None, True, 1.0, 0.5, -0.0, 1e300, 2**63, -(2**63), 10**41, Decimal("0.1"), Decimal(10) ** 50, "", {}, [], "null"]
)
INNER = st.recursive(
    ODD | st.sampled_from(["a", "é", ':1.5,"', 3]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b", "é"]), inner, max_size=2),
    max_leaves=3,
)
TEXTS = st.lists(st.sampled_from(["a", "é", "", "null", "1.5"]), max_size=3)
IDS = st.sampled_from(["1", "2", "3", "10"])
ODD_IDS = st.sampled_from(["1", 1, 2, "", None, 1.0, {}])
OWN = LinkMap("needs", "links", "task", "needs")


def _fields(mapping: Mapping, *, tasks: bool) -> st.SearchStrategy[dict[str, object]]:
    fields = mapping.tasks.core if tasks else mapping.epics.core
    likely = {
        Kind.TEXT: st.sampled_from(["a", "é", ""]),
        Kind.DATE: st.just("2026-01-02"),
        Kind.BOOL: st.booleans(),
        Kind.NUMBER: st.integers(-(2**63), 2**63 - 1),
        Kind.JSON: TEXTS,
    }
    values = {field.name: INNER if field.rule is Rule.OBJECT else likely[field.kind] for field in fields}
    if tasks and mapping.links:
        values[mapping.links.field] = st.lists(IDS, max_size=3)
    return cast("st.SearchStrategy[dict[str, object]]", st.fixed_dictionaries({}, optional=values))


OTHER = Mapping(
    replace(BUILTIN.epics, fields=(Field("start-date", "a", Kind.DATE), Field("__init__", "b"), Field("Zebra", "c"))),
    replace(BUILTIN.tasks, fields=(Field("class", "a", Kind.JSON), Field("épée", "b", Kind.JSON, rule=Rule.LIST))),
    OWN,
)
BARE = replace(BUILTIN, links=None)


@st.composite
def files(draw: st.DrawFn, mapping: Mapping) -> JSON:
    """What a file may hold: mostly ordinary."""
    tasks = draw(st.lists(_fields(mapping, tasks=True), max_size=3))
    ids = draw(st.permutations(["1", "2", "3"]))
    body = {**draw(_fields(mapping, tasks=False)), "id": "5", "unknown": draw(INNER)}
    whole = [{"id": key, "extra": 1, **task} for key, task in zip(ids, tasks, strict=False)]
    if whole or draw(st.booleans()):
        body["tasks"] = whole
    for odd in draw(st.lists(st.sampled_from(["field", "id", "task id", "task"]), max_size=1)):
        if odd == "id":
            body["id"] = draw(ODD_IDS)
        elif odd == "field":
            body[draw(st.sampled_from(mapping.epic_fields))] = draw(INNER)
        elif whole:
            task = draw(st.sampled_from(whole))
            task[draw(st.sampled_from(mapping.task_fields)) if odd == "task" else "id"] = draw(ODD_IDS | INNER)
    wrapped = draw(st.sampled_from(["wrapped", "bare", "null"]))
    value = {"epic": body} if wrapped == "wrapped" else {**body, "epic": None} if wrapped == "null" else body
    return cast("JSON", value)


@pytest.mark.parametrize("mapping", [BUILTIN, OTHER, BARE], ids=["built-in", "other names", "no links"])
@given(data=st.data())
def test_it_is_the_canonical_core_or_nothing(mapping: Mapping, data: st.DataObject) -> None:
    value = data.draw(files(mapping))
    found = OrdinaryCores(mapping).read(value)
    try:
        epic = read_file_epic(value, mapping, "5.json")
    except EpicvcError:
        assert found is None
        event("no epic")
        return
    event("left" if found is None else "read")
    assert found in (None, (epic.id, core_bytes(epic.id, epic.core)))


@pytest.mark.parametrize("wrapped", [True, False])
def test_an_ordinary_epic_is_read(wrapped: bool) -> None:
    body: JSON = {
        "id": "5",
        "name": "é",
        "tdd_enabled": False,
        "goals": ["b", "a"],
        "quality_gates": {"z": 1, "a": ["x"]},
        "labels": None,
        "extra": 0.5,
        "tasks": [
            {"id": "2", "title": "t", "story_points": 3, "dependencies": ["3", "1", "3"]},
            {"id": "1", "dependencies": []},
        ],
    }
    found = OrdinaryCores(BUILTIN).read({"epic": body, "_metadata": {"n": 1.5}} if wrapped else body)
    assert found is not None
    assert found[0] == "5"
    assert found[1].decode() == (
        '{"goals":["b","a"],"id":"5","name":"é","quality_gates":{"a":["x"],"z":1},"tasks":'
        '[{"dependencies":["1","3"],"id":"2","story_points":3,"title":"t"},{"id":"1"}],"tdd_enabled":false}'
    )


@pytest.mark.parametrize(
    "odd",
    [
        {"id": 5},
        {"id": ""},
        {"name": 1},
        {"goals": [1]},
        {"quality_gates": {"a": 0.5}},
        {"quality_gates": {"a": None}},
        {"tasks": [{"id": "1"}, {"id": "1"}]},
        {"tasks": [{"id": ""}]},
        {"tasks": [{"id": "1", "dependencies": [""]}]},
        {"tasks": [{"id": "1", "dependencies": [1]}]},
        {"tasks": [{"id": "1", "story_points": 2**63}]},
        {"tasks": [{"id": "1", "story_points": True}]},
    ],
    ids=str,
)
def test_what_is_not_ordinary_is_left(odd: dict[str, JSON]) -> None:
    assert OrdinaryCores(BUILTIN).read({"id": "5", "name": "n", **odd}) is None


@pytest.mark.parametrize("value", [None, [], "epic", {"id": "5", "epic": []}, {"epic": None}])
def test_what_is_no_epic_is_left(value: JSON) -> None:
    assert OrdinaryCores(BUILTIN).read(value) is None


@pytest.mark.parametrize("name", ["dependencies", 'say "hi"', "back\\slash", "tab\t", "\0"], ids=ascii)
@pytest.mark.parametrize("tasks", [True, False])
def test_what_has_a_name_that_cannot_be_had_is_left(tasks: bool, name: str) -> None:
    fields = (Field(name, "column"),)
    if tasks:
        mapping = replace(BUILTIN, tasks=replace(BUILTIN.tasks, fields=fields))
    else:
        mapping = replace(BUILTIN, epics=replace(BUILTIN.epics, fields=fields))
    found = OrdinaryCores(mapping).read({"id": "5"})
    assert found == (None if tasks or name != "dependencies" else ("5", b'{"id":"5"}'))


@pytest.mark.parametrize("name", ["", "id", "f0", "links", "tasks", "title"])
def test_links_of_any_name_are_read_or_left(name: str) -> None:
    mapping = replace(BUILTIN, links=LinkMap(name, "links", "task", "needs"))
    value: JSON = {"id": "5", "tasks": [{"id": "2", name: ["1", "0", "1"]}, {"id": "1"}]}
    found = OrdinaryCores(mapping).read(value)
    if name in ("id", "title"):
        assert found is None
    else:
        epic = read_file_epic(value, mapping, "5.json")
        assert found == ("5", core_bytes("5", epic.core))
