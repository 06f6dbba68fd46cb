"""Clean-ups as the package gives them, outside an epic repo too."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from epicvc import CacheCleanup, DatabaseCleanup, JSONCleanup
from epicvc.errors import DatabaseUnavailable, FileUnavailable, NoMappedTable

SCHEMA = """
CREATE TABLE framework_epics (id INTEGER PRIMARY KEY, epic_key TEXT, status TEXT, updated_at TEXT, deleted_at TEXT,
  completed_at TEXT);
CREATE TABLE framework_tasks (id INTEGER PRIMARY KEY, epic_id INTEGER, task_key TEXT, status TEXT, updated_at TEXT,
  deleted_at TEXT, completed_at TEXT);
CREATE TABLE task_dependencies (id INTEGER PRIMARY KEY, task_id INTEGER, depends_on_task_key TEXT);
CREATE TABLE timer_sessions (id INTEGER PRIMARY KEY, task_id INTEGER);
INSERT INTO framework_epics VALUES (1, '1', 'active', NULL, NULL, NULL), (2, '2', 'deleted', '2020-01-01', '', NULL);
INSERT INTO framework_tasks VALUES (10, 1, 'a', 'pending', NULL, NULL, NULL), (11, 7, 'b', 'pending', NULL, NULL, NULL),
  (12, 2, 'c', 'pending', NULL, NULL, NULL), (13, 1, 'd', 'completed', NULL, NULL, '2020-01-01'),
  (14, 1, 'e', 'completed', NULL, NULL, '2999-01-01');
INSERT INTO task_dependencies VALUES (1, 10, 'x'), (2, 11, 'x'), (3, 99, 'x'), (4, 12, 'x');
INSERT INTO timer_sessions VALUES (1, 10), (2, 77), (3, NULL);
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    connection = sqlite3.connect(tmp_path / "framework.db")
    connection.executescript(SCHEMA)
    connection.close()
    files = tmp_path / "epics" / "user_epics"
    files.mkdir(parents=True)
    (files / "1.json").write_text('{"epic": {"id": "1", "name": "One",}}')
    return tmp_path


def ids(place: Path, table: str) -> list[int]:
    connection = sqlite3.connect(place / "framework.db")
    found = [row[0] for row in connection.execute(f"SELECT id FROM {table} ORDER BY id")]
    connection.close()
    return found


def test_orphans_go(place: Path) -> None:
    cleanup = DatabaseCleanup("framework.db")
    wanted = cleanup.remove_orphaned_tasks(dry_run=True)
    assert wanted["dry_run"]
    assert ids(place, "framework_tasks") == [10, 11, 12, 13, 14]
    done = cleanup.remove_orphaned_tasks()
    assert done["items"] == wanted["items"]
    assert done["count"] == 3 and done["checkpoint"] is None and not done["kept"]
    assert ids(place, "framework_tasks") == [10, 12, 13, 14]
    assert ids(place, "task_dependencies") == [1, 4]
    assert cleanup.remove_orphaned_tasks()["count"] == 0


def test_sessions_on_no_task_go(place: Path) -> None:
    assert DatabaseCleanup().remove_orphaned_timer_sessions()["items"] == [
        {"place": "@timer_sessions/2", "what": "a session on a task that does not exist"}
    ]
    assert ids(place, "timer_sessions") == [1, 3]


def test_sessions_in_a_database_of_their_own(place: Path) -> None:
    connection = sqlite3.connect(place / "timers.db")
    connection.executescript(
        "CREATE TABLE timer_sessions (id INTEGER PRIMARY KEY, task_id INTEGER);"
        "INSERT INTO timer_sessions VALUES (1, 10), (2, 77);"
    )
    connection.close()
    done = DatabaseCleanup("timers.db").remove_orphaned_timer_sessions(tasks_db="framework.db")
    assert [item["place"] for item in done["items"]] == ["@timer_sessions/2"]


def test_old_records_move_whole(place: Path) -> None:
    done = DatabaseCleanup().archive_old_records(days_old=90)
    assert [item["place"] for item in done["items"]] == [
        "@task_dependencies/4",
        "@framework_tasks/12",
        "@framework_epics/2",
        "@framework_tasks/13",
    ]
    assert ids(place, "framework_tasks_archive") == [12, 13]
    assert ids(place, "framework_epics_archive") == [2]
    assert ids(place, "task_dependencies_archive") == [4]
    assert ids(place, "framework_tasks") == [10, 11, 14]
    assert DatabaseCleanup().archive_old_records()["count"] == 0


def test_space_is_given_back(place: Path) -> None:
    connection = sqlite3.connect(place / "framework.db")
    connection.execute("CREATE TABLE big AS SELECT hex(randomblob(100000)) AS x")
    connection.execute("DROP TABLE big")
    connection.commit()
    connection.close()
    assert DatabaseCleanup().vacuum_database(dry_run=True)["freed"] == 0
    assert DatabaseCleanup().vacuum_database()["freed"] > 100_000


def test_files_outside_a_repo(place: Path) -> None:
    files = place / "epics" / "user_epics"
    (files / "copy.json").write_text('{"epic": {"name": "One", "id": "1"}}')
    (files / "other.json").write_text('{"epic": {"id": "1", "name": "Two"}}')
    cleanup = JSONCleanup(files)
    assert cleanup.fix_common_issues(dry_run=True)["items"] == [
        {"place": "1.json", "what": "a comma before a closing bracket"}
    ]
    assert cleanup.fix_common_issues()["count"] == 1
    done = cleanup.remove_duplicates()
    assert [item["place"] for item in done["items"]] == ["copy.json"]
    assert [item["place"] for item in done["kept"]] == ["other.json"]
    assert sorted(path.name for path in files.iterdir()) == ["1.json", "other.json"]


@pytest.mark.usefixtures("place")
def test_what_goes_wrong_is_named() -> None:
    with pytest.raises(DatabaseUnavailable):
        DatabaseCleanup("missing.db").vacuum_database()
    with pytest.raises(FileUnavailable):
        JSONCleanup("missing").validate_all_json_files()
    sqlite3.connect("empty.db").close()
    Path("empty.db").write_bytes(b"")
    with pytest.raises(NoMappedTable):
        DatabaseCleanup("empty.db").remove_orphaned_tasks()
    assert CacheCleanup().clear_temp_files()["count"] == 0
