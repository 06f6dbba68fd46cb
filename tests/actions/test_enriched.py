"""Enriched files as bytes: the original is carried over, whatever it looks like."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epicvc.actions.enrich.enriched import compose, read_original, read_parts
from epicvc.base.jsonio import equal, parse
from epicvc.errors import InvalidFile, InvalidJSON

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)
BODIES = st.dictionaries(
    st.text().filter(lambda key: key not in ("id", "duration", "tasks", "epic")), VALUES, max_size=5
).map(lambda body: {"id": "1", "duration": "2 dias", **body})
INDENTS = st.sampled_from([None, 0, 2, 4, "\t"])


@given(BODIES, st.dictionaries(st.sampled_from(["_metadata", "é", "x"]), VALUES), INDENTS, st.booleans())
def test_the_epic_and_what_stands_beside_it_come_through(
    body: object, siblings: dict[str, object], indent: object, ascii_: bool
) -> None:
    data = json.dumps({"epic": body, **siblings}, indent=indent, ensure_ascii=ascii_).encode()  # type: ignore[arg-type]
    original = read_original(data, "x.json")
    assert original is not None
    assert original.body in data
    found = parse(compose(original, {"a": 1}, {"b": None}))
    whole = parse(data)
    assert isinstance(found, dict)
    assert isinstance(whole, dict)
    assert equal(found, {**whole, "calculated_fields": {"a": 1}, "metadata": {"b": None}})


@given(BODIES, INDENTS)
def test_an_epic_without_the_wrapper(body: object, indent: Any) -> None:
    data = json.dumps(body, indent=indent).encode()
    original = read_original(data, "x.json")
    assert original is not None
    assert original.siblings == {}
    found = parse(compose(original, {}, {}))
    assert isinstance(found, dict)
    assert equal(found["epic"], parse(data))


@pytest.mark.parametrize("text", ["1e400", "1.10", "123456789012345678901234567890.5", '"\\u00e9"'])
def test_values_stay_as_they_are_written(text: str) -> None:
    original = read_original(f'{{"epic": {{"id": 1, "x": {text}}}}}'.encode(), "x.json")
    assert original is not None
    assert text in compose(original, {}, {}).decode()


def test_what_is_read() -> None:
    tasks = [
        {"estimate_minutes": 30},
        {"estimate_minutes": 15.5},
        {},
        {"estimate_minutes": "soon"},
        {"estimate_minutes": True},
    ]
    original = read_original(json.dumps({"epic": {"id": 7, "duration": 3, "tasks": tasks}}).encode(), "x.json")
    assert original is not None
    assert (original.id, original.duration, original.minutes) == ("7", None, 45.5)


@pytest.mark.parametrize("key", ["[EPIC-ID]", "{{id}}", "<id>"])
def test_a_template_is_no_epic_yet(key: str) -> None:
    assert read_original(json.dumps({"epic": {"id": key}}).encode(), "x.json") is None


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", InvalidJSON),
        (b"[]", InvalidFile),
        (b"{}", InvalidFile),
        (b'{"epic": {"id": null}}', InvalidFile),
        (b'{"epic": {"id": "1", "tasks": {}}}', InvalidFile),
        (b'{"epic": {"id": "1", "tasks": [1]}}', InvalidFile),
        (b'{"id": "X-1", "epic": {"id": "X-0"}}', InvalidFile),
        (b'{"id": "X-1", "epic": {"tasks": []}}', InvalidFile),
        (b'{"id": "X-1", "epic": "X-0"}', InvalidFile),
        (b'{"epic": {"id": "1"}', InvalidJSON),
        (b'{"epic": {"id": "1", "x": NaN}}', InvalidJSON),
        (b'{"epic": {"id": "1", "x": "\xff"}}', InvalidJSON),
        (b'\xef\xbb\xbf{"epic": {"id": "1"}}', InvalidJSON),
        (b'{"epic": {"id": "1", "x": ' + b"[" * 5000 + b"]" * 5000 + b"}}", InvalidJSON),
    ],
)
def test_what_is_no_epic(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"x\.json"):
        read_original(data, "x.json")


@pytest.mark.parametrize("data", [b'{"id": null, "epic": {"id": "X-0"}}', b'{"id": "X-0", "epic": null}'])
def test_null_beside_the_epic_is_nothing(data: bytes) -> None:
    found = read_original(data, "x.json")
    assert found is not None
    assert found.id == "X-0"


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_an_epic_or_an_error_of_ours(data: bytes) -> None:
    with suppress(InvalidJSON, InvalidFile):
        read_original(data, "x.json")
    read_parts(data)
