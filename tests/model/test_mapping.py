"""The mapping is a value that survives being stored."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epicvc.model.mapping import BUILTIN, Field, Kind, Layer, LinkMap, Mapping, Rule, TableMap

words = st.text(min_size=1, max_size=5)
fields = st.builds(Field, words, words, st.sampled_from(Kind), st.sampled_from(Layer), st.sampled_from(Rule))
optional = st.none() | words
tables = st.builds(
    TableMap,
    table=words,
    id=words,
    key=words,
    fields=st.lists(fields, max_size=4).map(tuple),
    parent=optional,
    sequence=optional,
    deleted_at=optional,
    status=optional,
)
mappings = st.builds(Mapping, tables, tables, st.none() | st.builds(LinkMap, words, words, words, words))


@given(mappings)
def test_a_mapping_survives_json(mapping: Mapping) -> None:
    assert Mapping.from_json(json.loads(json.dumps(mapping.to_json()))) == mapping


def test_the_built_in_mapping_survives_json() -> None:
    assert Mapping.from_json(json.loads(json.dumps(BUILTIN.to_json()))) == BUILTIN


@pytest.mark.parametrize(("key", "value"), [("kind", "colour"), ("layer", "cake"), ("rule", "golden")])
def test_an_unknown_word_is_refused(key: str, value: str) -> None:
    stored = BUILTIN.to_json()
    stored["epics"]["fields"] = [{**stored["epics"]["fields"][0], key: value}]
    with pytest.raises(ValueError, match=value):
        Mapping.from_json(stored)


def test_the_built_in_mapping_is_the_documented_one() -> None:
    epics, tasks = BUILTIN.epics, BUILTIN.tasks
    assert epics.by_name["duration"].column == "duration_description"
    assert tasks.by_name["branch"].column == "github_branch"
    assert epics.by_name["labels"].rule is Rule.SET
    assert "planned_start_date" not in epics.by_name
    assert "planned_start_date" in {field.name for field in epics.calculated}
    assert "description" not in epics.by_name and "status" not in epics.by_column
    assert BUILTIN.epic_fields[-1] == "tasks" and BUILTIN.task_fields[-1] == "dependencies"


def test_a_table_without_some_fields() -> None:
    fewer = BUILTIN.epics.without(["summary", "name"])
    assert fewer.by_name.keys() == BUILTIN.epics.by_name.keys() - {"summary", "name"}
    assert fewer.by_column["methodology"].name == "methodology"


def test_no_links_no_field() -> None:
    mapping = Mapping(BUILTIN.epics, BUILTIN.tasks)
    assert "dependencies" not in mapping.task_fields
    assert Mapping.from_json(mapping.to_json()) == mapping
