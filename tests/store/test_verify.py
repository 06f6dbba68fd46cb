"""Verification finds what is wrong and nothing else; deletion spares what is reachable."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from epicvc.errors import DamagedStore
from epicvc.store.codec import pack
from epicvc.store.file.records import Operation, Pending, View
from epicvc.store.objects import ObjectId, ObjectType, object_id
from epicvc.store.staging import Staging
from epicvc.store.store import Store
from epicvc.store.tree import node, tree
from epicvc.store.verify import Problem, delete_unreachable, verify_objects

from .sealing import seal

MAIN = "refs/heads/main"


@pytest.fixture
def commit(store: Store) -> ObjectId:
    oid = object_id(ObjectType.COMMIT, b"c" * 100)
    view = View({"HEAD": f"ref: {MAIN}"}, "0" * 64)
    with store.transaction() as txn:
        txn.put_packed([pack(oid, ObjectType.COMMIT, b"c" * 100)])
        txn.set_ref("HEAD", f"ref: {MAIN}", None)
        txn.set_ref(MAIN, oid.hex(), None)
        txn.add_operation(Operation("0" * 32, "t", "c", "d", "u", view, view))
        txn.set_pending(Pending("1" * 32, "c", True, True, view))
    return oid


def problems(store: Store) -> list[Problem]:
    found = list(verify_objects(store, full=True))
    assert {p.kind for p in found} == {p.kind for p in verify_objects(store, full=False)}
    return found


def test_a_sound_store_has_no_problem(store: Store, commit: ObjectId) -> None:
    with Staging(store, flush_bytes=None) as sink:
        tree.build(sink, ((b"%04d" % number, os.urandom(300)) for number in range(500)))
        sink.flush()
    assert problems(store) == []


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ("UPDATE object SET data = zeroblob(length(data))", "object", "damaged"),
        ("UPDATE object SET size = size + 1", "object", "damaged"),
        ("UPDATE object SET codec = 0", "object", "damaged"),
        ("UPDATE object SET codec = 9", "object", "format 9"),
        ("UPDATE object SET type = 300", "object", "malformed"),
        ("UPDATE object SET type = 'x'", "object", "malformed"),
        ("UPDATE object SET id = x'00'", "object", "malformed"),
        ("UPDATE object SET id = 5", "object", "malformed"),
        ("UPDATE object SET data = 'text'", "object", "malformed"),
        ("DELETE FROM object", "ref", "no commit"),
        ("DELETE FROM ref WHERE name = 'HEAD'", "ref", "no HEAD"),
        ("UPDATE ref SET value = 'x' WHERE name = 'HEAD'", "ref", "HEAD cannot be"),
        ("UPDATE ref SET value = 'ref: refs/heads/main'", "ref", "cannot be"),
        ("UPDATE ref SET name = 'refs/heads/a b' WHERE name != 'HEAD'", "ref", "unsafe"),
        ("UPDATE ref SET value = x'00'", "ref", "malformed"),
        ("UPDATE operation SET before = '{}'", "operation", "malformed"),
        ("""UPDATE operation SET after = '{"refs":{},"snapshot":"x"}'""", "operation", "is no snapshot"),
        ("UPDATE pending SET details = '[]'", "operation", "malformed"),
        ("DROP TABLE ref", "ref", "no such table"),
    ],
)
def test_each_kind_of_damage_is_found(store: Store, commit: ObjectId, change: str, kind: str, words: str) -> None:
    store._db.run(change)
    if change != "DROP TABLE ref":
        seal(store)
    found = problems(store)
    assert any(problem.kind == kind and words in problem.message for problem in found), found


def test_an_unknown_type_is_found(store: Store, commit: ObjectId) -> None:
    oid = object_id(99, b"x")
    store._db.run("INSERT INTO object VALUES (?, 99, 0, 1, ?)", (oid, b"x"))
    assert problems(store) == [Problem(oid.hex(), "object", "it has the unknown type 99")]


def test_a_ref_to_something_that_is_no_commit_is_found(store: Store, commit: ObjectId) -> None:
    oid = object_id(ObjectType.BLOB, b"x")
    with store.transaction() as txn:
        txn.put_packed([pack(oid, ObjectType.BLOB, b"x")])
        txn.set_ref("refs/tags/v1", oid.hex(), None)
    assert [(problem.object, problem.kind) for problem in problems(store)] == [(oid.hex(), "ref")]


def test_a_branch_without_commit_is_sound(store: Store) -> None:
    with store.transaction() as txn:
        txn.set_ref("HEAD", f"ref: {MAIN}", None)
    assert problems(store) == []


def test_every_damaged_object_is_named_and_the_rest_checked(store: Store, commit: ObjectId) -> None:
    ids = [object_id(ObjectType.BLOB, b"%d" % number * 100) for number in range(200)]
    with store.transaction() as txn:
        txn.put_packed(pack(oid, ObjectType.BLOB, b"%d" % n * 100) for n, oid in enumerate(ids))
    for position in (0, 63, 64, 199):
        store._db.run("UPDATE object SET data = x'00' WHERE id = ?", (ids[position],))
    assert {problem.object for problem in problems(store)} == {ids[n].hex() for n in (0, 63, 64, 199)}


def test_pages_that_sqlite_cannot_read_are_problems(store: Store, path: Path, commit: ObjectId) -> None:
    with store.transaction() as txn:
        payloads = [os.urandom(3000) for _ in range(50)]
        txn.put_packed(pack(object_id(1, p), ObjectType.BLOB, p) for p in payloads)
    store.close()
    content = bytearray(path.read_bytes())
    content[-5 * 4096 :] = b"\xff" * (5 * 4096)
    path.write_bytes(content)
    with Store.open(path) as damaged:
        assert any(problem.kind == "store" for problem in verify_objects(damaged, full=True))


def test_pages_in_a_circle_are_a_problem(store: Store, path: Path, commit: ObjectId) -> None:
    """Where a page refers to one before it, SQLite finds nothing wrong with the rows that it gives again and again."""
    with store.transaction() as txn:
        payloads = [os.urandom(3000) for _ in range(90)]
        txn.put_packed(pack(object_id(1, p), ObjectType.BLOB, p) for p in payloads)
    root = store._db.run("SELECT rootpage FROM sqlite_master WHERE name = 'object'")[0][0]
    store.close()
    content = bytearray(path.read_bytes())
    at = (root - 1) * 4096
    assert content[at] == 5  # an inner page
    first = at + int.from_bytes(content[at + 12 : at + 14], "big")
    content[at + 8 : at + 12] = content[first : first + 4]  # the last child becomes the first one
    path.write_bytes(content)
    with Store.open(path) as damaged:
        assert any("out of order" in problem.message for problem in verify_objects(damaged, full=False))


# --- deleting ---


def test_only_what_is_unreachable_is_deleted_and_the_file_shrinks(store: Store, path: Path, commit: ObjectId) -> None:
    with Staging(store, flush_bytes=None) as sink:
        root = tree.build(sink, ((b"%05d" % number, os.urandom(100)) for number in range(2000)))
        other = tree.update(sink, root, [(b"00000", b"new")])
        loose = [sink.put(ObjectType.BLOB, os.urandom(50_000)) for _ in range(20)]
        sink.flush()
    keep = {commit, *tree.reachable_nodes(store, other, set())}
    old = node.load_root(store, root)
    size = path.stat().st_size
    deleted, freed = delete_unreachable(store, keep)
    assert {oid for oid, _, _ in store.objects()} == keep
    assert deleted == len(loose) + old.height + 1
    assert freed >= 20 * 50_000
    assert path.stat().st_size < size - 900_000
    tree.check(store, other)
    assert problems(store) == []
    assert delete_unreachable(store, keep) == (0, 0)


def test_a_deletion_that_fails_deletes_nothing(store: Store, commit: ObjectId) -> None:
    store._db.run("CREATE TRIGGER stop BEFORE DELETE ON object BEGIN SELECT RAISE(ABORT, 'stop'); END")
    with pytest.raises(sqlite3.IntegrityError, match="stop"):
        delete_unreachable(store, set())
    assert store.has(commit)


def test_a_file_that_cannot_shrink_is_no_failure(store: Store, path: Path, commit: ObjectId) -> None:
    with Staging(store, flush_bytes=None) as sink:
        loose = sink.put(ObjectType.BLOB, os.urandom(500_000))
        sink.flush()
    reader = sqlite3.connect(path, isolation_level=None)
    with Store.open(path, timeout=0) as other:
        keep = {commit}
        real = other.vacuum

        def vacuum() -> None:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM object").fetchone()
            real()

        other.vacuum = vacuum  # type: ignore[method-assign]
        assert delete_unreachable(other, keep)[0] == 1
    reader.close()
    assert not store.has(loose)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("UPDATE ref SET value = replace(value, substr(value, 5, 1), 'e') WHERE name != 'HEAD'", "ref"),
        ("UPDATE ref SET name = 'refs/heads/other' WHERE name != 'HEAD'", "ref"),
        ("UPDATE operation SET description = description || '!'", "operation"),
        ("UPDATE operation SET seq = seq + 1", "operation"),
        ("UPDATE sqlite_sequence SET seq = seq + 1", "operation"),
        ("UPDATE pending SET prepared = 1 - prepared", "operation"),
    ],
)
def test_rows_that_rot_do_not_match_their_checksum(store: Store, commit: ObjectId, change: str, kind: str) -> None:
    store._db.run(change)
    assert [problem.kind for problem in problems(store)][:1] == [kind]


def test_the_repo_id_is_checked(store: Store) -> None:
    store._db.run("UPDATE meta SET value = replace(value, substr(value, 1, 1), 'x')")
    with pytest.raises(DamagedStore):
        _ = store.repo_id
