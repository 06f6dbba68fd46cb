"""Objects are named by their bytes, so these are what they have always been; what is no such object is damaged."""

from __future__ import annotations

import json
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epicvc.errors import DamagedObject
from epicvc.model.mapping import BUILTIN
from epicvc.repo.history.base import get_ignored, get_mapping, put_mapping
from epicvc.repo.history.objects import get_commit, payload_of
from epicvc.store.objects import ObjectId, ObjectType, object_id

TEXTS = st.text() | st.sampled_from(["\x00\x1f\x7f", '"\\/\b\f\n\r\t', "\u2028\u2029\ufeff", "\U0001f600\uffff"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=16,
)


class Kept:
    """A sink that keeps what is put."""

    def __init__(self) -> None:
        self.payloads: dict[ObjectId, bytes] = {}

    def put(self, type: ObjectType, payload: bytes) -> ObjectId:  # noqa: A002
        oid = object_id(type, payload)
        self.payloads[oid] = payload
        return oid

    def get(self, oid: ObjectId, type: ObjectType) -> bytes:  # noqa: A002
        assert object_id(type, self.payloads[oid]) == oid
        return self.payloads[oid]

    def has(self, oid: ObjectId) -> bool:
        return oid in self.payloads


def as_json_does(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@given(st.dictionaries(TEXTS, VALUES, max_size=6))
def test_payloads_are_what_json_writes(value: dict[str, object]) -> None:
    assert payload_of(value) == as_json_does(value)


@given(st.integers(0, 0x10FFFF).filter(lambda code: not 0xD800 <= code < 0xE000))
def test_every_character(code: int) -> None:
    value = {f"a{chr(code)}": f"{chr(code)}b"}
    assert payload_of(value) == as_json_does(value)


def test_characters_that_are_escaped() -> None:
    value = {"".join(map(chr, range(0x100))): "".join(map(chr, range(0x80)))}
    assert payload_of(value) == as_json_does(value)


def test_what_is_derived_from_a_text() -> None:
    class Text(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "another"

    class Word(StrEnum):
        ONE = "one"

    value = {"message": Text("as it is"), "author": Word.ONE}
    assert payload_of(value) == as_json_does(value) == b'{"author":"one","message":"as it is"}'


def test_what_is_no_payload() -> None:
    with pytest.raises(UnicodeEncodeError):
        payload_of({"message": "\ud800"})
    with pytest.raises(TypeError):
        payload_of({"message": object()})


def test_a_mapping_keeps_its_name() -> None:
    kept = Kept()
    oid = put_mapping(kept, BUILTIN, frozenset({"b", "a"}))
    assert kept.payloads[oid] == as_json_does({"version": 1, "ignored": ["a", "b"], **BUILTIN.to_json()})
    assert get_mapping(kept, oid) == BUILTIN


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"NaN", b'{"version":NaN}', b"\xff", b'"\\ud800"', b"[" * 100_000, b"[]", b'{"version":"1"}']
)
def test_damaged_objects(payload: bytes) -> None:
    kept = Kept()
    with pytest.raises(DamagedObject):
        get_commit(kept, kept.put(ObjectType.COMMIT, payload))
    with pytest.raises(DamagedObject):
        get_mapping(kept, kept.put(ObjectType.MAPPING, payload))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"name":"', b'"name":[],"was":"'),
        (b'"kind":"text"', b'"kind":"colour"'),
        (b'"deleted_at":"deleted_at"', b'"deleted_at":1'),
        (b'"column":"depends_on_task_key"', b'"column":["depends_on_task_key"]'),
        (b'"links":{', b'"left":{'),
        (b'"links":{', b'"links":{"more":1,'),
        (b'"rule":', b'"ruled":'),
        (b'"epics":{', b'"epics":{"more":1,'),
        (b'"ignored":["a"]', b'"ignored":5'),
        (b'"ignored":["a"]', b'"ignored":[{}]'),
    ],
)
def test_a_mapping_of_other_types_is_damaged(old: bytes, new: bytes) -> None:
    kept = Kept()
    payload = kept.payloads[put_mapping(kept, BUILTIN, frozenset("a"))]
    damaged = payload.replace(old, new, 1)
    assert damaged != payload
    oid = kept.put(ObjectType.MAPPING, damaged)
    with pytest.raises(DamagedObject):
        (get_ignored if b"ignored" in old else get_mapping)(kept, oid)
