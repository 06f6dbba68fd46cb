"""Staging: readable at once, compressed beside, written in few transactions, never before it is asked."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from epicvc.errors import DamagedObject, InvalidData
from epicvc.store import codec, staging
from epicvc.store.dictionary import Dictionary
from epicvc.store.objects import ObjectType, Packed, object_id
from epicvc.store.staging import Staging
from epicvc.store.store import Store
from epicvc.store.tree import tree


def stored(store: Store) -> int:
    return len(list(store.objects()))


def test_what_is_put_can_be_read_at_once_and_after_a_flush(store: Store) -> None:
    payloads = [b"%d " % number * 5000 for number in range(100)]  # more than a batch, so that threads take part
    with Staging(store, flush_bytes=None) as sink:
        ids = []
        for payload in payloads:
            oid = sink.put(ObjectType.BLOB, payload)
            assert sink.get(oid, ObjectType.BLOB) == payload
            ids.append(oid)
        assert [sink.get(oid, ObjectType.BLOB) for oid in ids] == payloads
        assert all(map(sink.has, ids))
        assert stored(store) == 0
        sink.flush()
        assert [sink.get(oid, ObjectType.BLOB) for oid in ids] == payloads
        assert [store.get(oid, ObjectType.BLOB) for oid in ids] == payloads
        assert not sink._packed
        assert not sink._waiting


def test_wrong_types_and_missing_objects_are_damage_at_every_stage(store: Store) -> None:
    with Staging(store, flush_bytes=None) as sink:
        oid = sink.put(ObjectType.BLOB, b"x")
        steps: list[Callable[[], None]] = [lambda: None, sink._drain, sink.flush]
        for step in steps:
            step()
            with pytest.raises(DamagedObject, match="type 1"):
                sink.get(oid, ObjectType.COMMIT)
        with pytest.raises(DamagedObject, match="missing"):
            sink.get(bytes(32), ObjectType.BLOB)
        assert not sink.has(bytes(32))


def test_the_same_object_is_kept_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    packed: list[bytes] = []

    def counting(oid: bytes, kind: ObjectType, payload: bytes, dictionary: Dictionary | None) -> Packed:
        packed.append(oid)
        return codec.pack(oid, kind, payload, dictionary)

    monkeypatch.setattr(staging, "pack", counting)
    with Staging(store, flush_bytes=None) as sink:
        for _ in range(3):
            sink.put(ObjectType.BLOB, b"x")
        sink.flush()
        for _ in range(3):
            sink.put(ObjectType.BLOB, b"x")  # the store has it
        sink.flush()
    assert len(packed) == stored(store) == 1


def test_it_flushes_by_itself_and_holds_little(store: Store) -> None:
    with Staging(store, flush_bytes=1 << 20) as sink:
        for _ in range(400):
            sink.put(ObjectType.BLOB, os.urandom(20_000))
            assert sink._packed_bytes < (1 << 20) + staging._AHEAD
        assert stored(store) > 100
        sink.flush()
        assert stored(store) == 400
        assert sink._packed_bytes == 0


def test_what_waits_for_the_threads_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "_AHEAD", 1 << 20)
    with Staging(store, flush_bytes=None) as sink:
        for number in range(200):
            sink.put(ObjectType.BLOB, b"%d" % number * 20_000)
            waiting = sum(len(payload) for _, payload in sink._waiting.values())
            assert waiting <= (1 << 20) + staging._BATCH + 60_000


def test_an_overlay_never_writes(store: Store, path: Path) -> None:
    before = path.read_bytes()
    with Staging(store, flush_bytes=None) as sink:
        root = tree.build(sink, ((b"%06d" % number, os.urandom(900)) for number in range(3000)))
        other = tree.update(sink, root, [(b"000500", b"new")])
        assert len(list(tree.diff(sink, root, other))) == 1
    assert path.read_bytes() == before
    assert stored(store) == 0


def test_flush_into_a_transaction_belongs_to_it(store: Store) -> None:
    with Staging(store, flush_bytes=None) as sink:
        oid = sink.put(ObjectType.COMMIT, b"x")
        with pytest.raises(ValueError, match="stop"), store.transaction() as txn:
            sink.flush_into(txn)
            raise ValueError("stop")
        assert not store.has(oid)
        assert sink.get(oid, ObjectType.COMMIT) == b"x"
        with store.transaction() as txn:
            sink.flush_into(txn)
            late = sink.put(ObjectType.COMMIT, b"late")
            txn.set_ref("refs/heads/main", oid.hex(), None)
        assert store.has(oid)
        assert not store.has(late)
        sink.flush()
        assert store.has(late)


def test_it_does_not_flush_by_itself_into_a_transaction_that_may_fail(store: Store) -> None:
    with Staging(store, flush_bytes=1) as sink:
        with pytest.raises(ValueError, match="stop"), store.transaction():
            ids = [sink.put(ObjectType.BLOB, os.urandom(100_000)) for _ in range(30)]
            raise ValueError("stop")
        assert stored(store) == 0
        sink.flush()
        assert all(map(store.has, ids))


def test_a_flush_of_nothing_writes_nothing(store: Store, path: Path) -> None:
    before = path.stat().st_mtime_ns
    with Staging(store, flush_bytes=None) as sink:
        sink.flush()
    assert path.stat().st_mtime_ns == before


def test_what_was_not_flushed_is_forgotten(store: Store) -> None:
    with Staging(store, flush_bytes=None) as sink:
        oid = sink.put(ObjectType.BLOB, b"x")
    assert not sink.has(oid)


def test_too_large_an_object_is_refused_before_it_is_taken(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPICVC_MAX_OBJECT_SIZE", "1M")
    large = b"x" * 1_000_001
    with Staging(store, flush_bytes=None) as sink:
        with pytest.raises(InvalidData, match="1,000,001 bytes is too large, the most is 1,000,000"):
            sink.put(ObjectType.BLOB, large)
        assert not sink.has(object_id(ObjectType.BLOB, large))
