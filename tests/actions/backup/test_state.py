"""Backups that somebody else made: what they hold is proved before a byte of it gets its place."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from epicvc.actions.backup.bundles import BundleDirectory
from epicvc.actions.backup.catalog import Backup
from epicvc.actions.backup.restore import restore_to
from epicvc.actions.backup.verify import verify_backup
from epicvc.database.url import open_backend, parse_url
from epicvc.errors import DamagedObject, EpicvcError, InvalidData, UnsafeName
from epicvc.model.mapping import BUILTIN
from epicvc.repo.history.backups import BackupKind, BackupRecord, FaultCount, backup_ref, read_record
from epicvc.repo.history.base import put_mapping
from epicvc.repo.history.objects import CommitKind, DatabaseState, Snapshot, get_commit, put_commit, put_snapshot
from epicvc.repo.rows.dbside import capture
from epicvc.store.objects import ObjectId, ObjectType
from epicvc.store.staging import Staging
from epicvc.store.store import Store
from epicvc.store.tree import tree

TIME = datetime(2025, 8, 17, 10, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "theirs" / "store.db", create=True) as opened:
        yield opened


def backup(
    store: Store,
    paths: dict[bytes, bytes],
    *,
    configuration: dict[bytes, bytes] | None = None,
    source: Path | None = None,
    root: ObjectId | None = None,
    **said: Any,
) -> Backup:
    """A backup with these files, which says what a test has it say."""
    with Staging(store, flush_bytes=1 << 20) as sink:

        def built(files: dict[bytes, bytes]) -> ObjectId:
            return tree.build(sink, ((key, sink.put(ObjectType.BLOB, data)) for key, data in sorted(files.items())))

        state: DatabaseState | None = None
        if source is not None:
            opened = open_backend(parse_url(str(source)))
            with opened.read() as reader:
                state = capture(reader, sink)
            opened.close()
        snapshot = Snapshot(root or built(paths), state, tree.empty(sink), put_mapping(sink, BUILTIN))
        record = BackupRecord(
            BackupKind.FULL,
            built(configuration or {}).hex(),
            "epics",
            0,
            0,
            len(paths),
            database="plans.db" if state else None,
        )
        record = replace(record, **said)
        commit = put_commit(
            sink,
            parents=(),
            snapshot=put_snapshot(sink, snapshot),
            author="them",
            time=TIME,
            message=record.message,
            kind=CommitKind.BACKUP,
        )
        sink.flush()
    return Backup(get_commit(store, commit), backup_ref(TIME), record, 0)


def refused(store: Store, found: Backup, tmp_path: Path) -> EpicvcError:
    """What restoring it into a new place, by way of a bundle too, and verifying it answer; nothing is written."""
    home = tmp_path / "home"
    with pytest.raises(EpicvcError) as raised:
        restore_to(store, found, home, os.environ)
    assert not home.exists()
    assert verify_backup(store, found).errors
    BundleDirectory(tmp_path / "bundles").write(store, found, None, writer="them")
    bundles = BundleDirectory(tmp_path / "bundles")
    with pytest.raises(EpicvcError):
        for one in bundles.backups():
            with bundles.received(one) as received:
                restore_to(received, one, home, os.environ)
    assert not home.exists()
    return raised.value


def test_a_sound_one_is_restored(store: Store, tmp_path: Path) -> None:
    found = backup(
        store, {b"a.json": b"{}", b"deep/b.json": b"[]"}, configuration={b"epicvc.toml": b"[files]\ndir = 'epics'\n"}
    )
    done = restore_to(store, found, tmp_path / "home", os.environ)
    assert done.paths == 2
    assert (tmp_path / "home" / "epics" / "deep" / "b.json").read_bytes() == b"[]"


@pytest.mark.parametrize(
    "name", [b"../a.json", b"/a.json", b"a/../../b.json", b".git/x", b"x\\y.json", b"nul", b"a\0b"]
)
def test_names_that_leave_their_directory(store: Store, tmp_path: Path, name: bytes) -> None:
    assert isinstance(refused(store, backup(store, {name: b"{}"}), tmp_path), UnsafeName)


@pytest.mark.parametrize("names", [(b"a.json", b"A.json"), (b"x", b"X/y.json")])
def test_names_that_are_one_file_somewhere(store: Store, tmp_path: Path, names: tuple[bytes, ...]) -> None:
    assert isinstance(refused(store, backup(store, dict.fromkeys(names, b"{}")), tmp_path), UnsafeName)


def test_a_name_that_is_no_text(store: Store, tmp_path: Path) -> None:
    assert isinstance(refused(store, backup(store, {b"\xff.json": b"{}"}), tmp_path), DamagedObject)


@pytest.mark.parametrize("path", [b".epicvc/config", b"hooks/x", b"../epicvc.toml", b"epics/x.json"])
def test_a_configuration_with_other_files(store: Store, tmp_path: Path, path: bytes) -> None:
    error = refused(store, backup(store, {b"a.json": b"{}"}, configuration={path: b"x"}), tmp_path)
    assert isinstance(error, UnsafeName)


def test_a_tree_in_another_form(store: Store, tmp_path: Path) -> None:
    with Staging(store, flush_bytes=1 << 20) as sink:
        from epicvc.store.tree.node import encode_inner, encode_leaf

        blob = sink.put(ObjectType.BLOB, b"{}")
        leaf = sink.put(ObjectType.NODE, encode_leaf([b"a.json"], [blob]))
        root = sink.put(ObjectType.NODE, encode_inner(1, [b"a.json"], [leaf], [1]))
        sink.flush()
    assert isinstance(refused(store, backup(store, {}, root=root), tmp_path), DamagedObject)


def test_faults_that_the_record_does_not_know(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "plans.db"
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE parents (id INTEGER PRIMARY KEY);"
        "CREATE TABLE children (id INTEGER PRIMARY KEY, parent REFERENCES parents (id));"
        "INSERT INTO children VALUES (1, 7), (2, 8);"
    )
    connection.close()
    known = (FaultCount("children", "parents", 2),)
    restore_to(store, backup(store, {}, source=path, faults=known), tmp_path / "sound", os.environ)
    found = backup(store, {}, source=path, faults=(FaultCount("children", "parents", 1),))
    error = refused(store, found, tmp_path)
    assert "2 rows of children would refer to rows of parents" in error.message


@pytest.mark.parametrize(
    "said",
    [
        {"files": "../epics"},
        {"files": "/epics"},
        {"database": "../../plans.db"},
        {"database": ".epicvc/store.db"},
        {"place": "x"},
        {"since": "y"},
    ],
)
def test_a_record_that_leads_elsewhere(store: Store, said: dict[str, str]) -> None:
    with pytest.raises(InvalidData):
        read_record(backup(store, {}, **said).commit)


def test_a_message_that_is_no_record(store: Store) -> None:
    commit = backup(store, {}).commit
    for message in ("", "full backup", "x\n\n{}", "x\n\n[" * 3000, 'x\n\n{"kind":"other"}'):
        with pytest.raises(DamagedObject):
            read_record(replace(commit, message=message))
    with pytest.raises(DamagedObject, match="no backup"):
        read_record(replace(commit, kind=CommitKind.COMMIT))
