"""The store's file, refs, operations and intents."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import epicvc
from epicvc.errors import (
    DamagedObject,
    DamagedStore,
    DatabaseLocked,
    EpicvcError,
    FileUnavailable,
    InvalidData,
    NewerFormat,
    NotFound,
    RefMoved,
    Refused,
    UnsafeName,
    UsageError,
)
from epicvc.store.codec import pack
from epicvc.store.file.records import Operation, Pending, View
from epicvc.store.objects import ObjectId, ObjectType, object_id
from epicvc.store.store import Store

from .sealing import seal

# Other processes import what this one does, installed or not and wherever they start.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(epicvc.__file__).parents[1])}
A, B = "a" * 64, "b" * 64
MAIN = "refs/heads/main"


def put(store: Store, type: ObjectType, payload: bytes) -> ObjectId:  # noqa: A002
    oid = object_id(type, payload)
    with store.transaction() as txn:
        txn.put_packed([pack(oid, type, payload)])
    return oid


def operation(number: int, prefix: str = "") -> Operation:
    return Operation(
        id=f"{prefix}{number:03x}".ljust(32, "0"),
        time=f"2025-08-17T10:00:00.{number:06}+00:00",
        command="epicvc commit -m 'ü'",
        description=f"commit {number}",
        user="ana",
        before=View({"HEAD": f"ref: {MAIN}"}),
        after=View({"HEAD": f"ref: {MAIN}", MAIN: A}, B),
        undoes=None,
        redoes="f" * 32,
    )


# --- opening ---


def test_create_makes_a_private_file_with_a_lasting_id(path: Path) -> None:
    with Store.open(path, create=True) as store:
        repo_id = store.repo_id
    assert len(repo_id) == 32
    assert set(repo_id) <= set("0123456789abcdef")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    for create in (False, True):
        with Store.open(path, create=create) as again:
            assert again.repo_id == repo_id
    with Store.open(path.with_name("other.db"), create=True) as other:
        assert other.repo_id != repo_id


def test_the_pragmas_that_survive_power_loss(store: Store, path: Path) -> None:
    with store.transaction():
        assert store._db.run("PRAGMA synchronous") == [(3,)]  # EXTRA
        assert store._db.run("PRAGMA journal_mode") == [("delete",)]
        assert path.with_name("store.db-journal").exists() is False  # nothing was written yet
    assert store._db.run("PRAGMA page_size") == [(4096,)]


def test_a_file_that_someone_made_wal_is_written_without(path: Path) -> None:
    Store.open(path, create=True).close()
    raw = sqlite3.connect(path)
    assert raw.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
    raw.close()
    with Store.open(path) as store, store.transaction():
        assert store._db.run("PRAGMA journal_mode") == [("delete",)]


def test_no_store_is_not_found_and_not_made(path: Path) -> None:
    with pytest.raises(NotFound):
        Store.open(path)
    assert not path.parent.exists()
    (path.parent.parent / "file").write_text("")
    with pytest.raises(NotFound):
        Store.open(path.parent.parent / "file" / "store.db")


def test_a_newer_format_is_refused(path: Path) -> None:
    Store.open(path, create=True).close()
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA user_version = 2")
    raw.close()
    with pytest.raises(NewerFormat) as error:
        Store.open(path)
    assert (error.value.found, error.value.supported) == (2, 1)


@pytest.mark.parametrize("content", [b"not a database, but long enough to be one\n" * 40, b"SQLite format 3\0"])
@pytest.mark.parametrize("create", [False, True])
def test_what_is_no_database_stays_as_it_is(path: Path, content: bytes, create: bool) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(DamagedStore):
        Store.open(path, create=create)
    assert path.read_bytes() == content


@pytest.mark.parametrize("create", [False, True])
def test_the_database_of_another_application_is_not_touched(path: Path, create: bool) -> None:
    path.parent.mkdir()
    raw = sqlite3.connect(path)
    raw.execute("CREATE TABLE plans (id)")
    raw.commit()
    raw.close()
    before = path.read_bytes()
    with pytest.raises(DamagedStore, match="not an epicvc store"):
        Store.open(path, create=create)
    assert path.read_bytes() == before


def test_an_interrupted_creation_is_completed_by_the_next(path: Path) -> None:
    path.parent.mkdir()
    path.touch(mode=0o600)
    with pytest.raises(NotFound):
        Store.open(path)
    with Store.open(path, create=True) as store:
        assert store.repo_id


def test_a_store_without_its_tables_is_damage(path: Path) -> None:
    Store.open(path, create=True).close()
    raw = sqlite3.connect(path)
    for table in ("object", "ref", "meta", "operation", "pending"):
        raw.execute(f"DROP TABLE {table}")
    raw.close()
    with pytest.raises(DamagedStore):
        Store.open(path)


@pytest.mark.parametrize("old, new", [("CHECK (one = 1)", "CHECK (one = 3)"), ("size INTEGER", "sizd INTEGER")])
def test_a_store_with_another_definition_is_damage(path: Path, old: str, new: str) -> None:
    Store.open(path, create=True).close()
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA writable_schema = ON")
    raw.execute("UPDATE sqlite_master SET sql = replace(sql, ?, ?)", (old, new))
    raw.commit()
    raw.close()
    with pytest.raises(DamagedStore):
        Store.open(path)


@pytest.mark.parametrize("at", range(20))
def test_a_definition_that_is_no_text_is_damage(path: Path, at: int) -> None:
    """SQLite's message quotes it, and Python cannot decode that."""
    Store.open(path, create=True).close()
    content = bytearray(path.read_bytes())
    content[content.index(b"CREATE TABLE ref (name") + at] |= 0x80
    path.write_bytes(content)
    with pytest.raises(DamagedStore):
        Store.open(path)


def test_a_damaged_page_is_damage(path: Path) -> None:
    with Store.open(path, create=True) as store:
        oid = put(store, ObjectType.BLOB, os.urandom(9000))
    content = bytearray(path.read_bytes())
    for page in range(1, len(content) // 4096):
        content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(content)
    with Store.open(path) as store, pytest.raises(DamagedStore):
        store.get(oid, ObjectType.BLOB)


def test_a_store_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store.open(path, create=True).close()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 4711)
    with pytest.raises(Refused, match="another user"):
        Store.open(path)


def test_a_store_in_the_directory_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store.open(path, create=True).close()
    real = Path.stat

    def foreign(self: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        found = real(self, follow_symlinks=follow_symlinks)
        if self != path.parent:
            return found
        values = list(found)
        values[stat.ST_UID] = os.getuid() + 4711
        return os.stat_result(values)

    monkeypatch.setattr(Path, "stat", foreign)
    with pytest.raises(Refused, match="another user"):
        Store.open(path)


def test_a_link_or_directory_in_the_place_of_the_store_is_refused(path: Path) -> None:
    Store.open(path, create=True).close()
    link = path.with_name("link.db")
    link.symlink_to(path)
    for other in (link, path.parent):
        with pytest.raises(Refused, match="ordinary"):
            Store.open(other)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
def test_what_may_not_be_read_or_made_is_unavailable(path: Path) -> None:
    Store.open(path, create=True).close()
    path.chmod(0)
    with pytest.raises(FileUnavailable):
        Store.open(path)
    path.chmod(0o600)
    path.parent.chmod(0o500)
    try:
        with pytest.raises(FileUnavailable):
            Store.open(path.with_name("other.db"), create=True)
    finally:
        path.parent.chmod(0o700)


def test_a_store_cannot_be_made_below_a_file(path: Path) -> None:
    path.parent.write_text("")
    with pytest.raises(FileUnavailable):
        Store.open(path, create=True)


def test_what_the_system_refuses_is_unavailable(store: Store, path: Path) -> None:
    """Permission and full disk, as SQLite reports them (root may do everything)."""
    store._db.run("PRAGMA query_only = ON")
    with pytest.raises(FileUnavailable):
        put(store, ObjectType.BLOB, b"x")
    store._db.run("PRAGMA query_only = OFF")
    pages = store._db.run("PRAGMA page_count")[0][0]
    store._db.run(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(FileUnavailable, match="full"):
        put(store, ObjectType.BLOB, os.urandom(99_999))
    assert list(store.objects()) == []
    store._db.run("PRAGMA max_page_count = 100000")
    put(store, ObjectType.BLOB, b"x")
    assert str(path) in str(FileUnavailable(str(path), "full"))


def test_odd_paths(tmp_path: Path) -> None:
    odd = tmp_path / "a?b#c%41 ü" / "store.db"
    Store.open(odd, create=True).close()
    assert odd.exists()
    with Store.open(odd) as store:
        assert store.refs() == {}


def test_reading_refs_imports_neither_msgspec_nor_zstd(path: Path) -> None:
    Store.open(path, create=True).close()
    program = """
        import sys
        from pathlib import Path
        from epicvc.store.store import Store
        store = Store.open(Path(sys.argv[1]))
        assert store.ref("HEAD") is None and store.pending() is None
        heavy = {"msgspec", "json", "dataclasses", "concurrent.futures", "compression.zstd", "backports.zstd"}
        print(sorted(heavy & set(sys.modules)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


# --- objects ---


def test_objects_are_found_by_id_type_and_prefix(store: Store) -> None:
    blob = put(store, ObjectType.BLOB, b"same")
    commit = put(store, ObjectType.COMMIT, b"same")
    assert blob != commit
    assert store.get(blob, ObjectType.BLOB) == store.get(commit, ObjectType.COMMIT) == b"same"
    assert store.resolve_prefix(commit.hex()[:4]) == [commit]
    assert store.resolve_prefix(commit.hex().upper()) == [commit]
    assert store.resolve_prefix(commit.hex()[:5], ObjectType.BLOB) == []
    assert store.resolve_prefix(blob.hex()[:5], ObjectType.BLOB) == [blob]
    for wrong in ("", "xyz", "a" * 65, "a%"):
        assert store.resolve_prefix(wrong) == []
    assert store.present([blob, bytes(32), commit]) == {blob, commit}
    assert sorted(store.objects()) == sorted([(blob, 1, 4), (commit, 7, 4)])


def test_prefixes_of_odd_length_bound_the_range(store: Store) -> None:
    payloads = [b"%d" % number for number in range(200)]
    ids = [object_id(ObjectType.COMMIT, payload) for payload in payloads]
    with store.transaction() as txn:
        txn.put_packed(pack(oid, ObjectType.COMMIT, each) for oid, each in zip(ids, payloads, strict=True))
    for length in (1, 2, 3):
        for oid in ids[:20]:
            prefix = oid.hex()[:length]
            assert store.resolve_prefix(prefix) == sorted(i for i in ids if i.hex().startswith(prefix))


def test_a_missing_object_and_one_of_another_type_are_damage(store: Store) -> None:
    blob = put(store, ObjectType.BLOB, b"x")
    with pytest.raises(DamagedObject, match="missing"):
        store.get(bytes(32), ObjectType.BLOB)
    with pytest.raises(DamagedObject, match="type 1"):
        store.get(blob, ObjectType.COMMIT)


def test_putting_again_and_deleting(store: Store) -> None:
    ids = [put(store, ObjectType.BLOB, b"%d" % number) for number in (1, 2, 1)]
    assert len(list(store.objects())) == 2
    with store.transaction() as txn:
        assert txn.delete_objects([ids[0], bytes(32)]) == 1
    assert not store.has(ids[0])
    assert store.has(ids[1])


# --- refs ---


def test_refs_move_by_compare_and_swap(store: Store) -> None:
    with store.transaction() as txn:
        txn.set_ref("HEAD", f"ref: {MAIN}", None)
        txn.set_ref(MAIN, A, None)
        txn.set_ref("refs/tags/v1", B, None)
    assert store.ref("HEAD") == f"ref: {MAIN}"
    assert store.refs("refs/heads/") == {MAIN: A}
    assert list(store.refs()) == ["HEAD", MAIN, "refs/tags/v1"]
    for expected in (None, B):
        with pytest.raises(RefMoved), store.transaction() as txn:
            txn.set_ref(MAIN, B, expected)
    with pytest.raises(RefMoved), store.transaction() as txn:
        txn.set_ref("refs/heads/none", None, A)
    with store.transaction() as txn:
        txn.set_ref(MAIN, B, A)
        txn.set_ref("refs/tags/v1", None, B)
    assert store.refs() == {"HEAD": f"ref: {MAIN}", MAIN: B}
    with pytest.raises(RefMoved), store.transaction() as txn:
        txn.set_ref(MAIN, None, A)
    assert store.ref(MAIN) == B


def test_prefixes_of_refs_are_literal(store: Store) -> None:
    with store.transaction() as txn:
        for name in ("refs/heads/a_b", "refs/heads/aXb", "refs/heads/ü"):
            txn.set_ref(name, A, None)
    assert list(store.refs("refs/heads/a_")) == ["refs/heads/a_b"]
    assert list(store.refs("refs/heads/ü")) == ["refs/heads/ü"]


@pytest.mark.parametrize(
    "name",
    [
        *("", "head", "main", "refs/", "refs//x", "refs/heads/", "refs/heads/../x", "refs/heads/.x"),
        *("refs/heads/x.lock", "refs/heads/x.", "refs/heads/-x", "refs/heads/a b", "refs/heads/a\nb"),
        *("refs/heads/a~1", "refs/heads/a^", "refs/heads/a:b", "refs/heads/a\\b", "refs/heads/@{1}"),
        *("refs/heads/a*", "refs/heads/\x1b[31m", "refs/heads/\u202e", "refs/heads/\udc80", "refs/" + "x" * 300),
    ],
)
def test_unsafe_names_of_refs_are_refused(store: Store, name: str) -> None:
    with pytest.raises(UnsafeName), store.transaction() as txn:
        txn.set_ref(name, A, None)


def test_a_name_that_is_no_text_is_not_there(store: Store) -> None:
    assert store.ref("refs/heads/\udc80") is None
    assert store.refs("refs/heads/\udc80") == {}
    with pytest.raises(RefMoved), store.transaction() as txn:
        txn.set_ref("refs/heads/\udc80", None, A)


def test_a_ref_with_an_unsafe_name_can_be_deleted(store: Store) -> None:
    store._db.run("INSERT INTO ref VALUES ('refs/heads/a b', ?, 0)", (A,))
    seal(store)
    with store.transaction() as txn:
        txn.set_ref("refs/heads/a b", None, A)
    assert store.refs() == {}


@pytest.mark.parametrize("value", ["", "a" * 63, "A" * 64, "x" * 64, f"ref: {MAIN}", "a" * 63 + "\n"])
def test_values_that_refs_cannot_have_are_refused(store: Store, value: str) -> None:
    with pytest.raises(InvalidData), store.transaction() as txn:
        txn.set_ref(MAIN, value, None)


@pytest.mark.parametrize("value", ["ref: HEAD", "ref: main", "ref: refs/heads/a b", MAIN, "ref: ref: " + MAIN])
def test_values_that_head_cannot_have_are_refused(store: Store, value: str) -> None:
    with pytest.raises(InvalidData), store.transaction() as txn:
        txn.set_ref("HEAD", value, None)


# --- operations and intents ---


def test_operations_come_back_newest_first(store: Store) -> None:
    with store.transaction() as txn:
        for number in range(200):
            txn.add_operation(operation(number, "0" if number == 5 else "1"))
    found = list(store.operations())
    assert [int(each.description.split()[1]) for each in found] == list(range(199, -1, -1))
    assert found[0] == operation(199, "1")
    assert len(list(store.operations(limit=70))) == 70
    assert store.operation("00") == operation(5, "0")
    assert store.operation(found[3].id) == found[3]
    with pytest.raises(UsageError):
        store.operation("1")
    for wrong in ("", "2", "%", "zz"):
        with pytest.raises(NotFound):
            store.operation(wrong)


def test_an_operation_takes_the_place_of_the_one_that_it_includes(store: Store) -> None:
    with store.transaction() as txn:
        for number in range(3):
            txn.add_operation(operation(number))
        txn.replace_operation(operation(2).id, operation(3))
    assert [each.id for each in store.operations()] == [operation(number).id for number in (3, 1, 0)]


def test_only_the_newest_operation_is_replaced(store: Store) -> None:
    with store.transaction() as txn:
        for number in range(3):
            txn.add_operation(operation(number))
        with pytest.raises(NotFound):
            txn.replace_operation(operation(1).id, operation(3))


@pytest.mark.parametrize("lost", [1, 100, 199, 200])
def test_a_lost_operation_is_damage(store: Store, lost: int) -> None:
    with store.transaction() as txn:
        for number in range(200):
            txn.add_operation(operation(number))
    store._db.run("DELETE FROM operation WHERE seq = ?", (lost,))
    with pytest.raises(DamagedStore):
        list(store.operations())


@pytest.mark.parametrize("sequence", [0, 5, 300])
def test_a_log_that_does_not_go_on_where_it_ended_is_damage(store: Store, sequence: int) -> None:
    with store.transaction() as txn:
        for number in range(9):
            txn.add_operation(operation(number))
    store._db.run("UPDATE sqlite_sequence SET seq = ?", (sequence,))
    with pytest.raises(DamagedStore):
        next(store.operations())
    with pytest.raises(DamagedStore), store.transaction() as txn:
        txn.add_operation(operation(9))


def test_the_log_goes_on_where_gc_has_left_nothing(store: Store) -> None:
    with store.transaction() as txn:
        for number in range(3):
            txn.add_operation(operation(number))
    for number in (3, 4):
        with store.transaction() as txn:
            txn.forget_operations("9")
        assert list(store.operations()) == []
        with store.transaction() as txn:
            txn.add_operation(operation(number))
        assert [each.id for each in store.operations()] == [operation(number).id]


@pytest.mark.parametrize("table", ["ref", "pending", "meta", "operation"])
def test_a_table_that_has_lost_its_rows_is_damage(store: Store, table: str) -> None:
    with store.transaction() as txn:
        txn.set_ref(MAIN, A, None)
        txn.set_pending(Pending("1" * 32, "c", True, True, View(), View()))
        txn.add_operation(operation(0))
    store._db.run(f"DELETE FROM {table}")
    reads = {
        "ref": (store.refs, lambda: store.ref(MAIN)),
        "pending": (store.pending,),
        "meta": (store.check_settings, lambda: store.ref("HEAD"), store.refs),
        "operation": (lambda: list(store.operations()),),
    }
    for read in reads[table]:
        with pytest.raises(DamagedStore):
            read()


def test_reading_operations_slowly_does_not_stop_others_from_writing(store: Store, path: Path) -> None:
    with store.transaction() as txn:
        for number in range(200):
            txn.add_operation(operation(number))
    reading = store.operations()
    next(reading)
    with Store.open(path, timeout=0) as other, other.transaction() as txn:
        txn.set_ref(MAIN, A, None)
    assert len(list(reading)) == 199


def test_bytes_of_a_command_line_that_are_no_text_are_kept_readable(store: Store) -> None:
    odd = Operation("0" * 32, "t", "epicvc \udcff\0", "d", "ü", View(), View())
    with store.transaction() as txn:
        txn.add_operation(odd)
    assert store.operation("0000").command == "epicvc \\udcff\0"


def test_an_intent_is_one_and_goes(store: Store) -> None:
    assert store.pending() is None
    first = Pending("1" * 32, "epicvc sync", True, False, View({MAIN: A}, B))
    second = Pending("2" * 32, "x", False, True, View(), View({MAIN: B}), {"commit": B, "ü": "\ud800"})
    for pending in (first, second, None):
        with store.transaction() as txn:
            txn.set_pending(pending)
        assert store.pending() == pending


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(
            ("before", text)
            for text in ("", "[]", "{}", '{"refs":[],"snapshot":null}', '{"refs":{"a":1},"snapshot":null}')
        ),
        *(("after", text) for text in ('{"refs":{},"snapshot":5}', "[" * 100_000, b"\xff", "NaN")),
        ("command", b"x"),
    ],
)
def test_malformed_records_are_damage(store: Store, column: str, value: str | bytes) -> None:
    with store.transaction() as txn:
        txn.add_operation(operation(1))
        txn.set_pending(Pending("1" * 32, "c", True, True, View(), View()))
    for table in ("operation", "pending"):
        store._db.run(f"UPDATE {table} SET {column} = ?", (value,))
    seal(store)
    with pytest.raises(DamagedStore):
        list(store.operations())
    with pytest.raises(DamagedStore):
        store.pending()


def test_text_that_is_no_utf8_is_damage(store: Store) -> None:
    store._db.run("INSERT INTO ref VALUES ('HEAD', CAST(x'ff' AS TEXT), 0)")
    with pytest.raises(DamagedStore):
        store.ref("HEAD")
    store._db.run("UPDATE ref SET value = x'ff'")
    with pytest.raises(DamagedStore):
        store.refs()


# --- transactions ---


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, RefMoved])
def test_a_transaction_that_fails_leaves_nothing(store: Store, error: type[BaseException]) -> None:
    oid = object_id(ObjectType.BLOB, b"x")
    done: list[int] = []
    with pytest.raises(error), store.transaction() as txn:
        txn.put_packed([pack(oid, ObjectType.BLOB, b"x")])
        txn.set_ref(MAIN, A, None)
        txn.add_operation(operation(1))
        txn.set_pending(Pending("1" * 32, "c", True, True, View()))
        txn.after_commit(lambda: done.append(1))
        raise error("x")
    assert not store.has(oid)
    assert (store.refs(), list(store.operations()), store.pending(), done) == ({}, [], None, [])
    with store.transaction() as txn:
        txn.after_commit(lambda: done.append(1))
    assert done == [1]


def test_transactions_do_not_nest(store: Store) -> None:
    with store.transaction() as txn:
        with pytest.raises(RuntimeError), store.transaction():
            pass
        txn.set_ref(MAIN, A, None)
    assert store.ref(MAIN) == A


def test_the_same_operation_twice_is_a_bug_and_not_an_error_of_the_user(store: Store) -> None:
    with pytest.raises(sqlite3.IntegrityError), store.transaction() as txn:
        txn.add_operation(operation(1))
        txn.add_operation(operation(1))


def test_a_store_that_another_process_holds_is_locked(store: Store, path: Path) -> None:
    with (
        store.transaction(),
        Store.open(path, timeout=0.05) as other,
        pytest.raises(DatabaseLocked) as error,
        other.transaction(),
    ):
        pass
    assert isinstance(error.value, EpicvcError)
    assert error.value.seconds == 0.05


WRITER = """
import sys
from pathlib import Path
from epicvc.errors import RefMoved
from epicvc.store.codec import pack
from epicvc.store.objects import ObjectType, object_id
from epicvc.store.store import Store
path, name, rounds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with Store.open(path, create=True) as store:
    for number in range(rounds):
        payload = f"{name} {number}".encode()
        oid = object_id(ObjectType.COMMIT, payload)
        while True:
            expected = store.ref("refs/heads/main")
            try:
                with store.transaction() as txn:
                    txn.put_packed([pack(oid, ObjectType.COMMIT, payload + b"")])
                    txn.set_ref("refs/heads/main", oid.hex(), expected)
                    txn.set_ref(f"refs/tags/{name}-{number}", oid.hex(), None)
                break
            except RefMoved:
                continue
"""


def test_two_processes_write_at_once(path: Path) -> None:
    """They race for the creation and for one ref; nothing of either is lost."""
    command = [sys.executable, "-c", WRITER, str(path)]
    running = [subprocess.Popen([*command, name, "15"], stderr=subprocess.PIPE, env=ENVIRONMENT) for name in ("a", "b")]
    for process in running:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
    with Store.open(path) as store:
        tags = store.refs("refs/tags/")
        assert len(tags) == 30
        assert store.ref(MAIN) in tags.values()
        for name, value in tags.items():
            payload = store.get(bytes.fromhex(value), ObjectType.COMMIT)
            assert payload.decode().replace(" ", "-") == name.removeprefix("refs/tags/")


def test_a_process_that_dies_while_it_writes_leaves_the_state_before(path: Path) -> None:
    Store.open(path, create=True).close()
    program = """
        import os, sys
        from pathlib import Path
        from epicvc.store.codec import pack
        from epicvc.store.objects import ObjectType, object_id
        from epicvc.store.store import Store
        store = Store.open(Path(sys.argv[1]))
        store._db.run("PRAGMA cache_spill = 1")
        with store.transaction() as txn:
            txn.set_ref("refs/heads/main", "a" * 64, None)
            for number in range(200):  # more than the cache, so that the file itself is written
                payload = os.urandom(100_000)
                oid = object_id(ObjectType.BLOB, payload)
                txn.put_packed([pack(oid, ObjectType.BLOB, payload)])
            os._exit(9)
    """
    size = path.stat().st_size
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program), str(path)], check=False, env=ENVIRONMENT)
    assert done.returncode == 9
    assert path.stat().st_size > size
    with Store.open(path) as store:
        assert store.refs() == {}
        assert list(store.objects()) == []
        assert store.integrity(full=True) == []


@pytest.mark.parametrize(
    "value", ["", "x", "ref: refs/heads/main", "0" * 63, "0" * 65, "G" * 64, "0" * 31 + "\x11" + "0" * 32]
)
def test_a_ref_that_names_no_commit_is_damage(store: Store, value: str) -> None:
    """Where it is read, and not where somebody first looks for that commit."""
    with store.transaction() as txn:
        txn.set_ref("refs/heads/main", "0" * 64, None)
    store._db.run("UPDATE ref SET value = ? WHERE name = 'refs/heads/main'", (value,))
    seal(store)
    for read in (store.refs, lambda: store.ref("refs/heads/main"), lambda: store.ref("refs/heads/other")):
        with pytest.raises(DamagedStore, match="refs/heads/main cannot be"):
            read()
    assert store.refs(checked=False)["refs/heads/main"] == value


@pytest.mark.parametrize(
    ("view", "words"),
    [
        ('{"refs": {"HEAD": "ref: x"}, "snapshot": null}', "HEAD cannot be 'ref: x'"),
        ('{"refs": {"refs/heads/main": "00"}, "snapshot": null}', "refs/heads/main cannot be '00'"),
        ('{"refs": {}, "snapshot": "00"}', "'00' is no snapshot"),
        ('{"refs": {}, "snapshot": 5}', "malformed"),
    ],
)
@pytest.mark.parametrize("column", ["before", "after"])
def test_a_view_that_names_no_commit_is_damage(store: Store, view: str, words: str, column: str) -> None:
    with store.transaction() as txn:
        txn.add_operation(Operation("0" * 32, "t", "c", "d", "u", View(), View()))
    store._db.run(f"UPDATE operation SET {column} = ?", (view,))
    seal(store)
    for read in (lambda: list(store.operations()), lambda: store.operation("0" * 32)):
        with pytest.raises(DamagedStore, match=re.escape(words)):
            read()
