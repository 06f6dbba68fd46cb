"""Nodes that were read a moment ago: given again without being read, and never more of them than allowed."""

from __future__ import annotations

import pytest

from epicvc.errors import DamagedObject
from epicvc.store.objects import ObjectType, Packed
from epicvc.store.staging import Staging
from epicvc.store.store import Store
from epicvc.store.tree.recent import Recent


def test_what_nobody_asked_for_longest_goes_first() -> None:
    recent = Recent(most=30)
    for name in (b"a", b"b", b"c"):
        recent.keep(name, ObjectType.NODE, name * 10)
    assert recent.get(b"a") == (ObjectType.NODE, b"a" * 10)
    recent.keep(b"d", ObjectType.NODE, b"d" * 10)
    assert [recent.get(name) is not None for name in (b"a", b"b", b"c", b"d")] == [True, False, True, True]
    recent.clear()
    assert recent.get(b"a") is None


def test_what_is_larger_than_all_that_is_kept_is_not_kept() -> None:
    recent = Recent(most=30)
    recent.keep(b"a", ObjectType.BLOB, bytes(31))
    assert recent.get(b"a") is None
    recent.keep(b"b", ObjectType.BLOB, bytes(30))
    assert recent.get(b"b") is not None


def test_a_node_is_read_from_the_store_once_and_its_type_checked_each_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Staging(store, flush_bytes=None) as first:
        oid, blob = first.put(ObjectType.NODE, b"x"), first.put(ObjectType.BLOB, b"y")
        first.flush()
    read: list[bytes] = []
    packed = store.packed

    def reading(oid: bytes) -> Packed:
        read.append(oid)
        return packed(oid)

    monkeypatch.setattr(store, "packed", reading)
    with Staging(store, flush_bytes=None) as sink:
        assert [sink.get(oid, ObjectType.NODE) for _ in range(3)] == [b"x"] * 3
        with pytest.raises(DamagedObject, match="type 2"):
            sink.get(oid, ObjectType.COMMIT)
        assert [sink.get(blob, ObjectType.BLOB) for _ in range(2)] == [b"y"] * 2  # files are large, and read once
    assert read == [oid, blob, blob]
