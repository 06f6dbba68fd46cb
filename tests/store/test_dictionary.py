"""Compression dictionaries: learnt once, used by what comes later, kept while they are needed, never trusted."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from epicvc.errors import DamagedObject
from epicvc.store.codec import Codec, pack, unpack
from epicvc.store.dictionary import SAMPLES, Dictionaries, Samples, read_dictionary
from epicvc.store.objects import ObjectId, ObjectType, Packed, object_id
from epicvc.store.staging import FLUSH_BYTES, Staging
from epicvc.store.store import Store
from epicvc.store.verify import delete_unreachable, verify_objects

_PHRASES = ["".join(random.Random(number).choices("abcdefghij klmnopqrst", k=80)) for number in range(600)]


def payloads(count: int, seed: int = 1) -> list[bytes]:
    """Texts that have phrases in common with each other and none with themselves, 12 kB each."""
    chance = random.Random(seed)
    return ["\n".join(chance.sample(_PHRASES, 150)).encode() for _ in range(count)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store.db", create=True)


def fill(store: Store, *texts: bytes) -> list[ObjectId]:
    with Staging(store, flush_bytes=FLUSH_BYTES) as staging:
        ids = [staging.put(ObjectType.BLOB, text) for text in texts]
        staging.flush()
    return ids


def damage(store: Store) -> list[str | None]:
    """What fsck finds, but for the lack of a HEAD."""
    return [problem.object for problem in verify_objects(store, full=True) if problem.kind != "ref"]


def codecs(store: Store) -> dict[int, int]:
    found: dict[int, int] = {}
    for row in store.rows():
        found[row[2]] = found.get(row[2], 0) + 1
    return found


def test_enough_objects_make_a_dictionary_that_later_ones_use(store: Store, tmp_path: Path) -> None:
    texts = payloads(SAMPLES + 40)
    ids = fill(store, *texts)
    assert codecs(store)[Codec.LEARNT] > 30
    again = Store.open(tmp_path / "store.db")
    assert [again.get(oid, ObjectType.BLOB) for oid in ids] == texts
    (later,) = fill(again, *payloads(1, seed=2))
    assert again.packed(later).codec == Codec.LEARNT
    assert again.packed(later).data[:32] == again.dictionary_for(ObjectType.BLOB)
    assert not damage(again)


def test_few_objects_make_none(store: Store) -> None:
    fill(store, *payloads(SAMPLES - 1))
    assert store.dictionary_for(ObjectType.BLOB) is None
    assert Codec.LEARNT not in codecs(store)


def test_what_was_put_is_read_back_before_it_is_flushed(store: Store) -> None:
    texts = payloads(SAMPLES * 2)
    with Staging(store, flush_bytes=FLUSH_BYTES) as staging:
        ids = [staging.put(ObjectType.BLOB, text) for text in texts]
        assert [staging.get(oid, ObjectType.BLOB) for oid in ids] == texts


def test_a_transaction_that_fails_leaves_no_dictionary_behind(store: Store) -> None:
    with Staging(store, flush_bytes=FLUSH_BYTES) as staging:
        for text in payloads(SAMPLES + 40):
            staging.put(ObjectType.BLOB, text)
        with pytest.raises(RuntimeError, match="stop"), store.transaction() as transaction:
            staging.flush_into(transaction)
            raise RuntimeError("stop")
        assert store.dictionary_for(ObjectType.BLOB) is None
        staging.flush()
    assert store.dictionary_for(ObjectType.BLOB) is not None
    assert not damage(store)


def test_gc_keeps_a_dictionary_while_it_is_needed(store: Store) -> None:
    ids = fill(store, *payloads(SAMPLES + 40))
    current = store.dictionary_for(ObjectType.BLOB)
    assert current is not None
    delete_unreachable(store, {ids[-1]})
    assert not damage(store)
    assert store.get(ids[-1], ObjectType.BLOB)
    # an older one, which nothing uses any more
    old = Samples()
    trained = next(found for text in payloads(SAMPLES, seed=5) if (found := old.add(text)) is not None)
    with store.transaction() as transaction:
        transaction.put_packed([pack(object_id(ObjectType.DICTIONARY, trained), ObjectType.DICTIONARY, trained)])
    delete_unreachable(store, {ids[-1]})
    assert not store.has(object_id(ObjectType.DICTIONARY, trained))
    assert store.has(current)


def test_a_damaged_dictionary_is_found_by_whoever_needs_it(store: Store, tmp_path: Path) -> None:
    ids = fill(store, *payloads(SAMPLES + 40))
    oid = store.dictionary_for(ObjectType.BLOB)
    with closing(sqlite3.connect(tmp_path / "store.db")) as connection, connection:
        (data,) = connection.execute("SELECT data FROM object WHERE id = ?", (oid,)).fetchone()
        changed = bytes([*data[:500], data[500] ^ 1, *data[501:]])
        connection.execute("UPDATE object SET data = ? WHERE id = ?", (changed, oid))
    connection.close()
    again = Store.open(tmp_path / "store.db")
    with pytest.raises(DamagedObject):
        again.get(ids[-1], ObjectType.BLOB)
    assert oid is not None and oid.hex() in damage(again)


def test_what_is_no_dictionary_is_refused() -> None:
    text = payloads(1)[0]
    other = Packed(object_id(ObjectType.BLOB, text), ObjectType.BLOB, Codec.RAW, len(text), text)
    named = Packed(object_id(1, b"y" * 100), 1, Codec.LEARNT, 100, other.id + b"frame")
    with pytest.raises(DamagedObject, match="type"):
        unpack(named, Dictionaries(lambda _: other))
    with pytest.raises(DamagedObject, match="no dictionary"):
        read_dictionary(bytes(32), b"short")
    # a dictionary that needs a dictionary would never end
    loop = Packed(object_id(8, b"z" * 100), ObjectType.DICTIONARY, Codec.LEARNT, 100, bytes(40))
    with pytest.raises(DamagedObject, match="can be none"):
        unpack(loop, Dictionaries(lambda _: loop))
