"""Backups as the package gives them."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.database import make_database
from support.epics import write_epics
from support.repos import NO_FACTS, EpicRepo

from epicvc import BackupManager
from epicvc.errors import DatabaseUnavailable, NotFound, UsageError


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EpicRepo:
    """Files and a database, and no epic repo."""
    monkeypatch.chdir(tmp_path)
    write_epics(tmp_path / "epics")
    make_database(tmp_path / "framework.db")
    return EpicRepo(tmp_path, NO_FACTS)


def state(repo: EpicRepo) -> tuple[dict[str, bytes], list[str]]:
    """Files and rows; the journal mode is a matter of the database's file."""
    return repo.files(), [line for line in repo.dump() if not line.startswith("journal_mode")]


def test_full_incremental_and_back(place: EpicRepo) -> None:
    wanted = state(place)
    manager = BackupManager(db_path="framework.db")
    full = manager.create_full_backup()
    place.sql("UPDATE framework_epics SET name = 'x'")
    place.path("1").unlink()
    changed = state(place)
    incremental = manager.create_incremental_backup(since=full)
    assert [(one["id"], one["kind"], one["since"]) for one in manager.list_backups()] == [
        (full, "full", None),
        (incremental, "incremental", full),
    ]
    first, second = manager.list_backups()
    assert second["size"] < first["size"]
    assert not first["elsewhere"]
    result = manager.restore_from_backup(full)
    assert result == {
        "success": True,
        "commit": full,
        "restored_rows": first["rows"],
        "restored_files": first["files"],
        "verified": True,
        "error": None,
    }
    assert state(place) == wanted
    assert manager.restore_from_backup(incremental, to="new")["success"]
    new = EpicRepo(place.root / "new", NO_FACTS)
    assert state(new) == changed
    assert place.json("backup", "list")["backups"][0]["id"] == full


def test_points_in_time(place: EpicRepo) -> None:
    manager = BackupManager()
    manager.create_full_backup()
    (found,) = manager.list_backups()
    early = manager.restore_to_timestamp("2025-08-17T10:00:00")
    assert (early["success"], early["commit"], early["verified"]) == (False, None, False)
    assert "no backup at or before" in str(early["error"])
    assert manager.restore_to_timestamp(found["time"])["success"]
    assert manager.restore_to_timestamp(datetime.now(UTC) + timedelta(days=1))["commit"] == found["id"]
    with pytest.raises(UsageError):
        manager.restore_to_timestamp("yesterday")


def test_a_second_place_survives(place: EpicRepo) -> None:
    wanted = state(place)
    name = BackupManager(remote="elsewhere").create_full_backup()
    for path in (place.root / ".epicvc", place.directory):
        shutil.rmtree(path)
    place.database.unlink()
    (place.root / "epicvc.toml").unlink()
    manager = BackupManager(remote="elsewhere")
    assert manager.verify_backup(name)["valid"]
    assert [one["id"] for one in manager.list_backups()] == [name]
    assert manager.restore_from_backup(name)["success"]
    assert state(place) == wanted
    assert BackupManager(remote="elsewhere").list_backups()[0]["elsewhere"]


def test_json_of_a_directory(place: EpicRepo) -> None:
    manager = BackupManager("framework.db", json_dir="epics")
    name = manager.backup_json_files("epics/")
    wanted, dump = state(place)
    place.path("1").write_text("{}")
    place.sql("UPDATE framework_epics SET name = 'x'")
    changed = place.dump()
    assert manager.restore_from_backup(name)["success"]
    assert place.files() == wanted
    assert place.dump() == changed != dump


def test_what_cannot_be(place: EpicRepo) -> None:
    with pytest.raises(DatabaseUnavailable):
        BackupManager("nowhere.db").create_full_backup()
    assert not (place.root / ".epicvc").exists()
    manager = BackupManager()
    assert manager.list_backups() == []
    assert not manager.restore_from_backup("0" * 64)["success"]
    manager.create_full_backup()
    with pytest.raises(NotFound):
        manager.create_incremental_backup(since="0" * 64)
    with pytest.raises(NotFound):
        manager.verify_backup("0" * 64)
    failed: Any = manager.restore_from_backup("0" * 64)
    assert (failed["success"], failed["restored_rows"]) == (False, 0)
    assert "no backup" in failed["error"]
